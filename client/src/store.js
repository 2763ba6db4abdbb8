/*
 * Where a client keeps its queue of edits, so that it outlives the page: in the browser's IndexedDB, or in memory.
 *
 * A store gives out slots. A slot belongs to one client at a time and holds everything of it together: site, clock, pieces, base
 * version, event id and content. Two clients of one document get two slots, hence two sites. Which
 * slot is free is decided by Web Locks, which end with their page however it ends.
 */

const DATABASE = 'collab';
const SLOTS = 'slots';
const MAX_SLOTS = 64;

function waiting({ state }) {
  return Number((state?.pieces.length ?? 0) > 0);
}

/* Slots with something left to send come first, then the lowest. */
function preferred(slots) {
  return [...slots].sort((a, b) => (
    waiting(b) - waiting(a) || a.number - b.number));
}

/* ------------------------------------------------------------------ memory */

/* Lives as long as the object does; for tests and for programs that reconnect. */
export class MemoryStore {
  constructor() {
    this.slots = new Map();
  }

  async acquire(key) {
    const slots = this.slots.get(key) ?? [];
    this.slots.set(key, slots);
    let slot = preferred(slots).find(({ held }) => !held);
    if (slot === undefined) {
      slot = { number: slots.length, held: false, state: null };
      slots.push(slot);
    }
    slot.held = true;
    return {
      state: slot.state,
      save: async (state) => {
        slot.state = structuredClone(state);
      },
      remove: async () => {
        slot.state = null;
      },
      release: () => {
        slot.held = false;
      },
    };
  }
}

/* ------------------------------------------------------------------ IndexedDB */

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function open(indexedDB) {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(SLOTS);
  return done(request);
}

/* Holds the lock `name` until the returned function is called; null where somebody else has it. */
function lock(locks, name) {
  return new Promise((resolve, reject) => {
    locks.request(name, { ifAvailable: true }, (held) => {
      if (held === null) {
        resolve(null);
        return undefined;
      }
      return new Promise((release) => {
        resolve(release);
      });
    }).catch(reject);
  });
}

export class BrowserStore {
  constructor({ indexedDB = globalThis.indexedDB, locks = globalThis.navigator?.locks } = {}) {
    if (!indexedDB || !locks) {
      throw new Error('IndexedDB and Web Locks are needed (a page over https or on localhost)');
    }
    this.locks = locks;
    this.database = open(indexedDB);
    this.database.catch(() => {});
  }

  async transaction(mode, act) {
    const transaction = (await this.database).transaction(SLOTS, mode);
    const result = await done(act(transaction.objectStore(SLOTS)));
    if (mode === 'readwrite') {
      await new Promise((resolve, reject) => {
        transaction.oncomplete = resolve;
        transaction.onabort = () => reject(transaction.error);
      });
    }
    return result;
  }

  read(id) {
    return this.transaction('readonly', (slots) => slots.get(id));
  }

  async acquire(key) {
    const kept = await this.transaction('readonly', (slots) => slots.getAllKeys());
    const slots = [];
    for (let number = 0; number < MAX_SLOTS; number += 1) {
      const id = `${key}#${number}`;
      slots.push({ number, id, state: kept.includes(id) ? await this.read(id) : undefined });
    }
    for (const { id } of preferred(slots)) {
      const release = await lock(this.locks, `collab:${id}`);
      if (release !== null) {
        return this.slot(id, await this.read(id), release);
      }
    }
    throw new Error('all slots of this document are taken');
  }

  slot(id, state, release) {
    return {
      state: state ?? null,
      save: (next) => this.transaction('readwrite', (slots) => slots.put(next, id)),
      remove: () => this.transaction('readwrite', (slots) => slots.delete(id)),
      release,
    };
  }
}

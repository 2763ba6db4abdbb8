/* Queues that outlive their page: in memory and in (a simulated) IndexedDB, one owner per queue. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IDBFactory } from 'fake-indexeddb';
import { BrowserStore, MemoryStore } from '../src/store.js';
import { Line } from './model/line.mjs';

/* Web Locks as far as the store uses them. */
class Locks {
  constructor() {
    this.held = new Set();
  }

  async request(name, { ifAvailable }, callback) {
    assert.equal(ifAvailable, true);
    if (this.held.has(name)) {
      return callback(null);
    }
    this.held.add(name);
    try {
      return await callback({ name });
    } finally {
      this.held.delete(name);
    }
  }
}

const kinds = {
  memory: () => {
    const store = new MemoryStore();
    return () => store;
  },
  IndexedDB: () => {
    const [indexedDB, locks] = [new IDBFactory(), new Locks()];
    return () => new BrowserStore({ indexedDB, locks });
  },
};

const settle = async () => {
  for (let i = 0; i < 30; i += 1) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
};

/* A page that has just been opened, at the point where it has connected. */
async function page(store, options = {}) {
  const line = new Line({ store, site: undefined, ...options });
  await settle();
  return line;
}

async function sent(line) {
  line.pass();
  await settle();
  return line.last;
}

for (const [name, make] of Object.entries(kinds)) {
  test(`${name}: what was typed offline is there after the page was closed, and is sent`, async () => {
    const store = make();
    const first = await page(store());
    const { site } = first.client;
    first.open('abc', 7);
    first.client.disconnect();
    first.type('x');
    first.type('y', 1);
    await first.client.destroy();

    const second = await page(store());
    assert.equal(second.client.site, site);
    assert.equal(second.client.text, 'xyabc');
    assert.equal(second.client.pendingCount, 2);
    assert.equal(second.heard('ready').length, 1);
    second.type('z', 2);
    second.connect();
    assert.deepEqual([second.last.site, second.last.last_version, second.last.pending], [site, 7, 3]);
    second.welcome(7);
    second.stream();
    const message = await sent(second);
    assert.deepEqual([message.clock, message.ops.length], [1, 2]);
    second.ack(1, 8, 2);
    assert.equal((await sent(second)).clock, 3);
    await second.client.destroy();
  });

  test(`${name}: nothing is sent before it is kept`, async () => {
    const kept = [];
    const inner = make()();
    const store = {
      acquire: async (key) => {
        const slot = await inner.acquire(key);
        return { ...slot, save: async (state) => { await slot.save(state); kept.push(state); } };
      },
    };
    const line = (await page(store)).open('abc');
    line.type('x');
    line.pass();
    assert.equal(line.sent.length, 1);
    await settle();
    assert.deepEqual(kept.at(-1).pieces, [{ clock: 1, ops: [{ insert: 'x' }], doubtful: false }]);
    assert.equal(line.last.type, 'op');
    await line.client.destroy();
  });

  test(`${name}: a page that crashes goes on from what was kept`, async () => {
    const store = make();
    const first = (await page(store())).open('abc');
    first.type('x');
    await sent(first);
    first.type('y');
    first.client.keeper.slot.release();
    await settle();
    const second = await page(store());
    assert.equal(second.client.text, 'xabc');
    assert.equal(second.client.site, first.client.site);
    await second.client.destroy();
  });

  test(`${name}: a second page has a site and a queue of its own`, async () => {
    const store = make();
    const first = (await page(store())).open('abc');
    const second = (await page(store())).open('abc');
    assert.notEqual(first.client.site, second.client.site);
    first.client.disconnect();
    second.client.disconnect();
    second.type('second');
    await first.client.destroy();
    await second.client.destroy();

    const third = await page(store());
    assert.equal(third.client.text, 'secondabc', 'the queue with something to send comes first');
    const fourth = await page(store());
    assert.equal(fourth.client.site, first.client.site);
    await third.client.destroy();
    await fourth.client.destroy();
  });

  test(`${name}: documents and users have queues of their own`, async () => {
    const store = make();
    const first = (await page(store())).open('abc');
    first.type('x');
    await first.client.destroy();
    const other = await page(store(), { doc: 'other' });
    const bob = await page(store(), { user: 'bob' });
    assert.deepEqual([other.client.ready, bob.client.ready], [false, false]);
  });
}

test('a store that fails is left, and what it held is forgotten', async () => {
  const removed = [];
  const store = {
    acquire: async () => ({
      state: null,
      save: async () => { throw new Error('full'); },
      remove: async () => removed.push('state'),
      release: () => removed.push('lock'),
    }),
  };
  const line = (await page(store)).open('abc');
  line.type('x');
  assert.equal((await sent(line)).type, 'op');
  assert.deepEqual(removed, ['state', 'lock']);
  assert.deepEqual(line.heard('error').map(({ code, message }) => [code, message]),
    [['store', 'edits are not kept on this device: full']]);
  line.ack(1, 1);
  line.type('y');
  assert.equal((await sent(line)).clock, 2);
});

test('without a slot the client works all the same', async () => {
  const line = await page({ acquire: async () => { throw new Error('no room'); } });
  line.open('abc');
  line.type('x');
  assert.equal((await sent(line)).type, 'op');
  assert.equal(line.heard('error')[0].code, 'store');
});

test('IndexedDB: a browser without it says so', () => {
  assert.throws(() => new BrowserStore({ indexedDB: undefined, locks: undefined }), /Web Locks/);
});

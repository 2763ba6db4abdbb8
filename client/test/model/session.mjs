/*
 * One simulated session: a few people edit a document while everything that may go wrong does, then the world comes
 * to rest and all that must hold is checked. A seed gives the same session each time.
 */
import assert from 'node:assert/strict';
import Delta from 'quill-delta';
import { CollabClient } from '../../src/index.js';
import { MemoryStore } from '../../src/store.js';
import { Random } from './random.mjs';
import { ModelServer } from './server.mjs';
import { World } from './world.mjs';

/* Each insert is one character that occurs nowhere else, so what is lost or doubled can be named. */
const FIRST_CHARACTER = 0x4e00;
const EMOJI = 0x1f300;

export const ordinary = {
  clients: 3,
  steps: 60,
  pause: 12,
  granularity: 'edit',
  maxPieces: 1000,
  content: 'The quick brown fox',
  trouble: {},
  rules: {},
  forbidden: 0, //   probability that an edit is one that the server refuses
  cuts: 0, //        … that a step cuts a connection
  offline: 0, //     … that it takes somebody offline or back
  outages: 0, //     … that the server goes away for a while
  sql: 0, //         … that it is an edit in SQL
  truncate: 0, //    … that the server loses its last versions
  prune: 0, //       … that retention deletes old versions
  reload: 0, //      … that a page is closed and opened again
  bursts: 0.1, //    … that somebody makes several edits in one go
};

export class Session {
  constructor(seed, options) {
    this.options = { ...ordinary, ...options };
    this.random = new Random(seed);
    this.world = new World(this.random);
    this.server = new ModelServer({
      world: this.world,
      trouble: this.options.trouble,
      rules: this.options.rules,
      content: new Delta().insert(this.options.content),
    });
    this.characters = 0;
    this.refused = new Set();
    this.forgotten = new Set();
    this.store = this.options.reload > 0 ? new MemoryStore() : null;
    this.people = Array.from({ length: this.options.clients }, (_, i) => this.person(i));
  }

  person(number) {
    const person = { number, mirror: new Delta(), cursor: null, online: true };
    person.client = this.open(person);
    return person;
  }

  open(person) {
    const client = new CollabClient({
      url: 'ws://model',
      doc: 'paper',
      user: `user${person.number % Math.max(1, this.options.clients - 1)}`,
      site: this.options.site?.(person.number) ?? 1 + this.random.below(1000) * 8 + person.number,
      granularity: this.options.granularity === 'both'
        ? this.random.pick(['edit', 'composed']) : this.options.granularity,
      maxPieces: this.options.maxPieces,
      WebSocket: this.server.WebSocket,
      backoff: { min: 10, max: 200 },
      runtime: this.world.runtime,
      store: this.store && keyed(this.store, person.number),
    });
    client.on('change', ({ delta }) => {
      person.mirror = person.mirror.compose(delta);
    });
    client.on('error', ({ refused }) => {
      refused.forEach((delta) => charactersOf(delta).forEach((character) => this.refused.add(character)));
    });
    return client;
  }

  /* ------------------------------------------------------------------ what people do */

  character() {
    this.characters += 1;
    return this.random.chance(0.2)
      ? String.fromCodePoint(EMOJI + this.characters)
      : String.fromCharCode(FIRST_CHARACTER + this.characters);
  }

  attributes() {
    return this.random.pick([undefined, undefined, { bold: true }, { color: this.random.pick(['red', 'blue']) },
      { link: { href: '#', rel: null } }]);
  }

  /* An edit at a place that does not cut a pair; sometimes at the place where everybody edits. */
  change(content, forbidden = this.options.forbidden) {
    const text = content.ops.map((op) => (typeof op.insert === 'string' ? op.insert : '\uFFFC')).join('');
    const place = () => {
      const at = this.random.chance(0.3) ? Math.min(4, text.length) : this.random.below(text.length + 1);
      return /[\uDC00-\uDFFF]/.test(text[at] ?? '') ? at - 1 : at;
    };
    let [from, to] = [place(), place()].sort((a, b) => a - b);
    const last = place();
    to = Math.min(to, from + 6);
    to -= /[\uDC00-\uDFFF]/.test(text[to] ?? '') ? 1 : 0;
    const delta = new Delta().retain(from);
    const kind = this.random.below(10);
    if (kind < 5) {
      to = from;
    }
    if (from === to) {
      delta.insert(this.character(), this.attributes());
    } else if (kind < 8) {
      delta.delete(to - from);
    } else if (kind < 9) {
      delta.retain(to - from, this.attributes() ?? { bold: null });
    } else {
      delta.insert(this.character()).delete(to - from);
    }
    if (this.random.chance(0.15) && last > to) {
      delta.retain(last - to).insert(this.character());
    }
    if (this.random.chance(0.1)) {
      delta.insert({ image: this.character() });
    }
    if (this.random.chance(forbidden)) {
      delta.insert(this.character(), { forbidden: true });
    }
    return delta;
  }

  edit(person) {
    if (person.client.ready) {
      const times = this.random.chance(this.options.bursts) ? 2 + this.random.below(6) : 1;
      for (let i = 0; i < times; i += 1) {
        person.client.edit(this.change(person.client.content));
      }
      this.point(person);
    }
  }

  point(person) {
    if (this.random.chance(0.3)) {
      const position = this.random.below(person.client.length + 1);
      person.client.setCursor(position, this.random.chance(0.3) ? [0, position] : null);
    }
  }

  toggle(person) {
    person.online = !person.online;
    if (person.online) {
      person.client.connect();
    } else {
      person.client.disconnect();
    }
  }

  cut() {
    const connections = [...this.server.connections];
    if (connections.length > 0) {
      this.random.pick(connections).cut(this.random.pick([1001, 1006, 4408, 4409]));
    }
  }

  outage() {
    if (this.server.up) {
      this.server.toggle(false);
      this.world.after(this.random.next() * 300, () => this.server.toggle(true));
    }
  }

  /* A page is closed, or crashes before it could write what it wanted to. */
  async reload(person) {
    if (this.random.chance(0.5)) {
      person.client.engine.pieces.forEach(({ delta }) => (
        charactersOf(delta).forEach((character) => this.forgotten.add(character))));
      person.client.keeper.slot?.release();
      person.client.keeper.slot = null;
    }
    await person.client.destroy();
    person.mirror = new Delta();
    person.online = true;
    person.client = this.open(person);
  }

  async act() {
    const { options, random } = this;
    const happens = (what) => random.chance(options[what]);
    const person = random.pick(this.people);
    if (happens('cuts')) this.cut();
    if (happens('offline')) this.toggle(person);
    if (happens('outages')) this.outage();
    if (happens('sql')) this.server.edit(this.change(this.server.history.content, 0));
    if (happens('truncate')) this.server.truncate(Math.max(0, this.server.history.head - random.below(8)));
    if (happens('prune')) this.server.history.prune(this.server.history.head - random.below(10));
    if (happens('reload')) await this.reload(person);
    this.edit(person);
  }

  /* ------------------------------------------------------------------ how it goes on */

  /* Lets virtual time pass; where promises are in play, they get their turn. */
  async pass(duration) {
    const end = this.world.time + duration;
    if (this.store === null) {
      this.world.runUntil(end);
      return;
    }
    while (this.world.heap.length > 0 && this.world.heap[0].time <= end) {
      this.world.step();
      await settle();
    }
    this.world.runUntil(end);
  }

  settled() {
    const { history } = this.server;
    return this.people.every(({ client }) => client.synced && client.pendingCount === 0
      && client.version === history.head && client.engine.event === history.eventAt(history.head));
  }

  async run() {
    for (let i = 0; i < this.options.steps; i += 1) {
      await this.pass(this.random.next() * this.options.pause);
      await this.act();
    }
    await this.rest();
    this.check();
    return this;
  }

  /* The trouble is over; everybody comes online and everything still under way arrives. */
  async rest() {
    Object.assign(this.server.trouble, { busy: 0, unknown: 0, lateCopy: 0, lost: 0, moody: 0 });
    await this.pass(2000);
    this.people.filter(({ online }) => !online).forEach((person) => this.toggle(person));
    for (let i = 0; i < 60 && !this.settled(); i += 1) {
      await this.pass(1000);
    }
    assert.ok(this.settled(), 'the world does not come to rest');
    await this.pass(2000);
    this.checkCursors();
    this.people.forEach((person) => person.client.setCursor(this.random.below(person.client.length + 1)));
    await this.pass(1000);
  }

  check() {
    const { history } = this.server;
    assert.deepEqual(this.server.violations, []);
    this.people.forEach(({ client, mirror }) => {
      assert.deepEqual(client.content, history.content, 'a client shows another content than the server');
      assert.deepEqual(client.engine.base.content, history.content);
      assert.equal(client.length, history.content.length());
      assert.deepEqual(mirror, history.content, 'the changes that a client reports do not add up');
    });
    this.checkCharacters();
    this.checkCursors();
  }

  /* No edit is there twice; where no history was lost each is there once, or was handed back. */
  checkCharacters() {
    const { options, server: { history } } = this;
    const counts = new Map();
    history.events.forEach(({ delta }) => charactersOf(delta).forEach((character) => {
      counts.set(character, (counts.get(character) ?? 0) + 1);
    }));
    counts.forEach((count, character) => {
      assert.equal(count, 1, `${character} is there ${count} times`);
      assert.ok(!this.refused.has(character) || options.mayReturn, `${character} was refused and is there`);
    });
    if (options.truncate + options.prune === 0 && options.granularity === 'edit') {
      const anywhere = new Set([...counts.keys(), ...this.refused, ...this.forgotten]).size;
      assert.equal(anywhere, this.characters, 'an edit is neither there nor refused');
    }
  }

  checkCursors() {
    this.people.forEach(({ client }) => {
      client.presence.filter(({ self }) => !self).forEach(({ session, cursor }) => {
        const other = this.people.find((person) => person.client.session === session);
        assert.equal(cursor?.position ?? null, other.client.cursor.position, 'a cursor is shown where it is not');
      });
      assert.equal(client.presence.length, this.people.length);
    });
  }
}

/* The characters that a change inserts, embeds included. */
function charactersOf(delta) {
  return delta.ops.flatMap(({ insert }) => (insert === undefined ? []
    : [...(typeof insert === 'string' ? insert : insert.image)])).filter((c) => c.codePointAt(0) >= 0x3000);
}

/* Every person has a device of their own. */
function keyed(store, number) {
  return { acquire: (key) => store.acquire(`${key}:${number}`) };
}

function settle() {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

export async function simulate(seed, options) {
  return new Session(seed, options).run();
}

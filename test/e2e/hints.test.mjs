// hints.test.mjs - three proxies whose hints are lost, late, doubled and forged: only latency may suffer. Every connection sees
// every version once and in order, all replicas end equal, and forgers cannot keep the database busy.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readFileSync } from 'node:fs';
import { CollabClient, Delta } from '../../client/src/index.js';
import { Stack } from '../lib/stack.mjs';
import { Ledger, chaosSocket } from './chaos-socket.mjs';
import { randomEdit } from './random-edit.mjs';
import { seeded } from './random.mjs';

const CLIENTS = 6;
const CHECK_MS = 1000;
const CALM = { faults: 0 };
let stack;
let documents = 0;

before(async () => {
  stack = await Stack.start({ proxies: 3, config: { heads_check_ms: CHECK_MS, lanes: 1, retry_lanes: 1, readers: 1 },
    settings: { max_connections: 100, 'collab.notifier_idle_timeout': 0 } });
  stack.sql("ALTER ROLE collab_proxy SET log_statement = 'all'");
  for (const proxy of stack.proxies) await proxy.restart(); // the listeners' statements are in the log from now on
});
after(() => stack.stop());

const notifier = () => Number(stack.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'collab notifier' AND datname = current_database()"));

// Statements that the listeners have run so far.
const questions = () => readFileSync(stack.cluster.log, 'latin1').match(/LOG: +execute (fetch_events|heads):/g)?.length ?? 0;

// Clients of one document, two at each proxy.
class Scene {
  constructor(seed) {
    this.random = seeded(seed);
    this.doc = `hints-${++documents}`;
    this.ledger = new Ledger();
    this.problems = [];
    stack.createDocument(this.doc, { ops: [{ insert: 'Hello 😀 World\n' }] });
    this.clients = Array.from({ length: CLIENTS }, (_, i) => {
      const client = new CollabClient({ url: stack.proxies[i % 3].http, doc: this.doc, user: `${this.doc}-${i}`, WebSocket: chaosSocket(this.random, this.ledger, CALM) });
      client.on('error', (problem) => this.problems.push(problem));
      return client;
    });
  }

  synced() { return Promise.all(this.clients.map((client) => client.whenSynced())); }

  async type(edits) {
    await Promise.all(this.clients.map(async (client) => {
      for (let i = 0; i < edits; i++) {
        client.edit(randomEdit(this.random, client.content));
        await sleep(this.random.below(20));
      }
      await client.whenSaved();
    }));
  }

  // Resolves when everybody has the last version; how long that took.
  async converged() {
    const head = stack.versions(this.doc);
    const begun = performance.now();
    await Promise.all(this.clients.map((client) => client.when(() => client.version >= head)));
    const took = performance.now() - begun;
    const content = stack.document(this.doc);
    for (const client of this.clients) assert.deepEqual(new Delta(client.content.ops), new Delta(content.ops));
    assert.deepEqual(this.ledger.violations, [], 'every version once, ascending, without gaps');
    assert.deepEqual(this.problems, []);
    assert.equal(this.ledger.opens, CLIENTS, 'nobody had to open again');
    return took;
  }

  async end() { await Promise.all(this.clients.map((client) => client.destroy())); }
}

async function scene(t, seed) {
  const made = new Scene(seed);
  t.after(() => made.end());
  await made.synced();
  await made.type(3); // the notifier is there
  await made.converged();
  return made;
}

test('without any hint all converge by the next comparison', { timeout: 60000 }, async (t) => {
  const made = await scene(t, 1);
  const pid = notifier();
  process.kill(pid, 'SIGSTOP');
  t.after(() => process.kill(pid, 'SIGCONT'));
  await made.type(15);
  const before = questions();
  const took = await made.converged();
  t.diagnostic(`${Math.round(took)} ms until all had everything; the interval is ${CHECK_MS} ms`);
  assert.ok(questions() - before <= 3 * (2 * Math.ceil(took / CHECK_MS) + 4), 'nobody asks more often because of that');
});

test('late hints, in heaps', { timeout: 60000 }, async (t) => {
  const made = await scene(t, 2);
  const pid = notifier();
  let late = true;
  const toggle = (async () => {
    while (late) {
      process.kill(pid, 'SIGSTOP');
      await sleep(150);
      process.kill(pid, 'SIGCONT');
      await sleep(10);
    }
  })();
  await made.type(20);
  late = false;
  await toggle;
  await made.converged();
});

test('every hint comes three times, once of them much later', { timeout: 60000 }, async (t) => {
  const made = await scene(t, 3);
  const session = stack.database.session();
  t.after(() => session.close());
  await session.query('LISTEN collab');
  const again = new Set();
  let listening = true;
  const echo = (async () => {
    while (listening) {
      await sleep(10);
      const heard = (await session.query('SELECT 1')).matchAll(/notification "collab" with payload "([^"]*)"/g);
      for (const [, payload] of heard) {
        if (again.has(payload)) continue;
        again.add(payload);
        await session.query(`NOTIFY collab, '${payload}'`);
      }
    }
  })();
  await made.type(20);
  listening = false;
  await echo;
  assert.ok(again.size > 5, `${again.size} hints were doubled`);
  for (const payload of again) await session.query(`NOTIFY collab, '${payload}'`);
  await made.converged();
});

test('forged hints: nonsense, versions far ahead, other documents', { timeout: 60000 }, async (t) => {
  const made = await scene(t, 4);
  const key = stack.sql(`SELECT lpad(to_hex(collab.document_key('${made.doc}')), 16, '0')`);
  const session = stack.database.session('postgres');
  t.after(() => session.close());
  const forge = () => {
    const version = made.random.below(2 ** 31);
    return made.random.pick([`${key}:${version}`, `${key}:9007199254740993`, `${key}:`, key, '*', '* * *', `${key}:-1`, `${key}:1e3`, ':', ' ', 'zzzz',
      `${'0'.repeat(16)}:1`, `${version.toString(16).padStart(16, 'f')}:${version}`, `${key}:1 `.repeat(200), `x${key}:${version}`]);
  };
  let forging = true;
  let forged = 0;
  const forger = (async () => {
    while (forging) {
      await session.query(Array.from({ length: 20 }, () => `NOTIFY collab, '${forge()}'`).join(';'));
      forged += 20;
    }
  })();
  await made.type(30);
  await made.converged();
  /* nobody edits any more: all that is asked is asked because of the forger */
  const [begun, asked, before] = [performance.now(), questions(), forged];
  await sleep(2000);
  const seconds = (performance.now() - begun) / 1000;
  const perSecond = (questions() - asked) / seconds / 3;
  forging = false;
  await forger;
  t.diagnostic(`${Math.round((forged - before) / seconds)} forged hints/s cause ${perSecond.toFixed(1)} questions/s of each proxy`);
  assert.ok(forged - before > 200 * seconds, `${forged - before} hints were forged`);
  /* two kinds, and a rest of 40 ms at least after each that finds nothing */
  assert.ok(perSecond < 2 * 25 + 10, `${perSecond} questions/s`);
  await made.type(2);
  await made.converged();
});

// crash.test.mjs - PostgreSQL killed with SIGKILL, all processes, under load, again and again: no acknowledged piece is lost, none
// is doubled, versions have no gaps, and clients resume by themselves.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { CollabClient, Delta } from '../../client/src/index.js';
import { Stack } from '../lib/stack.mjs';
import { Ledger, chaosSocket } from './chaos-socket.mjs';
import { seeded } from './random.mjs';

const CRASHES = Number(process.env.CRASHES ?? 10);
const DOCUMENTS = 2;
const CLIENTS = 3; // per document

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const ARRANGEMENTS = {
  'one proxy': {},
  'three workers': { config: { workers: 3, lanes: 1, retry_lanes: 1, readers: 1 }, settings: { max_connections: 100 } },
};
let stack;

afterEach(() => stack.stop());

function startClients(doc, ledger) {
  return Array.from({ length: CLIENTS }, (_, i) => new CollabClient({
    url: stack.url, doc, user: `${doc}-user${i}`, site: 100 + i, WebSocket: chaosSocket(seeded(i), ledger, { faults: 0 }),
    granularity: 'edit', backoff: { min: 20, max: 200 },
  }));
}

async function type(client, state) {
  await client.whenReady();
  while (!state.done) {
    client.edit(new Delta().insert('x'));
    await sleep(3);
  }
}

async function crashes(arrangement) {
  stack = await Stack.start(arrangement);
  const documents = Array.from({ length: DOCUMENTS }, (_, i) => ({ doc: `crash-${i}`, ledger: new Ledger() }));
  const state = { done: false };
  for (const document of documents) {
    stack.createDocument(document.doc, { ops: [{ insert: '\n' }] });
    document.clients = startClients(document.doc, document.ledger);
    document.typing = document.clients.map((client) => type(client, state));
  }
  for (let crash = 0; crash < CRASHES; crash++) {
    const before = documents.map(({ ledger }) => ledger.acked.size);
    const progressed = () => documents.every(({ ledger }, i) => ledger.acked.size > before[i] + 20);
    for (let waited = 0; !progressed(); waited += 20) {
      assert.ok(waited < 30000, `no acknowledgements 30 s after crash ${crash}`);
      await sleep(20);
    }
    await stack.cluster.crash();
    await sleep(100);
    await stack.cluster.start();
  }
  state.done = true;
  let acknowledged = 0;
  for (const { doc, ledger, clients, typing } of documents) {
    await Promise.all(typing);
    await Promise.all(clients.map((client) => client.whenSaved()));
    const head = stack.versions(doc);
    await Promise.all(clients.map((client) => client.when(() => client.version >= head)));
    const text = stack.text(doc);
    for (const client of clients) assert.equal(client.text, text);
    const stored = new Map(stack.sql(`SELECT author || '/' || site || '/' || clock, version FROM collab.events_since('${doc}', 0)
      WHERE site <> 0`).split('\n').map((row) => row.split('|')));
    assert.equal(stored.size, head - 1, 'no piece is stored twice');
    for (const [key, version] of ledger.acked) assert.equal(Number(stored.get(key)), version, `${key} acknowledged at ${version}`);
    assert.deepEqual(ledger.violations, [], 'every connection sees every version once, ascending, without gaps');
    acknowledged += ledger.acked.size;
    await Promise.all(clients.map((client) => client.destroy()));
  }
  console.log(`# ${CRASHES} crashes, ${acknowledged} acknowledged pieces, 0 lost, 0 doubled`);
}

for (const [name, arrangement] of Object.entries(ARRANGEMENTS))
  test(`${CRASHES} crashes of PostgreSQL under load, ${name}`, { timeout: 300000 }, () => crashes(arrangement));

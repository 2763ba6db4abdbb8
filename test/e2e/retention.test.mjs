// retention.test.mjs - clients whose history is deleted under their feet: connections break, clients type offline, edits by SQL in
// between, while events are folded and pruned all the time. At the end every replica and the database are equal, and every
// character that somebody typed is there exactly once: pending edits were carried over, and none was taken for new that the
// document had already.
//
//	SEED=n first seed, SEEDS=n how many, EDITS=n edits per client and seed

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CollabClient, Delta } from '../../client/src/index.js';
import { Stack } from '../lib/stack.mjs';
import { Ledger, chaosSocket, lateCopy } from './chaos-socket.mjs';
import { seeded } from './random.mjs';

const FIRST = Number(process.env.SEED ?? 1);
const SEEDS = Number(process.env.SEEDS ?? 8);
const EDITS = Number(process.env.EDITS ?? 40);
const CLIENTS = 4;
/* every edit types a character of its own from here on */
const ALPHABET = 0x4e00;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const totals = { typed: 0, pruned: 0, snapshots: 0, carried: 0, contained: 0, copies: 0, refused: 0 };
let stack;

before(async () => { stack = await Stack.start(); });
after(() => {
  console.log(`# ${SEEDS} seeds from ${FIRST}: ${Object.entries(totals).map(([k, v]) => `${k} ${v}`).join(', ')}`);
  return stack.stop();
});

function startClient(random, doc, i, ledger, mood, problems) {
  const client = new CollabClient({
    url: stack.url, doc, user: `${doc}-user${i}`, site: 1 + random.below(2 ** 40), WebSocket: chaosSocket(random, ledger, mood),
    granularity: i % 2 === 0 ? 'edit' : 'composed', backoff: { min: 5, max: 60 },
  });
  client.on('error', ({ code, message, refused }) => {
    if (refused.length > 0) problems.push(`${code} ${message}`);
    else if (code === 'OT002') totals.refused++;
  });
  const onSnapshot = client.onSnapshot.bind(client);
  client.onSnapshot = (message) => {
    if (message.reason === 'OT002') {
      totals.snapshots++;
      totals.contained += client.engine.pieces.filter((piece) => piece.clock <= message.applied_clock).length;
      totals.carried += client.engine.pieces.filter((piece) => piece.clock > message.applied_clock).length;
    }
    return onSnapshot(message);
  };
  return client;
}

// Types characters that nobody else types, sometimes with a format; deletes nothing but what was there from the beginning.
async function type(random, client, first, typed) {
  await client.whenReady();
  for (let i = 0; i < EDITS; i++) {
    const char = String.fromCharCode(ALPHABET + first + i);
    const at = random.below(client.content.length());
    const insert = new Delta().retain(at).insert(char, random.chance(0.3) ? { bold: true } : {});
    client.edit(insert);
    typed.push(char);
    if (random.chance(0.1)) client.edit(new Delta().retain(1, { italic: random.chance(0.5) || null }));
    if (random.chance(0.1)) {
      client.disconnect();
      await sleep(random.below(300));
      client.connect();
    } else if (random.chance(0.6)) await sleep(random.below(15));
  }
}

// Deletes history until `state.done`, and does what else makes clients stumble.
async function disturb(random, doc, ledger, state) {
  while (!state.done) {
    await sleep(5 + random.below(60));
    const kind = random.next();
    if (kind < 0.4) totals.pruned += Number(stack.sql(`SELECT collab.prune('${doc}')`));
    else if (kind < 0.6) stack.sql(`SELECT collab.fold('${doc}')`);
    else if (kind < 0.8) stack.sql(`SELECT collab.insert_text('${doc}', 0, 'sql ')`);
    else if (ledger.copies.length > 0) {
      totals.copies++;
      await lateCopy(ledger, random.pick(ledger.copies));
    }
  }
}

async function run(seed) {
  const random = seeded(seed);
  const doc = `retention-${seed}`;
  const ledger = new Ledger();
  const mood = { faults: 1 };
  const problems = [];
  const typed = [];
  stack.createDocument(doc, { ops: [{ insert: 'Hello World\n' }] });
  stack.sql(`SELECT collab.set_retention('${doc}', NULL, '${random.pick([0, 50, 200])} ms')`);
  const clients = Array.from({ length: CLIENTS }, (_, i) => startClient(random, doc, i, ledger, mood, problems));
  const state = { done: false };
  const disturbance = disturb(random, doc, ledger, state);
  await Promise.all(clients.map((client, i) => type(random, client, i * EDITS, typed)));
  state.done = true;
  await disturbance;
  mood.faults = 0;
  await Promise.all(clients.map((client) => client.whenSaved()));
  const head = Number(stack.sql(`SELECT max(version) FROM collab.events WHERE doc = collab.document_key('${doc}')`));
  await Promise.all(clients.map((client) => client.when(() => client.version >= head)));

  const content = stack.document(doc);
  for (const [i, client] of clients.entries())
    assert.deepEqual(new Delta(client.content.ops), new Delta(content.ops), `client ${i} and the database, seed ${seed}`);
  const text = stack.text(doc);
  for (const char of typed) assert.equal(text.split(char).length - 1, 1, `${char} (${char.charCodeAt(0) - ALPHABET}) is there once, seed ${seed}`);
  assert.deepEqual(problems, [], 'refused pieces');
  assert.equal(stack.sql(`SELECT string_agg(v::text, ' ') FROM collab.verify('${doc}') v`), '');
  totals.typed += typed.length;
  await Promise.all(clients.map((client) => client.destroy()));
}

for (let seed = FIRST; seed < FIRST + SEEDS; seed++)
  test(`retention with seed ${seed}`, { timeout: 60000 }, () => run(seed));

test('the seeds met what they are for', { skip: SEEDS < 8 }, () => {
  for (const [what, count] of Object.entries(totals)) assert.ok(count > 0, `${what}: ${count}`);
});

// chaos.mjs - five clients, rich text, connections that break at the worst moments, late copies of old messages, proxies
// killed again and again, edits by SQL in between: at the end every replica and the database are equal, every acknowledged piece is
// an event exactly once, every connection saw every version once and in order, and everybody sees everybody and their cursors.
// With several proxies each connection goes to any of them.
//
//	SEED=n first seed, SEEDS=n how many, EDITS=n edits per client and seed

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CollabClient, Delta } from '../../client/src/index.js';
import { Stack } from '../lib/stack.mjs';
import { Ledger, chaosSocket, lateCopy } from './chaos-socket.mjs';
import { randomEdit } from './random-edit.mjs';
import { seeded } from './random.mjs';

const FIRST = Number(process.env.SEED ?? 1);
const EDITS = Number(process.env.EDITS ?? 40);
const CLIENTS = 5;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const totals = { pieces: 0, transformed: 0, resent: 0, recognised: 0, copies: 0, kills: 0 };
let stack;
let strike;

function balance(random) {
  return (address) => {
    const there = new URL(address);
    there.port = String(random.pick(stack.proxies).config.listen_port);
    return there.href;
  };
}

function startClients(random, doc, ledger, mood, problems) {
  return Array.from({ length: CLIENTS }, (_, i) => {
    const client = new CollabClient({
      url: stack.url, doc, user: `${doc}-user${i}`, site: 1 + random.below(2 ** 40), WebSocket: chaosSocket(random, ledger, mood, balance(random)),
      granularity: i % 2 === 0 ? 'edit' : 'composed', backoff: { min: 5, max: 60 },
    });
    client.on('error', ({ code, message, refused }) => { if (refused.length > 0) problems.push(`${code} ${message}`); });
    return client;
  });
}

async function type(random, client) {
  await client.whenReady();
  for (let i = 0; i < EDITS; i++) {
    client.edit(randomEdit(random, client.content));
    if (random.chance(0.02)) {
      client.disconnect();
      await sleep(random.below(30));
      client.connect();
    } else if (random.chance(0.6)) await sleep(random.below(12));
  }
}

// What goes on beside the typing, until `state.done`.
async function disturb(random, doc, ledger, state) {
  while (!state.done) {
    await sleep(5 + random.below(30));
    const kind = random.next();
    if (kind < 0.3) stack.sql(`SELECT collab.insert_text('${doc}', 0, 'sql😀 ')`);
    else if (kind < 0.8 && ledger.copies.length > 0) {
      totals.copies++;
      await lateCopy(ledger, random.pick(ledger.copies));
    } else if (state.kills > 0) {
      state.kills--;
      totals.kills++;
      await strike(random.pick(stack.proxies), random);
    }
  }
}

function checkLedger(doc, ledger) {
  const rows = stack.sql(`SELECT author || '/' || site || '/' || clock, version, base_version, extract(epoch FROM created_at) * 1000
    FROM collab.events_since('${doc}', 0) WHERE site <> 0 ORDER BY version`).split('\n').filter(Boolean).map((row) => row.split('|'));
  const stored = new Map();
  const times = new Map();
  for (const [key, version, , time] of rows) {
    assert.ok(!stored.has(key), `${key} is stored twice`);
    stored.set(key, Number(version));
    times.set(key, Number(time));
  }
  for (const [key, version] of ledger.acked) assert.equal(stored.get(key), version, `${key} was acknowledged at ${version}`);
  totals.pieces += rows.length;
  totals.transformed += rows.filter(([, version, base]) => Number(base) < Number(version) - 1).length;
  totals.resent += ledger.resent;
  totals.recognised += ledger.recognised(times);
}

// Of those whose proxy was killed others may hear for a few seconds more.
async function checkPresence(clients) {
  const users = clients.map((client) => client.user).sort();
  clients.forEach((client, i) => client.setCursor(i));
  await Promise.all(clients.map((client) => client.when(() => {
    const there = client.presence.filter(({ self, cursor }) => self || cursor !== null).map(({ user }) => user);
    return users.every((user) => there.includes(user));
  })));
}

async function run(seed) {
  const random = seeded(seed);
  const doc = `chaos-${seed}`;
  const ledger = new Ledger();
  const mood = { faults: 1 };
  const problems = [];
  stack.createDocument(doc, { ops: [{ insert: 'Hello 😀 World\n' }] });
  const clients = startClients(random, doc, ledger, mood, problems);
  const state = { done: false, kills: 2 };
  const disturbance = disturb(random, doc, ledger, state);
  await Promise.all(clients.map((client) => type(random, client)));
  state.done = true;
  await disturbance;
  mood.faults = 0;
  await Promise.all(clients.map((client) => client.whenSaved()));
  const head = stack.versions(doc);
  await Promise.all(clients.map((client) => client.when(() => client.version >= head)));
  const content = stack.document(doc);
  for (const [i, client] of clients.entries())
    assert.deepEqual(new Delta(client.content.ops), new Delta(content.ops), `client ${i} and the database, seed ${seed}`);
  assert.deepEqual(problems, [], 'refused pieces');
  assert.deepEqual(ledger.violations, [], 'every connection sees every version once, ascending, without gaps');
  checkLedger(doc, ledger);
  await checkPresence(clients);
  await Promise.all(clients.map((client) => client.destroy()));
}

// The tests of one arrangement. `fault(proxy, random)`: something of the proxy is killed, or replaced.
export function chaos({ config = {}, seeds, fault, settings = {}, proxies = 1 }) {
  strike = fault;
  before(async () => { stack = await Stack.start({ config, settings, proxies }); });
  after(() => {
    console.log(`# ${seeds} seeds from ${FIRST}: ${Object.entries(totals).map(([k, v]) => `${k} ${v}`).join(', ')}`);
    return stack.stop();
  });
  for (let seed = FIRST; seed < FIRST + seeds; seed++)
    test(`chaos with seed ${seed}`, { timeout: 60000 }, () => run(seed));
}

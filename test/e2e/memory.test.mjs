// memory.test.mjs - the n-th allocation of a proxy fails, from its start and from some moment under load: it goes on, or ends with
// status 70 and a line in its log, its clients go on with another, and no acknowledged piece is lost or doubled.
//
//	MEMORY_FROM, MEMORY_TO, MEMORY_STEP which n (1, 2000 and 1 for all of them)

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CollabClient, Delta } from '../../client/src/index.js';
import { FailingMalloc } from '../lib/failing-malloc.mjs';
import { startCluster } from '../lib/cluster.mjs';
import { Proxy, eventually, freePort } from '../lib/proxy.mjs';
import { connect } from '../lib/socket.mjs';
import { Ledger, chaosSocket } from './chaos-socket.mjs';
import { checkDocument } from './invariants.mjs';
import { seeded } from './random.mjs';

const FROM = Number(process.env.MEMORY_FROM ?? 0);
const TO = Number(process.env.MEMORY_TO ?? 2000);
const STEP = Number(process.env.MEMORY_STEP ?? 50);
const COUNTS = Array.from({ length: Math.floor((TO - FROM) / STEP) + 1 }, (_, i) => FROM + i * STEP);
// What the C library asks for first, once, before anybody is served, and cannot go on without: see memory_adopt() in proxy/memory.c.
const OF_THE_LIBRARY = 5;
const CONFIG = { lanes: 1, retry_lanes: 1, readers: 1 };

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let cluster;
let database;
let shim;
before(async () => {
  shim = new FailingMalloc();
  cluster = await startCluster({});
  database = cluster.createDatabase('collab');
});
after(async () => {
  await cluster.destroy();
  shim.close();
});

const create = (doc) => database.sql(`SELECT collab.create_document('${doc}', '{"ops":[{"insert":"\\n"}]}'::collab.delta)`);

function newProxy(port) {
  return new Proxy({ database, env: shim.env, config: { ...CONFIG, listen_port: port } });
}

// How a tortured process may end: as it was told, or for want of memory, and then it says so. 2 and 3: it did not even start.
function checkEnd({ code, signal }, proxy, n, starting = false) {
  const told = `when allocation ${n} failed:\n${proxy.log.slice(-2000)}`;
  if (starting && n < OF_THE_LIBRARY && ['SIGSEGV', 'SIGABRT'].includes(signal)) return;
  assert.equal(signal, null, `killed by ${signal} ${told}`);
  assert.ok([0, 70, ...(starting ? [2, 3] : [])].includes(code), `ended with ${code} ${told}`);
  if (code !== 0) assert.match(proxy.log, code === 70 ? /out of memory/ : /level=error|collab-proxy: /);
}

test(`allocation n from the start fails, ${COUNTS.length} values of n up to ${TO}`, { timeout: 3000000 }, async () => {
  const tally = { ended: 0, went_on: 0, not_reached: 0 };
  create('start');
  for (const n of COUNTS) {
    const proxy = newProxy(await freePort());
    shim.arm(n);
    await proxy.start({ wait: false });
    await eventually(async () => proxy.exited || (await proxy.health().catch(() => null))?.database === 'up', { timeout: 30000, what: `start ${n}` });
    if (!proxy.exited) await useOnce(proxy).catch((error) => { if (shim.failed === 0) throw error; });
    tally[shim.failed === 0 ? 'not_reached' : proxy.exited ? 'ended' : 'went_on']++;
    shim.disarm();
    // what it went on with is of use
    if (!proxy.exited) {
      await eventually(async () => proxy.exited || (await proxy.health().catch(() => null))?.database === 'up', { timeout: 30000, what: `recovery ${n}` });
      if (!proxy.exited) await useOnce(proxy);
    }
    proxy.child.kill('SIGTERM'); // and once more, with which it ends at once
    checkEnd(await proxy.stop(), proxy, n, true);
  }
  console.log(`# from the start: ${JSON.stringify(tally)}`);
  assert.ok(tally.ended > 0);
});

let site = 1;
async function useOnce(proxy) {
  const socket = await connect(proxy.url('start', 'alice'), { site: site++ });
  socket.send({ type: 'op', clock: 1, base_version: socket.version, base_event: socket.event, op: { ops: [{ insert: 'x' }] } });
  await socket.next('ack');
  socket.ws.terminate();
}

test(`allocation n under load fails, ${COUNTS.length} values of n up to ${TO}`, { timeout: 3000000 }, async () => {
  const random = seeded(5);
  const port = await freePort();
  const proxies = [newProxy(port), newProxy(port)];
  for (const proxy of proxies) await proxy.start();
  const tally = { ended: 0, went_on: 0, not_reached: 0 };
  const state = { done: false };
  const documents = ['load-a', 'load-b'].map((doc) => ({ doc, ledger: new Ledger() }));
  for (const document of documents) {
    create(document.doc);
    document.clients = Array.from({ length: 3 }, (_, i) => new CollabClient({
      url: `ws://127.0.0.1:${port}`, doc: document.doc, user: `${document.doc}-${i}`, site: 100 + i,
      WebSocket: chaosSocket(seeded(i), document.ledger, { faults: 0 }), backoff: { min: 5, max: 50 },
    }));
    document.typing = document.clients.map((client) => type(client, random, state));
  }
  for (const [i, n] of COUNTS.entries()) {
    const at = i % 2;
    // connections to the database and from browsers are made anew as well
    if (random.chance(0.3)) database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'collab-proxy'");
    shim.arm(n, { pid: proxies[at].child.pid, failures: random.chance(0.2) ? 20 : 1 });
    for (let waited = 0; waited < 3000 && shim.failed === 0 && !proxies[at].exited; waited += 10) {
      if (waited % 50 === 0) fetch(`http://127.0.0.1:${port}/readyz`).catch(() => {});
      await sleep(10);
    }
    await sleep(30);
    tally[shim.failed === 0 ? 'not_reached' : proxies[at].exited ? 'ended' : 'went_on']++;
    shim.disarm();
    if (!proxies[at].exited) continue;
    checkEnd(await proxies[at].stop(), proxies[at], n);
    proxies[at] = newProxy(port);
    await proxies[at].start();
  }
  state.done = true;
  for (const { doc, ledger, clients, typing } of documents) {
    await Promise.all(typing);
    await Promise.all(clients.map((client) => client.whenSaved()));
    await checkDocument(database, doc, { clients, ledger, foreign: 1 });
    await Promise.all(clients.map((client) => client.destroy()));
  }
  for (const proxy of proxies) checkEnd(await proxy.stop(), proxy, 'none');
  console.log(`# under load: ${JSON.stringify(tally)}, ${documents.reduce((sum, { ledger }) => sum + ledger.acked.size, 0)} acknowledged pieces`);
  assert.ok(tally.ended > 0);
});

async function type(client, random, state) {
  await client.whenReady();
  while (!state.done) {
    client.edit(new Delta().insert(random.chance(0.05) ? 'long '.repeat(2000) : 'x'));
    if (random.chance(0.02)) {
      client.disconnect();
      client.connect();
    }
    await sleep(5);
  }
}

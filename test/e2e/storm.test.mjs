// storm.test.mjs - everything at once and again and again: workers and PostgreSQL killed with SIGKILL under load, while the networks on
// both sides of the proxy delay, stall, cut, swallow and (where it is encrypted) corrupt what passes. Afterwards all is as it should be.
//
//	STRIKES=n how many faults (9)

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chownSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { CollabClient } from '../../client/src/index.js';
import { Cluster, startCluster } from '../lib/cluster.mjs';
import { Proxy, eventually, freePort } from '../lib/proxy.mjs';
import { TcpProxy } from '../lib/tcp-proxy.mjs';
import { Ledger, chaosSocket } from './chaos-socket.mjs';
import { checkDocument } from './invariants.mjs';
import { randomEdit } from './random-edit.mjs';
import { seeded } from './random.mjs';

const STRIKES = Number(process.env.STRIKES ?? 9);
const SEED = Number(process.env.SEED ?? 1);
const DOCUMENTS = 3;
const CLIENTS = 3; // per document
const CONFIG = { workers: 3, lanes: 1, retry_lanes: 1, readers: 1, answer_timeout_ms: 1000, connect_timeout_ms: 1000, heartbeat_ms: 1000, timeout_ms: 3000 };

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const ends = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function link(to, seed) {
  const made = await TcpProxy.start({ to, seed });
  ends.push(() => made.stop());
  return made;
}

function certificate(dir) {
  const files = { key: join(dir, 'storm.key'), cert: join(dir, 'storm.crt') };
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=localhost',
    '-keyout', files.key, '-out', files.cert], { stdio: 'ignore' });
  return files;
}

// A cluster that takes encrypted connections: those over its Unix socket never are.
async function encryptedCluster() {
  const cluster = new Cluster({ settings: { max_connections: 120 } });
  ends.push(() => cluster.destroy());
  cluster.port = await freePort();
  const { key, cert } = certificate(cluster.dir);
  const own = `${key}.server`;
  copyFileSync(key, own);
  if (cluster.user) [own, cert].forEach((file) => chownSync(file, cluster.user.uid, cluster.user.gid));
  Object.assign(cluster.options.settings, { listen_addresses: '127.0.0.1', ssl: 'on', ssl_key_file: own, ssl_cert_file: cert });
  cluster.init();
  await cluster.start();
  return { cluster, tls: { tls_certificate: cert, tls_key: key }, to: { port: cluster.port } };
}

class Crowd {
  constructor(database, url, random) {
    this.database = database;
    this.state = { done: false };
    ends.push(() => { this.state.done = true; });
    this.documents = Array.from({ length: DOCUMENTS }, (_, d) => {
      const doc = `storm-${d}`;
      database.sql(`SELECT collab.create_document('${doc}', '{"ops":[{"insert":"Hello 😀 World\\n"}]}'::collab.delta)`);
      const ledger = new Ledger();
      const problems = [];
      const clients = Array.from({ length: CLIENTS }, (_unused, i) => {
        const client = new CollabClient({ url, doc, user: `${doc}-${i}`, site: 100 + i, WebSocket: chaosSocket(seeded(i), ledger, { faults: 0 }),
          granularity: i % 2 === 0 ? 'edit' : 'composed', backoff: { min: 10, max: 200 } });
        client.on('error', ({ code, message, refused }) => { if (refused.length > 0) problems.push(`${code} ${message}`); });
        return client;
      });
      ends.push(() => Promise.all(clients.map((client) => client.destroy())));
      return { doc, ledger, clients, problems, typing: clients.map((client) => this.type(client, random)) };
    });
  }

  async type(client, random) {
    await client.whenReady();
    while (!this.state.done) {
      // nobody types for ever into the void
      if (client.pendingCount < 30) client.edit(randomEdit(random, client.content));
      await sleep(20 + random.below(40));
    }
  }

  async progress(count) {
    const before = this.documents.map(({ ledger }) => ledger.acked.size);
    await eventually(() => this.documents.every(({ ledger }, i) => ledger.acked.size >= before[i] + count), { timeout: 180000, what: `${count} acknowledgements` });
  }

  async check() {
    this.state.done = true;
    let pieces = 0;
    for (const { doc, ledger, clients, problems, typing } of this.documents) {
      await Promise.all(typing);
      await Promise.all(clients.map((client) => client.whenSaved()));
      assert.deepEqual(problems, [], 'refused pieces');
      pieces += await checkDocument(this.database, doc, { clients, ledger, foreign: 1 });
    }
    return pieces;
  }
}

async function killWorker(proxy, random) {
  const answer = await fetch(`${proxy.admin}/readyz`).catch(() => null);
  const workers = answer === null ? [] : (await answer.json()).workers;
  if (workers.length === 0) return;
  try {
    process.kill(workers[random.below(workers.length)].pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

async function storm(encrypted) {
  const random = seeded(SEED + (encrypted ? 1000 : 0));
  let cluster;
  let to;
  let tls = {};
  if (encrypted) ({ cluster, tls, to } = await encryptedCluster());
  else {
    cluster = await startCluster({ settings: { max_connections: 120 } });
    ends.push(() => cluster.destroy());
    to = { path: join(cluster.dir, `.s.PGSQL.${cluster.port}`) };
  }
  const database = cluster.createDatabase('collab');
  const inner = await link(to, SEED);
  const proxy = new Proxy({ database: null, config: { ...CONFIG, ...tls, admin_port: await freePort(),
    database: `host=127.0.0.1 port=${inner.port} dbname=collab user=collab_proxy sslmode=${encrypted ? 'require' : 'disable'}` } });
  ends.push(async () => { if (!proxy.exited) { proxy.child.kill('SIGTERM'); await proxy.stop(); } });
  await proxy.start({ wait: false });
  const outer = await link({ port: proxy.config.listen_port }, SEED + 1);
  const links = [inner, outer];
  const crowd = new Crowd(database, `${encrypted ? 'wss' : 'ws'}://127.0.0.1:${outer.port}`, random);
  const tally = {};
  const faults = {
    'worker killed': () => killWorker(proxy, random),
    'PostgreSQL killed': async () => {
      await cluster.crash();
      await cluster.start();
    },
    'cut with RST': () => random.pick(links).cut('rst'),
    'cut with FIN': () => random.pick(links).cut('fin'),
    'slow and shaky': async () => {
      random.pick(links).set({ delay: 20, jitter: 60 });
      await sleep(300);
    },
    stalled: async () => {
      random.pick(links).set({ stall: true });
      await sleep(300);
    },
    narrow: async () => {
      random.pick(links).set({ bandwidth: 5000 }, random.pick(['up', 'down']));
      await sleep(300);
    },
    swallowed: async () => {
      random.pick(links).halfOpen();
      await sleep(300);
    },
  };
  if (encrypted) faults.corrupted = async () => {
    const hit = random.pick(links);
    hit.set({ corrupt: 3e-4 }, random.pick(['up', 'down', 'both']));
    await sleep(300);
  };
  const kinds = Object.keys(faults);
  for (let strike = 0; strike < STRIKES; strike++) {
    await crowd.progress(3);
    // kills twice as often as the rest
    const kind = strike < kinds.length ? kinds[strike] : random.pick([...kinds, 'worker killed', 'worker killed', 'PostgreSQL killed']);
    tally[kind] = (tally[kind] ?? 0) + 1;
    await faults[kind]();
    links.forEach((each) => each.heal());
  }
  await crowd.progress(3);
  const pieces = await crowd.check();
  proxy.child.kill('SIGTERM');
  const { code, signal } = await proxy.stop();
  assert.equal(code, 0, `collab-proxy ended with ${code ?? signal}`);
  assert.doesNotMatch(proxy.log, /Sanitizer|runtime error/);
  // workers end by our hand only
  const ended = [...proxy.log.matchAll(/a worker has ended" worker=\d+ pid=\d+ status=(\d+) signal=(\d+)/g)];
  assert.ok(ended.every(([, status, number]) => (status === '0' && number === '0') || number === '9'), 'workers end by our hand only');
  if (encrypted) assert.ok(inner.corrupted + outer.corrupted > 0, 'something was corrupted');
  console.log(`# ${encrypted ? 'encrypted' : 'plain'}: ${JSON.stringify(tally)}, ${pieces} pieces, 0 lost, 0 doubled, ${inner.corrupted + outer.corrupted} bytes corrupted`);
}

// the certificates of this test are its own
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
test(`${STRIKES} faults under load`, { timeout: 3600000 }, () => storm(false));
test(`${STRIKES} faults under load, corruption among them, all encrypted`, { timeout: 3600000 }, () => storm(true));

// What nobody checks cannot be promised: what arrives whole is taken as it arrives, also a clock that is another one now, or an `open`
// that has lost the word that something is pending. The log stays sound, those whose own lines are good have each of their pieces in
// it once and stay equal to it, and the others are equal as soon as they load the document again.
test('bytes are corrupted on lines that are not encrypted', { timeout: 120000 }, async () => {
  const random = seeded(SEED);
  const cluster = await startCluster({});
  ends.push(() => cluster.destroy());
  const database = cluster.createDatabase('collab');
  const proxy = new Proxy({ database, config: { lanes: 1 } });
  ends.push(async () => { if (!proxy.exited) await proxy.stop(); });
  await proxy.start();
  const bad = await link({ port: proxy.config.listen_port }, SEED);
  database.sql(`SELECT collab.create_document('wire', '{"ops":[{"insert":"\\n"}]}'::collab.delta)`);
  const ledger = new Ledger();
  const make = (user, site, port, WebSocket) => {
    const client = new CollabClient({ url: `ws://127.0.0.1:${port}`, doc: 'wire', user, site, WebSocket, backoff: { min: 5, max: 50 } });
    client.on('error', () => {});
    ends.push(() => client.destroy());
    return client;
  };
  const unseen = new Ledger();
  const good = [1, 2, 3].map((site) => make(`good-${site}`, site, proxy.config.listen_port, chaosSocket(seeded(site), ledger, { faults: 0 })));
  const hurt = [11, 12, 13].map((site) => make(`hurt-${site}`, site, bad.port, carefree(chaosSocket(seeded(site), unseen, { faults: 0 }))));
  const state = { done: false };
  ends.push(() => { state.done = true; });
  const typing = [...good, ...hurt].map(async (client) => {
    await client.whenReady();
    while (!state.done) {
      client.edit(randomEdit(random, client.content));
      await sleep(5);
    }
  });
  await eventually(() => hurt.every((client) => client.version > 5), { timeout: 60000 });
  bad.set({ corrupt: 1e-3 }, 'up');
  await eventually(() => bad.corrupted > 60, { timeout: 60000 });
  bad.set({ corrupt: 0 });
  bad.set({ corrupt: 1e-3 }, 'down');
  await eventually(() => bad.corrupted > 120, { timeout: 60000 });
  bad.heal();
  state.done = true;
  await Promise.all(typing);
  await Promise.all(hurt.map((client) => client.destroy()));
  bad.cut();
  await Promise.all(good.map((client) => client.whenSaved()));
  const again = hurt.map((client, i) => make(`again-${i}`, 21 + i, proxy.config.listen_port, chaosSocket(seeded(i), ledger, { faults: 0 })));
  await Promise.all(again.map((client) => client.whenReady()));
  await checkDocument(database, 'wire', { clients: [...good, ...again], ledger, foreign: 1, doubted: (key) => !key.startsWith('good-') });
});

// A socket whose client believes what it reads: the ledger's notes of corrupted frames are of no use.
function carefree(Socket) {
  return class extends Socket {
    emit(name, ...rest) {
      try {
        return super.emit(name, ...rest);
      } catch {
        this.terminate();
        return true;
      }
    }
  };
}

// failover.test.mjs - the database is replaced by one that knows less: a standby that had not got everything is promoted, an older
// backup is restored, a document is made anew. Clients notice by the event ids, are told what was saved and is not there, carry over
// what was pending, and end up equal; a former primary that still answers is not used.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { CollabClient, Delta } from '../../client/src/index.js';
import { Database, startCluster, startStandby } from '../lib/cluster.mjs';
import { readMetrics, valueOf } from '../lib/metrics.mjs';
import { Proxy, eventually, freePort } from '../lib/proxy.mjs';
import { TcpProxy } from '../lib/tcp-proxy.mjs';
import { Ledger, chaosSocket } from './chaos-socket.mjs';
import { checkDocument } from './invariants.mjs';
import { seeded } from './random.mjs';

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const CLIENTS = 3; // per document
const TIMEOUTS = { answer_timeout_ms: 1000, connect_timeout_ms: 1000, heads_check_ms: 500 };

const ends = []; // what has to be ended, newest first
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const socketOf = (cluster) => join(cluster.dir, `.s.PGSQL.${cluster.port}`);

async function network(cluster) {
  const link = await TcpProxy.start({ to: { path: socketOf(cluster) } });
  ends.push(() => link.stop());
  return link;
}

async function serve(database, options = {}) {
  const proxy = new Proxy({ database: null, config: { lanes: 2, retry_lanes: 1, readers: 1, admin_port: await freePort(), database, ...TIMEOUTS, ...options } });
  ends.push(async () => { if (!proxy.exited) { proxy.child.kill('SIGTERM'); await proxy.stop(); } });
  return proxy.start();
}

// Documents on which people type until `stop()`.
class Typing {
  constructor(proxy, database, names) {
    this.state = { done: false };
    ends.push(() => { this.state.done = true; });
    this.documents = names.map((doc) => {
      database.sql(`SELECT collab.create_document('${doc}', '{"ops":[{"insert":"\\n"}]}'::collab.delta)`);
      const ledger = new Ledger();
      const lost = new Map(); // user -> what the client was told
      const clients = Array.from({ length: CLIENTS }, (_, i) => {
        const client = new CollabClient({
          url: proxy.http.replace('http', 'ws'), doc, user: `${doc}-${i}`, site: 100 + i, WebSocket: chaosSocket(seeded(i), ledger, { faults: 0 }),
          backoff: { min: 20, max: 200 },
        });
        client.on('error', (error) => { if (error.lost) lost.set(client.user, [...(lost.get(client.user) ?? []), error.lost]); });
        return client;
      });
      ends.push(() => Promise.all(clients.map((client) => client.destroy())));
      return { doc, ledger, clients, lost, typing: clients.map((client) => this.type(client)) };
    });
  }

  async type(client) {
    await client.whenReady();
    while (!this.state.done) {
      client.edit(new Delta().insert(`${client.user.at(-1)}`));
      await sleep(10);
    }
  }

  // Everybody's edits are acknowledged again, `count` more on each document.
  async progress(count, timeout = 30000) {
    const before = this.documents.map(({ ledger }) => ledger.acked.size);
    await eventually(() => this.documents.every(({ ledger }, i) => ledger.acked.size >= before[i] + count), { timeout, what: `${count} acknowledgements` });
  }

  // Ends the typing and compares with the database; returns how many acknowledged pieces are not in it, each of which its author was told of.
  async check(database) {
    this.state.done = true;
    let sum = 0;
    for (const { doc, ledger, clients, lost, typing } of this.documents) {
      await Promise.all(typing);
      await Promise.all(clients.map((client) => client.whenSaved()));
      const stored = new Set(database.sql(`SELECT author || '/' || site || '/' || clock FROM collab.events_since('${doc}', 0)`).split('\n'));
      const gone = [...ledger.acked.keys()].filter((key) => !stored.has(key));
      const told = clients.flatMap(({ user, site }) => (lost.get(user) ?? []).flatMap(({ clocks: [first, last] }) => (
        Array.from({ length: last - first + 1 }, (_, i) => `${user}/${site}/${first + i}`))));
      assert.deepEqual(gone.sort(), told.filter((key) => ledger.acked.has(key)).sort(), 'what was saved and is gone is what was told');
      gone.forEach((key) => ledger.acked.delete(key));
      sum += gone.length;
      await checkDocument(database, doc, { clients, ledger, foreign: 1 });
    }
    return sum;
  }
}

test('a standby that lacks a tail is promoted, and the former primary comes back', { timeout: 120000 }, async () => {
  const primary = await startCluster({ preload: true, settings: { max_wal_senders: 3, wal_level: 'replica', max_connections: 80 } });
  ends.push(() => primary.destroy());
  const before = primary.createDatabase('collab');
  const replication = await network(primary);
  const standby = await startStandby(primary, { upstream: `host=127.0.0.1 port=${replication.port} user=postgres` });
  ends.push(() => standby.destroy());
  const database = new Database(standby, 'collab');
  const [toPrimary, toStandby] = [await network(primary), await network(standby)];
  const proxy = await serve(`host=127.0.0.1,127.0.0.1 port=${toPrimary.port},${toStandby.port} dbname=collab user=collab_proxy target_session_attrs=read-write`,
    { workers: 2 });
  const typing = new Typing(proxy, before, ['one', 'two']);
  await typing.progress(40);
  const count = (of) => Number(of.sql('SELECT count(*) FROM collab.events'));
  await eventually(() => count(database) > 20, { what: 'the standby follows' });

  // a tail that the standby never gets, acknowledged all the same
  replication.set({ stall: true });
  await typing.progress(30);
  toPrimary.halfOpen();
  standby.sql('SELECT pg_promote()');
  await typing.progress(30);
  const old = count(before);

  // the former primary is reachable again, and stands first in the list
  toPrimary.heal();
  toPrimary.cut();
  toStandby.cut();
  await typing.progress(30);
  // workers that never saw the new one are told by the supervisor, and find the former first
  for (const { pid } of (await (await fetch(`${proxy.admin}/readyz`)).json()).workers) process.kill(pid, 'SIGKILL');
  await typing.progress(30);
  await eventually(() => /a former primary: it is on timeline 1, and timeline 2/.test(proxy.log), { what: 'it says so' });
  assert.ok(valueOf(await readMetrics(proxy.admin), 'collab_db_former_primaries_total') > 0);
  assert.equal(count(before), old, 'nothing more was committed there');
  const lost = await typing.check(database);
  assert.ok(lost > 0, 'the standby lacked something');
  console.log(`# ${lost} acknowledged pieces were lost with the tail, every author was told of each`);
});

test('an older backup is restored', { timeout: 120000 }, async () => {
  const cluster = await startCluster({ settings: { max_connections: 80 } });
  ends.push(() => cluster.destroy());
  const database = cluster.createDatabase('collab');
  const proxy = await serve(database.conninfo('collab_proxy'));
  const typing = new Typing(proxy, database, ['one', 'two']);
  await typing.progress(40);
  await cluster.stop('fast');
  const backup = join(cluster.dir, 'backup');
  execFileSync('cp', ['-a', cluster.data, backup]);
  await cluster.start();
  await typing.progress(40);
  await cluster.crash();
  execFileSync('rm', ['-r', cluster.data]);
  execFileSync('mv', [backup, cluster.data]);
  await cluster.start();
  await typing.progress(40);
  const lost = await typing.check(database);
  assert.ok(lost >= 80, `${lost} pieces were saved after the backup`);
});

test('documents are dropped and made anew under people who type', { timeout: 120000 }, async () => {
  const cluster = await startCluster({ settings: { max_connections: 80 } });
  ends.push(() => cluster.destroy());
  const database = cluster.createDatabase('collab');
  const proxy = await serve(database.conninfo('collab_proxy'));
  const typing = new Typing(proxy, database, ['one', 'two']);
  await typing.progress(40);
  for (const doc of ['one', 'two'])
    database.sql(`BEGIN; SELECT collab.drop_document('${doc}'); SELECT collab.create_document('${doc}', '{"ops":[{"insert":"\\n"}]}'::collab.delta); COMMIT`);
  await typing.progress(40);
  const lost = await typing.check(database);
  assert.ok(lost >= 80, `${lost} pieces were in the documents before`);
});

test('a primary of another cluster is taken, loudly', { timeout: 120000 }, async () => {
  const [first, second] = [await startCluster({}), await startCluster({})];
  ends.push(() => first.destroy(), () => second.destroy());
  const [before, database] = [first.createDatabase('collab'), second.createDatabase('collab')];
  const [toFirst, toSecond] = [await network(first), await network(second)];
  toSecond.refuse = true;
  const proxy = await serve(`host=127.0.0.1,127.0.0.1 port=${toFirst.port},${toSecond.port} dbname=collab user=collab_proxy`);
  const typing = new Typing(proxy, before, ['one']);
  await typing.progress(20);
  database.sql(`SELECT collab.create_document('one', '{"ops":[{"insert":"\\n"}]}'::collab.delta)`);
  toSecond.refuse = false;
  toFirst.refuse = true;
  toFirst.cut();
  await typing.progress(20);
  assert.match(proxy.log, /level=error msg="THE DATABASE IS ANOTHER CLUSTER THAN BEFORE/);
  assert.ok(await typing.check(database) >= 20);
});

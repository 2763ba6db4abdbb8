// run.mjs - what presence across proxies costs: three proxies on one database, so many cursors a second on each; queries,
// processor time, WAL, and how long a cursor takes from one proxy to the screens of another.
//
//	CURSORS=100 per second and proxy, SECONDS=10

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '../../test/lib/socket.mjs';
import { Stack } from '../../test/lib/stack.mjs';
import { readMetrics, valueOf } from '../../test/lib/metrics.mjs';
import { freePort, startProxy } from '../../test/lib/proxy.mjs';

const SECONDS = Number(process.env.SECONDS ?? 10);
const CURSORS = Number(process.env.CURSORS ?? 100);
const PROXIES = 3;
const QUIET = { autovacuum: 'off', 'collab.worker': 'off', max_connections: 60, checkpoint_timeout: '1h' };

// User and system time in seconds; the clock ticks 100 times a second.
const cpu = (pid) => readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ').slice(11, 13).reduce((sum, ticks) => sum + ticks / 100, 0);
const percentile = (sorted, p) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? NaN;

async function measure(stack, name, docs, perProxy, documentOf = (i) => Math.floor(i / PROXIES) % docs) {
  for (let d = 0; d < docs; d++) stack.createDocument(`${name}-${d}`);
  const sockets = [];
  for (let i = 0; i < perProxy * PROXIES; i++) {
    const proxy = stack.proxies[i % PROXIES];
    const socket = await connect(proxy.url(`${name}-${documentOf(i)}`, `user${i}`), { site: i + 1 });
    socket.proxy = i % PROXIES;
    sockets.push(socket);
  }
  const beat = setInterval(() => sockets.forEach((socket) => socket.send({ type: 'heartbeat' })), 2000);
  const own = new Map(sockets.map((socket) => [socket.welcome.session, socket]));
  const sent = new Map(); // `session/position` -> when
  const delays = [];
  for (const socket of sockets) {
    socket.ws.on('message', (data) => {
      const now = performance.now();
      for (const { session, position } of JSON.parse(data).cursors ?? []) {
        const at = sent.get(`${session}/${position}`);
        if (at !== undefined && own.get(session).proxy !== socket.proxy) delays.push(now - at);
      }
      socket.messages.length = socket.unread.length = 0;
    });
  }
  await sleep(5000); // rooms have found each other
  const state = async () => ({
    // the statistics of the server leave out transactions that touched no table
    statements: readFileSync(stack.cluster.log, 'latin1').match(/LOG: +execute /g).length,
    wal: Number(stack.sql("SELECT pg_current_wal_insert_lsn() - '0/0'")),
    proxies: stack.proxies.map(({ child }) => cpu(child.pid)).reduce((a, b) => a + b),
    postgres: stack.backends.map(cpu).reduce((a, b) => a + b),
    metrics: await Promise.all(stack.proxies.map((proxy) => readMetrics(proxy.admin))),
  });
  const before = await state();
  delays.length = 0;
  const begun = performance.now();
  let moves = 0;
  const pace = 1000 / (CURSORS * PROXIES);
  while (performance.now() - begun < SECONDS * 1000) {
    for (; moves * pace < performance.now() - begun; moves++) {
      const socket = sockets[moves % sockets.length];
      sent.set(`${socket.welcome.session}/${moves}`, performance.now());
      socket.send({ type: 'cursor', version: 0, position: moves });
    }
    await sleep(1);
  }
  const seconds = (performance.now() - begun) / 1000;
  const after = await state();
  const total = (label, labels) => after.metrics.reduce((sum, one, i) => sum + valueOf(one, label, labels) - valueOf(before.metrics[i], label, labels), 0);
  clearInterval(beat);
  for (const socket of sockets) socket.ws.terminate();
  delays.sort((a, b) => a - b);
  return [name, `${docs}`, `${sockets.length}`, (moves / seconds / PROXIES).toFixed(0), ((after.statements - before.statements) / seconds / PROXIES).toFixed(1),
    (total('collab_exchange_batches_total', { direction: 'out' }) / seconds / PROXIES).toFixed(1), (total('collab_exchange_bytes_total', { direction: 'out' }) / seconds / PROXIES / 1000).toFixed(2),
    ((after.proxies - before.proxies) / seconds / PROXIES * 100).toFixed(2), ((after.postgres - before.postgres) / seconds / PROXIES * 100).toFixed(2),
    `${after.wal - before.wal}`, percentile(delays, 0.5).toFixed(0), percentile(delays, 0.99).toFixed(0)];
}

const stack = await Stack.start({ settings: QUIET, config: { admin_port: await freePort() } });
stack.sql("ALTER ROLE collab_proxy SET log_statement = 'all'");
await stack.proxy.restart();
while (stack.proxies.length < PROXIES) stack.proxies.push(await startProxy({ database: stack.database, config: { admin_port: await freePort() } }));
stack.backends = stack.sql("SELECT pid FROM pg_stat_activity WHERE usename = 'collab_proxy'").split('\n').map(Number);
const rows = [['case', 'documents', 'people', 'cursors/s', 'statements/s', 'batches/s', 'kB/s', 'proxy %', 'postgres %', 'WAL bytes', 'p50 ms', 'p99 ms'],
  ['', '', '', 'per proxy', 'per proxy', 'per proxy', 'per proxy', 'of a core', 'of a core', 'in all', 'to others', '']];
try {
  rows.push(await measure(stack, 'one', 1, 10));
  rows.push(await measure(stack, 'many', 100, 100));
  rows.push(await measure(stack, 'apart', 300, 100, (i) => i)); // nobody to tell
} finally {
  await stack.stop();
}
console.log(`Presence across ${PROXIES} proxies, ${CURSORS} cursors a second on each, ${SECONDS} s\n`);
for (const row of rows) console.log(row.map((cell, i) => (i === 0 ? cell.padEnd(8) : cell.padStart(13))).join(''));

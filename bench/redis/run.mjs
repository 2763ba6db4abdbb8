// run.mjs - what Redis brings: propagation between two proxies by hints and over Redis, and opening documents on a proxy that knows nothing.
//
//	SECONDS=n: length of each case; RATES="50 500": operations per second of all typists; ROUNDS=n: medians of so many, alternating

import { appendFileSync, readFileSync } from 'node:fs';
import { readMetrics, valueOf } from '../../test/lib/metrics.mjs';
import { eventually, freePort, startProxy } from '../../test/lib/proxy.mjs';
import { RedisServer } from '../../test/lib/redis.mjs';
import { connect } from '../../test/lib/socket.mjs';
import { Stack } from '../../test/lib/stack.mjs';

const SECONDS = Number(process.env.SECONDS ?? 3);
const RATES = (process.env.RATES ?? '50 500').split(/\s+/).map(Number);
const ROUNDS = Number(process.env.ROUNDS ?? 3);
const DOCUMENTS = 20;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function report(name, value, unit) {
  if (process.env.BENCH_LINES)
    appendFileSync(process.env.BENCH_LINES, `${JSON.stringify({ name, value, unit, goal: null, met: null })}\n`);
}

const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? NaN;

// The medians of what several rounds gave.
function medians(rounds) {
  return Object.fromEntries(Object.keys(rounds[0]).map((key) => [key, quantile(rounds.map((round) => round[key]).sort((a, b) => a - b), 0.5)]));
}

// Processor time of a process, in milliseconds.
function cpu(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function proxies(stack, count, config) {
  const list = [];
  for (let i = 0; i < count; i++)
    list.push(await startProxy({ database: stack.database, config: { admin_port: await freePort(), lanes: 1, ...config } }));
  if (config.redis_url)
    for (const proxy of list)
      await eventually(async () => valueOf(await readMetrics(proxy.admin), 'collab_redis_up') === 1);
  return list;
}

const sum = async (list, name, labels = {}) =>
  (await Promise.all(list.map(async (proxy) => valueOf(await readMetrics(proxy.admin), name, labels)))).reduce((a, b) => a + b, 0);

// One typist of each document on each proxy; times from sending on one to arrival on the other.
async function propagation(stack, label, rate, config, server, round) {
  const list = await proxies(stack, 2, config);
  const times = [];
  const typists = [];
  for (let d = 0; d < DOCUMENTS; d++) {
    const id = `bus-${label}-${rate}-${round}-${d}`;
    stack.createDocument(id);
    const sent = new Map();
    for (const [i, proxy] of list.entries()) {
      const socket = await connect(proxy.url(id, `user${i}`), { site: i + 1 });
      const typist = { socket, site: i + 1, clock: 0, ready: true, sent };
      socket.ws.on('message', (data) => {
        const now = performance.now();
        const message = JSON.parse(data);
        if (message.type === 'ack') {
          Object.assign(typist, { version: message.version + message.count - 1, event: message.event, ready: true });
        } else if (message.type === 'events') {
          for (const event of message.events) {
            times.push(now - sent.get(`${event.site}:${event.clock}`));
            Object.assign(typist, { version: event.version, event: event.event });
          }
        } else if (message.type === 'error') {
          throw new Error(JSON.stringify(message));
        }
        socket.messages.length = socket.unread.length = 0;
      });
      Object.assign(typist, { version: socket.version, event: socket.event });
      typists.push(typist);
    }
  }
  const beat = setInterval(() => typists.forEach(({ socket }) => socket.send({ type: 'heartbeat' })), 3000);
  let next = 0;
  let begun = 0;
  const until = async (end) => {
    const start = performance.now();
    for (let due = 0; performance.now() < end; due++) {
      const wait = start + due * 1000 / rate - performance.now();
      if (wait > 0.5)
        await sleep(wait);
      const typist = typists[next++ % typists.length];
      if (!typist.ready)
        continue;
      typist.ready = false;
      begun++;
      typist.sent.set(`${typist.site}:${++typist.clock}`, performance.now());
      typist.socket.send({ type: 'op', clock: typist.clock, base_version: typist.version, base_event: typist.event, op: { ops: [{ insert: 'x' }] } });
    }
  };
  await until(performance.now() + 1500); // warm
  await sleep(500);
  times.length = 0;
  begun = 0;
  const fetched = await sum(list, 'collab_events_fetched_total');
  const before = list.map(({ child }) => cpu(child.pid));
  const redisBefore = server ? cpu(server.child.pid) : 0;
  await until(performance.now() + SECONDS * 1000);
  await eventually(() => times.length >= begun, { what: 'everything has arrived' });
  const spent = list.reduce((total, { child }, i) => total + cpu(child.pid) - before[i], 0);
  times.sort((a, b) => a - b);
  const figures = { p50: quantile(times, 0.5), p99: quantile(times, 0.99), cpu: spent * 1000 / begun,
    fetched: 100 * (await sum(list, 'collab_events_fetched_total') - fetched) / times.length,
    redis: server ? (cpu(server.child.pid) - redisBefore) * 1000 / begun : 0 };
  clearInterval(beat);
  for (const { socket } of typists)
    socket.ws.terminate();
  for (const proxy of list)
    await proxy.stop();
  return figures;
}

// Everybody opens on a proxy that was just started: `each` clients of each of `count` documents, with or without a position.
async function storm(stack, label, kind, config, round) {
  const count = 40;
  const each = 25;
  const [old] = await proxies(stack, 1, config);
  const filler = 'Lorem ipsum dolor sit amet, consectetur adipiscing elit.\n'.repeat(1800);
  const documents = [];
  for (let d = 0; d < count; d++) {
    const id = `storm-${label}-${kind}-${round}-${d}`;
    stack.createDocument(id, { ops: [{ insert: filler }] });
    const socket = await connect(old.url(id), { site: 1 });
    const positions = [{ last_version: socket.version, last_event: socket.event }];
    for (let clock = 1; clock <= 100; clock++) {
      socket.send({ type: 'op', clock, base_version: socket.version, base_event: socket.event, op: { ops: [{ insert: 'x' }] } });
      const ack = await socket.next('ack');
      Object.assign(socket, { version: ack.version, event: ack.event });
      positions.push({ last_version: ack.version, last_event: ack.event });
    }
    if (d === 0)
      await sleep(1100); // snapshots that are kept for a moment are gone
    socket.ws.terminate();
    documents.push({ id, positions });
  }
  await old.stop();
  await sleep(500);
  const [fresh] = await proxies(stack, 1, config);
  const clients = [];
  for (let i = 0; i < each; i++) {
    for (const { id, positions } of documents)
      clients.push({ id, open: { site: 100 + i, ...(kind === 'positions' ? positions[(50 + i * 37) % positions.length] : {}) } });
  }
  const sockets = await Promise.all(clients.map(({ id }) => connect(fresh.url(id), null)));
  const backends = stack.sql("SELECT pid FROM pg_stat_activity WHERE usename = 'collab_proxy'").split('\n').map(Number);
  const before = backends.reduce((total, pid) => total + cpu(pid), 0);
  const proxyBefore = cpu(fresh.child.pid);
  const start = performance.now();
  await Promise.all(sockets.map((socket, i) => socket.open(clients[i].open)));
  const took = performance.now() - start;
  const spent = backends.reduce((total, pid) => total + cpu(pid), 0) - before;
  const figures = { opens: clients.length / took * 1000, queries: await sum([fresh], 'collab_open_queries_total'), postgres: spent,
    proxy: cpu(fresh.child.pid) - proxyBefore };
  for (const socket of sockets)
    socket.ws.terminate();
  await fresh.stop();
  return figures;
}

const stack = await Stack.start({ settings: { shared_buffers: '256MB', max_wal_size: '4GB', max_connections: 120 } });
const redis = await RedisServer.start();
try {
  const modes = [['hints', {}, null], ['redis', { redis_url: redis.url }, redis]];
  console.log(`Two proxies, ${DOCUMENTS} documents, a typist of each on each proxy; from sending on one to arrival on the other\n`);
  console.log('          rate/s      p50 ms    p99 ms   fetched %   proxies µs/op  Redis µs/op');
  for (const rate of RATES) {
    const rounds = modes.map(() => []);
    for (let round = 0; round < ROUNDS; round++)
      for (const [i, [label, config, server]] of modes.entries())
        rounds[i].push(await propagation(stack, label, rate, config, server, round));
    for (const [i, [label]] of modes.entries()) {
      const { p50, p99, fetched, cpu: proxy, redis: server } = medians(rounds[i]);
      console.log(`${label.padEnd(8)}${String(rate).padStart(8)}${p50.toFixed(2).padStart(12)}${p99.toFixed(2).padStart(10)}${fetched.toFixed(1).padStart(12)}`
        + `${proxy.toFixed(0).padStart(16)}${server.toFixed(0).padStart(13)}`);
      report(`redis ${label} ${rate}/s propagation p50`, p50, 'ms');
      report(`redis ${label} ${rate}/s propagation p99`, p99, 'ms');
    }
  }
  console.log('\n25 clients of each of 40 documents of 100 kB open on a fresh proxy\n');
  console.log('        from         opens/s   queries  PostgreSQL ms   proxy ms');
  for (const kind of ['nothing', 'positions']) {
    const rounds = modes.map(() => []);
    for (let round = 0; round < ROUNDS; round++)
      for (const [i, [label, config]] of modes.entries())
        rounds[i].push(await storm(stack, label, kind, config, round));
    for (const [i, [label]] of modes.entries()) {
      const { opens, queries, postgres, proxy } = medians(rounds[i]);
      console.log(`${label.padEnd(8)}${kind.padEnd(12)}${opens.toFixed(0).padStart(8)}${String(queries).padStart(10)}${postgres.toFixed(0).padStart(15)}${proxy.toFixed(0).padStart(11)}`);
      report(`redis ${label} opens/s, ${kind}`, opens, 'opens/s');
    }
  }
} finally {
  await redis.stop();
  await stack.stop();
}
process.exit();

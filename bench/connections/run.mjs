/*
 * run.mjs - many connections that mostly do nothing: what they cost, and what happens when a worker with a third of them is killed.
 *
 *	SIZE=n connections (3,000; the full form is SIZE=50000), PER_DOCUMENT=n people in each document (5), WORKERS=n (3), IDLE=n seconds of
 *	heartbeats that are measured (15), USE=n seconds of use (10; the full form 600), CHURN=n connections opened and closed (SIZE, at most 20,000),
 *	CONFIG="key=value ..." further settings of the proxy.
 *
 * Load generators, proxy and PostgreSQL share the machine. Memory is the growth of RSS of the workers over their connections; what the kernel keeps
 * for sockets is that of both ends, halved.
 */
import { report } from '../figures.mjs';
import { Crowd } from '../../test/lib/crowd.mjs';
import { readMetrics, valueOf } from '../../test/lib/metrics.mjs';
import { cpuSeconds, familySeconds, kernel, openFiles, resident } from '../../test/lib/observe.mjs';
import { eventually, freePort } from '../../test/lib/proxy.mjs';
import { Stack } from '../../test/lib/stack.mjs';

const number = (name, preset) => Number(process.env[name] ?? preset);
const SIZE = number('SIZE', 3000);
const PER_DOCUMENT = number('PER_DOCUMENT', 5);
const WORKERS = number('WORKERS', 3);
const IDLE = number('IDLE', 15);
const USE = number('USE', 10);
const CHURN = number('CHURN', Math.min(SIZE, 20000));
const TYPISTS = 10;
const KIB = 1024;
const EXTRA = Object.fromEntries((process.env.CONFIG ?? '').split(/\s+/).filter(Boolean).map((pair) => pair.split('=')));

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const name = (what) => `connections ${SIZE} ${what}`;
const say = (text) => console.log(`# ${text}`);

const stack = await Stack.start({
  settings: { shared_buffers: '256MB', max_connections: '60', shared_preload_libraries: 'collab,pg_stat_statements' },
  config: { workers: WORKERS, admin_port: await freePort(), max_connections: 19000, ...EXTRA },
});
stack.sql('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');

const refs = async () => (await (await fetch(`${stack.proxy.admin}/readyz`)).json()).workers;
// Full is as good as ready here.
const ready = () => eventually(async () => {
  const list = await refs();
  return list.filter(({ state }) => state === 'ready' || state === 'full').length === WORKERS && list;
}, { timeout: 60000, what: 'all workers are ready' });
const sum = (pids, of) => pids.reduce((total, pid) => total + of(pid), 0);

// Progress for people: every few seconds.
let shown = 0;
function progress(what, pids) {
  return (state) => {
    if (Date.now() - shown < 2000) return;
    shown = Date.now();
    say(`${what}: ${state.here} of ${SIZE} here, ${state.connecting} connecting, ${state.waiting} waiting, ${state.lost} lost, ${state.missed} heartbeats missed, `
      + `RSS ${(sum(pids, resident) / 1e6).toFixed(1)} MB`);
  };
}

const documents = Crowd.documents({ connections: SIZE, perDocument: PER_DOCUMENT });
// each takes a lock until the end of its transaction
for (let from = 0; from < documents; from += 1000)
  stack.sql(`SELECT count(collab.create_document('crowd-' || i, repeat('lorem ipsum ', 20))) FROM generate_series(${from}, ${Math.min(from + 1000, documents) - 1}) i`);
stack.sql('CHECKPOINT');
let pids = (await ready()).map(({ pid }) => pid);
const crowd = Crowd.start({ port: stack.proxy.config.listen_port, connections: SIZE, perDocument: PER_DOCUMENT, window: 600 });

async function everybody(what, options = {}) {
  return crowd.until((state) => state.here === SIZE, { timeout: 300000, each: progress(what, pids), what, ...options });
}

const nobody = (what) => eventually(async () => valueOf(await readMetrics(stack.proxy.admin), 'collab_sockets') === 0, { timeout: 30000, what });

// CPU of the workers and of the database while `seconds` pass.
async function watch(seconds, during) {
  const database = stack.cluster.postmaster.pid;
  await crowd.tell('reset');
  const before = [sum(pids, cpuSeconds), familySeconds(database), Date.now()];
  await during(seconds);
  const state = await crowd.tell('');
  const took = (Date.now() - before[2]) / 1000;
  return { state, took, proxy: sum(pids, cpuSeconds) - before[0], database: familySeconds(database) - before[1] };
}

const pass = (what) => async (seconds) => {
  const end = Date.now() + seconds * 1000;
  await crowd.until(() => Date.now() >= end, { timeout: seconds * 1000 + 30000, each: progress(what, pids) });
};

// The first few pages of everything are no connection's.
async function warmUp() {
  await crowd.come(Math.min(SIZE, 60));
  await crowd.until((state) => state.here === Math.min(SIZE, 60));
  await crowd.come(0);
  await nobody('the first few have left');
}

function memory(what, base) {
  const grown = pids.map((pid, i) => resident(pid) - base.resident[i]);
  say(`${what}: RSS per worker ${pids.map((pid) => (resident(pid) / 1e6).toFixed(1)).join(' + ')} MB`);
  report(name(`KiB per connection, ${what}`), grown.reduce((a, b) => a + b, 0) / KIB / SIZE, 'KiB', '< 4');
}

async function open(base) {
  await crowd.tell('reset');
  const { seconds } = await crowd.come();
  const state = await everybody('opening');
  report(name('opened per second'), SIZE / (state.full_at - seconds), '/s');
  report(name('opening, p99'), state.opening_p99_ms, 'ms');
  await sleep(2000);
  memory('idle', base);
  const now = kernel();
  report(name('kernel: socket buffers per connection, one end'), (now.buffers - base.kernel.buffers) / KIB / SIZE / 2, 'KiB');
  if (now.objects !== null)
    report(name('kernel: socket objects per connection, one end'), (now.objects - base.kernel.objects) / KIB / SIZE / 2, 'KiB');
}

async function idle() {
  const { state, took, proxy, database } = await watch(IDLE, pass('idle'));
  report(name('heartbeats per second'), state.beats / took, '/s');
  report(name('heartbeats missed while idle'), state.missed + state.lost, '', '< 1');
  report(name('heartbeat answered, p99'), state.beat_p99_ms, 'ms');
  report(name('CPU of the workers, of one core'), proxy / took * 100, '%');
  report(name('CPU of the workers per heartbeat'), proxy / state.beats * 1e6, 'us');
  report(name('CPU of PostgreSQL while idle, of one core'), database / took * 100, '%');
}

async function typing() {
  await crowd.share('type', TYPISTS, '200');
  const { state } = await watch(Math.min(IDLE, 10), pass('typing'));
  await crowd.share('type', 0);
  report(name(`${TYPISTS} typists among them: acknowledged, p50`), state.ack_p50_ms, 'ms');
  report(name(`${TYPISTS} typists among them: acknowledged, p99`), state.ack_p99_ms, 'ms');
  report(name(`${TYPISTS} typists among them: seen by others, p99`), state.propagation_p99_ms, 'ms');
}

async function use(base) {
  await crowd.share('use', Math.max(50, SIZE / 50));
  const { state } = await watch(USE, pass('in use'));
  await crowd.share('use', 0);
  await everybody('after use');
  say(`used for ${USE} s: ${state.acked} operations, ${state.cursors} cursors, ${state.left} left and came back`);
  report(name('heartbeats missed in use'), state.missed + state.lost, '', '< 1');
  await sleep(2000);
  memory(`after ${USE} s of use`, base);
}

const calls = () => Number(stack.sql("SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE query LIKE '%collab.%' AND userid = 'collab_proxy'::regrole"));

// kill -9 of one worker: its clients come back by the client's own rule, to the other workers and to the one that is started again.
async function storm() {
  const [victim] = (await ready()).map(({ pid }) => pid);
  const away = openFiles(victim) - 40;
  await crowd.tell('reset');
  const begun = Date.now();
  let peak = 0;
  let last = { calls: calls(), at: begun };
  process.kill(victim, 'SIGKILL');
  let state = await crowd.until((now) => now.lost > away / 2, { what: 'the loss is noticed' });
  while (state.here < SIZE) {
    state = await crowd.tell('');
    const now = { calls: calls(), at: Date.now() };
    peak = Math.max(peak, (now.calls - last.calls) / (now.at - last.at) * 1000);
    last = now;
    progress('storm', pids.filter((pid) => pid !== victim))(state);
    if (now.at - begun > 120000) throw new Error(`the storm does not end: ${JSON.stringify(state)}`);
  }
  report(name(`killed worker's clients`), state.lost, '');
  report(name('99 % of them back after'), state.away_p99_ms / 1000, 's');
  report(name('the last of them back after'), state.away_last_ms / 1000, 's');
  report(name('database statements per second at most, meanwhile'), peak, '/s');
  report(name('refused meanwhile'), state.refused, '');
  pids = (await ready()).map(({ pid }) => pid);
}

// Everybody leaves, then so many come and go: memory and descriptors are those of before.
async function churn() {
  await crowd.come(0);
  await nobody('everybody has left');
  const before = { resident: sum(pids, resident), files: sum(pids, openFiles) };
  const round = Math.min(SIZE, 1000);
  for (let done = 0; done < CHURN; done += round) {
    await crowd.come(round);
    await crowd.until((state) => state.here === round);
    await crowd.come(0);
    await nobody('a round has left');
  }
  report(name(`${CHURN} opened and closed: RSS grown by`), (sum(pids, resident) - before.resident) / KIB, 'KiB', '< 4096');
  report(name(`${CHURN} opened and closed: descriptors left over`), sum(pids, openFiles) - before.files, '', '< 1');
}

try {
  await warmUp();
  const base = { resident: pids.map(resident), kernel: kernel() };
  await open(base);
  await idle();
  await typing();
  await use(base);
  await storm();
  await churn();
} finally {
  await crowd.stop();
  await stack.stop();
}
process.exit();

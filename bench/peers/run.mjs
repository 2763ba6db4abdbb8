// run.mjs - ours and the peers side by side: one after the other on this machine, the same load from the same generator, fsync on.
//
//	SECONDS=n     measured time of a case (default 4), after 1.5 s of warming up
//	PEERS="..."   of collab, sharedb-memory, sharedb-postgres, y-websocket, hocuspocus
//	CASES="..."   documents x editors, @ operations per second of all together: "1x1 10x4 50x4@1000"; idle5000 = so many idle connections
//	ROUNDS=n      of killing everything with kill -9 (default 5; 0: none)
//
// Results go to build/peers.jsonl, line by line as they come; publish.mjs makes docs/performance.md's section and docs/peers.svg of them.

import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { projectDir } from '../../test/lib/cluster.mjs';

execFileSync(join(projectDir, 'scripts/npm.sh'), ['bench/peers'], { stdio: ['ignore', 'ignore', 'pipe'] });
execFileSync('make', ['-s', '-C', join(projectDir, 'bench/peers/generator')], { stdio: 'inherit' });

const { within } = await import('./clients.mjs');
const { peers } = await import('./peers.mjs');
const { check, generate, proveGenerator } = await import('./generator.mjs');
const { ROUNDS, durability } = await import('./durable.mjs');
const { GOALS, heading, row } = await import('./columns.mjs');

// Fixed rates first: after saturation the disk still writes back, and that is all their p99 would show.
const DEFAULT_CASES = '50x4@400 50x4@1000 1x50@400 50x4@4000 50x4@12000 1x1 1x10 1x50 10x4 100x2 idle5000';
const SECONDS = Number(process.env.SECONDS ?? 4);
const CASES = (process.env.CASES ?? DEFAULT_CASES).split(/\s+/).filter(Boolean);
const CHOSEN = (process.env.PEERS ?? peers.map(({ name }) => name).join(' ')).split(/\s+/).filter(Boolean);
const FILE = join(projectDir, 'build/peers.jsonl');
const IDLE_EDITORS = 10; // of a document
const PEER_SECONDS = 900; // no peer may take longer
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const started = Date.now();
const failures = [];

function record(line) {
  appendFileSync(FILE, `${JSON.stringify(line)}\n`);
}

function report(peer, label, figures) {
  for (const [key, unit] of [['acked_per_s', 'op/s'], ['propagation_p50_ms', 'ms'], ['propagation_p99_ms', 'ms'], ['cpu_us', 'us'],
    ['wal_per_op', 'bytes'], ['kib_per_connection', 'KiB'], ['lost', 'edits']]) {
    if (!process.env.BENCH_LINES || typeof figures[key] !== 'number' || (key !== 'lost' && figures[key] === 0)) continue;
    const [relation, bound] = (peer.name === 'collab' && GOALS[label]?.[key]) || [];
    const met = bound === undefined ? null : relation === '>=' ? figures[key] >= bound : figures[key] <= bound;
    appendFileSync(process.env.BENCH_LINES, `${JSON.stringify({ name: `${peer.name} ${label} ${key}`, value: figures[key], unit,
      goal: bound === undefined ? null : `${relation} ${bound}`, met })}\n`);
  }
}

function parse(label) {
  const idle = /^idle(\d+)$/.exec(label);
  if (idle) return { docs: Math.ceil(Number(idle[1]) / IDLE_EDITORS), editors: IDLE_EDITORS, idle: true };
  const [, docs, editors, rate] = /^(\d+)x(\d+)(?:@(\d+))?$/.exec(label) ?? [];
  if (!docs) throw new Error(`no case: ${label}`);
  return { docs: Number(docs), editors: Number(editors), rate: Number(rate ?? 0) };
}

// What the generator says, and what follows from it.
function judge(figures, { rate, idle }, walBefore, walAfter) {
  const { acked_by_document: _, ...kept } = figures;
  const connections = figures.docs * figures.editors;
  return {
    ...kept,
    cpu_us: figures.acked > 0 && figures.memory_server > 0 ? figures.cpu_server_us + figures.cpu_postgres_us : null,
    wal_per_op: walAfter > 0 && figures.acked_ever > 0 ? (walAfter - walBefore) / figures.acked_ever : null,
    kib_per_connection: idle ? (figures.memory_server - figures.memory_server_before) / 1024 / connections : null,
    collapsed: !idle && (figures.acked === 0 || (rate > 0 && figures.acked_per_s < 0.95 * rate)),
  };
}

async function measure(peer, label, prefix) {
  const load = parse(label);

  if (load.idle) await peer.restart(); // or connections would fill memory that was used and freed before
  await peer.create(prefix, load.docs);
  await sleep(500);
  const before = peer.wal();
  const figures = await generate(peer, prefix, { ...load, seconds: load.idle ? Math.max(SECONDS, 10) : SECONDS });
  await sleep(300);
  const judged = judge(figures, load, before, peer.wal());
  judged.wrong = load.idle ? undefined : await check(peer, prefix, figures).catch((error) => error.message);
  return judged;
}

async function measureAll(peer) {
  let count = 0;
  for (const [label, variant] of CASES.flatMap((one) => [[one, null], ...(peer.variants?.[one] ?? []).map((v) => [`${one} ${v.name}`, v])])) {
    let line;
    try {
      await variant?.begin(peer);
      line = await measure(peer, label.split(' ')[0], `case${count++}`);
      await variant?.end(peer);
    } catch (error) {
      line = { failed: error.message };
    }
    record({ kind: 'case', peer: peer.name, case: label, ...line });
    report(peer, label, line);
    console.log(row(peer, label, line));
    if (line.wrong) failures.push(`${peer.title} ${label}: ${line.wrong}`);
    // What a server has queued up in a case is not to be paid for by the next one.
    if (line.failed || line.collapsed || !peer.alive()) await peer.restart();
    await sleep(500);
  }
}

async function comparePeer(peer) {
  await peer.start();
  const proof = await proveGenerator(peer);
  record({ kind: 'proof', peer: peer.name, acked: proof.acked_ever, delivered: proof.delivered_ever });
  await measureAll(peer);
  if (ROUNDS > 0) {
    const durable = await durability(peer);
    record({ kind: 'durable', peer: peer.name, ...durable });
    report(peer, 'kill -9', durable);
    console.log(`${peer.title}: of ${durable.saved} edits that its own client called saved, kill -9 lost ${durable.lost}`);
  }
}

function describeMachine() {
  const git = () => {
    try {
      return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: projectDir, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    } catch {
      return null;
    }
  };
  return { cpus: cpus().length, model: cpus()[0]?.model, memory_gb: Math.round(totalmem() / 2 ** 30), node: process.version,
    postgres: execFileSync(process.env.PG_CONFIG || 'pg_config', ['--version'], { encoding: 'utf8' }).trim(), commit: git(),
    at: new Date().toISOString(), seconds: SECONDS };
}

process.setMaxListeners(100);
// Whoever interrupts the run ends the servers as well; what a client library throws after its server was killed ends nothing.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));
process.on('unhandledRejection', (error) => console.error(`   (a client library: ${error?.message ?? error})`));
mkdirSync(join(projectDir, 'build'), { recursive: true });
writeFileSync(FILE, '');
record({ kind: 'machine', ...describeMachine() });
console.log(`Side by side, one operation in flight per client, ${SECONDS} s each, fsync on; latencies in ms, CPU in µs of all server processes per operation\n`);
for (const peer of peers.filter(({ name }) => CHOSEN.includes(name))) {
  const what = typeof peer.what === 'function' ? peer.what() : peer.what;
  console.log(`\n${peer.title}: ${what}; acknowledged = ${peer.acknowledged}   [${Math.round((Date.now() - started) / 1000)} s]\n${heading()}`);
  record({ kind: 'peer', peer: peer.name, title: peer.title, what, acknowledged: peer.acknowledged });
  try {
    await within(PEER_SECONDS * 1000, peer.title, comparePeer(peer));
  } catch (error) {
    failures.push(`${peer.title}: ${error.message}`);
    record({ kind: 'failed', peer: peer.name, failed: error.message });
    console.log(`${peer.title}: ${error.stack}`);
  } finally {
    await peer.stop().catch(() => {});
  }
}
console.log(`\n${Math.round((Date.now() - started) / 1000)} s in all; figures in ${FILE}`);
for (const failure of failures) console.error(`peers: ${failure}`);
process.exit(failures.length > 0 ? 1 : 0);

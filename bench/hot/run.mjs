// run.mjs - a document that everybody has open: what its readers are sent, how late, and what that costs those beside it.
//
//	CASES="1000+100@200" chooses cases: connected + typing @ characters per second of all of them (0: as fast as acknowledged); then, in any
//	order, `~n` cursor moves per typist and second, `!n` clients that never read, `|n@r` clients that type r characters per second
//	together into another document. SECONDS=n is their length, CONFIG="key=value ..." its settings.

import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { report } from '../figures.mjs';
import { projectDir } from '../../test/lib/cluster.mjs';
import { resident } from '../../test/lib/observe.mjs';
import { freePort } from '../../test/lib/proxy.mjs';
import { readMetrics, valueOf } from '../../test/lib/metrics.mjs';
import { Stack } from '../../test/lib/stack.mjs';

const SECONDS = Number(process.env.SECONDS ?? 5);
const CASES = (process.env.CASES ?? '1000+100@200~10|20@100 1000+100@1000~10|20@100 1000+100@0|20@100 200+100@1000~10|20@100 1200+100@1000~10|20@100 200+100@1000~10!1000|20@100 5000+0').split(/\s+/);
const STALLED_SECONDS = 18; // until the kernel's buffers are full, and the queues behind them
const EXTRA = Object.fromEntries((process.env.CONFIG ?? '').split(/\s+/).filter(Boolean).map((pair) => pair.split('=')));
const HOT = join(projectDir, 'build/bench/hot');
const OPEN = "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE query LIKE '%collab.open_document(%' AND query NOT LIKE '%pg_stat_%'";

const COLUMNS = [['open_queries', 'open queries', '', 0], ['open_max_ms', 'all open', 'ms', 0], ['acked_per_s', 'acked/s', 'op/s', 0],
  ['ack_p50_ms', 'ack p50', 'ms', 2], ['ack_p99_ms', 'p99', 'ms', 2], ['propagation_p50_ms', 'prop p50', 'ms', 2], ['propagation_p99_ms', 'p99', 'ms', 2],
  ['beside_p50_ms', 'beside p50', 'ms', 2], ['beside_p99_ms', 'p99', 'ms', 2],
  ['messages_per_reader', 'msg/s', '1/s', 1], ['bytes_per_reader', 'bytes/s', 'B/s', 0], ['events_per_frame', 'events/frame', '', 1],
  ['cpu_proxy', 'CPU proxy', 's/s', 2], ['cpu_postgres', 'postgres', 's/s', 2], ['cpu_load', 'load', 's/s', 2], ['grown_mb', 'RSS +MB', 'MB', 1],
  ['sent_mb', 'sent MB', 'MB', 0], ['resyncs', 'resyncs', '', 0]];

function parse(label) {
  const [, connected, typing, rate] = /^(\d+)\+(\d+)(?:@(\d+))?/.exec(label);
  const option = (pattern) => pattern.exec(label)?.slice(1).map(Number) ?? [0, 0];
  const [beside, besideRate] = option(/\|(\d+)@(\d+)/);
  return { connected, typing, rate: rate ?? 0, cursors: option(/~(\d+)/)[0], stalled: option(/!(\d+)/)[0], beside, 'beside-rate': besideRate };
}

async function load(stack, label, number) {
  const prefix = `hot${number}`;
  const filler = 'Lorem ipsum dolor sit amet, consectetur adipiscing elit.\n'.repeat(18).slice(0, 1000);
  stack.sql(`SELECT count(collab.create_document('${prefix}-' || i, $$${filler}$$)) FROM generate_series(0, 1) i; CHECKPOINT`);
  const { pid } = stack.proxy.child;
  const options = { port: stack.proxy.config.listen_port, prefix, ...parse(label), seconds: /!/.test(label) ? Math.max(SECONDS, STALLED_SECONDS) : SECONDS, warmup: 1.5, proxy: pid,
    postmaster: stack.cluster.postmaster.pid };
  const asked = () => Number(stack.sql(OPEN));
  const metric = async (...args) => valueOf(await readMetrics(stack.proxy.admin), ...args);
  const resyncs = () => metric('collab_slow_consumers_total', { action: 'resync' });
  const sent = () => metric('collab_sent_bytes_total');
  const before = { queries: asked(), memory: resident(pid), resyncs: await resyncs(), sent: await sent() };
  const child = spawn(HOT, Object.entries(options).flatMap(([key, value]) => [`--${key}`, String(value)]), { stdio: ['ignore', 'pipe', 'inherit'] });
  let peak = 0;
  const watch = setInterval(() => { peak = Math.max(peak, resident(pid)); }, 100);
  let text = '';
  child.stdout.on('data', (chunk) => { text += chunk; });
  const code = await new Promise((resolve, reject) => { child.on('error', reject); child.on('close', resolve); });
  clearInterval(watch);
  if (code !== 0) throw new Error(`${label}: the load generator failed\n${text}`);
  const figures = JSON.parse(text);
  return { ...figures, open_queries: asked() - before.queries, grown_mb: (peak - before.memory) / 1e6, resyncs: await resyncs() - before.resyncs,
    sent_mb: (await sent() - before.sent) / 1e6, events_per_frame: figures.events / (figures.events_frames || 1) };
}

execFileSync('make', ['-s', '-C', join(projectDir, 'bench/hot')], { stdio: 'inherit' });
const stack = await Stack.start({
  settings: { shared_buffers: '256MB', max_wal_size: '4GB', checkpoint_timeout: '30min', autovacuum_naptime: '5min',
    shared_preload_libraries: 'collab,pg_stat_statements' },
  config: { admin_port: await freePort(), max_connections: 19000, ...EXTRA },
});
stack.sql('CREATE EXTENSION pg_stat_statements');
try {
  console.log(`${'connected + typing @ rate'.padEnd(30)}${COLUMNS.map(([, title]) => title.padStart(13)).join('')}`);
  for (const [number, label] of CASES.entries()) {
    const figures = await load(stack, label, number);
    console.log(`${label.padEnd(30)}${COLUMNS.map(([key, , , digits]) => figures[key].toFixed(digits).padStart(13)).join('')}`);
    if (process.env.BENCH_LINES) for (const [key, , unit] of COLUMNS) report(`hot ${label} ${key}`, figures[key], unit);
  }
} finally {
  await stack.stop();
}
process.exit();

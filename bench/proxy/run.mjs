// run.mjs - figures through the proxy: the load generator of bench/peers against a private cluster and a proxy, fsync on.
//
//	CASES="1x1 10x4@1000" chooses cases (documents x editors @ operations per second), SECONDS=n their length.

import { execFileSync, spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectDir } from '../../test/lib/cluster.mjs';
import { Stack } from '../../test/lib/stack.mjs';

const SECONDS = Number(process.env.SECONDS ?? 5);
// Fixed rates first: after saturation the disk still writes back, and that is all their p99 would show.
const CASES = (process.env.CASES ?? '50x4@1000 50x4@4000 1x1 1x10 1x50 10x4 100x2').split(/\s+/);
const LOAD = join(projectDir, 'build/bench/generator');

const GOALS = {
  '1x10': [['acked_per_s', '>=', 5000]],
  '1x50': [['acked_per_s', '>=', 3000]],
  '10x4': [['cpu_server_us', '<=', 40]],
  '100x2': [['acked_per_s', '>=', 40000]],
  '50x4@4000': [['propagation_p50_ms', '<=', 1.5], ['propagation_p99_ms', '<=', 8]],
};
const COLUMNS = [['acked_per_s', 'acked/s', 0], ['delivered_per_s', 'delivered/s', 0], ['ack_p50_ms', 'ack p50', 2],
  ['ack_p99_ms', 'p99 ms', 2], ['propagation_p50_ms', 'prop p50', 2], ['propagation_p99_ms', 'p99 ms', 2],
  ['cpu_proxy_us', 'proxy µs/op', 1], ['cpu_postgres_us', 'postgres µs/op', 1], ['cpu_server_us', 'server µs/op', 1],
  ['cpu_load_us', 'load µs/op', 1]];
const UNITS = { acked_per_s: 'op/s', delivered_per_s: 'op/s', cpu_server_us: 'us', cpu_proxy_us: 'us', cpu_postgres_us: 'us', cpu_load_us: 'us' };

function report(name, value, unit, goal) {
  if (!process.env.BENCH_LINES) return;
  const [relation, bound] = goal ?? [];
  const met = goal === undefined ? null : relation === '>=' ? value >= bound : value <= bound;
  appendFileSync(process.env.BENCH_LINES,
    `${JSON.stringify({ name, value, unit, goal: goal ? `${relation} ${bound}` : null, met })}\n`);
}

function load(stack, label, { docs, editors, rate }) {
  const prefix = `bench-${label.replace('@', '-')}`;
  const filler = 'Lorem ipsum dolor sit amet, consectetur adipiscing elit.\n'.repeat(18).slice(0, 1000);
  stack.sql(`SELECT count(collab.create_document('${prefix}-' || i, $$${filler}$$)) FROM generate_series(0, ${docs - 1}) i;
    CHECKPOINT`);
  const args = ['--dialect', 'collab', '--port', stack.proxy.config.listen_port, '--prefix', prefix, '--docs', docs, '--editors', editors, '--rate', rate,
    '--seconds', SECONDS, '--warmup', 1.5, '--server', stack.proxy.child.pid, '--postmaster', stack.cluster.postmaster.pid];
  return new Promise((resolve, reject) => {
    const child = spawn(LOAD, args.map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk) => { text += chunk; });
    child.on('error', reject);
    child.on('close', (code) => {
      const figures = code === 0 ? JSON.parse(text) : null;
      if (figures === null || figures.errors + figures.closed + figures.anomalies > 0)
        reject(new Error(`${label}: the load generator failed\n${text}`));
      else
        resolve({ ...figures, cpu_proxy_us: figures.cpu_server_us, cpu_server_us: figures.cpu_server_us + figures.cpu_postgres_us });
    });
  });
}

execFileSync('make', ['-s', '-C', join(projectDir, 'bench/peers/generator')], { stdio: 'inherit' });
const stack = await Stack.start({
  settings: { shared_buffers: '256MB', max_wal_size: '4GB', checkpoint_timeout: '30min', autovacuum_naptime: '5min' },
});
try {
  console.log(`Through the proxy, one operation in flight per client, ${SECONDS} s each, fsync on\n`);
  console.log(`${'docs x editors'.padEnd(15)}${COLUMNS.map(([, title]) => title.padStart(15)).join('')}`);
  for (const label of CASES) {
    const [, docs, editors, rate] = /^(\d+)x(\d+)(?:@(\d+))?$/.exec(label);
    const figures = await load(stack, label, { docs: Number(docs), editors: Number(editors), rate: Number(rate ?? 0) });
    console.log(`${label.padEnd(15)}${COLUMNS.map(([key, , digits]) => figures[key].toFixed(digits).padStart(15)).join('')}`);
    for (const [key] of COLUMNS) {
      const goal = GOALS[label]?.find(([name]) => name === key);
      report(`proxy ${label} ${key}`, figures[key], UNITS[key] ?? 'ms', goal?.slice(1));
    }
  }
} finally {
  await stack.stop();
}
process.exit();

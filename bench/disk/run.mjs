// run.mjs - fdatasync of the disk under the temporary directory, where the other benchmarks' clusters live.

import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';

const build = fileURLToPath(new URL('../../build/bench/', import.meta.url));
const source = fileURLToPath(new URL('fdatasync.c', import.meta.url));
mkdirSync(build, { recursive: true });
execFileSync('gcc', ['-O2', '-o', build + 'fdatasync', source], { stdio: 'inherit' });
const result = JSON.parse(execFileSync(build + 'fdatasync', [process.env.COLLAB_TEST_TMP ?? tmpdir(), '5']));
for (const [name, value] of [['fdatasync p50', result.p50_us], ['fdatasync p99', result.p99_us]]) {
  const line = JSON.stringify({ name, value, unit: 'µs', goal: null, met: null });
  console.log(line);
  if (process.env.BENCH_LINES) appendFileSync(process.env.BENCH_LINES, line + '\n');
}

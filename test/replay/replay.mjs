// replay.mjs FILE... - plays recorded editing sessions through a proxy of its own, prints progress and figures, and exits
// with 1 if any replica differs from any other or from the recorded end.

import { Stack } from '../lib/stack.mjs';
import { loadTrace } from './traces.mjs';
import { verifyConcurrent, verifySequential } from './verify.mjs';

function showProgress() {
  let shown = 0;
  return (done, total) => {
    if (done < total && Date.now() - shown < 500) return;
    shown = Date.now();
    const end = process.stderr.isTTY && done < total ? '\r' : '\n';
    process.stderr.write(`  ${done} of ${total} (${Math.floor((100 * done) / total)} %)${end}`);
  };
}

async function replay(stack, file, index) {
  console.log(file);
  const trace = await loadTrace(file);
  const verify = trace.concurrent ? verifyConcurrent : verifySequential;
  const figures = await verify(trace, { stack, doc: `replay-${index}`, progress: showProgress() });
  for (const [name, value] of Object.entries(figures)) console.log(`  ${name}: ${value}`);
}

const files = process.argv.slice(2);
if (files.length === 0) {
  console.error('usage: replay.mjs FILE...   (editing traces, .json or .json.gz, sequential or concurrent)');
  process.exit(2);
}
const stack = await Stack.start();
try {
  for (const [i, file] of files.entries()) await replay(stack, file, i);
  console.log('all replicas are equal');
} catch (error) {
  console.error(`replay: ${error.message}`);
  process.exitCode = 1;
} finally {
  await stack.stop();
}
process.exit();

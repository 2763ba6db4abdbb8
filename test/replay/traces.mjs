// traces.mjs - recorded editing sessions (both formats of github.com/josephg/editing-traces) as lists of Deltas.

import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import Delta from 'quill-delta';

export async function loadTrace(file) {
  const bytes = await readFile(file);
  const trace = JSON.parse(file.endsWith('.gz') ? gunzipSync(bytes) : bytes);
  const concurrent = trace.kind === 'concurrent' || trace.txns.some((txn) => txn.parents);
  return { ...trace, concurrent, agents: concurrent ? trace.numAgents : 1 };
}

// One patch [position, deleted, inserted] as a change. Positions count code points; the recordings that we know stay in the
// basic plane, where these are UTF-16 code units too, and anything else is refused rather than misread.
function patchToDelta([position, deleted, inserted]) {
  if (/[\u{10000}-\u{10ffff}]/u.test(inserted)) throw new Error('the recording leaves the basic plane: positions would be ambiguous');
  return new Delta().retain(position).insert(inserted).delete(deleted);
}

// A transaction's patches apply in order and become one change.
export function txnToDelta(txn) {
  return txn.patches.map(patchToDelta).reduce((all, next) => all.compose(next), new Delta());
}

// Sequential recordings, every patch a change of its own: one keystroke each in automerge-paper.
export function* keystrokes(trace) {
  for (const txn of trace.txns) for (const patch of txn.patches) yield patchToDelta(patch);
}

// For every transaction of a concurrent recording: how many transactions of each agent it had seen (its causal past is a
// prefix of each agent's own sequence), its own predecessors included.
export function knowledge(trace) {
  const ownIndex = [];
  const count = new Array(trace.agents).fill(0);
  const seen = [];
  trace.txns.forEach((txn, i) => {
    const known = new Array(trace.agents).fill(0);
    for (const parent of txn.parents) {
      seen[parent].forEach((n, agent) => { known[agent] = Math.max(known[agent], n); });
      const by = trace.txns[parent].agent;
      known[by] = Math.max(known[by], ownIndex[parent] + 1);
    }
    if (known[txn.agent] !== count[txn.agent]) throw new Error(`transaction ${i} does not follow its agent's last one`);
    ownIndex[i] = count[txn.agent]++;
    seen[i] = known;
  });
  return seen;
}

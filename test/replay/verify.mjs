// verify.mjs - replays a recording into a fresh document and holds every replica against every other and the recorded end.

import assert from 'node:assert/strict';
import WebSocket from 'ws';
import { CollabClient } from '../../client/src/index.js';
import { replayConcurrent } from './concurrent.mjs';
import { replaySequential } from './sequential.mjs';
import { keystrokes } from './traces.mjs';

const SAMPLES = 12; // versions whose document is compared with the prefix of the recording

export const plain = (delta) => delta.ops.map((op) => (typeof op.insert === 'string' ? op.insert : '\ufffc')).join('');

const rate = (n, ms) => `${Math.round((n * 1000) / ms)}/s`;

async function start(trace, stack, doc) {
  const content = trace.startContent ? { ops: [{ insert: trace.startContent }] } : null;
  stack.createDocument(doc, content);
  return content ? 1 : 0;
}

function reached(client, version) {
  return client.when(() => client.version >= version);
}

// Two authors, a third silent client, and the database. `sites`: whose inserts stand left at a tie.
export async function verifyConcurrent(trace, { stack, doc, progress, sites = [1000, 2000], expectEnd = true }) {
  if (trace.startContent) throw new Error('a concurrent recording that starts with content is not supported');
  await start(trace, stack, doc);
  const silent = new CollabClient({ url: stack.url, doc, user: 'silent', WebSocket });
  await silent.whenSynced();
  const began = performance.now();
  const agents = await replayConcurrent(trace, { url: stack.url, doc, sites, progress });
  const ms = performance.now() - began;
  const versions = trace.txns.length;
  await reached(silent, versions);
  const text = stack.text(doc);
  for (const agent of agents) assert.equal(plain(agent.content), text, `${agent.user} and the database`);
  assert.equal(silent.text, text, 'the silent client and the database');
  if (expectEnd) assert.equal(text, trace.endContent, 'the database and the recorded end');
  assert.equal(stack.versions(doc), versions, 'one event per transaction');
  agents.forEach((agent) => agent.close());
  await silent.destroy();
  return {
    transactions: versions,
    'pieces sent behind the head': agents.reduce((n, agent) => n + agent.counts.transformed, 0),
    'pieces recognised as applied': agents.reduce((n, agent) => n + agent.counts.recognised, 0),
    time: `${(ms / 1000).toFixed(1)} s (${rate(versions, ms)})`,
    characters: text.length,
  };
}

// One author through CollabClient in lists of one-keystroke pieces, one watcher, the database at the end and at sampled versions.
export async function verifySequential(trace, { stack, doc, progress }) {
  const first = await start(trace, stack, doc);
  const began = performance.now();
  const { author, watcher, total } = await replaySequential(trace, { url: stack.url, doc, progress });
  const ms = performance.now() - began;
  const text = stack.text(doc);
  assert.equal(text, trace.endContent, 'the database and the recorded end');
  assert.equal(author.text, text, 'the author and the database');
  assert.equal(watcher.text, text, 'the watcher and the database');
  assert.equal(stack.versions(doc), first + total, 'one event per keystroke');
  comparePrefixes(trace, stack, doc, first, total);
  await author.destroy();
  await watcher.destroy();
  return {
    keystrokes: total,
    time: `${(ms / 1000).toFixed(1)} s (${rate(total, ms)})`,
    characters: text.length,
    'versions compared with the prefix': SAMPLES,
  };
}

function comparePrefixes(trace, stack, doc, first, total) {
  const at = new Set(Array.from({ length: SAMPLES }, (_, i) => Math.floor((total * (i + 1)) / (SAMPLES + 1))));
  let text = trace.startContent ?? '';
  let done = 0;
  for (const { ops } of keystrokes(trace)) {
    let position = 0;
    for (const op of ops) {
      if (op.retain) position += op.retain;
      else if (op.insert !== undefined) { text = text.slice(0, position) + op.insert + text.slice(position); position += op.insert.length; }
      else text = text.slice(0, position) + text.slice(position + op.delete);
    }
    if (!at.has(++done)) continue;
    assert.equal(plain(stack.document(doc, first + done)), text, `document(doc, ${first + done})`);
  }
}

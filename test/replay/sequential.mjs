// sequential.mjs - replays a recording of one author through CollabClient, keystroke by keystroke, a second client watching.

import { CollabClient } from '../../client/src/index.js';
import WebSocket from 'ws';
import { keystrokes } from './traces.mjs';

const PIECES_PER_MESSAGE = 200;

// Resolves to both clients, at the head of the document, and the number of keystrokes.
export async function replaySequential(trace, { url, doc, progress = () => {} }) {
  const options = { url, doc, WebSocket, granularity: 'edit' };
  const author = new CollabClient({ ...options, user: 'author' });
  const watcher = new CollabClient({ ...options, user: 'watcher' });
  await Promise.all([author.whenSynced(), watcher.whenSynced()]);
  const total = trace.txns.reduce((n, txn) => n + txn.patches.length, 0);
  let done = 0;
  for (const delta of keystrokes(trace)) {
    author.edit(delta);
    if (++done % PIECES_PER_MESSAGE !== 0) continue;
    await author.whenSaved();
    progress(done, total);
  }
  await author.whenSaved();
  progress(done, total);
  await watcher.when(() => watcher.version >= author.version);
  return { author, watcher, total };
}

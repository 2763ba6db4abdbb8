// replay.test.mjs - real editing sessions through the proxy; see test/replay. TRACES=folder says where the recordings are.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { projectDir } from '../lib/cluster.mjs';
import { Stack } from '../lib/stack.mjs';
import { loadTrace } from '../replay/traces.mjs';
import { verifyConcurrent, verifySequential } from '../replay/verify.mjs';

const folder = process.env.TRACES ?? join(projectDir, '../shared/traces');
let stack;

before(async () => { stack = await Stack.start(); });
after(() => stack.stop());

function replayTest(name, file, verify, options = {}) {
  const path = join(folder, file);
  const skip = existsSync(path) ? false : `the recording ${file} is not here (looked in ${folder})`;
  test(name, { skip, timeout: 600000 }, async () => {
    const trace = await loadTrace(path);
    const doc = name.replace(/[^a-z]+/gi, '-').toLowerCase();
    const figures = await verify(trace, { stack, doc, ...options });
    console.log(`# ${Object.entries(figures).map(([k, v]) => `${k} ${v}`).join(', ')}`);
  });
}

replayTest('friendsforever with agent 0 on the smaller site', 'friendsforever.json.gz', verifyConcurrent, { sites: [1000, 2000] });
replayTest('friendsforever with the sites the other way round', 'friendsforever.json.gz', verifyConcurrent,
  { sites: [2000, 1000], expectEnd: false });
replayTest('automerge-paper by keystrokes', 'automerge-paper.json.gz', verifySequential);

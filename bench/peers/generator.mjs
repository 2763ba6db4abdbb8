// generator.mjs - runs the load generator against a peer, and checks what it did with the peer's own clients.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectDir } from '../../test/lib/cluster.mjs';
import { FILLER } from './peers.mjs';

const GENERATOR = join(projectDir, 'build/bench/generator');
const CHECKED = 4; // documents whose text is read back after a run
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Resolves with the generator's figures, or throws with what it said.
export function generate(peer, prefix, { docs, editors, rate = 0, idle = false, seconds, warmup = 1.5, text = null }) {
  const args = ['--dialect', peer.dialect, '--port', peer.port, '--prefix', prefix, '--docs', docs, '--editors', editors, '--seconds', seconds,
    '--warmup', warmup, '--server', peer.serverPid, '--postmaster', peer.postmasterPid, ...(idle ? ['--idle'] : ['--rate', rate]),
    ...(text ? ['--text', text] : [])].map(String);

  return new Promise((resolve, reject) => {
    const child = spawn(GENERATOR, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const kill = setTimeout(() => child.kill('SIGKILL'), (seconds + warmup + 120) * 1000);
    const onExit = () => child.kill('SIGKILL');
    let out = '';
    let complaint = '';
    process.once('exit', onExit);
    child.stdout.setEncoding('utf8').on('data', (chunk) => { out += chunk; });
    child.stderr.setEncoding('utf8').on('data', (chunk) => { complaint += chunk; });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(kill);
      process.removeListener('exit', onExit);
      if (code === 0) resolve(JSON.parse(out));
      else reject(new Error(complaint.trim().replace(/^generator: /, '') || `the generator ended with ${signal ?? code}`));
    });
  });
}

async function read(peer, id) {
  const client = await peer.open(id);
  const found = { text: client.text(), version: client.version() };
  await client.close();
  return found;
}

// Two readers with the peer's own client: the same text, one character more for every acknowledged operation, and as many versions.
// Returns what is wrong, or null.
export async function check(peer, prefix, figures) {
  for (let i = 0; i < Math.min(CHECKED, figures.docs); i++) {
    const id = `${prefix}-${i}`;
    const acknowledged = figures.acked_by_document[i];
    const expected = FILLER.length + acknowledged;
    const [one, two] = [await read(peer, id), await read(peer, id)];
    if (one.text !== two.text) return `${id}: two readers see different texts`;
    if (one.text.length < expected) return `${id}: ${acknowledged} operations acknowledged, ${one.text.length - FILLER.length} there`;
    // What was in flight at the end, or on a connection that ended, may have arrived without its acknowledgement.
    if (one.text.length > expected + figures.unanswered + figures.closed) return `${id}: ${one.text.length - expected} characters too many`;
    const version = peer.versionOf(one.text.length - FILLER.length);
    if (version !== null && version !== one.version) return `${id}: version ${one.version} instead of ${version}`;
  }
  return null;
}

// A short run with everything compared to the letter; throws if the generator or the peer does not do what it says.
export async function proveGenerator(peer) {
  const dir = mkdtempSync(join(tmpdir(), 'collab-bench-'));
  const file = join(dir, 'text');
  const docs = 2;
  const editors = 4;

  try {
    await peer.create('proof', docs);
    const figures = await generate(peer, 'proof', { docs, editors, rate: 60, seconds: 1.5, warmup: 0.2, text: file });
    const wrong = await check(peer, 'proof', figures);
    if (wrong) throw new Error(wrong);
    for (const what of ['errors', 'closed', 'anomalies'])
      if (figures[what] > 0) throw new Error(`${figures[what]} ${what}: ${figures.first_error}`);
    if (figures.acked_ever < 20) throw new Error(`only ${figures.acked_ever} operations were acknowledged`);
    if (figures.unanswered > 0) throw new Error(`${figures.unanswered} operations were never answered`);
    if (figures.delivered_ever !== figures.acked_ever * (editors - 1))
      throw new Error(`${figures.acked_ever} operations acknowledged, but ${figures.delivered_ever} delivered to ${editors - 1} others`);
    const { text } = await read(peer, 'proof-0');
    if (text.length !== FILLER.length + figures.acked_by_document[0]) throw new Error('proof-0: more typed than acknowledged');
    const replica = peer.dialect === 'collab' || peer.dialect === 'sharedb' ? null : readFileSync(file, 'utf8');
    if (replica !== null && replica !== text) throw new Error("the generator's replica differs from the text that Yjs reads");
    return figures;
  } finally {
    rmSync(dir, { recursive: true, force: true });
    await sleep(100);
  }
}

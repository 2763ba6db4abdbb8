// run.test.mjs - `make run` itself: starts, serves, stops on Ctrl-C, starts again, recovers from kill -9, and leaves nothing behind.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { projectDir } from '../lib/cluster.mjs';
import { eventually, freePort } from '../lib/proxy.mjs';

const READY_MS = 120000;
let parent;
let port;
let current;

/* One `make run` in a process group of its own, as a terminal would have it. */
class Run {
  constructor(env = {}) {
    this.output = '';
    this.child = spawn('make', ['-s', '-C', projectDir, 'run'], {
      detached: true, stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, RUN_DIR: join(parent, 'state'), PORT: String(port), ...env },
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk) => { this.output += chunk; });
    }
    this.exit = new Promise((resolve) => this.child.once('close', (code) => { this.exited = true; resolve(code); }));
    current = this;
  }

  async ready() {
    await eventually(() => {
      assert.ok(!this.exited, `make run ended:\n${this.output}`);
      return this.output.includes('Ctrl-C stops it');
    }, { timeout: READY_MS, interval: 100, what: 'make run is ready' });
    this.url = /demo page +(\S+)/.exec(this.output)[1];
    this.psql = /psql +(.*)/.exec(this.output)[1].trim();
    return this;
  }

  sql(text) {
    return execFileSync('sh', ['-c', `exec ${this.psql} -XAt`], { input: text, encoding: 'utf8', cwd: '/' }).trim();
  }

  /* Ctrl-C reaches the whole foreground process group. */
  async interrupt() {
    process.kill(-this.child.pid, 'SIGINT');
    const code = await this.exit;
    return { code, output: this.output };
  }
}

/* Processes whose command line or working directory is inside our folder: all that `make run` starts. */
function processes() {
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid)).map(Number).filter((pid) => {
    if (pid === process.pid) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(parent);
    } catch {
      return false;
    }
  });
}

const postmaster = () => Number(readFileSync(join(parent, 'state/data/postmaster.pid'), 'utf8').split('\n')[0]);

before(async () => {
  parent = mkdtempSync('/tmp/collab run ');
  chmodSync(parent, 0o755);
  port = await freePort();
});

after(async () => {
  if (current && !current.exited) await current.interrupt();
  for (const pid of processes()) process.kill(pid, 'SIGKILL');
  rmSync(parent, { recursive: true, force: true });
});

test('the first run makes a cluster, a database and a page', async () => {
  /* an initdb that was interrupted */
  mkdirSync(join(parent, 'state/data.new/base'), { recursive: true });
  const run = await new Run().ready();
  assert.equal(run.url, `http://127.0.0.1:${port}/`);
  const response = await fetch(run.url);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type'), /^text\/html/);
  assert.match(run.sql("SELECT collab.text('readme')"), /Two people, one document/);
  assert.equal(run.sql('SHOW shared_preload_libraries'), 'collab');
  assert.equal(run.sql('SHOW listen_addresses'), '');
  assert.equal(run.sql('SHOW fsync'), 'on');
});

test('the archiver works beside it', async () => {
  await eventually(() => current.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'collab-archiver/%'") === '2',
    { timeout: 20000, what: 'both connections of the archiver' });
  assert.ok(existsSync(join(parent, 'state/cold')));
});

test('a second one at the same time refuses and says where the first is', async () => {
  const first = current;
  const second = new Run();
  assert.notEqual(await second.exit, 0);
  assert.ok(second.output.includes(`runs already: ${first.url}`), second.output);
  current = first;
  assert.match(current.sql("SELECT collab.text('readme')"), /Two people/);
});

test('Ctrl-C stops everything that it started', async () => {
  current.sql("SELECT collab.insert_text('readme', 0, 'kept ')");
  const socket = readFileSync(join(parent, 'state/socket'), 'utf8').trim();
  const { output } = await current.interrupt();
  assert.match(output, /stopped\s*$/m);
  assert.deepEqual(processes(), []);
  assert.ok(!existsSync(join(parent, 'state/data/postmaster.pid')));
  assert.deepEqual(readdirSync(socket), []);
  await assert.rejects(fetch(`http://127.0.0.1:${port}/`));
});

test('the second run finds everything and starts in seconds', async () => {
  const started = Date.now();
  const run = await new Run().ready();
  const seconds = (Date.now() - started) / 1000;
  assert.ok(seconds < 20, `took ${seconds} s`);
  assert.match(run.sql("SELECT collab.text('readme')"), /^kept Two people/);
  assert.equal(run.sql("SELECT count(*) FROM collab.documents WHERE doc_id = 'readme'"), '1');
});

test('after kill -9 of everything the next run recovers', async () => {
  const edited = current.sql("SELECT collab.insert_text('readme', 0, 'and ')");
  const victims = [current.child.pid, postmaster(), ...processes()];
  process.kill(-current.child.pid, 'SIGKILL');
  for (const pid of victims) {
    try { process.kill(pid, 'SIGKILL'); } catch { /* ended meanwhile */ }
  }
  await current.exit;
  const run = await new Run().ready();
  assert.equal(run.sql("SELECT max(version) FROM collab.events_since('readme', 0)"), edited);
  assert.match(run.sql("SELECT collab.text('readme')"), /^and kept Two people/);
});

test('after kill -9 of the script alone the next run takes over', async () => {
  process.kill(-current.child.pid, 'SIGKILL');
  await current.exit;
  assert.ok(processes().length > 0, 'the proxy and the cluster are left behind');
  const run = await new Run().ready();
  assert.match(run.sql("SELECT collab.text('readme')"), /^and kept/);
  await run.interrupt();
  assert.deepEqual(processes(), []);
});

test('SIGTERM stops everything, too', async () => {
  const run = await new Run().ready();
  process.kill(run.child.pid, 'SIGTERM');
  await run.exit;
  await eventually(() => processes().length === 0, { what: 'nothing is left' });
});

test('a port that is taken is said, and nothing stays behind', async () => {
  const server = createServer().listen(port, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const run = new Run();
  assert.notEqual(await run.exit, 0);
  server.close();
  assert.ok(run.output.includes(`port ${port} is taken`), run.output);
  assert.deepEqual(processes(), []);
});

test('a broken cluster is said with the end of its log', async () => {
  writeFileSync(join(parent, 'state/data/postgresql.conf'), 'no_such_setting = on\n');
  const run = new Run();
  assert.notEqual(await run.exit, 0);
  assert.match(run.output, /no_such_setting/);
  assert.deepEqual(processes(), []);
  const again = await new Run({ RESET: '1' }).ready();
  assert.match(again.sql("SELECT collab.text('readme')"), /^Two people/);
  await again.interrupt();
});

/* The service manager: what it is told, and the unit that it is given. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { projectDir } from '../lib/cluster.mjs';
import { eventually, freePort } from '../lib/proxy.mjs';
import { Stand } from './stand.mjs';

const unit = readFileSync(join(projectDir, 'deploy/systemd/collab-proxy.service'), 'utf8');
const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;

let stand;
let dir;
before(async () =>
{
	dir = mkdtempSync(join(tmpdir(), 'collab-systemd-'));
	stand = await Stand.start({ settings: { max_connections: 100 } });
});
after(async () =>
{
	await stand.finish();
	rmSync(dir, { recursive: true, force: true });
});

/* A socket as systemd has it; `heard` is what came, one element per datagram. Node has no such sockets. */
async function manager(name)
{
	const path = join(dir, name);
	const code = 'use Socket; socket(S, AF_UNIX, SOCK_DGRAM, 0) or die; bind(S, pack_sockaddr_un($ARGV[0])) or die; $| = 1;'
		+ 'while (defined recv(S, $_, 4096, 0)) { s/\\n/ /g; print "$_\\n" }';
	const child = spawn('perl', ['-e', code, path], { stdio: ['ignore', 'pipe', 'inherit'] });
	const listening = { path, text: '', stop: () => child.kill('SIGKILL') };
	Object.defineProperty(listening, 'heard', { get: () => listening.text.split('\n').filter(Boolean) });
	child.stdout.setEncoding('utf8').on('data', (chunk) => { listening.text += chunk; });
	process.on('exit', listening.stop);
	await eventually(() => existsSync(path));
	return listening;
}

for (const workers of [1, 3])
{
	test(`Type=notify with ${workers} worker(s): ready, watchdog, reload, the end`, { timeout: 60000 }, async () =>
	{
		const systemd = await manager(`notify-${workers}`);
		const proxy = await stand.another({ workers, lanes: 1, retry_lanes: 1, readers: 1 },
			{ env: { NOTIFY_SOCKET: systemd.path, WATCHDOG_USEC: '1000000' } });
		await eventually(() => systemd.heard.includes('READY=1'));
		await eventually(() => systemd.heard.filter((line) => line === 'WATCHDOG=1').length >= 3);
		assert.equal(systemd.heard.filter((line) => line === 'READY=1').length, 1, 'one process speaks for all');
		proxy.child.kill('SIGHUP');
		await eventually(() => systemd.heard.filter((line) => line === 'READY=1').length === 2);
		const reloading = systemd.heard.findIndex((line) => /^RELOADING=1 MONOTONIC_USEC=\d+$/.test(line));
		assert.ok(reloading > 0 && systemd.heard.indexOf('READY=1', reloading) > reloading);
		assert.ok(!systemd.heard.includes('STOPPING=1'));
		await proxy.stop();
		await eventually(() => systemd.heard.includes('STOPPING=1'));
		assert.equal(systemd.heard.filter((line) => line === 'STOPPING=1').length, 1);
		systemd.stop();
	});
}

test('the watchdog of another process is not fed, a wrong socket does no harm', { timeout: 30000 }, async () =>
{
	const systemd = await manager('other');
	const other = await stand.another({}, { env: { NOTIFY_SOCKET: systemd.path, WATCHDOG_USEC: '100000', WATCHDOG_PID: '1' } });
	await eventually(() => systemd.heard.includes('READY=1'));
	await other.stop();
	await eventually(() => systemd.heard.includes('STOPPING=1'));
	assert.ok(!systemd.heard.includes('WATCHDOG=1'));
	systemd.stop();
	for (const path of ['relative', join(dir, 'none'), `/${'x'.repeat(200)}`])
		await (await stand.another({}, { env: { NOTIFY_SOCKET: path } })).stop();
});

/* The unit, with the program of the build in place of the installed one. */
function unitFile()
{
	const path = join(dir, 'collab-proxy.service');
	writeFileSync(path, unit.replace(/^ExecStart=\S+/m, `ExecStart=${join(projectDir, 'build/proxy/collab-proxy')}`));
	return path;
}

test('systemd finds nothing wrong with the unit, and little exposed', { skip: hasSystemd ? false : 'no systemd-analyze' }, () =>
{
	const verify = spawnSync('systemd-analyze', ['verify', '--man=no', unitFile()], { encoding: 'utf8' });
	assert.deepEqual([verify.status, verify.stderr], [0, '']);
	const security = spawnSync('systemd-analyze', ['security', '--offline=true', '--no-pager', '--threshold=20', unitFile()], { encoding: 'utf8' });
	assert.equal(security.status, 0, `more exposed than 2.0:\n${security.stdout}${security.stderr}`);
});

/* The system calls of sets like @system-service. */
function callsOf(set)
{
	const { stdout } = spawnSync('systemd-analyze', ['syscall-filter', set], { encoding: 'utf8' });
	return stdout.split('\n').slice(1).map((line) => line.trim()).filter((line) => line && !line.startsWith('#'))
		.flatMap((name) => (name.startsWith('@') ? callsOf(name) : [name]));
}

const hasStrace = spawnSync('strace', ['-V']).status === 0;

test('the unit allows every system call that a whole life takes', { timeout: 120000, skip: hasSystemd && hasStrace ? false : 'no systemd-analyze or no strace' }, async () =>
{
	const filters = [...unit.matchAll(/^SystemCallFilter=(~?)(.*)$/gm)].map(([, not, sets]) => ({ not, calls: sets.split(' ').flatMap(callsOf) }));
	const denied = new Set(filters.filter(({ not }) => not).flatMap(({ calls }) => calls));
	const allowed = new Set(filters.filter(({ not }) => !not).flatMap(({ calls }) => calls).filter((call) => !denied.has(call)));
	assert.ok(allowed.size > 100 && denied.size > 50);
	const trace = join(dir, 'trace');
	/* not the one with sanitizers, which traces itself; strace makes way for the signals */
	const proxy = await stand.another({ workers: 2, admin_port: await freePort() }, { binary: join(projectDir, 'build/proxy/collab-proxy'),
		under: ['strace', '-f', '-qq', '-o', trace, '-I', 'never'], timeout: 60000 });
	const id = stand.document();
	await stand.socket(id, 'alice', { site: 1 }, { proxy });
	await fetch(`${proxy.admin}/metrics`);
	await fetch(`${proxy.http}/index.html`);
	const { workers } = await (await fetch(`${proxy.admin}/readyz`)).json();
	const supervisor = Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${workers[0].pid}/status`, 'utf8'))[1]);
	process.kill(supervisor, 'SIGHUP');
	process.kill(supervisor, 'SIGUSR2');
	await eventually(() => proxy.log.includes('all workers are replaced'), { timeout: 60000 });
	process.kill(supervisor, 'SIGTERM');
	assert.equal((await proxy.exit).code, 0);
	const used = new Set([...readFileSync(trace, 'utf8').matchAll(/^\d+ +([a-z0-9_]+)\(/gm)].map(([, call]) => call));
	for (const call of ['execve', 'accept4', 'epoll_ctl', 'memfd_create'])
		assert.ok(used.has(call), `${call} was seen`);
	assert.deepEqual([...used].filter((call) => !allowed.has(call)), []);
	await stand.closeSockets();
});

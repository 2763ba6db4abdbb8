/* Several workers under a supervisor: spread, watched, replaced, ended. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import WebSocket from 'ws';
import { CollabClient } from '../../client/src/index.js';
import { readMetrics, valueOf } from '../lib/metrics.mjs';
import { eventually, freePort } from '../lib/proxy.mjs';
import { Stand, insert, sanitizedProxy, sleep } from './stand.mjs';

let stand;
let dir;
before(async () =>
{
	dir = mkdtempSync(join(tmpdir(), 'collab-workers-'));
	stand = await Stand.start({ settings: { max_connections: 120 } });
});
after(async () =>
{
	await stand.finish();
	rmSync(dir, { recursive: true, force: true });
});

const running = (pid) => existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));

/* The workers as /readyz tells of them. */
async function workersOf(proxy)
{
	return (await (await fetch(`${proxy.admin}/readyz`)).json()).workers;
}

async function supervised(config = {}, options = {})
{
	const proxy = await stand.another({ workers: 3, admin_port: await freePort(), lanes: 1, retry_lanes: 1, readers: 1, ...config }, options);
	if (options.wait !== false)
		await eventually(async () => (await workersOf(proxy)).filter(({ state }) => state === 'ready').length === 3,
			{ timeout: 30000, what: 'three workers are ready' });
	return proxy;
}

/* Connects until every worker has somebody; returns the sockets. */
async function spread(proxy, id)
{
	const sockets = [];
	for (let i = 0; i < 100; i++)
	{
		sockets.push(await stand.socket(id, `user${i}`, { site: i + 1 }, { proxy }));
		if (i % 5 === 4 && await eventually(async () =>
		{
			const { samples } = await readMetrics(proxy.admin);
			const counts = samples.filter(({ name }) => name === 'collab_connections').map(({ value }) => value);
			const all = counts.reduce((a, b) => a + b, 0);
			return all === sockets.length && (counts.every((n) => n > 0) ? 'all' : 'some');
		}) === 'all')
			return sockets;
	}
	throw new Error('100 connections, and one worker has none of them');
}

test('connections are spread; every socket sees every version once, whoever serves it', { timeout: 60000 }, async () =>
{
	const proxy = await supervised();
	const id = stand.document();
	const sockets = await spread(proxy, id);
	const before = await readMetrics(proxy.admin);
	for (const [i, socket] of sockets.entries())
		socket.send(insert(socket, 1, `${i}`));
	const versions = (socket) => socket.messages.flatMap((m) => (m.type === 'events' ? m.events.map(({ version }) => version)
		: m.type === 'ack' ? Array.from({ length: m.count }, (_, i) => m.version + i) : []));
	for (const socket of sockets)
	{
		await eventually(() => versions(socket).length >= sockets.length, { timeout: 20000 });
		const first = socket.version + 1;
		assert.deepEqual(versions(socket), Array.from(sockets, (_, i) => first + i));
	}
	const now = await readMetrics(proxy.admin);
	assert.equal(valueOf(now, 'collab_ops_total', { result: 'committed' }) - valueOf(before, 'collab_ops_total', { result: 'committed' }),
		sockets.length, 'the sum over all workers');
	assert.ok(valueOf(now, 'collab_events_fetched_total') > 0, 'what the others committed');
	assert.equal(valueOf(now, 'collab_workers'), 3);
	assert.equal(valueOf(now, 'collab_workers_running'), 3);
	await eventually(async () => valueOf(await readMetrics(proxy.admin), 'collab_db_pool_connections', { state: 'up' }) === 27);
	for (const worker of [0, 1, 2, 'supervisor'])
		assert.ok(valueOf(now, 'process_resident_memory_bytes', { worker }) > 1e6, `${worker}`);
	assert.equal((await fetch(`${proxy.admin}/healthz`)).status, 200);
	await stand.closeSockets();
	assert.deepEqual(await proxy.stop(), { code: 0, signal: null });
	assert.match(proxy.log, /msg="listening" worker=2 /);
});

test('without any hint they converge by comparing with the database', { timeout: 60000 }, async (t) =>
{
	const proxy = await supervised({ heads_check_ms: 500 });
	const id = stand.document();
	const sockets = await spread(proxy, id);
	const clients = Array.from({ length: 12 }, (_, i) => new CollabClient({ url: proxy.http, doc: id, user: `typist${i}`, WebSocket }));
	t.after(() => Promise.all(clients.map((client) => client.destroy())));
	await Promise.all(clients.map((client) => client.whenSynced()));
	const notifier = Number(stand.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'collab notifier' AND datname = current_database()"));
	assert.ok(notifier > 0);
	process.kill(notifier, 'SIGSTOP');
	try
	{
		const hints = async () => ['used', 'unknown', 'malformed'].reduce((sum, result) => sum + valueOf(hinted, 'collab_hints_total', { result }), 0);
		let hinted = await readMetrics(proxy.admin);
		const before = await hints();
		clients.forEach((client, i) => client.edit([{ insert: `${i},` }]));
		await Promise.all(clients.map((client) => client.whenSaved()));
		const text = stand.text(id);
		await eventually(() => clients.every((client) => client.text === text), { timeout: 20000 });
		hinted = await readMetrics(proxy.admin);
		assert.equal(await hints(), before, 'no hint was there');
		assert.ok(valueOf(hinted, 'collab_events_fetched_total') > 0);
		assert.equal(sockets.filter(({ closed }) => closed).length, 0);
	}
	finally
	{
		process.kill(notifier, 'SIGCONT');
	}
	await stand.closeSockets();
	await proxy.stop();
});

test('a worker that is killed is started again; what it counted stays counted', { timeout: 60000 }, async () =>
{
	const proxy = await supervised();
	const id = stand.document();
	const sockets = await spread(proxy, id);
	sockets[0].send(insert(sockets[0], 1, 'x'));
	await sockets[0].next('ack');
	/* numbers are written at once, levels four times a second */
	const committed = valueOf(await readMetrics(proxy.admin), 'collab_ops_total', { result: 'committed' });
	const upgraded = valueOf(await readMetrics(proxy.admin), 'collab_connections_total', { result: 'upgraded' });
	const [victim, ...others] = await workersOf(proxy);
	process.kill(victim.pid, 'SIGKILL');
	await eventually(async () =>
	{
		const workers = await workersOf(proxy);
		return workers.length === 3 && workers[0].pid !== victim.pid && workers[0].state === 'ready';
	}, { timeout: 20000 });
	const now = await readMetrics(proxy.admin);
	assert.equal(valueOf(now, 'collab_worker_restarts_total', { reason: 'crashed' }), 1);
	assert.equal(valueOf(now, 'collab_ops_total', { result: 'committed' }), committed);
	assert.equal(valueOf(now, 'collab_connections_total', { result: 'upgraded' }), upgraded);
	assert.equal(valueOf(now, 'collab_connections', { worker: 0 }), 0);
	assert.deepEqual((await workersOf(proxy)).slice(1).map(({ pid }) => pid), others.map(({ pid }) => pid));
	await stand.closeSockets();
	await proxy.stop();
	assert.match(proxy.log, new RegExp(`level=error msg="a worker has ended" worker=0 pid=${victim.pid} status=0 signal=9`));
});

test('a worker that hangs is killed and started again', { timeout: 60000 }, async () =>
{
	const proxy = await supervised({ hang_timeout_ms: 3000 });
	const [, victim] = await workersOf(proxy);
	process.kill(victim.pid, 'SIGSTOP');
	await eventually(async () => (await workersOf(proxy)).find(({ pid }) => pid === victim.pid)?.state === 'silent');
	assert.equal((await fetch(`${proxy.admin}/healthz`)).status, 200, 'the others are well');
	assert.equal((await fetch(`${proxy.admin}/readyz`)).status, 200);
	await eventually(async () => (await workersOf(proxy)).filter(({ state, pid }) => state === 'ready' && pid !== victim.pid).length === 3,
		{ timeout: 30000 });
	const now = await readMetrics(proxy.admin);
	assert.equal(valueOf(now, 'collab_worker_restarts_total', { reason: 'hung' }), 1);
	assert.equal(valueOf(now, 'collab_worker_restarts_total', { reason: 'crashed' }), 0);

	/* who slept together with the supervisor is not to blame */
	const all = [proxy.child.pid, ...(await workersOf(proxy)).map(({ pid }) => pid)];
	all.forEach((pid) => process.kill(pid, 'SIGSTOP'));
	await sleep(4500);
	for (const pid of all)
	{
		process.kill(pid, 'SIGCONT');
		await sleep(100);
	}
	await eventually(async () => (await workersOf(proxy)).filter(({ state }) => state === 'ready').length === 3, { timeout: 30000 });
	assert.deepEqual([proxy.child.pid, ...(await workersOf(proxy)).map(({ pid }) => pid)], all);
	await proxy.stop();
});

test('SIGTERM drains them all, SIGTERM to everybody as well; the second ends at once', { timeout: 60000 }, async () =>
{
	for (const everybody of [false, true])
	{
		const proxy = await supervised({ drain_delay_ms: everybody ? 0 : 4000 });
		const id = stand.document();
		const sockets = await spread(proxy, id);
		const pids = (await workersOf(proxy)).map(({ pid }) => pid);
		proxy.child.kill('SIGTERM');
		if (everybody)
			pids.forEach((pid) => process.kill(pid, 'SIGTERM')); /* as a service manager may do */
		else
		{
			await eventually(async () => (await fetch(`${proxy.admin}/readyz`)).status === 503);
			await eventually(async () => (await fetch(`${proxy.http}/readyz`)).status === 503);
			sockets[0].send(insert(sockets[0], 1, 'x'));
			assert.equal((await sockets[0].next('ack')).clock, 1, 'until the delay is over all goes on');
		}
		const closings = await Promise.all(sockets.map((socket) => socket.closing(20000)));
		assert.ok(closings.every(({ code }) => code === 1001), JSON.stringify(closings));
		assert.ok(sockets.every(({ messages }) => messages.some(({ type }) => type === 'drain')));
		assert.deepEqual(await proxy.exit, { code: 0, signal: null });
		assert.deepEqual(pids.filter(running), []);
		assert.doesNotMatch(proxy.log, /level=error/);
		await stand.closeSockets();
	}
	const proxy = await supervised({ drain_delay_ms: 60000 });
	const pids = (await workersOf(proxy)).map(({ pid }) => pid);
	proxy.child.kill('SIGTERM');
	await eventually(() => proxy.log.includes('msg="ending"'));
	assert.equal((await proxy.stop()).code, 0);
	assert.deepEqual(pids.filter(running), []);
});

test('workers end with their supervisor', { timeout: 60000 }, async () =>
{
	const proxy = await supervised();
	const id = stand.document();
	const sockets = await spread(proxy, id);
	const pids = (await workersOf(proxy)).map(({ pid }) => pid);
	process.kill(proxy.child.pid, 'SIGKILL');
	const closings = await Promise.all(sockets.map((socket) => socket.closing(20000)));
	assert.ok(closings.every(({ code }) => code === 1001), 'in order');
	await eventually(() => pids.every((pid) => !running(pid)), { timeout: 20000 });
	await proxy.exit;
	await stand.closeSockets();
});

/* Typists on `proxy`; each knows how it was away. */
function typists(proxy, id, count)
{
	return Array.from({ length: count }, (_, i) =>
	{
		const client = new CollabClient({ url: proxy.http, doc: id, user: `user${i}`, WebSocket });
		const typist = { client, edits: 0, away: [], ends: [], problems: [], stop: false };
		let since = null;
		client.on('error', (error) => typist.problems.push(error));
		client.on('status', ({ status, code, retryIn }) =>
		{
			if (status === 'disconnected' && !typist.stop)
			{
				since ??= Date.now();
				typist.ends.push({ code, retryIn });
			}
			else if (status === 'synced' && since !== null)
			{
				typist.away.push(Date.now() - since);
				since = null;
			}
		});
		typist.done = (async () =>
		{
			await client.whenReady();
			while (!typist.stop)
			{
				client.edit([{ insert: 'x' }]);
				typist.edits++;
				await sleep(20 + Math.random() * 30);
			}
			await client.whenSaved();
		})();
		return typist;
	});
}

test('workers are replaced one by one under load: nothing lost, nothing doubled, nobody away for long', { timeout: 120000 }, async (t) =>
{
	const proxy = await supervised();
	const ids = [stand.document(), stand.document()];
	const people = ids.flatMap((id) => typists(proxy, id, 12));
	t.after(() => Promise.all(people.map(async (typist) =>
	{
		typist.stop = true;
		await typist.client.destroy();
		await typist.done.catch(() => {});
	})));
	await Promise.all(people.map(({ client }) => client.whenReady()));
	await eventually(() => people.every(({ edits }) => edits > 5));
	const before = (await workersOf(proxy)).map(({ pid }) => pid);
	proxy.child.kill('SIGUSR2');
	await eventually(() => proxy.log.includes('all workers are replaced'), { timeout: 60000 });
	const workers = await workersOf(proxy);
	assert.deepEqual(workers.map(({ worker }) => worker), [0, 1, 2]);
	assert.deepEqual(workers.filter(({ pid }) => before.includes(pid)), []);
	assert.deepEqual(before.filter(running), []);
	await eventually(() => people.every(({ client }) => client.synced));
	people.forEach((typist) => { typist.stop = true; });
	await Promise.all(people.map(({ done }) => done));
	for (const [i, id] of ids.entries())
	{
		const group = people.slice(i * 12, i * 12 + 12);
		const edits = group.reduce((sum, typist) => sum + typist.edits, 0);
		assert.equal(stand.text(id), 'x'.repeat(edits));
		assert.equal(stand.events(id), edits);
		await Promise.all(group.map(({ client }) => client.when(() => client.text.length === edits)));
	}
	const ends = people.flatMap((typist) => typist.ends);
	assert.ok(ends.length >= people.length, 'everybody was on a worker that is no more');
	assert.deepEqual(ends.filter(({ code, retryIn }) => code !== 1001 || retryIn > 1000), [], 'told when to come back, and let in then');
	assert.deepEqual(people.flatMap(({ problems }) => problems), []);
	const away = people.flatMap((typist) => typist.away).sort((a, b) => a - b);
	t.diagnostic(`${away.length} moves; away: median ${away[away.length >> 1]} ms, longest ${away.at(-1)} ms`);
	const now = await readMetrics(proxy.admin);
	assert.equal(valueOf(now, 'collab_worker_restarts_total', { reason: 'rolled' }), 3);
	assert.equal(valueOf(now, 'collab_worker_restarts_total', { reason: 'crashed' }), 0);
	assert.equal(valueOf(now, 'collab_ops_total', { result: 'committed' }), people.reduce((sum, { edits }) => sum + edits, 0),
		'the numbers of workers that are gone are kept');
	assert.equal((await proxy.stop()).code, 0);
	assert.doesNotMatch(proxy.log, /level=error/);
});

test('a replacement that does not get ready leaves the old one in its place', { timeout: 60000 }, async () =>
{
	const path = join(dir, 'proxy.conf');
	const write = (extra) => writeFileSync(path, `database = "${stand.database.conninfo('collab_proxy')}"\n${extra}`);
	write('');
	const proxy = await supervised({ config: path, start_timeout_ms: 8000 }, { database: null });
	const before = (await workersOf(proxy)).map(({ pid }) => pid);
	writeFileSync(path, 'database = host=/nonexistent\n');
	proxy.child.kill('SIGUSR2');
	await eventually(() => proxy.log.includes('the others are not replaced'), { timeout: 30000 });
	assert.deepEqual((await workersOf(proxy)).map(({ pid }) => pid), before);
	writeFileSync(path, 'lains = 3\n');
	proxy.child.kill('SIGUSR2');
	await eventually(() => proxy.log.includes('no worker is replaced'));
	assert.deepEqual((await workersOf(proxy)).map(({ pid }) => pid), before);
	/* a worker that cannot even start is tried again, later and later */
	process.kill(before[0], 'SIGKILL');
	await eventually(() => (proxy.log.match(/msg="a worker has ended" worker=0 pid=\d+ status=2/g) ?? []).length >= 2, { timeout: 20000 });
	assert.equal((await fetch(`${proxy.admin}/readyz`)).status, 200, 'the others serve');
	write('');
	await eventually(async () => (await workersOf(proxy)).filter(({ state }) => state === 'ready').length === 3, { timeout: 30000 });
	await proxy.stop();
});

test('after an upgrade, replaced workers are of the new program', { timeout: 60000 }, async () =>
{
	const binary = join(dir, 'collab-proxy');
	copyFileSync(sanitizedProxy(), binary);
	const proxy = await supervised({}, { binary });
	copyFileSync(sanitizedProxy(), `${binary}.new`);
	renameSync(`${binary}.new`, binary);
	const ofNewProgram = async () => (await workersOf(proxy)).filter(({ pid }) => statSync(`/proc/${pid}/exe`).ino === statSync(binary).ino).length;
	assert.equal(await ofNewProgram(), 0);
	proxy.child.kill('SIGUSR2');
	await eventually(() => proxy.log.includes('all workers are replaced'), { timeout: 60000 });
	assert.equal(await ofNewProgram(), 3);
	await proxy.stop();
});

test('SIGHUP reaches every worker', { timeout: 60000 }, async () =>
{
	const path = join(dir, 'limits.conf');
	writeFileSync(path, 'max_connections = 100\n');
	const proxy = await supervised({ config: path });
	assert.equal(valueOf(await readMetrics(proxy.admin), 'collab_connections_limit'), 300);
	writeFileSync(path, 'max_connections = 70\nworkers = 5\n');
	proxy.child.kill('SIGHUP');
	await eventually(async () => valueOf(await readMetrics(proxy.admin), 'collab_connections_limit') === 210);
	assert.equal(valueOf(await readMetrics(proxy.admin), 'collab_workers_running'), 3);
	/* also while some are just starting */
	writeFileSync(path, 'max_connections = 50\n');
	proxy.child.kill('SIGUSR2');
	while (!proxy.log.includes('all workers are replaced'))
	{
		proxy.child.kill('SIGHUP');
		await sleep(20);
	}
	await eventually(async () => valueOf(await readMetrics(proxy.admin), 'collab_connections_limit') === 150);
	assert.equal(valueOf(await readMetrics(proxy.admin), 'collab_worker_restarts_total', { reason: 'crashed' }), 0);
	await proxy.stop();
});

test('a worker of another program, or without its supervisor, does not start', () =>
{
	const start = (variable) => spawnSync(sanitizedProxy(), ['--auth', 'none'], { env: { _COLLAB_WORKER: variable }, encoding: 'utf8', timeout: 20000 });
	for (const variable of ['0 0 1 0000000000000000', 'x'])
	{
		const { status, stderr } = start(variable);
		assert.equal(status, 2);
		assert.match(stderr, /restart the service/);
	}
});

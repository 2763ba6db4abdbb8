/* Many connections at once: kept alive, let in step by step, without descriptors, without their worker, coming and going. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import net from 'node:net';
import { join } from 'node:path';
import test, { after, afterEach, before } from 'node:test';
import { projectDir } from '../lib/cluster.mjs';
import { Crowd } from '../lib/crowd.mjs';
import { readMetrics, valueOf } from '../lib/metrics.mjs';
import { openFiles, resident } from '../lib/observe.mjs';
import { eventually, freePort } from '../lib/proxy.mjs';
import { Stand, frame, handshake, insert, raw, sleep } from './stand.mjs';

const PEOPLE = 1500;
const PER_DOCUMENT = 5;

let stand;
let crowd;
before(async () =>
{
	stand = await Stand.start({ config: { admin_port: await freePort(), heartbeat_ms: 1000, timeout_ms: 3000 } });
	stand.sql(`SELECT count(collab.create_document('crowd-' || i, repeat('lorem ipsum ', 20)))
		FROM generate_series(0, ${PEOPLE / PER_DOCUMENT - 1}) i`);
});
afterEach(async () =>
{
	await crowd?.stop();
	crowd = null;
});
after(() => stand.finish());

function gather(proxy, connections, options = {})
{
	crowd = Crowd.start({ port: proxy.config.listen_port, connections, perDocument: PER_DOCUMENT, heartbeat: 1000, ...options });
	return crowd;
}

const count = async (proxy, name, labels) => valueOf(await readMetrics(proxy.admin), name, labels);
const all = (connections) => (state) => state.here === connections;
const ready = async (proxy) => (await (await fetch(`${proxy.admin}/readyz`)).json()).status;

test('1,500 connections are kept alive, and some of them type', { timeout: 60000 }, async () =>
{
	const people = gather(stand.proxy, PEOPLE);
	await people.come();
	await people.until(all(PEOPLE));
	await people.tell('reset');
	const before = await count(stand.proxy, 'collab_messages_total', { direction: 'in', type: 'heartbeat' });
	await people.share('type', 20, '100');
	const state = await people.until(({ beats, acked }) => beats > 3 * PEOPLE && acked > 100);
	assert.deepEqual([state.here, state.lost, state.missed, state.errors], [PEOPLE, 0, 0, 0]);
	assert.ok(await count(stand.proxy, 'collab_messages_total', { direction: 'in', type: 'heartbeat' }) - before > 3 * PEOPLE - 100);
	assert.ok(state.delivered >= state.acked, 'the others have seen it');
	assert.equal(await count(stand.proxy, 'collab_closes_total', { code: '4408' }), 0);
});

test('a process that was stopped for a while closes nobody who was heard meanwhile', { timeout: 60000 }, async () =>
{
	const people = gather(stand.proxy, PEOPLE);
	await people.come();
	await people.until(all(PEOPLE));
	await people.tell('reset');
	const lag = 2500; /* and some had been silent for a second already: longer than timeout_ms */
	stand.proxy.child.kill('SIGSTOP');
	await sleep(lag);
	stand.proxy.child.kill('SIGCONT');
	const state = await people.until(({ beats, answered }) => beats > 5 * PEOPLE && answered > 3 * PEOPLE);
	assert.deepEqual([state.here, state.lost], [PEOPLE, 0]);
});

test('newcomers are let in step by step; nobody is turned away', { timeout: 60000 }, async () =>
{
	const [rate, burst] = [200, 50];
	const proxy = await stand.another({ admin_port: await freePort(), accept_rate: rate, accept_burst: burst });
	const people = gather(proxy, 600, { window: 600 });
	await sleep(1000); /* the burst is there again, after what the test itself has asked for */
	const begun = Date.now();
	await people.come();
	for (let sockets = 0; sockets < 600;)
	{
		sockets = await count(proxy, 'collab_sockets');
		/* the numbers are up to 250 ms old, and never younger than the clock says */
		const most = burst + rate * (Date.now() - begun) / 1000 + 10;
		assert.ok(sockets <= most, `${sockets} are in after ${Date.now() - begun} ms`);
		await sleep(50);
	}
	const state = await people.until(all(600));
	assert.deepEqual([state.refused, state.lost], [0, 0]);
	const pauses = await count(proxy, 'collab_accept_pauses_total', { reason: 'rate' });
	assert.ok(pauses > 10 && pauses < (Date.now() - begun) / 20 + 10, `${pauses} pauses: it waits instead of asking again and again`);
	await proxy.stop();
});

test('without descriptors newcomers wait, and everybody else is served', { timeout: 60000 }, async () =>
{
	const proxy = await stand.another({ admin_port: await freePort(), heartbeat_ms: 1000, timeout_ms: 3000 });
	const limit = (files) => execFileSync('prlimit', ['--pid', proxy.child.pid, `--nofile=${files}:`]);
	const alice = await stand.socket('crowd-0', 'alice', { site: 9001 }, { proxy });
	limit(128);
	const begun = Date.now();
	const people = gather(proxy, 100);
	await people.come();
	await eventually(async () => (await ready(proxy)) === 'full' || (await fetch(`${proxy.admin}/readyz`)).status === 503);
	await people.until(({ here }) => here > 50);
	await sleep(1500);
	const state = await people.tell('reset');
	assert.ok(state.here < 70 && state.connecting === 100 - state.here, JSON.stringify(state));
	assert.deepEqual([state.refused, state.lost, state.missed], [0, 0, 0]);
	const pauses = await count(proxy, 'collab_accept_pauses_total', { reason: 'descriptors' });
	assert.ok(pauses > 5 && pauses < (Date.now() - begun) / 100 + 10, `${pauses} pauses: it waits instead of asking again and again`);
	assert.equal(proxy.log.match(/newcomers have to wait/g).length, 1, 'the log is not flooded');

	/* there are descriptors for the database all the same */
	const lost = await count(proxy, 'collab_db_reconnects_total');
	stand.sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'collab_proxy'");
	await eventually(async () => await count(proxy, 'collab_db_reconnects_total') - lost >= 7
		&& await count(proxy, 'collab_db_pool_connections', { state: 'down' }) === 0, { what: 'the database is reached again' });
	alice.send(insert(alice, 1, 'still here'));
	await alice.next('ack');

	limit(4096);
	const later = await people.until(all(100));
	assert.deepEqual([later.refused, later.lost, later.missed], [0, 0, 0]);
	await eventually(async () => (await fetch(`${proxy.admin}/readyz`)).status === 200);
	await stand.closeSockets();
	await proxy.stop();
});

test('a worker is killed: its people come back, the others notice nothing', { timeout: 90000 }, async () =>
{
	const proxy = await stand.another({ workers: 3, admin_port: await freePort(), lanes: 1, retry_lanes: 1, readers: 1,
		heartbeat_ms: 1000, timeout_ms: 3000, accept_rate: 300, accept_burst: 50 });
	const workers = await eventually(async () =>
	{
		const list = (await (await fetch(`${proxy.admin}/readyz`)).json()).workers;
		return list.filter(({ state }) => state === 'ready').length === 3 && list;
	}, { timeout: 30000 });
	const people = gather(proxy, 900);
	await people.come();
	await people.until(all(900));
	const [{ worker, pid }] = workers;
	const there = await count(proxy, 'collab_connections', { worker });
	assert.ok(there > 150, `${there} of 900`);
	await people.tell('reset');
	process.kill(pid, 'SIGKILL');
	const state = await people.until((now) => now.lost > 0 && now.here === 900, { timeout: 60000 });
	assert.equal(state.lost, there, 'nobody else');
	assert.ok(state.opened >= there);
	assert.equal(state.missed, 0);
	/* which a client that was away had not sent */
	const more = await people.until(({ beats }) => beats > state.beats + 900);
	assert.equal(more.missed, 0);
	await proxy.stop();
});

test('nobody is sent to a worker that is full while another is not', { timeout: 90000 }, async () =>
{
	const proxy = await stand.another({ workers: 3, admin_port: await freePort(), lanes: 1, retry_lanes: 1, readers: 1,
		heartbeat_ms: 1000, timeout_ms: 3000, max_connections: 250 });
	const workersOf = async () => (await (await fetch(`${proxy.admin}/readyz`)).json()).workers;
	const workers = await eventually(async () =>
	{
		const list = await workersOf();
		return list.filter(({ state }) => state === 'ready').length === 3 && list;
	}, { timeout: 30000 });
	/* of 600 people, two workers have room for 500 */
	const people = gather(proxy, 600, { window: 20 });
	await people.come();
	await people.until(all(600));
	process.kill(workers[0].pid, 'SIGKILL');
	await people.until(({ lost, here }) => lost > 100 && here === 600, { timeout: 60000 });
	await people.tell('reset');
	/* the two are full or nearly so; whoever leaves and comes back finds the third */
	await eventually(async () => (await workersOf()).filter(({ state }) => state === 'full').length >= 1);
	await people.share('churn', 100);
	const state = await people.until(({ left }) => left > 300);
	await people.share('churn', 0);
	await people.until(all(600));
	assert.equal(state.lost, 0);
	assert.ok(state.refused < 30, `${state.refused} were refused of ${state.left}`);
	/* everybody full: newcomers are told so */
	const more = await Promise.all(Array.from({ length: 200 }, () => raw(proxy.config.listen_port, handshake('/v1/docs/crowd-1/ws?user=x'), { wait: 2000 })));
	assert.ok(more.filter(({ status }) => status === 503).length >= 40, more.map(({ status }) => status).join());
	await proxy.stop();
});

test('a worker that was out of descriptors is given newcomers again when it has some', { timeout: 60000 }, async () =>
{
	const proxy = await stand.another({ workers: 2, admin_port: await freePort(), lanes: 1, retry_lanes: 1, readers: 1 });
	const workersOf = async () => (await (await fetch(`${proxy.admin}/readyz`)).json()).workers;
	const [{ worker, pid }] = await eventually(async () =>
	{
		const list = await workersOf();
		return list.filter(({ state }) => state === 'ready').length === 2 && list;
	}, { timeout: 30000 });
	const state = async () => (await workersOf()).find((one) => one.worker === worker).state;
	const limit = (files) => execFileSync('prlimit', ['--pid', pid, `--nofile=${files}:`]);
	const knock = () => Promise.all(Array.from({ length: 8 }, () =>
		raw(proxy.config.listen_port, 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', { wait: 300 })));
	for (let i = 0; i < 12; i++)
		await stand.socket(`crowd-${i}`, 'somebody', { site: 9100 + i }, { proxy });
	limit(2);
	await eventually(async () => { await knock(); return await state() === 'full'; }, { what: 'it is full' });
	await sleep(1000); /* and its socket is out of service */
	limit(4096);
	await eventually(async () => await state() === 'ready', { timeout: 20000, what: 'it takes newcomers again' });
	await stand.closeSockets();
	await proxy.stop();
});

test('3,000 come and go: memory and descriptors are those of before', { timeout: 90000 }, async () =>
{
	/* memory is measured: not the build with sanitizers */
	execFileSync('make', ['-s', '-C', join(projectDir, 'proxy')], { stdio: ['ignore', 'ignore', 'inherit'] });
	const proxy = await stand.another({ admin_port: await freePort() }, { binary: join(projectDir, 'build/proxy/collab-proxy') });
	const people = gather(proxy, 500);
	const marks = [];
	for (let round = 0; round < 6; round++)
	{
		await people.come();
		await people.until(all(500));
		await people.come(0);
		await eventually(async () => await count(proxy, 'collab_sockets') === 0);
		await sleep(600); /* memory is given back by and by */
		marks.push({ memory: resident(proxy.child.pid), files: openFiles(proxy.child.pid) });
	}
	const [, before] = marks;
	const now = marks.at(-1);
	/* who asks for the metrics may or may not be one */
	assert.ok(now.files - before.files <= 2, `${before.files} descriptors, then ${now.files}`);
	assert.ok(now.memory - before.memory < 300e3, marks.map(({ memory }) => memory).join());
	assert.equal(await count(proxy, 'collab_open_documents'), 0);
	await proxy.stop();
});

test('200 that are slow with their headers, frames and messages are cut off; the others notice nothing', { timeout: 60000 }, async () =>
{
	const proxy = await stand.another({ admin_port: await freePort(), heartbeat_ms: 1000, timeout_ms: 3000, message_timeout_ms: 2000 });
	const people = gather(proxy, 200);
	await people.come();
	await people.until(all(200));
	await people.tell('reset');
	await people.share('type', 10, '100');
	const head = handshake('/v1/docs/crowd-1/ws?user=slow');
	const open = frame(JSON.stringify({ type: 'open', site: 9 }));
	/* what is sent at once, and what follows byte by byte */
	const kinds = [
		[head.slice(0, 40), 'x'],
		['', 'G'],
		[Buffer.concat([Buffer.from(head), open, frame('{"type":"heartbeat"}').subarray(0, 1)]), null],
		[Buffer.concat([Buffer.from(head), open, frame('x'.repeat(60000)).subarray(0, 9)]), 'x'],
		[Buffer.concat([Buffer.from(head), open, frame('{"x":"', { fin: false })]), frame('x', { opcode: 0, fin: false })],
	];
	const slow = Array.from({ length: 200 }, (_, i) =>
	{
		const [first, then] = kinds[i % kinds.length];
		const socket = net.connect(proxy.config.listen_port, '127.0.0.1', () => socket.write(first));
		socket.on('error', () => {});
		socket.resume();
		const timer = setInterval(() => then !== null && socket.write(then), 300);
		return new Promise((resolve) => socket.once('close', () =>
		{
			clearInterval(timer);
			resolve();
		}));
	});
	await Promise.all(slow);
	const state = await people.tell('');
	assert.deepEqual([state.here, state.lost, state.missed, state.errors], [200, 0, 0, 0]);
	assert.ok(state.acked > 0);
	await proxy.stop();
});

/* SIGTERM and the end. */
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import WebSocket from 'ws';
import { CollabClient } from '../../client/src/index.js';
import { eventually, freePort } from '../lib/proxy.mjs';
import { Stand, insert, raw, sleep } from './stand.mjs';

let stand;
before(async () => { stand = await Stand.start({ config: { drain_timeout_ms: 1500 } }); });
after(() => stand.finish());

test('SIGTERM finishes what is in flight, says 1001, and ends with 0', { timeout: 30000 }, async () =>
{
	const proxy = await stand.another();
	const id = stand.document();
	const sockets = [];
	for (let i = 0; i < 20; i++)
		sockets.push(await stand.socket(id, `user${i}`, { site: i + 1 }, { proxy }));
	const answers = sockets.map((socket) => socket.next((m) => m.type === 'ack' || m.type === 'error').catch(() => null));
	for (const socket of sockets)
		socket.send(insert(socket, 1, 'x'));
	await sleep(5);
	proxy.child.kill('SIGTERM');
	const closings = await Promise.all(sockets.map((socket) => socket.closing()));
	assert.deepEqual(await proxy.exit, { code: 0, signal: null });
	const acked = (await Promise.all(answers)).filter((answer) => answer?.type === 'ack').length;
	assert.ok(closings.every(({ code }) => code === 1001), JSON.stringify(closings));
	assert.equal(stand.events(id), acked, 'all that was committed was acknowledged');
	assert.match(proxy.log, /msg="ended"/);
});

test('who has nothing in flight is sent elsewhere at once, who has is answered first', { timeout: 30000 }, async () =>
{
	const proxy = await stand.another({ drain_timeout_ms: 20000, lock_timeout_ms: 15000, drain_spread_ms: 400 });
	const id = stand.document();
	const other = stand.document();
	const alice = await stand.socket(id, 'alice', { site: 1 }, { proxy });
	const bob = await stand.socket(other, 'bob', { site: 2 }, { proxy });
	const session = stand.database.session();
	await session.query('BEGIN');
	await session.query(`SELECT collab.insert_text('${id}', 0, 's')`);
	alice.send(insert(alice, 1, 'x'));
	await sleep(100);
	proxy.child.kill('SIGTERM');
	for (const socket of [alice, bob])
	{
		const { retry_ms: retry } = await socket.next('drain');
		assert.ok(retry >= 0 && retry <= 400, `${retry}`);
	}
	assert.deepEqual(await bob.closing(), { code: 1001, reason: 'the server is going away' });
	alice.send(insert(alice, 2, 'z'));
	const error = await alice.next('error');
	assert.deepEqual([error.code, error.clock], ['OT008', 2], 'one is in flight already');
	assert.equal(alice.closed, null);
	assert.equal((await raw(proxy.config.listen_port, 'GET / HTTP/1.1\r\n\r\n', { wait: 200 })).status, 0, 'nobody new gets in');
	await session.query('COMMIT');
	await session.close();
	assert.equal((await alice.next('ack')).clock, 1);
	assert.equal((await alice.closing()).code, 1001);
	assert.equal((await proxy.exit).code, 0);
});

test('what does not finish in time is left: the outcome is unknown to the client', { timeout: 30000 }, async () =>
{
	const proxy = await stand.another({ drain_timeout_ms: 500 });
	const id = stand.document();
	const alice = await stand.socket(id, 'alice', { site: 1 }, { proxy });
	const session = stand.database.session();
	await session.query('BEGIN');
	await session.query(`SELECT collab.insert_text('${id}', 0, 's')`);
	alice.send(insert(alice, 1, 'x'));
	await sleep(100);
	const begun = Date.now();
	assert.equal((await proxy.stop()).code, 0);
	assert.ok(Date.now() - begun < 20000);
	assert.equal((await alice.closing()).code, 1001);
	assert.equal(alice.messages.filter((m) => m.type === 'ack').length, 0);
	await session.query('ROLLBACK');
	await session.close();
});

test('a second SIGTERM ends at once; SIGINT is as good as SIGTERM', { timeout: 30000 }, async () =>
{
	const proxy = await stand.another({ drain_timeout_ms: 60000 });
	const id = stand.document();
	const alice = await stand.socket(id, 'alice', { site: 1 }, { proxy });
	const session = stand.database.session();
	await session.query('BEGIN');
	await session.query(`SELECT collab.insert_text('${id}', 0, 's')`);
	alice.send(insert(alice, 1, 'x'));
	await sleep(100);
	proxy.child.kill('SIGINT');
	await sleep(300);
	assert.equal(proxy.exited, false);
	const begun = Date.now();
	assert.equal((await proxy.stop()).code, 0);
	assert.ok(Date.now() - begun < 10000);
	await session.query('ROLLBACK');
	await session.close();
});

test('not ready at once, elsewhere after drain_delay_ms, and then in groups', { timeout: 60000 }, async () =>
{
	const proxy = await stand.another({ admin_port: await freePort(), drain_delay_ms: 5000, drain_rate: 10, drain_timeout_ms: 30000 });
	const id = stand.document();
	const sockets = [];
	for (let i = 0; i < 4; i++)
		sockets.push(await stand.socket(id, `user${i}`, { site: i + 1 }, { proxy }));
	assert.equal((await fetch(`${proxy.admin}/readyz`)).status, 200);
	proxy.child.kill('SIGTERM');
	const ready = await eventually(async () =>
	{
		const response = await fetch(`${proxy.admin}/readyz`);
		return response.status === 503 && response;
	});
	assert.equal((await ready.json()).status, 'draining');
	assert.equal((await fetch(`${proxy.http}/readyz`)).status, 503);
	assert.equal((await fetch(`${proxy.admin}/healthz`)).status, 200, 'it is well all the same');
	sockets[0].send(insert(sockets[0], 1, 'x'));
	assert.equal((await sockets[0].next('ack')).clock, 1, 'until then all goes on');
	const late = await stand.socket(id, 'late', { site: 9 }, { proxy });
	const ends = [];
	for (const [i, socket] of [...sockets, late].entries())
		socket.ws.once('close', () => ends.push(i));
	await Promise.all([...sockets, late].map((socket) => socket.closing(20000)));
	assert.deepEqual(ends, [0, 1, 2, 3, 4], 'one after the other, in the order of their coming');
	assert.deepEqual(await proxy.exit, { code: 0, signal: null });
});

test('the client library goes on elsewhere within the time it was told', { timeout: 60000 }, async (t) =>
{
	const proxy = await stand.another({ drain_spread_ms: 300 });
	const id = stand.document({ ops: [{ insert: 'abc' }] });
	const clients = Array.from({ length: 10 }, (_, i) => new CollabClient({ url: proxy.http, doc: id, user: `user${i}`, WebSocket }));
	t.after(() => Promise.all(clients.map((client) => client.destroy())));
	await Promise.all(clients.map((client) => client.whenReady()));
	/* the first end of each; who comes back soon finds nobody yet */
	const ends = clients.map((client) => new Promise((resolve) =>
		client.on('status', ({ status, code, retryIn }) => status === 'disconnected' && resolve({ code, retryIn }))));
	clients.forEach((client, i) => client.edit([{ insert: `${i}` }]));
	assert.equal((await proxy.stop()).code, 0);
	const first = await Promise.all(ends);
	assert.ok(first.every(({ code }) => code === 1001), JSON.stringify(first));
	assert.ok(first.every(({ retryIn }) => retryIn >= 0 && retryIn <= 300), JSON.stringify(first));
	assert.ok(new Set(first.map(({ retryIn }) => retryIn)).size > 3, 'not all at the same time');
	const next = await stand.another({ listen_port: proxy.config.listen_port });
	await Promise.all(clients.map((client) => client.whenSaved()));
	assert.equal(stand.events(id), 10);
	await next.stop();
});

test('it ends without a database as well', { timeout: 30000 }, async () =>
{
	const proxy = await stand.another({ database: 'host=/nonexistent dbname=x' }, { wait: false, database: null });
	await sleep(300);
	const begun = Date.now();
	assert.deepEqual(await proxy.stop(), { code: 0, signal: null });
	assert.ok(Date.now() - begun < 20000);
});

test('after SIGKILL clients go on with another process, nothing lost, nothing doubled', { timeout: 30000 }, async () =>
{
	const id = stand.document();
	let proxy = await stand.another();
	let clock = 0;
	let acked = 0;
	let base = null;
	for (let round = 0; round < 5; round++)
	{
		const socket = await stand.socket(id, 'alice', base === null ? { site: 1 }
			: { site: 1, last_version: base.version, last_event: base.event, pending: 1 }, { proxy });
		base ??= { version: socket.version, event: socket.event };
		/* pieces of the last round that were committed but not acknowledged arrive here */
		for (const event of socket.messages.filter((m) => m.type === 'events').flatMap((m) => m.events))
		{
			assert.equal(event.clock, acked + 1);
			acked++;
			base = event;
		}
		clock = acked;
		const end = Date.now() + 200 + round * 37;
		while (Date.now() < end)
		{
			socket.send(insert(socket, ++clock, 'x', { base_version: base.version, base_event: base.event }));
			base = await socket.next('ack');
			acked++;
		}
		socket.send(insert(socket, ++clock, 'x', { base_version: base.version, base_event: base.event }));
		await sleep(round);
		proxy.child.kill('SIGKILL');
		await proxy.exit;
		for (const ack of socket.messages.filter((m) => m.type === 'ack' && m.clock > acked))
		{
			acked++;
			base = ack;
		}
		proxy = await stand.another({ listen_port: proxy.config.listen_port });
	}
	const events = stand.events(id);
	assert.ok(events === acked || events === acked + 1, `${events} events, ${acked} acknowledged`);
	await stand.closeSockets();
	await proxy.stop();
});

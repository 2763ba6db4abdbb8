/* SIGTERM and the end. */
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
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

test('new operations while it drains are told to come again', { timeout: 30000 }, async () =>
{
	const proxy = await stand.another({ drain_timeout_ms: 3000, lock_timeout_ms: 1500 });
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
	await sleep(100);
	bob.send(insert(bob, 1, 'y'));
	const error = await bob.next('error');
	assert.equal(error.code, '57P01');
	assert.equal(error.clock, 1);
	assert.ok(error.retry_ms > 0);
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

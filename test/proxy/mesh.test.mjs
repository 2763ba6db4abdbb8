/* Several proxies on one database: people see each other whichever proxy serves them, and none of it is written anywhere. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, afterEach, before } from 'node:test';
import { Database, projectDir, startCluster } from '../lib/cluster.mjs';
import { readMetrics, valueOf } from '../lib/metrics.mjs';
import { eventually, freePort } from '../lib/proxy.mjs';
import { Stand, sleep } from './stand.mjs';

/* On a server as good as idle: what writes WAL there is what the tests do. */
const QUIET = { autovacuum: 'off', wal_level: 'minimal', max_wal_senders: 0, 'collab.worker': 'off', checkpoint_timeout: '1h', max_connections: 100 };
const SMALL = { lanes: 1, retry_lanes: 1, readers: 1, presence_ms: 50 };

let stand;
let proxies;

async function another(options = {})
{
	return stand.another({ ...SMALL, admin_port: await freePort() }, options);
}

before(async () =>
{
	stand = await Stand.start({ config: { ...SMALL, admin_port: await freePort() }, settings: QUIET });
	proxies = [stand.proxy, await another(), await another()];
	await eventually(async () => (await Promise.all(proxies.map((proxy) => peers(proxy)))).every((count) => count === 2),
		{ what: 'the proxies hear of each other' });
});
afterEach(() => stand.closeSockets());
after(() => stand.finish());

const metric = async (proxy, name, labels) => valueOf(await readMetrics(proxy.admin), name, labels);
const peers = (proxy) => metric(proxy, 'collab_exchange_peers');

const join_ = (id, user, site, proxy, open = {}) => stand.socket(id, user, { site, ...open }, { proxy });

/* Who is there and where, as an editor would show it: everything that this socket was told, put together. */
function view(socket)
{
	const people = new Map();
	for (const { join = [], leave = [], cursors = [] } of socket.messages.filter(({ type }) => type === 'presence'))
	{
		for (const person of join)
		{
			assert.ok(!people.has(person.session), 'nobody joins twice');
			people.set(person.session, { ...person });
		}
		for (const session of leave)
			assert.ok(people.delete(session), 'nobody leaves who was not there');
		for (const { session, ...cursor } of cursors)
			if (people.has(session))
				people.get(session).cursor = cursor.position === null ? undefined : cursor;
	}
	return people;
}

const users = (socket) => [...view(socket).values()].map(({ user }) => user).sort();
const sees = (socket, ...expected) => eventually(() => users(socket).join() === expected.join(), { timeout: 15000, what: `${expected} seen` })
	.catch((error) => { throw new Error(`${error.message}: ${users(socket)}`); });
const cursorOf = (socket, of) => view(socket).get(of.welcome.session)?.cursor;

test('people of all proxies see each other, come and go', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	const alice = await join_(id, 'alice', 1, proxies[0], { name: 'Alice "A" \u2028', color: '#d33' });
	const bob = await join_(id, 'bob', 2, proxies[1]);
	await sees(alice, 'alice', 'bob');
	await sees(bob, 'alice', 'bob');
	assert.deepEqual(view(bob).get(alice.welcome.session),
		{ session: alice.welcome.session, user: 'alice', name: 'Alice "A" \u2028', color: '#d33' });
	const more = [await join_(id, 'alice2', 3, proxies[0]), await join_(id, 'bob2', 4, proxies[1])];
	const carol = await join_(id, 'carol', 5, proxies[2]);
	for (const socket of [alice, bob, carol, ...more])
		await sees(socket, 'alice', 'alice2', 'bob', 'bob2', 'carol');
	/* whoever comes where others are known has all of them in his first list */
	const dave = await join_(id, 'dave', 6, proxies[1]);
	assert.equal((await dave.next('presence')).join.length, 6);
	bob.ws.terminate();
	dave.ws.terminate();
	for (const socket of [alice, carol])
		await sees(socket, 'alice', 'alice2', 'bob2', 'carol');
	more[1].ws.terminate(); /* the last one there */
	for (const socket of [alice, carol])
		await sees(socket, 'alice', 'alice2', 'carol');
	const again = await join_(id, 'bob', 7, proxies[1]);
	for (const socket of [alice, carol, again])
		await sees(socket, 'alice', 'alice2', 'bob', 'carol');
});

test('cursors reach everybody, are hidden, and are told to those who come later', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	const alice = await join_(id, 'alice', 1, proxies[0]);
	const bob = await join_(id, 'bob', 2, proxies[1]);
	await sees(bob, 'alice', 'bob');
	alice.send({ type: 'cursor', version: 0, position: 3, selection: [1, 3] });
	await eventually(() => cursorOf(bob, alice));
	assert.deepEqual(cursorOf(bob, alice), { user: 'alice', version: 0, position: 3, selection: [1, 3] });
	const carol = await join_(id, 'carol', 3, proxies[2]);
	await eventually(() => cursorOf(carol, alice)?.position === 3);
	alice.send({ type: 'cursor', version: 0, position: null });
	await eventually(() => !cursorOf(bob, alice) && !cursorOf(carol, alice));
	const dave = await join_(id, 'dave', 4, proxies[1]);
	assert.equal('cursors' in await dave.next('presence'), false);
});

test('rooms are apart, and so are databases', { timeout: 60000 }, async () =>
{
	const here = stand.document();
	const there = stand.document();
	const elsewhere = stand.cluster.createDatabase('elsewhere');
	elsewhere.sql(`SELECT collab.create_document('${here}', NULL::text)`);
	const foreign = await another({ database: elsewhere });
	const alice = await join_(here, 'alice', 1, proxies[0]);
	const bob = await join_(there, 'bob', 2, proxies[1]);
	const eve = await join_(here, 'eve', 3, foreign);
	const carol = await join_(here, 'carol', 4, proxies[1]);
	await sees(alice, 'alice', 'carol');
	carol.send({ type: 'cursor', version: 0, position: 0 });
	await eventually(() => cursorOf(alice, carol));
	assert.deepEqual(users(bob), ['bob']);
	assert.deepEqual(users(eve), ['eve']);
	assert.equal(await peers(proxies[0]), 2);
	await foreign.stop();
});

test('a thousand cursor moves leave the WAL and the next transaction id where they were', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	const alice = await join_(id, 'alice', 1, proxies[0]);
	const bob = await join_(id, 'bob', 2, proxies[1]);
	const carol = await join_(id, 'carol', 3, proxies[2]);
	alice.send({ type: 'cursor', version: 0, position: 1 });
	await eventually(() => cursorOf(bob, alice) && cursorOf(carol, alice));
	const marks = () => stand.sql('SELECT pg_current_wal_insert_lsn(), pg_snapshot_xmax(pg_current_snapshot())').split('|');
	stand.sql('VACUUM FREEZE; CHECKPOINT');
	await eventually(async () => { const now = marks().join(); await sleep(300); return now === marks().join(); }, { what: 'the server is quiet' });
	const before = marks();
	const batches = () => metric(proxies[0], 'collab_exchange_batches_total', { direction: 'out' });
	const sent = await batches();
	for (let i = 1; i <= 1000; i++)
	{
		alice.send({ type: 'cursor', version: 0, position: i });
		if (i % 5 === 0)
			await sleep(10);
	}
	await eventually(() => cursorOf(bob, alice).position === 1000 && cursorOf(carol, alice).position === 1000);
	assert.deepEqual(marks(), before);
	assert.ok(await batches() > sent + 5, 'they went out in many batches');
	/* and what a notification would have cost */
	stand.sql("NOTIFY collab, 'x'");
	assert.notEqual(marks()[0], before[0]);
	assert.notEqual(marks()[1], before[1]);
});

test('a proxy that drains takes its people along, one that is killed within ten seconds', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	const [drained, killed] = [await another(), await another()];
	const alice = await join_(id, 'alice', 1, proxies[0]);
	const bob = await join_(id, 'bob', 2, drained);
	const carol = await join_(id, 'carol', 3, killed);
	for (const socket of [alice, bob, carol])
		await sees(socket, 'alice', 'bob', 'carol');
	const died = Date.now();
	await killed.stop('SIGKILL');
	assert.equal((await drained.stop()).code, 0);
	await eventually(() => users(alice).join() === 'alice,carol', { timeout: 3000, what: 'bob is gone at once' });
	assert.ok(Date.now() - died < 9000, 'and carol is still shown');
	await sees(alice, 'alice');
	assert.ok(Date.now() - died >= 5000, 'whoever is not heard of for a moment is not given up');
	killed.exited = true; /* its log is looked at, its exit code is not */
});

test('when the only one who is shown leaves, the others still see those elsewhere, and see them leave', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	const few = await stand.another({ ...SMALL, admin_port: await freePort(), max_presence: 1 });
	await eventually(async () => await peers(few) >= 3);
	const alice = await join_(id, 'alice', 1, few);
	await sees(alice, 'alice');
	const bob = await join_(id, 'bob', 2, few);
	const carol = await join_(id, 'carol', 3, proxies[0]);
	await sees(bob, 'alice', 'carol');
	await sees(carol, 'alice', 'carol');
	alice.ws.terminate();
	await sees(bob, 'bob', 'carol');
	await sees(carol, 'bob', 'carol');
	carol.ws.terminate();
	await sees(bob, 'bob');
	assert.equal((await few.stop()).code, 0);
});

test('batches that were missed are made up for', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	const slow = await another();
	const alice = await join_(id, 'alice', 1, proxies[0]);
	const bob = await join_(id, 'bob', 2, proxies[1]);
	const carol = await join_(id, 'carol', 3, slow);
	for (const socket of [alice, bob, carol])
		await sees(socket, 'alice', 'bob', 'carol');
	const missed = await metric(slow, 'collab_exchange_lost_total', { reason: 'missed' });
	slow.child.kill('SIGSTOP');
	/* more than the ring holds, and the only news of what happens meanwhile is in front of it */
	bob.ws.terminate();
	const dave = await join_(id, 'dave', 4, proxies[1]);
	alice.send({ type: 'cursor', version: 0, position: 7 });
	await sees(alice, 'alice', 'carol', 'dave');
	await sleep(200);
	stand.sql("SELECT count(collab.presence_send(1, '\\x00')) FROM generate_series(1, 40000)");
	slow.child.kill('SIGCONT');
	await sees(carol, 'alice', 'carol', 'dave');
	await eventually(() => cursorOf(carol, alice)?.position === 7, { what: 'the cursor is made up for' });
	assert.ok(await metric(slow, 'collab_exchange_lost_total', { reason: 'missed' }) > missed);
	assert.equal(dave.closed, null);
	await carol.close();
	assert.equal((await slow.stop()).code, 0);
});

/* A batch as proxy/exchange_wire.h has it. */
const u64 = (value) => { const bytes = Buffer.alloc(8); bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value))); return bytes; };
const batch = (sender, number, ...records) => Buffer.concat([Buffer.from([1]), u64(sender),
	Buffer.from(number < 128 ? [number] : [number & 127 | 128, number >> 7]), ...records]);
const room = (key) => Buffer.concat([Buffer.from([3]), u64(key)]);
const text = (json) => Buffer.concat([Buffer.from([json.length]), Buffer.from(json)]);
const member = (session, user, ...rest) => Buffer.concat([Buffer.from([7]), u64(session), text(user), ...rest.map((part) => Buffer.from(part))]);

test('whatever comes as a batch, nobody is shown nonsense and nothing breaks', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	const key = stand.sql(`SELECT collab.document_key('${id}')`);
	const alice = await join_(id, 'alice', 1, proxies[0]);
	const bob = await join_(id, 'bob', 2, proxies[1]);
	await sees(alice, 'alice', 'bob');
	await sees(bob, 'alice', 'bob');
	const malformed = await metric(proxies[0], 'collab_exchange_lost_total', { reason: 'malformed' });
	const mallory = member(99, '"mallory"', [0, 0, 0]);
	const about = room(key);
	const bad = [
		Buffer.alloc(0), Buffer.from([1]), Buffer.from([2, 1, 2, 3]), Buffer.alloc(60000, 0x80), Buffer.alloc(60000, 7), u64(-1),
		...['mallory', '"mal"lory"', '"\\ud800"', '"a', 'a"', '""x', '"\n"', '[1]', ' "a"'].map((user, i) => batch(500 + i, 1, about, member(99, user, [0, 0, 0]))),
		batch(600, 1, about, member(99, '"x"', [0, 0, 2])), batch(601, 1, about, member(99, '"x"', [0, 0, 1, 2, 0])), batch(602, 1, about, Buffer.from([11])),
		batch(603, 1, about, member(99, '"x"', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])), batch(604, 1, Buffer.from([3, 1, 2])),
		batch(605, 1, about, Buffer.concat([Buffer.from([9]), u64(alice.welcome.session.length), Buffer.from([1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f])])),
	];
	/* well-formed, but about others' members: they are their proxies' own */
	const session = BigInt(`0x${alice.welcome.session}`);
	const foreign = [
		batch(700, 1, about, Buffer.concat([Buffer.from([8]), u64(session)])), batch(701, 1, Buffer.from([2])),
		batch(702, 1, about, Buffer.from([5, 6])), batch(703, 1, about, member(session, '"not alice"', [0, 0, 0])),
		batch(704, 1, mallory), batch(705, 1, room(12345), mallory),
		batch(706, 1, about, Buffer.concat([Buffer.from([9]), u64(session), Buffer.from([1, 0, 66])])),
	];
	const post = (batches) => stand.sql(batches.map((bytes) => `SELECT collab.presence_send(1, '\\x${bytes.toString('hex')}');`).join('\n'));
	post([...bad, ...foreign]);
	await eventually(async () => await metric(proxies[0], 'collab_exchange_lost_total', { reason: 'malformed' }) > malformed + 10);
	await sleep(300);
	for (const socket of [alice, bob])
		assert.deepEqual(users(socket), ['alice', 'bob']);
	assert.equal(cursorOf(bob, alice), undefined);
	/* one batch, cut short and changed anywhere */
	const good = Buffer.concat([about, Buffer.from([5]), member(98, '"x"', text('"name"'), text('"#123"'), [1, 3, 1, 2, 3, 4]), Buffer.from([6, 10, 1]), u64(98)]);
	const broken = Array.from(good.keys()).flatMap((at) => [good.subarray(0, at), ...[0x00, 0x80, 0xff].map((value) =>
	{
		const copy = Buffer.from(good);
		copy[at] = value;
		return copy;
	})]);
	post(broken.map((records, i) => batch(800, 1 + i, records)));
	post([batch(800, 16000, Buffer.from([2]))]);
	/* a real one: shown until its proxy says goodbye */
	post([batch(900, 1, about, mallory)]);
	for (const socket of [alice, bob])
		await eventually(() => users(socket).includes('mallory'));
	post([batch(900, 2, Buffer.from([2]))]);
	const carol = await join_(id, 'carol', 3, proxies[2]);
	await sees(alice, 'alice', 'bob', 'carol');
	await sees(bob, 'alice', 'bob', 'carol');
	assert.equal(carol.closed, null);
});

test('a server that was restarted, an extension that was dropped and made again', { timeout: 60000 }, async () =>
{
	const database = stand.cluster.createDatabase('moving');
	const two = [await another({ database }), await another({ database })];
	const roles = readFileSync(join(projectDir, 'deploy/roles.sql'), 'utf8');
	const meet = async () =>
	{
		database.sql("SELECT collab.create_document('d', NULL::text)");
		const [alice, bob] = [await join_('d', 'alice', 1, two[0]), await join_('d', 'bob', 2, two[1])];
		await sees(alice, 'alice', 'bob');
		await sees(bob, 'alice', 'bob');
		return [alice, bob];
	};
	const [alice, bob] = await meet();
	await stand.cluster.crash();
	await stand.cluster.start();
	await eventually(async () => (await Promise.all(two.map((proxy) => metric(proxy, 'collab_db_pool_connections', { state: 'down' })))).every((down) => down === 0));
	alice.send({ type: 'cursor', version: 0, position: 1 });
	await eventually(() => cursorOf(bob, alice)?.position === 1, { timeout: 15000, what: 'a cursor after the crash' });
	await sees(alice, 'alice', 'bob');
	database.sql('DROP EXTENSION collab');
	await eventually(() => two.every((proxy) => /PRESENCE AND CURSORS STAY WITHIN THIS PROCESS.*code=(42883|3F000)/.test(proxy.log)), { timeout: 20000, what: 'it is said' });
	await stand.closeSockets();
	database.sql('CREATE EXTENSION collab');
	database.sql(roles);
	await eventually(async () => (await Promise.all(two.map((proxy) => metric(proxy, 'collab_db_pool_connections', { pool: 'presence', state: 'up' })))).every((up) => up === 1),
		{ timeout: 20000, what: 'presence works again' });
	await meet();
	for (const proxy of two)
		await proxy.stop();
});

/* These two wait for the proxies' next attempts: together. */
async function oldDatabase()
{
	stand.cluster.sql("CREATE DATABASE old TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'");
	const database = new Database(stand.cluster, 'old');
	database.sql("CREATE EXTENSION collab VERSION '0.1.0'");
	database.sql(readFileSync(join(projectDir, 'test/cluster/roles--0.1.0.sql'), 'utf8'));
	database.sql("SELECT collab.create_document('d', NULL::text)");
	const two = [await another({ database }), await another({ database })];
	const [alice, amy, bob] = [await join_('d', 'alice', 1, two[0]), await join_('d', 'amy', 2, two[0]), await join_('d', 'bob', 3, two[1])];
	await sees(alice, 'alice', 'amy');
	amy.send({ type: 'cursor', version: 0, position: 0 });
	await eventually(() => cursorOf(alice, amy));
	assert.deepEqual(users(bob), ['bob']);
	await eventually(() => two.every((proxy) => /code=42883/.test(proxy.log)));
	database.sql('ALTER EXTENSION collab UPDATE');
	await eventually(() => two.every((proxy) => /code=42501/.test(proxy.log)), { timeout: 15000, what: 'rights are missing' });
	database.sql(readFileSync(join(projectDir, 'deploy/roles.sql'), 'utf8'));
	for (const socket of [alice, amy, bob])
		await sees(socket, 'alice', 'amy', 'bob');
	for (const proxy of two)
		assert.equal(proxy.log.match(/STAY WITHIN THIS PROCESS/g).length, 2, 'each reason once');
	await Promise.all(two.map((proxy) => proxy.stop()));
}

async function withoutPreload(t)
{
	const cluster = await startCluster({ preload: false });
	t.after(() => cluster.destroy());
	const database = cluster.createDatabase('bare');
	database.sql("SELECT collab.create_document('d', NULL::text)");
	const two = [await another({ database }), await another({ database })];
	const [alice, amy, bob] = [await join_('d', 'alice', 1, two[0]), await join_('d', 'amy', 2, two[0]), await join_('d', 'bob', 3, two[1])];
	await sees(alice, 'alice', 'amy');
	amy.send({ type: 'cursor', version: 0, position: 0 });
	await eventually(() => cursorOf(alice, amy));
	const errors = (proxy) => metric(proxy, 'collab_db_errors_total');
	await eventually(async () => (await Promise.all(two.map(errors))).every((count) => count >= 2), { timeout: 15000, what: 'it is tried again' });
	assert.deepEqual(users(bob), ['bob']);
	const { samples } = await readMetrics(two[0].admin);
	assert.deepEqual(samples.filter(({ name }) => /^collab_(db_worker_|quarantined|notify)/.test(name)).map(({ name, value }) => [name, value]),
		[['collab_quarantined_documents', 0], ['collab_notify_queue_ratio', 0]], 'what nobody knows is not shown');
	for (const proxy of two)
	{
		assert.equal(proxy.log.match(/level=warning.*STAY WITHIN THIS PROCESS/g).length, 1);
		assert.match(proxy.log, /STAY WITHIN THIS PROCESS.*code=55000.*advice="add collab to shared_preload_libraries"/);
		assert.equal((await proxy.stop()).code, 0);
	}
}

test('a database of 0.1.0, one whose roles were not set up again, one without preload: presence per process, said once', { timeout: 60000 }, async (t) =>
{
	await Promise.all([oldDatabase(), withoutPreload(t)]);
});

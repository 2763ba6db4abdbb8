/* The database goes away, comes back, comes back as another; hints get lost; documents are locked. */
import assert from 'node:assert/strict';
import test, { after, afterEach, before } from 'node:test';
import { eventually } from '../lib/proxy.mjs';
import { Stand, insert, sleep } from './stand.mjs';

let stand;
before(async () =>
{
	stand = await Stand.start({ config: { lanes: 1, heads_check_ms: 500, lock_timeout_ms: 500, max_waiting_bytes: 65536 } });
});
afterEach(async () =>
{
	await stand.closeSockets();
	if (stand.cluster.exited)
		await stand.cluster.start();
});
after(() => stand.finish());

const key = (id) => stand.sql(`SELECT key FROM collab.documents WHERE doc_id = '${id}'`);

/* Types until `stop` is set; every acknowledgement counts. */
function typist(socket)
{
	const state = { acked: 0, clock: 0, stop: false };
	let base = socket;
	state.done = (async () =>
	{
		while (!state.stop)
		{
			socket.send({ ...insert(socket, ++state.clock, 'x'), base_version: base.version, base_event: base.event });
			const answer = await socket.next((m) => m.type === 'ack' || m.type === 'error', 20000);
			assert.equal(answer.type, 'ack', JSON.stringify(answer));
			base = answer;
			state.acked++;
		}
	})();
	return state;
}

for (const how of ['fast', 'immediate', 'crash'])
{
	test(`the server restarts (${how}): sockets stay, operations wait, nothing is lost or doubled`, { timeout: 60000 }, async () =>
	{
		const id = stand.document();
		const alice = await stand.socket(id, 'alice', { site: 1 });
		const bob = await stand.socket(id, 'bob', { site: 2 });
		const state = typist(alice);
		await eventually(() => state.acked > 20);
		if (how === 'crash')
			await stand.cluster.crash();
		else
			await stand.cluster.stop(how);
		await eventually(async () => (await stand.proxy.health()).database === 'down');
		const before = state.acked;
		await sleep(500);
		assert.equal(state.acked, before);
		await stand.cluster.start();
		await eventually(() => state.acked > before + 20, { timeout: 20000, what: 'typing goes on' });
		state.stop = true;
		await state.done;
		assert.equal(stand.events(id), state.acked);
		assert.equal(stand.text(id), 'x'.repeat(state.acked));
		const versions = () => bob.messages.filter((m) => m.type === 'events').flatMap((m) => m.events).map((e) => e.version);
		await eventually(() => versions().length === state.acked);
		assert.deepEqual(versions(), Array.from({ length: state.acked }, (_, i) => alice.version + 1 + i));
	});
}

test('backends are terminated under load', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	const alice = await stand.socket(id, 'alice', { site: 1 });
	const state = typist(alice);
	for (let i = 0; i < 10; i++)
	{
		const before = state.acked;
		await eventually(() => state.acked > before + 5, { timeout: 10000 });
		stand.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'collab-proxy'");
	}
	state.stop = true;
	await state.done;
	assert.equal(stand.events(id), state.acked);
});

test('while the database is gone operations wait within bounds, the rest is told to come again', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	const sockets = [];
	for (let i = 0; i < 20; i++)
		sockets.push(await stand.socket(id, `user${i}`, { site: i + 1 }));
	await stand.cluster.stop('immediate');
	await eventually(async () => (await stand.proxy.health()).database === 'down');
	const answers = sockets.map((socket) => socket.next((m) => m.type === 'ack' || m.type === 'error', 30000));
	for (const socket of sockets)
		socket.send(insert(socket, 1, 'y'.repeat(10000)));
	await sleep(300);
	const errors = sockets.flatMap((socket) => socket.messages.filter((m) => m.type === 'error'));
	assert.ok(errors.length >= 10 && errors.length <= 15, `${errors.length} were turned away`);
	for (const error of errors)
	{
		assert.equal(error.code, '08006');
		assert.equal(error.clock, 1);
		assert.ok(error.retry_ms > 0);
	}
	/* presence and heartbeats go on */
	sockets[0].send({ type: 'heartbeat' });
	await sockets[0].next('heartbeat');
	await stand.cluster.start();
	const results = await Promise.all(answers);
	/* the same message again, as it was told */
	await Promise.all(sockets.map(async (socket, i) =>
	{
		for (let answer = results[i]; answer.type === 'error';)
		{
			await sleep(answer.retry_ms);
			socket.send(insert(socket, 1, 'y'.repeat(10000)));
			answer = await socket.next((m) => m.type === 'ack' || m.type === 'error', 20000);
		}
	}));
	assert.equal(stand.events(id), 20);
});

test('opens wait for the database', { timeout: 60000 }, async () =>
{
	const id = stand.document({ ops: [{ insert: 'abc' }] });
	await stand.cluster.stop('immediate');
	const opening = stand.socket(id, 'alice', null);
	const socket = await opening;
	socket.send({ type: 'open', site: 5 });
	socket.send({ type: 'heartbeat' });
	assert.equal((await socket.next('heartbeat')).version, 0);
	await stand.cluster.start();
	assert.equal((await socket.next('snapshot', 20000)).content.ops[0].insert, 'abc');
});

test('a locked document does not hold up the others', { timeout: 60000 }, async () =>
{
	const locked = stand.document();
	const free = stand.document();
	const alice = await stand.socket(locked, 'alice', { site: 1 });
	const session = stand.database.session();
	await session.query('BEGIN');
	await session.query(`SELECT collab.insert_text('${locked}', 0, 's')`);
	alice.send(insert(alice, 1, 'x'));
	await sleep(100);
	for (let i = 0; i < 6; i++)
	{
		const bob = await stand.socket(free, 'bob', { site: 10 + i });
		bob.send(insert(bob, 1, 'y'));
		await bob.next('ack');
	}
	const error = await alice.next('error');
	assert.equal(error.code, '55P03');
	assert.equal(error.clock, 1);
	assert.ok(error.retry_ms > 0);
	/* committed while it waits: the operation follows */
	alice.send(insert(alice, 1, 'x'));
	await sleep(100);
	await session.query('COMMIT');
	await session.close();
	assert.equal((await alice.next('ack')).clock, 1);
	assert.equal(stand.events(locked), 2);
	assert.equal((await alice.next('events')).events[0].site, 0);
});

test('many editors of a locked document do not hold up another that was locked for a moment', { timeout: 60000 }, async () =>
{
	const proxy = await stand.another({ retry_lanes: 1, lock_timeout_ms: 1000 });
	const locked = stand.document();
	const brief = stand.document();
	const editors = [];
	for (let i = 0; i < 12; i++)
		editors.push(await stand.socket(locked, `editor${i}`, { site: 1 + i }, { proxy }));
	const bob = await stand.socket(brief, 'bob', { site: 20 }, { proxy });
	const [long, short] = [stand.database.session(), stand.database.session()];
	await long.query(`BEGIN; SELECT collab.insert_text('${locked}', 0, 's')`);
	await short.query(`BEGIN; SELECT collab.insert_text('${brief}', 0, 's')`);
	const logged = stand.cluster.logTail(1 << 20).length;
	editors.forEach((editor) => editor.send(insert(editor, 1, 'x')));
	await sleep(300);
	bob.send(insert(bob, 1, 'y'));
	await sleep(100);
	await short.query('COMMIT');
	await bob.next('ack', 20000);
	/* behind the one wait that was under way, not behind one for each of the twelve */
	const waits = stand.cluster.logTail(1 << 20).slice(logged).match(/due to lock timeout/g) ?? [];
	assert.ok(waits.length <= 3, `${waits.length} waits were over first`);
	await long.query('COMMIT');
	/* each of them comes again, and is done exactly once */
	await Promise.all(editors.map(async (editor) =>
	{
		for (let answer = await editor.next((m) => m.type === 'error'); answer.type === 'error';)
		{
			assert.equal(answer.code, '55P03');
			await sleep(answer.retry_ms);
			editor.send(insert(editor, 1, 'x'));
			answer = await editor.next((m) => m.type === 'ack' || m.type === 'error', 20000);
		}
	}));
	assert.equal(stand.events(locked), 13);
	await Promise.all([long.close(), short.close()]);
	await proxy.stop();
});

test('a statement that fails as a whole spoils nothing for the others', { timeout: 60000 }, async () =>
{
	/* a trigger on one leaf makes every insert into it an exception, and so every batch with such a document */
	const leaf = (id) => stand.sql(`SELECT DISTINCT tableoid::regclass FROM collab.events WHERE doc = ${key(id)}`);
	const content = { ops: [{ insert: '-' }] };
	const bad = stand.document(content);
	let good = stand.document(content);
	while (leaf(good) === leaf(bad))
		good = stand.document(content);
	let rounds = 0;
	/* one lane: what waits while it commits shares a batch */
	const proxy = await stand.another({ lanes: 1 });
	const mallory = await stand.socket(bad, 'mallory', { site: 1 }, { proxy });
	const friends = [];
	for (let i = 0; i < 5; i++)
		friends.push(await stand.socket(good, `friend${i}`, { site: 10 + i }, { proxy }));
	stand.sql(`CREATE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
		CREATE TRIGGER nothing BEFORE INSERT ON ${leaf(bad)} FOR EACH ROW EXECUTE FUNCTION public.nothing()`);
	try
	{
		for (; rounds < 5 || (rounds < 200 && !/a batch failed/.test(proxy.log)); rounds++)
		{
			const clock = rounds + 1;

			mallory.send(insert(mallory, clock, 'm'));
			for (const friend of friends)
			{
				const base = friend.last ?? friend;
				friend.send({ ...insert(friend, clock, 'a'), base_version: base.version, base_event: base.event });
			}
			for (const friend of friends)
				friend.last = await friend.next('ack');
			const error = await mallory.next('error');
			assert.equal(error.code, '0A000');
			assert.equal(error.clock, clock);
			assert.equal('retry_ms' in error, false);
		}
	}
	finally
	{
		stand.sql(`DROP TRIGGER nothing ON ${leaf(bad)}`);
	}
	assert.match(proxy.log, /a batch failed/, 'they were in one batch at least once');
	assert.equal(stand.events(good), 5 * rounds);
	assert.equal(stand.events(bad), 0);
	await proxy.stop();
});

test('without any hint the comparison with the heads finds what is new', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	const alice = await stand.socket(id, 'alice', { site: 1 });
	/* a prepared transaction pushes no hint when it commits; here the listener is just kept from hearing */
	stand.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'collab-proxy' AND query = 'LISTEN collab'");
	stand.sql(`SELECT collab.insert_text('${id}', 0, 'a')`);
	assert.equal((await alice.next('events', 3000)).events[0].op.ops[0].insert, 'a');
});

test('hints are not trusted', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	const alice = await stand.socket(id, 'alice', { site: 1 });
	const hex = stand.sql(`SELECT to_hex(${key(id)}::bigint)`).padStart(16, '0');
	for (const payload of [`${hex}:999999`, `${hex}:9223372036854775807`, `${hex}:99999999999999999999`, `${hex}:-1`, `${hex}:`, hex, '*', '* *', ' ', ':::',
		'x'.repeat(7000), `${hex}:1 `.repeat(300), "'; drop table x; --"])
		stand.sql(`NOTIFY collab, '${payload.replaceAll("'", "''")}'`);
	await sleep(300);
	assert.equal(alice.closed, null);
	alice.send(insert(alice, 1, 'x'));
	await alice.next('ack');
});

test('a history that lost its tail: everybody opens again', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	const alice = await stand.socket(id, 'alice', { site: 1 });
	const bob = await stand.socket(id, 'bob', { site: 2 });
	let base = alice;
	for (let clock = 1; clock <= 5; clock++)
	{
		alice.send({ ...insert(alice, clock, 'x'), base_version: base.version, base_event: base.event });
		base = await alice.next('ack');
	}
	await bob.next('events');
	/* what a promoted standby that was behind would have */
	stand.sql(`ALTER TABLE collab.events DISABLE TRIGGER ALL; DELETE FROM collab.events WHERE doc = ${key(id)} AND version > ${alice.version + 3};
		ALTER TABLE collab.events ENABLE TRIGGER ALL`);
	assert.equal((await alice.closing()).code, 4409);
	assert.equal((await bob.closing()).code, 4409);
	const again = await stand.socket(id, 'alice', { site: 1, last_version: base.version, last_event: base.event, pending: 1 });
	const snapshot = again.messages.find((m) => m.type === 'snapshot');
	assert.equal(snapshot.reason, 'OT010');
	assert.equal(snapshot.version, alice.version + 3);
	assert.equal(snapshot.applied_clock, 3);
});

/* Five pieces, one after the other: the positions that they left behind, from that of the opening on. */
async function typeFive(socket)
{
	const positions = [socket];
	for (let clock = 1; clock <= 5; clock++)
	{
		socket.send({ ...insert(socket, clock, 'x'), base_version: positions.at(-1).version, base_event: positions.at(-1).event });
		positions.push(await socket.next('ack'));
	}
	return positions;
}

test('a history that lost its tail and has grown again before anybody looked: everybody opens again', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	/* what it commits itself is all that this proxy hears of the document */
	const proxy = await stand.another({ lanes: 1, retry_lanes: 1, readers: 1, heads_check_ms: 3600000 });
	const [alice, bob] = [await stand.socket(id, 'alice', { site: 1 }, { proxy }), await stand.socket(id, 'bob', { site: 2 }, { proxy })];
	const acks = await typeFive(alice);
	stand.sql(`ALTER TABLE collab.events DISABLE TRIGGER ALL; DELETE FROM collab.events WHERE doc = ${key(id)} AND version > ${alice.version + 3};
		ALTER TABLE collab.events ENABLE TRIGGER ALL`);
	stand.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'collab-proxy' AND query LIKE '%submit_batch%'");
	/* typed before the tail had reached them, and committed where it was */
	const late = await Promise.all([11, 12, 13].map((site) => stand.socket(id, `late-${site}`, { site }, { proxy })));
	for (const socket of late)
		socket.send(insert(socket, 1, 'y', { base_version: acks[3].version, base_event: acks[3].event }));
	await eventually(() => stand.text(id).length === 6, { what: 'the document is as long as before, and one longer' });
	assert.equal((await bob.closing()).code, 4409);
	assert.equal((await alice.closing()).code, 4409);
	const versions = bob.messages.filter((m) => m.type === 'events').flatMap((m) => m.events).map((e) => e.version);
	assert.ok(versions.every((version) => version <= acks.at(-1).version), 'nothing of the new history behind the old one');
});

test('a history that lost its tail, and others have filled its place exactly: everybody opens again', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	const proxy = await stand.another({ lanes: 1, retry_lanes: 1, readers: 1, heads_check_ms: 3600000 });
	const [alice, bob] = [await stand.socket(id, 'alice', { site: 1 }, { proxy }), await stand.socket(id, 'bob', { site: 2 }, { proxy })];
	const late = await stand.socket(id, 'late', { site: 11 }, { proxy });
	const acks = await typeFive(alice);
	/* in one go: the new server never was in any other state */
	stand.sql(`BEGIN; LOCK TABLE collab.events; ALTER TABLE collab.events DISABLE TRIGGER ALL;
		DELETE FROM collab.events WHERE doc = ${key(id)} AND version > ${alice.version + 3}; ALTER TABLE collab.events ENABLE TRIGGER ALL;
		SELECT collab.insert_text('${id}', 0, 'a'); SELECT collab.insert_text('${id}', 0, 'b');
		SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'collab-proxy' AND query LIKE '%submit_batch%'; COMMIT`);
	late.send(insert(late, 1, 'y', { base_version: acks[3].version, base_event: acks[3].event }));
	await eventually(() => stand.text(id).length === 6, { what: 'it is committed, one version beyond the lost tail' });
	assert.equal((await bob.closing()).code, 4409);
	assert.equal((await late.closing()).code, 4409);
	const versions = bob.messages.filter((m) => m.type === 'events').flatMap((m) => m.events).map((e) => e.version);
	assert.ok(versions.every((version) => version <= acks.at(-1).version), 'nothing of the new history behind the old one');
});

test('a history that went another way at the same version', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	const alice = await stand.socket(id, 'alice', { site: 1 });
	alice.send(insert(alice, 1, 'x'));
	await alice.next('ack');
	stand.sql(`ALTER TABLE collab.events DISABLE TRIGGER ALL; UPDATE collab.events SET clock = 77, checksum = NULL WHERE doc = ${key(id)} AND version = ${alice.version + 1};
		ALTER TABLE collab.events ENABLE TRIGGER ALL`);
	assert.equal((await alice.closing()).code, 4409);
});

test('a damaged document keeps nothing from the others', { timeout: 60000 }, async () =>
{
	const [damaged, ...others] = [stand.document(), stand.document(), stand.document()];
	const alice = await stand.socket(damaged, 'alice', { site: 1 });
	const sockets = await Promise.all(others.map((id, i) => stand.socket(id, 'bob', { site: 2 + i })));
	/* one commit: the proxy hears of all of them together, and asks for all of them together */
	stand.sql(`BEGIN; SELECT collab.insert_text('${damaged}', 0, 'a'); SELECT collab.insert_text('${damaged}', 0, 'b');
		${others.map((id) => `SELECT collab.insert_text('${id}', 0, 'c');`).join(' ')} LOCK TABLE collab.events; ALTER TABLE collab.events DISABLE TRIGGER ALL;
		DELETE FROM collab.events WHERE doc = ${key(damaged)} AND version = ${alice.version + 1}; ALTER TABLE collab.events ENABLE TRIGGER ALL; COMMIT`);
	for (const socket of sockets)
		assert.equal((await socket.next('events')).events[0].op.ops[0].insert, 'c');
	assert.equal(alice.closed, null);
	assert.ok(!alice.messages.some(({ type }) => type === 'events'));
});

test('history is deleted faster than the proxy follows: everybody opens again, and nothing pending is lost or doubled', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	const alice = await stand.socket(id, 'alice', { site: 1 });
	const other = stand.document();
	const bob = await stand.socket(other, 'bob', { site: 2 });
	alice.send(insert(alice, 1, 'x'));
	const { version, event } = await alice.next('ack');
	stand.sql(`BEGIN; SELECT collab.set_retention('${id}', NULL, '0'); SELECT collab.insert_text('${id}', 0, 'a'); SELECT pg_sleep(0.01);
		SELECT collab.insert_text('${id}', 0, 'b'); SELECT collab.prune('${id}'); COMMIT`);
	assert.equal((await alice.closing()).code, 4409);
	const again = await stand.socket(id, 'alice', { site: 1, last_version: version, last_event: event, pending: 2 });
	const snapshot = again.messages.find((m) => m.type === 'snapshot');
	assert.equal(snapshot.reason, 'OT002');
	assert.equal(snapshot.version, version + 2);
	assert.equal(snapshot.applied_clock, 1);
	assert.deepEqual(snapshot.content.ops, [{ insert: 'bax' }]);
	/* on the old base it is refused for good, on the new one it is taken */
	again.send({ type: 'op', clock: 2, base_version: version, base_event: event, op: { ops: [{ insert: 'y' }] } });
	assert.equal((await again.next('error')).code, 'OT002');
	const once = await stand.socket(id, 'alice', { site: 1, last_version: snapshot.version, last_event: snapshot.event, pending: 1 });
	once.send({ type: 'op', clock: 3, base_version: snapshot.version, base_event: snapshot.event, op: { ops: [{ insert: 'z' }] } });
	await once.next('ack');
	assert.equal(stand.text(id), 'zbax');
	/* and whose documents were asked for in the same breath notice nothing */
	bob.send(insert(bob, 1, 'bob'));
	await bob.next('ack');
});

test('a server that does not keep what it commits: said loudly', { timeout: 60000 }, async () =>
{
	stand.sql('ALTER ROLE collab_proxy SET synchronous_commit = off');
	const proxy = await stand.another();
	assert.equal((await proxy.health()).durable, false);
	assert.match(proxy.log, /level=error msg="ACKNOWLEDGED EDITS MAY BE LOST.*synchronous_commit=off/);
	stand.sql('ALTER ROLE collab_proxy RESET synchronous_commit');
	assert.equal((await stand.proxy.health()).durable, true);
	await proxy.stop();
});

test('a database without the extension, or none at all: it waits and says why', { timeout: 60000 }, async () =>
{
	stand.cluster.sql('CREATE DATABASE empty');
	const proxy = await stand.another({ database: stand.cluster.conninfo('empty', 'collab_proxy') }, { wait: false, database: null });
	await eventually(() => /cannot use the database/.test(proxy.log), { timeout: 10000 });
	assert.equal((await proxy.health()).database, 'down');
	stand.cluster.sql('CREATE EXTENSION collab', { database: 'empty' });
	stand.cluster.sql('GRANT USAGE ON SCHEMA collab TO collab_proxy', { database: 'empty' });
	await eventually(async () => (await proxy.health()).database === 'up', { timeout: 15000 });
	await proxy.stop();
});

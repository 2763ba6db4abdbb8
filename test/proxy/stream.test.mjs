/* Every connection sees every version exactly once, ascending, without gaps. */
import assert from 'node:assert/strict';
import test, { after, afterEach, before } from 'node:test';
import { eventually } from '../lib/proxy.mjs';
import { Stand, insert, sleep } from './stand.mjs';

let stand;
before(async () => { stand = await Stand.start({ config: { ring_events: 20, max_events: 25, max_batch: 3, heads_check_ms: 500 } }); });
afterEach(() => stand.closeSockets());
after(() => stand.finish());

/* The versions that a socket was told of since it opened, own and foreign, in order. */
function versions(socket)
{
	const seen = [];
	for (const message of socket.messages)
	{
		if (message.type === 'ack')
			for (let i = 0; i < message.count; i++)
				seen.push(message.version + i);
		else if (message.type === 'events')
			seen.push(...message.events.map((event) => event.version));
	}
	return seen;
}

const upTo = (from, to) => Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);

const reaches = (socket, version) => eventually(() => versions(socket).at(-1) >= version, { what: `version ${version}` });

test('open without a position: a snapshot', async () =>
{
	const id = stand.document({ ops: [{ insert: 'Hello' }, { insert: '😀', attributes: { bold: true } }] });
	const socket = await stand.socket(id, 'alice', { site: 5 });
	assert.equal(socket.welcome.doc, id);
	assert.equal(socket.welcome.role, 'editor');
	assert.match(socket.welcome.session, /^[0-9a-f]{16}$/);
	assert.equal(socket.welcome.heartbeat_ms, 5000);
	const snapshot = socket.messages.find((m) => m.type === 'snapshot');
	assert.equal(snapshot.version, socket.welcome.version);
	assert.equal(snapshot.applied_clock, 0);
	assert.equal('reason' in snapshot, false);
	assert.deepEqual(snapshot.content, { ops: [{ insert: 'Hello' }, { attributes: { bold: true }, insert: '😀' }] });
});

test('an operation is acknowledged to its sender and sent to the others', async () =>
{
	const id = stand.document();
	const alice = await stand.socket(id, 'alice', { site: 5 });
	const bob = await stand.socket(id, 'bob', { site: 6 });
	alice.send(insert(alice, 1, 'Hello'));
	const ack = await alice.next('ack');
	assert.equal(ack.clock, 1);
	assert.equal(ack.version, alice.version + 1);
	assert.equal(ack.count, 1);
	const { events } = await bob.next('events');
	assert.deepEqual(events.map(({ at, ...rest }) => rest), [{ version: ack.version, event: ack.event, site: 5, clock: 1,
		user: 'alice', op: { ops: [{ insert: 'Hello' }] } }]);
	assert.ok(Math.abs(Date.parse(events[0].at) - Date.now()) < 60000);
	assert.match(events[0].at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
	assert.equal(stand.text(id), 'Hello');
});

test('a list becomes one event per piece and one ack', async () =>
{
	const id = stand.document();
	const alice = await stand.socket(id, 'alice', { site: 5 });
	const bob = await stand.socket(id, 'bob', { site: 6 });
	const ops = Array.from({ length: 1000 }, (_, i) => ({ ops: i === 0 ? [{ insert: 'x' }] : [{ retain: i }, { insert: 'x' }] }));
	alice.send({ type: 'op', clock: 10, base_version: alice.version, base_event: alice.event, ops });
	await reaches(alice, alice.version + 1000);
	await reaches(bob, bob.version + 1000);
	let clock = 10;
	for (const ack of alice.messages.filter((m) => m.type === 'ack'))
	{
		assert.equal(ack.clock, clock);
		clock += ack.count;
	}
	assert.equal(clock, 1010);
	assert.deepEqual(versions(bob), [...upTo(1, 1000)].map((v) => v + bob.version));
	assert.equal(stand.text(id).length, 1000);
});

test('many clients at once: everybody sees one order', async () =>
{
	const id = stand.document();
	const sockets = [];
	for (let i = 0; i < 12; i++)
		sockets.push(await stand.socket(id, `user${i % 4}`, { site: i + 1 }));
	const base = { version: sockets[0].version, event: sockets[0].event };
	await Promise.all(sockets.map(async (socket, i) =>
	{
		for (let clock = 1; clock <= 15; clock++)
		{
			/* always from the first version: the server carries it over what came since */
			socket.send({ type: 'op', clock, base_version: clock === 1 ? base.version : socket.last.version,
				base_event: clock === 1 ? base.event : socket.last.event, op: { ops: [{ insert: `${i}:${clock} ` }] } });
			socket.last = await socket.next('ack');
		}
	}));
	const last = base.version + 12 * 15;
	for (const socket of sockets)
	{
		await reaches(socket, last);
		assert.deepEqual(versions(socket), upTo(base.version + 1, last));
	}
	const ids = new Map();
	for (const socket of sockets)
		for (const event of socket.messages.filter((m) => m.type === 'events').flatMap((m) => m.events))
		{
			assert.equal(ids.get(event.version) ?? event.event, event.event);
			ids.set(event.version, event.event);
			assert.notEqual(event.site, sockets.indexOf(socket) + 1, 'no own event comes as a foreign one');
		}
});

test('edits by SQL reach open sockets within 50 ms', async () =>
{
	const id = stand.document();
	const alice = await stand.socket(id, 'alice', { site: 5 });
	const session = stand.database.session();
	await session.query('SELECT 1');
	const delays = [];
	for (let i = 0; i < 10; i++)
	{
		const arrival = alice.next('events');
		await session.query(`SELECT collab.insert_text('${id}', 0, 'x')`);
		const committed = performance.now();
		const { events } = await arrival;
		delays.push(performance.now() - committed);
		assert.equal(events[0].site, 0);
		await sleep(20);
	}
	await session.close();
	delays.sort((a, b) => a - b);
	assert.ok(delays[5] < 50, `median ${delays[5]} ms`);
	assert.deepEqual(versions(alice), upTo(alice.version + 1, alice.version + 10));
});

test('edits by SQL between those of clients leave no gap', async () =>
{
	const id = stand.document();
	const alice = await stand.socket(id, 'alice', { site: 5 });
	const bob = await stand.socket(id, 'bob', { site: 6 });
	const session = stand.database.session();
	let running = true;
	let edits = 0;
	const writer = (async () =>
	{
		while (running)
		{
			await session.query(`SELECT collab.insert_text('${id}', 0, 'S')`);
			edits++;
		}
	})();
	let base = alice;
	for (let clock = 1; clock <= 60; clock++)
	{
		alice.send({ ...insert(alice, clock, 'a'), base_version: base.version, base_event: base.event });
		base = await alice.next('ack');
	}
	running = false;
	await writer;
	await session.close();
	const last = alice.version + 60 + edits;
	for (const socket of [alice, bob])
	{
		await reaches(socket, last);
		assert.deepEqual(versions(socket), upTo(socket.version + 1, last));
	}
});

test('two proxies on one document', async () =>
{
	const id = stand.document();
	const other = await stand.another();
	const alice = await stand.socket(id, 'alice', { site: 5 });
	const bob = await stand.socket(id, 'bob', { site: 6 }, { proxy: other });
	const type = async (socket) =>
	{
		let base = socket;
		for (let clock = 1; clock <= 40; clock++)
		{
			socket.send({ ...insert(socket, clock, 'x'), base_version: base.version, base_event: base.event });
			base = await socket.next('ack');
		}
	};
	await Promise.all([type(alice), type(bob)]);
	for (const socket of [alice, bob])
	{
		await reaches(socket, socket.version + 80);
		assert.deepEqual(versions(socket), upTo(socket.version + 1, socket.version + 80));
	}
	await stand.closeSockets();
	await other.stop();
});

test('own pieces are acknowledged whichever connection sent them', async () =>
{
	const id = stand.document();
	const first = await stand.socket(id, 'alice', { site: 5 });
	const second = await stand.socket(id, 'alice', { site: 5 });
	const stranger = await stand.socket(id, 'bob', { site: 5 });
	first.send(insert(first, 1, 'x'));
	assert.equal((await second.next('ack')).clock, 1);
	assert.equal((await stranger.next('events')).events[0].user, 'alice', 'the same site of another user is foreign');
});

test('a late copy is recognised; its acknowledgement is its place in the stream', async () =>
{
	const id = stand.document();
	const first = await stand.socket(id, 'alice', { site: 5 });
	first.send(insert(first, 1, 'x'));
	await first.next('ack');
	first.ws.terminate();
	const again = await stand.socket(id, 'alice', { site: 5, last_version: first.version, last_event: first.event, pending: 1 });
	const [event] = again.messages.find((m) => m.type === 'events').events;
	assert.equal(event.clock, 1);
	assert.equal(event.user, 'alice');
	again.send(insert(first, 1, 'x'));
	again.send({ type: 'heartbeat' });
	await again.next('heartbeat');
	await sleep(100);
	assert.equal(again.messages.filter((m) => m.type === 'ack' || m.type === 'error').length, 0);
	assert.equal(stand.events(id), 1);
	again.send({ ...insert(again, 2, 'y'), base_version: event.version, base_event: event.event });
	assert.equal((await again.next('ack')).clock, 2);
});

test('open at a position: the missed events, from the ring and from the database', async () =>
{
	const id = stand.document();
	const alice = await stand.socket(id, 'alice', { site: 5 });
	const positions = [{ version: alice.version, event: alice.event }];
	for (let clock = 1; clock <= 60; clock++)
	{
		const base = positions.at(-1);
		alice.send({ ...insert(alice, clock, 'x'), base_version: base.version, base_event: base.event });
		positions.push(await alice.next('ack'));
	}
	/* the ring holds 20, a page 25 */
	for (const missed of [0, 1, 19, 20, 21, 25, 26, 50, 60])
	{
		const from = positions[60 - missed];
		const bob = await stand.socket(id, 'bob', { site: 6, last_version: from.version, last_event: from.event, pending: 1 });
		assert.deepEqual(versions(bob), upTo(from.version + 1, positions[60].version), `${missed} missed`);
		assert.equal(bob.welcome.version, positions[60].version);
	}
	const from = positions[0];
	const idle = await stand.socket(id, 'bob', { site: 7, last_version: from.version, last_event: from.event, pending: 0 });
	assert.equal(idle.messages.find((m) => m.type === 'snapshot').version, positions[60].version,
		'who has nothing pending and is far behind gets a snapshot');
});

test('a room that was opened page by page knows where it is', async () =>
{
	const id = stand.document();
	const typist = await stand.socket(id, 'alice', { site: 5 });
	typist.send({ type: 'op', clock: 1, base_version: typist.version, base_event: typist.event,
		ops: Array.from({ length: 70 }, () => ({ ops: [{ insert: 'x' }] })) });
	await reaches(typist, typist.version + 70);
	const { version: first, event: firstEvent } = typist;
	await stand.closeSockets();
	await eventually(async () => (await stand.proxy.health()).documents === 0);
	const position = { last_version: first, last_event: firstEvent, pending: 1 };
	const alone = await stand.socket(id, 'bob', { site: 6, ...position });
	assert.deepEqual(versions(alone), upTo(first + 1, first + 70));
	await sleep(1500); /* a comparison with the heads */
	assert.equal(alone.closed, null);
	const second = await stand.socket(id, 'carol', { site: 7, ...position });
	second.send({ ...insert(second, 1, 'y'), base_version: second.version, base_event: second.event });
	await second.next('ack');
	await reaches(alone, first + 71);
	assert.equal(alone.closed, null);
});

test('open while others type: the live stream joins without a gap', async () =>
{
	const id = stand.document();
	const typist = await stand.socket(id, 'alice', { site: 5 });
	const start = { version: typist.version, event: typist.event };
	let running = true;
	let base = start;
	const typing = (async () =>
	{
		for (let clock = 1; running; clock++)
		{
			typist.send({ ...insert(typist, clock, 'x'), base_version: base.version, base_event: base.event });
			base = await typist.next('ack');
		}
	})();
	const readers = [];
	for (let i = 0; i < 20; i++)
	{
		const at = i % 2 === 0 ? {} : { last_version: start.version, last_event: start.event, pending: 1 };
		readers.push(await stand.socket(id, `r${i}`, { site: 100 + i, ...at }));
		await sleep(10);
	}
	running = false;
	await typing;
	for (const reader of readers)
	{
		const snapshot = reader.messages.find((m) => m.type === 'snapshot');
		await reaches(reader, base.version);
		assert.deepEqual(versions(reader), upTo((snapshot ?? start).version + 1, base.version));
	}
});

test('another history: a snapshot with OT010', async () =>
{
	const id = stand.document({ ops: [{ insert: 'abc' }] });
	for (const position of [{ last_version: 0, last_event: '0123456789abcdef' }, { last_version: 99, last_event: '0123456789abcdef' }])
	{
		const socket = await stand.socket(id, 'alice', { site: 5, pending: 2, ...position });
		assert.equal(socket.messages.find((m) => m.type === 'snapshot').reason, 'OT010');
	}
});

test('a snapshot tells who has something pending the highest clock of his site', async () =>
{
	const id = stand.document();
	const alice = await stand.socket(id, 'alice', { site: 5 });
	alice.send(insert(alice, 41, 'x'));
	await alice.next('ack');
	for (const [user, site, pending, clock] of [['alice', 5, 1, 41], ['alice', 6, 1, 0], ['bob', 5, 1, 0], ['alice', 5, 0, 0]])
	{
		const socket = await stand.socket(id, user, { site, pending });
		assert.equal(socket.messages.find((m) => m.type === 'snapshot').applied_clock, clock);
	}
});

test('a missing document: OT004 and 4404', async () =>
{
	const socket = await stand.socket('never-made', 'alice', null);
	socket.send({ type: 'open', site: 5 });
	const error = await socket.next('error');
	assert.equal(error.code, 'OT004');
	assert.equal('clock' in error, false);
	assert.equal((await socket.closing()).code, 4404);
});

test('a document that is dropped: OT004 and 4404, and a new one of the same name is another history', async () =>
{
	const id = stand.document();
	const alice = await stand.socket(id, 'alice', { site: 5 });
	alice.send(insert(alice, 1, 'x'));
	const ack = await alice.next('ack');
	stand.sql(`SELECT collab.drop_document('${id}')`);
	assert.equal((await alice.next('error')).code, 'OT004');
	assert.equal((await alice.closing()).code, 4404);
	stand.sql(`SELECT collab.create_document('${id}', 'new'::text)`);
	const again = await stand.socket(id, 'alice', { site: 5, last_version: ack.version, last_event: ack.event, pending: 1 });
	assert.equal(again.messages.find((m) => m.type === 'snapshot').reason, 'OT010');
});

test('a document whose row is deleted, by SQL or by a foreign key of an application, is closed as well', async () =>
{
	stand.sql(`CREATE TABLE projects (doc_id text PRIMARY KEY)`);
	for (const deletion of ['DELETE FROM collab.documents WHERE doc_id = ', 'DELETE FROM projects WHERE doc_id = '])
	{
		const id = stand.document();
		stand.sql(`INSERT INTO projects VALUES ('${id}')`);
		if (deletion.includes('projects'))
			stand.sql(`ALTER TABLE collab.documents ADD CONSTRAINT of_project FOREIGN KEY (doc_id) REFERENCES projects ON DELETE CASCADE NOT VALID`);
		const alice = await stand.socket(id, 'alice', { site: 5 });
		const bob = await stand.socket(id, 'bob', { site: 6 });
		alice.send(insert(alice, 1, 'x'));
		await alice.next('ack');
		stand.sql(`${deletion}'${id}'`);
		for (const socket of [alice, bob])
		{
			assert.equal((await socket.next('error')).code, 'OT004');
			assert.equal((await socket.closing()).code, 4404);
		}
		assert.equal(stand.sql(`SELECT count(*) FROM collab.events WHERE doc = collab.document_key('${id}')`), '0');
	}
	stand.sql(`ALTER TABLE collab.documents DROP CONSTRAINT of_project; DROP TABLE projects`);
});

test('a large document and a large operation', async () =>
{
	const text = 'Lorem ipsum 😀 '.repeat(40000);
	const id = stand.document({ ops: [{ insert: text }] });
	const alice = await stand.socket(id, 'alice', { site: 5 });
	const bob = await stand.socket(id, 'bob', { site: 6 });
	assert.equal(alice.messages.find((m) => m.type === 'snapshot').content.ops[0].insert, text);
	const piece = 'abcdefghij'.repeat(90000);
	alice.send(insert(alice, 1, piece));
	await alice.next('ack');
	assert.equal((await bob.next('events')).events[0].op.ops[0].insert, piece);
});

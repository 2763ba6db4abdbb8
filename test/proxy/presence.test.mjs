/* Who is there and where their cursors are; none of it touches the database. */
import assert from 'node:assert/strict';
import test, { after, afterEach, before } from 'node:test';
import { eventually } from '../lib/proxy.mjs';
import { Stand, sleep } from './stand.mjs';

let stand;
before(async () => { stand = await Stand.start({ config: { presence_ms: 100 } }); });
afterEach(() => stand.closeSockets());
after(() => stand.finish());

test('the first presence lists everybody, oneself included', async () =>
{
	const id = stand.document();
	const alice = await stand.socket(id, 'alice', { site: 1, name: 'Alice "A" \u2028', color: '#d33' });
	const first = await alice.next('presence');
	assert.deepEqual(first, { type: 'presence',
		join: [{ session: alice.welcome.session, user: 'alice', name: 'Alice "A" \u2028', color: '#d33' }] });
	const bob = await stand.socket(id, 'bob', { site: 2 });
	const everybody = await bob.next('presence');
	assert.deepEqual(everybody.join.map((member) => member.user).sort(), ['alice', 'bob']);
	assert.equal('leave' in everybody, false);
	assert.deepEqual((await alice.next('presence')).join, [{ session: bob.welcome.session, user: 'bob' }]);
	bob.ws.terminate();
	assert.deepEqual(await alice.next('presence'), { type: 'presence', leave: [bob.welcome.session] });
});

test('cursors reach the others, are hidden, and are told to those who come later', async () =>
{
	const id = stand.document();
	const alice = await stand.socket(id, 'alice', { site: 1 });
	const bob = await stand.socket(id, 'bob', { site: 2 });
	alice.send({ type: 'cursor', version: 0, position: 3, selection: [1, 3] });
	const seen = await bob.next((m) => m.type === 'presence' && m.cursors);
	assert.deepEqual(seen.cursors, [{ session: alice.welcome.session, user: 'alice', version: 0, position: 3, selection: [1, 3] }]);
	const carol = await stand.socket(id, 'carol', { site: 3 });
	assert.equal((await carol.next('presence')).cursors[0].position, 3);
	alice.send({ type: 'cursor', version: 0, position: null });
	const hidden = await bob.next((m) => m.type === 'presence' && m.cursors);
	assert.deepEqual(hidden.cursors, [{ session: alice.welcome.session, user: 'alice', version: 0, position: null }]);
	const dave = await stand.socket(id, 'dave', { site: 4 });
	assert.equal('cursors' in await dave.next('presence'), false);
});

test('a flood of cursors is one message per 100 ms with the latest of each', async () =>
{
	const id = stand.document();
	const alice = await stand.socket(id, 'alice', { site: 1 });
	const bob = await stand.socket(id, 'bob', { site: 2 });
	await bob.next('presence');
	await sleep(300);
	const before = bob.messages.length;
	const wal = stand.sql('SELECT pg_current_wal_insert_lsn()');
	const begun = Date.now();
	for (let i = 0; Date.now() - begun < 1000; i++)
	{
		for (let k = 0; k < 50; k++)
			alice.send({ type: 'cursor', version: 0, position: i * 50 + k });
		await sleep(2);
		alice.last = i * 50 + 49;
	}
	await sleep(300);
	const got = bob.messages.slice(before).filter((m) => m.type === 'presence');
	assert.ok(got.length <= 13 && got.length >= 5, `${got.length} messages in a second`);
	assert.ok(got.every((m) => m.cursors.length === 1));
	assert.equal(got.at(-1).cursors[0].position, alice.last);
	assert.equal(stand.sql(`SELECT count(*) FROM collab.events_since('${id}', 0)`), '0');
	/* background writers may log a little of their own */
	assert.ok(Number(stand.sql(`SELECT pg_current_wal_insert_lsn() - '${wal}'`)) < 10000, 'no WAL');
});

test('rooms are apart', async () =>
{
	const alice = await stand.socket(stand.document(), 'alice', { site: 1 });
	await alice.next('presence');
	const bob = await stand.socket(stand.document(), 'bob', { site: 2 });
	assert.equal((await bob.next('presence')).join.length, 1);
	bob.send({ type: 'cursor', version: 0, position: 0 });
	await sleep(300);
	assert.equal(alice.messages.filter((m) => m.type === 'presence').length, 1);
});

test('fifty in one room', async () =>
{
	const id = stand.document();
	const sockets = [];
	for (let i = 0; i < 50; i++)
		sockets.push(await stand.socket(id, `user${i}`, { site: i + 1 }));
	await sleep(400);
	for (const socket of sockets)
	{
		const there = new Set();
		for (const message of socket.messages.filter((m) => m.type === 'presence'))
			for (const member of message.join ?? [])
			{
				assert.equal(there.has(member.session), false, 'nobody joins twice');
				there.add(member.session);
			}
		assert.equal(there.size, 50);
	}
});

test('a list of members longer than a socket may be behind closes nobody', { timeout: 60000 }, async () =>
{
	const proxy = await stand.another({ presence_ms: 1000, max_output_bytes: 65536 });
	const id = stand.document();
	const user = '"'.repeat(128); /* twice as long when it is escaped */
	const members = await Promise.all(Array.from({ length: 180 }, (_, i) =>
		stand.socket(id, user, { site: 1 + i, name: '"'.repeat(64), color: '"'.repeat(32) }, { proxy })));
	const position = Number.MAX_SAFE_INTEGER;
	for (const member of members)
		member.send({ type: 'cursor', version: 0, position, selection: [position, position] });
	const cursors = (socket) => new Set(socket.messages.flatMap((m) => m.cursors ?? []).map((cursor) => cursor.session)).size;
	await eventually(() => members.every((member) => member.closed || cursors(member) === 180), { what: 'all cursors' });
	const victim = await stand.socket(id, 'victim', { site: 1000 }, { proxy });
	const everybody = await victim.next('presence');
	assert.equal(everybody.join.length, 181);
	assert.ok(JSON.stringify(everybody).length > 65536);
	await sleep(1500);
	assert.deepEqual([...members, victim].filter((member) => member.closed).map((member) => member.closed), []);
});

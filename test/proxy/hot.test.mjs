/* A document that many have open: everybody gets every event, many of them in one frame, and cursors no more often than they may. */
import assert from 'node:assert/strict';
import test, { after, afterEach, before } from 'node:test';
import Delta from 'quill-delta';
import { eventually } from '../lib/proxy.mjs';
import { Stand, insert, sleep } from './stand.mjs';

const CROWD = 150; /* more than the 100 from which a room is written slice by slice */

let stand;
before(async () => { stand = await Stand.start(); });
afterEach(() => stand.closeSockets());
after(() => stand.finish());

const crowd = (id) => Promise.all(Array.from({ length: CROWD }, (_, i) => stand.socket(id, `user${i}`, { site: 10 + i })));
const eventsOf = (socket) => socket.messages.filter((m) => m.type === 'events').flatMap((m) => m.events);

/* The versions that a socket was shown, as acks and as events. */
function versionsOf(socket)
{
	return socket.messages.flatMap((m) =>
	{
		if (m.type === 'ack')
			return Array.from({ length: m.count ?? 1 }, (_, i) => m.version + i);
		return m.type === 'events' ? m.events.map((event) => event.version) : [];
	});
}

async function type(socket, count, state = { clock: 0, base: socket })
{
	for (let i = 0; i < count; i++)
	{
		socket.send({ ...insert(socket, ++state.clock, 'x'), base_version: state.base.version, base_event: state.base.event });
		state.base = await socket.next('ack', 20000);
	}
	return state;
}

test('every event reaches everybody, once, as it was made, many in a frame', { timeout: 120000 }, async () =>
{
	const id = stand.document();
	const sockets = await crowd(id);
	const start = stand.created.get(id);
	const typists = sockets.slice(0, 20);
	await Promise.all(typists.map((socket) => type(socket, 30)));
	const head = start + 20 * 30;
	await eventually(() => sockets.every((socket) => versionsOf(socket).at(-1) === head), { timeout: 30000, interval: 100 });
	const expected = Array.from({ length: 600 }, (_, i) => start + 1 + i);
	let content = new Delta();
	for (const socket of sockets)
	{
		const behind = expected.slice(expected.length - versionsOf(socket).length);
		assert.deepEqual(versionsOf(socket), behind);
	}
	const reader = sockets.at(-1);
	const events = eventsOf(reader);
	assert.equal(events.length, 600);
	assert.equal(new Set(events.map((event) => `${event.user}/${event.site}/${event.clock}`)).size, 600, 'each with its own author and clock');
	for (const event of events)
		content = content.compose(new Delta(event.op.ops));
	assert.equal(content.ops.map((op) => op.insert).join(''), stand.text(id));
	const frames = reader.messages.filter((m) => m.type === 'events' && m.events.length > 0).length;
	assert.ok(frames < 600 / 2, `${frames} frames`);
});

test('the last event of all does not wait for another', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	const sockets = await crowd(id);
	const other = stand.document();
	const neighbour = await stand.socket(other, 'neighbour', { site: 1 });
	const state = await type(sockets[0], 1);
	for (let i = 0; i < 10; i++)
	{
		await type(sockets[0], 1, state);
		await type(sockets[0], 1, state);
		await eventually(() => sockets.every((socket) => versionsOf(socket).at(-1) === state.base.version));
	}
	await type(neighbour, 10);
	assert.equal(stand.text(other), 'x'.repeat(10));
});

test('members of a crowd come and go while it is written to', { timeout: 120000 }, async () =>
{
	const id = stand.document();
	const sockets = await crowd(id);
	let stop = false;
	const typing = (async () =>
	{
		const state = await type(sockets[0], 1);
		while (!stop)
			await type(sockets[0], 1, state);
		return state;
	})();
	for (const socket of sockets.slice(1, 60))
	{
		socket.ws.terminate();
		await sleep(2);
	}
	const later = await Promise.all(Array.from({ length: 60 }, (_, i) => stand.socket(id, `later${i}`, { site: 1000 + i })));
	stop = true;
	const { base } = await typing;
	const here = [...sockets.slice(60), ...later];
	await eventually(() => here.every((socket) => (versionsOf(socket).at(-1) ?? socket.version) === base.version), { timeout: 20000 });
	for (const socket of here)
		versionsOf(socket).forEach((version, i, all) => assert.ok(i === 0 || version === all[i - 1] + 1, 'every version once, ascending'));
});

test('cursors go out together, ten times a second at most, the newest of each', { timeout: 60000 }, async () =>
{
	const id = stand.document({ ops: [{ insert: 'x'.repeat(2000) }] });
	const sockets = await crowd(id);
	const movers = sockets.slice(0, 20);
	const watcher = sockets.at(-1);
	const { version } = watcher;
	await eventually(() => watcher.messages.some((m) => m.type === 'presence' && m.join?.some(({ user }) => user === 'user0')));
	await sleep(500);
	const before = watcher.messages.length;
	const begun = Date.now();
	for (let position = 1; position <= 100; position++)
	{
		movers.forEach((socket) => socket.send({ type: 'cursor', version, position }));
		await sleep(10);
	}
	const last = () => new Map(watcher.messages.slice(before).filter((m) => m.type === 'presence').flatMap((m) => m.cursors ?? [])
		.map((cursor) => [cursor.session, cursor.position]));
	await eventually(() => last().size === 20 && [...last().values()].every((position) => position === 100));
	const frames = watcher.messages.slice(before).filter((m) => m.type === 'presence').length;
	assert.ok(frames <= (Date.now() - begun) / 100 + 2, `${frames} frames in ${Date.now() - begun} ms`);
	for (const message of watcher.messages.slice(before).filter((m) => m.type === 'presence'))
		assert.equal(new Set((message.cursors ?? []).map((cursor) => cursor.session)).size, message.cursors?.length ?? 0, 'one of each');
});

test('of very many some are shown, and how many more there are', { timeout: 60000 }, async () =>
{
	const proxy = await stand.another({ max_presence: 5 });
	const id = stand.document({ ops: [{ insert: 'here' }] });
	const sockets = [];
	for (let i = 0; i < 8; i++)
		sockets.push(await stand.socket(id, `user${i}`, { site: 10 + i }, { proxy }));
	const watcher = sockets[7];
	const { version } = watcher;
	const shown = () => watcher.messages.filter((m) => m.type === 'presence').reduce((people, { join = [], leave = [] }) =>
	{
		join.forEach(({ session, user }) => people.set(session, user));
		leave.forEach((session) => people.delete(session));
		return people;
	}, new Map());
	const others = () => watcher.messages.filter((m) => m.type === 'presence').at(-1)?.others;
	await eventually(() => shown().size === 5);
	assert.deepEqual([...shown().values()].sort(), ['user0', 'user1', 'user2', 'user3', 'user4']);
	assert.ok(others() >= 1 && others() <= 3, `${others()} others`);
	/* only those who are shown have cursors */
	sockets[6].send({ type: 'cursor', version, position: 1 });
	sockets[0].send({ type: 'cursor', version, position: 2 });
	const { cursors, others: more } = await watcher.next((m) => m.type === 'presence' && m.cursors);
	assert.deepEqual(cursors.map(({ user, position }) => [user, position]), [['user0', 2]]);
	assert.equal(more, 3);
	/* a place becomes free: the next one takes it, with the cursor that it has */
	await sockets[1].close();
	await sockets[2].close();
	await eventually(() => [...shown().values()].sort().join() === 'user0,user3,user4,user5,user6');
	const moved = watcher.messages.filter((m) => m.type === 'presence').flatMap((m) => m.cursors ?? []).filter(({ user }) => user === 'user6');
	assert.deepEqual(moved.map(({ position }) => position), [1]);
	await sockets[3].close();
	await eventually(() => shown().size === 5 && others() === undefined);
	await stand.closeSockets();
	await proxy.stop();
});

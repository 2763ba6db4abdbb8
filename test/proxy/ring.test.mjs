/* The recent events that a room keeps: for how long, and for whom longer. */
import assert from 'node:assert/strict';
import test, { after, afterEach, before } from 'node:test';
import { readMetrics, valueOf } from '../lib/metrics.mjs';
import { eventually, freePort } from '../lib/proxy.mjs';
import { Stand, insert, sleep } from './stand.mjs';

const RING_MS = 300;

let stand;
before(async () =>
{
	stand = await Stand.start({ config: { admin_port: await freePort(), ring_ms: RING_MS, max_output_bytes: 16777216, ring_bytes: 16777216 } });
});
afterEach(() => stand.closeSockets());
after(() => stand.finish());

const ringBytes = async () => valueOf(await readMetrics(stand.proxy.admin), 'collab_ring_bytes');
const received = (socket) => socket.messages.filter((m) => m.type === 'events').flatMap((m) => m.events.map(({ version }) => version));
const ascending = (first, count) => Array.from({ length: count }, (_, i) => first + i);

/* Each replaces the last, so that the document stays small. */
async function type(socket, count, bytes)
{
	const text = 'z'.repeat(bytes);
	let base = socket;
	for (let clock = 1; clock <= count; clock++)
	{
		const ops = clock === 1 ? [{ insert: text }] : [{ insert: text }, { delete: text.length }];
		socket.send({ ...insert(socket, clock, ''), op: { ops }, base_version: base.version, base_event: base.event });
		base = await socket.next('ack');
	}
	return base;
}

test('events that everybody has leave memory; who comes back later gets them from the database', { timeout: 30000 }, async () =>
{
	const id = stand.document();
	const alice = await stand.socket(id, 'alice', { site: 1 });
	const bob = await stand.socket(id, 'bob', { site: 2 });
	const { version, event } = bob;
	await type(alice, 30, 1000);
	await eventually(async () => received(bob).length === 30 && await ringBytes() === 0, { what: 'nothing is kept' });
	assert.deepEqual(received(bob), ascending(version + 1, 30));
	const back = await stand.socket(id, 'bob', { site: 3, last_version: version, last_event: event });
	assert.deepEqual(received(back), ascending(version + 1, 30));
	/* and the stream goes on for all of them */
	const { version: next } = await type(await stand.socket(id, 'carol', { site: 4 }), 3, 10);
	for (const socket of [bob, back])
		await eventually(() => received(socket).at(-1) === next);
	assert.deepEqual(received(back), ascending(version + 1, 33));
});

test('whoever has not read them yet keeps them', { timeout: 30000 }, async () =>
{
	const id = stand.document();
	const alice = await stand.socket(id, 'alice', { site: 1 });
	const slow = await stand.socket(id, 'slow', { site: 2 });
	slow.ws.pause();
	await type(alice, 80, 100000);
	await sleep(4 * RING_MS);
	assert.ok(await ringBytes() > 1e6, `${await ringBytes()} bytes: more than sockets hold is on its way`);
	slow.ws.resume();
	await eventually(() => received(slow).length === 80, { timeout: 20000 });
	assert.deepEqual(received(slow), ascending(slow.version + 1, 80));
	await eventually(async () => await ringBytes() === 0);
	assert.equal(slow.closed, null);
});

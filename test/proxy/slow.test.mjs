/* Readers that do not keep up: one resync instead of the queue, then the end of those who do not even take that. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test, { after, afterEach, before } from 'node:test';
import WebSocket from 'ws';
import { CollabClient, Delta } from '../../client/src/index.js';
import { eventually, freePort } from '../lib/proxy.mjs';
import { readMetrics, valueOf } from '../lib/metrics.mjs';
import { Stand, insert, sleep } from './stand.mjs';

const CAP = 200000; /* max_output_bytes */
const WRITE = 65536; /* what the library keeps of a write that the kernel did not take */

let stand;
before(async () =>
{
	stand = await Stand.start({ config: { admin_port: await freePort(), max_output_bytes: CAP, ring_bytes: 50000, timeout_ms: 3000,
		heartbeat_ms: 1000 } });
});
afterEach(() => stand.closeSockets());
after(() => stand.finish());

const counted = async (name, labels) => valueOf(await readMetrics(stand.proxy.admin), name, labels);
const resyncs = () => counted('collab_slow_consumers_total', { action: 'resync' });
const closed = () => counted('collab_slow_consumers_total', { action: 'closed' });
const memory = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${stand.proxy.child.pid}/status`, 'utf8'))[1]) * 1024;

/* Replaces its text again and again: as much as is needed goes out, and the document stays small. */
function rewriter(socket, bytes = 20000)
{
	const text = 'z'.repeat(bytes);
	const state = { clock: 0, base: socket };
	state.once = async () =>
	{
		const ops = state.clock === 0 ? [{ insert: text }] : [{ insert: text }, { delete: text.length }];
		socket.send({ ...insert(socket, ++state.clock, ''), op: { ops }, base_version: state.base.version, base_event: state.base.event });
		state.base = await socket.next('ack');
	};
	state.until = async (condition, most = 3000) =>
	{
		while (!await condition())
		{
			assert.ok(state.clock < most, `nothing happened within ${most} edits`);
			for (let i = 0; i < 10; i++)
				await state.once();
		}
	};
	return state;
}

/* What a socket was sent since it opened, checked to be one stream. Returns the version that it has reached and the id of its event. */
function reached(socket)
{
	let { version, event } = socket.messages.find((m) => m.type === 'snapshot');
	for (const message of socket.messages)
	{
		for (const next of message.type === 'events' ? message.events : [])
		{
			assert.equal(next.version, version + 1, 'every version once, ascending');
			({ version, event } = next);
		}
	}
	return { last_version: version, last_event: event };
}

test('a reader that falls behind opens again where it stands, on the same connection', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	const writer = await stand.socket(id, 'writer', { site: 1 });
	const reader = await stand.socket(id, 'reader', { site: 2 });
	const session = reader.welcome.session;
	await writer.next((m) => m.type === 'presence' && m.join?.some((one) => one.session === session));
	const before = await resyncs();
	reader.ws.pause();
	await rewriter(writer).until(async () => await resyncs() > before);
	/* the others see it leave; what it sends now comes too early and is not answered */
	await writer.next((m) => m.type === 'presence' && m.leave?.includes(session));
	reader.send({ type: 'cursor', version: 0, position: 0 });
	reader.send(insert(reader, 1, 'lost'));
	reader.ws.resume();
	assert.deepEqual(await reader.next('resync'), { type: 'resync', reason: 'behind' });
	assert.ok(!reader.messages.some((m) => m.type === 'error'));
	const position = reached(reader);
	const { welcome, events } = await reader.open({ site: 2, pending: 1, ...position });
	assert.notEqual(welcome.session, session);
	assert.equal(events.at(-1).version, welcome.version);
	await writer.next((m) => m.type === 'presence' && m.join?.some((one) => one.session === welcome.session));
	reader.send(insert(reader, 1, 'once'));
	assert.equal((await reader.next('ack')).clock, 1);
	assert.equal(stand.text(id).slice(0, 4), 'once');
	assert.equal(reader.closed, null);
});

test('one that never reads is closed, and only then', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	const writer = await stand.socket(id, 'writer', { site: 1 });
	const reader = await stand.socket(id, 'reader', { site: 2 });
	const before = await resyncs();
	const ended = await closed();
	reader.ws.pause();
	const edits = rewriter(writer);
	await edits.until(async () => await resyncs() > before);
	const dropped = Date.now();
	assert.equal(await closed(), ended);
	await eventually(async () => await closed() > ended);
	assert.ok(Date.now() - dropped >= 2000, 'it had its time');
	assert.equal(await resyncs(), before + 1, 'one resync');
	await edits.once();
});

test('one that reads the resync and does not open is closed', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	const writer = await stand.socket(id, 'writer', { site: 1 });
	const reader = await stand.socket(id, 'reader', { site: 2 });
	const before = await resyncs();
	reader.ws.pause();
	await rewriter(writer).until(async () => await resyncs() > before);
	reader.ws.resume();
	await reader.next('resync');
	assert.equal((await reader.closing()).code, 4408);
});

test('300 readers that stand still cost no more than their last write', { timeout: 120000 }, async () =>
{
	const id = stand.document();
	const writer = await stand.socket(id, 'writer', { site: 1 });
	const other = await stand.socket(id, 'other', { site: 2 });
	const readers = await Promise.all(Array.from({ length: 300 }, (_, i) => stand.socket(id, `reader${i}`, { site: 10 + i })));
	await eventually(() => readers.every((socket) => socket.messages.some((m) => m.type === 'presence')));
	await sleep(500);
	const before = memory();
	const ended = await closed();
	const first = await resyncs();
	readers.forEach((socket) => socket.ws.pause());
	const edits = rewriter(writer);
	let peak = 0;
	await edits.until(async () =>
	{
		peak = Math.max(peak, memory());
		return await resyncs() - first >= 300;
	});
	const cap = 300 * (WRITE + 4096) + 2 * CAP + 8e6; /* and what the sanitizer holds back */
	assert.ok(cap < 300 * CAP / 2);
	assert.ok(peak - before < cap, `memory grew by ${peak - before} bytes, ${cap} are allowed`);
	await eventually(async () => await closed() - ended >= 300, { timeout: 20000 });
	const head = edits.base.version;
	await eventually(() => reached(other).last_version === head);
	assert.equal(other.closed, null);
});

test('collab-client comes back with what was typed meanwhile', { timeout: 60000 }, async () =>
{
	const id = stand.document({ ops: [{ insert: '\n' }] });
	const writer = await stand.socket(id, 'writer', { site: 1 });
	const sockets = [];
	class Kept extends WebSocket
	{
		constructor(...args)
		{
			super(...args);
			sockets.push(this);
		}
	}
	const client = new CollabClient({ url: stand.proxy.http.replace('http', 'ws'), doc: id, user: 'bob', WebSocket: Kept });
	const errors = [];
	client.on('error', (error) => errors.push(error));
	try
	{
		await client.whenSynced();
		const before = await resyncs();
		client.edit(new Delta().insert('before '));
		await client.whenSaved();
		sockets[0].pause();
		client.edit(new Delta().insert('in flight '));
		await sleep(100);
		client.edit(new Delta().insert('later '));
		await rewriter(writer).until(async () => await resyncs() > before);
		assert.equal(client.pendingCount, 2);
		sockets[0].resume();
		await client.whenSaved();
		await client.whenSynced();
		const head = Number(stand.sql(`SELECT version FROM collab.heads(ARRAY[collab.document_key('${id}')])`));
		await client.when(() => client.version === head);
		assert.equal(client.text, JSON.parse(stand.sql(`SELECT to_json(collab.text('${id}'))`)));
		for (const text of ['before ', 'in flight ', 'later '])
			assert.equal(client.text.split(text).length, 2, `"${text}" is there once`);
		assert.equal(sockets.length, 1, 'without a new connection');
		assert.deepEqual(errors, []);
	}
	finally
	{
		await client.destroy();
	}
});

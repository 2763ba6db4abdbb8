/* Life signs, slow readers, too many connections: one client's trouble stays its own. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import test, { after, afterEach, before } from 'node:test';
import { eventually } from '../lib/proxy.mjs';
import { Stand, frame, handshake, insert, raw, sleep } from './stand.mjs';

let stand;
before(async () =>
{
	stand = await Stand.start({ config: { heartbeat_ms: 300, timeout_ms: 900, max_output_bytes: 200000, ring_bytes: 50000,
		max_connections: 30,
		message_timeout_ms: 1500 } });
});
afterEach(() => stand.closeSockets());
after(() => stand.finish());

const silent = { beats: false };

test('a client that says nothing is closed after timeout_ms', async () =>
{
	const id = stand.document();
	for (const open of [{ site: 1 }, null])
	{
		const begun = Date.now();
		const socket = await stand.socket(id, 'alice', open, silent);
		const { code } = await socket.closing(4000);
		assert.equal(code, 4408);
		assert.ok(Date.now() - begun >= 880, `${Date.now() - begun} ms`);
		assert.ok(Date.now() - begun < 3900, `${Date.now() - begun} ms`);
	}
});

test('a client that talks but never opens is closed', async () =>
{
	const socket = await stand.socket(stand.document(), 'alice', null, silent);
	const timer = setInterval(() => socket.send('{'), 200);
	const begun = Date.now();
	try
	{
		assert.equal((await socket.closing(4000)).code, 4400);
	}
	finally
	{
		clearInterval(timer);
	}
	assert.ok(Date.now() - begun >= 880 && Date.now() - begun < 3900, `${Date.now() - begun} ms`);
});

test('a client that is only told nothing gets heartbeats; any message keeps it', async () =>
{
	const id = stand.document();
	const socket = await stand.socket(id, 'alice', { site: 1 }, silent);
	for (let i = 0; i < 8; i++)
	{
		socket.send({ type: 'cursor', version: 0, position: null });
		await sleep(300);
	}
	assert.equal(socket.closed, null);
	const beats = socket.messages.filter((m) => m.type === 'heartbeat');
	assert.ok(beats.every((m) => m.version === socket.version));
	/* one that sends nothing but is not written to hears at least one heartbeat before it is closed */
	const other = await stand.socket(id, 'bob', { site: 2 }, silent);
	await other.closing(4000);
	assert.ok(other.messages.some((m) => m.type === 'heartbeat'));
});

test('a heartbeat is answered with a version that is queued', async () =>
{
	const id = stand.document();
	const alice = await stand.socket(id, 'alice', { site: 1 }, silent);
	const bob = await stand.socket(id, 'bob', { site: 2 }, silent);
	let base = alice;
	for (let clock = 1; clock <= 50; clock++)
	{
		alice.send({ ...insert(alice, clock, 'x'), base_version: base.version, base_event: base.event });
		bob.send({ type: 'heartbeat' });
		base = await alice.next('ack');
	}
	let version = bob.version;
	for (const message of bob.messages)
	{
		if (message.type === 'events')
			version = message.events.at(-1).version;
		else if (message.type === 'heartbeat')
			assert.ok(message.version <= version, 'nothing is announced that was not sent');
	}
});

/* A raw client that opens a document and then never reads. */
async function deaf(id, proxy = stand.proxy, waits = true)
{
	const socket = net.connect({ port: proxy.config.listen_port, host: '127.0.0.1' });
	socket.on('error', () => {});
	socket.gone = new Promise((resolve) => socket.once('close', resolve));
	let text = '';
	const take = (chunk) => { text += chunk.toString('latin1'); };
	socket.on('data', take);
	socket.write(handshake(`/v1/docs/${id}/ws?user=deaf`));
	socket.write(frame(JSON.stringify({ type: 'open', site: 9 })));
	await eventually(() => text.includes(waits ? '"type":"snapshot"' : ' 101 '));
	socket.removeListener('data', take);
	socket.pause();
	/* it does send heartbeats */
	socket.timer = setInterval(() => socket.write(frame('{"type":"heartbeat"}')), 200);
	socket.timer.unref();
	return socket;
}

function memory(proxy = stand.proxy)
{
	return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${proxy.child.pid}/status`, 'utf8'))[1]) * 1024;
}

test('a client that never reads is closed, the room goes on', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	const alice = await stand.socket(id, 'alice', { site: 1 });
	const bob = await stand.socket(id, 'bob', { site: 2 });
	const timer = setInterval(() => [alice, bob].forEach((socket) => socket.send({ type: 'heartbeat' })), 200);
	timer.unref();
	const lost = await deaf(id);
	/* who goes before the others were told that he came is not said to have left */
	await eventually(() => bob.messages.some((m) => m.type === 'presence' && m.join?.some((one) => one.user === 'deaf')));
	let base = alice;
	let clock = 0;
	let peak = 0;
	const before = memory();
	/* each replaces the last: as much as is needed goes out, and the document stays small */
	const text = 'z'.repeat(20000);
	const left = () => bob.messages.some((m) => m.type === 'presence' && m.leave);
	while (!left() && clock < 3000)
	{
		const ops = clock === 0 ? [{ insert: text }] : [{ insert: text }, { delete: text.length }];
		alice.send({ ...insert(alice, ++clock, ''), op: { ops }, base_version: base.version, base_event: base.event });
		base = await alice.next('ack');
		peak = Math.max(peak, memory());
	}
	await eventually(left, { what: 'it was closed' });
	assert.ok(peak - before < 100e6, `memory grew by ${peak - before} bytes`);
	clearInterval(lost.timer);
	await eventually(() => bob.messages.filter((m) => m.type === 'events').flatMap((m) => m.events).length === clock);
	clearInterval(timer);
	lost.destroy();
});

test('answers that nobody reads take no more memory than they may', { timeout: 60000 }, async () =>
{
	const proxy = await stand.another({ max_answer_bytes: 16777216, ring_bytes: 4096 });
	const large = stand.document({ ops: [{ insert: 'lorem ipsum '.repeat(600000) }] });
	const small = stand.document();
	const first = await deaf(large, proxy);
	const before = memory(proxy);
	const others = [];
	for (let i = 0; i < 20; i++)
		others.push(await deaf(large, proxy, false));
	await sleep(3000);
	const grown = memory(proxy) - before;
	assert.ok(grown < 70e6, `memory grew by ${grown} bytes`);
	for (const socket of [first, ...others])
	{
		clearInterval(socket.timer);
		socket.destroy();
	}
	await stand.socket(small, 'alice', { site: 1 }, { proxy });
	await stand.closeSockets();
	await proxy.stop();
});

test('a client that reads slowly but within its bounds gets everything', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	const alice = await stand.socket(id, 'alice', { site: 1 });
	const slow = await deaf(id);
	let base = alice;
	for (let clock = 1; clock <= 8; clock++)
	{
		alice.send({ ...insert(alice, clock, 'z'.repeat(20000)), base_version: base.version, base_event: base.event });
		base = await alice.next('ack');
	}
	let bytes = 0;
	slow.on('data', (chunk) => { bytes += chunk.length; });
	slow.resume();
	await eventually(() => bytes > 8 * 20000);
	clearInterval(slow.timer);
	slow.destroy();
});

test('a message that trickles in is cut off', { timeout: 20000 }, async () =>
{
	const id = stand.document();
	const socket = net.connect({ port: stand.proxy.config.listen_port, host: '127.0.0.1' });
	socket.on('error', () => {});
	const gone = new Promise((resolve) => socket.once('close', resolve));
	socket.resume();
	socket.write(handshake(`/v1/docs/${id}/ws?user=slow`));
	socket.write(frame(JSON.stringify({ type: 'open', site: 9 })));
	socket.write(frame('{"type":"heartbeat","x":"', { fin: false }));
	const timer = setInterval(() => socket.write(frame('x', { opcode: 0, fin: false })), 100);
	const begun = Date.now();
	await Promise.race([gone, sleep(12000)]);
	clearInterval(timer);
	assert.ok(socket.destroyed && Date.now() - begun >= 1480, `${Date.now() - begun} ms`);
});

test('too many connections: 503, and room again when some have left', { timeout: 30000 }, async () =>
{
	const id = stand.document();
	const sockets = [];
	const handshakeText = handshake(`/v1/docs/${id}/ws?user=x`);
	await eventually(async () => (await stand.proxy.health()).connections === 0);
	await sleep(300);
	let refused = null;
	for (let i = 0; i < 40 && !refused; i++)
	{
		const socket = net.connect(stand.proxy.config.listen_port, '127.0.0.1');
		socket.on('error', () => {});
		const answer = await new Promise((resolve) => { socket.once('data', (chunk) => resolve(chunk.toString('latin1'))); socket.write(handshakeText); });
		if (answer.startsWith('HTTP/1.1 101'))
			sockets.push(socket);
		else
			refused = answer;
	}
	assert.match(refused, /^HTTP\/1\.[01] 503/);
	assert.match(refused, /retry-after: /i);
	assert.ok(sockets.length >= 25 && sockets.length <= 30, `${sockets.length} were let in`);
	sockets.splice(0, 5).forEach((socket) => socket.destroy());
	await eventually(async () => (await raw(stand.proxy.config.listen_port, handshakeText, { wait: 200 })).status === 101);
	sockets.forEach((socket) => socket.destroy());
});

test('too many connections of one address', { timeout: 30000 }, async () =>
{
	const proxy = await stand.another({ max_connections_per_ip: 3 });
	const id = stand.document();
	const port = proxy.config.listen_port;
	const text = handshake(`/v1/docs/${id}/ws?user=x`);
	await sleep(6000); /* the keep-alive connection of the helper that asked for health is over */
	const attempts = Array.from({ length: 5 }, () => raw(port, text, { wait: 1000 }));
	const codes = (await Promise.all(attempts)).map((attempt) => attempt.status).sort();
	assert.deepEqual(codes, [101, 101, 101, 503, 503]);
	await proxy.stop();
});

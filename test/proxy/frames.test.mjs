/*
 * Frames that no client sends. What each is answered with, and that afterwards the process lives, its memory is back and those on another
 * document noticed nothing. What is not here: abuse.test.mjs (messages), limits.test.mjs and slow.test.mjs (slowness, readers that do not
 * read). docs/abuse.md is the list of promises.
 */
import assert from 'node:assert/strict';
import test, { after, afterEach, before } from 'node:test';
import { eventually } from '../lib/proxy.mjs';
import { Attacker, Bystanders, rawFrame } from './attacker.mjs';
import { Stand, frame, sleep } from './stand.mjs';

let stand;
let peace;
let id;
before(async () =>
{
	stand = await Stand.start();
	peace = await Bystanders.meet(stand);
	id = stand.document({ ops: [{ insert: 'war\n' }] });
});
afterEach(async () => peace.undisturbed());
after(() => stand.finish());

const heartbeat = '{"type":"heartbeat"}';

/* Sends it on a socket of its own; returns the close code. */
async function answerTo(...bytes)
{
	const attacker = await Attacker.open(stand, id);
	for (const part of bytes)
		attacker.write(part);
	return attacker.ended();
}

test('reserved bits and opcodes: 1002', async () =>
{
	for (const rsv of [1, 2, 3, 4, 5, 6, 7])
		assert.equal(await answerTo(rawFrame(heartbeat, { rsv })), 1002, `rsv ${rsv}`);
	for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
		assert.equal(await answerTo(rawFrame(heartbeat, { opcode })), 1002, `opcode ${opcode}`);
});

test('a continuation of nothing, a message inside of a message: 1002', async () =>
{
	assert.equal(await answerTo(rawFrame('x', { opcode: 0 })), 1002);
	assert.equal(await answerTo(rawFrame('x', { opcode: 0, fin: false })), 1002);
	assert.equal(await answerTo(rawFrame('{', { fin: false }), rawFrame(heartbeat)), 1002);
});

test('control frames that are too long or cut: the connection ends', async () =>
{
	for (const opcode of [8, 9, 10])
	{
		for (const bytes of [rawFrame('x'.repeat(126), { opcode }), rawFrame('x', { opcode, fin: false })])
		{
			const code = await answerTo(bytes);
			assert.ok([null, 1002].includes(code), `${bytes.toString('hex').slice(0, 20)} -> ${code}`);
		}
	}
});

test('close frames: with a code, without, with half a one, with one that may not be sent', async () =>
{
	const close = (...payload) => rawFrame(Buffer.from(payload), { opcode: 8 });
	for (const bytes of [close(), close(3), close(3, 232), close(3, 233), close(3, 236), close(3, 237), close(3, 238), close(0, 0), close(0xff, 0xff), close(7, 207),
		close(3, 232, 0xff, 0xfe), close(3, 232, ...Array(123).fill(97))])
	{
		/* the library sends some of them back as they are */
		const code = await answerTo(bytes);
		const sent = bytes.length >= 8 ? (bytes[6] ^ bytes[2]) << 8 | (bytes[7] ^ bytes[3]) : 1005;
		assert.ok([null, 1000, 1001, 1002, 1005, 1007, sent].includes(code), `${bytes.toString('hex')} -> ${code}`);
	}
});

test('declared lengths beyond everything: the connection ends at the header', async () =>
{
	for (const length of [2n ** 63n - 1n, 2n ** 62n, 2n ** 40n, 2n ** 32n, 2n ** 31n])
	{
		const attacker = await Attacker.open(stand, id);
		attacker.write(rawFrame('x'.repeat(64), { length }));
		assert.equal(await attacker.ended(), 1009, `${length}`);
		assert.equal(attacker.of('error').at(-1).code, 'OT005');
	}
	/* the highest bit must not be set */
	assert.ok([null, 1002, 1009].includes(await answerTo(rawFrame('x'.repeat(64), { length: 2n ** 63n }))));
});

test('lengths that are written wider than needed are no harm', async () =>
{
	for (const wide of [2, 8])
	{
		const attacker = await Attacker.open(stand, id);
		const before = attacker.of('heartbeat').length;
		attacker.write(rawFrame(heartbeat, { wide }));
		await eventually(() => attacker.closed || attacker.of('heartbeat').length > before);
		assert.ok(!attacker.closed || attacker.closeCode === 1002);
		attacker.destroy();
	}
});

test('a million empty fragments: ended at the 1,000th', { timeout: 60000 }, async () =>
{
	const attacker = await Attacker.open(stand, id);
	attacker.write(rawFrame('{', { fin: false }));
	await attacker.pour(Buffer.concat(Array(10000).fill(rawFrame('', { opcode: 0, fin: false }))), 100);
	assert.equal(await attacker.ended(), 4400);
	assert.match(attacker.of('error').at(-1).message, /too many frames/);
});

test('a message without end: ended beyond eight times what is allowed', { timeout: 60000 }, async () =>
{
	const attacker = await Attacker.open(stand, id);
	attacker.write(rawFrame('{"type":"heartbeat","x":"', { fin: false }));
	await attacker.pour(rawFrame('x'.repeat(65536), { opcode: 0, fin: false }), 400);
	assert.equal(await attacker.ended(), 1009);
});

test('text that is not UTF-8, whole or cut anywhere between two frames: 1007', { timeout: 60000 }, async () =>
{
	const bad = ['ff', 'fe', '80', 'bf', 'c0', 'c080', 'c1bf', 'c3', 'c328', 'e0', 'e080', 'e08080', 'e09fbf', 'e282', 'e28228', 'eda080', 'edafbf', 'edb080', 'edbfbf', 'eda080edb080',
		'f0', 'f09f98', 'f0808080', 'f08fbfbf', 'f4908080', 'f5808080', 'f888808080', 'fc8480808080', 'cebae1bdb9cf83cebcceb5eda080656469746564'];
	for (const hex of bad)
	{
		const bytes = Buffer.concat([Buffer.from('{"type":"heartbeat","x":"'), Buffer.from(hex, 'hex'), Buffer.from('"}')]);
		assert.equal(await answerTo(rawFrame(bytes)), 1007, hex);
		const cut = 25 + Math.ceil(hex.length / 4);
		assert.equal(await answerTo(rawFrame(bytes.subarray(0, cut), { fin: false }), rawFrame(bytes.subarray(cut), { opcode: 0 })), 1007, `${hex}, cut`);
	}
	/* good text may be cut inside of a character */
	const good = Buffer.from('{"type":"heartbeat","x":"κόσμε 😀 \ufffd"}');
	const attacker = await Attacker.open(stand, id);
	for (let cut = 1; cut < good.length; cut++)
	{
		const before = attacker.of('heartbeat').length;
		attacker.write(Buffer.concat([rawFrame(good.subarray(0, cut), { fin: false }), rawFrame(good.subarray(cut), { opcode: 0 })]));
		await eventually(() => attacker.of('heartbeat').length > before, { interval: 1 });
	}
	attacker.destroy();
});

test('compression: not offered, not accepted', async () =>
{
	const attacker = new Attacker(stand.proxy.config.listen_port);
	attacker.write(`GET /v1/docs/${id}/ws?user=eve HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n`
		+ 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=15, x-webkit-deflate-frame, permessage-bzip2\r\n\r\n');
	await eventually(() => attacker.head !== '');
	assert.match(attacker.head, /^HTTP\/1\.1 101/);
	assert.doesNotMatch(attacker.head, /extensions/i);
	attacker.write(rawFrame(Buffer.from('f248cdc9c90700', 'hex'), { rsv: 4 }));
	assert.equal(await attacker.ended(), 1002);
});

/*
 * RFC 6455 wants these refused. libwebsockets 4.1.6 does not tell whether a frame was masked, and the mask protects caches between
 * client and server, not the server: a frame without one is a frame. Whatever it says goes through the same checks.
 */
test('frames without a mask are read as what they are', async () =>
{
	const attacker = await Attacker.open(stand, id);
	const before = attacker.of('heartbeat').length;
	attacker.write(rawFrame(heartbeat, { mask: false }));
	await eventually(() => attacker.of('heartbeat').length > before);
	attacker.write(rawFrame('nonsense', { mask: false }));
	await eventually(() => attacker.of('error').length > 0);
	attacker.write(rawFrame('x', { mask: false, opcode: 3 }));
	assert.equal(await attacker.ended(), 1002);
});

test('100,000 pings as fast as they go, of one who reads the answers and of one who does not', { timeout: 60000 }, async () =>
{
	const pings = Buffer.concat(Array(1000).fill(rawFrame('x'.repeat(100), { opcode: 9 })));
	const reader = await Attacker.open(stand, id);
	await reader.pour(pings, 100);
	/* each pong answers the newest ping: not every ping needs one */
	await eventually(() => reader.closed || reader.pongs.length > 0);
	reader.destroy();
	const deaf = await Attacker.open(stand, id);
	deaf.socket.pause();
	const poured = deaf.pour(pings, 100);
	await Promise.race([poured, sleep(3000)]);
	await peace.undisturbed();
	deaf.destroy();
	await poured;
});

test('pongs that nobody asked for', async () =>
{
	const attacker = await Attacker.open(stand, id);
	const before = attacker.of('heartbeat').length;
	await attacker.pour(Buffer.concat(Array(1000).fill(rawFrame('x', { opcode: 10 }))), 20);
	attacker.write(rawFrame(heartbeat));
	await eventually(() => attacker.of('heartbeat').length > before);
	attacker.destroy();
});

test('3,000 cursor moves in three seconds: the others get the newest, ten times a second at most', { timeout: 60000 }, async () =>
{
	const watcher = await stand.socket(id, 'watcher', { site: 21 });
	const attacker = await Attacker.open(stand, id, 'eve', 8);
	await eventually(() => watcher.messages.some((m) => m.join?.some((one) => one.user === 'eve')));
	const seen = watcher.messages.length;
	const begun = Date.now();
	for (let i = 0; i < 3000; i += 10)
	{
		for (let k = 0; k < 10; k++)
			attacker.write(frame(JSON.stringify({ type: 'cursor', version: 0, position: (i + k) % 4 })));
		await sleep(Math.max(0, begun + i - Date.now()));
	}
	attacker.write(frame(JSON.stringify({ type: 'cursor', version: 0, position: 2, selection: [1, 2] })));
	await eventually(() => watcher.messages.some((m) => m.cursors?.some((c) => c.selection?.[0] === 1 && c.selection[1] === 2)));
	const frames = watcher.messages.slice(seen).filter((m) => m.cursors).length;
	const most = (Date.now() - begun) / 100 + 2;
	assert.ok(frames <= most, `${frames} frames in ${Date.now() - begun} ms`);
	assert.equal(stand.events(id), 0);
	attacker.destroy();
	watcher.ws.terminate();
});

test('operations before open, pipelined with the handshake', async () =>
{
	const attacker = new Attacker(stand.proxy.config.listen_port);
	const op = JSON.stringify({ type: 'op', clock: 1, base_version: 1, base_event: '0123456789abcdef', op: { ops: [{ insert: 'x' }] } });
	attacker.write(Buffer.concat([Buffer.from(`GET /v1/docs/${id}/ws?user=eve HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`
		+ 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'), frame(op), frame(op)]));
	assert.equal(await attacker.ended(), 4400);
	assert.equal(stand.events(id), 0);
});

test('a frame header that never ends, and fragments that trickle', { timeout: 60000 }, async () =>
{
	const slow = await stand.another({ heartbeat_ms: 200, timeout_ms: 1000, message_timeout_ms: 1000 });
	const many = [];
	for (let i = 0; i < 100; i++)
	{
		const attacker = new Attacker(slow.config.listen_port);
		attacker.write(`GET /v1/docs/${id}/ws?user=eve HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`);
		attacker.write(frame(JSON.stringify({ type: 'open', site: 100 + i })));
		/* half a header, then silence; or a fragment of one byte every now and then */
		if (i % 2 === 0)
			attacker.write(Buffer.from([0x81, 0xfe, 0x01]));
		else
		{
			attacker.write(rawFrame('{', { fin: false }));
			attacker.timer = setInterval(() => attacker.write(rawFrame(' ', { opcode: 0, fin: false })), 100);
		}
		many.push(attacker);
	}
	const codes = await Promise.all(many.map((attacker) => attacker.ended(20000)));
	many.forEach((attacker) => clearInterval(attacker.timer));
	assert.deepEqual([...new Set(codes)], [4408]);
	await slow.stop();
});

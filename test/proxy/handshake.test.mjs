/* What reaches the proxy before a WebSocket is open, from people who do not mean well. */
import assert from 'node:assert/strict';
import net from 'node:net';
import test, { after, before } from 'node:test';
import WebSocket from 'ws';
import { Stand, frame, handshake, raw, sleep } from './stand.mjs';

let stand;
let port;
let id;
before(async () =>
{
	stand = await Stand.start();
	port = stand.proxy.config.listen_port;
	id = stand.document();
});
after(() => stand.finish());

const path = (doc = id, user = 'alice') => `/v1/docs/${doc}/ws?user=${user}`;
const status = async (request, options) => (await raw(port, request, options)).status;

/* Whatever happened before, an ordinary client gets in. */
async function stillServes()
{
	const socket = await stand.socket(id, 'carol');
	assert.equal(socket.welcome.user, 'carol');
	await stand.closeSockets();
}

test('a proper handshake opens', async () =>
{
	const { status: code, answer } = await raw(port, handshake(path()), { wait: 300 });
	assert.equal(code, 101);
	assert.match(answer, /Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/i);
});

test('frames in the same segment as the handshake are not lost', async () =>
{
	const open = frame(JSON.stringify({ type: 'open', site: 7 }));
	const { answer } = await raw(port, Buffer.concat([Buffer.from(handshake(path())), open]), { wait: 500 });
	assert.match(answer, /"type":"welcome"/);
	assert.match(answer, /"type":"snapshot"/);
});

test('other WebSocket versions: 426', async () =>
{
	for (const version of ['8', '0', '12', '14', '130', '13, 8', '', null])
	{
		const { status: code, answer } = await raw(port, handshake(path(), { 'Sec-WebSocket-Version': version }));
		assert.equal(code, 426, `version ${version}`);
		assert.match(answer, /sec-websocket-version: 13/i);
	}
});

test('other upgrades are refused', async () =>
{
	for (const upgrade of ['h2c', 'foo', 'TLS/1.0', 'websocket2', 'websocket, h2c'])
	{
		const { status: code, closed } = await raw(port, handshake(path(), { Upgrade: upgrade }));
		assert.ok([400, 403].includes(code), `${upgrade}: ${code}`);
		assert.ok(closed);
	}
});

test('malformed handshakes: 400', async () =>
{
	assert.equal(await status(handshake(path(), { 'Sec-WebSocket-Key': 'short' })), 400);
	assert.equal(await status(handshake(path(), { 'Sec-WebSocket-Key': null })), 400);
	assert.equal(await status(handshake(path(), { 'Content-Length': '5' })), 400);
	assert.equal(await status(handshake(path(), { 'Transfer-Encoding': 'chunked' })), 400);
	const post = handshake(path()).replace('GET', 'POST');
	assert.ok([0, 400, 405].includes(await status(post)));
	await stillServes();
});

test('document ids', async () =>
{
	for (const bad of ['.', '..', '%2e%2e', 'a%20b', 'a%2Fb', 'a;b', 'caf%C3%A9', 'a'.repeat(129), ''])
		assert.ok([400, 404].includes(await status(handshake(path(bad)))), bad);
	/* libwebsockets closes on a NUL without an answer */
	assert.equal(await status(handshake(path('a%00b'))), 0);
	for (const good of ['a', '~._-', 'A0', '%41', 'a'.repeat(128), '...'])
		assert.equal(await status(handshake(path(good)), { wait: 200 }), 101, good);
	for (const other of ['/', '/v1/docs/a', '/v1/docs/a/b/ws?user=x', '/v1/docs/a/ws/?user=x', '/v2/docs/a/ws?user=x'])
		assert.equal(await status(handshake(other)), 404, other);
});

test('user names', async () =>
{
	for (const bad of ['', 'a%0Ab', '%1b[0m', '%7f', '%c2%85', '%ff', '%c0%80', '%ed%a0%80', 'a'.repeat(129), '%F0%9F%98'])
		assert.equal(await status(handshake(path(id, bad))), 400, bad);
	assert.equal(await status(handshake(`/v1/docs/${id}/ws`)), 400);
	assert.equal(await status(handshake(`/v1/docs/${id}/ws?users=x`)), 400);
	for (const bad of ['%00', 'a%00b'])
		assert.equal(await status(handshake(path(id, bad))), 0, bad);
	for (const good of ['a', 'J%C3%BCrgen', '%F0%9F%98%80', 'a+b', 'a%22b', 'a'.repeat(128)])
		assert.equal(await status(handshake(path(id, good)), { wait: 200 }), 101, good);
	const socket = await stand.socket(id, 'Jürgen "x" 😀 +');
	assert.equal(socket.welcome.user, 'Jürgen "x" 😀 +');
	await stand.closeSockets();
});

test('CONNECT and other methods open nothing', async () =>
{
	const connect = await raw(port, 'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n', { then: 'hello' });
	assert.notEqual(connect.status, 200);
	assert.ok(connect.closed);
	await Promise.all(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE', 'BREW'].map(async (method) =>
	{
		const { status: code, closed } = await raw(port, `${method} / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`);
		assert.ok([400, 403, 405].includes(code) || (code === 0 && closed), `${method}: ${code}`);
	}));
	await stillServes();
});

test('bodies and their lengths', async () =>
{
	for (const length of ['-5', '5', '99999999999999999999', '0x0', '00', 'abc'])
		assert.equal(await status(`GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`), 400, length);
	const smuggled = await raw(port, 'GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n'
		+ '0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
	assert.equal(smuggled.answer.match(/HTTP\/1\.1/g).length, 1, 'one answer only');
	await stillServes();
});

test('large headers', async () =>
{
	assert.equal(await status(handshake(path(), { Cookie: 'x'.repeat(12000) }), { wait: 300 }), 101);
	for (const size of [20000, 70000])
	{
		const { status: code, closed } = await raw(port, handshake(path(), { Cookie: 'x'.repeat(size) }));
		assert.notEqual(code, 101);
		assert.ok(closed, 'closed');
	}
	await stillServes();
});

test('silence and slowness before the end of the headers are cut off', { timeout: 30000 }, async () =>
{
	const begun = Date.now();
	const silent = raw(port, '', { wait: 20000 });
	const half = raw(port, handshake(path()).slice(0, 60), { wait: 20000 });
	const slow = new Promise((resolve) =>
	{
		const text = handshake(path(), { Cookie: 'x'.repeat(500) });
		let sent = 0;
		const socket = net.connect(port, '127.0.0.1');
		const timer = setInterval(() => socket.write(text[sent++]), 200);
		socket.on('error', () => {});
		socket.on('close', () => { clearInterval(timer); resolve(); });
	});
	assert.ok((await silent).closed);
	assert.ok((await half).closed);
	await slow;
	assert.ok(Date.now() - begun < 20000);
	await stillServes();
});

test('compression is not negotiated', async () =>
{
	const { status: code, answer } = await raw(port,
		handshake(path(), { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' }), { wait: 300 });
	assert.equal(code, 101);
	assert.doesNotMatch(answer, /sec-websocket-extensions/i);
});

test('the subprotocol collab.v1 may be named', async () =>
{
	const socket = new WebSocket(stand.proxy.url(id, 'alice'), 'collab.v1');
	await new Promise((resolve, reject) => { socket.once('open', resolve); socket.once('error', reject); });
	assert.equal(socket.protocol, 'collab.v1');
	socket.terminate();
	const { closed, answer } = await raw(port, handshake(path(), { 'Sec-WebSocket-Protocol': 'x'.repeat(300) }));
	assert.ok(closed || answer);
	await stillServes();
});

test('many at once that go away in the middle leave nothing behind', async () =>
{
	for (let i = 0; i < 200; i++)
	{
		const socket = net.connect(port, '127.0.0.1');
		socket.on('error', () => {});
		socket.on('connect', () => { socket.write(handshake(path()).slice(0, 20 + i)); setTimeout(() => socket.destroy(), i % 20); });
	}
	await sleep(500);
	const health = await stand.proxy.health();
	assert.equal(health.connections, 0);
	assert.equal(health.documents, 0);
	await stillServes();
});

/*
 * Requests that two readers could understand in two ways: refused, one answer at most, and the connection ends. Straight at the proxy;
 * test/e2e/smuggling.test.mjs goes through the balancers. What comes after a WebSocket handshake is no request any more, so a handshake is held
 * to the same rules.
 */
import assert from 'node:assert/strict';
import test, { after, afterEach, before } from 'node:test';
import { Bystanders } from './attacker.mjs';
import { Stand, handshake, raw } from './stand.mjs';

let stand;
let port;
let id;
let path;
let peace;
before(async () =>
{
	stand = await Stand.start();
	port = stand.proxy.config.listen_port;
	id = stand.document();
	path = `/v1/docs/${id}/ws?user=eve`;
	peace = await Bystanders.meet(stand);
});
afterEach(async () => peace.undisturbed());
after(() => stand.finish());

const get = (fields = '', line = 'GET /healthz HTTP/1.1') => `${line}\r\nHost: x\r\n${fields}\r\n`;
/* what would be answered by itself if the bytes before it were taken for a whole request */
const smuggled = 'GET /healthz?smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
const answers = (text) => (text.match(/HTTP\/1\.[01] \d{3}/g) ?? []).length;

/* Every request is refused, or the connection ends without a word; never is there a second answer. */
async function refused(requests, statuses = [400, 405, 411])
{
	const results = await Promise.all(Object.entries(requests).map(async ([name, text]) =>
		[name, await raw(port, Buffer.from(text, 'latin1'), { wait: 7000 })]));
	for (const [name, { status, closed, answer }] of results)
	{
		assert.ok(statuses.includes(status) || status === 0, `${name}: ${status}`);
		/* a method that is not known is no reason to distrust what follows */
		assert.ok(closed || status === 405, `${name}: still open`);
		assert.ok(answers(answer) <= 1, `${name}: ${answer}`);
	}
}

test('bodies with two lengths, or with one that is none', { timeout: 30000 }, async () =>
{
	const lengths = ['-5', '+5', '0x5', '5 5', '5,5', '5;5', '99999999999999999999', '05', 'abc', '5.0', '1e1'];
	await refused({
		'CL and TE': get('Content-Length: 4\r\nTransfer-Encoding: chunked\r\n') + `0\r\n\r\n${smuggled}`,
		'TE and CL': get('Transfer-Encoding: chunked\r\nContent-Length: 4\r\n') + `0\r\n\r\n${smuggled}`,
		'two CL': get(`Content-Length: 0\r\nContent-Length: ${smuggled.length}\r\n`) + smuggled,
		'CL as a list': get(`Content-Length: 0, ${smuggled.length}\r\n`) + smuggled,
		'TE twice': get('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n') + `0\r\n\r\n${smuggled}`,
		...Object.fromEntries(lengths.map((value) => [`CL ${value}`, get(`Content-Length: ${value}\r\n`) + smuggled])),
	});
	await refused(Object.fromEntries(['chunked', 'xchunked', 'identity', 'gzip, chunked', 'chunked, identity', '\tchunked', 'CHUNKED', ''].map((value) =>
		[`TE ${value}`, get(`Transfer-Encoding: ${value}\r\n`) + `0\r\n\r\n${smuggled}`])), [400, 411, 501]);
});

test('fields that are disguised', { timeout: 30000 }, async () =>
{
	await refused({
		'a space before the colon': get('Transfer-Encoding : chunked\r\n') + `0\r\n\r\n${smuggled}`,
		'a tab before the colon': get('Content-Length\t: 5\r\n') + smuggled,
		'a folded line': get('X: y\r\n z\r\n'),
		'a folded length': get(`X: y\r\n Content-Length: ${smuggled.length}\r\n`) + smuggled,
		'a folded encoding': get('Transfer-Encoding:\r\n chunked\r\n') + `0\r\n\r\n${smuggled}`,
		'a folded first line': 'GET /healthz HTTP/1.1\r\n Host: x\r\n\r\n',
		'a line without a colon': get('nonsense\r\n'),
		'a field without a name': get(': x\r\n'),
		'a NUL in a value': get('X: a\0b\r\n'),
		'a NUL in a name': get('X\0: a\r\n'),
		'a bare CR in a value': get('X: a\rContent-Length: 5\r\n') + smuggled,
		'a bare LF in a value': get(`X: a\nContent-Length: ${smuggled.length}\r\n`) + smuggled,
		'strange letters in a name': get('Tr\xe4nsfer-Encoding: chunked\r\n') + `0\r\n\r\n${smuggled}`,
		'a space in a name': get('Content Length: 5\r\n') + smuggled,
	});
});

test('lines that end in another way, and what has no lines', { timeout: 30000 }, async () =>
{
	await refused({ TLS: `\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03${'x'.repeat(200)}`, 'bare LF': 'GET /healthz HTTP/1.1\nHost: x\n\n', 'bare CR': 'GET /healthz HTTP/1.1\rHost: x\r\r', 'LF first': '\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n\0' }, [400, 405, 408]);
});

test('hosts: two, none', async () =>
{
	await refused({ two: 'GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', same: 'GET /healthz HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', none: 'GET /healthz HTTP/1.1\r\n\r\n' });
});

test('request lines', { timeout: 30000 }, async () =>
{
	const line = (text) => `${text}\r\nHost: x\r\n\r\n`;
	await refused({
		absolute: line('GET http://evil.example/healthz HTTP/1.1'), authority: line('GET evil.example:80 HTTP/1.1'), 'two spaces': line('GET  /healthz HTTP/1.1'), tab: line('GET\t/healthz\tHTTP/1.1'),
		'a space in it': line('GET /heal thz HTTP/1.1'), 'no version': 'GET /healthz\r\n\r\n', 'HTTP/0.9': line('GET /healthz HTTP/0.9'), 'HTTP/2.0': line('GET /healthz HTTP/2.0'), 'HTTP/9.9': line('GET /healthz HTTP/9.9'),
		'http/1.1': line('GET /healthz http/1.1'), 'HTTP/1.10': line('GET /healthz HTTP/1.10'), 'no method': line(' /healthz HTTP/1.1'), fragment: line('GET /healthz\0 HTTP/1.1'),
	}, [400, 405, 505]);
	await refused({ TRACE: line('TRACE /healthz HTTP/1.1'), TRACK: line('TRACK /healthz HTTP/1.1'), lower: line('get /healthz HTTP/1.1'), BREW: line('BREW /healthz HTTP/1.1') }, [400, 403, 405, 501]);
	await refused({ CONNECT: line('CONNECT evil.example:443 HTTP/1.1') + smuggled, star: line('OPTIONS * HTTP/1.1'), preface: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0' }, [400, 403, 405, 501, 505]);
});

test('other upgrades, on an address of a WebSocket and elsewhere', { timeout: 30000 }, async () =>
{
	const h2c = { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABkAAQAAP__' };
	for (const target of [path, '/healthz'])
		for (const fields of [h2c, { Upgrade: 'foo' }, { Upgrade: 'TLS/1.0' }, { Upgrade: 'websocket, h2c' }, { Upgrade: 'h2c, websocket' }, { Upgrade: 'x'.repeat(5000) }])
		{
			const { status, answer } = await raw(port, handshake(target, fields), { wait: 300 });
			assert.notEqual(status, 101, `${target} ${JSON.stringify(fields).slice(0, 80)}`);
			assert.doesNotMatch(answer, /^upgrade: *h2c/im);
		}
});

test('handshakes that are repeated or disguised', { timeout: 30000 }, async () =>
{
	const twice = (field) => handshake(path).replace(new RegExp(`(${field}: [^\r]*\r\n)`), '$1$1');
	const plus = (fields) => handshake(path).replace('Host:', `${fields}Host:`);
	await refused({
		'two hosts': twice('Host'), 'two keys': twice('Sec-WebSocket-Key'), 'two versions': twice('Sec-WebSocket-Version'), 'HTTP/1.0': handshake(path).replace('HTTP/1.1', 'HTTP/1.0'),
		'no host': handshake(path, { Host: null }), 'a length': handshake(path, { 'Content-Length': '5' }), 'two lengths': plus('Content-Length: 0\r\nContent-Length: 0\r\n'),
		'an encoding': plus('Transfer-Encoding: chunked\r\n'), 'an empty encoding': plus('Transfer-Encoding:\r\n'), 'a disguised encoding': plus('Transfer-Encoding : chunked\r\n'),
		'a key of other letters': handshake(path, { 'Sec-WebSocket-Key': '!!!!!!!!!!!!!!!!!!!!!!==' }), 'a key without end': handshake(path, { 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQAA' }), 'a long key': handshake(path, { 'Sec-WebSocket-Key': 'A'.repeat(200) }),
		'no connection': handshake(path, { Connection: null }), 'connection: close': handshake(path, { Connection: 'close' }), 'an absolute address': handshake(`http://evil.example${path}`),
		POST: handshake(path).replace('GET', 'POST'),
	}, [400, 404, 405, 426]);
});

test('heads of 4 to 64 kB, of many fields, of one long one', { timeout: 60000 }, async () =>
{
	const many = (count) => Array.from({ length: count }, (_, i) => `X-${i}: y\r\n`).join('');
	for (const text of [get(`Cookie: ${'x'.repeat(4096)}\r\n`), get(`Cookie: ${'x'.repeat(12000)}\r\n`), get(many(50))])
		assert.equal((await raw(port, text, { wait: 500 })).status, 200);
	const large = { fields: get(many(2000)), name: get(`${'X'.repeat(20000)}: y\r\n`), uri: get('', `GET /${'a'.repeat(20000)} HTTP/1.1`), query: get('', `GET /healthz?${'a'.repeat(20000)} HTTP/1.1`),
		'handshake of many fields': handshake(path).replace('Host:', `${many(2000)}Host:`) };
	for (const size of [17, 32, 64])
	{
		large[`cookie of ${size} kB`] = get(`Cookie: ${'x'.repeat(size << 10)}\r\n`);
		large[`handshake of ${size} kB`] = handshake(path, { Cookie: 'x'.repeat(size << 10) });
	}
	await refused(large, [400, 413, 414, 431]);
});

test('bodies that would have to be unpacked: 415', async () =>
{
	for (const encoding of ['gzip', 'br', 'deflate', 'zstd', 'x'])
	{
		const { status, answer } = await raw(port, `PUT /v1/docs/${id}?user=eve HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Encoding: ${encoding}\r\n`
			+ 'Content-Length: 10\r\nConnection: close\r\n\r\n0123456789', { wait: 1000 });
		assert.equal(status, 415, answer);
	}
});

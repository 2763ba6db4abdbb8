/* HTTP under /v1/: conditions, formats, caches, idempotency, streams, hostile requests. */
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { eventually } from '../lib/proxy.mjs';
import { Stand, insert, raw, sleep } from './stand.mjs';

let stand;
let base;
let port;
before(async () =>
{
	stand = await Stand.start({ config: { rest_rate: 0, cors_origins: 'https://ok.example https://other.example:8443', heartbeat_ms: 300, timeout_ms: 3000 } });
	base = `${stand.proxy.http}/v1/docs`;
	port = stand.proxy.config.listen_port;
});
after(() => stand.finish());

const json = { 'content-type': 'application/json' };
const put = (id, body, headers = {}) => fetch(`${base}/${id}?user=alice`, { method: 'PUT', headers: { 'content-type': 'text/plain', ...headers }, body });
const ops = (id, body, headers = {}, user = 'alice') => fetch(`${base}/${id}/ops?user=${user}`, { method: 'POST', headers: { ...json, ...headers }, body: JSON.stringify(body) });
const position = async (id) =>
{
	const { headers } = await fetch(`${base}/${id}`);
	return { version: Number(headers.get('collab-version')), event: headers.get('collab-event'), etag: headers.get('etag') };
};

test('an ETag is a version of one history and one format', async () =>
{
	await put('tag', 'one');
	const first = await position('tag');
	assert.equal(first.etag, `"1-${first.event}"`);
	const status = async (tag, query = '') => (await fetch(`${base}/tag${query}`, { headers: { 'if-none-match': tag } })).status;
	assert.deepEqual([await status(first.etag), await status(`W/${first.etag}`), await status(`"x", ${first.etag}`), await status('"1"'), await status('*')], [304, 304, 304, 304, 304]);
	assert.equal(await status(first.etag, '?format=text'), 200, 'another representation');
	assert.equal(await status(first.etag.replace(/"$/, '-text"'), '?format=text'), 304);
	assert.equal(await status('"2"'), 200);
	assert.equal((await fetch(`${base}/tag?user=a`, { method: 'DELETE' })).status, 204);
	await put('tag', 'two');
	const second = await position('tag');
	assert.equal(second.version, first.version);
	assert.equal(await status(first.etag), 200, 'the same version of another history is not the same');
});

test('If-Match holds a write to a version, whoever writes meanwhile', async () =>
{
	await put('held', 'start');
	const { etag } = await position('held');
	const answers = await Promise.all(Array.from({ length: 12 }, (_, i) => (i % 2
		? put('held', `by ${i}`, { 'if-match': etag }) : ops('held', { op: { ops: [{ insert: `${i} ` }] } }, { 'if-match': etag }))));
	assert.deepEqual(answers.map(({ status }) => status).sort(), [200, ...Array(11).fill(412)]);
	assert.equal(stand.sql(`SELECT count(*) FROM collab.events_since('held', 1)`), '1');
	assert.equal((await put('held', 'x', { 'if-match': `W/${(await position('held')).etag}` })).status, 412, 'a weak tag proves nothing');
	const made = await Promise.all(Array.from({ length: 6 }, (_, i) => put('fresh', `by ${i}`, { 'if-none-match': '*' })));
	assert.deepEqual(made.map(({ status }) => status).sort(), [201, 412, 412, 412, 412, 412]);
});

test('PUT is one edit that open editors see; DELETE closes them', async () =>
{
	await put('seen', 'Hello world');
	const socket = await stand.socket('seen', 'bob');
	assert.equal((await put('seen', 'Hello, world')).status, 200);
	const { events } = await socket.next('events');
	assert.deepEqual([events.length, events[0].user, events[0].op], [1, 'alice', { ops: [{ retain: 5 }, { insert: ',' }] }]);
	assert.equal((await put('seen', 'Hello, world')).headers.get('collab-version'), '2', 'nothing differs: no event');
	const refused = await put('seen', JSON.stringify({ ops: [{ retain: 5 }] }), json);
	assert.deepEqual([refused.status, (await refused.json()).sqlstate], [422, 'OT003']);
	assert.equal(stand.text('seen'), 'Hello, world', 'a change is no content');
	assert.equal((await fetch(`${base}/seen?user=a`, { method: 'DELETE' })).status, 204);
	assert.equal((await socket.closing()).code, 4404);
});

test('operations are applied once, and transformed over what came since', async () =>
{
	await put('ops', 'abc');
	const { version, event } = await position('ops');
	const at = { base_version: version, base_event: event };
	const message = { site: 7, clock: 1, ...at, op: { ops: [{ retain: 3 }, { insert: '!' }] } };
	assert.equal((await ops('ops', { op: { ops: [{ insert: '>' }] } })).status, 200);
	const all = await Promise.all(Array.from({ length: 10 }, async () => (await ops('ops', message)).json()));
	assert.equal(new Set(all.map((answer) => answer.version)).size, 1);
	assert.equal(all.filter(({ duplicate }) => !duplicate).length, 1);
	assert.equal(stand.text('ops'), '>abc!');
	const other = await ops('ops', { ...message, op: { ops: [{ insert: 'other' }] } });
	assert.deepEqual([other.status, (await other.json()).sqlstate], [409, 'OT008']);
	const half = await ops('ops', { site: 8, clock: 5, ...at, ops: [{ ops: [{ insert: '1' }] }, { ops: [{ retain: 99 }, { insert: '2' }] }] });
	const problem = await half.json();
	assert.deepEqual([half.status, problem.sqlstate, problem.clock, problem.applied], [422, 'OT003', 6, 1]);
});

test('a version, a time, a format, Accept', async () =>
{
	await put('formats', JSON.stringify({ ops: [{ insert: 'a <b> ' }, { insert: 'bold', attributes: { bold: true } }, { insert: '\n' }] }), json);
	const between = new Date().toISOString();
	await sleep(5);
	await put('formats', 'second');
	const text = async (query, headers = {}) => (await fetch(`${base}/formats${query}`, { headers })).text();
	assert.equal(await text('?format=text&version=1'), 'a <b> bold\n');
	assert.equal(await text(`?format=text&at=${between}`), 'a <b> bold\n');
	assert.equal(await text('?format=text'), 'second');
	assert.match(await text('?format=html&version=1'), /<strong>bold<\/strong>/);
	assert.match(await text('?format=html&version=1'), /a &lt;b&gt;/);
	assert.match(await text('?format=markdown&version=1'), /\*\*bold\*\*/);
	const type = async (accept) => (await fetch(`${base}/formats`, { headers: { accept } })).headers.get('content-type');
	assert.equal(await type('text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'), 'text/html; charset=utf-8');
	assert.equal(await type('*/*'), 'application/json');
	assert.equal(await type('text/*;q=0.5, application/json;q=0.1'), 'text/plain; charset=utf-8');
	const head = await fetch(`${base}/formats`, { method: 'HEAD' });
	assert.equal(head.headers.get('content-length'), String((await text('')).length));
	assert.equal(await head.text(), '');
});

test('only public documents may be kept by shared caches', async () =>
{
	await put('secret', 'x');
	assert.equal((await fetch(`${base}/secret`)).headers.get('cache-control'), 'private, no-cache');
	stand.sql(`SELECT collab.set_visibility('secret', 'public')`);
	const { headers } = await fetch(`${base}/secret`);
	assert.equal(headers.get('cache-control'), 'public, max-age=60');
	assert.equal((await fetch(`${base}/secret`, { headers: { 'if-none-match': headers.get('etag') } })).headers.get('cache-control'), 'public, max-age=60');
	assert.equal((await fetch(`${base}/secret/events`)).headers.get('cache-control'), 'public, max-age=60');
	assert.equal((await fetch(`${base}/secret/comments`)).headers.get('cache-control'), 'private, no-cache');
	stand.sql(`SELECT collab.set_visibility('secret', 'private')`);
	assert.equal((await fetch(`${base}/secret`)).headers.get('cache-control'), 'private, no-cache');
});

test('other origins: an exact list', async () =>
{
	await put('cors', 'x');
	const allowed = async (origin) => (await fetch(`${base}/cors`, { headers: { origin } })).headers.get('access-control-allow-origin');
	assert.equal(await allowed('https://ok.example'), 'https://ok.example');
	assert.equal(await allowed('https://other.example:8443'), 'https://other.example:8443');
	for (const origin of ['https://ok.example.evil.com', 'http://ok.example', 'https://ok.example:444', 'null', 'https://OK.example', ''])
		assert.equal(await allowed(origin), null, origin);
	const preflight = await fetch(`${base}/cors`, { method: 'OPTIONS', headers: { origin: 'https://ok.example', 'access-control-request-method': 'PUT' } });
	assert.equal(preflight.status, 204);
	assert.match(preflight.headers.get('access-control-allow-methods'), /PUT/);
	assert.match(preflight.headers.get('vary'), /Origin/);
	assert.match((await fetch(`${base}/cors`)).headers.get('vary'), /Origin/, 'also for who has none');
});

/* The events of a stream until one satisfies `until`: {id, data, event}. */
async function follow(id, until, headers = {})
{
	const response = await fetch(`${base}/${id}/stream?user=follower`, { headers });
	const events = [];
	let text = '';
	for await (const chunk of response.body.pipeThrough(new TextDecoderStream()))
	{
		text += chunk;
		const blocks = text.split('\n\n');
		text = blocks.pop();
		for (const block of blocks)
		{
			const fields = Object.fromEntries(block.split('\n').map((line) => [line.slice(0, line.indexOf(':')) || 'comment', line.slice(line.indexOf(':') + 2)]));
			events.push({ ...fields, data: fields.data && JSON.parse(fields.data) });
			if (until(events.at(-1)))
			{
				await response.body.cancel().catch(() => {});
				return events;
			}
		}
	}
	return events;
}

test('a follower gets every version once, and goes on where it was', async () =>
{
	await put('stream', 'start');
	const until = (version) => ({ data }) => data?.events?.some((event) => event.version >= version);
	const versions = (events) => events.flatMap(({ data }) => data?.events ?? []).map(({ version }) => version);
	const first = follow('stream', until(4));
	const socket = await stand.socket('stream', 'writer', { site: 3 });
	await eventually(async () => (await (await fetch(`${base}/stream/presence`)).json()).join?.some(({ user }) => user === 'follower'));
	for (let clock = 1; clock <= 3; clock++)
	{
		socket.send(insert(socket, clock, `${clock}`));
		const ack = await socket.next('ack');
		socket.version = ack.version;
		socket.event = ack.event;
	}
	const events = await first;
	assert.equal(events.find(({ data }) => data?.type === 'snapshot').data.version, 1);
	assert.deepEqual(versions(events), [2, 3, 4]);
	const large = 'x'.repeat(200000);
	await ops('stream', { op: { ops: [{ insert: large }] } });
	await ops('stream', { op: { ops: [{ insert: 'y' }] } });
	const more = await follow('stream', until(6), { 'last-event-id': events.find(until(3)).id });
	assert.deepEqual(versions(more), [4, 5, 6], 'one by one');
	assert.equal(more.flatMap(({ data }) => data?.events ?? []).find(({ version }) => version === 5).op.ops[0].insert, large);
	assert.ok(more.every(({ data }) => data?.type !== 'snapshot'));
	const beats = await follow('stream', ({ comment }) => comment?.includes('heartbeat'));
	assert.ok(beats.length > 0);
	const lost = await follow('stream', ({ data }) => data?.type === 'snapshot', { 'last-event-id': `2-${'0'.repeat(16)}` });
	assert.equal(lost.at(-1).data.reason, 'OT010');
	const closing = follow('stream', ({ event }) => event === 'close');
	await sleep(300);
	await fetch(`${base}/stream?user=a`, { method: 'DELETE' });
	assert.equal((await closing).at(-1).data.code, 4404);
	await stand.closeSockets();
});

test('a follower that does not read is bounded', { timeout: 60000 }, async () =>
{
	await put('slow', 'x');
	const answer = raw(port, 'GET /v1/docs/slow/stream?user=s HTTP/1.1\r\nHost: x\r\n\r\n', { wait: 200 });
	const response = await fetch(`${base}/slow/stream`);
	const piece = 'z'.repeat(500000);
	for (let i = 0; i < 12; i++)
		assert.equal((await ops('slow', { op: { ops: [{ insert: piece }] } })).status, 200);
	assert.match((await answer).answer, /event-stream/);
	assert.equal((await fetch(`${base}/slow?format=text`)).status, 200, 'nobody else waits for it');
	await response.body.cancel();
});

test('requests on one connection are answered in order', async () =>
{
	const request = (method, path, body = '') => `${method} ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n${body ? `Content-Length: ${body.length}\r\n` : ''}\r\n${body}`;
	let text = '';
	for (let i = 0; i < 10; i++)
		text += request('PUT', '/v1/docs/pipe?user=a', `text ${i}`) + request('GET', '/v1/docs/pipe?format=text') + request('GET', '/healthz');
	const { answer } = await raw(port, text + request('GET', '/v1/docs/pipe?format=text').replace('Host: x', 'Host: x\r\nConnection: close'), { wait: 10000 });
	assert.equal(answer.match(/HTTP\/1\.1 /g).length, 31);
	assert.deepEqual([...answer.matchAll(/\r\n\r\n(text \d)HTTP/g)].map(([, found]) => found), Array.from({ length: 10 }, (_, i) => `text ${i}`));
	assert.ok(answer.endsWith('text 9'));
	const slowly = await raw(port, request('PUT', '/v1/docs/pipe?user=a', 'in two').slice(0, -3), { wait: 500 });
	assert.equal(slowly.answer, '');
});

test('hostile requests get a clear answer and hurt nobody', { timeout: 60000 }, async () =>
{
	const ask = async (head, body = '', options = {}) => (await raw(port, `${head}\r\nHost: x\r\nConnection: close\r\n${body ? `Content-Length: ${Buffer.byteLength(body)}\r\nContent-Type: application/json\r\n` : ''}\r\n${body}`, { wait: 8000, ...options })).status;
	const get = (target) => ask(`GET ${target} HTTP/1.1`);
	const doc = '/v1/docs/x';
	assert.equal(await get(`/v1/docs/${'a'.repeat(129)}`), 400);
	assert.equal(await get(`/v1/docs/${'a'.repeat(3000)}`), 414);
	assert.equal(await get(`/v1/docs/${'a'.repeat(50000)}`), 431);
	for (const id of ['a%00b', '%', '%zz', '%2', '..', '.', 'a%2Fb%2Fc', '%c3%28', 'a%20b', 'a;b', '%2e%2e'])
		assert.ok([400, 404].includes(await get(`/v1/docs/${id}`)), id);
	assert.equal(await get(`${doc}?user=%ff`), 400);
	assert.equal(await get(`${doc}?user=a%00`), 400);
	assert.equal(await get(`${doc}?${'a=1&'.repeat(30)}`), 400);
	assert.equal(await get(`${doc}?${'a=1&'.repeat(100000)}`), 431);
	for (const version of ['-1', '1e3', '9223372036854775808', '99999999999999999999999', '0x1', '', ' 1', '1.0', '\u0661'])
		assert.equal(await get(`${doc}?version=${encodeURIComponent(version)}`), 400, version);
	for (const at of ['now', 'infinity', '2026-13-45T99:99:99Z', "2026-01-01T00:00:00Z';--", '2026-01-01', 'x'.repeat(100)])
		assert.ok([400, 404].includes(await get(`${doc}?at=${encodeURIComponent(at)}`)), at);
	await put('x', 'x');
	assert.equal(await get(`${doc}?at=2026-13-45T99:99:99Z`), 400);
	const send = (body) => ask(`POST ${doc}/ops?user=a HTTP/1.1`, body);
	const deep = '['.repeat(100000);
	for (const body of [deep, `{"op":${deep}`, `{"op":${'{"a":'.repeat(60)}1${'}'.repeat(60)}}`, '{"op":{"ops":[{"insert":"\\ud800"}]}}', '{"op":{"ops":[{"insert":"\\u0000"}]}}', '{"op":{"ops":[{"retain":1e999}]}}',
		'{"op":{"ops":[{"delete":-5}]}}', '{"op":{"ops":[{"retain":9007199254740993}]}}', '{"op":1}', '{}', 'null', '"x"', '{"op":{"ops":[]},"site":-1}', '{"site":1,"clock":1,"op":{"ops":[]}}', `{"ops":[${'{},'.repeat(2000)}{}]}`])
		assert.ok([400, 409, 413, 422].includes(await send(body)), body.slice(0, 60));
	assert.equal((await raw(port, Buffer.concat([Buffer.from(`PUT ${doc}?user=a HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n`), Buffer.from([0xff, 0xfe])]), { wait: 3000 })).status, 400);
	for (const head of ['GET /v1/docs/x HTTP/1.1\r\nHost: x\r\nBad Header: 1', 'GET /v1/docs/x HTTP/1.1\r\nHost: x\r\n folded: 1', 'GET /v1/docs/x HTTP/1.1\r\nHost: a\r\nHost: b', 'GET http://x/v1/docs/x HTTP/1.1\r\nHost: x', 'GET /v1/docs/x HTTP/2.0\r\nHost: x', 'GET  /v1/docs/x HTTP/1.1\r\nHost: x', 'GET /v1/docs/x\x01 HTTP/1.1\r\nHost: x', 'hello'])
		assert.equal((await raw(port, `${head}\r\n\r\n`, { wait: 3000 })).status, 400, head);
	const begun = Date.now();
	const half = await Promise.all(Array.from({ length: 50 }, () => raw(port, `PUT ${doc}?user=a HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\nhalf`, { wait: 20000 })));
	assert.ok(half.every(({ status }) => status === 408));
	assert.ok(Date.now() - begun < 20000);
	assert.equal(stand.text('x'), 'x');
	assert.equal((await fetch(`${base}/x`)).status, 200);
});

test('a slow report keeps neither readers nor sockets waiting', { timeout: 60000 }, async () =>
{
	const id = stand.document({ ops: [{ insert: 'abc' }] });
	const lock = stand.database.session();
	await lock.query(`BEGIN; LOCK TABLE collab.named_versions IN ACCESS EXCLUSIVE MODE`);
	const waiting = Array.from({ length: 1 }, () => fetch(`${base}/${id}/versions`));
	await sleep(300);
	assert.equal((await fetch(`${base}/${id}`)).status, 200);
	const socket = await stand.socket(id, 'bob');
	assert.equal(socket.version, 1);
	await lock.query('COMMIT');
	assert.deepEqual((await Promise.all(waiting)).map(({ status }) => status), [200]);
	await lock.close?.();
	await stand.closeSockets();
});

/*
 * The description at /openapi.json against the implementation: it is valid OpenAPI 3.1, it has every route and nothing else, every method, parameter
 * and status in it is called, and every answer fits its schema.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { freePort } from '../lib/proxy.mjs';
import { readMetrics } from '../lib/metrics.mjs';
import { Stand, raw } from './stand.mjs';

let stand;
let base;
let api;
let ajv;
let dir;
const seen = new Set(); /* "GET /v1/docs/{id} 200" */
const seenParameters = new Set(); /* "GET /v1/docs/{id} query version" */

before(async () =>
{
	dir = mkdtempSync(join(tmpdir(), 'collab-openapi-'));
	stand = await Stand.start({ config: { rest_rate: 0, admin_port: await freePort() } });
	base = stand.proxy.http;
	api = await (await fetch(`${base}/openapi.json`)).json();
	ajv = new Ajv({ strict: false, allErrors: true });
	addFormats(ajv);
	ajv.addSchema({ $id: 'api', ...api });
});
after(async () =>
{
	await stand?.finish();
	rmSync(dir, { recursive: true, force: true });
});

const pointer = (...parts) => `api#/${parts.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`;

function templateOf(path)
{
	return Object.keys(api.paths).find((template) => new RegExp(`^${template.replace('{id}', '[^/]*')}$`).test(path));
}

/* Whether an answer is described: its status, type, headers and body. */
function check(method, path, status, type, headers, body)
{
	const template = templateOf(path);
	const operation = api.paths[template]?.[method.toLowerCase()];
	assert.ok(operation, `${method} ${path} is described`);
	const reference = operation.responses[status]?.$ref;
	const at = reference ? reference.slice(2).split('/') : ['paths', template, method.toLowerCase(), 'responses', String(status)];
	const response = at.reduce((node, key) => node?.[key], api);
	assert.ok(response, `${method} ${path}: status ${status} is described: ${body}`);
	seen.add(`${method} ${template} ${status}`);
	for (const name of Object.keys(response.headers ?? {}))
	{
		const optional = name === 'Link';
		const header = api.components.headers[response.headers[name].$ref?.split('/').at(-1)] ?? response.headers[name];
		assert.ok(optional || headers[name.toLowerCase()] !== undefined, `${method} ${path} ${status} has ${name}`);
		if (headers[name.toLowerCase()] !== undefined)
			assert.ok(ajv.compile(header.schema)(headers[name.toLowerCase()]), `${name}: ${headers[name.toLowerCase()]}`);
	}
	if (!response.content)
		return assert.equal(body, '');
	assert.ok(response.content[type], `${method} ${path} ${status}: ${type} is described`);
	if (!/json/.test(type))
		return;
	const validate = ajv.getSchema(pointer(...at, 'content', type, 'schema'));
	assert.ok(validate(JSON.parse(body)), `${method} ${path} ${status}: ${JSON.stringify(validate.errors)} in ${body}`);
}

/* Calls and checks; returns {status, headers, body}. */
async function call(method, path, { query = {}, headers = {}, body, at = base, checked = true } = {})
{
	const template = templateOf(path);
	const search = new URLSearchParams(query).toString();
	const response = await fetch(`${at}${path}${search ? `?${search}` : ''}`, { method, headers,
		body: typeof body === 'object' ? JSON.stringify(body) : body });
	for (const name of Object.keys(query))
		seenParameters.add(`${method} ${template} query ${name}`);
	for (const name of Object.keys(headers))
		seenParameters.add(`${method} ${template} header ${name.toLowerCase()}`);
	const text = await response.text();
	const all = Object.fromEntries(response.headers);
	if (checked)
		check(method, path, response.status, all['content-type']?.split(';')[0], all, text);
	return { status: response.status, headers: all, body: text };
}

const json = { 'content-type': 'application/json' };
const alice = { user: 'alice' };

/* A request of each operation that succeeds on document `id`. */
const operations = (id) => [
	['GET', `/v1/docs/${id}`, {}],
	['PUT', `/v1/docs/${id}`, { query: alice, headers: json, body: { ops: [{ insert: 'put' }] } }],
	['DELETE', `/v1/docs/${id}`, { query: alice }],
	['GET', `/v1/docs/${id}/events`, {}],
	['POST', `/v1/docs/${id}/ops`, { query: alice, headers: json, body: { op: { ops: [{ insert: 'x' }] } } }],
	['GET', `/v1/docs/${id}/history`, {}],
	['GET', `/v1/docs/${id}/blame`, {}],
	['GET', `/v1/docs/${id}/versions`, {}],
	['GET', `/v1/docs/${id}/presence`, {}],
	['GET', `/v1/docs/${id}/comments`, {}],
	['POST', `/v1/docs/${id}/comments`, { query: alice, headers: json, body: { from: 0, to: 1, body: 'Why?' } }],
	['GET', `/v1/docs/${id}/stream`, {}],
];

test('the description is valid OpenAPI 3.1, with ids of its own', async () =>
{
	const { valid, errors } = await new Validator().validate(structuredClone(api));
	assert.ok(valid, JSON.stringify(errors));
	assert.match(api.openapi, /^3\.1\./);
	const ids = Object.values(api.paths).flatMap((item) => Object.values(item).map((operation) => operation.operationId)).filter(Boolean);
	assert.equal(new Set(ids).size, ids.length);
});

test('it has the routes that there are, and no others', async () =>
{
	const { samples } = await readMetrics(stand.proxy.admin);
	const routes = new Set(samples.filter(({ name }) => name === 'collab_http_requests_total').map(({ labels }) => labels.route));
	const described = Object.entries(api.paths).flatMap(([path, item]) => Object.keys(item).filter((key) => key !== 'parameters')
		.map((method) => `${method.toUpperCase()} ${path}`));
	assert.deepEqual([...routes].filter((route) => route !== 'other').sort(), described.sort());
	for (const [path, item] of Object.entries(api.paths))
	{
		const methods = Object.keys(item).filter((key) => key !== 'parameters').map((method) => method.toUpperCase());
		const { headers: { allow } } = await call('OPTIONS', path.replace('{id}', 'x'), { checked: false });
		assert.deepEqual(allow.split(', ').filter((method) => !['HEAD', 'OPTIONS'].includes(method)).sort(), methods.sort(), path);
	}
});

test('what succeeds', { timeout: 60000 }, async () =>
{
	await call('GET', '/openapi.json');
	const put = (body, headers = json) => call('PUT', '/v1/docs/a', { query: alice, headers, body });
	assert.equal((await put('Hello', { 'content-type': 'text/plain' })).status, 201);
	assert.equal((await put({ ops: [{ insert: 'Hello ' }, { insert: 'world', attributes: { bold: true } }] })).status, 200);
	assert.equal((await put([{ insert: 'Hello world' }], { 'content-type': 'application/vnd.quill.delta+json', 'If-None-Match': '"7"' })).status, 200);
	for (const format of ['delta', 'text', 'html', 'markdown'])
		assert.equal((await call('GET', '/v1/docs/a', { query: { format, ...alice } })).status, 200);
	await call('GET', '/v1/docs/a', { query: { version: 1 } });
	await call('GET', '/v1/docs/a', { query: { at: new Date(Date.now() + 1000).toISOString() } });
	const { headers: { etag } } = await call('GET', '/v1/docs/a');
	assert.equal((await call('GET', '/v1/docs/a', { headers: { 'If-None-Match': etag } })).status, 304);
	await call('POST', '/v1/docs/a/ops', { query: alice, headers: { ...json, 'If-Match': etag }, body: { op: { ops: [{ insert: 'x' }] } } });
	const { headers } = await call('GET', '/v1/docs/a');
	const position = { site: 5, base_version: Number(headers['collab-version']), base_event: headers['collab-event'] };
	const ops = { ...position, clock: 1, ops: [{ ops: [{ insert: 'a' }] }, { ops: [{ insert: 'b' }] }] };
	const first = JSON.parse((await call('POST', '/v1/docs/a/ops', { query: alice, headers: json, body: ops })).body);
	assert.deepEqual([first.count, first.duplicate], [2, false]);
	const again = JSON.parse((await call('POST', '/v1/docs/a/ops', { query: alice, headers: json, body: ops })).body);
	assert.deepEqual(again, { ...first, duplicate: true });
	await call('GET', '/v1/docs/a/events', { query: { from: 2, limit: 1, ...alice } });
	await call('GET', '/v1/docs/a/history', { query: { from: 1, to: 3, gap: 0, limit: 1, ...alice } });
	await call('GET', '/v1/docs/a/blame', { query: { version: 4, from: 1, limit: 2, ...alice } });
	stand.sql(`SELECT collab.name_version('a', 'one', 1), collab.name_version('a', 'two', 2)`);
	await call('GET', '/v1/docs/a/versions', { query: { offset: 0, limit: 1, ...alice } });
	const { comment } = JSON.parse((await call('POST', '/v1/docs/a/comments', { query: alice, headers: json, body: { from: 0, to: 2, body: 'Why?', version: 4 } })).body);
	await call('POST', '/v1/docs/a/comments', { query: alice, headers: json, body: { thread: comment, body: 'Because' } });
	await call('GET', '/v1/docs/a/comments', { query: { version: 5, offset: 1, limit: 5, ...alice } });
	const socket = await stand.socket('a', 'carol', { name: 'Carol', color: '#d33' });
	await socket.next('presence');
	socket.send({ type: 'cursor', version: socket.version, position: 1 });
	await socket.next((m) => m.type === 'presence' && m.cursors);
	assert.equal(JSON.parse((await call('GET', '/v1/docs/a/presence', { query: alice })).body).join[0].user, 'carol');
	await stand.closeSockets();
	const stream = await fetch(`${base}/v1/docs/a/stream?user=alice`, { headers: { 'Last-Event-ID': `${headers['collab-version']}-${headers['collab-event']}` } });
	check('GET', '/v1/docs/a/stream', stream.status, stream.headers.get('content-type'), Object.fromEntries(stream.headers), '');
	seenParameters.add('GET /v1/docs/{id}/stream query user').add('GET /v1/docs/{id}/stream header last-event-id');
	await stream.body.cancel();
	const { headers: now } = await call('GET', '/v1/docs/a');
	assert.equal((await call('PUT', '/v1/docs/a', { query: alice, headers: { ...json, 'If-Match': now.etag }, body: { ops: [{ insert: 'last' }] } })).status, 200);
	assert.equal((await call('DELETE', '/v1/docs/a', { query: alice, headers: { 'If-Match': '*' } })).status, 204);
});

test('malformed, missing, and what else is wrong with a request', { timeout: 60000 }, async () =>
{
	for (const [method, path, options] of operations('a b'))
		assert.equal((await call(method, encodeURI(path), options)).status, 400, path);
	for (const [method, path, options] of operations('none').filter(([m]) => m !== 'PUT'))
		assert.equal((await call(method, path, options)).status, 404, `${method} ${path}`);
	const id = stand.document({ ops: [{ insert: 'abc' }] });
	const path = `/v1/docs/${id}`;
	assert.equal((await call('GET', path, { headers: { accept: 'image/png' } })).status, 406);
	for (const method of ['PUT', 'DELETE'])
		assert.equal((await call(method, path, { query: alice, headers: { ...(method === 'PUT' ? json : {}), 'If-Match': '"99"' }, body: method === 'PUT' ? { ops: [] } : undefined })).status, 412);
	const ops = (body, headers = {}) => call('POST', `${path}/ops`, { query: alice, headers: { ...json, ...headers }, body });
	assert.equal((await ops({ op: { ops: [] } }, { 'If-Match': '"99"' })).status, 412);
	assert.equal((await ops({ op: { ops: [{ retain: 99 }, { insert: 'x' }] } })).status, 422);
	assert.equal((await ops({ site: 1, clock: 1, base_version: 50, base_event: '0'.repeat(16), op: { ops: [{ insert: 'x' }] } })).status, 409);
	assert.equal((await call('PUT', path, { query: alice, headers: json, body: { ops: [{ insert: 'a' }, { retain: 3 }] } })).status, 422);
	stand.sql(`CREATE TABLE linked (doc text REFERENCES collab.documents (doc_id)); INSERT INTO linked VALUES ('${id}')`);
	assert.equal((await call('DELETE', path, { query: alice })).status, 409);
	const template = { PUT: path, 'POST ops': `${path}/ops`, 'POST comments': `${path}/comments` };
	for (const [name, target] of Object.entries(template))
	{
		const method = name.split(' ')[0];
		assert.equal((await call(method, target, { query: alice, headers: { 'content-type': 'text/css' }, body: 'x' })).status, 415);
		assert.equal((await call(method, target, { query: alice, headers: { ...json, 'content-encoding': 'gzip' }, body: 'x' })).status, 415);
		const head = `${method} ${target}?user=alice HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`;
		for (const [status, text] of [[411, 'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n'], [413, 'Content-Length: 99999999\r\n\r\n{']])
		{
			const answer = await raw(stand.proxy.config.listen_port, head + text, { wait: 3000 });
			assert.equal(answer.status, status);
			check(method, target, status, 'application/problem+json', {}, answer.answer.split('\r\n\r\n')[1]);
		}
	}
});

test('history that was deleted', { timeout: 60000 }, async () =>
{
	const id = stand.document({ ops: [{ insert: 'abc' }] });
	const { headers: first } = await call('GET', `/v1/docs/${id}`);
	for (let i = 0; i < 20; i++)
		stand.sql(`SELECT collab.insert_text('${id}', 0, 'x')`);
	stand.sql(`SELECT collab.set_retention('${id}', '0', '0'); SELECT pg_sleep(0.01); SELECT collab.fold('${id}'); SELECT collab.prune('${id}')`);
	const position = { base_version: Number(first['collab-version']), base_event: first['collab-event'] };
	assert.equal((await call('GET', `/v1/docs/${id}`, { query: { version: 2 } })).status, 410);
	assert.equal((await call('GET', `/v1/docs/${id}/events`)).status, 410);
	assert.equal((await call('GET', `/v1/docs/${id}/blame`, { query: { version: 2 } })).status, 410);
	assert.equal((await call('GET', `/v1/docs/${id}/comments`, { query: { version: 2 } })).status, 410);
	assert.equal((await call('GET', `/v1/docs/${id}/history`, { query: { from: 1 } })).status, 410);
	assert.equal((await call('POST', `/v1/docs/${id}/ops`, { query: alice, headers: json, body: { site: 3, clock: 1, ...position, op: { ops: [{ insert: 'y' }] } } })).status, 410);
});

test('too many, too slow, no room', { timeout: 90000 }, async () =>
{
	const limited = await stand.another({ rest_rate: 1, rest_burst: 1 });
	await fetch(`${limited.http}/v1/docs/x`);
	for (const [method, path, options] of [...operations('x'), ['GET', '/openapi.json', {}]])
		assert.equal((await call(method, path, { ...options, at: limited.http })).status, 429, path);

	const lonely = await stand.another({ rest_timeout_ms: 300, rest_rate: 0, database: 'host=/nonexistent dbname=x' }, { wait: false, database: null });
	for (;;)
		if (await fetch(`${lonely.http}/healthz`).catch(() => null))
			break;
	for (const [method, path, options] of operations('x'))
		assert.equal((await call(method, path, { ...options, at: lonely.http })).status, 504, path);

	const full = await stand.another({ max_connections: 1, timeout_ms: 60000 });
	await new Promise((resolve) => setTimeout(resolve, 200));
	const id = stand.document();
	let socket;
	while (!socket)
		socket = await stand.socket(id, 'a', {}, { proxy: full }).catch(() => null);
	for (const [method, path, options] of operations(id))
		assert.equal((await call(method, path, { ...options, at: full.http, headers: { ...options.headers, connection: 'close' } })).status, 503, path);

	const hasty = await stand.another({ timeout_ms: 300, heartbeat_ms: 100, rest_rate: 0 });
	for (const [method, target] of [['PUT', '/v1/docs/x'], ['POST', '/v1/docs/x/ops'], ['POST', '/v1/docs/x/comments']])
	{
		const answer = await raw(hasty.config.listen_port, `${method} ${target}?user=a HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{`, { wait: 5000 });
		assert.equal(answer.status, 408);
		check(method, target, 408, 'application/problem+json', {}, answer.answer.split('\r\n\r\n')[1]);
	}
	/* the cluster has connections for a few proxies only */
	await stand.closeSockets();
	for (const proxy of [limited, full, hasty])
		assert.equal((await proxy.stop()).code, 0);
});

test('over an encrypted connection', { timeout: 60000 }, async () =>
{
	execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', join(dir, 'key.pem'), '-out', join(dir, 'cert.pem'),
		'-days', '2', '-subj', '/CN=localhost'], { stdio: 'ignore' });
	execFileSync('chmod', ['-R', 'a+rX', dir]);
	const proxy = await stand.another({ tls_certificate: join(dir, 'cert.pem'), tls_key: join(dir, 'key.pem'), rest_rate: 0, admin_port: await freePort() }, { wait: false });
	const ask = (method, path, { headers = {}, body = '' } = {}) => new Promise((resolve, reject) =>
	{
		const request = https.request({ host: '127.0.0.1', port: proxy.config.listen_port, method, path, headers, rejectUnauthorized: false }, (response) =>
		{
			let text = '';
			response.setEncoding('utf8').on('data', (chunk) => { text += chunk; }).on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: text }));
		});
		request.on('error', reject).end(body);
	});
	for (;;)
		if ((await ask('GET', '/readyz').catch(() => null))?.status === 200)
			break;
		else
			await new Promise((resolve) => setTimeout(resolve, 50));
	const text = 'Grüße '.repeat(100000);
	const made = await ask('PUT', '/v1/docs/tls?user=J%C3%BCrgen%20%26%20Co', { headers: { 'content-type': 'text/plain', 'content-length': Buffer.byteLength(text) }, body: text });
	assert.equal(made.status, 201, made.body);
	const got = await ask('GET', '/v1/docs/tls?format=text');
	assert.equal(got.body, text);
	assert.equal((await ask('GET', '/v1/docs/tls', { headers: { 'if-none-match': made.headers.etag } })).status, 304);
	assert.equal(JSON.parse((await ask('GET', '/v1/docs/tls/events')).body).events[0].user, 'Jürgen & Co');
	const stream = await ask('GET', '/v1/docs/tls/stream');
	assert.equal(stream.status, 501);
	check('GET', '/v1/docs/tls/stream', 501, 'application/problem+json', stream.headers, stream.body);
});

test('every operation, status and parameter of the description was called', () =>
{
	const missing = [];
	for (const [path, item] of Object.entries(api.paths))
		for (const [method, operation] of Object.entries(item).filter(([key]) => key !== 'parameters'))
		{
			for (const status of Object.keys(operation.responses))
				if (!seen.has(`${method.toUpperCase()} ${path} ${status}`))
					missing.push(`${method.toUpperCase()} ${path} ${status}`);
			for (let parameter of operation.parameters ?? [])
			{
				parameter = parameter.$ref ? api.components.parameters[parameter.$ref.split('/').at(-1)] : parameter;
				if (!seenParameters.has(`${method.toUpperCase()} ${path} ${parameter.in} ${parameter.in === 'header' ? parameter.name.toLowerCase() : parameter.name}`))
					missing.push(`${method.toUpperCase()} ${path} parameter ${parameter.name}`);
			}
		}
	assert.deepEqual(missing, []);
});

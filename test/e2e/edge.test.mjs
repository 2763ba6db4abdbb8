/*
 * nginx with the cache of deploy/nginx.conf as the edge of a delivery network: what is public is asked for once and then served by
 * it, in each format apart; what is not public always comes from the proxy.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Balancer } from '../lib/balancer.mjs';
import { readMetrics, valueOf } from '../lib/metrics.mjs';
import { freePort, startProxy } from '../lib/proxy.mjs';
import { Stack } from '../lib/stack.mjs';

const CROWD = 60;

let stack;
let edge;
before(async () =>
{
	stack = await Stack.start({ proxies: 0 });
	for (let i = 0; i < 3; i++)
		stack.proxies.push(await startProxy({ database: stack.database, config: { admin_port: await freePort(), trusted_proxies: '127.0.0.1' } }));
	edge = await Balancer.start('nginx', stack.proxies.map((proxy) => proxy.config.listen_port));
});
after(async () =>
{
	await edge.stop();
	await stack.stop();
});

function publish(id, content)
{
	stack.createDocument(id, { ops: [{ insert: content }] });
	stack.sql(`SELECT collab.set_visibility('${id}', 'public')`);
}

/* Requests for documents that the proxies answered so far. */
async function answered()
{
	let sum = 0;
	for (const proxy of stack.proxies)
	{
		const metrics = await readMetrics(proxy.admin);
		for (const status of ['2xx', '3xx'])
			sum += valueOf(metrics, 'collab_http_requests_total', { route: 'GET /v1/docs/{id}', status });
	}
	return sum;
}

const cacheOf = (answer) => answer.headers['x-cache-status'];

test('what is public is served by the edge, with its ETag', async () =>
{
	publish('news', 'read me');
	const before = await answered();
	const first = await edge.get('/v1/docs/news');
	assert.equal(cacheOf(first), 'MISS');
	assert.equal(first.headers['cache-control'], 'public, max-age=60');
	const second = await edge.get('/v1/docs/news');
	assert.equal(cacheOf(second), 'HIT');
	assert.deepEqual([second.body, second.headers.etag], [first.body, first.headers.etag]);
	const known = await edge.get('/v1/docs/news', { 'If-None-Match': first.headers.etag });
	assert.deepEqual([known.status, cacheOf(known), known.body], [304, 'HIT', '']);
	assert.equal(await answered() - before, 1, 'the proxies were asked once');
});

test('each format apart, whichever way it is asked for', async () =>
{
	publish('formats', 'a <b>');
	const expected = { 'application/json': /"insert":"a <b>"/, 'text/plain': /^a <b>/, 'text/html': /a &lt;b&gt;/, 'text/markdown': /^a &lt;b&gt;/ };
	for (const turn of ['MISS', 'HIT'])
		for (const [accept, body] of Object.entries(expected))
		{
			const answer = await edge.get('/v1/docs/formats', { Accept: accept });
			assert.match(answer.headers['content-type'], new RegExp(`^${accept}`));
			assert.match(answer.body, body);
			assert.equal(cacheOf(answer), turn, accept);
		}
	assert.match((await edge.get('/v1/docs/formats?format=html')).body, /a &lt;b&gt;/);
});

test('what is private never is, nor an error', async () =>
{
	stack.createDocument('diary', { ops: [{ insert: 'mine' }] });
	const before = await answered();
	for (let i = 0; i < 3; i++)
	{
		const answer = await edge.get('/v1/docs/diary');
		assert.deepEqual([answer.status, cacheOf(answer), answer.headers['cache-control']], [200, 'MISS', 'private, no-cache']);
		assert.equal(cacheOf(await edge.get('/v1/docs/nothing')), 'MISS');
	}
	assert.equal(await answered() - before, 3);
	stack.sql(`SELECT collab.insert_text('diary', 0, 'still ')`);
	assert.match((await edge.get('/v1/docs/diary?format=text')).body, /^still mine/);
});

test('many who ask for the same at once cost the proxies one request', async () =>
{
	publish('rush', 'x'.repeat(100000));
	const before = await answered();
	const answers = await Promise.all(Array.from({ length: CROWD }, () => edge.get('/v1/docs/rush')));
	assert.ok(answers.every((answer) => answer.status === 200 && answer.body === answers[0].body));
	assert.equal(await answered() - before, 1);
});

test('a past version is kept as well, and edits go through to a proxy', async () =>
{
	publish('log', 'one');
	stack.sql(`SELECT collab.insert_text('log', 3, ' two')`);
	for (const turn of ['MISS', 'HIT'])
	{
		const past = await edge.get('/v1/docs/log?version=1&format=text');
		assert.deepEqual([past.body.trim(), cacheOf(past)], ['one', turn]);
	}
});

/*
 * The balancers of deploy/ for real: three proxies behind HAProxy and behind nginx, editors on encrypted WebSockets through them. A
 * document's editors meet at one proxy; one that is killed or drained costs nobody an edit.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { get } from 'node:https';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { CollabClient, Delta } from '../../client/src/index.js';
import { Balancer } from '../lib/balancer.mjs';
import { eventually, startProxy } from '../lib/proxy.mjs';
import { Stack } from '../lib/stack.mjs';

const DOCUMENTS = 9;
const EDITORS = 2;

let stack;
let proxies;
before(async () =>
{
	stack = await Stack.start({ config: { admin_port: 0 } });
	proxies = [stack.proxy, ...await Promise.all([1, 2].map(() => startProxy({ database: stack.database })))];
});
after(async () =>
{
	await Promise.all(proxies.slice(1).map((proxy) => proxy.stop()));
	await stack.stop();
});

function startClients(balancer, prefix)
{
	class Secure extends WebSocket
	{
		constructor(url)
		{
			super(url, { ca: balancer.certificate });
		}
	}
	const clients = [];
	for (let d = 0; d < DOCUMENTS; d++)
	{
		stack.createDocument(`${prefix}-${d}`);
		for (let e = 0; e < EDITORS; e++)
			clients.push(new CollabClient({ url: balancer.url, doc: `${prefix}-${d}`, user: `user${e}`, WebSocket: Secure, backoff: { min: 20, max: 200 } }));
	}
	return clients;
}

/* Documents that each proxy has open; together each once if all clients of one meet. */
async function openDocuments()
{
	const numbers = await Promise.all(proxies.map(async (proxy) => (proxy.exited ? 0 : (await proxy.health()).documents)));
	return { numbers, all: numbers.reduce((a, b) => a + b) };
}

/* What everybody types: numbered words at the start. */
function typist(clients)
{
	const state = { words: 0 };
	const timer = setInterval(() =>
	{
		for (const client of clients)
			if (client.ready)
				client.edit(new Delta().insert(`w${state.words++} `));
	}, 15);
	state.stop = () => clearInterval(timer);
	return state;
}

async function settle(clients, prefix, typed)
{
	await Promise.all(clients.map((client) => client.whenSaved()));
	let words = 0;
	for (let d = 0; d < DOCUMENTS; d++)
	{
		const doc = `${prefix}-${d}`;
		const head = stack.versions(doc);
		const content = stack.document(doc);
		const here = clients.filter((client) => client.doc === doc);
		await Promise.all(here.map((client) => client.when(() => client.version >= head)));
		for (const client of here)
			assert.deepEqual(new Delta(client.content.ops), new Delta(content.ops));
		words += stack.text(doc).split(' ').length - 1;
	}
	assert.equal(words, typed.words, 'every word, once');
}

const tls = (balancer, version) => spawnSync('openssl', ['s_client', '-connect', `127.0.0.1:${balancer.port}`, version], { input: '', encoding: 'utf8', timeout: 10000 });

/* A follower of a document over HTTP; `text` is what came. */
function follow(balancer, id)
{
	const follower = { text: '' };
	follower.request = get(`${balancer.https}/v1/docs/${id}/stream?user=reader`, { ca: balancer.certificate, agent: false }, (response) =>
	{
		follower.status = response.statusCode;
		response.setEncoding('utf8').on('data', (chunk) => { follower.text += chunk; }).on('error', () => {});
	}).on('error', () => {});
	return follower;
}

for (const kind of ['haproxy', 'nginx'])
{
	test(`${kind}: a stream of events passes as it comes`, { timeout: 60000 }, async () =>
	{
		const balancer = await Balancer.start(kind, proxies.map((proxy) => proxy.config.listen_port));
		const id = `${kind}-stream`;
		stack.createDocument(id);
		const follower = follow(balancer, id);
		await eventually(() => follower.text.includes('"type":"snapshot"'), { what: 'the document comes' });
		for (const word of ['first', 'second'])
		{
			stack.sql(`SELECT collab.insert_text('${id}', 0, '${word}')`);
			await eventually(() => new RegExp(`^id: .*\\ndata: .*"insert":"${word}"`, 'm').test(follower.text), { what: `${word} comes while the stream is open` });
		}
		assert.equal(follower.status, 200);
		follower.request.destroy();
		await balancer.stop();
	});

	test(`${kind}: TLS 1.3 only, WebSocket and plain HTTP only`, { timeout: 60000 }, async () =>
	{
		const balancer = await Balancer.start(kind, proxies.map((proxy) => proxy.config.listen_port));
		assert.match(tls(balancer, '-tls1_3').stdout, /Protocol *: TLSv1\.3|New, TLSv1\.3/);
		assert.doesNotMatch(tls(balancer, '-tls1_2').stdout, /Cipher is (?!\(NONE\))/);
		assert.equal((await balancer.get('/healthz')).status, 200);
		const odd = await balancer.get('/healthz', { Upgrade: 'h2c', Connection: 'Upgrade, HTTP2-Settings', 'HTTP2-Settings': 'AAMAAABkAAQAAP__' });
		assert.notEqual(odd.status, 101);
		await balancer.stop();
	});

	test(`${kind}: a document's editors meet; a proxy killed, another drained: every word arrives once`, { timeout: 90000 }, async () =>
	{
		const balancer = await Balancer.start(kind, proxies.map((proxy) => proxy.config.listen_port));
		const clients = startClients(balancer, kind);
		await Promise.all(clients.map((client) => client.whenReady()));
		const spread = await openDocuments();
		assert.equal(spread.all, DOCUMENTS, `each document at one proxy: ${spread.numbers}`);
		assert.ok(spread.numbers.filter((n) => n > 0).length > 1, `not all at the same one: ${spread.numbers}`);

		const typed = typist(clients);
		const busiest = proxies[spread.numbers.indexOf(Math.max(...spread.numbers))];
		await eventually(() => typed.words > 200);
		await busiest.stop('SIGKILL');
		const before = typed.words;
		await eventually(() => typed.words > before + 400 && clients.every((client) => client.status === 'synced'), { timeout: 30000, what: 'all are back' });
		await busiest.start();
		await eventually(async () => (await openDocuments()).numbers[proxies.indexOf(busiest)] >= 0);
		const drained = proxies[(proxies.indexOf(busiest) + 1) % 3];
		assert.deepEqual(await drained.stop(), { code: 0, signal: null });
		await eventually(() => clients.every((client) => client.status === 'synced'), { timeout: 30000, what: 'all are back' });
		await drained.start();
		typed.stop();
		await settle(clients, kind, typed);
		await Promise.all(clients.map((client) => client.destroy()));
		await balancer.stop();
	});
}

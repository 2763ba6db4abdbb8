/*
 * PostgreSQL is gone for a while: stopped, killed, frozen, or behind a link that was cut without a word. Clients stay connected and
 * are told, what they type waits, nothing is acknowledged that is not committed, and all of it goes on by itself.
 * OUTAGE_MS is how long (30000 for the real thing), CLIENTS how many there are.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { readMetrics, valueOf } from '../lib/metrics.mjs';
import { eventually, freePort } from '../lib/proxy.mjs';
import { TcpProxy } from '../lib/tcp-proxy.mjs';
import { Stand, insert, sleep } from './stand.mjs';

const OUTAGE_MS = Number(process.env.OUTAGE_MS ?? 1500);
const CLIENTS = Number(process.env.CLIENTS ?? 60);
const LONG = OUTAGE_MS >= 10000;
const WORKERS = 3;
const POOLS = { lanes: 1, retry_lanes: 1, readers: 1, rest_readers: 1, rest_writers: 1 };
const CONNECTIONS = WORKERS * (Object.keys(POOLS).length + 2); /* the listener, presence */
/* in proportion, so that all that happens in 30 s happens here */
const TIMEOUTS = LONG ? {} : { answer_timeout_ms: 800, connect_timeout_ms: 600 };

let stand;
let link;
let workers;
before(async () =>
{
	stand = await Stand.start({ settings: { max_connections: 100 } });
	link = await TcpProxy.start({ to: { path: join(stand.cluster.dir, `.s.PGSQL.${stand.cluster.port}`) } });
	workers = await stand.another({ workers: WORKERS, ...POOLS, admin_port: await freePort(), ...TIMEOUTS,
		database: `host=127.0.0.1 port=${link.port} dbname=collab user=collab_proxy` }, { database: null });
});
after(async () =>
{
	await stand.finish();
	await link.stop();
});

/* Types whenever the last edit is acknowledged, and notes what it hears. */
class Editor
{
	constructor(socket)
	{
		Object.assign(this, { socket, acked: 0, clock: 0, base: socket, retries: 0 });
	}

	async type(text = 'x')
	{
		this.clock++;
		for (;;)
		{
			this.socket.send({ ...insert(this.socket, this.clock, text), base_version: this.base.version, base_event: this.base.event });
			const answer = await this.socket.next((m) => m.type === 'ack' || m.type === 'error', 2 * OUTAGE_MS + 60000);
			if (answer.type === 'ack')
			{
				this.base = answer;
				this.acked++;
				return;
			}
			assert.ok(answer.retry_ms > 0, JSON.stringify(answer));
			this.retries++;
			await sleep(answer.retry_ms);
		}
	}

	get told()
	{
		return this.socket.messages.filter((m) => m.type === 'heartbeat').at(-1)?.database ?? 'up';
	}
}

const WAYS = {
	'stopped': { begin: () => stand.cluster.stop('fast'), end: () => stand.cluster.start() },
	'killed': { begin: () => stand.cluster.crash(), end: () => stand.cluster.start() },
	'frozen': { begin: () => stand.cluster.freeze(), end: () => stand.cluster.thaw() },
	'behind a link cut without a word': { begin: () => link.halfOpen(), end: () => link.heal(), renewed: true },
	'behind a link that resets and refuses': {
		begin: () => { link.refuse = true; link.cut('rst'); },
		end: () => link.heal() },
};

for (const [how, { begin, end, renewed }] of Object.entries(WAYS))
{
	test(`PostgreSQL is ${how} for ${OUTAGE_MS} ms`, { timeout: OUTAGE_MS * 3 + 120000 }, async () =>
	{
		const documents = Array.from({ length: 5 }, () => stand.document());
		const editors = [];
		for (let i = 0; i < CLIENTS; i++)
			editors.push(new Editor(await stand.socket(documents[i % 5], `user${i}`, { site: i + 1 }, { proxy: workers })));
		const typists = editors.slice(0, 20); /* four on each document */
		await Promise.all(typists.map((editor) => editor.type()));
		const opened = link.opened;
		const pairs = [...link.pairs];
		await begin();
		/* all of them type into the void, and all are told, whether they type or not */
		const typing = editors.map((editor) => editor.type());
		await eventually(() => editors.every((editor) => editor.told === 'away'), { timeout: OUTAGE_MS + 20000, what: 'everybody is told' });
		const acked = editors.reduce((sum, editor) => sum + editor.acked, 0);
		await sleep(OUTAGE_MS);
		assert.equal(editors.reduce((sum, editor) => sum + editor.acked, 0), acked, 'nothing is acknowledged meanwhile');
		assert.equal((await fetch(`${workers.http}/healthz`)).status, 200, 'the proxy itself is healthy');
		assert.equal((await fetch(`${workers.http}/readyz`)).status, 503, 'and not ready');
		/* who comes now waits, and is told why */
		const late = await stand.socket(documents[0], 'late', null, { proxy: workers, beats: true });
		late.send({ type: 'open', site: 9999 });
		await late.next((m) => m.type === 'heartbeat' && m.database === 'away');
		await end();
		await Promise.all(typing);
		await late.next((m) => m.type === 'welcome', 60000);
		await eventually(() => editors.every((editor) => editor.told === 'up'), { timeout: 20000, what: 'everybody is told that it is over' });
		assert.ok(editors.every(({ socket }) => socket.closed === null), 'every client kept its connection');
		if (renewed)
			await eventually(() => pairs.every((pair) => !link.pairs.has(pair) || pair.client.readableEnded), { timeout: 20000, what: 'no connection of before is kept, whether it was used or not' });
		/* attempts of so many connections, one a second each at most once they have slowed down */
		const attempts = link.opened - opened;
		const most = CONNECTIONS * (12 + Math.ceil((OUTAGE_MS + 10000) / 1000));
		assert.ok(attempts <= most, `${attempts} attempts to connect, ${most} at most`);
		for (const [i, id] of documents.entries())
		{
			const mine = editors.filter((_, k) => k % 5 === i);
			const sum = mine.reduce((n, { acked: count }) => n + count, 0);
			assert.equal(stand.events(id), sum, 'each edit is there once');
			assert.equal(stand.text(id), 'x'.repeat(sum));
			const versions = stand.sql(`SELECT count(DISTINCT (author, site, clock)), max(version) - min(version) + 1, count(*)
				FROM collab.events_since('${id}', ${stand.created.get(id)})`);
			assert.equal(versions, `${sum}|${sum}|${sum}`);
			await eventually(() => mine.every(({ socket }) => seen(socket) === sum), { what: 'all versions arrive' });
		}
		const metrics = await readMetrics(workers.admin);
		assert.equal(valueOf(metrics, 'collab_db_away'), 0);
		await stand.closeSockets();
	});
}

test('connections to the database die one by one without a word: each is found out and made anew', { timeout: LONG ? 600000 : 120000 }, async () =>
{
	const id = stand.document();
	const editors = [];
	for (let i = 0; i < 9; i++) /* on all of the workers, most likely */
		editors.push(new Editor(await stand.socket(id, `user${i}`, { site: i + 1 }, { proxy: workers })));
	const pairs = [...link.pairs];
	assert.ok(pairs.length >= 12);
	let edits = 0;
	for (const pair of pairs)
	{
		pair.swallow();
		await Promise.all(editors.map((editor) => editor.type()));
		const late = await stand.socket(id, 'late', null, { proxy: workers, beats: true });
		late.send({ type: 'open', site: 9999 });
		await late.next((m) => m.type === 'snapshot', 20000);
		stand.sql(`SELECT collab.insert_text('${id}', 0, 'x')`);
		edits += editors.length + 1;
		await eventually(() => editors.every(({ socket }) => seen(socket) === edits), { timeout: 20000, what: 'every edit arrives' });
		late.ws.terminate();
	}
	assert.equal(stand.text(id), 'x'.repeat(edits));
	assert.match(workers.log, /it has never heard our question/);
	assert.ok(editors.every(({ socket }) => socket.closed === null));
	await stand.closeSockets();
});

/* How many versions came, each once and in order, or this throws. */
function seen(socket)
{
	let at = socket.version;
	for (const message of socket.messages)
	{
		if (message.type === 'ack')
		{
			assert.equal(message.version, at + 1);
			at += message.count;
		}
		for (const event of message.type === 'events' ? message.events : [])
			assert.equal(event.version, ++at);
	}
	return at - socket.version;
}

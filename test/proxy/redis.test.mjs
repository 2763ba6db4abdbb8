/*
 * Redis as the bus between proxies: events arrive without a look into the database, and whatever happens to Redis, or is written into
 * it, costs time only.
 */
import assert from 'node:assert/strict';
import test, { after, afterEach, before } from 'node:test';
import { readMetrics, valueOf } from '../lib/metrics.mjs';
import { eventually, freePort } from '../lib/proxy.mjs';
import { RedisServer } from '../lib/redis.mjs';
import { Stand, insert, sleep } from './stand.mjs';

const password = 'p@ss/w:rd%';
let stand;
let redis;
let proxies;
before(async () =>
{
	redis = await RedisServer.start({ password });
	/* no heads check within a test, unless a test wants it: what arrives came over the bus, or by a hint */
	stand = await Stand.start({ config: await settings() });
	proxies = [stand.proxy, await stand.another(await settings())];
	await up();
});
afterEach(() => stand.closeSockets());
after(async () =>
{
	await stand?.finish();
	await redis?.stop();
	for (const proxy of stand.proxies)
		assert.ok(!proxy.log.includes('p@ss') && !proxy.log.includes(encodeURIComponent(password)), 'the password is in the log');
});

async function settings(fields = {})
{
	return { admin_port: await freePort(), redis_url: redis.url, redis_timeout_ms: 500, lanes: 1, retry_lanes: 1, readers: 1,
		heads_check_ms: 3600000, ...fields };
}

/* Every proxy that uses Redis has it. */
async function up(list = proxies)
{
	for (const proxy of list)
		await eventually(async () => valueOf(await readMetrics(proxy.admin), 'collab_redis_up') === 1, { timeout: 20000, what: 'Redis is up' });
}

async function metric(name, labels, list = proxies)
{
	const values = await Promise.all(list.map(async (proxy) => valueOf(await readMetrics(proxy.admin), name, labels)));
	return values.reduce((a, b) => a + b, 0);
}

/* The notifier of the database is stopped: no hint is there. */
async function withoutHints(t)
{
	stand.sql(`SELECT collab.submit('${stand.document()}', '[{"insert":"a"}]')`); /* that starts it */
	const pid = await eventually(() => Number(stand.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'collab notifier' AND datname = current_database()")),
		{ what: 'the notifier runs' });
	process.kill(pid, 'SIGSTOP');
	t.after(() => process.kill(pid, 'SIGCONT'));
}

/* One socket on each proxy, and both are subscribed. */
async function pair(id, list = proxies)
{
	const sockets = [];
	for (const [i, proxy] of list.entries())
		sockets.push(await stand.socket(id, `user${i}`, { site: 100 + i }, { proxy }));
	await eventually(async () => (await redis.command('PUBSUB', 'NUMSUB', `doc:${id}`))[1] === list.length, { what: 'subscribed' });
	return sockets;
}

/* The versions that a socket was told of, own and foreign, in the order in which they came. */
const versions = (socket) => socket.messages.flatMap((m) => (m.type === 'events' ? m.events.map(({ version }) => version)
	: m.type === 'ack' ? Array.from({ length: m.count }, (_, i) => m.version + i) : []));

/* All sockets type `count` characters each, at once; then everybody has seen every version once, ascending. */
async function typeAndConverge(sockets, count, { timeout = 30000, clock = 1 } = {})
{
	const first = sockets.map((socket) => versions(socket).length);
	await Promise.all(sockets.map(async (socket) =>
	{
		for (let i = 0; i < count; i++)
		{
			const at = clock + i;
			for (;;)
			{
				const last = socket.messages.findLast((m) => m.type === 'ack' || m.type === 'events');
				const base = !last ? socket : last.type === 'ack' ? { version: last.version + last.count - 1, event: last.event } : last.events.at(-1) ?? socket;
				socket.send(insert({ version: base.version, event: base.event }, at, 'x'));
				const answer = await socket.next((m) => (m.type === 'ack' && m.clock === at) || (m.type === 'error' && m.clock === at), timeout);
				if (answer.type === 'ack')
					break;
				assert.ok(answer.retry_ms > 0, JSON.stringify(answer));
				await sleep(answer.retry_ms);
			}
		}
	}));
	const total = sockets.length * count;
	await Promise.all(sockets.map((socket, i) => eventually(() => versions(socket).length - first[i] >= total, { timeout, what: 'everybody has everything' })));
	sockets.forEach((socket) =>
	{
		const seen = versions(socket);
		seen.forEach((version, i) => assert.equal(version, seen[0] + i));
	});
}

test('events travel over Redis: no hint, no comparison, no fetch', { timeout: 60000 }, async (t) =>
{
	const id = stand.document();
	await withoutHints(t);
	const sockets = await pair(id);
	const fetched = await metric('collab_events_fetched_total');
	const next = await metric('collab_bus_events_total', { result: 'next' });
	await typeAndConverge(sockets, 25);
	assert.equal(stand.text(id), 'x'.repeat(50));
	assert.equal(await metric('collab_events_fetched_total'), fetched, 'nothing was read from the database');
	assert.ok(await metric('collab_bus_events_total', { result: 'next' }) > next);
	assert.equal(await metric('collab_bus_messages_total', { result: 'rejected' }), 0);
	const [a] = sockets[1].messages.filter((m) => m.type === 'events').flatMap((m) => m.events);
	assert.deepEqual(JSON.parse(stand.sql(`SELECT json_build_object('user', author, 'site', site, 'clock', clock) FROM collab.events_since('${id}', ${a.version - 1}, 1)`)),
		{ user: a.user, site: a.site, clock: a.clock }, 'who wrote it comes along');
});

test('a channel is subscribed to while the document is open, and not longer', async () =>
{
	const id = stand.document();
	const channels = () => redis.command('PUBSUB', 'CHANNELS', `doc:${id}`);
	assert.deepEqual(await channels(), []);
	const [socket] = await pair(id, [proxies[0]]);
	assert.deepEqual(await channels(), [`doc:${id}`]);
	await socket.close();
	await eventually(async () => (await channels()).length === 0);
	const [again] = await pair(id, [proxies[0]]);
	await again.close();
	await eventually(async () => (await channels()).length === 0);
});

test('keys, lives and lengths: a snapshot for an hour, the last 1,000 operations', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	const [socket] = await pair(id, [proxies[0]]);
	const key = (suffix) => `doc:${id}:${suffix}`;
	const near = async (name, seconds) =>
	{
		const ttl = await redis.command('TTL', name);
		assert.ok(ttl > seconds - 60 && ttl <= seconds, `${name}: ${ttl} s`);
	};
	await eventually(async () => await redis.command('EXISTS', key('snapshot')) === 1);
	await near(key('snapshot'), 3600);
	assert.match(await redis.command('GET', key('snapshot')), /^[0-9a-f]{32} 0 [0-9a-f]{16}\n\{"ops":\[\]\}$/);
	for (let clock = 1; clock <= 1050; clock += 150)
	{
		const ops = Array.from({ length: 150 }, () => ({ ops: [{ insert: 'x' }] }));
		socket.send({ type: 'op', clock, base_version: socket.version, base_event: socket.event, ops });
		const ack = await socket.next('ack');
		assert.equal(ack.count, 150);
		socket.version = ack.version + ack.count - 1;
		socket.event = ack.event;
	}
	await eventually(async () => (await redis.command('ZRANGE', key('operations'), -1, -1, 'WITHSCORES'))[1] === '1050');
	assert.equal(await redis.command('ZCARD', key('operations')), 1000);
	assert.deepEqual((await redis.command('ZRANGE', key('operations'), 0, 0, 'WITHSCORES'))[1], '51');
	await near(key('operations'), 3600);
	assert.match((await redis.command('ZRANGE', key('operations'), -1, -1))[0],
		/^[0-9a-f]{32} 1050 [0-9a-f]{16} [0-9a-f]{16} 100 1050 \d+ 5 24\nuser0\{"ops":\[\{"insert":"x"\}\]\}$/);
	await socket.close();
	stand.sql(`SELECT collab.drop_document('${id}')`);
});

test('a proxy that opens a document finds the snapshot and the last operations in Redis', { timeout: 60000 }, async () =>
{
	const id = stand.document({ ops: [{ insert: 'Hello' }] });
	const [writer] = await pair(id, [proxies[0]]);
	const start = { last_version: writer.version, last_event: writer.event };
	const positions = [start];
	for (let clock = 1; clock <= 60; clock++)
	{
		writer.send(insert(writer, clock, 'x'));
		const ack = await writer.next('ack');
		Object.assign(writer, { version: ack.version, event: ack.event });
		positions.push({ last_version: ack.version, last_event: ack.event });
	}
	const cache = (kind, result) => metric('collab_cache_requests_total', { cache: kind, result }, [proxies[1]]);
	const [snapshots, operations] = [await cache('snapshot', 'hit'), await cache('operations', 'hit')];
	const reader = await stand.socket(id, 'reader', { site: 1000 }, { proxy: proxies[1] });
	const first = reader.messages.find(({ type }) => type === 'snapshot');
	assert.deepEqual(first.content, { ops: [{ insert: 'Hello' }] });
	assert.equal(first.version, start.last_version, 'the one that the other proxy left');
	await eventually(() => versions(reader).length === 60);
	assert.equal(await cache('snapshot', 'hit'), snapshots + 1);
	await reader.close();
	await eventually(async () => (await redis.command('PUBSUB', 'NUMSUB', `doc:${id}`))[1] === 1, { what: 'forgotten by the proxy' });

	/* somebody who lacks nothing: what others lack has to come from Redis */
	await stand.socket(id, 'current', { site: 1001, ...positions.at(-1) }, { proxy: proxies[1] });
	await eventually(async () => await cache('operations', 'hit') === operations + 2);
	const asked = await metric('collab_open_queries_total', {}, [proxies[1]]);
	for (const [i, position] of positions.slice(1).entries())
	{
		const socket = await stand.socket(id, `late${i}`, { site: 2000 + i, ...position }, { proxy: proxies[1] });
		assert.equal(socket.event, positions.at(-1).last_event);
	}
	assert.equal(await metric('collab_open_queries_total', {}, [proxies[1]]), asked, 'all of them out of memory');
});

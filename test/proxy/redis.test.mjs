/*
 * Redis as the bus between proxies: events arrive without a look into the database, and whatever happens to Redis, or is written into
 * it, costs time only.
 */
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, afterEach, before } from 'node:test';
import { projectDir } from '../lib/cluster.mjs';
import { readMetrics, valueOf } from '../lib/metrics.mjs';
import { eventually, freePort } from '../lib/proxy.mjs';
import { resident } from '../lib/observe.mjs';
import { RedisServer, RedisSocket } from '../lib/redis.mjs';
import { TcpProxy } from '../lib/tcp-proxy.mjs';
import { Stand, insert, sleep } from './stand.mjs';

const password = 'p@ss/w:rd%';
let stand;
let redis;
let link; /* the network between the proxies and Redis */
let proxies;
before(async () =>
{
	redis = await RedisServer.start({ password });
	link = await TcpProxy.start({ to: { port: redis.port } });
	/* no heads check within a test, unless a test wants it: what arrives came over the bus, or by a hint */
	stand = await Stand.start({ config: await settings() });
	proxies = [stand.proxy, await stand.another(await settings())];
	await up();
});
afterEach(() => stand.closeSockets());
after(async () =>
{
	await stand?.finish();
	await link?.stop();
	await redis?.stop();
	for (const proxy of stand.proxies)
		assert.ok(!proxy.log.includes('p@ss') && !proxy.log.includes(encodeURIComponent(password)), 'the password is in the log');
});

async function settings(fields = {})
{
	return { admin_port: await freePort(), redis_url: redis.url.replace(/\d+$/, link.port), redis_timeout_ms: 500, lanes: 1, retry_lanes: 1, readers: 1,
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
	const [writer, reader] = sockets;
	for (let clock = 1; clock <= 25; clock++)
	{
		writer.send(insert(writer, clock, 'x'));
		Object.assign(writer, await writer.next('ack'));
	}
	await eventually(() => versions(reader).length === 25);
	assert.equal(await metric('collab_events_fetched_total'), fetched, 'nothing was read from the database');
	assert.equal(await metric('collab_bus_events_total', { result: 'next' }), next + 25);
	/* both at once: one's own commit may come before the event in front of it, which is waited for, but not for long */
	await typeAndConverge(sockets, 25, { clock: 26 });
	assert.equal(stand.text(id), 'x'.repeat(75));
	assert.ok(await metric('collab_events_fetched_total') - fetched < 25);
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

/* Whether it was so; Redis is not waited for long, and a machine with other things to do may be later than that. */
async function opensFromRedis()
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
	if (first.version !== start.last_version)
		return false;
	assert.deepEqual(first.content, { ops: [{ insert: 'Hello' }] }, 'the one that the other proxy left');
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
	return true;
}

test('a proxy that opens a document finds the snapshot and the last operations in Redis', { timeout: 60000 }, async () =>
{
	let attempts = 5;
	while (!await opensFromRedis())
		assert.ok(--attempts > 0);
});

test('snapshots in Redis, together larger than what may wait to be read: every document opens', { timeout: 60000 }, async () =>
{
	const ids = Array.from({ length: 12 }, (_, i) => stand.document({ ops: [{ insert: String.fromCharCode(97 + i).repeat(300000) }] }));
	for (const id of ids)
	{
		(await stand.socket(id, 'writer', { site: 1 })).ws.close();
		await eventually(() => redis.command('EXISTS', `doc:${id}:snapshot`));
	}
	const proxy = await stand.another(await settings({ max_answer_bytes: 1048576 }));
	await up([proxy]);
	const sockets = await Promise.all(ids.map((id) => stand.socket(id, 'reader', null, { proxy, beats: true })));
	await Promise.all(sockets.map((socket, i) => socket.open({ site: 2 + i })));
	for (const [i, socket] of sockets.entries())
		assert.equal(socket.messages.find(({ type }) => type === 'snapshot').content.ops[0].insert, String.fromCharCode(97 + i).repeat(300000));
	await proxy.stop();
});

test('an answer that nobody waits for any more does not move the room of somebody else', { timeout: 60000 }, async (t) =>
{
	/* of the answer, the room could not keep all that he lacks who is in it */
	const proxy = await stand.another(await settings({ ring_events: 10 }));
	await up([proxy]);
	const id = stand.document();
	const type = (text) => stand.sql(`SELECT collab.insert_text('${id}', 0, '${text}')`);
	const position = () => stand.sql(`SELECT version || ' ' || lpad(to_hex(event), 16, '0') FROM collab.position_of('${id}')`).split(' ');
	const reader = () => stand.sql("SELECT pid FROM pg_stat_activity WHERE query LIKE '%collab.open_document(%' AND pid <> pg_backend_pid()").split('\n').map(Number);

	/* an old snapshot lies in Redis */
	await stand.socket(id, 'carol', { site: 1 }, { proxy });
	await eventually(() => redis.command('EXISTS', `doc:${id}:snapshot`));
	await stand.closeSockets();
	await eventually(async () => (await redis.command('PUBSUB', 'NUMSUB', `doc:${id}`))[1] === 0);
	for (const text of ['a', 'b', 'c'])
		type(text);
	await withoutHints(t);
	const [last_version, last_event] = position();
	const bob = await stand.socket(id, 'bob', { site: 2, last_version: Number(last_version), last_event }, { proxy });

	/* somebody asks, the document moves on, and he leaves before he is told */
	const pids = reader();
	pids.forEach((pid) => process.kill(pid, 'SIGSTOP'));
	try
	{
		const dave = await stand.socket(id, 'dave', null, { proxy, beats: true });
		dave.open({ site: 3 }).catch(() => {});
		await sleep(500);
		'abcdefghijklmnopqrstuvwxyz'.split('').forEach(type);
		dave.ws.terminate();
		await sleep(500);
	}
	finally
	{
		pids.forEach((pid) => process.kill(pid, 'SIGCONT'));
	}
	await sleep(500);
	bob.send(insert({ version: Number(last_version), event: last_event }, 1, 'bob'));
	await bob.next('ack');
	assert.deepEqual(versions(bob), Array.from({ length: 27 }, (_, i) => Number(last_version) + 1 + i));
	await proxy.stop();
});

test('who is there, for ten seconds', { timeout: 60000 }, async () =>
{
	const id = stand.document();
	const key = `doc:${id}:presence`;
	const members = async () => (await redis.command('ZRANGE', key, 0, -1)).map((text) => JSON.parse(text));
	const [alice, bob] = await pair(id);
	await eventually(async () => (await members()).length === 2);
	assert.deepEqual((await members()).map(({ user, session }) => [user, session]).sort(),
		[['user0', alice.welcome.session], ['user1', bob.welcome.session]]);
	assert.ok(await redis.command('TTL', key) <= 10);
	/* somebody of a proxy that was killed is not there for longer, whoever else renews the list */
	await redis.command('ZADD', key, Math.floor(Date.now() / 1000) - 11, '{"session":"0","user":"ghost"}');
	const first = Number((await redis.command('ZRANGE', key, -1, -1, 'WITHSCORES'))[1]);
	await eventually(async () => Number((await redis.command('ZRANGE', key, -1, -1, 'WITHSCORES'))[1]) > first, { what: 'renewed' });
	assert.equal((await members()).length, 2);
	await bob.close();
	await eventually(async () => (await members()).length === 1);
	await alice.close();
	await eventually(async () => await redis.command('EXISTS', key) === 0);
});

/* ---- what happens to Redis costs time only ---- */

const faults = {
	'killed and started again': async () =>
	{
		await redis.stop();
		await sleep(300);
		await redis.start();
	},
	'frozen for longer than anybody waits': async () =>
	{
		redis.freeze();
		await sleep(1500);
		redis.thaw();
	},
	'busy with something else': () => redis.command('DEBUG', 'SLEEP', '1.5'),
	'slow': async () =>
	{
		link.set({ delay: 100, jitter: 50 });
		await sleep(1000);
		link.heal();
	},
	'cut off without a word': async () =>
	{
		link.halfOpen();
		await sleep(1500);
		link.heal();
		link.cut('rst');
	},
	'flushed': async () =>
	{
		for (let i = 0; i < 10; i++)
		{
			await redis.command('FLUSHALL');
			await sleep(30);
		}
	},
	'throwing its subscribers out, 100 times': async () =>
	{
		for (let i = 0; i < 100; i++)
		{
			await redis.command('CLIENT', 'KILL', 'TYPE', i % 2 ? 'pubsub' : 'normal');
			await sleep(10);
		}
	},
	'full': async () =>
	{
		await redis.command('CONFIG', 'SET', 'maxmemory', '1');
		await sleep(500);
		await redis.command('CONFIG', 'SET', 'maxmemory', '0');
	},
	'of another password': async () =>
	{
		await redis.command('CONFIG', 'SET', 'requirepass', 'changed');
		link.cut('rst');
		await sleep(1000);
		await redis.command('CONFIG', 'SET', 'requirepass', password);
	},
	'sending what is not its protocol': async () =>
	{
		link.set({ corrupt: 0.01 });
		await sleep(700);
		link.heal();
		link.cut('rst');
	},
};

for (const [what, happens] of Object.entries(faults))
{
	test(`Redis is ${what}`, { timeout: 60000 }, async () =>
	{
		const id = stand.document();
		const sockets = await pair(id);
		const rejected = await metric('collab_bus_messages_total', { result: 'rejected' });
		let clock = 1;
		let over = false;
		const fault = happens().finally(() => { over = true; });
		do
		{
			await typeAndConverge(sockets, 10, { clock });
			clock += 10;
		}
		while (!over);
		await fault;
		await up();
		await eventually(async () => (await redis.command('PUBSUB', 'NUMSUB', `doc:${id}`))[1] === 2, { timeout: 20000, what: 'subscribed again' });
		/* a hint may be faster now and then */
		const next = await metric('collab_bus_events_total', { result: 'next' });
		await eventually(async () =>
		{
			await typeAndConverge(sockets, 10, { clock });
			clock += 10;
			return await metric('collab_bus_events_total', { result: 'next' }) > next;
		}, { what: 'in use again' });
		assert.equal(stand.text(id).length, 2 * (clock - 1), 'all that was acknowledged');
		if (!what.startsWith('sending'))
			assert.equal(await metric('collab_bus_messages_total', { result: 'rejected' }), rejected);
		assert.ok(sockets.every(({ closed }) => !closed));
	});
}

test('without Redis from the start: a wrong password, nobody there, nobody answers', { timeout: 60000 }, async () =>
{
	const black = await TcpProxy.start({ to: { port: redis.port } });
	black.halfOpen();
	const urls = [`redis://user:wr0ng-secret@127.0.0.1:${redis.port}`, `redis://:wr0ng-secret@127.0.0.1:${await freePort()}/3`,
		`redis://:wr0ng-secret@127.0.0.1:${black.port}`, 'unix:///nonexistent/wr0ng-secret.sock'];
	const list = [];
	for (const redis_url of urls)
		list.push(await stand.another(await settings({ redis_url })));
	const id = stand.document();
	const sockets = [];
	for (const [i, proxy] of list.entries())
		sockets.push(await stand.socket(id, `user${i}`, { site: 100 + i }, { proxy }));
	await typeAndConverge(sockets, 5);
	for (const proxy of list)
	{
		await eventually(() => /cannot reach Redis/.test(proxy.log), { what: 'it says so' });
		assert.doesNotMatch(proxy.log, /wr0ng/);
		assert.equal(await metric('collab_redis_up', {}, [proxy]), 0);
		assert.equal((await fetch(`${proxy.admin}/readyz`)).status, 200);
	}
	assert.match(list[0].log, /reason="login refused: WRONGPASS"/);
	await stand.closeSockets();
	for (const proxy of list)
		assert.equal((await proxy.stop()).code, 0);
	await black.stop();
});

test('a frozen Redis does not grow the memory of a proxy', { timeout: 60000 }, async () =>
{
	const proxy = await stand.another(await settings({ redis_timeout_ms: 60000, redis_buffer_bytes: 8388608 }));
	await up([proxy]);
	const id = stand.document();
	const [socket] = await pair(id, [proxy]);
	const type = async (count) =>
	{
		for (let i = 0; i < count; i++)
		{
			const clock = socket.clock = (socket.clock ?? 0) + 1;
			/* the same megabyte in and out: the document stays small */
			const op = clock % 2 ? [{ insert: 'y'.repeat(900000) }] : [{ delete: 900000 }, { insert: 'z' }];
			socket.send({ type: 'op', clock, base_version: socket.version, base_event: socket.event, op: { ops: op } });
			const ack = await socket.next('ack', 20000);
			Object.assign(socket, { version: ack.version, event: ack.event });
		}
	};
	await type(10); /* the ring and all buffers have their size */
	const before = resident(proxy.child.pid);
	redis.freeze();
	try
	{
		await type(100);
		const grown = resident(proxy.child.pid) - before;
		assert.ok(grown < 40e6, `${grown} bytes more, of 45 MB that were to be sent`);
		assert.ok(await metric('collab_bus_messages_total', { result: 'dropped' }, [proxy]) > 0);
	}
	finally
	{
		redis.thaw();
	}
	await stand.closeSockets();
	await proxy.stop();
	await up();
});

/* ---- what is written into Redis ---- */

/* A connection of somebody who knows the password. */
async function intruder(t)
{
	const socket = await RedisSocket.connect(redis.port);
	t.after(() => socket.destroy());
	await socket.command('AUTH', password);
	return socket;
}

const altered = (text, from, to) =>
{
	assert.ok(text.includes(from), `${from} is not in ${text}`);
	return Buffer.from(text.replace(from, to), 'latin1');
};

test('messages that nobody vouches for change nothing', { timeout: 60000 }, async (t) =>
{
	const id = stand.document({ ops: [{ insert: 'truth' }] });
	const other = stand.document({ ops: [{ insert: 'truth' }] });
	await withoutHints(t);
	const [writer, reader] = await pair(id);
	const [stranger] = await pair(other, [proxies[0]]);
	const ear = await intruder(t);
	const heard = [];
	ear.onPush = (push) => heard.push(push[2]);
	await ear.command('SUBSCRIBE', `doc:${id}`);
	writer.send(insert(writer, 1, 'one '));
	await writer.next('ack');
	await reader.next('events');
	const [message] = heard;
	const mouth = await intruder(t);
	const [, head] = /^[0-9a-f]{16}\n[0-9a-f]{32} (.*)\n/.exec(message);
	const [version, event, previous] = head.split(' ');
	assert.equal(version, '2');
	/* what should come next, by somebody without the key; and everything that a true message can be broken into */
	const forged = [
		'', 'x', 'x'.repeat(100000), `${'f'.repeat(16)}\n`, message.slice(0, 17),
		altered(altered(message, ` 2 ${event} ${previous} `, ` 3 ${'a'.repeat(16)} ${event} `).toString('latin1'), 'one ', 'lie '),
		altered(message, 'one ', 'lie '), altered(message, 'user0{', 'admin{'), altered(message, ' 2 ', ' 9007199254740991 '),
		altered(message, ' 2 ', ' 2e9 '), altered(message, ' 5 ', ' 99999999999999999999 '), altered(message, ' 5 ', ' 2147483647 '),
		altered(message, '\n', ' '), message + message.slice(17, 60), message + 'x',
		...Array.from({ length: 20 }, (_, i) => message.slice(0, 17 + i * 6)),
	];
	const rejected = await metric('collab_bus_messages_total', { result: 'rejected' });
	for (const text of forged)
		await mouth.command('PUBLISH', `doc:${id}`, Buffer.from(text, 'latin1').fill('0', 0, Math.min(16, text.length)));
	await mouth.command('PUBLISH', `doc:${other}`, altered(message, message.slice(0, 16), '0'.repeat(16))); /* a true one, elsewhere */
	await mouth.command('PUBLISH', 'presence', Buffer.from(`${'0'.repeat(16)}\n${'0'.repeat(32)}\x01 and so on`, 'latin1'));
	for (let i = 0; i < 3; i++) /* a true one again: known */
		await mouth.command('PUBLISH', `doc:${id}`, altered(message, message.slice(0, 16), '0'.repeat(16)));
	await mouth.command('PUBLISH', 'doc:..', 'x');
	await eventually(async () => await metric('collab_bus_messages_total', { result: 'rejected' }) >= rejected + 2 * forged.length + 3,
		{ what: 'all of them are seen through' });

	reader.version = writer.version = Number(version);
	reader.event = writer.event = event;
	reader.send(insert(reader, 1, 'two '));
	assert.equal((await reader.next('ack')).version, 3);
	assert.deepEqual((await writer.next('events')).events.map(({ op }) => op.ops), [[{ insert: 'two ' }]]);
	assert.deepEqual(versions(stranger), []);
	assert.equal(stand.text(id), 'two one truth');

	/* the same name, another document: what was true of the old one is not taken for the new one */
	await stand.closeSockets();
	stand.sql(`SELECT collab.drop_document('${id}'), collab.create_document('${id}', '[{"insert":"truth"}]'::collab.delta)`);
	ear.destroy();
	const fresh = await pair(id);
	const strange = await metric('collab_bus_events_total', { result: 'strange' });
	await mouth.command('PUBLISH', `doc:${id}`, altered(message, message.slice(0, 16), '0'.repeat(16)));
	await eventually(async () => await metric('collab_bus_events_total', { result: 'strange' }) === strange + 2);
	fresh[0].send(insert(fresh[0], 1, 'new '));
	assert.deepEqual((await fresh[1].next('events')).events.map(({ op }) => op.ops), [[{ insert: 'new ' }]]);
	await fresh[0].next('ack');
	assert.deepEqual(versions(fresh[0]), [2]);
});

test('garbage under our keys: documents are read from the database', { timeout: 60000 }, async (t) =>
{
	const id = stand.document({ ops: [{ insert: 'truth' }] });
	const other = stand.document({ ops: [{ insert: 'another' }] });
	const [snapshot, operations] = ['snapshot', 'operations'].map((suffix) => `doc:${id}:${suffix}`);
	const mouth = await intruder(t);
	const positions = [];
	let clock = 0;

	/* Opens it on the second proxy, which has forgotten it, from nowhere and from a position that its memory may know. */
	const look = async (what) =>
	{
		const [writer] = await pair(id, [proxies[0]]);
		writer.send(insert(writer, ++clock, 'x'));
		const ack = await writer.next('ack');
		positions.push({ last_version: ack.version, last_event: ack.event });
		const reader = await stand.socket(id, 'reader', { site: 1000 }, { proxy: proxies[1] });
		const opened = reader.messages.find(({ type }) => type === 'snapshot');
		await eventually(() => opened.version + versions(reader).length === ack.version);
		const late = await stand.socket(id, 'late', { site: 1001, ...positions[0] }, { proxy: proxies[1] });
		assert.equal(late.event, ack.event, what);
		assert.deepEqual(versions(late), versions(late).map((_, i) => positions[0].last_version + 1 + i));
		assert.match(JSON.stringify(opened.content), /truth/, what);
		await stand.closeSockets();
		await eventually(async () => (await redis.command('PUBSUB', 'NUMSUB', `doc:${id}`))[1] === 0);
	};
	await look('nothing was done to it');
	await look('true');
	await stand.socket(other, 'reader', {}, { proxy: proxies[1] });
	await eventually(() => redis.command('EXISTS', `doc:${other}:snapshot`));
	const old = Buffer.from(await redis.command('GET', snapshot), 'latin1');
	const [record] = await redis.command('ZRANGE', operations, -1, -1);
	const cases = {
		'a lie': () => mouth.command('SET', snapshot, Buffer.from(old.toString('latin1').replace('truth', 'lies!'), 'latin1')),
		'of another document': async () => mouth.command('SET', snapshot, Buffer.from(await redis.command('GET', `doc:${other}:snapshot`), 'latin1')),
		'cut': () => mouth.command('SET', snapshot, old.subarray(0, 40)),
		'bytes': () => mouth.command('SET', snapshot, Buffer.alloc(100000, 7)),
		'6 MB': () => mouth.command('SET', snapshot, Buffer.alloc(6e6, 'x')),
		'lists': () => mouth.command('DEL', snapshot, operations).then(() => Promise.all([mouth.command('LPUSH', snapshot, 'x'), mouth.command('LPUSH', operations, 'x')])),
		'lies among the operations': () => mouth.command('DEL', operations).then(() =>
			mouth.command('ZADD', operations, '9', altered(record, '"x"', '"y"'), '10', 'x', '11', record, '12', Buffer.alloc(50000, 1))),
	};
	for (const [what, write] of Object.entries(cases))
	{
		await write();
		await look(what);
	}

	/* sealed, and true once: of a document that is no more */
	stand.sql(`SELECT collab.drop_document('${id}'), collab.create_document('${id}', '[{"insert":"the new truth"}]'::collab.delta)`);
	positions.length = 0;
	clock = 0;
	await mouth.command('SET', snapshot, old);
	await look('old');
	await mouth.command('SET', snapshot, old);
	const reader = await stand.socket(id, 'reader', {}, { proxy: proxies[1] });
	assert.match(JSON.stringify(reader.messages.find(({ type }) => type === 'snapshot').content), /the new truth/);
	assert.equal(stand.text(id), 'xthe new truth');
});

test('installations that share a Redis do not hear each other; presence needs Redis alone; a Unix socket', { timeout: 60000 }, async () =>
{
	const socketPath = join(tmpdir(), `collab-redis-${process.pid}.sock`);
	const own = await RedisServer.start({ args: ['--unixsocket', socketPath] });
	stand.sql(`DO $$ DECLARE f regprocedure; BEGIN FOR f IN SELECT p.oid FROM pg_proc p WHERE pronamespace = 'collab'::regnamespace AND proname LIKE 'presence%'
		LOOP EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM collab_proxy', f); END LOOP; END $$`);
	/* what docs/redis.md says that a user needs */
	const commands = /commands `([A-Z ]+)`/.exec(readFileSync(join(projectDir, 'docs/redis.md'), 'utf8'))[1];
	await own.command('ACL', 'SETUSER', 'proxy', 'on', '>secret', 'resetkeys', 'resetchannels', '~a:*', '&a:*', '-@all', ...commands.split(' ').map((name) => `+${name}`));
	const list = [];
	for (const [redis_prefix, redis_url] of [['a:', `unix://${socketPath}?db=2`], ['a:', `redis://proxy:secret@localhost:${own.port}`], ['b:', socketPath]])
		list.push(await stand.another(await settings({ redis_prefix, redis_url })));
	await up(list);
	const id = stand.document();
	const sockets = [];
	for (const [i, proxy] of list.entries())
		sockets.push(await stand.socket(id, `user${i}`, { site: 100 + i }, { proxy }));
	await eventually(async () => (await own.command('PUBSUB', 'NUMSUB', `a:doc:${id}`, `b:doc:${id}`)).join() === `a:doc:${id},2,b:doc:${id},1`);
	await typeAndConverge(sockets, 5);
	assert.ok(await metric('collab_bus_events_total', { result: 'next' }, list.slice(0, 2)) > 0);
	assert.equal(await metric('collab_bus_messages_total', { result: 'used' }, [list[2]]), 0);
	const users = (socket) => new Set(socket.messages.flatMap((m) => (m.type === 'presence' ? m.join ?? [] : [])).map(({ user }) => user));
	await eventually(() => users(sockets[0]).has('user1') && users(sockets[1]).has('user0'));
	assert.ok(!users(sockets[2]).has('user0'));
	assert.equal((await own.command('KEYS', 'doc:*')).length, 0);
	assert.equal(await metric('collab_redis_errors_total', {}, list), 0);
	await stand.closeSockets();
	for (const proxy of list)
		assert.equal((await proxy.stop()).code, 0);
	await own.stop();
	rmSync(socketPath, { force: true });
});

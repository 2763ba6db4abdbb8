/* SIGHUP, and what the log looks like. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { projectDir } from '../lib/cluster.mjs';
import { readMetrics, valueOf } from '../lib/metrics.mjs';
import { eventually, freePort } from '../lib/proxy.mjs';
import { Stand, insert, sanitizedProxy } from './stand.mjs';

const CANARY = 'canary-7391';

let stand;
let dir;
before(async () =>
{
	dir = mkdtempSync(join(tmpdir(), 'collab-reload-'));
	stand = await Stand.start();
});
after(async () =>
{
	await stand.finish();
	rmSync(dir, { recursive: true, force: true });
});

/* A proxy with a file; `write` changes that and tells the proxy. */
async function configured(first, config = {})
{
	const path = join(dir, `${Math.random()}.conf`);
	const save = (settings) => writeFileSync(path, Object.entries(settings).map(([k, v]) => `${k} = ${v}\n`).join(''));
	save(first);
	const proxy = await stand.another({ admin_port: await freePort(), config: path, ...config });
	const write = async (settings, until) =>
	{
		save(settings);
		const seen = proxy.log.length;
		proxy.child.kill('SIGHUP');
		await eventually(() => until.test(proxy.log.slice(seen)), { what: `${until} in the log` });
		return proxy.log.slice(seen);
	};
	return { proxy, write };
}

test('SIGHUP changes limits and the log level, and says what it cannot change', { timeout: 30000 }, async () =>
{
	const { proxy, write } = await configured({ max_connections: 50, log_level: 'info', lanes: 2 });
	const id = stand.document();
	await stand.socket(id, 'alice', { site: 1 }, { proxy });
	const log = await write({ max_connections: 1, log_level: 'debug', lanes: 3, heartbeat_ms: 4000 }, /setting=heartbeat_ms/);
	for (const setting of ['max_connections', 'log_level'])
		assert.match(log, new RegExp(`msg="a setting has changed" setting=${setting}`));
	for (const setting of ['lanes', 'heartbeat_ms'])
		assert.match(log, new RegExp(`level=warning msg="a setting has changed that needs a restart" setting=${setting}`));
	assert.doesNotMatch(log, /setting=(max_batch|listen_port)/);
	await assert.rejects(stand.socket(id, 'bob', {}, { proxy }), /503/);
	const metrics = await readMetrics(proxy.admin);
	assert.equal(valueOf(metrics, 'collab_connections_limit'), 1);
	assert.equal(valueOf(metrics, 'collab_connections'), 1, 'who is in stays');
	assert.equal(valueOf(metrics, 'collab_db_pool_connections', { pool: 'lane' }), 2);
	await stand.closeSockets();
	assert.doesNotMatch(proxy.log, /level=debug/);
	await proxy.stop();
	assert.match(proxy.log, /level=debug/);
});

test('a file that is wrong changes nothing', { timeout: 30000 }, async () =>
{
	const { proxy, write } = await configured({ max_connections: 50 });
	const log = await write({ max_connections: 1, lains: 7 }, /nothing has changed/);
	assert.match(log, /unknown setting "lains"/);
	assert.equal(valueOf(await readMetrics(proxy.admin), 'collab_connections_limit'), 50);
	await write({ max_connections: 40 }, /setting=max_connections/);
	assert.equal(valueOf(await readMetrics(proxy.admin), 'collab_connections_limit'), 40);
	await proxy.stop();
});

/* A life with everything in it that a log must not have. */
async function live(proxy)
{
	const id = stand.document();
	const alice = await stand.socket(id, 'alice"', { site: 1 }, { proxy });
	alice.send(insert(alice, 1, CANARY));
	await alice.next('ack');
	alice.send({ ...insert(alice, 2, CANARY), op: { ops: [{ retain: 1e6 }, { insert: CANARY }] } });
	await alice.next('error');
	alice.send(`{"type":"op","clock":3,"${CANARY}`);
	await alice.next('error');
	await fetch(`${proxy.http}/x?token=${CANARY}`);
	await fetch(`${proxy.http}/x`, { headers: { authorization: `Bearer ${CANARY}`, cookie: CANARY } });
	await assert.rejects(stand.socket('bad%20id', CANARY, {}, { proxy }));
	await stand.closeSockets();
	await proxy.stop();
}

test('a JSON log is one JSON object per line', { timeout: 30000 }, async () =>
{
	const proxy = await stand.another({ log_format: 'json', log_level: 'debug' });
	await live(proxy);
	const lines = proxy.log.trim().split('\n').map((line) => JSON.parse(line));
	assert.ok(lines.length > 8);
	for (const line of lines)
	{
		assert.match(line.ts, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
		assert.match(line.level, /^(error|warning|info|debug)$/);
		assert.equal(typeof line.msg, 'string');
	}
	const listening = lines.find(({ msg }) => msg === 'listening');
	assert.equal(listening.port, proxy.config.listen_port);
	assert.equal(listening.address, '127.0.0.1');
	assert.ok(lines.some(({ msg, reason, code }) => msg === 'closing a connection' && typeof reason === 'string' && code > 0)
		|| lines.some(({ msg }) => msg === 'connected to the database'));
});

test('what comes from outside cannot break a line of the JSON log', { timeout: 30000 }, async () =>
{
	const proxy = await stand.another({ log_format: 'json', database: 'host=/none"\\ dbname=x connect_timeout=2' }, { wait: false, database: null });
	await eventually(() => proxy.log.includes('cannot reach the database'));
	const lines = proxy.log.trim().split('\n').map((line) => JSON.parse(line));
	assert.match(lines.find(({ msg }) => msg === 'cannot reach the database').reason, /"/);
	await proxy.stop();
});

test('no content, no token and no user in the log, not even with log_level = debug', { timeout: 30000 }, async () =>
{
	const proxy = await stand.another({ log_level: 'debug' });
	await live(proxy);
	assert.match(proxy.log, /level=debug/);
	assert.doesNotMatch(proxy.log, new RegExp(CANARY));
	assert.doesNotMatch(proxy.log, /alice/);
	for (const line of proxy.log.trim().split('\n'))
		assert.match(line, /^ts=\S+ level=\w+ msg="[^"]*"/);
});

/* The table of docs/settings.md as --help would have it. */
function settingsTable()
{
	const { stdout } = spawnSync(sanitizedProxy(), ['--help'], { encoding: 'utf8' });
	const rows = [...stdout.matchAll(/^  --(\w+)\n((?:      .*\n)+)/gm)].map(([, key, body]) =>
	{
		const lines = body.trim().split('\n').map((line) => line.trim());
		const live = lines.at(-1) === 'a reload changes it';
		const values = lines.at(live ? -2 : -1);
		const number = /^(\d+ to \d+)( .*)?, default (\d+)$/.exec(values);
		const preset = number ? number[3] : /^default "(.*)"$/.exec(values)?.[1];
		return `| \`${key}\` | ${preset ? `\`${preset}\`` : preset === '' ? '(empty)' : '(must be set)'} | ${number ? `${number[1]}${number[2] ?? ''}` : ''} | ${live ? 'reload' : 'restart'} | ${lines[0]} |`;
	});
	return ['| setting | default | range | changed by | meaning |', '|---|---|---|---|---|', ...rows].join('\n');
}

test('docs/settings.md has exactly the settings that there are', () =>
{
	const table = settingsTable();
	assert.ok(table.split('\n').length > 30);
	assert.ok(readFileSync(join(projectDir, 'docs/settings.md'), 'utf8').includes(`\n${table}\n`),
		`the table in docs/settings.md should be:\n${table}`);
});

/* The admin address: health, readiness, metrics, and that documents, alerts and the dashboard speak of what there is. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { projectDir } from '../lib/cluster.mjs';
import { metricsTable, readMetrics, valueOf } from '../lib/metrics.mjs';
import { eventually, freePort } from '../lib/proxy.mjs';
import { Stand, insert, raw } from './stand.mjs';

let stand;
let base;
before(async () =>
{
	stand = await Stand.start({ config: { admin_port: await freePort() } });
	base = stand.proxy.admin;
});
after(() => stand.finish());

const text = (...path) => readFileSync(join(projectDir, ...path), 'utf8');
const request = (line) => raw(stand.proxy.config.admin_port, `${line}\r\n\r\n`, { wait: 5000 });

function promtool(args, options = {})
{
	const { status, stdout, stderr, error } = spawnSync('promtool', args, { encoding: 'utf8', ...options });
	assert.equal(status, 0, `promtool ${args.join(' ')}: ${error ?? ''}${stdout}${stderr}`);
}

/* Names of metrics in an expression of PromQL. */
function namesIn(expression)
{
	return [...expression.matchAll(/\b(?:collab|process)_[a-z_]+/g)].map(([name]) => name);
}

function assertExist(names, families, where)
{
	assert.ok(names.length > 0, where);
	for (const name of names)
		assert.ok(families.has(name) || families.get(name.replace(/_(bucket|sum|count)$/, ''))?.type === 'histogram',
			`${where} speaks of ${name}, which there is not`);
}

test('what it shows is good Prometheus text', async () =>
{
	const response = await fetch(`${base}/metrics`);
	assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
	assert.equal(response.headers.get('cache-control'), 'no-store');
	promtool(['check', 'metrics'], { input: await response.text() });
});

test('docs/metrics.md has exactly the metrics that there are', async () =>
{
	const table = metricsTable(await readMetrics(base));
	assert.ok(text('docs/metrics.md').includes(`\n${table}\n`), `the table in docs/metrics.md should be:\n${table}`);
});

test('alert rules: valid, tested, about metrics that exist, and each with a paragraph of what to do', async () =>
{
	const dir = join(projectDir, 'deploy/prometheus');
	promtool(['check', 'rules', 'collab.rules.yml'], { cwd: dir });
	promtool(['test', 'rules', 'collab.rules.test.yml'], { cwd: dir });
	const rules = text('deploy/prometheus/collab.rules.yml');
	const { families } = await readMetrics(base);
	assertExist(namesIn(rules), families, 'collab.rules.yml');
	const tests = text('deploy/prometheus/collab.rules.test.yml');
	const names = [...rules.matchAll(/alert: (\w+)/g)].map(([, name]) => name);
	assert.ok(names.length > 10);
	for (const name of names)
	{
		assert.match(text('docs/operations.md'), new RegExp(`^\\*\\*${name}\\.?\\*\\*`, 'm'), `docs/operations.md on ${name}`);
		assert.match(tests, new RegExp(`alertname: ${name}\\n +exp_alerts:\\n +- `), `a test in which ${name} fires`);
	}
});

test('every query of the dashboard is PromQL about metrics that exist', async () =>
{
	const dashboard = JSON.parse(text('deploy/grafana/collab.json'));
	const { families } = await readMetrics(base);
	const queries = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
	assert.ok(queries.length > 20);
	for (const query of queries)
		assertExist(namesIn(query), families, query);
	/* promtool parses expressions of rules only */
	const filled = queries.map((query) => query.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*'));
	const rules = filled.map((expr, i) => ({ record: `query:${i}`, expr }));
	const dir = mkdtempSync(join(tmpdir(), 'collab-rules-'));
	writeFileSync(join(dir, 'dashboard.yml'), JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
	promtool(['check', 'rules', 'dashboard.yml'], { cwd: dir });
	rmSync(dir, { recursive: true });
});

test('operations are counted by what became of them, and timed', { timeout: 30000 }, async () =>
{
	const before = await readMetrics(base);
	const id = stand.document();
	const alice = await stand.socket(id, 'alice', { site: 1 });
	const bob = await stand.socket(id, 'bob', { site: 2 });
	alice.send(insert(alice, 1, 'a'));
	const ack = await alice.next('ack');
	await bob.next((m) => m.type === 'events' && m.events.length === 1);
	alice.send(insert(alice, 1, 'a')); /* the same piece again */
	await eventually(async () => valueOf(await readMetrics(base), 'collab_ops_total', { result: 'duplicate' })
		> valueOf(before, 'collab_ops_total', { result: 'duplicate' }));
	alice.send({ ...insert(alice, 2, ''), op: { ops: [{ retain: 99 }, { insert: 'x' }] } });
	await alice.next('error');
	alice.send('not JSON');
	await alice.next('error');
	const after = await readMetrics(base);
	const risen = (name, labels) => valueOf(after, name, labels) - valueOf(before, name, labels);
	assert.equal(risen('collab_ops_total', { result: 'committed' }), 1);
	assert.equal(risen('collab_ops_total', { result: 'refused' }), 1);
	assert.equal(risen('collab_ops_total', { result: 'retry' }), 0);
	assert.equal(risen('collab_ops_total', { result: 'duplicate' }), 1);
	assert.equal(risen('collab_op_commit_duration_seconds_count'), 2);
	assert.equal(risen('collab_op_commit_duration_seconds_bucket', { le: '+Inf' }), risen('collab_op_commit_duration_seconds_count'));
	assert.ok(risen('collab_op_commit_duration_seconds_sum') > 0);
	assert.equal(risen('collab_op_wait_duration_seconds_count'), 3);
	assert.equal(risen('collab_batch_duration_seconds_count'), risen('collab_batches_total'));
	assert.equal(risen('collab_events_delivered_total'), 1, 'to Bob; Alice has an ack');
	assert.equal(risen('collab_messages_total', { direction: 'out', type: 'ack' }), 1);
	assert.equal(risen('collab_messages_total', { direction: 'in', type: 'open' }), 2);
	assert.equal(risen('collab_messages_total', { direction: 'in', type: 'malformed' }), 1);
	assert.ok(risen('collab_fanout_duration_seconds_count') >= 1);
	assert.equal(risen('collab_open_duration_seconds_count'), 2);
	assert.equal(risen('collab_connections_total', { result: 'upgraded' }), 2);
	assert.equal(risen('collab_handshake_duration_seconds_count'), 2);
	assert.ok(risen('collab_handshake_duration_seconds_sum') > 0);
	assert.ok(risen('collab_received_bytes_total') > 200);
	assert.ok(risen('collab_sent_bytes_total') > 500);
	assert.equal(valueOf(after, 'collab_connections', { worker: 0 }), 2);
	assert.equal(valueOf(after, 'collab_open_documents', { worker: 0 }), 1);
	assert.equal(valueOf(after, 'collab_ready', { worker: 0 }), 1);
	assert.equal(valueOf(after, 'collab_db_durable', { worker: 0 }), 1);
	const pool = async (state) => valueOf(await readMetrics(base), 'collab_db_pool_connections', { state });
	await eventually(async () => await pool('up') === 12 && await pool('down') === 0);
	assert.equal(ack.clock, 1);
	await stand.closeSockets();
	await eventually(async () => valueOf(await readMetrics(base), 'collab_connections') === 0);
});

test('what the database says of itself: its timeline, its worker, documents that the worker leaves out', async () =>
{
	const db = stand.database;
	const value = async (name) => valueOf(await readMetrics(base), name);
	const note = (doc, duty, failures) => db.sql(`INSERT INTO collab.quarantine VALUES (${doc}, '${duty}', ${failures}, 'XX000', 'broken', now())`);
	await eventually(async () => await value('collab_quarantined_documents') === 0);
	assert.equal(await value('collab_epoch'), Number(db.sql('SELECT timeline_id FROM pg_control_checkpoint()')));
	assert.ok(await value('collab_notify_queue_ratio') < 0.5);
	assert.equal(await value('collab_db_worker_snapshots_total'), Number(db.sql('SELECT snapshots FROM collab.stat_worker')));
	assert.equal(await value('collab_db_worker_failures_total'), 0);
	note(1, 'snapshot', 3);
	note(1, 'text', 5);
	note(2, 'text', 3);
	note(3, 'text', 2);
	await eventually(async () => await value('collab_quarantined_documents') === 2);
	db.sql('DELETE FROM collab.quarantine');
	await eventually(async () => await value('collab_quarantined_documents') === 0);
});

test('what transformations took in the database is counted, for operations behind the head only', async () =>
{
	const before = await readMetrics(base);
	const risen = async (name, labels) => valueOf(await readMetrics(base), name, labels) - valueOf(before, name, labels);
	const id = stand.document();
	const sockets = [];
	for (let site = 1; site <= 5; site++)
		sockets.push(await stand.socket(id, 'alice', { site }));
	for (const socket of sockets)
	{
		socket.send(insert(socket, 1, 'a')); /* all at version 1: the first at the head */
		await socket.next('ack');
	}
	await eventually(async () => await risen('collab_op_transform_duration_seconds_count') >= 4);
	const after = await readMetrics(base);
	assert.equal(valueOf(after, 'collab_op_transform_duration_seconds_bucket', { le: '+Inf' }), valueOf(after, 'collab_op_transform_duration_seconds_count'));
	await stand.closeSockets();
});

test('what was committed elsewhere is counted where it arrives', { timeout: 30000 }, async () =>
{
	const before = await readMetrics(base);
	const id = stand.document();
	const alice = await stand.socket(id, 'alice', { site: 1 });
	stand.sql(`SELECT collab.insert_text('${id}', 0, 'sql')`);
	await alice.next((m) => m.type === 'events' && m.events.length === 1);
	const after = await readMetrics(base);
	const risen = (name, labels) => valueOf(after, name, labels) - valueOf(before, name, labels);
	assert.equal(risen('collab_events_fetched_total'), 1);
	assert.equal(risen('collab_hint_lag_seconds_count'), 1);
	stand.sql(`NOTIFY collab, 'nonsense'; NOTIFY collab, '0123456789abcdef:7'; NOTIFY collab, '*'`);
	await eventually(async () =>
	{
		const now = await readMetrics(base);
		return valueOf(now, 'collab_hints_total', { result: 'malformed' }) === valueOf(before, 'collab_hints_total', { result: 'malformed' }) + 1
			&& valueOf(now, 'collab_hints_dropped_total') === valueOf(before, 'collab_hints_dropped_total') + 1
			&& valueOf(now, 'collab_hints_total', { result: 'unknown' }) > valueOf(before, 'collab_hints_total', { result: 'unknown' });
	});
	await stand.closeSockets();
});

test('closings, refusals and bad handshakes are counted', { timeout: 30000 }, async () =>
{
	const proxy = await stand.another({ admin_port: await freePort(), max_connections: 8, max_message_bytes: 2048 });
	const id = stand.document();
	const alice = await stand.socket(id, 'alice', { site: 1 }, { proxy });
	alice.send(insert(alice, 1, 'x'.repeat(3000)));
	await alice.next('error');
	alice.send(Buffer.from('binary'));
	assert.equal((await alice.closing()).code, 4400);
	await assert.rejects(stand.socket('bad%20id', 'alice', {}, { proxy }));
	/* plain HTTP connections that are kept alive count as well */
	await assert.rejects(async () =>
	{
		for (let i = 0; i < 9; i++)
			await stand.socket(id, `user${i}`, { site: i + 1 }, { proxy });
	}, /503/);
	const now = await readMetrics(proxy.admin);
	assert.equal(valueOf(now, 'collab_closes_total', { code: '4400' }), 1);
	assert.equal(valueOf(now, 'collab_rate_limited_total', { limit: 'max_message_bytes' }), 1);
	assert.equal(valueOf(now, 'collab_rate_limited_total', { limit: 'max_connections' }), 1);
	assert.equal(valueOf(now, 'collab_connections_total', { result: 'refused' }), 1);
	assert.equal(valueOf(now, 'collab_connections_total', { result: 'rejected' }), 1);
	const ready = await fetch(`${proxy.admin}/readyz`);
	assert.equal(ready.status, 503, 'no room for more');
	assert.equal((await ready.json()).workers[0].state, 'full');
	await stand.closeSockets();
	await eventually(async () => (await fetch(`${proxy.admin}/readyz`)).status === 200);
	await proxy.stop();
});

test('ready with a database, alive without one; losing it is counted', { timeout: 60000 }, async () =>
{
	const proxy = await stand.another({ admin_port: await freePort(), database: 'host=/nonexistent dbname=x' },
		{ wait: false, database: null });
	const health = await eventually(() => fetch(`${proxy.admin}/healthz`).catch(() => null));
	assert.equal(health.status, 200);
	assert.equal((await health.json()).status, 'ok');
	const ready = await fetch(`${proxy.admin}/readyz`);
	assert.equal(ready.status, 503);
	assert.equal((await ready.json()).workers[0].state, 'no database');
	assert.equal((await fetch(`${proxy.http}/readyz`)).status, 503, 'a balancer may ask where it sends clients, too');
	assert.equal((await fetch(`${proxy.admin}/livez`)).status, 200);
	await eventually(async () => valueOf(await readMetrics(proxy.admin), 'collab_db_connect_failures_total') > 0);
	await proxy.stop();

	assert.equal((await fetch(`${base}/readyz`)).status, 200);
	assert.equal((await fetch(`${stand.proxy.http}/readyz`)).status, 200);
	const before = valueOf(await readMetrics(base), 'collab_db_reconnects_total');
	await stand.cluster.restart('immediate');
	await eventually(async () => valueOf(await readMetrics(base), 'collab_db_reconnects_total') === before + 12, { timeout: 20000 });
	await eventually(async () => (await fetch(`${base}/readyz`)).status === 200);
});

test('the admin address speaks just enough HTTP', { timeout: 30000 }, async () =>
{
	assert.equal((await request('GET /healthz HTTP/1.1\r\nHost: x')).status, 200);
	const head = await request('HEAD /metrics HTTP/1.0');
	assert.equal(head.status, 200);
	assert.ok(head.answer.endsWith('\r\n\r\n'), 'no body');
	assert.equal((await request('GET /metrics?x=1 HTTP/1.1')).status, 200);
	assert.equal((await request('GET /other HTTP/1.1')).status, 404);
	assert.equal((await request('POST /metrics HTTP/1.1')).status, 405);
	assert.equal((await request('GET /metrics')).status, 400);
	assert.equal((await request('GET http://x/metrics HTTP/1.1')).status, 400);
	assert.equal((await request('\0\0\0')).status, 405);
	assert.equal((await request(`GET /${'a'.repeat(5000)} HTTP/1.1`)).status, 400);
	const silent = await raw(stand.proxy.config.admin_port, 'GET /heal', { wait: 15000 });
	assert.ok(silent.closed, 'whoever does not finish a request is not waited for');
	assert.equal(silent.status, 0);
	assert.equal((await fetch(`${base}/healthz`)).status, 200);
});

test('the public address has no metrics', async () =>
{
	assert.equal((await fetch(`${stand.proxy.http}/metrics`)).status, 404);
});

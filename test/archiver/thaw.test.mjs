/* Readers who wait: what they get, how long they wait, what they are told. */
import assert from 'node:assert/strict';
import test, { after, afterEach, before } from 'node:test';
import { eventually } from '../lib/proxy.mjs';
import { sleep, Stand } from './stand.mjs';

let stand;
let store;

before(async () =>
{
	stand = await Stand.start();
	store = await stand.s3();
});
after(async () =>
{
	await store?.stop();
	await stand?.finish();
});

afterEach(() => stand.stopArchivers());

/* A document whose history is in the cold store; {id, digest}. */
async function coldDocument(options)
{
	const id = stand.document({ megabytes: 1, ...options });
	const digest = await stand.digest(id);
	const archiver = stand.archiver(store);
	assert.equal((await archiver.once()).code, 0, archiver.log);
	stand.sql('DELETE FROM collab.thawed');
	return { id, digest };
}

const objectOf = (id) => stand.sql(`SELECT string_agg(object, ',') FROM collab.archives WHERE doc = collab.document_key('${id}')`);
const gets = (id) => store.requests.filter((r) => r.method === 'GET' && r.key === objectOf(id)).length;

test('without an archiver a reader is told so after collab.thaw_timeout', async () =>
{
	const { id } = await coldDocument();
	const started = Date.now();
	await assert.rejects(stand.ask(`SET collab.thaw_timeout = '700ms'; SELECT collab.document('${id}', 1)`), (error) =>
	{
		assert.match(error.message, /ERROR: +history did not come back from cold storage in time: versions 1 to \d+/);
		assert.match(error.message, /DETAIL: +No collab-archiver is connected to this database\./);
		assert.match(error.message, /HINT: +Start collab-archiver\./);
		return true;
	});
	assert.ok(Date.now() - started >= 700);
	assert.throws(() => stand.sql(`SET collab.thaw_timeout = 0; SELECT collab.document('${id}', 1)`), /58030/);
	assert.equal(stand.sql(`SELECT length(collab.text('${id}')) > 0`), 't', 'the head is there all the same');
	stand.sql(`SELECT collab.insert_text('${id}', 0, 'x')`);
});

test('an archiver that comes while a reader waits serves it', async () =>
{
	const { id, digest } = await coldDocument();
	const reading = stand.digest(id);
	await eventually(() => stand.sql('SELECT count(*) FROM pg_locks WHERE objsubid = 5') === '1', { what: 'the request' });
	const archiver = await stand.archiver(store, { config: { archive_after: '100 years' } }).start();
	assert.equal(await reading, digest);
	assert.equal(stand.sql('SELECT count(*) FROM pg_locks WHERE objsubid = 5'), '0', 'the request is gone');
	await archiver.stop();
});

test('an archiver that loses its connection while it brings history back does so again, and no reader hears of it', async () =>
{
	const { id, digest } = await coldDocument();
	const blocker = stand.database.session();
	await blocker.query('BEGIN; LOCK TABLE collab.thawed IN EXCLUSIVE MODE');
	const reading = stand.digest(id);
	const archiver = await stand.archiver(store, { config: { archive_after: '100 years' } }).start();
	const storing = `FROM pg_stat_activity WHERE query LIKE 'SELECT collab.thaw_store%' AND wait_event_type = 'Lock'`;
	await eventually(() => stand.sql(`SELECT count(*) ${storing}`) === '1', { what: 'the archiver waits to store' });
	stand.sql(`SELECT pg_terminate_backend(pid) ${storing}`);
	await eventually(() => stand.sql(`SELECT count(*) ${storing}`) === '1', { what: 'the archiver has come back' });
	await blocker.query('COMMIT');
	await blocker.close();
	assert.equal(await reading, digest);
	assert.match(archiver.log, /terminating connection/);
	assert.equal(stand.count('quarantine'), 0);
	await archiver.stop();
});

test('many readers of one segment cost one request to the store', async () =>
{
	const { id, digest } = await coldDocument();
	const before = gets(id);
	const archiver = await stand.archiver(store).start();
	const digests = await Promise.all(Array.from({ length: 8 }, () => stand.digest(id)));
	assert.ok(digests.every((d) => d === digest));
	assert.equal(gets(id), before + 1);
	await archiver.stop();
});

test('an archiver that is slow: who waits is told that it is at work', async () =>
{
	const { id, digest } = await coldDocument();
	const archiver = await stand.archiver(store).start();
	store.fault({ kind: 'late', method: 'GET', ms: 1500 });
	await assert.rejects(stand.ask(`SET collab.thaw_timeout = '500ms'; SELECT collab.document('${id}', 1)`), (error) =>
	{
		assert.match(error.message, /DETAIL: +collab-archiver is at work, but it took longer than collab\.thaw_timeout, 500 ms\./);
		assert.match(error.message, /HINT: +Try again, or raise collab\.thaw_timeout\./);
		return true;
	});
	assert.equal(await stand.digest(id), digest);
	await archiver.stop();
});

test('a waiting reader can be cancelled, and asks for nothing any more', async () =>
{
	const { id } = await coldDocument();
	const session = stand.database.session();
	const pid = await session.query('SELECT pg_backend_pid()');
	const reading = session.query(`SELECT collab.document('${id}', 1)`);
	await eventually(() => stand.sql('SELECT count(*) FROM pg_locks WHERE objsubid = 5') === '1', { what: 'the request' });
	stand.sql(`SELECT pg_cancel_backend(${pid})`);
	await assert.rejects(reading, /canceling statement/);
	assert.equal(stand.sql('SELECT count(*) FROM pg_locks WHERE objsubid = 5'), '0');
	await session.close();
});

test('a transaction with an old snapshot reads what was thawed after it', async () =>
{
	const id = stand.document({ megabytes: 1 });
	const expected = stand.sql(`SELECT md5(collab.document('${id}', 4)::text)`);
	assert.equal((await stand.archiver(store).once()).code, 0);
	const session = stand.database.session();
	await session.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
	await session.query('SELECT count(*) FROM pg_class');
	const archiver = await stand.archiver(store).start();
	assert.equal(await session.query(`SELECT md5(collab.document('${id}', 4)::text)`), expected);
	await session.query('COMMIT');
	await session.close();
	await archiver.stop();
});

test('a parallel worker reads cold history', async () =>
{
	const { id } = await coldDocument();
	const archiver = await stand.archiver(store).start();
	assert.equal(await stand.ask(`SET force_parallel_mode = on; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
		SELECT collab.text('${id}', 1)`), 'start');
	await archiver.stop();
});

test('what was thawed is dropped when its time is over, and comes again', async () =>
{
	const { id, digest } = await coldDocument();
	const other = await stand.archiver(store).start();
	assert.equal(await stand.digest(id), digest);
	await other.stop();
	const chunks = stand.count('thawed');
	assert.ok(chunks > 0);
	stand.sql(`UPDATE collab.thawed SET expires_at = now()`);
	const archiver = await stand.archiver(store).start();
	await eventually(() => stand.count('thawed') === 0, { what: 'thawed chunks are dropped', timeout: 20000 });
	assert.equal(await stand.digest(id), digest);
	assert.equal(stand.sql(`SELECT count(*) FROM collab.thawed WHERE expires_at - thawed_at <> interval '1 hour'`), '0', 'collab.thaw_keep');
	await archiver.stop();
});

test('after a crash nothing is thawed, and it comes again', async () =>
{
	const { id, digest } = await coldDocument();
	const archiver = await stand.archiver(store).start();
	assert.equal(await stand.digest(id), digest);
	assert.ok(stand.count('thawed') > 0);
	await stand.cluster.crash();
	await stand.cluster.start();
	assert.equal(stand.count('thawed'), 0);
	assert.equal(await stand.digest(id), digest);
	await archiver.stop();
});

test('a document that is dropped and made again has none of its old history', async () =>
{
	const { id, digest } = await coldDocument();
	const archiver = await stand.archiver(store).start();
	const session = stand.database.session();
	await session.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
	await session.query(`SELECT count(*) FROM collab.archives`);
	stand.sql(`SELECT collab.drop_document('${id}'); SELECT collab.create_document('${id}', 'new');
		SELECT collab.insert_text('${id}', 0, 'n' || i) FROM generate_series(1, 40) i; SELECT collab.fold('${id}');`);
	await eventually(() => stand.count('archives', `doc = collab.document_key('${id}')`) === 1, { what: 'the new history is archived' });
	assert.notEqual(await stand.digest(id), digest);
	assert.equal(await stand.ask(`SELECT collab.text('${id}', 1)`), 'new');
	const started = Date.now();
	await assert.rejects(session.query(`SELECT collab.document('${id}', 5)`), /history in cold storage was deleted while it was being read: versions 1 to 12/,
		'who still sees the old one is not given the new one');
	assert.ok(Date.now() - started < 10000, 'and need not wait for it');
	await session.close();
	await archiver.stop();
});

test('a client that comes back after long finds its edits in cold history', async () =>
{
	const id = `client-${Date.now()}`;
	stand.sql(`SELECT collab.create_document('${id}', 'abc');
		SELECT collab.submit('${id}', '{"ops":[{"retain":3},{"insert":"d"}]}', 1, 77, 1);
		SELECT collab.insert_text('${id}', 0, 'x') FROM generate_series(1, 60);
		SELECT collab.fold('${id}');`);
	const archiver = await stand.archiver(store).start();
	await eventually(() => stand.count('archives', `doc = collab.document_key('${id}')`) === 1, { what: 'archived' });
	stand.sql('DELETE FROM collab.thawed');
	/* the same edit again: it is found, and nothing is doubled; then one more from the same base */
	await stand.ask(`SELECT collab.submit('${id}', '{"ops":[{"retain":3},{"insert":"d"}]}', 1, 77, 1)`);
	await stand.ask(`SELECT collab.submit('${id}', '{"ops":[{"retain":4},{"insert":"e"}]}', 2, 77, 2)`);
	assert.equal(stand.sql(`SELECT collab.text('${id}')`), 'x'.repeat(60) + 'abcde');
	await archiver.stop();
});

/* ---- several ---- */

test('two archivers: one moves, both bring back, nothing twice', async () =>
{
	const ids = Array.from({ length: 6 }, () => stand.document({ megabytes: 1 }));
	const digests = await Promise.all(ids.map((id) => stand.digest(id)));
	const puts = store.requests.filter((r) => r.method === 'PUT').length;
	const two = [stand.archiver(store), stand.archiver(store)];
	await Promise.all(two.map((archiver) => archiver.start()));
	const where = `doc = ANY (ARRAY[${ids.map((id) => `collab.document_key('${id}')`)}])`;
	await eventually(() => stand.count('chunks', where) === 0, { what: 'archived' });
	assert.equal(stand.count('archives', where), ids.length);
	assert.equal(store.requests.filter((r) => r.method === 'PUT').length, puts + ids.length, 'each object was stored once');
	assert.deepEqual(await Promise.all(ids.map((id) => stand.digest(id))), digests);
	const once = stand.archiver(store);
	assert.equal((await once.once()).code, 1);
	assert.match(once.log, /another archiver has the duty/);

	/* the one with the duty dies: the other takes over within seconds */
	await two.find((archiver) => /msg="archived"/.test(archiver.log)).stop('SIGKILL');
	const next = stand.document({ megabytes: 1 });
	await eventually(() => stand.count('archives', `doc = collab.document_key('${next}')`) === 1, { what: 'the other took over', timeout: 20000 });
	await Promise.all(two.map((archiver) => archiver.stop()));
});

test('a connection that breaks is made again', async () =>
{
	const archiver = await stand.archiver(store).start();
	stand.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'collab-archiver/%'`);
	const id = stand.document({ megabytes: 1 });
	const digest = await stand.digest(id);
	await eventually(() => stand.count('archives', `doc = collab.document_key('${id}')`) === 1, { what: 'archived', timeout: 20000 });
	assert.equal(await stand.digest(id), digest);
	await stand.cluster.restart('immediate');
	const other = stand.document({ megabytes: 1 });
	await eventually(() => stand.count('archives', `doc = collab.document_key('${other}')`) === 1, { what: 'archived', timeout: 30000 });
	assert.equal((await archiver.stop()).code, 0);
	assert.match(archiver.log, /cannot connect to the database|terminating connection/);
});

test('what is due: old chunks; few of them wait until they are twice as old', async () =>
{
	const id = stand.document({ megabytes: 1 });
	const key = `doc = collab.document_key('${id}')`;
	const set = (first, last) => stand.sql(`UPDATE collab.chunks SET created_first = now() - interval '${first}', created_last = now() - interval '${last}' WHERE ${key}`);
	const run = async (config) =>
	{
		assert.equal((await stand.archiver(store, { config }).once()).code, 0);
		return stand.count('archives', key);
	};
	set('9 days', '8 days');
	assert.equal(await run({ archive_after: '10 days' }), 0, 'too young');
	assert.equal(await run({ archive_after: '5 days', min_object_bytes: 16777216 }), 0, 'too few');
	assert.equal(await run({ archive_after: '' }), 0, 'collab.archive_after is 90 days');
	stand.sql(`ALTER ROLE collab_archiver IN DATABASE collab SET collab.archive_after = -1`);
	set('900 days', '800 days');
	assert.equal(await run({ archive_after: '' }), 0, '-1: never');
	stand.sql(`ALTER ROLE collab_archiver IN DATABASE collab RESET collab.archive_after`);
	assert.equal(await run({ archive_after: '', min_object_bytes: 16777216 }), 1, 'twice as old as it must be');
});

test('on a standby cold history is refused at once, the rest is read', async () =>
{
	const { id } = await coldDocument();
	const { execFileSync } = await import('node:child_process');
	const { appendFileSync, chmodSync, rmSync, writeFileSync } = await import('node:fs');
	const { join } = await import('node:path');
	const cluster = stand.cluster;
	const ids = cluster.user ? { uid: cluster.user.uid, gid: cluster.user.gid } : {};
	const standby = new (cluster.constructor)({});
	execFileSync(join(cluster.bin, 'pg_basebackup'), ['-D', standby.data, '-h', cluster.dir, '-p', String(cluster.port), '-U', 'postgres', '-X', 'stream', '-c', 'fast'],
		{ cwd: '/', stdio: 'pipe', ...ids });
	writeFileSync(join(standby.data, 'standby.signal'), '', { mode: 0o600 });
	chmodSync(join(standby.data, 'standby.signal'), 0o644);
	appendFileSync(join(standby.data, 'postgresql.conf'), `unix_socket_directories = '${standby.dir}'\nprimary_conninfo = '${cluster.conninfo('postgres')}'\n`);
	await standby.start();
	const ask = (text) => standby.sql(text, { database: 'collab' });
	assert.throws(() => ask(`SELECT collab.document('${id}', 1)`), /25006: cannot read history from cold storage during recovery[^]*HINT: +Read it on the primary/);
	assert.equal(ask(`SELECT length(collab.text('${id}')) > 0`), 't');
	await standby.destroy();
	rmSync(standby.dir, { recursive: true, force: true });
});

test('an edit on a base in the cold store waits without the document\'s lock: others edit meanwhile', async () =>
{
	const { id } = await coldDocument();
	const head = Number(stand.sql(`SELECT max(version) FROM collab.events WHERE doc = collab.document_key('${id}')`));
	const late = [
		stand.ask(`SELECT collab.submit('${id}', '[{"insert":"late "}]', 1, 7, 1)`),
		stand.ask(`SELECT status FROM collab.submit_batch(ARRAY['${id}'], ARRAY['carol'], ARRAY[8], ARRAY[1], ARRAY[1], ARRAY[NULL]::bigint[], ARRAY[1], ARRAY['[{"insert":"batch "}]']::bytea[], true)`),
	];
	await eventually(() => stand.sql('SELECT count(*) FROM pg_locks WHERE objsubid = 5') === '2', { what: 'the requests' });
	assert.equal(stand.sql('SELECT count(*) FROM pg_locks WHERE objsubid = 3'), '0', 'nobody holds the document');
	assert.equal(stand.sql(`SELECT collab.insert_text('${id}', 0, 'meanwhile ')`), String(head + 1));
	assert.equal(stand.sql(`SELECT status FROM collab.submit_batch(ARRAY['${id}'], ARRAY['dave'], ARRAY[9], ARRAY[1], ARRAY[1], ARRAY[NULL]::bigint[], ARRAY[1], ARRAY['[{"insert":"x"}]']::bytea[])`),
		'retry', 'what may not wait comes back');
	const archiver = await stand.archiver(store, { config: { archive_after: '100 years' } }).start();
	const answers = await Promise.all(late);
	assert.deepEqual(answers.map((answer) => answer === 'ok' || Number(answer) > head + 1), [true, true], answers);
	for (const typed of ['late ', 'batch ', 'meanwhile '])
		assert.equal(stand.sql(`SELECT strpos(collab.text('${id}'), '${typed}') > 0`), 't', typed);
	await archiver.stop();
});

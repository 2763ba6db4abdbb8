/* The ring and the notifier: who listens hears of every commit, and no commit waits for it. */
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startCluster } from '../lib/cluster.mjs';
import { Listener, hexKey, notifierPid, sleep, until, wakeNotifier } from './listen.mjs';

let cluster;
let db;
let listener;

before(async () =>
{
	cluster = await startCluster({ preload: true, settings: { max_prepared_transactions: 5, max_worker_processes: 12 } });
	db = cluster.createDatabase('one');
	await wakeNotifier(db);
	listener = await Listener.open(db);
	await listener.silence();
});

after(async () =>
{
	await listener?.close();
	await cluster?.destroy();
});

test('an edit by SQL reaches a listening session within 50 ms', async () =>
{
	db.sql(`SELECT collab.create_document('fast')`);
	const key = hexKey(db, 'fast');
	const session = db.session();
	const took = [];
	for (let version = 1; version <= 20; version++)
	{
		await session.query(`SELECT collab.insert_text('fast', 0, 'x')`);
		took.push(await listener.expect(`${key}:${version}`, 2000));
	}
	await session.close();
	took.sort((a, b) => a - b);
	console.log(`# notified after ${took[10].toFixed(1)} ms (median), ${took[19].toFixed(1)} ms (maximum)`);
	assert.ok(took[17] < 50, `50 ms are enough: ${took}`);
});

test('the worker has the role made for it and nothing more', () =>
{
	assert.equal(db.sql(`SELECT usename FROM pg_stat_activity WHERE backend_type = 'collab notifier' AND datname = 'one'`), 'collab_worker');
});

test('documents that change together are packed into few notifications, each below 8000 bytes', async () =>
{
	db.sql(`SELECT count(collab.create_document('pack-' || i)) FROM generate_series(1, 1000) i`);
	await listener.silence();
	listener.forget();
	db.sql(`SELECT count(collab.insert_text('pack-' || i, 0, 'x')), count(collab.insert_text('pack-' || i, 0, 'y')) FROM generate_series(1, 1000) i`);
	await until(async () => (await listener.entries()).length >= 1000, '1000 entries');
	assert.deepEqual(await listener.silence(), []);
	assert.ok(listener.payloads.length <= 5, `${listener.payloads.length} notifications`);
	assert.ok(listener.payloads.every((p) => p.length < 8000));
	const entries = await listener.entries();
	assert.equal(new Set(entries).size, 1000, 'one entry per document');
	assert.ok(entries.every((e) => /^[0-9a-f]{16}:2$/.test(e)), 'with its newest version');
});

test('nothing is said about what was rolled back', async () =>
{
	db.sql(`SELECT collab.create_document('rolled'), collab.create_document('kept')`);
	const rolled = hexKey(db, 'rolled');
	const kept = hexKey(db, 'kept');
	await listener.silence();
	listener.forget();
	db.sql(`BEGIN; SELECT collab.insert_text('rolled', 0, 'x'); ROLLBACK`);
	db.sql(`BEGIN; SELECT collab.insert_text('kept', 0, 'x');
		SAVEPOINT a; SELECT collab.insert_text('rolled', 0, 'x'); SAVEPOINT b; SELECT collab.insert_text('kept', 0, 'x'); RELEASE b;
		ROLLBACK TO a; SAVEPOINT c; SELECT collab.insert_text('kept', 0, 'x'); RELEASE c; COMMIT`);
	db.sql(`DO $$ BEGIN
		BEGIN PERFORM collab.insert_text('rolled', 0, 'x'); RAISE EXCEPTION 'undo'; EXCEPTION WHEN raise_exception THEN END;
		END $$`);
	await listener.expect(`${kept}:2`);
	assert.deepEqual(await listener.silence(), []);
	assert.deepEqual(await listener.entries(), [`${kept}:2`]);
	assert.ok(!(await listener.entries()).some((e) => e.startsWith(rolled)));
});

test('a dropped document is -1, and one that was made again has its new version behind that', async () =>
{
	db.sql(`SELECT collab.create_document('dropped', 'x'), collab.create_document('again', 'x')`);
	const dropped = hexKey(db, 'dropped');
	const again = hexKey(db, 'again');
	await listener.silence();
	listener.forget();
	db.sql(`BEGIN; SELECT collab.insert_text('again', 0, 'y'), collab.insert_text('again', 0, 'y');
		SELECT collab.drop_document('dropped'), collab.drop_document('again'), collab.create_document('again', 'z'); COMMIT`);
	await listener.expect(`${dropped}:-1`);
	const entries = await listener.entries();
	assert.deepEqual(entries.filter((e) => e.startsWith(again)), [`${again}:-1`, `${again}:1`]);
});

test('a prepared transaction tells nobody, and nothing breaks', async () =>
{
	db.sql(`SELECT collab.create_document('prepared')`);
	const key = hexKey(db, 'prepared');
	await listener.silence();
	listener.forget();
	db.sql(`BEGIN; SELECT collab.insert_text('prepared', 0, 'x'); PREPARE TRANSACTION 'p'`);
	db.sql(`COMMIT PREPARED 'p'`);
	assert.deepEqual(await listener.silence(), []);
	db.sql(`SELECT collab.insert_text('prepared', 0, 'x')`);
	await listener.expect(`${key}:2`);
});

test('a transaction with more documents than the ring holds says "everything"', async () =>
{
	listener.forget();
	db.sql(`SELECT count(collab.create_document('many-' || i, 'x')) FROM generate_series(1, 2500) i`);
	await until(async () => (await listener.entries()).includes('*'), 'the word *');
});

test('a notifier that does not get on stops no commit, and then says "everything"', async () =>
{
	const pid = notifierPid(db);
	listener.forget();
	process.kill(pid, 'SIGSTOP');
	try
	{
		for (let part = 0; part < 5; part++)
			db.sql(`SELECT count(collab.insert_text('many-' || i, 0, 'x')) FROM generate_series(${part * 500 + 1}, ${part * 500 + 500}) i`);
		assert.deepEqual(await listener.silence(), []);
	}
	finally
	{
		process.kill(pid, 'SIGCONT');
	}
	await until(async () => (await listener.entries()).includes('*'), 'the word *');
	db.sql(`SELECT collab.insert_text('fast', 0, 'x')`);
	await listener.expect(`${hexKey(db, 'fast')}:21`);
});

test('a quiet database costs no transactions, a busy one few notifications', async () =>
{
	await listener.silence(300);
	const xid = () => Number(db.sql('SELECT pg_snapshot_xmax(pg_current_snapshot())'));
	/* once the worker has caught up with what the tests before did */
	await until(async () =>
	{
		const quiet = xid();
		await sleep(500);
		return xid() === quiet;
	}, 'half a second without a transaction', 60000);
	listener.forget();
	const start = performance.now();
	db.sql(Array.from({ length: 500 }, () => `SELECT collab.insert_text('fast', 0, 'x');`).join('\n'));
	const took = performance.now() - start;
	await listener.silence(200);
	const most = took / 5 + 5;
	assert.ok(listener.payloads.length <= most, `${listener.payloads.length} notifications in ${took} ms`);
});

/*
 * The reason for all this: who NOTIFYs holds a lock of the cluster until the commit is through, and that may take as long as a
 * standby that is away. With the ring a stuck commit stops nobody.
 */
test('a commit that waits for a standby stops no notification of others', async () =>
{
	const other = cluster.createDatabase('other');
	other.sql(`CREATE TABLE t ()`);
	db.sql(`SELECT collab.create_document('stuck'), collab.create_document('free')`);
	const free = hexKey(db, 'free');
	cluster.sql(`ALTER SYSTEM SET synchronous_standby_names = 'away'`);
	cluster.sql('SELECT pg_reload_conf()');
	const stuck = db.session();
	let pid;
	try
	{
		await until(() => db.sql('SHOW synchronous_standby_names') === 'away', 'the setting');
		pid = Number((await stuck.query('SELECT pg_backend_pid()')).trim());
		const waiting = stuck.query(`SELECT collab.insert_text('stuck', 0, 'x')`).catch(() => 'cancelled');
		await until(() => db.sql(`SELECT wait_event FROM pg_stat_activity WHERE pid = ${pid}`) === 'SyncRep', 'a stuck commit');

		listener.forget();
		const start = performance.now();
		other.sql(`SET synchronous_commit = local; SET lock_timeout = '5s'; NOTIFY elsewhere`);
		db.sql(`SET synchronous_commit = local; SELECT collab.insert_text('free', 0, 'x')`);
		await listener.expect(`${free}:1`, 5000);
		console.log(`# notified after ${(performance.now() - start).toFixed(1)} ms beside a stuck commit`);
		assert.equal(db.sql(`SELECT wait_event FROM pg_stat_activity WHERE pid = ${pid}`), 'SyncRep', 'still stuck');
		cluster.sql(`ALTER SYSTEM RESET synchronous_standby_names`);
		cluster.sql('SELECT pg_reload_conf()');
		await waiting;
	}
	finally
	{
		cluster.sql(`ALTER SYSTEM RESET synchronous_standby_names`);
		cluster.sql('SELECT pg_reload_conf()');
		await stuck.close();
	}
	/* a hint never precedes its commit: it comes now */
	await listener.expect(`${hexKey(db, 'stuck')}:1`);
});

test('a notifier that was terminated comes back; meanwhile transactions notify by themselves', async () =>
{
	const pid = notifierPid(db);
	db.sql(`SELECT pg_terminate_backend(${pid})`);
	await until(() => notifierPid(db) !== pid, 'its end');
	db.sql(`SELECT collab.create_document('between', 'x')`);
	await listener.expect(`${hexKey(db, 'between')}:1`);
	const next = await wakeNotifier(db);
	assert.notEqual(next, pid);
	db.sql(`SELECT collab.insert_text('between', 0, 'x')`);
	await listener.expect(`${hexKey(db, 'between')}:2`);
});

test('what a notifier took and could not tell is told as "everything" by the next', async () =>
{
	const pid = notifierPid(db);
	const blocker = db.session();
	await blocker.query('BEGIN');
	await blocker.query('LOCK TABLE pg_catalog.pg_extension IN ACCESS EXCLUSIVE MODE');
	db.sql(`SELECT collab.insert_text('between', 0, 'x')`);
	await until(() => db.sql(`SELECT wait_event_type FROM pg_stat_activity WHERE pid = ${pid}`) === 'Lock', 'a notifier that is stuck');
	listener.forget();
	db.sql(`SELECT pg_terminate_backend(${pid})`);
	await until(() => notifierPid(db) !== pid, 'its end');
	await blocker.query('ROLLBACK');
	await blocker.close();
	await until(async () => (await listener.entries()).includes('*'), 'the word *', 20000);
});

test('every database has its own', async () =>
{
	const two = cluster.createDatabase('two');
	const pid = await wakeNotifier(two);
	assert.notEqual(pid, notifierPid(db));
	const second = await Listener.open(two);
	await second.silence();
	second.forget();
	listener.forget();
	two.sql(`SELECT collab.create_document('here', 'x')`);
	await second.expect(`${hexKey(two, 'here')}:1`);
	assert.deepEqual(await listener.silence(), []);
	await second.close();
});

test('DROP DATABASE and its kin find the notifier gone, and it comes back where the database stays', async () =>
{
	const two = cluster.createDatabase('leaving');
	await wakeNotifier(two);
	let start = performance.now();
	cluster.sql(`ALTER DATABASE leaving RENAME TO left_over`);
	two.name = 'left_over';
	await wakeNotifier(two);
	cluster.sql(`CREATE DATABASE copied TEMPLATE left_over`);
	assert.equal(cluster.sql(`SELECT count(*) FROM pg_database WHERE datname = 'copied'`), '1');
	await wakeNotifier(two);
	cluster.sql(`DROP DATABASE left_over`);
	cluster.sql(`DROP DATABASE copied`);
	console.log(`# rename, copy, drop: ${(performance.now() - start).toFixed(0)} ms`);
	/* a role that may not drop it does not even get the notifier away */
	const pid = notifierPid(db);
	cluster.sql(`CREATE ROLE stranger LOGIN`);
	assert.throws(() => cluster.sql('DROP DATABASE one', { user: 'stranger' }), /must be owner/);
	await sleep(50);
	assert.equal(notifierPid(db), pid);
	/* the slot is free again: many more databases than slots may come and go */
	for (let i = 0; i < 3; i++)
	{
		const more = cluster.createDatabase('more');
		await wakeNotifier(more);
		cluster.sql(`DROP DATABASE more`);
	}
});

test('DROP EXTENSION sends the notifier away, CREATE EXTENSION brings it back', async () =>
{
	const two = cluster.createDatabase('extension');
	const pid = await wakeNotifier(two);
	two.sql(`BEGIN; DROP EXTENSION collab; ROLLBACK`);
	await sleep(50);
	assert.equal(notifierPid(two), pid, 'a drop that was rolled back changes nothing');
	two.sql(`DROP EXTENSION collab`);
	await until(() => notifierPid(two) === 0, 'its end');
	two.sql(`CREATE EXTENSION collab`);
	await wakeNotifier(two);
});

test('a notifier that is just starting is sent away, too', async () =>
{
	const two = cluster.createDatabase('slow');
	const blocker = cluster.session();
	const start = performance.now();
	/* who edits and who drops are connected already: nobody gets in while the lock is held */
	const dropping = cluster.session();
	await dropping.query('SELECT 1');
	const editing = two.session();
	await editing.query('SELECT 1');
	await blocker.query('BEGIN');
	await blocker.query('LOCK TABLE pg_db_role_setting IN ACCESS EXCLUSIVE MODE');
	await editing.query(`SELECT collab.create_document('x', 'hello')`);
	await editing.close();
	await sleep(300); /* the worker waits for the lock */
	const dropped = dropping.query('DROP DATABASE slow');
	await sleep(700);
	await blocker.query('ROLLBACK');
	await dropped;
	console.log(`# dropped after ${(performance.now() - start).toFixed(0)} ms`);
	await dropping.close();
	await blocker.close();
});

test('a notifier with nothing to do gives its worker back; edits go on reaching who listens', async () =>
{
	const two = cluster.createDatabase('idle');
	const second = await Listener.open(two);
	cluster.sql(`ALTER SYSTEM SET collab.notifier_idle_timeout = '1s'`);
	cluster.sql('SELECT pg_reload_conf()');
	two.sql(`SELECT collab.create_document('here')`);
	const key = hexKey(two, 'here');
	let version = 0;
	for (let round = 0; round < 3; round++)
	{
		await wakeNotifier(two);
		await until(() => notifierPid(two) === 0, 'its end', 5000);
		for (let i = 0; i < 3; i++)
		{
			two.sql(`SELECT collab.insert_text('here', 0, 'x')`);
			const took = await second.expect(`${key}:${++version}`, 2000);
			assert.ok(took < 500, `${took} ms`);
		}
	}
	await second.close();
	cluster.sql(`ALTER SYSTEM RESET collab.notifier_idle_timeout`);
	cluster.sql('SELECT pg_reload_conf()');
	await wakeNotifier(db);
});

test('without the role there is no notifier, and transactions notify by themselves', async () =>
{
	cluster.sql(`ALTER SYSTEM SET collab.worker_role = 'no_such_role'`);
	cluster.sql('SELECT pg_reload_conf()');
	const two = cluster.createDatabase('roleless');
	await until(() => two.sql('SHOW collab.worker_role') === 'no_such_role', 'the setting');
	const second = await Listener.open(two);
	for (let version = 1; version <= 3; version++)
	{
		two.sql(version === 1 ? `SELECT collab.create_document('here', 'x')` : `SELECT collab.insert_text('here', 0, 'x')`);
		await second.expect(`${hexKey(two, 'here')}:${version}`);
	}
	assert.equal(notifierPid(two), 0);
	assert.equal(cluster.logTail(1e6).match(/collab has no notifier: role "no_such_role"/g).length, 1, 'the log says it once');
	await second.close();
	cluster.sql(`ALTER SYSTEM RESET collab.worker_role`);
	cluster.sql('SELECT pg_reload_conf()');
	await until(() => notifierPid(two), 'a notifier, now that there is a role', 20000);
});

test('a database that the worker may not connect to is served by its transactions, and the log is not filled', async () =>
{
	const two = cluster.createDatabase('closed');
	two.sql('REVOKE CONNECT ON DATABASE closed FROM PUBLIC, collab_worker');
	const second = await Listener.open(two);
	two.sql(`SELECT collab.create_document('here')`);
	const key = hexKey(two, 'here');
	const end = Date.now() + 2000;
	for (let version = 1; Date.now() < end; version++)
	{
		two.sql(`SELECT collab.insert_text('here', 0, 'x')`);
		assert.equal((await second.entries()).at(-1), `${key}:${version}`);
	}
	await second.close();
	/* the notifier and the worker, once each */
	assert.equal(cluster.logTail(1e6).match(/permission denied for database "closed"/g).length, 2);
	cluster.sql('DROP DATABASE closed');
});

test('a notifier that is killed takes the server through recovery, and all is well after it', async () =>
{
	process.kill(notifierPid(db), 'SIGKILL');
	await sleep(200);
	await until(() => { try { return db.sql('SELECT 1'); } catch { return false; } }, 'the server', 30000);
	await wakeNotifier(db);
	const second = await Listener.open(db);
	db.sql(`SELECT collab.create_document('after-the-crash')`);
	db.sql(`SELECT collab.insert_text('after-the-crash', 0, 'x')`);
	await second.expect(`${hexKey(db, 'after-the-crash')}:1`);
	await second.close();
});

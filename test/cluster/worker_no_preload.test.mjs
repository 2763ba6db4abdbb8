/* The worker without shared_preload_libraries: started by hand, and looking for its work by itself. */
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { Database, startCluster } from '../lib/cluster.mjs';
import { sleep, until } from './listen.mjs';
import { cure, found, gone, poison, snapshotAt, type, worker, workerPid } from './worker.mjs';

let cluster;
let db;

before(async () =>
{
	cluster = await startCluster({ preload: false });
	db = cluster.createDatabase('one');
});

after(() => cluster?.destroy());

test('it is started once', async () =>
{
	db.sql(`SELECT collab.create_document('before', 'a walrus')`);
	await sleep(200);
	assert.equal(workerPid(db), 0);
	assert.equal(db.sql('SELECT collab.start_workers()'), 't');
	const pid = await worker(db);
	assert.equal(db.sql('SELECT collab.start_workers()'), 'f');
	assert.equal(db.sql('SELECT pid, started_at FROM collab.stat_worker'), `${pid}|`);
	await found(db, 'before', 'walrus');
});

test('of two who start it at once one succeeds, and there is one', async () =>
{
	const pid = await worker(db);
	db.sql(`SELECT pg_terminate_backend(${pid})`);
	await gone(db, pid);
	const sessions = [db.session(), db.session()];
	const started = await Promise.all(sessions.map((s) => s.query('SELECT collab.start_workers()')));
	assert.ok(started.includes('t'), started.join());
	await Promise.all(sessions.map((s) => s.close()));
	await until(() => db.sql(`SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'collab worker'`) === '1', 'one worker');
});

test('it finds what was edited', async () =>
{
	db.sql(`SELECT collab.insert_text('before', 8, ' and a carpenter')`);
	await found(db, 'before', 'carpenter');
	type(db, 'before', 150);
	await snapshotAt(db, 'before', 100);
});

test('a document that makes it fail is left out, and released', async () =>
{
	db.sql(`SELECT collab.create_document('sick', 'hello')`);
	type(db, 'sick', 20);
	const pid = await worker(db);
	db.sql(`SELECT pg_terminate_backend(${pid})`);
	await gone(db, pid);
	const op = poison(db, 'sick', 10);
	db.sql('SELECT collab.start_workers()');
	db.sql(`SELECT collab.create_document('well', 'a quokka')`);
	await found(db, 'well', 'quokka', 60000);
	/* the postmaster starts it again after each */
	await until(() => db.sql(`SELECT 1 FROM collab.quarantine_list WHERE doc_id = 'sick' AND duty = 'text' AND quarantined`), 'the quarantine', 60000);
	cure(db, 'sick', 10, op);
	db.sql(`SELECT collab.release_document('sick')`);
	await until(() => db.sql(`SELECT version FROM collab.live_texts t JOIN collab.documents d ON d.key = t.doc WHERE doc_id = 'sick'`) === '21', 'its text', 30000);
});

test('it comes back after a crash of the server', async () =>
{
	const pid = await worker(db);
	process.kill(pid, 'SIGKILL');
	await sleep(300);
	await until(() => { try { return db.sql('SELECT 1'); } catch { return false; } }, 'the server', 30000);
	const next = await worker(db, pid);
	db.sql(`SELECT collab.create_document('after', 'an ibis')`);
	await found(db, 'after', 'ibis');
	assert.notEqual(next, pid);
});

test('who terminates it is obeyed', async () =>
{
	db.sql(`SELECT pg_terminate_backend(${await worker(db)})`);
	await until(() => workerPid(db) === 0, 'its end');
	await sleep(6000); /* longer than the postmaster waits before it starts again what failed */
	assert.equal(workerPid(db), 0);
});

test('started in the transaction that creates the extension, it waits for that', async () =>
{
	cluster.sql('CREATE DATABASE fresh');
	const fresh = new Database(cluster, 'fresh');
	const session = fresh.session();
	await session.query('BEGIN');
	await session.query('CREATE EXTENSION collab');
	assert.equal(await session.query('SELECT collab.start_workers()'), 't');
	await session.query(`SELECT collab.create_document('here', 'a lemur')`);
	await session.query('COMMIT');
	await session.close();
	await found(fresh, 'here', 'lemur');
	fresh.sql('DROP EXTENSION collab CASCADE');
	await until(() => workerPid(fresh) === 0, 'its end');
	cluster.sql('DROP DATABASE fresh');
});

test('without the role nobody can start it, and the error says what to do', () =>
{
	cluster.sql(`LOAD 'collab'; ALTER SYSTEM SET collab.worker_role = 'no_such_role'`);
	cluster.sql('SELECT pg_reload_conf()');
	assert.throws(() => db.sql(`LOAD 'collab'; SELECT pg_sleep(0.2); SELECT collab.start_workers()`), /42704: role "no_such_role" does not exist[^]*roles\.sql/);
});

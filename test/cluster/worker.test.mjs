/* The worker of a database where the library is preloaded: what it writes, and how it comes and goes. */
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Database, projectDir, startCluster } from '../lib/cluster.mjs';
import { sleep, until } from './listen.mjs';
import { cure, found, gone, newestSnapshot, poison, snapshotAt, type, worker, workerPid } from './worker.mjs';

let cluster;
let db;

before(async () =>
{
	cluster = await startCluster({ preload: true, settings: { max_worker_processes: 16, max_prepared_transactions: 5 } });
	db = cluster.createDatabase('one');
});

after(() => cluster?.destroy());

function setting(name, value)
{
	cluster.sql(value === null ? `ALTER SYSTEM RESET ${name}` : `ALTER SYSTEM SET ${name} = '${value}'`);
	cluster.sql('SELECT pg_reload_conf()');
}

test('the first edit brings a worker, with the role made for it', async () =>
{
	db.sql(`SELECT collab.create_document('first', 'a walrus')`);
	const pid = await worker(db);
	assert.equal(db.sql(`SELECT usename FROM pg_stat_activity WHERE pid = ${pid}`), 'collab_worker');
	assert.equal(db.sql('SELECT pid FROM collab.stat_worker'), String(pid));
});

test('a word is found soon after it was typed, and no longer once it was deleted', async () =>
{
	await found(db, 'first', 'walrus');
	db.sql(`SELECT collab.insert_text('first', 8, ' and a carpenter')`);
	const start = performance.now();
	await found(db, 'first', 'carpenter');
	console.log(`# found after ${(performance.now() - start).toFixed(0)} ms`);
	db.sql(`SELECT collab.replace_text('first', 'walrus', 'oyster')`);
	await found(db, 'first', 'oyster');
	assert.equal(db.sql(`SELECT count(*) FROM collab.search(to_tsquery('simple', 'walrus'))`), '0');
	assert.equal(db.sql(`SELECT body = collab.text('first') FROM collab.live_texts`), 't');
	db.sql(`SELECT collab.drop_document('first')`);
	assert.equal(db.sql(`SELECT count(*) FROM collab.live_texts`), '0');
});

test('the query of the README finds what was typed a second ago', async () =>
{
	const [, query] = /```sql\n(SELECT [^`]*collab\.search[^`]*)```/.exec(readFileSync(join(projectDir, 'README.md'), 'utf8'));
	db.sql(`SELECT collab.create_document('readme', 'Hello world')`);
	await until(() => db.sql(query) === 'readme|1', query, 30000);
});

test('the search goes through the index', () =>
{
	assert.match(db.sql(`SET enable_seqscan = off; EXPLAIN SELECT 1 FROM collab.live_texts WHERE words @@ to_tsquery('simple', 'x')`), /live_texts_words/);
});

test('snapshots are written behind the edits, and few old ones are kept', async () =>
{
	db.sql(`SELECT collab.create_document('typed', 'start')`);
	type(db, 'typed', 99);
	await snapshotAt(db, 'typed', 100);
	for (let version = 200; version <= 500; version += 100)
	{
		type(db, 'typed', 100);
		await snapshotAt(db, 'typed', version);
	}
	assert.equal(db.sql(`SELECT count(*) FROM collab.snapshots WHERE doc = (SELECT key FROM collab.documents WHERE doc_id = 'typed')`), '1');
	assert.equal(db.sql(`SELECT s.content OPERATOR(collab.=) collab.document('typed', s.version) AND s.length = collab.delta_length(s.content) FROM collab.snapshots s`), 't');
});

test('a document that nobody looked at for long is caught up in steps, with snapshots that bound every replay', async () =>
{
	setting('collab.worker', 'off');
	await until(() => workerPid(db) === 0, 'no worker');
	db.sql(`SELECT collab.create_document('long', 'start')`);
	type(db, 'long', 30000);
	assert.equal(workerPid(db), 0, 'switched off is switched off');
	setting('collab.worker', null);
	await snapshotAt(db, 'long', 30001, 60000);
	const versions = db.sql(`SELECT version FROM collab.snapshots WHERE doc = (SELECT key FROM collab.documents WHERE doc_id = 'long') ORDER BY version`).split('\n').map(Number);
	const steps = [0, ...versions].slice(0, -1).map((v, i) => versions[i] - v);
	/* half as many events as it has bytes */
	assert.ok(steps.every((step) => step <= 15100) && versions.length >= 2 && versions.length <= 3, `${versions}`);
});

const snapshots = (id) => db.sql(`SELECT string_agg(version::text, ',' ORDER BY version) FROM collab.snapshots WHERE doc = (SELECT key FROM collab.documents WHERE doc_id = '${id}')`);
const textIsCurrent = (id) => until(() => db.sql(`SELECT text_version = version FROM collab.stat_documents WHERE doc_id = '${id}'`) === 't', `the text of ${id}`, 30000);

test('a large document has a snapshot when its events cost twice its size, and not every hundred of them', async () =>
{
	db.sql(`SELECT collab.create_document('heavy', repeat('0123456789', 6000))`);
	for (let i = 0; i < 3; i++)
	{
		type(db, 'heavy', 100);
		/* snapshots are looked at right after texts */
		await textIsCurrent('heavy');
		await sleep(50);
		assert.equal(snapshots('heavy'), '', `after ${i + 1} hundred`);
	}
	type(db, 'heavy', 200);
	await snapshotAt(db, 'heavy', 501);
	type(db, 'heavy', 300);
	await textIsCurrent('heavy');
	await sleep(50);
	assert.equal(snapshots('heavy'), '501');
});

test('large edits have a snapshot even if they are few', async () =>
{
	db.sql(`SELECT collab.create_document('pasted', repeat('x', 900000))`);
	db.sql(`SELECT collab.delete_text('pasted', 0, 899990)`);
	db.sql(`SELECT collab.insert_text('pasted', 0, repeat('y', 200000))`);
	await snapshotAt(db, 'pasted', 3);
});

test('more documents than are noted one by one are looked at, all of them', async () =>
{
	/* each transaction is small enough to name its documents, together they are too many */
	const pid = await worker(db);
	process.kill(pid, 'SIGSTOP');
	try
	{
		for (let part = 0; part < 4; part++)
			db.sql(`SELECT count(collab.create_document('many-' || i, 'marmot ' || i)) FROM generate_series(${part * 1000 + 1}, ${part * 1000 + 1000}) i`);
	}
	finally
	{
		process.kill(pid, 'SIGCONT');
	}
	await until(() => db.sql(`SELECT count(*) FROM collab.search(to_tsquery('simple', 'marmot'), 5000)`) === '4000', '4000 texts', 60000);
	db.sql(`SELECT count(collab.drop_document('many-' || i)) FROM generate_series(1, 4000) i`);
	assert.equal(db.sql(`SELECT count(*) FROM collab.search(to_tsquery('simple', 'marmot'), 5000)`), '0');
});

test('what a database\'s users have as their defaults does not stop it', async () =>
{
	const two = cluster.createDatabase('defaults');
	two.sql(`ALTER DATABASE defaults SET default_transaction_read_only = on; ALTER DATABASE defaults SET default_transaction_isolation = serializable;
		ALTER DATABASE defaults SET lock_timeout = 1; ALTER DATABASE defaults SET search_path = nowhere`);
	two.sql(`SET default_transaction_read_only = off; SELECT collab.create_document('here', 'a tapir')`);
	await found(two, 'here', 'tapir');
	cluster.sql('DROP DATABASE defaults');
});

test('a setting that means nothing is said once, and harms nobody', async () =>
{
	setting('collab.live_text_config', 'no_such_config');
	await until(() => db.sql('SHOW collab.live_text_config') === 'no_such_config', 'the setting');
	const pid = await worker(db);
	db.sql(`SELECT collab.create_document('waiting', 'a vicuna')`);
	type(db, 'waiting', 150);
	await snapshotAt(db, 'waiting', 151);
	assert.equal(workerPid(db), pid);
	setting('collab.live_text_config', null);
	await found(db, 'waiting', 'vicuna');
	assert.equal(db.sql('SELECT count(*) FROM collab.quarantine_list'), '0');
	assert.equal(cluster.logTail(1e6).match(/collab keeps no live texts: text search configuration "no_such_config" does not exist/g).length, 1);
});

test('a text too large for a tsvector is found by the words of its beginning', async () =>
{
	db.sql(`SELECT collab.create_document('large', 'platypus ' || (SELECT string_agg(md5(i::text), ' ') FROM generate_series(1, 60000) i))`);
	await found(db, 'large', 'platypus');
	assert.equal(db.sql(`SELECT body = collab.text('large') FROM collab.live_texts t JOIN collab.documents d ON d.key = t.doc WHERE doc_id = 'large'`), 't');
});

test('live texts can be switched off', async () =>
{
	setting('collab.live_text', 'off');
	await until(() => db.sql('SHOW collab.live_text') === 'off', 'the setting');
	db.sql(`SELECT collab.create_document('unsearched', 'aardvark')`);
	type(db, 'unsearched', 150);
	await snapshotAt(db, 'unsearched', 100);
	assert.equal(db.sql(`SELECT count(*) FROM collab.search(to_tsquery('simple', 'aardvark'))`), '0');
	setting('collab.live_text', null);
	await until(() => db.sql(`SELECT count(*) FROM collab.live_texts t JOIN collab.documents d ON d.key = t.doc WHERE doc_id = 'unsearched'`) === '1', 'its text, once it is on again', 30000);
});

test('a worker that was terminated or hit an error comes back', async () =>
{
	const pid = await worker(db);
	db.sql(`SELECT pg_terminate_backend(${pid})`);
	await gone(db, pid);
	db.sql(`SELECT collab.create_document('after', 'an ibis')`);
	await found(db, 'after', 'ibis');
	assert.notEqual(workerPid(db), pid);
});

test('a document that makes it fail is left out after three times, and the others are served', async () =>
{
	db.sql(`SELECT collab.create_document('sick', 'hello'), collab.create_document('well', 'hello')`);
	type(db, 'sick', 20);
	await found(db, 'well', 'hello');
	const op = poison(db, 'sick', 10);
	/* the worker may have the content in its memory */
	db.sql(`SELECT pg_terminate_backend(${await worker(db)})`);
	type(db, 'sick', 5);
	db.sql(`SELECT collab.insert_text('well', 0, 'quokka ')`);
	await found(db, 'well', 'quokka');
	const listed = await until(() => db.sql(`SELECT failures, quarantined, sqlstate, message FROM collab.quarantine_list WHERE doc_id = 'sick' AND duty = 'text' AND failures >= 3`), 'the quarantine', 60000);
	assert.match(listed, /^3\|t\|XX001\|event 10 of document "sick" is corrupt/);
	const pid = await worker(db);
	type(db, 'sick', 5);
	db.sql(`SELECT collab.insert_text('well', 0, 'wombat ')`);
	await found(db, 'well', 'wombat');
	assert.equal(workerPid(db), pid, 'it does not fail any more');
	assert.match(cluster.logTail(1e6), /collab worker of database "one", duty "text", document "sick"/);
	assert.match(db.sql('SELECT last_error FROM collab.stat_worker'), /event 10 of document "sick"/);

	/* released, it fails again; cured and released, it does not */
	cure(db, 'sick', 10, op);
	assert.equal(db.sql(`SELECT collab.release_document('sick') >= 1`), 't');
	await until(() => db.sql(`SELECT version FROM collab.live_texts t JOIN collab.documents d ON d.key = t.doc WHERE doc_id = 'sick'`) === '31', 'its text', 30000);
	assert.equal(db.sql('SELECT count(*) FROM collab.quarantine_list'), '0');
});

test('a failure that is followed by a success counts no more', async () =>
{
	db.sql(`SELECT collab.create_document('faint', 'hello')`);
	type(db, 'faint', 20);
	const op = poison(db, 'faint', 10);
	db.sql(`SELECT pg_terminate_backend(${await worker(db)})`);
	type(db, 'faint', 1);
	await until(() => db.sql(`SELECT 1 FROM collab.quarantine_list WHERE doc_id = 'faint'`), 'a failure', 30000);
	cure(db, 'faint', 10, op);
	await until(() => db.sql(`SELECT count(*) FROM collab.quarantine_list`) === '0', 'no failure', 30000);
});

/* Kills the worker, and with it all sessions, while it is in the middle of a document: it waits for the table. */
async function killAt(id)
{
	const pid = await worker(db);
	const blocker = db.session();
	await blocker.query('BEGIN');
	await blocker.query('LOCK TABLE collab.live_texts IN SHARE MODE');
	db.sql(`SELECT collab.insert_text('${id}', 0, 'kiwi ')`);
	await until(() => db.sql(`SELECT wait_event_type FROM pg_stat_activity WHERE pid = ${pid}`) === 'Lock', 'a worker that is stuck');
	process.kill(pid, 'SIGKILL');
	await sleep(300);
	await until(() => { try { return db.sql('SELECT 1'); } catch { return false; } }, 'the server', 30000);
	await blocker.close().catch(() => {});
}

test('a failure that is nobody\'s fault does not count, and keeps no other document waiting', async () =>
{
	const ids = ['q1', 'q2', 'q3', 'q4'];
	/* documents are looked at in the order of their keys */
	const first = db.sql(`SELECT id FROM unnest('{${ids}}'::text[]) id ORDER BY collab.document_key(id) LIMIT 1`);
	db.sql(`CREATE FUNCTION public.full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = '53100'; END $$;
		CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON collab.live_texts FOR EACH ROW
		WHEN (NEW.doc = ${db.sql(`SELECT collab.document_key('${first}')`)}) EXECUTE FUNCTION public.full_disk()`);
	for (const id of ids)
		db.sql(`SELECT collab.create_document('${id}', 'walnut')`);
	await until(() => db.sql(`SELECT failures, quarantined, sqlstate FROM collab.quarantine_list WHERE doc_id = '${first}'`) === '0|f|53100', 'the failure', 30000);
	/* the next worker looks at all of them, at this one first */
	db.sql(`DELETE FROM collab.live_texts`);
	db.sql(`SELECT pg_terminate_backend(${await worker(db)})`);
	for (const id of ids.filter((i) => i !== first))
	{
		db.sql(`SELECT collab.insert_text('${first}', 0, 'x ')`);
		await found(db, id, 'walnut', 20000);
	}
	db.sql(`DROP TRIGGER full_disk ON collab.live_texts; DROP FUNCTION public.full_disk()`);
	await until(() => db.sql(`SELECT count(*) FROM collab.quarantine_list`) === '0', 'no failure', 60000);
	await found(db, first, 'walnut');
	for (const id of ids)
		db.sql(`SELECT collab.drop_document('${id}')`);
});

test('a worker that is killed in the middle of a document is no reason to give that document up at once', async () =>
{
	db.sql(`SELECT collab.create_document('held', 'hello')`);
	await found(db, 'held', 'hello');
	await killAt('held');
	await found(db, 'held', 'kiwi', 60000);
	assert.match(cluster.logTail(1e6), /background worker "collab worker" \(PID \d+\) was terminated by signal 9/);
	/* it was noted, and forgotten with the success */
	assert.equal(db.sql('SELECT count(*) FROM collab.quarantine_list'), '0');
});

test('a document at which the worker is killed again and again is left out, so that the server can live', async () =>
{
	setting('collab.quarantine_after', 1);
	await until(() => db.sql('SHOW collab.quarantine_after') === '1', 'the setting');
	await killAt('held');
	assert.match(await until(() => db.sql(`SELECT failures, quarantined, duty, sqlstate FROM collab.quarantine_list WHERE doc_id = 'held'`), 'the quarantine', 30000), /^1\|t\|text\|57P02$/);
	setting('collab.quarantine_after', null);
	db.sql(`SELECT collab.release_document('held')`);
	await until(() => db.sql(`SELECT body = collab.text('held') FROM collab.live_texts t JOIN collab.documents d ON d.key = t.doc WHERE doc_id = 'held'`) === 't', 'its text', 30000);
});

test('a broken snapshot is never served, is reported, and is made anew', async () =>
{
	db.sql(`SELECT collab.create_document('flipped', 'start')`);
	type(db, 'flipped', 299);
	await snapshotAt(db, 'flipped', 300);
	const good = db.sql(`SELECT collab.text('flipped')`);
	for (const broken of ['content = \'{"ops":[{"insert":"forged"}]}\'', 'length = length + 1', 'event = event + 1', "created_at = created_at - interval '1 second'", 'checksum = checksum + 1'])
	{
		const session = db.session();
		db.sql(`UPDATE collab.snapshots SET ${broken} WHERE doc = (SELECT key FROM collab.documents WHERE doc_id = 'flipped')`);
		assert.match(await session.query(`SELECT collab.text('flipped') = '${good}'`), /WARNING:  snapshot of version 300 .* is broken[^]*\nt$/);
		await session.close();
		await until(() => db.sql(`SELECT part FROM collab.verify('flipped') WHERE part LIKE 'snapshot%'`) === '', `a good snapshot instead of ${broken}`, 30000);
		assert.equal(newestSnapshot(db, 'flipped'), 300);
	}
	assert.match(cluster.logTail(1e6), /collab worker rebuilt the snapshot of version 300 of document "flipped"/);
});

test('after a restart of the server the worker finds what was left undone', async () =>
{
	setting('collab.worker', 'off');
	await until(() => workerPid(db) === 0, 'no worker');
	db.sql(`SELECT collab.create_document('undone', 'a narwhal')`);
	type(db, 'undone', 150);
	cluster.sql('ALTER SYSTEM RESET collab.worker');
	await cluster.restart('immediate');
	await found(db, 'undone', 'narwhal');
	await snapshotAt(db, 'undone', 151);
});

test('an unlogged table of live texts is filled again after a crash', async () =>
{
	db.sql('ALTER TABLE collab.live_texts SET UNLOGGED');
	await found(db, 'undone', 'narwhal');
	await cluster.crash();
	await cluster.start();
	await found(db, 'undone', 'narwhal');
	db.sql('ALTER TABLE collab.live_texts SET LOGGED');
});

test('edits of a prepared transaction are found by the next look at all documents', async () =>
{
	db.sql(`SELECT collab.create_document('prepared')`);
	db.sql(`BEGIN; SELECT collab.insert_text('prepared', 0, 'a gecko'); PREPARE TRANSACTION 'p'`);
	db.sql(`COMMIT PREPARED 'p'`);
	db.sql(`SELECT pg_terminate_backend(${await worker(db)})`);
	db.sql(`SELECT collab.create_document('other', 'x')`);
	await found(db, 'prepared', 'gecko');
});

test('DROP DATABASE and its kin find the worker gone, and it comes back where the database stays', async () =>
{
	const two = cluster.createDatabase('leaving');
	two.sql(`SELECT collab.create_document('here', 'x')`);
	await worker(two);
	cluster.sql('ALTER DATABASE leaving RENAME TO left_over');
	two.name = 'left_over';
	await worker(two);
	cluster.sql('CREATE DATABASE copied TEMPLATE left_over');
	cluster.sql('DROP DATABASE left_over');
	cluster.sql('DROP DATABASE copied');
	assert.equal(cluster.sql(`SELECT count(*) FROM pg_database WHERE datname IN ('left_over', 'copied')`), '0');
});

test('DROP EXTENSION sends the worker away, CREATE EXTENSION and an edit bring it back', async () =>
{
	const two = cluster.createDatabase('extension');
	two.sql(`SELECT collab.create_document('here', 'x')`);
	const pid = await worker(two);
	two.sql('BEGIN; DROP EXTENSION collab; ROLLBACK');
	await sleep(100);
	assert.equal(workerPid(two), pid, 'a drop that was rolled back changes nothing');
	two.sql('DROP EXTENSION collab CASCADE');
	await until(() => workerPid(two) === 0, 'its end');
	two.sql('CREATE EXTENSION collab');
	two.sql(`SELECT collab.create_document('here', 'a lemur')`);
	await found(two, 'here', 'lemur');
});

test('ALTER EXTENSION UPDATE works while it runs, and it takes up its duties then', async () =>
{
	cluster.sql('CREATE DATABASE updated');
	const two = new Database(cluster, 'updated');
	two.sql(`CREATE EXTENSION collab VERSION '0.1.0'`);
	two.sql(`SELECT collab.create_document('here', 'a capybara')`);
	type(two, 'here', 150);
	const pid = await worker(two);
	two.sql('ALTER EXTENSION collab UPDATE');
	await found(two, 'here', 'capybara');
	await snapshotAt(two, 'here', 151);
	assert.equal(workerPid(two), pid, 'the same worker');
});

test('a database without the extension has no worker after the start of the server', async () =>
{
	cluster.sql('CREATE DATABASE plain');
	await cluster.restart();
	await worker(db);
	await until(() => cluster.sql(`SELECT count(*) FROM pg_stat_activity WHERE datname = 'plain'`) === '0', 'nobody in it');
	cluster.sql('DROP DATABASE plain');
});

test('a worker with nothing to do gives its place back, and the next edit is served by another', async () =>
{
	setting('collab.worker_idle_timeout', '1s');
	await until(() => workerPid(db) === 0, 'its end', 30000);
	db.sql(`SELECT collab.create_document('woken', 'an axolotl')`);
	await found(db, 'woken', 'axolotl');
	await until(() => workerPid(db) === 0, 'its end', 30000);
	setting('collab.worker_idle_timeout', null);
});

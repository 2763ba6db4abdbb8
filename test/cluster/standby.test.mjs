/* A hot standby reads, refuses to write with a clear error, runs no notifier, and becomes a primary with one. */
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { appendFileSync, chmodSync } from 'node:fs';
import { join } from 'node:path';
import { Database, startCluster, startStandby } from '../lib/cluster.mjs';
import { Listener, hexKey, until, wakeNotifier } from './listen.mjs';

let primary;
let standby;
let db;
let copy;

before(async () =>
{
	primary = await startCluster({ preload: true, settings: { max_wal_senders: 3, wal_level: 'replica' } });
	db = primary.createDatabase('one');
	db.sql(`SELECT collab.create_document('doc', 'abc')`);

	standby = await startStandby(primary);
	copy = new Database(standby, 'one');
});

after(async () =>
{
	await standby?.destroy();
	await primary?.destroy();
});

test('a standby shows what the primary committed', async () =>
{
	db.sql(`SELECT collab.insert_text('doc', 3, 'd')`);
	await until(() => copy.sql(`SELECT collab.text('doc')`) === 'abcd', 'the edit');
	assert.equal(copy.sql(`SELECT kind, version FROM collab.open_document('doc', 'alice', 1, NULL, NULL, 0, 10)`), 'snapshot|2');
});

test('comments are read there, with their ranges', async () =>
{
	db.sql(`SELECT collab.create_document('said', 'some text'), collab.add_comment('said', 5, 9, 'text')`);
	db.sql(`SELECT collab.insert_text('said', 0, 'here is ')`);
	await until(() => copy.sql(`SELECT count(*) FROM collab.documents WHERE doc_id = 'said'`) === '1' && copy.sql(`SELECT collab.text('said')`) === 'here is some text', 'the edit');
	assert.equal(copy.sql(`SELECT body, "from", "to", quote, state FROM collab.comments('said')`), 'text|13|17|text|anchored');
});

/* What the functions that read history say about everything there is, in words that no setting changes. */
const HISTORY = `
	SELECT v, collab.document(d.doc_id, v), collab.text(d.doc_id, v) FROM collab.documents d,
		LATERAL generate_series(d.first_version, (SELECT coalesce(max(version), 0) FROM collab.events e WHERE e.doc = d.key)) v ORDER BY d.doc_id, v;
	SELECT d.doc_id, e.* FROM collab.documents d, LATERAL collab.events_since(d.doc_id, d.first_version) e ORDER BY 1, 2;
	SELECT d.doc_id, e.version, collab.document_at(d.doc_id, e.created_at) FROM collab.documents d, LATERAL collab.events_since(d.doc_id, d.first_version) e ORDER BY 1, 2;
	SELECT d.doc_id, h.* FROM collab.documents d, LATERAL collab.history(d.doc_id) h ORDER BY 1, 2;
	SELECT d.doc_id, b.* FROM collab.documents d, LATERAL collab.blame(d.doc_id) b ORDER BY 1, 2;
	SELECT collab.diff('history', 20, 200), collab.diff('history', 200, 20);
	SELECT * FROM collab.comments('history') ORDER BY 1;
	SELECT * FROM collab.comments('history', 150) ORDER BY 1;
	SELECT * FROM collab.search('here');
	SELECT * FROM collab.open_document('history', 'bob', 1, 10, (SELECT event FROM collab.events_since('history', 9, 1)), 0, 1000) ORDER BY version;
	SELECT * FROM collab.fetch_events(ARRAY[collab.document_key('history')], ARRAY[3]::bigint[], 100) ORDER BY version;
	SELECT * FROM collab.verify_all()`;

test('history is read on a standby as on the primary: rows, chunks, what was deleted', async () =>
{
	db.sql(`SET collab.user_id = 'alice';
		SELECT collab.create_document('history', 'begins here '), collab.create_document('pruned', 'x');
		SELECT count(collab.insert_text('history', i % 9, 'h' || i)), count(collab.insert_text('pruned', i % 9, 'p' || i)) FROM generate_series(1, 250) i;
		SELECT collab.add_comment('history', 3, 9, 'about this', 100);
		SELECT collab.undo('history'), collab.redo('history'), collab.fold('history', 120), collab.fold('history', 200);
		UPDATE collab.events SET created_at = created_at - interval '100 days', checksum = NULL WHERE doc = collab.document_key('pruned') AND version < 150;
		UPDATE collab.documents SET created_at = created_at - interval '101 days' WHERE doc_id = 'pruned';
		DELETE FROM collab.snapshots WHERE doc = collab.document_key('pruned')`);
	db.sql(`SELECT collab.set_retention('pruned', NULL, '50 days')`);
	db.sql(`SELECT collab.prune('pruned')`);
	await until(() => db.sql(`SELECT count(*) FROM collab.live_texts t WHERE t.version = (SELECT max(version) FROM collab.events e WHERE e.doc = t.doc)`) === '4', 'the worker');
	const expected = db.sql(HISTORY);
	assert.ok(expected.length > 100000);
	await until(() => copy.sql(HISTORY) === expected, 'the same on the standby');
	assert.throws(() => copy.sql(`SELECT collab.document('pruned', 3)`), /OT002/);
	for (const view of ['document_list', 'event_list', 'quarantine_list', 'stat_worker', 'stat_database', 'stat_documents'])
		if (db.sql(`SELECT to_regclass('collab.${view}') IS NOT NULL`) === 't')
			copy.sql(`SELECT count(*) FROM collab.${view}`);
});

test('what lies in the cold store is asked for on the primary', async () =>
{
	db.sql(`BEGIN; WITH gone AS (DELETE FROM collab.chunks WHERE doc = collab.document_key('history') AND first_version = 1 RETURNING *)
		INSERT INTO collab.archives SELECT doc, first_version, last_version, created_first, created_last, events, 1000, 'v1/no/where', sha256(''), now() FROM gone; COMMIT`);
	await until(() => copy.sql('SELECT count(*) FROM collab.archives') === '1', 'the segment');
	const started = Date.now();
	assert.throws(() => copy.sql(`SELECT collab.document('history', 3)`), /ERROR: .*primary/s);
	assert.ok(Date.now() - started < 2000, 'at once');
	assert.match(copy.sql(`SELECT collab.text('history')`), /here/);
	assert.match(copy.sql(`SELECT part, version, problem FROM collab.verify('history')`), /^archives\|1\|.*primary/m);
	assert.equal(copy.sql(`SELECT DISTINCT part, version FROM collab.verify('history')`), 'archives|1');
	db.sql(`SELECT collab.drop_document('history')`);
});

test('every function that writes says that it cannot', () =>
{
	const id = `'00000000-0000-0000-0000-000000000000'`;
	for (const call of [`add_comment('doc', 0, 1, 'x')`, `reply(${id}, 'x')`, `edit_comment(${id}, 'x')`, `resolve_comment(${id})`, `reopen_comment(${id})`, `delete_comment(${id})`])
		assert.throws(() => copy.sql(`SELECT collab.${call}`), /25006.*cannot execute collab\.[a-z_]+\(\) in a read-only transaction/, call);
	for (const call of [`submit('doc', '[]')`, `create_document('x')`, `drop_document('doc')`, `insert_text('doc', 0, 'x')`, `delete_text('doc', 0, 1)`,
		`replace_text('doc', 'a', 'b')`, `submit_batch('{doc}', '{alice}', '{1}', '{1}', '{0}', '{NULL}', '{1}', '{[]}')`,
		`undo('doc')`, `redo('doc')`, `restore('doc', 1)`, `fold('doc')`, `prune('doc')`, `set_retention('doc', NULL, NULL)`,
		`add_comment('doc', 0, 1, 'x')`, `reply('00000000-0000-0000-0000-000000000000', 'x')`, `edit_comment('00000000-0000-0000-0000-000000000000', 'x')`,
		`resolve_comment('00000000-0000-0000-0000-000000000000')`, `reopen_comment('00000000-0000-0000-0000-000000000000')`,
		`delete_comment('00000000-0000-0000-0000-000000000000')`, `release_document('doc')`])
		assert.throws(() => copy.sql(`SELECT collab.${call}`), /25006.*cannot execute collab\.[a-z_]+\(\) in a read-only transaction/, call);
});

test('there is no worker', () =>
{
	assert.equal(copy.sql(`SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'collab%'`), '0');
	assert.throws(() => copy.sql('SELECT collab.start_workers()'), /25006: a standby has no workers/);
});

test('promoted, it writes and notifies', async () =>
{
	const key = db.sql('SELECT collab.bus_key()');
	assert.throws(() => copy.sql('SELECT collab.bus_key()'), /25006.*cannot execute collab\.bus_key\(\) during recovery/);
	await primary.stop('immediate');
	standby.sql('SELECT pg_promote()');
	assert.notEqual(copy.sql('SELECT collab.bus_key()'), key, 'who talks to the former primary is not believed');
	assert.equal(copy.sql(`SELECT collab.insert_text('doc', 4, 'e')`), '3');
	await wakeNotifier(copy);
	const listener = await Listener.open(copy);
	copy.sql(`SELECT collab.insert_text('doc', 5, 'f')`);
	await listener.expect(`${hexKey(copy, 'doc')}:4`);
	await listener.close();
	/* and its worker takes over */
	copy.sql(`SELECT collab.insert_text('doc', 6, ' osprey')`);
	await until(() => copy.sql(`SELECT doc_id FROM collab.search('osprey')`) === 'doc', 'the live text', 30000);
});

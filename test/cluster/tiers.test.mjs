/* The worker folds and prunes beside the edits, and whoever reads cannot tell; standbys read chunks, too. */
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startCluster } from '../lib/cluster.mjs';
import { until } from './listen.mjs';

let cluster;
let db;

before(async () =>
{
	cluster = await startCluster({ preload: true, settings: { max_worker_processes: 12, 'collab.fold_after': '1s', 'collab.quarantine_after': 1 } });
	db = cluster.createDatabase('one');
});

after(() => cluster?.destroy());

const count = (table, doc) => Number(db.sql(`SELECT count(*) FROM collab.${table} WHERE doc = collab.document_key('${doc}')`));

/* Everything that readers see of a document, as one hash. */
const seen = (doc, database = db) => database.sql(`
	SELECT md5(string_agg(t, '|' ORDER BY n)) FROM (
		SELECT 1 AS n, md5(string_agg(e::text, '|' ORDER BY e.version)) AS t FROM collab.events_since('${doc}', 0) e
		UNION ALL SELECT 2, md5(string_agg(collab.document('${doc}', v)::text, '|' ORDER BY v)) FROM generate_series(0, (SELECT max(version) FROM collab.events_since('${doc}', 0)), 37) v
		UNION ALL SELECT 3, collab.document('${doc}')::text) s`);

const type = (doc, edits) => db.sql(`SELECT count(collab.insert_text('${doc}', 0, chr(97 + n % 26))) FROM generate_series(1, ${edits}) n`);

test('what has become old is folded, but not the newest event; everything reads as before', async () =>
{
	db.sql(`SELECT collab.create_document('old')`);
	type('old', 3000);
	const before = seen('old');
	await until(() => count('events', 'old') === 1, 'one row', 20000);
	assert.ok(count('chunks', 'old') >= 1);
	assert.equal(seen('old'), before);
	type('old', 50);
	await until(() => count('events', 'old') === 1, 'one row', 20000);
	assert.equal(db.sql(`SELECT sum(events) FROM collab.chunks WHERE doc = collab.document_key('old')`), '3049');
	assert.equal(db.sql(`SELECT collab.delta_length(collab.document('old'))`), '3050');
});

test('a few events stay rows, and a document of its own retention is folded by that', async () =>
{
	db.sql(`SELECT collab.create_document('few'), collab.create_document('later'), collab.create_document('marker')`);
	db.sql(`SELECT collab.set_retention('later', '1 day', NULL)`);
	type('few', 20);
	type('later', 500);
	type('marker', 500);
	await until(() => count('events', 'marker') === 1, 'the marker is folded', 20000);
	assert.equal(count('events', 'few'), 20);
	assert.equal(count('events', 'later'), 500);
});

test('history is deleted when its time has come', async () =>
{
	db.sql(`SELECT collab.create_document('short')`);
	type('short', 2000);
	const text = db.sql(`SELECT collab.text('short')`);
	db.sql(`SELECT collab.set_retention('short', NULL, '2s')`);
	await until(() => Number(db.sql(`SELECT first_version FROM collab.documents WHERE doc_id = 'short'`)) > 0, 'something is deleted', 20000);
	assert.equal(db.sql(`SELECT collab.text('short')`), text);
	assert.throws(() => db.sql(`SELECT collab.document('short', 1)`), /OT002/);
});

test('a document that is damaged is left out, and the others are folded', async () =>
{
	db.sql(`SELECT collab.create_document('damaged'), collab.create_document('whole')`);
	db.sql(`SELECT collab.set_retention('damaged', '1 day', NULL)`);
	type('damaged', 500);
	/* what else the worker makes of it is made */
	await until(() => Number(db.sql(`SELECT max(version) FROM collab.snapshots WHERE doc = collab.document_key('damaged')`)) === 500
		&& Number(db.sql(`SELECT version FROM collab.live_texts WHERE doc = collab.document_key('damaged')`)) === 500, 'snapshot and text', 20000);
	db.sql(`DELETE FROM collab.events WHERE doc = collab.document_key('damaged') AND version = 100`);
	db.sql(`SELECT collab.set_retention('damaged', '0', NULL)`);
	await until(() => count('quarantine', 'damaged') === 1, 'it is in quarantine', 30000);
	assert.match(db.sql(`SELECT duty, message FROM collab.quarantine WHERE doc = collab.document_key('damaged')`), /^fold\|event 100 of document "damaged" is missing$/);
	type('whole', 500);
	await until(() => count('events', 'whole') === 1, 'another is folded', 30000);
	assert.equal(count('events', 'damaged'), 499);
});

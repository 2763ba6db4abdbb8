-- Reading documents: any version, any time, the events; and what proxies ask for.

SET search_path = public, collab;

SELECT collab.create_document('reading');
SELECT collab.document('reading'), collab.text('reading') = '' AS empty;
SELECT collab.submit('reading', '[{"insert":"Hello"}]');
SELECT collab.submit('reading', '[{"retain":5},{"insert":" World","attributes":{"bold":true}}]');
SELECT collab.submit('reading', '[{"delete":1},{"insert":"J"}]');
SELECT collab.submit('reading', '[{"retain":11},{"insert":{"image":"x"}},{"insert":"😀"}]');

SELECT collab.document('reading');
SELECT v, collab.document('reading', v), collab.text('reading', v) FROM generate_series(0, 4) v;
SELECT collab.text('reading');
SELECT collab.document(NULL) IS NULL AS doc, collab.document('reading', NULL) IS NULL AS version, collab.text(NULL) IS NULL AS text;

-- refused
SELECT collab.document('reading', 5);
SELECT collab.document('reading', -1);
SELECT collab.text('reading', 9223372036854775807);
SELECT collab.document('no-such-document');
SELECT collab.document('not a document id');
SELECT collab.document('');
SELECT collab.text(repeat('x', 1000));
\set VERBOSITY sqlstate
SELECT collab.document('reading', 5);
SELECT collab.document('reading', -1);
SELECT collab.document('no-such-document');
\set VERBOSITY default

-- document_at: the last version that was there at that time
SELECT e.version, collab.document_at('reading', e.created_at) = collab.document('reading', (SELECT max(f.version) FROM collab.events_since('reading', 0) f WHERE f.created_at <= e.created_at)) AS right
FROM collab.events_since('reading', 0) e ORDER BY 1;
SELECT collab.document_at('reading', 'infinity') = collab.document('reading') AS head;
SELECT collab.document_at('reading', now() + interval '1 hour') = collab.document('reading') AS head;
\set VERBOSITY sqlstate
SELECT collab.document_at('reading', '2000-01-01');
SELECT collab.document_at('reading', '-infinity');
SELECT collab.document_at('no-such-document', now());
\set VERBOSITY default
-- all of one transaction may share a time; a version is found all the same
BEGIN;
SELECT collab.create_document('reading-at', 'one');
SELECT collab.document_at('reading-at', clock_timestamp());
COMMIT;

-- events_since
SELECT version, site, clock, base_version, op, length, author = current_user AS mine, event <> 0 AS id, created_at <= clock_timestamp() AS past
FROM collab.events_since('reading', 0);
SELECT version, op FROM collab.events_since('reading', 2);
SELECT version FROM collab.events_since('reading', 1, 2);
SELECT version FROM collab.events_since('reading', 1, 0);
SELECT version FROM collab.events_since(doc_id => 'reading', version => 3, max_events => NULL);
SELECT count(*) FROM collab.events_since('reading', 4);
SELECT count(*) FROM collab.events_since(NULL, 0);
SELECT * FROM collab.events_since('reading', 5);
SELECT * FROM collab.events_since('reading', -1);
SELECT * FROM collab.events_since('reading', 0, -1);
SELECT * FROM collab.events_since('no-such-document', 0);

-- the events composed are the document
SELECT collab.compose(op ORDER BY version) = collab.document('reading') AS same FROM collab.events_since('reading', 0);
SELECT bool_and(e.length = collab.delta_length(collab.document('reading', e.version))) AS lengths FROM collab.events_since('reading', 0) e;

-- one's own uncommitted edits are seen by the next statement, and gone after a rollback
BEGIN;
SELECT collab.submit('reading', '[{"insert":"uncommitted "}]');
SELECT collab.text('reading');
SAVEPOINT s;
SELECT collab.submit('reading', '[{"insert":"more "}]');
SELECT collab.text('reading');
ROLLBACK TO s;
SELECT collab.text('reading');
ROLLBACK;
SELECT collab.text('reading');

-- a statement sees what was there when it began
SELECT collab.text('reading') AS before, collab.submit('reading', '[{"delete":1},{"insert":"H"}]') AS version, collab.text('reading') AS still_before;
SELECT collab.text('reading');

-- parallel workers read the same
SELECT collab.create_document('reading-' || n, 'content ' || n) FROM generate_series(1, 20) n;
CREATE TABLE reading_ids AS SELECT 'reading-' || n AS id FROM generate_series(1, 20) n;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
ALTER TABLE reading_ids SET (parallel_workers = 2);
EXPLAIN (COSTS OFF) SELECT string_agg(collab.text(id), ',') FROM reading_ids WHERE collab.text(id) LIKE '%1%';
SELECT count(*), min(collab.text(id)) FROM reading_ids WHERE collab.text(id) LIKE '%1%';
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;
DROP TABLE reading_ids;
SELECT bool_and(collab.drop_document('reading-' || n)) AS dropped FROM generate_series(1, 20) n;

-- REPEATABLE READ reads its snapshot
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT collab.text('reading');
SELECT collab.submit('reading', '[{"insert":"mine "}]');
SELECT collab.text('reading');
ROLLBACK;

-- where events are missing nothing is better than something wrong
SELECT event AS event1 FROM collab.events_since('reading', 0, 1) \gset
BEGIN;
DELETE FROM collab.events WHERE doc = collab.document_key('reading') AND version < 3;
SELECT version FROM collab.events_since('reading', 2);
SAVEPOINT s;
SELECT collab.text('reading');
ROLLBACK TO s;
SELECT collab.document('reading', 2);
ROLLBACK TO s;
SELECT * FROM collab.events_since('reading', 1);
ROLLBACK TO s;

-- where history was deleted on purpose the answer says so
UPDATE collab.documents SET first_version = 2 WHERE doc_id = 'reading';
\set VERBOSITY sqlstate
SAVEPOINT s;
SELECT collab.text('reading');
ROLLBACK TO s;
SELECT collab.document('reading', 1);
ROLLBACK TO s;
SELECT * FROM collab.events_since('reading', 1);
ROLLBACK TO s;
SELECT * FROM collab.open_document('reading', 'alice', 1, 1, :event1, 0, 100);
\set VERBOSITY default
ROLLBACK;

-- an event that does not fit is named
BEGIN;
UPDATE collab.events SET op = '[{"retain":9},{"insert":"x"}]' WHERE doc = collab.document_key('reading') AND version = 2;
SELECT collab.text('reading', 1);
SAVEPOINT s;
SELECT collab.text('reading');
ROLLBACK TO s;
-- a row of version 0.1.0 has no checksum: then it is what cannot be done that tells
UPDATE collab.events SET checksum = NULL WHERE doc = collab.document_key('reading') AND version = 2;
SELECT collab.text('reading');
ROLLBACK;

-- the checksum covers every other column
CREATE FUNCTION reading_changed(assignment text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('UPDATE collab.events SET %s WHERE doc = collab.document_key(''reading'') AND version = 2', assignment);
	PERFORM collab.events_since('reading', 0);
	RAISE EXCEPTION 'not noticed';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT a, reading_changed(a) FROM unnest(ARRAY['site = site + 1', 'clock = clock + 1', 'base_version = base_version - 1', 'author = author + 1',
	'length = length + 1', $$created_at = created_at - interval '1 microsecond'$$, 'astral = NOT astral', $$op = '[{"insert":"x"}]'$$,
	'checksum = checksum # 1', 'site = site']) a;
DROP FUNCTION reading_changed(text);

SELECT collab.drop_document('reading'), collab.drop_document('reading-at');
SELECT collab.text('reading');

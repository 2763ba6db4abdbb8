-- What the worker writes, as far as SQL can show it without a worker at work: views, searching, refusals.
SET client_min_messages = warning;
SELECT collab.create_document('stat-a', 'the quick brown fox'), collab.create_document('stat-b'), collab.create_document('stat-c', repeat('lazy dog ', 50));
DO $$ BEGIN FOR i IN 1 .. 9 LOOP PERFORM collab.insert_text('stat-a', 0, 'x'); END LOOP; END $$;

SELECT doc_id, version, first_version, events_hot, bytes_hot > 0 AS bytes, events_chunked, bytes_chunked, events_archived, bytes_archived, last_error
FROM collab.stat_documents WHERE doc_id LIKE 'stat-%' ORDER BY doc_id;
SELECT database = current_database() AS here, documents >= 3 AS documents, events_hot >= 11 AS hot, bytes_hot > 0 AS bytes_hot, bytes_snapshots > 0 AS bytes_snapshots,
	quarantined, last_error FROM collab.stat_database;

-- only the worker writes live texts; test/cluster/worker.test.mjs finds some
SELECT doc_id, version, rank > 0 AS ranked, body FROM collab.search(to_tsquery('simple', 'nothing & like & this'));
SELECT * FROM collab.search(NULL);
SELECT * FROM collab.search(to_tsquery('simple', 'x'), -1);
SELECT count(*) FROM collab.search(to_tsquery('simple', 'x'), 0);

-- who may
CREATE ROLE stat_stranger;
SET ROLE stat_stranger;
SELECT * FROM collab.search(to_tsquery('simple', 'x'));
SELECT collab.start_workers();
SELECT collab.release_document('stat-a');
SELECT * FROM collab.stat_database;
SELECT * FROM collab.quarantine_list;
RESET ROLE;
DROP ROLE stat_stranger;

-- quarantine: a row that the worker would have made
INSERT INTO collab.quarantine VALUES (collab.document_key('stat-a'), 'text', 3, 'XX001', 'broken', now()), (collab.document_key('stat-a'), 'snapshot', 1, 'XX001', 'broken, too', now());
SELECT doc_id, duty, failures, quarantined, sqlstate, message FROM collab.quarantine_list ORDER BY duty;
SELECT quarantined FROM collab.stat_database;
SELECT collab.release_document('stat-a');
SELECT collab.release_document('stat-a');
SELECT collab.release_document('no-such-document');
SELECT count(*) FROM collab.quarantine_list;

-- settings
SET collab.live_text_config = 'pg_catalog.english';
SET collab.live_text_config = '';
SET collab.live_text_config = 'a..b';
SET collab.snapshot_interval = -1;
SET collab.worker_delay = '1s';

SELECT collab.drop_document('stat-a'), collab.drop_document('stat-b'), collab.drop_document('stat-c');

-- Retention: history that need not be kept is deleted, and everybody is told what is still there.

SET search_path = public, collab;

-- Ten days of edits, 20 a day, the last of them now; alice's and bob's editors among them.
SELECT collab.create_document('prune');
SELECT count(collab.submit('prune', format('[{"insert":"%s "}]', n)::collab.delta, NULL, CASE WHEN n % 5 = 0 THEN 11 ELSE 0 END, CASE WHEN n % 5 = 0 THEN n END)) AS typed
FROM generate_series(1, 200) n;
UPDATE collab.events SET created_at = now() - (200 - version) * interval '72 minutes', checksum = NULL WHERE doc = collab.document_key('prune');
UPDATE collab.documents SET created_at = now() - interval '11 days' WHERE doc_id = 'prune';
CREATE TABLE before AS SELECT version, event, op, created_at, collab.document('prune', version) AS content FROM collab.events_since('prune', 0);

CREATE VIEW prune_tiers AS
	SELECT d.first_version, (SELECT count(*) FROM collab.events e WHERE e.doc = d.key) AS rows,
		(SELECT min(e.version) FROM collab.events e WHERE e.doc = d.key) AS first_row,
		(SELECT string_agg(c.first_version || '-' || c.last_version, ' ' ORDER BY c.first_version) FROM collab.chunks c WHERE c.doc = d.key) AS chunks,
		(SELECT string_agg(s.version || CASE WHEN s.pinned THEN '*' ELSE '' END, ' ' ORDER BY s.version) FROM collab.snapshots s WHERE s.doc = d.key) AS snapshots,
		d.fold_after, d.keep_history
	FROM collab.documents d WHERE d.doc_id = 'prune';

-- Every version from the first on is as it was, all events after it are there, and what is before is refused.
CREATE FUNCTION prune_seen() RETURNS TABLE (contents bigint, times bigint, events bigint, refused text, refused_events text) LANGUAGE plpgsql AS $$
DECLARE
	first bigint := (SELECT first_version FROM collab.documents WHERE doc_id = 'prune');
BEGIN
	contents := (SELECT count(*) FROM before b WHERE b.version >= first AND b.content = collab.document('prune', b.version));
	times := (SELECT count(*) FROM before b WHERE b.version >= first AND b.content = collab.document_at('prune', b.created_at));
	events := (SELECT count(*) FROM before b JOIN collab.events_since('prune', first) e USING (version) WHERE (b.event, b.op, b.created_at) = (e.event, e.op, e.created_at));
	BEGIN
		PERFORM collab.document('prune', first - 1);
	EXCEPTION WHEN OTHERS THEN
		refused := SQLSTATE || ' ' || SQLERRM;
	END;
	BEGIN
		PERFORM collab.events_since('prune', 0);
	EXCEPTION WHEN OTHERS THEN
		refused_events := SQLSTATE || ' ' || SQLERRM;
	END;
	RETURN NEXT;
END $$;

-- Without a limit nothing goes.
SELECT collab.prune('prune');
SELECT collab.set_retention('prune', NULL, '8 days');
SELECT * FROM prune_tiers;
SELECT collab.prune('prune'), collab.prune('prune');
SELECT * FROM prune_tiers;
SELECT * FROM prune_seen();
SELECT collab.document('prune', 1);
SELECT collab.document_at('prune', now() - interval '9 days');

-- Chunks go as a whole; a version with a name can still be read.
SELECT collab.name_version('prune', 'hundred', 100);
SELECT collab.fold('prune', 60), collab.fold('prune', 100), collab.fold('prune', 180);
SELECT * FROM prune_tiers;
SELECT collab.set_retention('prune', '1 day', '5 days');
SELECT collab.prune('prune');
SELECT * FROM prune_tiers;
SELECT collab.set_retention('prune', NULL, '12 hours');
SELECT collab.prune('prune');
SELECT * FROM prune_tiers;
SELECT * FROM prune_seen();

SELECT collab.document('prune', collab.named_version('prune', 'hundred')) = (SELECT content FROM before WHERE version = 100) AS named;
SELECT collab.document('prune', 101);
SELECT count(*) FROM collab.blame('prune', 100);
SELECT count(*) FROM collab.history('prune', 90, 100);
SELECT count(*) FROM collab.diff('prune', 100, 200);
SELECT * FROM collab.verify('prune');

-- Clients: a position that is still there, one that is not; what is applied already is known for all editors.
SELECT kind, version, reason, clock FROM collab.open_document('prune', 'x', 11, 199, (SELECT event FROM before WHERE version = 199), 1, 100);
SELECT kind, version, reason, clock FROM collab.open_document('prune', current_user, 11, 189, (SELECT event FROM before WHERE version = 189), 1, 100);
SELECT kind, version, reason, clock FROM collab.open_document('prune', current_user, 12, 1, (SELECT event FROM before WHERE version = 1), 0, 100);
SELECT kind, version, reason, clock FROM collab.open_document('prune', current_user, 11, 0, 1, 0, 100);
SELECT count(*) FROM collab.fetch_events(ARRAY[collab.document_key('prune')], ARRAY[195::bigint], 100);
SELECT count(*) FROM collab.fetch_events(ARRAY[collab.document_key('prune')], ARRAY[3::bigint], 100);
-- A base that is still there, one that is not, the beginning.
SELECT message, status, version, code, detail FROM collab.submit_batch(ARRAY['prune', 'prune', 'prune'], ARRAY['a', 'b', 'c'], ARRAY[1, 2, 3], ARRAY[1, 1, 1],
	ARRAY[195, 3, 0], ARRAY[NULL, NULL, NULL]::bigint[], ARRAY[1, 1, 1], ARRAY['[{"insert":"a"}]', '[{"insert":"b"}]', '[{"insert":"c"}]']::bytea[], true);
SELECT collab.submit('prune', '[{"insert":"x"}]', 3);

-- The newest event stays however old it is.
UPDATE collab.events SET created_at = now() - interval '1 year', checksum = NULL WHERE doc = collab.document_key('prune');
SELECT collab.prune('prune'), collab.prune('prune');
SELECT * FROM prune_tiers;
SELECT left(collab.text('prune'), 20) AS text;
SELECT collab.insert_text('prune', 0, 'on and on ');
SELECT left(collab.text('prune'), 20) AS text;
SELECT collab.fold('prune');
SELECT * FROM prune_tiers;

-- Without the snapshot that history begins with nothing is left of the document. That is no version that was deleted.
BEGIN;
DELETE FROM collab.snapshots WHERE doc = collab.document_key('prune');
SAVEPOINT before;
SELECT collab.text('prune');
ROLLBACK TO before;
SELECT collab.document('prune', (SELECT first_version FROM collab.documents WHERE doc_id = 'prune'));
ROLLBACK TO before;
SELECT collab.document('prune', 1);
ROLLBACK;

-- A prune that is rolled back leaves everything.
SELECT collab.set_retention('prune', NULL, '0');
BEGIN;
SELECT collab.prune('prune');
SELECT * FROM prune_tiers;
ROLLBACK;
SELECT * FROM prune_tiers;

-- refused
SELECT collab.set_retention('prune', '-1 day', NULL);
SELECT collab.set_retention('prune', NULL, '-1 day');
SELECT collab.set_retention('prune', '1001 years', NULL);
SELECT collab.set_retention('prune', NULL, '178956970 years');
SELECT collab.set_retention('prune', '1000 years', '1000 years'), collab.prune('prune'), collab.set_retention('prune', NULL, '0');
SELECT collab.set_retention(NULL, NULL, NULL);
SELECT collab.set_retention('no-such-document', NULL, NULL);
SELECT collab.prune('no-such-document');
SET default_transaction_read_only = on;
SELECT collab.prune('prune');
SELECT collab.set_retention('prune', NULL, NULL);
RESET default_transaction_read_only;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT collab.prune('prune');
ROLLBACK;

SELECT collab.drop_document('prune');
SELECT (SELECT count(*) FROM collab.chunks) AS chunks, (SELECT count(*) FROM collab.snapshots) AS snapshots, (SELECT count(*) FROM collab.applied_clocks) AS clocks,
	(SELECT count(*) FROM collab.named_versions) AS names;
DROP VIEW prune_tiers;
DROP FUNCTION prune_seen();
DROP TABLE before;

-- Folding: older events move from rows into chunks, and nobody who reads can tell.

SET search_path = public, collab;

-- One document, edited by SQL and by two editors, with formatting, embeds, surrogate pairs and deletes.
SELECT collab.create_document('fold');
SELECT count(collab.insert_text('fold', 0, chr(97 + n % 26) || ' ')) AS typed FROM generate_series(1, 60) n;
SELECT collab.submit('fold', '[{"insert":"😀"},{"retain":10,"attributes":{"bold":true}},{"insert":{"image":"x"}}]');
SELECT count(status) FILTER (WHERE status = 'ok') AS ok FROM collab.submit_batch(ARRAY['fold', 'fold'], ARRAY['alice', 'bob'], ARRAY[11, 12], ARRAY[1, 5],
	ARRAY[61, 61], ARRAY[NULL, NULL]::bigint[], ARRAY[2, 1], ARRAY['[{"insert":"A"}]', '[{"retain":1},{"insert":"B"}]', '[{"insert":"C"}]']::bytea[]);
SELECT count(collab.delete_text('fold', 40, 1)) AS deleted FROM generate_series(1, 30) n;
SELECT collab.submit('fold', '[{"insert":"again"}]', 40, 13, 1);

-- What readers see, at every version.
CREATE FUNCTION fold_seen() RETURNS TABLE (what text, version bigint, seen text) LANGUAGE SQL AS $$
	SELECT 'document', v, collab.document('fold', v)::text FROM generate_series(0, 95) v
	UNION ALL SELECT 'text', v, collab.text('fold', v) FROM generate_series(0, 95) v
	UNION ALL SELECT 'event', e.version, e::text FROM collab.events_since('fold', 0) e
	UNION ALL SELECT 'since', v, (SELECT string_agg(e::text, ' ') FROM collab.events_since('fold', v, 3) e) FROM generate_series(0, 95, 7) v
	UNION ALL SELECT 'at', e.version, collab.document_at('fold', e.created_at)::text FROM collab.events_since('fold', 0) e
	UNION ALL SELECT 'open', v, (SELECT string_agg(o::text, ' ') FROM collab.open_document('fold', 'alice', 11, v,
		(SELECT e.event FROM collab.events_since('fold', v - 1, 1) e), 1, 1000) o) FROM generate_series(1, 95, 5) v
	UNION ALL SELECT 'reset', 0, (SELECT o::text FROM collab.open_document('fold', u, s, 3, 12345, 1, 10) o) FROM (VALUES ('alice', 11), ('bob', 12), ('bob', 11)) c (u, s)
	UNION ALL SELECT 'fetch', v, (SELECT string_agg(f::text, ' ') FROM collab.fetch_events(ARRAY[collab.document_key('fold')], ARRAY[v], 10) f) FROM generate_series(0, 95, 5) v
$$;
CREATE TEMP TABLE before AS SELECT * FROM fold_seen();
SELECT what, count(*), count(seen) FROM before GROUP BY 1 ORDER BY 1;

-- Folded step by step; the newest event stays a row whatever is asked for.
CREATE VIEW fold_tiers AS
	SELECT (SELECT count(*) FROM collab.events e WHERE e.doc = collab.document_key('fold')) AS rows,
		(SELECT min(e.version) FROM collab.events e WHERE e.doc = collab.document_key('fold')) AS first_row,
		c.chunks, c.chunk_events, c.last
	FROM (SELECT count(*) AS chunks, sum(c.events) AS chunk_events, max(c.last_version) AS last FROM collab.chunks c WHERE c.doc = collab.document_key('fold')) c;
SELECT * FROM fold_tiers;
SELECT collab.fold('fold', 1), collab.fold('fold', 0), collab.fold('fold', -5);
SELECT collab.fold('fold', 11);
SELECT * FROM fold_tiers;
SELECT count(*) AS differ FROM (TABLE before EXCEPT ALL SELECT * FROM fold_seen()) d;
SELECT collab.fold('fold', 11), collab.fold('fold', 70);
SELECT * FROM fold_tiers;
SELECT count(*) AS differ FROM (TABLE before EXCEPT ALL SELECT * FROM fold_seen()) d;
SELECT collab.fold('fold'), collab.fold('fold');
SELECT * FROM fold_tiers;
SELECT count(*) AS differ FROM (TABLE before EXCEPT ALL SELECT * FROM fold_seen()) d;
SELECT count(*) AS more FROM (SELECT * FROM fold_seen() EXCEPT ALL TABLE before) d;

-- Without the snapshot that folding left everything comes out of the chunk.
DELETE FROM collab.snapshots WHERE doc = collab.document_key('fold');
SELECT count(*) AS differ FROM (TABLE before EXCEPT ALL SELECT * FROM fold_seen()) d;

-- The newest edits of all editors are remembered.
SELECT u.user_id, a.site, a.clock FROM collab.applied_clocks a JOIN collab.users u ON u.key = a.author WHERE a.doc = collab.document_key('fold') ORDER BY a.site;

-- Submit carries over what is in chunks: the same message is recognised, another one is transformed, a wrong one refused.
SELECT message, piece, status, version, code FROM collab.submit_batch(ARRAY['fold', 'fold', 'fold'], ARRAY['alice', 'bob', 'carol'], ARRAY[11, 12, 20], ARRAY[1, 5, 1],
	ARRAY[61, 61, 3], ARRAY[NULL, NULL, NULL]::bigint[], ARRAY[2, 1, 1],
	ARRAY['[{"insert":"A"}]', '[{"retain":1},{"insert":"B"}]', '[{"insert":"C"}]', '[{"retain":6},{"insert":"carol"}]']::bytea[], true);
SELECT collab.text('fold');
SELECT message, piece, status, version, code FROM collab.submit_batch(ARRAY['fold', 'fold'], ARRAY['alice', 'alice'], ARRAY[11, 21], ARRAY[2, 1],
	ARRAY[61, 3], ARRAY[NULL, 999]::bigint[], ARRAY[1, 1], ARRAY['[{"insert":"other"}]', '[{"insert":"x"}]']::bytea[], true);
-- a batch that may not wait says so instead of reading chunks
SELECT message, piece, status FROM collab.submit_batch(ARRAY['fold'], ARRAY['dave'], ARRAY[30], ARRAY[1], ARRAY[3], ARRAY[NULL]::bigint[], ARRAY[1], ARRAY['[{"insert":"x"}]']::bytea[]);
-- surrogate pairs need the content at the head, which lies in a chunk
DELETE FROM collab.snapshots WHERE doc = collab.document_key('fold');
SELECT collab.delete_text('fold', position('😀' IN collab.text('fold')) - 1, 1);
SELECT collab.delete_text('fold', position('😀' IN collab.text('fold')) - 1, 2);

-- New events join the chunk as long as it is not a good one.
SELECT collab.fold('fold');
SELECT * FROM fold_tiers;
SELECT count(*) AS differ FROM (TABLE before EXCEPT ALL SELECT * FROM fold_seen()) d WHERE what NOT IN ('since', 'open', 'reset', 'fetch');

-- A chunk that is damaged, missing or another one is noticed, and says which event was wanted.
BEGIN;
SAVEPOINT s;
UPDATE collab.chunks SET payload = set_byte(payload, 100, get_byte(payload, 100) # 1) WHERE doc = collab.document_key('fold');
DELETE FROM collab.snapshots WHERE doc = collab.document_key('fold');
SELECT collab.text('fold', 10);
ROLLBACK TO s;
UPDATE collab.chunks SET payload = '\x' WHERE doc = collab.document_key('fold');
SELECT version FROM collab.events_since('fold', 4, 1);
ROLLBACK TO s;
UPDATE collab.chunks SET first_version = 2 WHERE doc = collab.document_key('fold');
SELECT version FROM collab.events_since('fold', 0, 1);
ROLLBACK TO s;
SELECT version FROM collab.events_since('fold', 1, 1);
UPDATE collab.chunks SET doc = collab.document_key('another') WHERE doc = collab.document_key('fold');
SELECT version FROM collab.events_since('fold', 0, 1);
ROLLBACK TO s;
DELETE FROM collab.chunks WHERE doc = collab.document_key('fold');
SELECT version FROM collab.events_since('fold', 0, 1);
ROLLBACK TO s;
DELETE FROM collab.chunks WHERE doc = collab.document_key('fold');
SELECT collab.submit('fold', '[{"insert":"x"}]', 10);
ROLLBACK;

-- Folded events that are rolled back are rows as before.
SELECT count(collab.insert_text('fold', 0, 'z')) AS typed FROM generate_series(1, 50) n;
CREATE TEMP TABLE tiers AS SELECT * FROM fold_tiers;
BEGIN;
SELECT collab.fold('fold');
SELECT collab.text('fold', 20) = (SELECT seen FROM before WHERE what = 'text' AND version = 20) AS same;
ROLLBACK;
SELECT count(*) AS differ FROM (TABLE tiers EXCEPT TABLE fold_tiers) d;

-- refused
SELECT collab.fold(NULL);
SELECT collab.fold('no-such-document');
SET default_transaction_read_only = on;
SELECT collab.fold('fold');
RESET default_transaction_read_only;
SELECT collab.create_document('fold-empty'), collab.create_document('fold-one', 'x');
SELECT collab.fold('fold-empty'), collab.fold('fold-one');

SELECT collab.drop_document('fold'), collab.drop_document('fold-empty'), collab.drop_document('fold-one');
SELECT (SELECT count(*) FROM collab.chunks) AS chunks, (SELECT count(*) FROM collab.snapshots) AS snapshots, (SELECT count(*) FROM collab.applied_clocks) AS clocks;
DROP VIEW fold_tiers;
DROP FUNCTION fold_seen();
DROP TABLE before, tiers;

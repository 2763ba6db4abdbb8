-- verify(): nothing to say about sound documents; whatever is damaged is one row of the report, and not its end.

SET search_path = public, collab;
SET collab.user_id = 'alice';
SET collab.thaw_timeout = '100ms';

SELECT create_document('verified', E'Hello 😀\n');
SELECT count(insert_text('verified', 5, ' w' || i)) FROM generate_series(1, 30) i;
SELECT piece, status, version FROM submit_batch('{verified}', '{bob}', '{1234}', '{1}', '{31}', '{NULL}', '{3}', array_fill(convert_to('[{"insert":"x"}]', 'UTF8'), ARRAY[3]));
SELECT fold('verified', 21);
SELECT count(insert_text('verified', 5, ' v' || i)) FROM generate_series(1, 30) i;
SELECT create_document('verified.untouched');
SELECT * FROM verify('verified');
SELECT * FROM verify('verified.untouched');
SELECT * FROM verify(NULL);
SELECT * FROM verify('verified.nowhere');

-- everything below is rolled back
CREATE FUNCTION after(damage text) RETURNS TABLE (part text, version bigint, problem text) LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		EXECUTE damage;
		CREATE TEMP TABLE report ON COMMIT DROP AS SELECT v.part, v.version, v.problem FROM verify('verified') v;
		RAISE EXCEPTION USING ERRCODE = 'OTX00', MESSAGE = (SELECT coalesce(json_agg(r), '[]') FROM report r);
	EXCEPTION WHEN SQLSTATE 'OTX00' THEN
		RETURN QUERY SELECT * FROM json_to_recordset(SQLERRM::json) AS r (part text, version bigint, problem text);
	END;
END $$;
CREATE FUNCTION doc() RETURNS bigint LANGUAGE sql AS $$ SELECT document_key('verified') $$;

-- rows of events
SELECT * FROM after($$UPDATE events SET length = length + 1 WHERE doc = doc() AND version = 40$$);
SELECT * FROM after($$UPDATE events SET length = length + 1, checksum = NULL WHERE doc = doc() AND version = 40$$);
SELECT * FROM after($$UPDATE events SET site = -1, checksum = NULL WHERE doc = doc() AND version = 40$$);
SELECT * FROM after($$UPDATE events SET base_version = 40, checksum = NULL WHERE doc = doc() AND version = 40$$);
SELECT * FROM after($$UPDATE events SET created_at = created_at - interval '1 hour', checksum = NULL WHERE doc = doc() AND version = 40$$);
SELECT * FROM after($$UPDATE events SET astral = false, checksum = NULL WHERE doc = doc() AND version = 40$$);
SELECT * FROM after($$UPDATE events SET op = '[{"retain":5000},{"insert":"x"}]', checksum = NULL WHERE doc = doc() AND version = 40$$);
SELECT * FROM after($$UPDATE events SET author = 77, checksum = NULL WHERE doc = doc() AND version = 40$$);
SELECT * FROM after($$UPDATE events SET op = '[]' WHERE doc = doc() AND version IN (40, 43, 46)$$);
SELECT * FROM after($$DELETE FROM events WHERE doc = doc() AND version BETWEEN 40 AND 43$$);
SELECT * FROM after($$DELETE FROM events WHERE doc = doc()$$);

-- chunks
SELECT first_version, last_version, events FROM chunks WHERE doc = doc();
SELECT * FROM after($$UPDATE chunks SET payload = set_byte(payload, 100, get_byte(payload, 100) # 4) WHERE doc = doc()$$);
SELECT * FROM after($$UPDATE chunks SET payload = '' WHERE doc = doc()$$);
SELECT * FROM after($$UPDATE chunks SET last_version = 19, events = 19 WHERE doc = doc()$$);
SELECT * FROM after($$UPDATE chunks SET raw_bytes = 1, checksum = 1, created_last = created_last + interval '1 s' WHERE doc = doc()$$);
SELECT * FROM after($$INSERT INTO chunks SELECT doc, 5, 8, created_last + interval '1 s', created_last + interval '1 s', 4, raw_bytes, checksum, payload FROM chunks WHERE doc = doc()$$);
SELECT * FROM after($$DELETE FROM chunks WHERE doc = doc()$$);
SELECT * FROM after($$UPDATE documents SET first_version = 4 WHERE key = doc()$$);
SELECT * FROM after($$INSERT INTO thawed SELECT doc, 1, 20, now(), now(), 'x', 'payload' FROM chunks WHERE doc = doc()$$);

-- objects of the cold store, which nobody is there to bring back
SELECT * FROM after($$WITH gone AS (DELETE FROM chunks WHERE doc = doc() RETURNING *)
	INSERT INTO archives SELECT doc, first_version, last_version, created_first, created_last, events, 1000, 'v1/no/where', sha256(''), now() FROM gone$$);
SELECT * FROM after($$WITH gone AS (DELETE FROM chunks WHERE doc = doc() RETURNING *)
	INSERT INTO archives SELECT doc, first_version, last_version, created_last + interval '1 h', created_last, 7, 0, 'v1/no/where', '', now() FROM gone$$);

-- snapshots
SELECT count(*) > 0 AS has_snapshots FROM snapshots WHERE doc = doc();
CREATE TEMP TABLE snap AS SELECT version FROM snapshots WHERE doc = doc() AND version > 20 ORDER BY version LIMIT 1;
SELECT * FROM after($$UPDATE snapshots SET length = 1 WHERE doc = doc() AND version = (SELECT version FROM snap)$$);
SELECT * FROM after($$UPDATE snapshots SET content = '[{"insert":"x"}]' WHERE doc = doc() AND version = (SELECT version FROM snap)$$);

-- the other tables
SELECT * FROM after($$UPDATE live_texts SET version = 1000 WHERE doc = doc(); INSERT INTO live_texts SELECT doc(), 1000, now(), 'x', 'x' ON CONFLICT DO NOTHING$$);
SELECT * FROM after($$DELETE FROM live_texts WHERE doc = doc(); INSERT INTO live_texts SELECT doc(), 33, now(), 'x', 'x'$$);
SELECT * FROM after($$DELETE FROM applied_clocks WHERE doc = doc(); INSERT INTO applied_clocks VALUES (doc(), user_key('bob'), 1234, 99)$$);
SELECT * FROM after($$INSERT INTO named_versions VALUES (doc(), 'one', 65, user_key('alice'), now()), (doc(), 'two', 60, 77, now())$$);
SELECT * FROM after($$INSERT INTO undone (doc, version, author, redo, first_version, last_version) VALUES (doc(), 60, user_key('bob'), false, 60, 61)$$);
-- what foreign keys do not allow
SELECT * FROM after($$SET LOCAL session_replication_role = replica; INSERT INTO comments (id, doc, thread, author, body, created_at, origin_version, origin, anchor_version, anchor, quote) VALUES
	('00000000-0000-0000-0000-000000000001', doc(), NULL, user_key('bob'), 'x', now(), 50, 'origin', 60, 'anchor', 'quote'),
	('00000000-0000-0000-0000-000000000002', doc(), NULL, user_key('bob'), 'x', now(), 1000, NULL, 1000, 'anchor', 'quote'),
	('00000000-0000-0000-0000-000000000003', doc(), '00000000-0000-0000-0000-000000000009', user_key('bob'), 'x', now(), NULL, NULL, NULL, NULL, NULL)$$);
SELECT add_comment('verified', 2, 9, 'about this', 10) IS NOT NULL AS commented;
SELECT * FROM verify('verified');
SELECT part, regexp_replace(problem, '[0-9a-f]{8}-\S+', 'ID') AS problem FROM after($$UPDATE comments SET anchor = set_bit(anchor, 70, 1 - get_bit(anchor, 70)) WHERE doc = doc()$$);
SELECT part, version, regexp_replace(problem, '[0-9a-f]{8}-\S+', 'ID') AS problem FROM after($$UPDATE comments SET origin = anchor, origin_version = 11, anchor_version = 60 WHERE doc = doc()$$);

-- a document whose older history was deleted
SELECT create_document('verified.pruned');
SELECT count(insert_text('verified.pruned', 0, i || ' ')) FROM generate_series(1, 90) i;
UPDATE events SET created_at = now() - (100 - version) * interval '1 day', checksum = NULL WHERE doc = document_key('verified.pruned');
UPDATE documents SET created_at = now() - interval '101 days' WHERE doc_id = 'verified.pruned';
DELETE FROM snapshots WHERE doc = document_key('verified.pruned');
SELECT fold('verified.pruned', 80);
SELECT set_retention('verified.pruned', NULL, '15 days 12 hours');
SELECT prune('verified.pruned');
SELECT first_version FROM documents WHERE doc_id = 'verified.pruned';
SELECT * FROM verify('verified.pruned');

-- The oldest version that is there may still be a row.
SELECT create_document('verified.floor');
SELECT submit('verified.floor', '{"ops":[{"insert":"x"}]}', i - 1, 7, i) FROM generate_series(1, 3) i;
SELECT set_retention('verified.floor', NULL, '0');
SELECT prune('verified.floor'), (SELECT clock FROM applied_clocks WHERE doc = document_key('verified.floor'));
SELECT * FROM verify('verified.floor');
SELECT drop_document('verified.floor');
BEGIN;
DELETE FROM snapshots WHERE doc = document_key('verified.pruned');
DELETE FROM events WHERE doc = document_key('verified.pruned') AND version < 86;
SELECT part, version, problem FROM verify('verified.pruned');
ROLLBACK;

-- all of them: what is left of a document that is not there, too
SELECT * FROM verify_all() WHERE doc_id LIKE 'verified%';
BEGIN;
INSERT INTO named_versions VALUES (77, 'x', 1, 0, now());
INSERT INTO applied_clocks VALUES (78, 1, 1, 1);
UPDATE events SET clock = clock + 1 WHERE doc = doc() AND version = 62;
SELECT * FROM verify_all() WHERE doc_id IS NULL OR doc_id LIKE 'verified%';
ROLLBACK;
SELECT * FROM verify('verified');
BEGIN;
ALTER TABLE users DROP CONSTRAINT users_key_check;
ALTER TABLE documents DROP CONSTRAINT documents_key_check;
UPDATE users SET user_id = 'bobb' WHERE user_id = 'bob';
UPDATE documents SET doc_id = 'verifiee' WHERE doc_id = 'verified';
SELECT * FROM verify_all() WHERE part IN ('users', 'documents');
ROLLBACK;

-- for nobody but those who answer for the data
CREATE ROLE verify_stranger;
GRANT USAGE ON SCHEMA public TO verify_stranger;
SET ROLE verify_stranger;
SELECT * FROM collab.verify('verified');
SELECT * FROM collab.verify_all();
RESET ROLE;
GRANT EXECUTE ON FUNCTION collab.verify(text), collab.verify_all() TO verify_stranger;
SET ROLE verify_stranger;
SELECT * FROM collab.verify('verified');
SELECT * FROM collab.verify_all() WHERE doc_id LIKE 'verified%';
RESET ROLE;
REVOKE EXECUTE ON FUNCTION collab.verify(text), collab.verify_all() FROM verify_stranger;
REVOKE USAGE ON SCHEMA public FROM verify_stranger;
DROP ROLE verify_stranger;

SELECT drop_document('verified'), drop_document('verified.untouched'), drop_document('verified.pruned');
DROP FUNCTION after, doc;

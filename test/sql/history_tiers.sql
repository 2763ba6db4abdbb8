-- The history functions where events are chunks, and where they were deleted.
SET search_path = public, collab;
\pset format unaligned

CREATE FUNCTION as_user(name text, call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	PERFORM set_config('collab.user_id', name, true);
	EXECUTE 'SELECT ' || call INTO result;
	PERFORM set_config('collab.user_id', '', true);
	RETURN result;
END
$$;
SELECT collab.create_document('aged');
SELECT count(as_user(CASE n / 8 % 3 WHEN 0 THEN 'alice' WHEN 1 THEN 'bob' ELSE 'carol' END,
	CASE n % 8 WHEN 6 THEN $$collab.delete_text('aged', 2, 3)$$
		WHEN 7 THEN format($$collab.submit('aged', '[{"retain":%s,"attributes":{"bold":true}}]')$$, n / 8 + 1)
		ELSE format($$collab.insert_text('aged', %s, '%s')$$, n % 8, substr('the quick brown fox', n % 8 + 1, n % 5 + 1)) END)) AS edits
	FROM generate_series(0, 79) n;
SELECT as_user('bob', $$collab.undo('aged')$$), as_user('bob', $$collab.redo('aged')$$), as_user('alice', $$collab.name_version('aged', 'young', 20)$$);

CREATE FUNCTION aged_seen() RETURNS TABLE (what text, version bigint, seen text) LANGUAGE SQL AS $$
	SELECT 'history', 0, h::text FROM collab.history('aged', gap => '0') h
	UNION ALL SELECT 'page', v, (SELECT string_agg(h::text, ' ') FROM collab.history('aged', to_version => v, max_edits => 2) h) FROM generate_series(0, 82, 5) v
	UNION ALL SELECT 'blame', v, (SELECT string_agg(b::text, ' ') FROM collab.blame('aged', v) b) FROM generate_series(0, 82, 3) v
	UNION ALL SELECT 'diff', v, collab.diff('aged', v, w)::text FROM generate_series(0, 82, 9) v, generate_series(0, 82, 11) w
$$;
-- What would be written, and was rolled back.
CREATE FUNCTION aged_tried() RETURNS TABLE (call text, result text) LANGUAGE plpgsql AS $$
BEGIN
	FOREACH call IN ARRAY ARRAY[$c$collab.undo('aged', 'alice')$c$, $c$collab.undo('aged', 'bob', 3, '0')$c$, $c$collab.undo('aged', 'carol', 1000, '1 day')$c$,
		$c$collab.restore('aged', 5)$c$, $c$collab.restore('aged', 60)$c$, $c$collab.restore('aged', 0)$c$] LOOP
		BEGIN
			result := as_user('dave', call) || ' ' || collab.document('aged');
			RAISE EXCEPTION USING ERRCODE = 'UNDOS', MESSAGE = 'not kept';
		EXCEPTION WHEN SQLSTATE 'UNDOS' THEN
			RETURN NEXT;
		END;
	END LOOP;
END
$$;
CREATE TEMP TABLE before AS SELECT * FROM aged_seen();
CREATE TEMP TABLE tried AS SELECT * FROM aged_tried();
SELECT what, count(*) >= 3 AS some, count(seen) >= 3 AS seen FROM before GROUP BY 1 ORDER BY 1;
SELECT count(*), count(result) FROM tried;

SELECT collab.fold('aged', 30);
SELECT count(*) AS differ FROM (TABLE before EXCEPT ALL SELECT * FROM aged_seen()) d;
SELECT count(*) AS differ FROM (TABLE tried EXCEPT ALL SELECT * FROM aged_tried()) d;
SELECT collab.fold('aged', 50), collab.fold('aged');
SELECT count(*) AS differ FROM (TABLE before EXCEPT ALL SELECT * FROM aged_seen()) d;
SELECT count(*) AS differ FROM (TABLE tried EXCEPT ALL SELECT * FROM aged_tried()) d;
DELETE FROM collab.snapshots WHERE doc = collab.document_key('aged') AND NOT pinned;
SELECT count(*) AS differ FROM (TABLE before EXCEPT ALL SELECT * FROM aged_seen()) d;
SELECT count(*) AS differ FROM (TABLE tried EXCEPT ALL SELECT * FROM aged_tried()) d;

-- Damage is noticed, not passed over.
BEGIN;
SAVEPOINT s;
UPDATE collab.chunks SET payload = set_byte(payload, 100, get_byte(payload, 100) # 1) WHERE doc = collab.document_key('aged') AND first_version = 1;
SELECT count(*) FROM collab.history('aged', gap => '0');
ROLLBACK TO s;
UPDATE collab.chunks SET payload = set_byte(payload, 100, get_byte(payload, 100) # 1) WHERE doc = collab.document_key('aged') AND first_version = 1;
SELECT count(*) FROM collab.blame('aged');
ROLLBACK TO s;
DELETE FROM collab.chunks WHERE doc = collab.document_key('aged') AND first_version = 1;
SELECT collab.diff('aged', 3, 40);
ROLLBACK TO s;
DELETE FROM collab.chunks WHERE doc = collab.document_key('aged') AND first_version = 1;
SELECT collab.restore('aged', 3);
ROLLBACK;

-- Deleted history: what is left is shown, what is asked for and is not there is refused, a name keeps its version.
SELECT collab.drop_document('aged'), collab.create_document('aged');
SELECT count(as_user(CASE n % 2 WHEN 0 THEN 'alice' ELSE 'bob' END, format($$collab.insert_text('aged', %s, '%s')$$, n, chr(97 + n::int)))) AS edits FROM generate_series(0, 19) n;
SELECT as_user('alice', $$collab.name_version('aged', 'five', 5)$$);
CREATE TEMP TABLE five AS SELECT collab.document('aged', 5) AS content;
UPDATE collab.events SET created_at = now() - (20 - version) * interval '1 hour', checksum = NULL WHERE doc = collab.document_key('aged');
SELECT collab.set_retention('aged', NULL, '9 hours 30 minutes');
SELECT collab.prune('aged');
SELECT first_version FROM collab.documents WHERE doc_id = 'aged';
SELECT first_version, last_version, author, summary FROM collab.history('aged', gap => '1 day');
SELECT count(*) FROM collab.history('aged', from_version => 11);
SELECT count(*) FROM collab.history('aged', from_version => 3);
SELECT count(*) FROM collab.history('aged', to_version => 3);
SELECT "from", "to", author, version, at IS NULL AS no_time, content FROM collab.blame('aged') LIMIT 4;
SELECT "from", "to", author, version, at IS NULL AS no_time, content FROM collab.blame('aged', 10);
SELECT * FROM collab.blame('aged', 9);
SELECT collab.diff('aged', 10, 20), collab.diff('aged', 20, 10);
SELECT collab.diff('aged', 9, 20);
SELECT collab.diff('aged', collab.named_version('aged', 'five'), 20), collab.diff('aged', 20, 5);
SELECT collab.document('aged', collab.named_version('aged', 'five')) = content AS kept FROM five;
SELECT name, version FROM collab.named_versions('aged');
SELECT collab.name_version('aged', 'six', 6);
SELECT collab.name_version('aged', 'ten', 10), collab.name_version('aged', 'again five', 5);
SELECT collab.restore('aged', 6);
SELECT as_user('alice', $$collab.restore('aged', collab.named_version('aged', 'five'))$$);
SELECT collab.document('aged') = content AS restored FROM five;
-- an undo goes no further back than there is history
SELECT as_user('alice', $$collab.undo('aged', edits => 1000, gap => '1 day')$$), as_user('alice', $$collab.undo('aged', edits => 1000, gap => '1 day')$$) IS NULL AS nothing_more;
SELECT collab.text('aged');
-- what a restore deleted and an undo brought back belongs to who did that
SELECT as_user('bob', $$collab.undo('aged', edits => 1000, gap => '1 day')$$) IS NULL AS nothing, collab.unname_version('aged', 'ten');
SELECT * FROM collab.verify('aged');

SELECT collab.drop_document('aged');
DROP FUNCTION as_user(text, text), aged_seen(), aged_tried();
DROP TABLE before, tried, five;

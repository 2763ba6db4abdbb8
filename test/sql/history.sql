-- History for people: edits, differences, authors, names, restore, undo and redo.
SET search_path = public, collab;
\pset format unaligned

CREATE FUNCTION edits(doc_id text, gap interval DEFAULT '1 minute') RETURNS TABLE (edit text) LANGUAGE sql AS $$
	SELECT format('%s-%s %s: %s (%s events, +%s -%s)', first_version, last_version, author, summary, events, inserted, deleted)
	FROM collab.history(doc_id, gap => gap)
$$;

SET collab.user_id = 'alice';
SELECT collab.create_document('tale');
SELECT count(collab.insert_text('tale', i - 1, substr('Once upon a time', i, 1))) FROM generate_series(1, 16) i;
SET collab.user_id = 'bob';
SELECT collab.insert_text('tale', 16, ', a king lived');
SELECT collab.submit('tale', '[{"retain":18,"attributes":{"bold":true}}]');
SET collab.user_id = 'alice';
SELECT collab.submit('tale', '[{"delete":4},{"insert":"Twice"}]');
SELECT collab.submit('tale', '[{"retain":31},{"insert":{"image":"crown.png"}},{"insert":"\n"}]');
RESET collab.user_id;

-- history
SELECT * FROM edits('tale');
SELECT first_version, last_version, summary FROM collab.history('tale', max_edits => 1);
SELECT first_version, last_version, summary FROM collab.history('tale', from_version => 3, to_version => 6);
SELECT count(*) FROM collab.history('tale', max_edits => 0);
SELECT count(*) FROM collab.history('tale', max_edits => NULL, gap => '100 years');
SELECT count(*) FROM collab.history('tale', 100, 200);
SELECT count(*) FROM collab.history(NULL);
SELECT collab.create_document('blank');
SELECT count(*) FROM collab.history('blank');
SELECT * FROM collab.history('tale', gap => '-1 second');
SELECT * FROM collab.history('tale', gap => NULL);
SELECT * FROM collab.history('tale', -1);
SELECT * FROM collab.history('tale', to_version => -1);
SELECT * FROM collab.history('tale', max_edits => -1);
SELECT * FROM collab.history('nobody');

-- a stretch that stands alone is counted by what is left of it; what breaks lines, and what is long, is not shown
SET collab.user_id = 'carol';
SELECT collab.create_document('typos');
SELECT count(collab.submit('typos', op::collab.delta)) FROM unnest(ARRAY['[{"insert":"Hex"}]', '[{"retain":2},{"delete":1}]', '[{"retain":2},{"insert":"llo"}]']) op;
SELECT * FROM edits('typos');
SELECT collab.create_document('long', repeat(E'line\n', 20));
SET collab.user_id = 'dave';
SELECT collab.submit('long', '[{"retain":1},{"delete":3},{"retain":20},{"insert":{"n":1}},{"retain":5,"attributes":{"a":1}}]');
SELECT * FROM edits('long');
RESET collab.user_id;

-- diff
SELECT collab.diff('tale', 16, 20), collab.diff('tale', 20, 16);
SELECT bool_and(collab.compose(collab.document('tale', a), collab.diff('tale', a, b)) = collab.document('tale', b)) AS all_differences_lead_there
	FROM generate_series(0, 20) a, generate_series(0, 20) b;
SELECT collab.diff('tale', 5, 5);
SELECT collab.diff('tale', NULL, 5) IS NULL AS of_nothing;
SELECT collab.diff('tale', 0, 21);
SELECT collab.diff('tale', -1, 5);
SELECT collab.diff('nobody', 0, 0);
-- an attribute taken from an embed that changes: composing would lose that
SELECT collab.create_document('cell', '[{"insert":{"delta":[{"insert":"a"}]},"attributes":{"b":1}}]'::collab.delta);
SELECT collab.submit('cell', '[{"retain":{"delta":[{"insert":"x"}]}}]'), collab.submit('cell', '[{"retain":1,"attributes":{"b":null}}]');
SELECT collab.compose(collab.document('cell', 1), collab.diff('cell', 1, 3)) = collab.document('cell', 3) AS forward,
	collab.compose(collab.document('cell', 3), collab.diff('cell', 3, 1)) = collab.document('cell', 1) AS back;
SELECT collab.restore('cell', 1);
SELECT collab.document('cell');

-- blame
SELECT "from", "to", author, version, content FROM collab.blame('tale') WHERE version > 12;
SELECT string_agg(content, '' ORDER BY "from") AS content, count(*) AS runs, count(DISTINCT author) AS authors, max("to") AS length FROM collab.blame('tale', 16);
SELECT count(*) FROM collab.blame('blank');
SELECT count(*) FROM collab.blame('tale', 0);
SELECT count(*) FROM collab.blame(NULL);
SELECT bool_and(b.at = e.created_at AND b.author = e.author) AS as_in_the_log FROM collab.blame('tale') b JOIN collab.events_since('tale', 0) e USING (version);
SELECT * FROM collab.blame('tale', 21);
SELECT * FROM collab.blame('tale', -1);
SELECT * FROM collab.blame('nobody');
-- positions are UTF-16 code units
SELECT collab.create_document('pairs', '😀');
SELECT collab.insert_text('pairs', 2, 'é😀');
SELECT "from", "to", version, content FROM collab.blame('pairs');

-- restore
SELECT collab.restore('tale', 16);
SELECT collab.document('tale') = collab.document('tale', 16) AS restored;
SELECT collab.restore('tale', 16), collab.restore('tale', 21);
SELECT collab.restore('tale', 20);
SELECT op FROM collab.events_since('tale', 20);
SELECT collab.document('tale') = collab.document('tale', 20) AS restored;
SELECT collab.restore('tale', 0);
SELECT collab.document('tale');
SELECT collab.restore('tale', 99);
SELECT collab.restore('tale', -1);
SELECT collab.restore('tale', NULL);
SELECT collab.restore('nobody', 0);

-- names
SET collab.user_id = 'alice';
SELECT collab.name_version('tale', 'draft', 16), collab.name_version('tale', 'empty', 0), collab.name_version('tale', 'Final :-)');
SELECT collab.name_version('tale', 'first draft', 16), collab.name_version('tale', 'draft', 16);
SELECT name, version, author FROM collab.named_versions('tale');
SELECT collab.named_version('tale', 'draft'), collab.named_version('tale', 'nothing');
SELECT collab.text('tale', collab.named_version('tale', 'draft'));
SELECT version FROM collab.snapshots WHERE doc = collab.document_key('tale') AND pinned ORDER BY version;
SELECT collab.name_version('tale', 'draft');
SELECT collab.unname_version('tale', 'draft'), collab.unname_version('tale', 'draft');
SELECT version FROM collab.snapshots WHERE doc = collab.document_key('tale') AND pinned ORDER BY version;
SELECT collab.unname_version('tale', 'first draft');
SELECT version FROM collab.snapshots WHERE doc = collab.document_key('tale') AND pinned ORDER BY version;
SELECT collab.name_version('tale', '');
SELECT collab.name_version('tale', E'two\nlines');
SELECT collab.name_version('tale', repeat('x', 257));
SELECT collab.name_version('tale', 'ahead', 1000);
SELECT collab.name_version('tale', 'before', -1);
SELECT collab.name_version('tale', NULL);
SELECT collab.name_version('nobody', 'x');
SELECT collab.unname_version('nobody', 'x');
SELECT collab.named_version('nobody', 'x');
SELECT * FROM collab.named_versions('nobody');
RESET collab.user_id;

-- undo and redo: alice's edits between those of bob
CREATE FUNCTION as_user(name text, call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	PERFORM set_config('collab.user_id', name, true);
	EXECUTE 'SELECT ' || call INTO result;
	PERFORM set_config('collab.user_id', '', true);
	PERFORM pg_sleep(0.002);
	RETURN result;
END
$$;
CREATE FUNCTION undo(name text, edits int DEFAULT 1, what text DEFAULT 'undo') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	version text := as_user(name, format('collab.%s(''notes'', edits => %s, gap => ''1 ms'')', what, edits));
BEGIN
	RETURN format('%s: %s', coalesce(version, 'nothing'), collab.text('notes'));
END
$$;
CREATE FUNCTION redo(name text, edits int DEFAULT 1) RETURNS text LANGUAGE sql AS $$ SELECT undo(name, edits, 'redo') $$;
SELECT as_user('alice', $$collab.create_document('notes', 'one')$$);
SELECT as_user('bob', $$collab.insert_text('notes', 3, ' two')$$);
SELECT as_user('alice', $$collab.insert_text('notes', 7, ' three')$$);
SELECT as_user('bob', $$collab.insert_text('notes', 9, 'XX')$$);
SELECT as_user('alice', $$collab.delete_text('notes', 0, 4)$$);
SELECT as_user('bob', $$collab.delete_text('notes', 8, 2)$$);
SELECT collab.text('notes');
SELECT undo('alice');
SELECT undo('alice');
SELECT undo('alice');
SELECT undo('alice');
SELECT redo('alice', 2);
SELECT redo('alice');
SELECT redo('alice');
-- what was redone can be undone again
SELECT undo('alice', 2);
SELECT redo('alice', 5);
-- an edit ends what can be redone
SELECT undo('alice');
SELECT as_user('alice', $$collab.insert_text('notes', 0, '>')$$);
SELECT redo('alice');
SELECT undo('alice');
SELECT redo('alice');
-- the other's edits, by name; the undo is the caller's event, but none of his edits
SELECT as_user('carol', $$collab.undo('notes', 'bob', 2)$$);
SELECT collab.text('notes');
SELECT undo('carol');
SELECT as_user('carol', $$collab.redo('notes', 'bob')$$);
SELECT collab.text('notes');
SELECT * FROM edits('notes', '1 ms') LIMIT 4;
-- formatting: what others formatted since keeps it
SELECT as_user('alice', $$collab.create_document('format', 'abcdef')$$);
SELECT as_user('bob', $$collab.submit('format', '[{"retain":4,"attributes":{"color":"red","bold":true}}]')$$);
SELECT as_user('alice', $$collab.submit('format', '[{"retain":2,"attributes":{"color":"blue"}}]')$$);
SELECT as_user('bob', $$collab.undo('format')$$);
SELECT collab.document('format');
SELECT as_user('bob', $$collab.redo('format')$$);
SELECT collab.document('format');
-- nothing left of it: the turn of the one before
SELECT as_user('alice', $$collab.create_document('gone', 'ab')$$);
SELECT as_user('bob', $$collab.insert_text('gone', 2, 'cd')$$);
SELECT as_user('bob', $$collab.insert_text('gone', 4, 'ef')$$);
SELECT as_user('alice', $$collab.delete_text('gone', 4, 2)$$);
SELECT as_user('bob', $$collab.undo('gone', gap => '1 ms')$$);
SELECT collab.text('gone');
SELECT as_user('bob', $$collab.undo('gone', gap => '1 ms')$$) IS NULL AS nothing;
-- a user who never was here; a document without edits
SELECT collab.undo('gone', 'nobody') IS NULL AS nothing, collab.undo('blank') IS NULL AS nothing_at_all, collab.redo('blank') IS NULL AS either;
SELECT collab.undo('gone', edits => 0);
SELECT collab.undo('gone', edits => 1001);
SELECT collab.undo('gone', edits => NULL);
SELECT collab.undo('gone', gap => '-1 day');
SELECT collab.undo(NULL);
SELECT collab.undo('nobody');
SELECT collab.redo('nobody');
-- an undo goes with its transaction
BEGIN;
SELECT collab.undo('gone', 'alice', gap => '1 ms');
ROLLBACK;
SELECT collab.text('gone'), count(*) FROM collab.undone WHERE doc = collab.document_key('gone') AND author = collab.user_key('alice');

-- whoever only reads can, and cannot more
BEGIN READ ONLY;
SELECT count(*) FROM collab.history('notes', max_edits => 3);
SELECT collab.named_version('tale', 'empty');
SELECT collab.undo('notes');
ROLLBACK;
BEGIN READ ONLY;
SELECT collab.restore('notes', 1);
ROLLBACK;
BEGIN READ ONLY;
SELECT collab.name_version('notes', 'x');
ROLLBACK;
BEGIN READ ONLY;
SELECT collab.unname_version('notes', 'x');
ROLLBACK;

SELECT problem FROM unnest(ARRAY['tale', 'typos', 'long', 'cell', 'pairs', 'notes', 'format', 'gone']) d, collab.verify(d);
SELECT collab.drop_document(d) FROM unnest(ARRAY['tale', 'blank', 'typos', 'long', 'cell', 'pairs', 'notes', 'format', 'gone']) d;
SELECT (SELECT count(*) FROM collab.undone) AS undone, (SELECT count(*) FROM collab.named_versions) AS named;
DROP FUNCTION edits(text, interval), as_user(text, text), undo(text, int, text), redo(text, int);

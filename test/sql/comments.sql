-- Comments: threads on ranges that move with every edit, lose their text and get it back.

SET client_min_messages = warning;

-- a document with its comments' ranges in brackets, a bar where a range has lost its text
CREATE FUNCTION pg_temp.shown(doc text, at bigint DEFAULT NULL) RETURNS TABLE (seen text, quote text, state text) LANGUAGE sql AS $$
	SELECT CASE WHEN c.state = 'anchored' THEN overlay(overlay(t.x PLACING ']' FROM c."to"::int + 1 FOR 0) PLACING '[' FROM c."from"::int + 1 FOR 0)
			ELSE overlay(t.x PLACING '|' FROM c."from"::int + 1 FOR 0) END, c.quote, c.state
	FROM collab.comments(doc, at) c, (SELECT CASE WHEN at IS NULL THEN collab.text(doc) ELSE collab.text(doc, at) END) t (x)
	WHERE c.thread IS NULL
$$;

SELECT collab.create_document('comments', 'The quick brown fox jumps');
SELECT collab.add_comment('comments', 10, 15, 'Which brown?') AS brown \gset
SELECT * FROM pg_temp.shown('comments');

-- gravity: at the start goes before, at the end behind, inside belongs to it
SELECT collab.insert_text('comments', 10, '<');
SELECT collab.insert_text('comments', 16, '>');
SELECT collab.insert_text('comments', 13, '--');
SELECT * FROM pg_temp.shown('comments');
SELECT collab.submit('comments', '[{"retain":11},{"retain":7,"attributes":{"bold":true}}]');
SELECT * FROM pg_temp.shown('comments');

-- every version shows it where it was
SELECT v, s.* FROM generate_series(1, 5) v, pg_temp.shown('comments', v) s;
SELECT * FROM pg_temp.shown('comments', 0);

-- a paragraph that is split: in the middle, at the start, at the end
SELECT collab.create_document('split', E'one two three\n');
SELECT collab.add_comment('split', 4, 13, 'two three') IS NOT NULL AS added;
SELECT collab.submit('split', '[{"retain":7},{"insert":"\n","attributes":{"header":1}}]');
SELECT replace(seen, E'\n', '/') AS seen, state FROM pg_temp.shown('split');
SELECT collab.insert_text('split', 4, E'\n');
SELECT collab.insert_text('split', 15, E'\n');
SELECT replace(seen, E'\n', '/') AS seen, state FROM pg_temp.shown('split');

-- deleted: the quote is kept; undone: it is back
SELECT collab.create_document('undo', 'keep this text');
SELECT collab.add_comment('undo', 5, 9, 'this') AS this \gset
SELECT collab.delete_text('undo', 3, 8);
SELECT * FROM pg_temp.shown('undo');
SELECT collab.submit('undo', collab.invert('[{"retain":3},{"delete":8}]', collab.document('undo', 1)));
SELECT * FROM pg_temp.shown('undo');
-- deleted by one, something else put there by another, then undone on either side of that
SELECT collab.delete_text('undo', 5, 4);
SELECT collab.insert_text('undo', 5, 'other');
SELECT * FROM pg_temp.shown('undo');
SELECT collab.submit('undo', '[{"retain":10},{"insert":"this"}]');
SELECT * FROM pg_temp.shown('undo');
-- restored: the difference puts it back
SELECT collab.delete_text('undo', 8, 9);
SELECT * FROM pg_temp.shown('undo');
SELECT collab.restore('undo', 6);
SELECT * FROM pg_temp.shown('undo');

-- a save that comes late is an edit like any other: it was made at version 1 and moves nothing that others have moved
SELECT collab.create_document('late', 'alpha beta gamma');
SELECT collab.insert_text('late', 0, 'new ');
SELECT collab.add_comment('late', 10, 14, 'beta') IS NOT NULL AS added;
SELECT collab.submit('late', '[{"retain":16},{"insert":" delta"}]', base_version => 1, site => 5, clock => 1);
SELECT * FROM pg_temp.shown('late');
-- nor does one that writes the whole text again
SELECT collab.submit('late', '[{"insert":"new alpha beta gamma delta"},{"delete":26}]');
SELECT * FROM pg_temp.shown('late');

-- two that overlap, and both ends of a document
SELECT collab.create_document('overlap', 'abcdefgh');
SELECT collab.add_comment('overlap', 0, 5, 'first') IS NOT NULL AS added;
SELECT collab.add_comment('overlap', 3, 8, 'second') IS NOT NULL AS added;
SELECT collab.add_comment('overlap', 0, 8, 'all') IS NOT NULL AS added;
SELECT collab.insert_text('overlap', 4, '*');
SELECT collab.insert_text('overlap', 0, '<');
SELECT collab.insert_text('overlap', 10, '>');
SELECT * FROM pg_temp.shown('overlap');
SELECT collab.delete_text('overlap', 3, 3);
SELECT * FROM pg_temp.shown('overlap');
SELECT collab.delete_text('overlap', 0, 8);
SELECT * FROM pg_temp.shown('overlap');

-- embeds and pairs
SELECT collab.create_document('embeds', '[{"insert":"a😀"},{"insert":{"image":"x.png"}},{"insert":"b"}]'::collab.delta);
SELECT collab.add_comment('embeds', 1, 4, 'smile') IS NOT NULL AS added;
SELECT "from", "to", quote FROM collab.comments('embeds');
SELECT collab.add_comment('embeds', 2, 4, 'half a smile');

-- made behind the head: carried forward
SELECT collab.add_comment('comments', 4, 9, 'quick', version => 1) AS quick \gset
-- an id that can be printed
UPDATE collab.comments SET id = '00000000-0000-4000-8000-000000000001' WHERE id = :'quick' RETURNING id AS quick \gset
SELECT * FROM pg_temp.shown('comments');

-- threads
SELECT collab.reply(:'brown', 'Dark brown.') AS dark \gset
SELECT collab.reply(:'dark', 'Thanks.') IS NOT NULL AS replied;
SELECT thread = :'brown' AS in_thread, author = current_user AS mine, body, "from", quote, state, edited_at, resolved_by FROM collab.comments('comments');
SELECT collab.edit_comment(:'dark', 'Light brown.'), collab.edit_comment(:'dark', 'Light brown.');
SELECT body, edited_at > created_at AS edited FROM collab.comments('comments') WHERE comment = :'dark';
SELECT collab.resolve_comment(:'dark'), collab.resolve_comment(:'brown');
SELECT body, resolved_by = current_user AS by_me, resolved_at IS NOT NULL AS resolved FROM collab.comments('comments');
SELECT collab.reopen_comment(:'brown'), collab.reopen_comment(:'brown');
SELECT count(*) FROM collab.comments('comments') WHERE resolved_at IS NOT NULL OR resolved_by IS NOT NULL;
SELECT collab.delete_comment(:'dark'), collab.delete_comment(:'dark');
SELECT body FROM collab.comments('comments');
SELECT collab.delete_comment(:'brown');
SELECT body FROM collab.comments('comments');
SELECT count(*) FROM collab.comments WHERE doc = collab.document_key('comments');

-- what is refused
SELECT collab.add_comment('no-such-document', 0, 1, 'x');
SELECT collab.add_comment('comments', 3, 3, 'x');
SELECT collab.add_comment('comments', 5, 3, 'x');
SELECT collab.add_comment('comments', -1, 3, 'x');
SELECT collab.add_comment('comments', 0, 30, 'x');
SELECT collab.add_comment('comments', 0, 1, 'x', 6);
SELECT collab.add_comment('comments', 0, 1, 'x', -1);
SELECT collab.add_comment('comments', 0, 1, 'x', 0);
SELECT collab.add_comment('comments', 0, 1, '');
SELECT collab.add_comment('comments', 0, 1, NULL);
SELECT collab.add_comment(NULL, 0, 1, 'x');
SELECT collab.add_comment('comments', 0, 1, repeat('x', 65537));
SELECT collab.reply(:'quick', '');
SELECT collab.reply(NULL, 'x');
SELECT collab.reply('00000000-0000-0000-0000-000000000000', 'x');
SELECT collab.edit_comment('00000000-0000-0000-0000-000000000000', 'x');
SELECT collab.resolve_comment('00000000-0000-0000-0000-000000000000');
SELECT collab.reopen_comment('00000000-0000-0000-0000-000000000000');
SELECT collab.delete_comment('00000000-0000-0000-0000-000000000000');
SELECT * FROM collab.comments('no-such-document');
SELECT * FROM collab.comments('comments', 6);
SELECT * FROM collab.comments(NULL);

-- only its author changes or deletes a comment; anybody who may execute the functions replies, resolves, opens again
SET collab.user_id = 'alice';
SELECT collab.edit_comment(:'quick', 'x');
SELECT collab.delete_comment(:'quick');
SELECT collab.reply(:'quick', 'from alice') IS NOT NULL AS replied;
SELECT collab.resolve_comment(:'quick');
SELECT author, body, resolved_by FROM collab.comments('comments') WHERE thread IS NOT NULL OR resolved_by = 'alice' ORDER BY author COLLATE "C" = 'alice';
SELECT collab.reopen_comment(:'quick');
RESET collab.user_id;

-- bounds
SET collab.max_comments = 2;
SELECT collab.add_comment('comments', 0, 1, 'one too many');
SELECT collab.reply(:'quick', 'one too many');
RESET collab.max_comments;
SELECT collab.create_document('long', repeat('é', 40000));
SELECT collab.add_comment('long', 100, 39900, 'long') IS NOT NULL AS added;
SELECT length(c.quote), right(c.quote, 2), c."from", c."to", octet_length(t.anchor) < 100 AS small FROM collab.comments('long') c JOIN collab.comments t ON id = comment;

-- rolled back
BEGIN;
SELECT collab.add_comment('split', 0, 1, 'not for long') IS NOT NULL AS added;
SELECT body FROM collab.comments('split');
ROLLBACK;
SELECT body FROM collab.comments('split');

-- far behind: whoever comments, or the worker before that, carries the others along, and each version still shows what it did
SELECT collab.create_document('far', 'start middle end');
SELECT collab.add_comment('far', 6, 12, 'middle') IS NOT NULL AS added;
SELECT count(collab.insert_text('far', 6, 'x')) FROM generate_series(1, 700) i;
SELECT count(collab.delete_text('far', 6, 1)) FROM generate_series(1, 699) i;
SELECT * FROM pg_temp.shown('far');
SELECT collab.add_comment('far', 0, 5, 'start') IS NOT NULL AS added;
SELECT origin_version, anchor_version > 1000 AS carried, origin IS NULL AS at_origin FROM collab.comments WHERE doc = collab.document_key('far') ORDER BY 1;
SELECT * FROM pg_temp.shown('far');
SELECT * FROM pg_temp.shown('far', 1);
SELECT "from", "to", state FROM collab.comments('far', 701);

-- in compressed history it is the same, and what is folded is not needed to show comments where they are now
SELECT collab.create_document('folded', 'one two three');
SELECT collab.add_comment('folded', 4, 7, 'two') IS NOT NULL AS added;
SELECT count(collab.insert_text('folded', 0, 'x')) FROM generate_series(1, 60) i;
SELECT collab.fold('folded') > 0 AS folded;
SELECT max(c.last_version) > 1 AS chunks, min(t.anchor_version) >= max(c.last_version) AS carried, min(t.origin_version) FROM collab.chunks c JOIN collab.comments t USING (doc)
	WHERE doc = collab.document_key('folded');
SELECT "from", "to", quote FROM collab.comments('folded');
SELECT "from", "to", quote FROM collab.comments('folded', 11);
SELECT collab.fold('far') >= 0 AS folded;
SELECT * FROM pg_temp.shown('far');
SELECT * FROM pg_temp.shown('far', 1);
SELECT "from", "to", state FROM collab.comments('far', 701);

-- in one transaction with what it is about
BEGIN;
SELECT collab.insert_text('split', 0, 'zero ');
SELECT collab.add_comment('split', 0, 4, 'zero') IS NOT NULL AS added;
SELECT quote, "from", "to" FROM collab.comments('split');
ROLLBACK;
SELECT quote FROM collab.comments('split');

-- a range that is broken is reported and shown as one that lost its text
UPDATE collab.comments SET id = '00000000-0000-4000-8000-000000000002', anchor = set_byte(anchor, 2, get_byte(anchor, 2) # 1) WHERE doc = collab.document_key('late');
SELECT quote, "from", state FROM collab.comments('late');

SELECT count(collab.drop_document(d)) FROM unnest(ARRAY['comments', 'split', 'undo', 'late', 'overlap', 'embeds', 'long', 'far', 'folded']) d;
SELECT count(*) FROM collab.comments;

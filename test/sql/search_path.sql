-- A hostile search_path changes nothing: what the extension looks up, it looks up by its full name.

CREATE SCHEMA hostile;
CREATE FUNCTION hostile.trap(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION hostile.trap(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION hostile.trap(uuid, uuid) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION hostile.trap(collab.delta, collab.delta) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE OPERATOR hostile.= (LEFTARG = text, RIGHTARG = text, FUNCTION = hostile.trap);
CREATE OPERATOR hostile.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = hostile.trap);
CREATE OPERATOR hostile.= (LEFTARG = collab.delta, RIGHTARG = collab.delta, FUNCTION = hostile.trap);
CREATE OPERATOR hostile.> (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = hostile.trap);
CREATE TABLE hostile.documents (doc_id text);
CREATE TABLE hostile.events (doc bigint);
CREATE TABLE hostile.users (key bigint);
CREATE TABLE hostile.comments (doc bigint);
CREATE OPERATOR hostile.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = hostile.trap);
CREATE FUNCTION hostile.internal_pass() RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION hostile.document_key(text) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION hostile.current_user_id() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;

SET search_path = hostile, pg_catalog, collab;
SELECT collab.create_document('hostile', 'one');
SELECT collab.submit('hostile', '[{"retain":3},{"insert":" two"}]');
SELECT collab.insert_text('hostile', 0, 'zero ');
SELECT collab.replace_text('hostile', 'two', '2');
SELECT collab.text('hostile');
SELECT collab.document('hostile', 2);
SELECT version, author OPERATOR(pg_catalog.=) current_user AS mine FROM collab.events_since('hostile', 1);
SELECT kind, version FROM collab.open_document('hostile', 'a', 1, NULL, NULL, 0, 10);
SELECT message, status, code FROM collab.submit_batch('{hostile}', '{alice}', '{5}', '{1}', '{4}', '{NULL}', '{1}', ARRAY['[{"insert":"x"}]'::bytea]);
SELECT pg_catalog.count(*) FROM collab.document_list;
SELECT collab.add_comment('hostile', 0, 4, 'a comment') AS thread \gset
SELECT collab.reply(:'thread', 'a reply') AS reply \gset
SELECT collab.edit_comment(:'reply', 'another'), collab.resolve_comment(:'reply'), collab.reopen_comment(:'thread');
SELECT body, quote, state FROM collab.comments('hostile');
SELECT collab.delete_comment(:'reply');
SELECT collab.drop_document('hostile');
RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA hostile CASCADE;

-- Application tables that refer to documents, and a document's row that takes everything with it.

SET client_min_messages = warning;
SET search_path = public;

CREATE TABLE tickets (id int PRIMARY KEY, doc_id text REFERENCES collab.documents (doc_id) ON DELETE CASCADE);
CREATE TABLE reports (id int PRIMARY KEY, doc_id text REFERENCES collab.documents (doc_id));
CREATE TABLE drafts (id int PRIMARY KEY, doc_id text REFERENCES collab.documents (doc_id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED);

SELECT collab.create_document('fk-1', 'one'), collab.create_document('fk-2', 'two'), collab.create_document('fk-3', 'three'), collab.create_document('fk-4', 'four');
SELECT collab.insert_text('fk-1', 0, 'x'), collab.add_comment('fk-1', 1, 2, 'a comment') IS NOT NULL AS commented;

-- a reference needs a document
INSERT INTO tickets VALUES (1, 'fk-1'), (2, 'fk-1'), (3, 'fk-2');
INSERT INTO tickets VALUES (4, 'no-such-document');
INSERT INTO reports VALUES (1, 'fk-3');
INSERT INTO drafts VALUES (1, 'fk-4'), (2, 'fk-4');
-- one made in the same transaction will do
BEGIN;
SELECT collab.create_document('fk-5');
INSERT INTO tickets VALUES (5, 'fk-5');
ROLLBACK;

-- who refers to a document does not stop those who write it
BEGIN;
INSERT INTO tickets VALUES (6, 'fk-2');
SELECT collab.insert_text('fk-2', 0, 'x');
ROLLBACK;

-- dropped: what cascades goes, what restricts refuses
SELECT collab.drop_document('fk-1');
SELECT * FROM tickets ORDER BY id;
SELECT collab.drop_document('fk-3');
SELECT collab.text('fk-3');
DELETE FROM reports;
SELECT collab.drop_document('fk-3');
SELECT collab.drop_document('fk-4');
SELECT * FROM drafts ORDER BY id;

-- everything that had its key is gone
CREATE FUNCTION left_of(id text) RETURNS TABLE (name text, count bigint) LANGUAGE plpgsql AS $$
DECLARE
	t record;
BEGIN
	FOR t IN SELECT c.oid::regclass AS rel, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relnamespace = 'collab'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = CASE c.relname WHEN 'documents' THEN 'key' ELSE 'doc' END
	LOOP
		RETURN QUERY EXECUTE format('SELECT %L::text, count(*) FROM %s WHERE %I = $1 HAVING count(*) > 0', t.rel, t.rel, t.attname) USING collab.document_key(id);
	END LOOP;
END
$$;
SELECT * FROM left_of('fk-1');
SELECT name FROM left_of('fk-2') WHERE name IN ('collab.documents', 'collab.events') ORDER BY 1;

-- a plain DELETE by a superuser does the same
SELECT collab.add_comment('fk-2', 0, 2, 'a comment') AS thread \gset
SELECT collab.reply(:'thread', 'a reply') IS NOT NULL AS replied;
INSERT INTO collab.named_versions VALUES (collab.document_key('fk-2'), 'name', 1, 0, now());
INSERT INTO collab.archives VALUES (collab.document_key('fk-2'), 1, 1, now(), now(), 1, 1, 'fk-object', 'x', now());
BEGIN;
DELETE FROM collab.documents WHERE doc_id = 'fk-2';
SELECT * FROM left_of('fk-2');
SELECT * FROM tickets;
SELECT object FROM collab.archive_garbage WHERE object = 'fk-object';
-- and its name is free
SELECT collab.create_document('fk-2', 'another');
SELECT collab.text('fk-2'), count(*) FROM collab.comments('fk-2');
ROLLBACK;
SELECT collab.text('fk-2'), count(*) FROM collab.comments('fk-2');
DELETE FROM collab.archives WHERE doc = collab.document_key('fk-2');

-- so does a cascade from a table of the application's into documents
CREATE TABLE projects (doc_id text PRIMARY KEY);
ALTER TABLE collab.documents ADD CONSTRAINT of_project FOREIGN KEY (doc_id) REFERENCES projects ON DELETE CASCADE NOT VALID;
INSERT INTO projects VALUES ('fk-6');
SELECT collab.create_document('fk-6', 'six'), collab.insert_text('fk-6', 0, 'x');
SELECT collab.create_document('fk-7', 'seven');
DELETE FROM projects;
SELECT * FROM left_of('fk-6');
ALTER TABLE collab.documents DROP CONSTRAINT of_project;

-- many at once
SELECT count(collab.create_document('fk-many-' || i, 'x')) FROM generate_series(1, 50) i;
DELETE FROM collab.documents WHERE doc_id LIKE 'fk-many-%';
SELECT count(*) FROM collab.events e WHERE NOT EXISTS (SELECT FROM collab.documents WHERE key = e.doc);

-- What somebody hangs on his table runs with the rights of who drops the document, not with those of the owner of ours.
CREATE ROLE fk_mallory;
CREATE ROLE fk_alice;
CREATE SCHEMA fk_mallory AUTHORIZATION fk_mallory;
GRANT USAGE ON SCHEMA collab TO fk_mallory, fk_alice;
GRANT USAGE ON SCHEMA fk_mallory TO fk_alice;
GRANT REFERENCES (doc_id) ON collab.documents TO fk_mallory;
GRANT EXECUTE ON FUNCTION collab.drop_document(text), collab.create_document(text, text) TO fk_alice;
SET ROLE fk_mallory;
CREATE TABLE fk_mallory.spies (doc_id text REFERENCES collab.documents (doc_id) ON DELETE CASCADE);
CREATE TABLE fk_mallory.seen (at text, who text, passes boolean, rows text);
GRANT INSERT ON fk_mallory.seen TO PUBLIC;
CREATE FUNCTION fk_mallory.look() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	rows text;
BEGIN
	BEGIN
		SELECT count(*) INTO rows FROM collab.events;
	EXCEPTION WHEN insufficient_privilege THEN
		rows := sqlerrm;
	END;
	INSERT INTO fk_mallory.seen VALUES (TG_WHEN, current_user, collab.internal_pass(), rows);
	RETURN OLD;
END $$;
CREATE TRIGGER before BEFORE DELETE ON fk_mallory.spies FOR EACH ROW EXECUTE FUNCTION fk_mallory.look();
CREATE TRIGGER after AFTER DELETE ON fk_mallory.spies FOR EACH ROW EXECUTE FUNCTION fk_mallory.look();
SET ROLE fk_alice;
SELECT collab.create_document('fk-8', 'eight');
SET ROLE fk_mallory;
INSERT INTO fk_mallory.spies VALUES ('fk-8');
SET ROLE fk_alice;
SELECT collab.drop_document('fk-8');
RESET ROLE;
SELECT * FROM fk_mallory.seen;
DROP SCHEMA fk_mallory CASCADE;
REVOKE ALL ON SCHEMA collab FROM fk_mallory, fk_alice;
REVOKE ALL ON collab.documents FROM fk_mallory;
REVOKE ALL ON FUNCTION collab.drop_document(text), collab.create_document(text, text) FROM fk_alice;
DROP ROLE fk_mallory, fk_alice;

-- the triggers' functions are for these triggers only
SELECT collab.document_after_delete();
CREATE TRIGGER wrong AFTER INSERT ON tickets FOR EACH ROW EXECUTE FUNCTION collab.document_after_delete();
INSERT INTO tickets VALUES (7, 'fk-2');

DROP TABLE tickets, reports, drafts, projects;
DROP FUNCTION left_of;
SELECT collab.drop_document('fk-2'), collab.drop_document('fk-2');

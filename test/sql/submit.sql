-- submit(): one change in whatever transaction its caller is in.

SELECT collab.create_document('submit');
SELECT collab.submit('submit', '[{"insert":"abc"}]');
-- at the head, at a version, as a site
SELECT collab.submit('submit', '[{"retain":3},{"insert":"d"}]');
SELECT collab.submit('submit', '[{"retain":3},{"insert":"e"}]', 1);
SELECT collab.submit('submit', '[{"insert":"f"}]', 3, 77, 1);
SELECT collab.submit('submit', '[{"insert":"f"}]', base_version => 3, site => 77, clock => 1);
SELECT collab.submit('submit', '{"type":"insert","pos":1,"content":"g"}', site => 77, clock => 5);
SELECT version, site, clock, base_version, op, length FROM collab.events_since('submit', 0);
SELECT collab.text('submit');

-- refused
SELECT collab.submit('no-such-document', '[]');
SELECT collab.submit('not an id', '[]');
SELECT collab.submit('', '[]');
SELECT collab.submit(repeat('x', 200), '[]');
SELECT collab.submit(NULL, '[]');
SELECT collab.submit('submit', NULL);
SELECT collab.submit('submit', '[{"retain":8},{"insert":"x"}]');
SELECT collab.submit('submit', '[{"delete":8}]');
SELECT collab.submit('submit', '[{"retain":7,"attributes":{"b":1}}]', 1);
SELECT collab.submit('submit', '[]', 6);
SELECT collab.submit('submit', '[]', 9223372036854775807);
SELECT collab.submit('submit', '[]', -1);
SELECT collab.submit('submit', '[]', base_event => 42);
SELECT collab.submit('submit', '[]', 2, base_event => 42);
SELECT collab.submit('submit', '[]', clock => 1);
SELECT collab.submit('submit', '[]', site => 5);
SELECT collab.submit('submit', '[]', site => NULL, clock => 1);
SELECT collab.submit('submit', '[]', site => -1, clock => 1);
SELECT collab.submit('submit', '[]', site => 9007199254740992, clock => 1);
SELECT collab.submit('submit', '[]', site => 9007199254740991, clock => 9007199254740991);
SELECT collab.submit('submit', '[]', site => 5, clock => 0);
SELECT collab.submit('submit', '[]', site => 5, clock => 9007199254740992);
SELECT collab.submit('submit', '[{"insert":"other"}]', base_version => 3, site => 77, clock => 1);
SELECT collab.submit('submit', '[{"insert":"x"}]', base_version => 3, site => 77, clock => 2);
SELECT collab.submit('submit', '[{"insert":"x"}]', base_version => 5, site => 77, clock => 5);
-- the limits of operations hold for values that came around them
SELECT collab.submit('submit', (SELECT jsonb_build_array(jsonb_build_object('insert', 'x', 'attributes', jsonb_object_agg('k' || i, 1))) FROM generate_series(1, 65) i)::collab.delta);
SELECT collab.submit('submit', (SELECT jsonb_agg(o) FROM generate_series(1, 5001) i, (VALUES ('{"insert":"x","attributes":{"a":1}}'::jsonb), ('{"insert":"y"}')) v (o))::collab.delta);
SELECT collab.submit('submit', jsonb_build_array(jsonb_build_object('insert', repeat('x', 2000000)))::collab.delta);
SELECT collab.submit('submit', format('[{"insert":%s1%s}]', repeat('[', 16), repeat(']', 16))::collab.delta);
SET collab.max_document_units = 9;
SELECT collab.submit('submit', '[{"insert":"xyz"}]');
SELECT collab.submit('submit', '[{"insert":"xy"}]');
SELECT collab.submit('submit', '[{"insert":"z"}]');
SELECT collab.submit('submit', '[{"insert":"zzz"},{"delete":3}]');
SET collab.max_document_units = 4;
SELECT collab.submit('submit', '[{"insert":"z"},{"delete":2}]');
RESET collab.max_document_units;
SELECT collab.text('submit');
-- nothing of what was refused is there
SELECT count(*), max(version), (SELECT count(*) FROM collab.users WHERE user_id = 'nobody') FROM collab.events_since('submit', 0);

-- several in one transaction, in one statement, and undone
BEGIN;
SELECT collab.submit('submit', '[{"insert":"1"}]');
SELECT collab.submit('submit', '[{"insert":"2"}]'), collab.submit('submit', '[{"insert":"3"}]');
SELECT count(collab.submit('submit', '[{"insert":"."}]')) FROM generate_series(1, 5);
SELECT collab.text('submit');
SAVEPOINT s;
SELECT collab.submit('submit', '[{"insert":"😀"}]');
SELECT collab.submit('submit', '[{"retain":2},{"insert":"x"}]');
SELECT collab.text('submit');
ROLLBACK TO s;
SELECT collab.text('submit');
SELECT collab.submit('submit', '[{"retain":1},{"insert":"4"}]');
ROLLBACK;
SELECT collab.text('submit'), max(version) FROM collab.events_since('submit', 0);

-- exception blocks: what a subtransaction did is undone, in every cache, too
DO $$
BEGIN
	FOR i IN 1 .. 4 LOOP
		BEGIN
			PERFORM collab.submit('submit', '[{"insert":"😀"}]');
			PERFORM collab.submit('submit', '[{"retain":2},{"insert":"<"}]');
			PERFORM collab.create_document('sub-' || i, '😀');
			IF i % 2 = 0 THEN
				RAISE EXCEPTION 'undo';
			END IF;
		EXCEPTION WHEN raise_exception THEN
			NULL;
		END;
	END LOOP;
	BEGIN
		PERFORM collab.submit('submit', '[{"retain":1},{"insert":"x"}]');
	EXCEPTION WHEN SQLSTATE 'OT003' THEN
		RAISE NOTICE 'refused: %', SQLERRM;
	END;
END
$$;
SELECT collab.text('submit'), max(version) FROM collab.events_since('submit', 0);
SELECT doc_id FROM collab.document_list WHERE doc_id LIKE 'sub-%' ORDER BY 1;
SELECT collab.submit('submit', '[{"retain":6},{"insert":"x"}]');
SELECT collab.submit('submit', '[{"retain":3},{"insert":"x"}]');
SELECT collab.submit('submit', '[{"retain":1},{"insert":"x"}]');

-- The cache of contents, where a rollback is followed by other events of the same versions
BEGIN;
SELECT collab.submit('sub-1', '[{"retain":2},{"insert":"a"}]');
SELECT collab.submit('sub-1', '[{"retain":2},{"insert":"😀"}]');
ROLLBACK;
SELECT collab.submit('sub-1', '[{"insert":"b"}]');
SELECT collab.submit('sub-1', '[{"insert":"c"}]');
SELECT collab.submit('sub-1', '[{"retain":4},{"insert":"d"}]');
SELECT collab.submit('sub-1', '[{"retain":3},{"insert":"d"}]');
SELECT collab.text('sub-1');

-- who: the role, or the user that a trusted session names
SET collab.user_id = 'alice';
SELECT collab.submit('submit', '[]'), collab.current_user_id();
RESET collab.user_id;
SELECT author = current_user AS role, lead(author) OVER (ORDER BY version) FROM collab.events_since('submit', (SELECT max(version) - 2 FROM collab.events_since('submit', 0))) LIMIT 1;
SELECT user_id, key = collab.user_key(user_id) AS hashed FROM collab.users WHERE user_id = 'alice';
-- a user whose first edit is undone
BEGIN;
SET LOCAL collab.user_id = 'passer-by';
SELECT collab.submit('submit', '[]') > 0;
SELECT collab.submit('submit', '[]') > 0;
ROLLBACK;
SELECT count(*) FROM collab.users WHERE user_id = 'passer-by';
SET collab.user_id = 'passer-by';
SELECT collab.submit('submit', '[]') > 0;
SELECT count(*) FROM collab.users WHERE user_id = 'passer-by';
RESET collab.user_id;

-- two names with one key are refused, for documents and users
BEGIN;
ALTER TABLE collab.users DROP CONSTRAINT users_key_check;
INSERT INTO collab.users VALUES (collab.user_key('wanted'), 'taken', now());
SET LOCAL collab.user_id = 'wanted';
SELECT collab.submit('submit', '[]');
ROLLBACK;
BEGIN;
ALTER TABLE collab.documents DROP CONSTRAINT documents_key_check;
INSERT INTO collab.documents VALUES (collab.document_key('wanted'), 'taken', 'delta', 0, now());
SAVEPOINT s;
SELECT collab.create_document('wanted');
ROLLBACK TO s;
SELECT collab.submit('wanted', '[]');
ROLLBACK TO s;
SELECT status, code, detail FROM collab.submit_batch('{wanted}', '{alice}', '{1}', '{1}', '{0}', '{NULL}', '{1}', ARRAY['[]'::bytea]);
SELECT collab.drop_document('wanted');
ROLLBACK;

-- where nothing may be written
BEGIN READ ONLY;
SELECT collab.submit('submit', '[]');
ROLLBACK;
BEGIN READ ONLY;
SELECT collab.create_document('read-only');
ROLLBACK;
BEGIN READ ONLY;
SELECT collab.drop_document('submit');
ROLLBACK;
BEGIN READ ONLY;
SELECT * FROM collab.submit_batch('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}');
ROLLBACK;
-- not in parallel workers, which the planner knows
SET force_parallel_mode = on;
SELECT collab.submit('submit', '[]') > 0;
SELECT count(*) > 0 FROM collab.events_since('submit', 0);
RESET force_parallel_mode;

-- documents
SELECT collab.create_document('submit');
SELECT collab.create_document('..'), 1;
SELECT collab.create_document('a/b');
SELECT collab.create_document('');
SELECT collab.create_document(repeat('x', 129));
SELECT collab.create_document(NULL);
SELECT collab.create_document(repeat('x', 128)), collab.drop_document(repeat('x', 128)), collab.drop_document(repeat('x', 128));
SELECT collab.create_document('rich', '[{"insert":"a","attributes":{"b":true}},{"insert":{"image":"x"}}]'::collab.delta);
SELECT collab.document('rich');
SELECT collab.create_document('not-a-document', '[{"retain":1}]'::collab.delta);
SELECT collab.create_document('empty', ''), collab.create_document('empty2', '[]'::collab.delta), collab.create_document('empty3', NULL::collab.delta);
SELECT collab.drop_document('no-such-document'), collab.drop_document('not an id'), collab.drop_document(NULL);
BEGIN;
SELECT collab.drop_document('rich'), collab.create_document('rich', 'again'), collab.submit('rich', '[{"insert":"x"}]');
SELECT collab.text('rich');
ROLLBACK;
SELECT collab.text('rich'), count(*) FROM collab.events_since('rich', 0);
SELECT doc_id, kind, owner = current_user AS mine FROM collab.document_list WHERE doc_id IN ('rich', 'empty') ORDER BY 1;
SELECT version, author = current_user AS mine, op, event = collab.event_id(collab.user_key(author), site, clock, created_at) AS id FROM collab.event_list WHERE doc_id = 'rich';

-- triggers of a DBA see rows that are there, without the pass through row-level security; what would be passed over is refused
CREATE TABLE seen (version bigint, pass boolean);
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES (NEW.version, collab.internal_pass()); RETURN NULL; END $$;
CREATE TRIGGER see AFTER INSERT ON collab.events FOR EACH ROW EXECUTE FUNCTION see();
SELECT collab.submit('empty', '[{"insert":"1"}]'), collab.submit('empty', '[{"insert":"2"}]');
SELECT count(*) FROM collab.submit_batch('{empty,empty2}', '{alice,bob}', '{1,2}', '{1,1}', '{0,0}', '{NULL,NULL}', '{2,1}', ARRAY['[]', '[]', '[]']::bytea[]);
SELECT * FROM seen ORDER BY 1;
DROP TRIGGER see ON collab.events;
CREATE TRIGGER see BEFORE INSERT ON collab.events FOR EACH ROW EXECUTE FUNCTION see();
SELECT collab.submit('empty', '[]');
DROP TRIGGER see ON collab.events;
CREATE TRIGGER see AFTER INSERT ON collab.events FOR EACH STATEMENT EXECUTE FUNCTION see();
SELECT collab.submit('empty', '[]');
ALTER TABLE collab.events DISABLE TRIGGER see;
SELECT collab.submit('empty', '[]');
DROP TRIGGER see ON collab.events;
CREATE FUNCTION see_deleted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen VALUES (-1, collab.internal_pass()); RETURN NULL; END $$;
CREATE TRIGGER see AFTER DELETE ON collab.events FOR EACH ROW EXECUTE FUNCTION see_deleted();
SELECT collab.drop_document('empty');
DROP TRIGGER see ON collab.events;
-- a document is deleted by SQL: whatever hangs on its row is fired, without the pass
CREATE TRIGGER see AFTER DELETE ON collab.documents FOR EACH ROW EXECUTE FUNCTION see_deleted();
BEGIN;
SELECT collab.drop_document('empty');
SELECT * FROM seen WHERE version = -1;
ROLLBACK;
DROP TRIGGER see ON collab.documents;
DROP FUNCTION see_deleted;
SELECT collab.internal_pass();

-- a table that lost its shape is not written to
BEGIN;
ALTER TABLE collab.events ADD COLUMN extra int;
SELECT collab.submit('empty', '[]');
ROLLBACK;
SELECT collab.submit('empty', '[]');

SELECT count(collab.drop_document(doc_id)) FROM collab.document_list WHERE doc_id IN ('submit', 'rich', 'empty', 'empty2', 'empty3') OR doc_id LIKE 'sub-%';
DROP TABLE seen;
DROP FUNCTION see;

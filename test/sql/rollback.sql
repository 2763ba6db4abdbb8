-- What is rolled back leaves no trace: not in tables, not in caches, not in what listeners are told.

SET search_path = public;
SET client_min_messages = warning;

SELECT count(collab.create_document('rollback-' || i, 'hello')) FROM generate_series(1, 60) i;

-- a transaction whose only edits were in a subtransaction that rolled back: the next one starts from nothing
BEGIN;
SAVEPOINT s;
SELECT count(collab.insert_text('rollback-' || i, 0, 'x')) FROM generate_series(1, 60) i;
ROLLBACK TO s;
COMMIT;
BEGIN;
SAVEPOINT a; SAVEPOINT b; SAVEPOINT c; SAVEPOINT d; SAVEPOINT e; SAVEPOINT f; SAVEPOINT g;
DECLARE c1 CURSOR FOR SELECT * FROM pg_class;
SELECT count(pg_notify('rollback', 'hello ' || i)) FROM generate_series(1, 20) i;
SELECT count(collab.insert_text('rollback-' || i, 0, 'y')) FROM generate_series(1, 60) i;
COMMIT;
SELECT count(*), min(collab.text('rollback-' || i)), max(collab.text('rollback-' || i)) FROM generate_series(1, 60) i;

-- the same in exception blocks of PL/pgSQL, many times
CREATE FUNCTION pg_temp.try_and_fail(id text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	PERFORM collab.insert_text(id, 0, 'lost ');
	PERFORM collab.insert_text(id, 0, 'lost too ');
	RAISE EXCEPTION 'no';
EXCEPTION WHEN raise_exception THEN
	RETURN collab.insert_text(id, 0, 'kept ');
END
$$;
SELECT count(pg_temp.try_and_fail('rollback-' || i)) FROM generate_series(1, 60) i;
SELECT pg_temp.try_and_fail('rollback-1');
SELECT collab.text('rollback-1'), collab.text('rollback-60');
SELECT version, op FROM collab.events_since('rollback-1', 1);

-- a clock that was set back: what takes the place of an edit that was rolled back has its id, and must not be taken for it
SELECT collab.create_document('clock', 'abc def');
UPDATE collab.events SET created_at = now() + interval '1 hour', checksum = NULL WHERE doc = collab.document_key('clock');
BEGIN;
SAVEPOINT s;
SELECT collab.insert_text('clock', 0, 'X'), collab.replace_text('clock', 'q', 'q');
ROLLBACK TO s;
SELECT collab.insert_text('clock', 0, 'Y'), collab.replace_text('clock', 'X', '!');
COMMIT;
BEGIN;
SELECT collab.insert_text('clock', 0, 'X'), collab.replace_text('clock', 'q', 'q');
ROLLBACK;
SELECT collab.insert_text('clock', 0, 'Z'), collab.replace_text('clock', 'X', '!');
SELECT collab.text('clock'), collab.drop_document('clock');

SELECT count(collab.drop_document('rollback-' || i)) FROM generate_series(1, 60) i;

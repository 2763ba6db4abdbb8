-- Work inside the core ends with a cancelled query, and with an error that says so.
CREATE FUNCTION timed_out(statement text, OUT code text, OUT in_time boolean) LANGUAGE plpgsql AS $$
DECLARE
	started timestamptz := clock_timestamp();
BEGIN
	BEGIN
		EXECUTE statement;
	EXCEPTION WHEN query_canceled OR program_limit_exceeded OR out_of_memory THEN
		code := SQLSTATE;
	END;
	in_time := clock_timestamp() - started < '2.5 s';
END $$;
CREATE TABLE big AS SELECT
	(SELECT '[' || string_agg(CASE WHEN i % 2 = 0 THEN '{"insert":"a","attributes":{"b":true}}' ELSE '{"insert":"a"}' END, ',') || ']' FROM generate_series(1, 20000) i)::collab.delta AS runs,
	('[{"retain":20000,"attributes":{"k":"' || repeat('x', 30000) || '"}}]')::collab.delta AS format;

SET statement_timeout = '300ms';
SELECT * FROM timed_out('SELECT collab.delta_length(collab.compose(runs, format)) FROM big');
RESET statement_timeout;
DROP TABLE big;
DROP FUNCTION timed_out;

-- An error that passes through our subtransactions ends them on its way: who catches it goes on where he was, in his own.
SELECT collab.create_document('interrupted', 'abc');
SELECT collab.insert_text('interrupted', 0, 'x') FROM generate_series(1, 3);
SELECT collab.fold('interrupted');
WITH chunk AS (DELETE FROM collab.chunks WHERE doc = collab.document_key('interrupted') RETURNING *) INSERT INTO collab.archives
	SELECT doc, first_version, last_version, created_first, created_last, events, 1, 'nowhere', sha256(''), now() FROM chunk;
CREATE TABLE said (word text);
SET collab.thaw_timeout = '1min';
SET search_path = public;
SET statement_timeout = '300ms';
DO $$
BEGIN
	INSERT INTO said VALUES ('before');
	BEGIN
		PERFORM * FROM collab.verify('interrupted');
	EXCEPTION WHEN query_canceled THEN
		INSERT INTO said VALUES ('cancelled');
	END;
END $$;
RESET statement_timeout;
RESET collab.thaw_timeout;
SELECT current_user = session_user AS user, current_setting('search_path') AS path, transaction_timestamp() = statement_timestamp() AS committed;
ROLLBACK;
SELECT * FROM said;
DROP TABLE said;
SELECT collab.drop_document('interrupted');
DELETE FROM collab.archive_garbage;

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

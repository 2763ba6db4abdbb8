-- The binary form: what is sent comes back, and no bytes that somebody sends harm the server.

SET search_path = public, collab;
\set SHOW_CONTEXT never

CREATE TEMP TABLE sent (id int, d collab.delta);
INSERT INTO sent VALUES
	(1, '[]'),
	(2, '[{"insert":"Hello"}]'),
	(3, '[{"retain":3,"attributes":{"bold":true,"nested":{"a":[1,2,{"b":null}]}}},{"delete":2},{"retain":1},{"insert":{"image":"x"},"attributes":{"alt":"é"}}]'),
	(4, '[{"insert":"a😀b","attributes":{"link":"https://example.org/"}}]'),
	(5, '[{"retain":{"delta":[{"retain":1},{"insert":"x"}]}}]'),
	(6, ('[{"insert":"' || repeat('0123456789', 1000) || '"}]')::collab.delta);

-- a file that the server writes and reads stands for a client's binary parameters
CREATE TABLE received (id int, d collab.delta);
SELECT current_setting('data_directory') || '/collab_delta_binary' AS file \gset
COPY sent TO :'file' (FORMAT binary);
COPY received FROM :'file' (FORMAT binary);
SELECT s.id, s.d = r.d AS same FROM sent s JOIN received r USING (id) ORDER BY id;
TRUNCATE received;

-- One row whose delta is the given bytes.
CREATE FUNCTION receive(bytes bytea) RETURNS collab.delta LANGUAGE plpgsql AS $$
DECLARE
	file text := current_setting('data_directory') || '/collab_delta_binary';
	lob oid := lo_from_bytea(0, '\x5047434f50590aff0d0a00'::bytea || int4send(0) || int4send(0)
							 || int2send(2::int2) || int4send(4) || int4send(1) || int4send(length(bytes)) || bytes || '\xffff'::bytea);
	result collab.delta;
BEGIN
	PERFORM lo_export(lob, file);
	PERFORM lo_unlink(lob);
	DELETE FROM received;
	EXECUTE format('COPY received FROM %L (FORMAT binary)', file);
	SELECT d INTO result FROM received;
	RETURN result;
END
$$;

SELECT receive(collab.delta_send('[{"insert":"round trip"}]'));

-- refused
SELECT receive('');
SELECT receive('\x00');
SELECT receive('\xff');
SELECT receive(collab.delta_send('[{"insert":"a"}]') || '\x00');
SELECT receive(substring(collab.delta_send('[{"insert":"abc"}]') FROM 1 FOR 3));
SELECT receive(decode(repeat('ff', 1000), 'hex'));
\set VERBOSITY sqlstate
SELECT receive('\xff');
\set VERBOSITY default

-- Every cut, and each byte replaced by several others: an error, or a value that prints, parses and is itself again.
CREATE FUNCTION try_receive(bytes bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	d collab.delta;
BEGIN
	d := receive(bytes);
	IF d::text::collab.delta IS DISTINCT FROM d OR collab.delta_send(d::text::collab.delta) <> collab.delta_send(d) THEN
		RETURN 'not itself: ' || d::text;
	END IF;
	RETURN 'accepted';
EXCEPTION
	WHEN invalid_binary_representation THEN RETURN 'refused';
END
$$;

SELECT DISTINCT try_receive(substring(b FROM 1 FOR cut))
FROM (SELECT collab.delta_send(d) AS b FROM sent WHERE id IN (3, 4, 5)) s, generate_series(0, length(b) - 1) cut;

SELECT count(*) > 1000 AS enough, bool_and(r IN ('accepted', 'refused')) AS fine, bool_or(r = 'refused') AS some_refused
FROM (SELECT try_receive(set_byte(b, at, value)) AS r
	  FROM (SELECT collab.delta_send(d) AS b FROM sent WHERE id IN (3, 4, 5)) s,
		   generate_series(0, length(b) - 1) at,
		   unnest(ARRAY[0, 1, 2, 4, 127, 128, 255]) value) t;

DROP FUNCTION try_receive(bytea);
DROP FUNCTION receive(bytea);
DROP TABLE received;

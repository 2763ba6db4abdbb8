-- The type collab.delta: what is accepted and how it prints, one per line; what is refused, one per line.

SET search_path = public, collab;

-- accepted
SELECT '{"ops":[{"insert":"Hello"}]}'::collab.delta;
SELECT '[{"insert":"Hello"}]'::collab.delta;
SELECT '{"ops":[]}'::collab.delta;
SELECT '[]'::collab.delta;
SELECT ' { "ops" : [ { "retain" : 3 } , { "delete" : 2 } ] } '::collab.delta;
SELECT '{"type":"insert","pos":5,"content":"X"}'::collab.delta;
SELECT '{"type":"insert","pos":0,"content":"X"}'::collab.delta;
SELECT '{"type":"delete","pos":5,"length":2}'::collab.delta;
SELECT '[{"insert":{"image":"a.png"}},{"insert":7},{"insert":false}]'::collab.delta;
SELECT '[{"retain":1e3},{"insert":"x"}]'::collab.delta;
SELECT '[{"retain":9007199254740990},{"delete":1}]'::collab.delta;
SELECT '[{"insert":"tab\tquote\"back\\slash/line\nend\u0001\u00e9"}]'::collab.delta;
SELECT '[{"insert":"\ud83d\ude00"}]'::collab.delta = '[{"insert":"😀"}]'::collab.delta AS same;
SELECT '[{"retain":{"delta":[{"insert":"x"}]}}]'::collab.delta;

-- canonical form
SELECT '[{"insert":"a"},{"insert":"b"},{"insert":"c","attributes":{"bold":true}},{"insert":"d","attributes":{"bold":true}}]'::collab.delta;
SELECT '[{"insert":"a","attributes":{"z":1,"a":{"y":[1,2],"b":null}}}]'::collab.delta;
SELECT '[{"insert":"a","attributes":{}}]'::collab.delta;
SELECT '[{"insert":"a","attributes":null}]'::collab.delta;
SELECT '[{"delete":1},{"insert":"a"},{"delete":2}]'::collab.delta;
SELECT '[{"delete":1},{"retain":4}]'::collab.delta;
SELECT '[{"insert":"x","attributes":{"size":1.0,"big":1e21,"neg":-0}}]'::collab.delta;
SELECT '[{"insert":"x","attributes":{"a":1,"a":2}}]'::collab.delta;

-- refused: not JSON
SELECT ''::collab.delta;
SELECT 'null'::collab.delta;
SELECT '{'::collab.delta;
SELECT '[{"insert":"a"}'::collab.delta;
SELECT '[{"insert":"a"}] x'::collab.delta;
SELECT '[{"insert":"a"},]'::collab.delta;
SELECT '[{insert:"a"}]'::collab.delta;
SELECT '[{"insert":''a''}]'::collab.delta;
SELECT '[{"retain":01}]'::collab.delta;
SELECT '[{"retain":+1}]'::collab.delta;
SELECT '[{"retain":NaN}]'::collab.delta;
SELECT E'[{"insert":"a\nb"}]'::collab.delta;
SELECT '[{"insert":"\x"}]'::collab.delta;
SELECT '[{"insert":"\u00"}]'::collab.delta;

-- refused: JSON, but not a delta
SELECT '7'::collab.delta;
SELECT '"insert"'::collab.delta;
SELECT '{}'::collab.delta;
SELECT '{"ops":{}}'::collab.delta;
SELECT '{"ops":[],"more":1}'::collab.delta;
SELECT '[7]'::collab.delta;
SELECT '[{}]'::collab.delta;
SELECT '[{"foo":1}]'::collab.delta;
SELECT '[{"insert":"a","foo":1}]'::collab.delta;
SELECT '[{"insert":"a","delete":1}]'::collab.delta;
SELECT '[{"retain":1,"delete":1}]'::collab.delta;
SELECT '[{"attributes":{"bold":true}}]'::collab.delta;
SELECT '[{"delete":1,"attributes":{"bold":true}}]'::collab.delta;
SELECT '[{"insert":null}]'::collab.delta;
SELECT '[{"insert":"a","attributes":7}]'::collab.delta;
SELECT '[{"insert":"a","attributes":["bold"]}]'::collab.delta;
SELECT '[{"insert":"\ud83d"}]'::collab.delta;
SELECT '[{"insert":"\ude00\ud83d"}]'::collab.delta;
SELECT '[{"insert":"\u0000"}]'::collab.delta;
SELECT '[{"insert":"a","attributes":{"\u0000":1}}]'::collab.delta;
SELECT '{"type":"replace","pos":5,"content":"X"}'::collab.delta;
SELECT '{"type":"insert","pos":-1,"content":"X"}'::collab.delta;
SELECT '{"type":"delete","pos":5}'::collab.delta;

-- refused: counts
SELECT '[{"retain":0}]'::collab.delta;
SELECT '[{"retain":-1}]'::collab.delta;
SELECT '[{"retain":1.5}]'::collab.delta;
SELECT '[{"retain":"2"}]'::collab.delta;
SELECT '[{"retain":true}]'::collab.delta;
SELECT '[{"retain":null}]'::collab.delta;
SELECT '[{"retain":9007199254740992}]'::collab.delta;
SELECT '[{"retain":1e400}]'::collab.delta;
SELECT '[{"delete":0}]'::collab.delta;
SELECT '[{"delete":-1}]'::collab.delta;
SELECT '[{"delete":1e-1}]'::collab.delta;
SELECT '[{"delete":99999999999999999999999999}]'::collab.delta;
SELECT '[{"delete":9007199254740991},{"delete":9007199254740991}]'::collab.delta;

-- refused: embed changes of other types than delta
SELECT '[{"retain":{"image":"a.png"}}]'::collab.delta;
SELECT '[{"retain":[1]}]'::collab.delta;

-- refused: nesting that is meant to exhaust a stack; many attributes are only slow
SELECT ('[{"insert":' || repeat('[', 100000) || repeat(']', 100000) || '}]')::collab.delta;
SELECT collab.delta_length(('[{"insert":"a","attributes":{' || string_agg(format('"k%s":%s', i, i), ',') || '}}]')::collab.delta)
FROM generate_series(1, 100000) i;

-- codes
\set VERBOSITY sqlstate
SELECT '[{"insert":"a"}'::collab.delta;
SELECT '[{"foo":1}]'::collab.delta;
SELECT ('[{"insert":' || repeat('[', 100000) || repeat(']', 100000) || '}]')::collab.delta;
\set VERBOSITY default

-- NULL and storage
CREATE TEMP TABLE delta_values (id int, d collab.delta);
INSERT INTO delta_values VALUES (1, NULL), (2, '[]'), (3, ('[{"insert":"' || repeat('long text ', 20000) || '"}]')::collab.delta);
SELECT id, collab.delta_length(d), pg_column_size(d) < 10000 AS small FROM delta_values ORDER BY id;

-- text and back gives the same
SELECT d::text::collab.delta = d AS same FROM delta_values ORDER BY id;

-- comparison is deep: order of keys, spelling of numbers, division into ops do not count
SELECT '[{"insert":"ab","attributes":{"a":1,"b":2}}]'::collab.delta = '[{"insert":"a","attributes":{"b":2,"a":1.0}},{"insert":"b","attributes":{"b":2e0,"a":1}}]'::collab.delta AS equal;
SELECT '[{"insert":"a"}]'::collab.delta <> '[{"insert":"b"}]'::collab.delta AS different;
SELECT '[{"insert":"a"}]'::collab.delta = '[{"insert":"a","attributes":{"x":null}}]'::collab.delta AS equal;
SELECT a < b AS lt, a <= b AS le, a > b AS gt, a >= b AS ge, a = b AS eq
FROM (VALUES ('[{"insert":"a"}]'::collab.delta, '[{"insert":"b"}]'::collab.delta), ('[]', '[]'), ('[{"insert":"a"}]', '[{"insert":"aa"}]')) v (a, b);
SELECT count(DISTINCT d) FROM (VALUES ('[{"insert":"a"}]'::collab.delta), ('{"ops":[{"insert":"a"}]}'), ('[{"insert":"b"}]')) v (d);
SELECT d, count(*) FROM (VALUES ('[{"insert":"a"}]'::collab.delta), ('{"ops":[{"insert":"a"}]}'), ('[{"insert":"b"}]')) v (d) GROUP BY d ORDER BY d;
SET enable_hashjoin = off;
SELECT count(*) FROM delta_values a JOIN delta_values b USING (d);
RESET enable_hashjoin;
SET enable_mergejoin = off;
SELECT count(*) FROM delta_values a JOIN delta_values b USING (d);
RESET enable_mergejoin;
CREATE TEMP TABLE delta_keys (d collab.delta PRIMARY KEY);
INSERT INTO delta_keys VALUES ('[{"insert":"a"}]');
INSERT INTO delta_keys VALUES ('{"ops":[{"insert":"a"}]}');
CREATE INDEX ON delta_keys USING hash (d);
SELECT collab.delta_hash('[{"insert":"a"}]') = collab.delta_hash('{"ops":[{"insert":"a"}]}') AS equal;
SELECT collab.delta_hash_extended('[{"insert":"a"}]', 0) <> collab.delta_hash_extended('[{"insert":"a"}]', 1) AS seeded;

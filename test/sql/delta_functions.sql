-- The algebra in SQL. What the functions compute is compared with npm quill-delta elsewhere; here: that each is wired to the right one.

SET search_path = public, collab;

SELECT collab.compose('[{"insert":"Hello"}]', '[{"retain":5},{"insert":" World"}]');
SELECT collab.compose('[{"insert":"Hello","attributes":{"bold":true}}]', '[{"retain":5,"attributes":{"bold":null}}]');
SELECT collab.compose('[{"retain":5,"attributes":{"bold":true}}]', '[{"retain":5,"attributes":{"bold":null}}]');
SELECT '[{"insert":"Hello"}]'::collab.delta || '[{"delete":1},{"insert":"J"}]';
SELECT collab.compose('[{"retain":2},{"insert":"x"}]', '[{"retain":9},{"delete":2}]');

-- what only inserts may be a change too: the second may reach past it, as in the aggregate; it may not cut a surrogate pair
SELECT collab.compose('[{"insert":"Hello"}]', '[{"retain":6}, {"insert":"x"}]');
SELECT collab.compose('[{"insert":"Hello"}]', '[{"delete":6}]');
SELECT collab.compose('[{"insert":"😀"}]', '[{"retain":1},{"insert":"x"}]');
SELECT collab.compose('[{"insert":"😀"}]', '[{"delete":1}]');
\set VERBOSITY sqlstate
SELECT collab.compose('[{"insert":"😀"}]', '[{"delete":1}]');
\set VERBOSITY default

-- transform(a, b, a_first)
SELECT collab.transform('[{"insert":"A"}]', '[{"insert":"B"}]', true);
SELECT collab.transform('[{"insert":"A"}]', '[{"insert":"B"}]', false);
SELECT collab.transform('[{"retain":1,"attributes":{"color":"red"}}]', '[{"retain":1,"attributes":{"color":"blue","bold":true}}]', true);
SELECT collab.transform('[{"retain":1,"attributes":{"color":"red"}}]', '[{"retain":1,"attributes":{"color":"blue","bold":true}}]', false);
SELECT collab.transform('[{"delete":3}]', '[{"retain":2},{"delete":2}]', true);
SELECT collab.transform(NULL, '[{"insert":"B"}]', true) IS NULL AS strict;

SELECT p, collab.transform_position('[{"retain":2},{"insert":"ab"},{"delete":1}]', p), collab.transform_position('[{"retain":2},{"insert":"ab"},{"delete":1}]', p, true)
FROM generate_series(0, 5) p;
SELECT collab.transform_position(change => '[{"insert":"a"}]', "position" => 0, priority => true);
SELECT collab.transform_position('[]', -1);
SELECT collab.transform_position('[{"insert":"abc"}]', 9223372036854775807);
SELECT collab.transform_position('[{"insert":"abc"}]', 9007199254740991);

SELECT collab.invert('[{"retain":1},{"delete":2},{"insert":"X"}]', '[{"insert":"abcd"}]');
SELECT collab.compose(collab.compose(base, change), collab.invert(change, base)) = base AS undone
FROM (VALUES ('[{"insert":"ab","attributes":{"bold":true}},{"insert":{"image":"x"}},{"insert":"cd"}]'::collab.delta,
			  '[{"delete":1},{"retain":2,"attributes":{"bold":null,"color":"red"}},{"insert":"new"},{"delete":1}]'::collab.delta)) v (base, change);

SELECT collab.diff('[{"insert":"Hello"}]', '[{"insert":"Hallo!"}]');
SELECT collab.compose(a, collab.diff(a, b)) = b AS right
FROM (VALUES ('[{"insert":"The quick brown fox 😀"}]'::collab.delta, '[{"insert":"The ","attributes":{"bold":true}},{"insert":"slow brown 😁 fox"}]'::collab.delta),
			 ('[]', '[{"insert":{"image":"x"}}]'), ('[{"insert":"gone"}]', '[]'), ('[]', '[]')) v (a, b);
SELECT collab.diff('[{"retain":1,"attributes":{"b":1}}]', '[{"insert":"a"}]');
SELECT collab.diff('[{"insert":"a"}]', '[{"delete":1}]');

SELECT collab.delta_length('[{"insert":"a😀"},{"insert":{"image":"x"}},{"retain":3,"attributes":{"b":1}},{"delete":2}]');
SELECT collab.delta_length('[]');

SELECT collab.is_document('[{"insert":"a"},{"insert":1}]'), collab.is_document('[]'), collab.is_document('[{"retain":1},{"insert":"a"}]'), collab.is_document('[{"delete":1}]');

SELECT collab.to_text('[{"insert":"a"},{"insert":{"image":"x"}},{"insert":"b","attributes":{"bold":true}}]');
SELECT collab.to_text('[{"insert":"a"},{"insert":{"image":"x"}},{"insert":"b","attributes":{"bold":true}}]', '[img]');
SELECT collab.to_text('[]') = '' AS empty;

SELECT collab.slice('[{"insert":"Hello"},{"insert":{"image":"x"}},{"insert":"World"}]', 3);
SELECT collab.slice('[{"insert":"Hello"},{"insert":{"image":"x"}},{"insert":"World"}]', 3, 8);
SELECT collab.slice('[{"insert":"Hello"}]', 3, 3);
SELECT collab.slice('[{"insert":"Hello"}]', 9, 12);
SELECT collab.slice('[{"insert":"Hello"}]', 3, 1);
SELECT collab.slice('[{"insert":"Hello"}]', 1, NULL);
SELECT collab.slice('[{"insert":"Hello"}]', NULL) IS NULL AS null_from;
SELECT collab.slice('[{"insert":"Hello"}]', -1);
SELECT collab.slice('[{"insert":"Hello"}]', 0, -1);
SELECT collab.slice('[{"insert":"😀"}]', 1);

-- The aggregate compose(delta ORDER BY version).

SET search_path = public, collab;

CREATE TEMP TABLE changes (doc int, version int, op collab.delta);
INSERT INTO changes VALUES
	(1, 1, '[{"insert":"Hello"}]'),
	(1, 3, '[{"retain":11},{"insert":"!"}]'),
	(1, 2, '[{"retain":5},{"insert":" World"}]'),
	(1, 4, NULL),
	(2, 1, '[{"insert":"a"}]'),
	(2, 2, '[{"delete":1}]'),
	(3, 1, NULL);

SELECT collab.compose(op ORDER BY version) FROM changes WHERE doc = 1;
SELECT doc, collab.compose(op ORDER BY version) FROM changes GROUP BY doc ORDER BY doc;
SELECT collab.compose(op) FROM changes WHERE false;
SELECT collab.compose(op ORDER BY version) FILTER (WHERE version < 3) FROM changes WHERE doc = 1;

-- changes that are not of a document compose to a change
SELECT collab.compose(op ORDER BY n)
FROM (VALUES (1, '[{"retain":3},{"insert":"x"}]'::collab.delta), (2, '[{"delete":2}]'), (3, '[{"retain":1,"attributes":{"bold":true}}]')) v (n, op);
SELECT collab.compose(op ORDER BY n)
FROM (VALUES (1, '[{"retain":1,"attributes":{"bold":true}}]'::collab.delta), (2, '[{"retain":1,"attributes":{"bold":null}}]')) v (n, op);

-- as a window function: the state goes on after each row
SELECT version, collab.to_text(collab.compose(op) OVER (ORDER BY version)) FROM changes WHERE doc = 1 ORDER BY version;

-- the same as composing one by one
WITH RECURSIVE
	changes (n, op) AS (
		SELECT 0, ('[{"insert":"' || repeat('x', 2000) || '"}]')::collab.delta
		UNION ALL
		SELECT n, format(CASE n % 3 WHEN 0 THEN '[{"retain":%s},{"delete":2},{"insert":"<%s>","attributes":{"bold":true}}]'
									WHEN 1 THEN '[{"retain":%s},{"insert":"%s"}]'
									ELSE '[{"retain":%s},{"retain":7,"attributes":{"color":"%s"}}]' END, 1 + (n * 7919) % 1500, n)::collab.delta
		FROM generate_series(1, 300) n),
	fold (n, d) AS (
		SELECT 0, op FROM changes WHERE n = 0
		UNION ALL
		SELECT f.n + 1, collab.compose(f.d, c.op) FROM fold f JOIN changes c ON c.n = f.n + 1)
SELECT (SELECT d FROM fold ORDER BY n DESC LIMIT 1) = (SELECT collab.compose(op ORDER BY n) FROM changes) AS same;

-- an error in the middle
SELECT collab.compose(op ORDER BY n) FROM (VALUES (1, '[{"insert":"😀"}]'::collab.delta), (2, '[{"retain":1},{"insert":"x"}]')) v (n, op);

-- many rows in near-linear time: 100,000 keystrokes
SELECT collab.delta_length(collab.compose(op ORDER BY n))
FROM (SELECT n, format('[{"retain":%s},{"insert":"x"}]', n)::collab.delta AS op FROM generate_series(1, 100000) n) t;

-- the support functions are not for calling
SELECT collab.delta_compose_final(NULL);

-- submit_batch(): what the proxy sends, with hostile content; no message disturbs another.

SELECT count(collab.create_document('b' || i, 'abc')) FROM generate_series(1, 5) i;
CREATE FUNCTION rows(doc_ids text[], users text[], sites bigint[], clocks bigint[], bases bigint[], counts int[], pieces text[])
RETURNS TABLE (message int, piece int, status text, version bigint, op text, code text, detail text) LANGUAGE sql AS $$
	SELECT message, piece, status, version, convert_from(op, 'UTF8'), code, detail
	FROM collab.submit_batch(doc_ids, users, sites, clocks, bases, array_fill(NULL::bigint, ARRAY[cardinality(doc_ids)]), counts,
		(SELECT array_agg(convert_to(p, 'UTF8') ORDER BY n) FROM unnest(pieces) WITH ORDINALITY u (p, n)))
$$;
-- the same piece, and what is said about it
CREATE FUNCTION say(pieces bytea) RETURNS TABLE (status text, code text, detail text) LANGUAGE sql AS $$
	SELECT status, code, detail FROM (SELECT max(version) FROM collab.events_since('b1', 0)) h (head), collab.submit_batch('{b1}', '{mallory}', '{99}',
		ARRAY[head], ARRAY[head], '{NULL}', '{1}', ARRAY[pieces])
$$;

-- many documents, users and messages; messages of one document in the order given, whoever sent them
SELECT * FROM rows('{b1,b2,b1,b3,b1}', '{alice,bob,carol,alice,alice}', '{30,20,10,30,30}', '{1,1,1,1,2}', '{1,1,1,1,2}', '{1,2,1,1,1}',
	ARRAY['[{"insert":"A"}]', '[{"insert":"B"}]', '[{"retain":1},{"insert":"b"}]', '[{"insert":"C"}]', '[{"insert":"D"}]', '[{"insert":"E"}]']);
SELECT collab.text('b1'), collab.text('b2'), collab.text('b3');
-- both copies of a message in one batch
SELECT * FROM rows('{b4,b4}', '{alice,alice}', '{30,30}', '{7,7}', '{1,1}', '{2,2}', ARRAY['[{"insert":"x"}]', '[{"retain":1},{"insert":"y"}]', '[{"insert":"x"}]', '[{"retain":1},{"insert":"y"}]']);
SELECT collab.text('b4');

-- every kind of bad message among good ones
SELECT * FROM rows(
	ARRAY['b5', 'nowhere', 'not/an/id', '', repeat('x', 300), 'b5', 'b5', 'b5', 'b5', 'b5', 'b5', 'b5', 'b5', 'b5', 'b5', 'b5'],
	ARRAY['u1', 'u2', 'u3', 'u4', 'u5', '', repeat('u', 129), E'line\nbreak', 'u9', 'u10', 'u11', 'u12', 'u13', 'u14', 'u15', 'u16'],
	ARRAY[1, 2, 3, 4, 5, 6, 7, 8, 0, -1, 9007199254740992, 12, 13, 14, 15, 16],
	ARRAY[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 9007199254740992, 9007199254740991, 1, 1],
	ARRAY[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, 99],
	'{1,1,1,1,1,1,1,1,1,1,1,1,1,2,1,1}',
	array_fill('[{"insert":"!"}]'::text, ARRAY[17]));
SELECT * FROM rows('{b5}', '{last}', '{50}', '{1}', '{2}', '{1}', '{[]}');
SELECT count(*) FROM collab.users WHERE user_id ~ '^u\d+$';

-- pieces from the list of bad input
SELECT * FROM say('');
SELECT * FROM say('{');
SELECT * FROM say('null');
SELECT * FROM say('{"ops":{}}');
SELECT * FROM say('{"ops":[{"insert":"x"}]} trailing');
SELECT * FROM say('{"ops":[{"inzert":"x"}]}');
SELECT * FROM say('{"ops":[{"insert":"x","foo":1}]}');
SELECT * FROM say('{"ops":[],"foo":1}');
SELECT * FROM say('[{"insert":"x","delete":1}]');
SELECT * FROM say('[{"delete":-1}]');
SELECT * FROM say('[{"delete":0}]');
SELECT * FROM say('[{"retain":1.5}]');
SELECT * FROM say('[{"retain":"1"}]');
SELECT * FROM say('[{"retain":9007199254740992}]');
SELECT * FROM say('[{"retain":1e400}]');
SELECT * FROM say('[{"retain":9007199254740991},{"insert":"x"}]');
SELECT * FROM say('[{"delete":9007199254740991},{"retain":9007199254740991,"attributes":{"b":1}},{"delete":9007199254740991}]');
SELECT * FROM say('[{"delete":99}]');
SELECT * FROM say(convert_to('[{"insert":"\ud800"}]', 'UTF8'));
SELECT * FROM say(convert_to('[{"insert":"\udc00\ud800"}]', 'UTF8'));
SELECT * FROM say('\x5b7b22696e73657274223a22eda08022 7d5d');
SELECT * FROM say('\x5b7b22696e73657274223a22fffe227d5d');
SELECT * FROM say('\x5b7b22696e73657274223a22c080227d5d');
SELECT * FROM say(convert_to('[{"insert":"\u0000"}]', 'UTF8'));
SELECT * FROM say('\x5b7b22696e73657274223a2200227d5d');
SELECT * FROM say(convert_to(format('[{"insert":%s%s}]', repeat('[', 100000), repeat(']', 100000)), 'UTF8'));
SELECT * FROM say(convert_to(repeat('[', 100000), 'UTF8'));
SELECT * FROM say((SELECT convert_to(format('[{"insert":"x","attributes":%s}]', jsonb_object_agg('k' || i, i)), 'UTF8') FROM generate_series(1, 50000) i));
SELECT status, code FROM say((SELECT convert_to(format('[{"insert":"x","attributes":%s}]', jsonb_object_agg('k' || i, i)), 'UTF8') FROM generate_series(1, 100000) i));
SELECT * FROM say((SELECT convert_to(format('[{"insert":"x","attributes":{"k":"%s"}}]', repeat('v', 5000)), 'UTF8')));
SELECT * FROM say((SELECT convert_to(format('[{"insert":{"k":"%s"}}]', repeat('v', 70000)), 'UTF8')));
SELECT * FROM say(convert_to(format('[{"insert":"%s"}]', repeat('v', 2000000)), 'UTF8'));
SELECT * FROM say((SELECT convert_to(format('[%s]', string_agg('{"insert":"a"},{"delete":1}', ',')), 'UTF8') FROM generate_series(1, 6000)));
SELECT * FROM say('[{"retain":1,"attributes":[]}]');
SELECT * FROM say('[{"insert":"x","attributes":{"a":{"__proto__":[1e400]}}}]');
-- and what looks odd, but is fine
SELECT * FROM say('[]');
SELECT * FROM say(convert_to('  {"ops" : [ {"insert":"\ud83d\ude00"} , {"retain" : 1e0, "attributes":{}} ] }  ', 'UTF8'));
SELECT * FROM say('{"type":"delete","pos":0,"length":1}');
SELECT * FROM say('[{"insert":null}]');

-- no base is so high that its message is overlooked
SELECT message, status, version, code, detail FROM rows('{b1,no such,b1}', '{alice,alice,alice}', '{31,31,32}', '{1,1,1}', '{9223372036854775807,9223372036854775807,9223372036854775806}', '{1,1,1}',
	ARRAY['[{"insert":"lost"}]', '[{"insert":"lost"}]', '[{"insert":"lost"}]']);

-- formatting that blows a document up: at the limit, and beyond
SELECT status, code, detail FROM say(convert_to('[{"retain":16395,"attributes":{"k":"' || repeat('v', 4086) || '"}}]', 'UTF8'));
SELECT status, code, detail FROM say(convert_to('[{"retain":10000,"attributes":{"k":"' || repeat('v', 4086) || '"}},{"retain":10000,"attributes":{"j":"' || repeat('v', 4086) || '"}}]', 'UTF8'));
SELECT status, code, detail FROM say('[{"retain":9007199254740991,"attributes":{"bold":true}}]');
SELECT collab.submit('b1', '[{"retain":9007199254740991,"attributes":{"bold":true}}]');

-- limits of the message
SELECT status, code, detail FROM rows('{b1}', '{alice}', '{30}', '{100}', '{1}', '{1001}', array_fill('[]'::text, ARRAY[1001])) LIMIT 2;
SET collab.max_document_units = 5;
SELECT piece, status, version, code, detail FROM rows('{b5}', '{alice}', '{30}', '{1}', '{2}', '{3}', ARRAY['[{"insert":"1"}]', '[{"insert":"2"}]', '[]']);
RESET collab.max_document_units;
SET collab.max_operation_bytes = 1024;
SELECT * FROM say(convert_to(repeat(' ', 1025), 'UTF8'));
RESET collab.max_operation_bytes;

-- a message that is far behind goes alone
SELECT collab.create_document('far');
SELECT count(status) FROM collab.submit_batch('{far}', '{bob}', '{1}', '{1}', '{0}', '{NULL}', '{1000}', array_fill('[{"insert":"x"}]'::bytea, ARRAY[1000]));
SELECT count(status) FROM collab.submit_batch('{far}', '{bob}', '{1}', '{1001}', '{1000}', '{NULL}', '{10}', array_fill('[{"insert":"x"}]'::bytea, ARRAY[10]));
SELECT message, piece, status, version FROM rows('{far,far,b2,far}', '{alice,alice,alice,carol}', '{9,9,9,10}', '{1,2,1,1}', '{1,1010,1,1010}', '{2,1,1,1}', '{[],[],[],[],[]}');
SELECT message, piece, status, version, convert_from(op, 'UTF8') FROM collab.submit_batch('{far}', '{alice}', '{9}', '{1}', '{1}', '{NULL}', '{2}', ARRAY['[{"retain":1},{"insert":"<"}]', '[{"delete":1}]']::bytea[], wait => true);
SELECT message, piece, status, version, convert_from(op, 'UTF8') FROM collab.submit_batch('{far}', '{alice}', '{9}', '{1}', '{0}', '{NULL}', '{1}', ARRAY['[]']::bytea[], wait => true);

-- so does one that is behind by few, but large changes
SELECT collab.create_document('heavy');
SELECT count(status) FROM generate_series(1, 20) i, collab.submit_batch('{heavy}', '{bob}', '{1}', ARRAY[i], ARRAY[i - 1], '{NULL}', '{1}', ARRAY[convert_to('[{"insert":"' || repeat('é', 450000) || '"}]', 'UTF8')]);
SELECT message, piece, status, version FROM rows('{heavy,heavy}', '{alice,carol}', '{9,10}', '{1,1}', '{1,18}', '{1,1}', '{[],[]}');
SELECT status, version FROM collab.submit_batch('{heavy}', '{alice}', '{9}', '{1}', '{1}', '{NULL}', '{1}', '{[]}', wait => true);
SELECT collab.drop_document('heavy');

-- what only a broken proxy sends is an error of the statement
SELECT * FROM collab.submit_batch('{b1}', '{}', '{1}', '{1}', '{1}', '{1}', '{1}', '{x}');
SELECT * FROM collab.submit_batch('{b1}', '{a}', '{1}', '{1,2}', '{1}', '{1}', '{1}', '{x}');
SELECT * FROM collab.submit_batch('{b1}', '{a}', '{NULL}', '{1}', '{1}', '{1}', '{1}', '{x}');
SELECT * FROM collab.submit_batch('{NULL}', '{a}', '{1}', '{1}', '{1}', '{1}', '{1}', '{x}');
SELECT * FROM collab.submit_batch('{b1}', '{a}', '{1}', '{1}', '{1}', '{1}', '{2}', '{x}');
SELECT * FROM collab.submit_batch('{b1}', '{a}', '{1}', '{1}', '{1}', '{1}', '{0}', '{}');
SELECT * FROM collab.submit_batch('{b1}', '{a}', '{1}', '{1}', '{1}', '{1}', '{-1}', '{}');
SELECT * FROM collab.submit_batch('{b1,b2}', '{a,b}', '{1,2}', '{1,1}', '{1,1}', '{1,1}', '{2147483647,2147483647}', '{x}');
SELECT * FROM collab.submit_batch('{b1}', '{a}', '{1}', '{1}', '{1}', '{1}', '{1}', '{NULL}');
SELECT * FROM collab.submit_batch('{{b1}}', '{a}', '{1}', '{1}', '{1}', '{1}', '{1}', '{x}');
SELECT * FROM collab.submit_batch('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}');
SELECT * FROM collab.submit_batch(NULL, '{a}', '{1}', '{1}', '{1}', '{1}', '{1}', '{x}');

-- rows go to their leaf, which is where a query over the root finds them
SELECT count(collab.create_document('spread-' || i)) FROM generate_series(1, 64) i;
SELECT count(*) FROM collab.submit_batch((SELECT array_agg('spread-' || i) FROM generate_series(1, 64) i), array_fill('alice'::text, ARRAY[64]), array_fill(3::bigint, ARRAY[64]),
	array_fill(1::bigint, ARRAY[64]), array_fill(0::bigint, ARRAY[64]), array_fill(NULL::bigint, ARRAY[64]), array_fill(1, ARRAY[64]), array_fill('[]'::bytea, ARRAY[64])) WHERE status = 'ok';
SELECT count(*), count(DISTINCT e.tableoid) > 10 AS spread, count(*) FILTER (WHERE right_leaf) AS right_leaf
FROM collab.events e JOIN collab.documents d ON d.key = e.doc JOIN pg_class c ON c.oid = e.tableoid,
	LATERAL (SELECT satisfies_hash_partition('collab.events'::regclass, 16, (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'remainder (\d+)'))[1]::int, e.doc) AS right_leaf) x
WHERE d.doc_id LIKE 'spread-%';
-- a keystroke locks one leaf, not all of them
BEGIN;
SELECT collab.submit('b2', '[]') > 0;
SELECT count(DISTINCT relation) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE l.pid = pg_backend_pid() AND c.relname ~ '^events_\d\d$';
SELECT locktype, classid = (collab.document_key('b2') >> 32 & 4294967295)::oid AS high, objid = (collab.document_key('b2') & 4294967295)::oid AS low, objsubid, mode FROM pg_locks
WHERE pid = pg_backend_pid() AND locktype = 'advisory';
SELECT pg_advisory_unlock_all();
SELECT pg_advisory_unlock(collab.document_key('b2'));
SELECT count(*) AS still_locked FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory';
COMMIT;

SELECT count(collab.drop_document(doc_id)) FROM collab.document_list WHERE doc_id ~ '^(b\d|far|spread-\d+)$';
DROP FUNCTION rows, say;

-- ANALYZE puts nothing of the content into the statistics, which others may read
SELECT collab.create_document('analyzed', 'secret');
ANALYZE collab.events;
SELECT DISTINCT tablename ~ '^events' AS events, attname FROM pg_stats WHERE schemaname = 'collab' AND tablename ~ '^events' AND attname = 'op';
SELECT collab.drop_document('analyzed');

-- how long the way to the head took, of those that had one, once
SELECT collab.create_document('behind', 'abc');
SELECT count(*) > 0 AS of_what_came_before FROM collab.transform_times();
SELECT count(collab.submit('behind', '[{"insert":"x"}]', base)) FROM (VALUES (1), (1), (1), (4)) b (base);
SELECT sum(operations) AS operations, bool_and(operations > 0 AND micros <= up_to * operations) AS fit FROM collab.transform_times();
SELECT count(*) FROM collab.transform_times();
SELECT collab.drop_document('behind');

-- documents of one batch are capped: the lock table is finite
SELECT count(collab.create_document('cap-' || i)) FROM generate_series(1, 1100) i;
SELECT status, count(*), max(message) FROM collab.submit_batch((SELECT array_agg('cap-' || i ORDER BY collab.document_key('cap-' || i)) FROM generate_series(1, 1100) i),
	array_fill('alice'::text, ARRAY[1100]), array_fill(1::bigint, ARRAY[1100]), array_fill(1::bigint, ARRAY[1100]), array_fill(0::bigint, ARRAY[1100]),
	array_fill(NULL::bigint, ARRAY[1100]), array_fill(1, ARRAY[1100]), array_fill('[]'::bytea, ARRAY[1100])) GROUP BY 1 ORDER BY 1;
SELECT count(collab.drop_document('cap-' || i)) FROM generate_series(1, 1100) i;

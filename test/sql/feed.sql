-- What proxies ask for: open_document, fetch_events, heads.

CREATE FUNCTION json(bytes bytea) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT convert_from(bytes, 'UTF8') $$;

SELECT collab.create_document('feed');
-- what an empty document's position is
SELECT version AS creation_version, event AS creation FROM collab.open_document('feed', 'alice', 11, NULL, NULL, 0, 100) \gset
SELECT kind, version, event = :creation AS creation, clock, json(op), reason, head FROM collab.open_document('feed', 'alice', 11, NULL, NULL, 0, 100);
SELECT kind, version, event = :creation AS creation, op, reason, head FROM collab.open_document('feed', 'alice', 11, 0, :creation, 0, 100);

-- two users, one site number
SET collab.user_id = 'alice';
SELECT collab.submit('feed', '[{"insert":"a"}]', site => 11, clock => 3);
SELECT collab.submit('feed', '[{"insert":"b"}]', site => 11, clock => 7);
SET collab.user_id = 'bob';
SELECT collab.submit('feed', '[{"insert":"c"}]', site => 11, clock => 9);
SELECT collab.submit('feed', '[{"insert":"d"}]', site => 12, clock => 1);
RESET collab.user_id;
SELECT collab.submit('feed', '[{"insert":"e"}]');
SELECT event AS event2 FROM collab.events_since('feed', 1, 1) \gset
SELECT event AS event5 FROM collab.events_since('feed', 4, 1) \gset

-- no position: a snapshot; applied_clock is the highest of this user at this site, for who says that something is pending
SELECT kind, version, event = :event5 AS head_event, clock, json(op), reason, head FROM collab.open_document('feed', 'alice', 11, NULL, NULL, 1, 100);
SELECT clock FROM collab.open_document('feed', 'bob', 11, NULL, NULL, 1, 100);
SELECT clock FROM collab.open_document('feed', 'bob', 12, NULL, NULL, 1, 100);
SELECT clock FROM collab.open_document('feed', 'carol', 11, NULL, NULL, 1, 100);
SELECT clock FROM collab.open_document('feed', 'bob', 11, NULL, NULL, 0, 100);
SELECT clock FROM collab.open_document('feed', NULL, NULL, NULL, NULL, NULL, NULL);

-- a position that is the head, one behind it, one that is too far behind
SELECT kind, version, event = :event5 AS head_event, op IS NULL AS nothing, head FROM collab.open_document('feed', 'alice', 11, 5, :event5, 0, 100);
SELECT kind, version, event <> 0 AS id, site, clock, coalesce(author = current_user, false) AS mine, at IS NOT NULL AS at, json(op), reason, head FROM collab.open_document('feed', 'alice', 11, 2, :event2, 0, 100);
SELECT author FROM collab.open_document('feed', 'alice', 11, 0, :creation, 0, 100) WHERE version < 5 ORDER BY version;
SELECT kind, version, reason, head FROM collab.open_document('feed', 'alice', 11, 2, :event2, 0, 2);
SELECT kind, version, reason, head FROM collab.open_document('feed', 'alice', 11, 2, :event2, 0, 3);
-- with pieces in its hands the client needs the events, a page at a time
SELECT kind, version, reason, head FROM collab.open_document('feed', 'alice', 11, 2, :event2, 1, 2);
SELECT kind, version, reason, head FROM collab.open_document('feed', 'alice', 11, 0, :creation, 1, 2);

-- positions that are not of this history: ahead of the head, another event there, no event named
SELECT kind, version, clock, reason, head FROM collab.open_document('feed', 'alice', 11, 6, :event5, 1, 100);
SELECT kind, version, clock, reason, head FROM collab.open_document('feed', 'alice', 11, 2, :event5, 1, 100);
SELECT kind, version, clock, reason, head FROM collab.open_document('feed', 'alice', 11, 5, :event2, 0, 100);
SELECT kind, version, clock, reason, head FROM collab.open_document('feed', 'alice', 11, 0, :event2, 0, 100);
SELECT kind, version, clock, reason, head FROM collab.open_document('feed', 'alice', 11, 2, NULL, 0, 100);
SELECT kind, version, clock, reason, head FROM collab.open_document('feed', 'alice', 11, 9223372036854775807, 1, 0, 100);

-- refused
SELECT * FROM collab.open_document('no-such-document', 'alice', 11, NULL, NULL, 0, 100);
SELECT * FROM collab.open_document(NULL, 'alice', 11, NULL, NULL, 0, 100);
SELECT * FROM collab.open_document('feed', 'alice', 11, -1, 0, 0, 100);
SELECT * FROM collab.open_document('feed', 'alice', 11, 0, 0, -1, 100);
SELECT * FROM collab.open_document('feed', 'alice', 11, 0, 0, 0, -1);

-- a document of the same name that was created again is another history
SELECT pg_sleep(0.001) IS NOT NULL AS later, collab.drop_document('feed');
SELECT collab.create_document('feed', 'anew');
SELECT kind, version, clock, json(op), reason, head FROM collab.open_document('feed', 'alice', 11, 0, :creation, 0, 100);
SELECT kind, version, clock, json(op), reason, head FROM collab.open_document('feed', 'alice', 11, 5, :event5, 1, 100);

-- many documents at once
SELECT collab.create_document('feed-2', 'two'), collab.create_document('feed-0');
SELECT collab.submit('feed-2', '[{"insert":"2"}]');
SELECT collab.document_key('feed') AS key1 \gset
SELECT collab.document_key('feed-2') AS key2 \gset
SELECT collab.document_key('feed-0') AS key0 \gset
SELECT key = :key1 AS first, key = :key2 AS second, version, site, clock, author = current_user AS mine, json(op) FROM collab.fetch_events(ARRAY[:key2, 77, :key1, :key0], ARRAY[0, 0, 0, 0], 10);
SELECT key = :key1 AS first, version FROM collab.fetch_events(ARRAY[:key2, :key1], ARRAY[1, 1], 10);
SELECT key = :key1 AS first, version FROM collab.fetch_events(ARRAY[:key2, :key1], ARRAY[0, 0], 1);
SELECT count(*) FROM collab.fetch_events(ARRAY[:key2, :key1], ARRAY[0, -5], 0);
SELECT count(*) FROM collab.fetch_events(ARRAY[:key2], ARRAY[9223372036854775807], 10);
SELECT count(*) FROM collab.fetch_events('{}', '{}', 10);
SELECT * FROM collab.fetch_events(ARRAY[1, 2]::bigint[], ARRAY[1]::bigint[], 10);
SELECT * FROM collab.fetch_events(ARRAY[1, NULL]::bigint[], ARRAY[1, 1]::bigint[], 10);
SELECT * FROM collab.fetch_events(ARRAY[[1], [2]]::bigint[], ARRAY[1, 1]::bigint[], 10);
SELECT * FROM collab.fetch_events(ARRAY[1]::bigint[], ARRAY[1]::bigint[], -1);
SELECT key = :key1 AS first, key = :key2 AS second, key = :key0 AS empty, version FROM collab.heads(ARRAY[:key1, 77, :key2, :key0]);
SELECT h.event = o.event AS same FROM collab.heads(ARRAY[:key0]) h, collab.open_document('feed-0', NULL, NULL, NULL, NULL, 0, 0) o;
SELECT h.event = o.event AS same FROM collab.heads(ARRAY[:key2]) h, collab.open_document('feed-2', NULL, NULL, NULL, NULL, 0, 0) o;
SELECT count(*) FROM collab.heads('{}');
SELECT * FROM collab.heads(ARRAY[NULL]::bigint[]);

SELECT collab.drop_document('feed'), collab.drop_document('feed-2'), collab.drop_document('feed-0');
SELECT count(*) FROM collab.heads(ARRAY[:key1, :key2, :key0]);
-- a document that would grow beyond what can be opened, by changes that say little and format much: they are refused
SELECT collab.create_document('bomb');
SELECT max(collab.submit('bomb', (SELECT '[' || string_agg(CASE WHEN i % 2 = 0 THEN '{"insert":"a","attributes":{"b":true}}' ELSE '{"insert":"a"}' END, ',') || ']' FROM generate_series(1, 8000) i)::collab.delta)) FROM generate_series(1, 2);
SELECT max(collab.submit('bomb', ('[{"retain":16000,"attributes":{"k' || i || '":"' || repeat('v', 4000) || '"}}]')::collab.delta)) FROM generate_series(1, 4) i;
SELECT collab.submit('bomb', ('[{"retain":16000,"attributes":{"k5":"' || repeat('v', 4000) || '"}}]')::collab.delta);
SELECT status, code, detail FROM collab.submit_batch(ARRAY['bomb'], ARRAY['alice'], ARRAY[1], ARRAY[1], ARRAY[6], ARRAY[NULL]::bigint[], ARRAY[1],
	ARRAY[convert_to('{"ops":[{"retain":16000,"attributes":{"k5":"' || repeat('v', 4000) || '"}}]}', 'UTF8')]);
-- one that did, under a higher limit: its opening is refused before it is built
SET collab.max_document_units = 134217728;
SELECT collab.submit('bomb', ('[{"retain":16000,"attributes":{"k5":"' || repeat('v', 4000) || '"}}]')::collab.delta);
RESET collab.max_document_units;
SELECT kind FROM collab.open_document('bomb', 'alice', 11, NULL, NULL, 0, 100);
SELECT length(collab.text('bomb')), octet_length(collab.document('bomb', 3)::text) > 60000000 AS earlier;
SELECT collab.submit('bomb', '[{"retain":16000,"attributes":{"k1":null,"k2":null,"k3":null,"k4":null}}]');
SELECT kind, octet_length(op) > 60000000 AS large FROM collab.open_document('bomb', 'alice', 11, NULL, NULL, 0, 100);
SELECT collab.drop_document('bomb');
DROP FUNCTION json(bytea);

-- the key of the bus: the same for all sessions of this database
SELECT length(collab.bus_key()), collab.bus_key() = collab.bus_key() AS same, collab.bus_key() <> decode(repeat('00', 32), 'hex') AS random;

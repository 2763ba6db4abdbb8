-- Order and transformation: the server's half of the ten rules. `send` is one message in a batch of its own.

CREATE FUNCTION send(doc text, usr text, site bigint, clock bigint, base bigint, VARIADIC pieces text[])
RETURNS TABLE (piece int, status text, version bigint, op text, code text, detail text) LANGUAGE sql AS $$
	SELECT b.piece, b.status, b.version, convert_from(b.op, 'UTF8'), b.code, b.detail
	FROM collab.submit_batch(ARRAY[doc], ARRAY[usr], ARRAY[site], ARRAY[clock], ARRAY[base], ARRAY[NULL]::bigint[],
		ARRAY[cardinality(pieces)], (SELECT array_agg(convert_to(p, 'UTF8') ORDER BY n) FROM unnest(pieces) WITH ORDINALITY u (p, n)), true) b
$$;
-- 1. Of two concurrent inserts at one place the smaller site goes first, whoever arrived first.
SELECT collab.create_document('o1', 'Hello World'), collab.create_document('o2', 'Hello World');
SELECT * FROM send('o1', 'alice', 11, 1, 1, '[{"retain":6},{"insert":"Beautiful "}]');
SELECT * FROM send('o1', 'bob', 22, 1, 1, '[{"retain":6},{"insert":"Wonderful "}]');
SELECT * FROM send('o2', 'bob', 22, 1, 1, '[{"retain":6},{"insert":"Wonderful "}]');
SELECT * FROM send('o2', 'alice', 11, 1, 1, '[{"retain":6},{"insert":"Beautiful "}]');
SELECT collab.text('o1'), collab.text('o2');

-- the same for attributes: the smaller site's value stays
SELECT collab.create_document('o3', 'x'), collab.create_document('o4', 'x');
SELECT op FROM send('o3', 'alice', 11, 1, 1, '[{"retain":1,"attributes":{"color":"red","bold":true}}]');
SELECT op FROM send('o3', 'bob', 22, 1, 1, '[{"retain":1,"attributes":{"color":"blue","italic":true}}]');
SELECT op FROM send('o4', 'bob', 22, 1, 1, '[{"retain":1,"attributes":{"color":"blue","italic":true}}]');
SELECT op FROM send('o4', 'alice', 11, 1, 1, '[{"retain":1,"attributes":{"color":"red","bold":true}}]');
SELECT collab.document('o3') OPERATOR(collab.=) collab.document('o4') AS same, collab.document('o3');

-- equal sites (SQL): the event goes first
SELECT collab.create_document('o5', '.');
SELECT collab.submit('o5', '[{"insert":"first"}]', 1), collab.submit('o5', '[{"insert":"second"}]', 1);
SELECT collab.text('o5');
-- and so it does for two users who drew the same site
SELECT op FROM send('o5', 'alice', 5, 1, 3, '[{"insert":"1"}]');
SELECT op FROM send('o5', 'bob', 5, 1, 3, '[{"insert":"2"}]');
SELECT collab.text('o5');

-- 1. An event is carried through the pieces of a list: piece 2 meets it as it is behind piece 1.
SELECT collab.create_document('list', 'abc');
SELECT op FROM send('list', 'bob', 50, 1, 1, '[{"retain":3},{"insert":"Z"}]');
SELECT * FROM send('list', 'alice', 10, 1, 1, '[{"insert":"12"},{"retain":3},{"insert":"!"}]', '[{"retain":5},{"insert":"?"},{"delete":1}]', '[{"retain":1},{"delete":2}]');
SELECT collab.text('list');
-- the larger site: the other way round at the same places
SELECT collab.create_document('list2', 'abc');
SELECT op FROM send('list2', 'bob', 5, 1, 1, '[{"retain":3},{"insert":"Z"}]');
SELECT op FROM send('list2', 'alice', 10, 1, 1, '[{"insert":"12"},{"retain":3},{"insert":"!"}]', '[{"retain":5},{"insert":"?"},{"delete":1}]', '[{"retain":1},{"delete":2}]');
SELECT collab.text('list2');
-- every piece stands on the one in front: base_version is the message's
SELECT version, site, clock, base_version, author, op, length FROM collab.events_since('list', 1);

-- 4. The first bad piece stops the list: those before it are there, those behind it are refused.
SELECT collab.create_document('bad', 'abc');
SELECT * FROM send('bad', 'alice', 10, 1, 1, '[{"insert":"1"}]', '[{"insert":"2"}]', '[{"retain":99},{"insert":"3"}]', '[{"insert":"4"}]', '{]', '[{"insert":"6"}]', '[{"insert":"7"}]', '[{"insert":"8"}]', '[{"insert":"9"}]', '[{"insert":"10"}]');
SELECT collab.text('bad'), (SELECT max(version) FROM collab.events_since('bad', 0));
-- a piece may use what the one in front of it wrote, but no more
SELECT piece, status, code, detail FROM send('bad', 'alice', 10, 20, 3, '[{"retain":5},{"insert":"xy"}]', '[{"retain":7},{"insert":"z"}]', '[{"delete":8}]', '[{"delete":1}]');
SELECT collab.text('bad');

-- 5. Exactly once: a copy of a message is recognised, wherever its base is now.
SELECT collab.create_document('once', 'abc');
SELECT status, version FROM send('once', 'alice', 10, 1, 1, '[{"insert":"1"}]', '[{"retain":1},{"insert":"2"}]');
SELECT op FROM send('once', 'bob', 50, 1, 1, '[{"retain":3},{"insert":"Z"}]');
SELECT * FROM send('once', 'alice', 10, 1, 1, '[{"insert":"1"}]', '[{"retain":1},{"insert":"2"}]');
SELECT collab.text('once');
-- a list of which the first part had arrived: the rest is applied
SELECT op FROM send('once', 'bob', 50, 2, 4, '[{"insert":"<"}]');
SELECT * FROM send('once', 'alice', 10, 1, 1, '[{"insert":"1"}]', '[{"retain":1},{"insert":"2"}]', '[{"retain":2},{"insert":"3"}]');
SELECT collab.text('once');
-- events of others came first: the copy comes over them as it came the first time
SELECT collab.create_document('late', 'abc');
SELECT op FROM send('late', 'bob', 5, 1, 1, '[{"insert":"B"},{"delete":1}]');
SELECT op FROM send('late', 'carol', 7, 1, 1, '[{"insert":"C"},{"delete":2}]');
SELECT version, op FROM send('late', 'alice', 6, 1, 1, '[{"insert":"A"},{"retain":1},{"delete":2}]');
SELECT op FROM send('late', 'bob', 5, 2, 4, '[{"insert":"D"}]');
SELECT status, version FROM send('late', 'alice', 6, 1, 1, '[{"insert":"A"},{"retain":1},{"delete":2}]');
-- sent as it was rebased meanwhile, from the version that the client has reached
SELECT status, version FROM send('late', 'alice', 6, 1, 2, '[{"retain":1},{"insert":"A"},{"delete":2}]');
SELECT collab.text('late');
-- a piece that had nothing left to do is an event all the same, and is recognised
SELECT status, version, op FROM send('late', 'dave', 9, 1, 1, '[{"delete":1}]');
SELECT status, version, op FROM send('late', 'dave', 9, 1, 1, '[{"delete":1}]');

-- 5. The same clock with other content
SELECT * FROM send('once', 'alice', 10, 1, 1, '[{"insert":"x"}]');
SELECT * FROM send('once', 'alice', 10, 1, 1, '[{"insert":"1"}]', '[{"retain":1},{"insert":"x"}]', '[{"insert":"y"}]');
-- an own event after the base that is none of the message's pieces
SELECT * FROM send('once', 'alice', 10, 9, 1, '[{"insert":"x"}]');
SELECT * FROM send('once', 'alice', 10, 2, 1, '[{"retain":1},{"insert":"2"}]');
-- a clock that falls, or stays, where the base contains it
SELECT * FROM send('once', 'alice', 10, 1, 3, '[{"insert":"x"}]');
SELECT * FROM send('once', 'alice', 10, 2, 3, '[{"insert":"x"}]');
SELECT status FROM send('once', 'alice', 10, 100, 6, '[{"insert":"ok"}]');
-- gaps are allowed; another user's site and clock are somebody else's
SELECT status, version FROM send('once', 'bob', 10, 100, 7, '[{"insert":"b"}]');
SELECT status, version FROM send('once', 'bob', 10, 100, 6, '[{"insert":"b"}]');
SELECT status, version FROM send('once', 'carol', 10, 100, 7, '[{"insert":"b"}]');

-- 7. Never over a composed history: event by event, "delete 3" and "insert e" leave q in front.
SELECT collab.create_document('fold', '123');
SELECT op FROM send('fold', 'bob', 50, 1, 1, '[{"delete":3}]');
SELECT op FROM send('fold', 'bob', 50, 2, 2, '[{"insert":"e"}]');
SELECT op FROM send('fold', 'alice', 10, 1, 1, '[{"retain":2},{"insert":"q"}]');
SELECT collab.text('fold');
SELECT collab.transform(collab.compose('[{"delete":3}]', '[{"insert":"e"}]'), '[{"retain":2},{"insert":"q"}]', false) AS over_the_composed_history;

-- 8. The base is named by its event, too.
SELECT collab.create_document('where', 'abc');
SELECT collab.insert_text('where', 3, 'd');
SELECT event AS e1 FROM collab.events_since('where', 0) WHERE version = 1 \gset
SELECT event AS e2 FROM collab.events_since('where', 0) WHERE version = 2 \gset
SELECT collab.event_id(owner, 0, key, created_at) AS e0 FROM collab.documents WHERE doc_id = 'where' \gset
CREATE FUNCTION at(doc text, base bigint, event bigint, clock bigint) RETURNS TABLE (status text, version bigint, code text, detail text) LANGUAGE sql AS $$
	SELECT b.status, b.version, b.code, b.detail
	FROM collab.submit_batch(ARRAY[doc], '{alice}', '{10}', ARRAY[clock], ARRAY[base], ARRAY[event], '{1}', ARRAY['[{"insert":"x"}]'::bytea]) b
$$;
SELECT * FROM at('where', 2, :e2, 1);
SELECT * FROM at('where', 1, :e1, 2);
SELECT * FROM at('where', 1, :e1, 1);
SELECT * FROM at('where', 0, :e0, 1);
SELECT * FROM at('where', 2, :e1, 3);
SELECT * FROM at('where', 0, :e1, 3);
SELECT * FROM at('where', 4, :e1, 3);
SELECT * FROM at('where', 3, NULL, 3);
-- dropped and made again: the same version is another event
SELECT collab.drop_document('where'), collab.create_document('where', 'abc');
SELECT * FROM at('where', 1, :e1, 4);
SELECT * FROM at('where', 0, :e0, 4);
SELECT * FROM at('where', 1, NULL, 4);

-- What every event stores: length, time, base, and who.
SELECT collab.create_document('stored', 'abc');
SELECT op FROM send('stored', 'alice', 10, 1, 1, '[{"retain":1},{"insert":{"image":"x"}},{"delete":1}]', '[{"retain":3},{"insert":"é😀"}]');
SELECT e.version, e.length, e.length = collab.delta_length(collab.document('stored', e.version)) AS as_it_is, e.base_version, nullif(s.author, current_user) AS author, e.astral,
	s.event = collab.event_id(e.author, e.site, e.clock, e.created_at) AS same_id
FROM collab.events_since('stored', 0) s JOIN collab.events e ON e.version = s.version WHERE e.doc = collab.document_key('stored') ORDER BY 1;
SELECT bool_and(created_at >= before) FROM (SELECT created_at, lag(created_at) OVER (ORDER BY version) AS before FROM collab.events_since('stored', 0)) t;
-- a clock that was set back does not show: time never falls
UPDATE collab.events SET created_at = '2999-01-01', checksum = NULL WHERE doc = collab.document_key('stored') AND version = 3;
SELECT collab.insert_text('stored', 0, 'x');
SELECT created_at = '2999-01-01' AS not_below FROM collab.events_since('stored', 3);

-- Surrogate pairs are never cut, at the base or within a list.
SELECT collab.create_document('pair', 'a😀b');
SELECT status, code, detail FROM send('pair', 'alice', 10, 1, 1, '[{"retain":2},{"insert":"x"}]');
SELECT status, code, detail FROM send('pair', 'alice', 10, 2, 1, '[{"retain":1},{"delete":1}]');
SELECT status, code, detail FROM send('pair', 'alice', 10, 3, 1, '[{"retain":2,"attributes":{"b":true}}]');
SELECT status, code, detail FROM send('pair', 'alice', 10, 4, 1, '[{"retain":1},{"delete":2}]');
SELECT status, code, detail FROM send('pair', 'alice', 10, 5, 2, '[{"insert":"😀"}]', '[{"retain":1},{"insert":"x"}]', '[{"insert":"y"}]');
SELECT collab.text('pair');
SELECT collab.create_document('pair2', 'ab');
SELECT piece, status, code, detail FROM send('pair2', 'alice', 10, 1, 1, '[{"retain":1},{"insert":"😀"}]', '[{"retain":2},{"insert":"x"}]');
SELECT piece, status, code FROM send('pair2', 'alice', 10, 3, 2, '[{"retain":2},{"insert":"x"}]');
SELECT piece, status, code FROM send('pair2', 'alice', 10, 5, 2, '[{"retain":3},{"insert":"x"}]');
SELECT collab.text('pair2');

-- Embeds: only what is one can be changed.
SELECT collab.create_document('embed', '[{"insert":"a"},{"insert":{"delta":[{"insert":"in"}]}}]'::collab.delta);
SELECT status, code, detail FROM send('embed', 'alice', 10, 1, 1, '[{"retain":{"delta":[{"insert":"x"}]}}]');
SELECT status, code, detail FROM send('embed', 'alice', 10, 2, 1, '[{"retain":1},{"retain":{"delta":[{"retain":2},{"insert":"side"}]}}]');
SELECT collab.document('embed');

SELECT collab.drop_document(d) FROM unnest(ARRAY['o1', 'o2', 'o3', 'o4', 'o5', 'list', 'list2', 'bad', 'once', 'late', 'fold', 'where', 'stored', 'pair', 'pair2', 'embed']) d;
DROP FUNCTION send, at;

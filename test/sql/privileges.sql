-- What an ordinary role may do: use the type, and nothing that reads or writes documents until it is granted.

CREATE ROLE regress_collab_nobody;
CREATE ROLE regress_collab_reader;
SELECT collab.create_document('privileges', 'secret');
SELECT collab.document_key('privileges') AS key \gset

SET ROLE regress_collab_nobody;

-- the type and its algebra
SELECT collab.compose('[{"insert":"a"}]', '[{"insert":"b"}]');
SELECT collab.compose(op ORDER BY n) FROM (VALUES (1, '[{"insert":"a"}]'::collab.delta), (2, '[{"delete":1}]')) v (n, op);
SELECT '[{"insert":"a"}]'::jsonb::collab.delta;

-- documents
SELECT collab.document('privileges');
SELECT collab.document('privileges', 1);
SELECT collab.document_at('privileges', now());
SELECT collab.text('privileges');
SELECT collab.text('privileges', 1);
SELECT collab.html('privileges');
SELECT collab.markdown('privileges', 1);
SELECT * FROM collab.events_since('privileges', 0);
SELECT * FROM collab.open_document('privileges', 'alice', 1, NULL, NULL, 0, 100);
SELECT * FROM collab.fetch_events(ARRAY[:key], ARRAY[0], 10);
SELECT * FROM collab.heads(ARRAY[:key]);
SELECT collab.bus_key();
SELECT collab.create_document('privileges-2');
SELECT collab.create_document('privileges-2', '[]'::collab.delta);
SELECT collab.submit('privileges', '[{"insert":"a"}]');
SELECT collab.insert_text('privileges', 0, 'a');
SELECT collab.delete_text('privileges', 0, 1);
SELECT collab.replace_text('privileges', 'a', 'b');
SELECT collab.drop_document('privileges');
SELECT * FROM collab.submit_batch('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}');

-- the same refusal whether the document exists or not
SELECT collab.document('no-such-document');

-- tables, leaves, views
SELECT * FROM collab.documents;
SELECT * FROM collab.users;
SELECT * FROM collab.events;
SELECT * FROM collab.events_00;
SELECT * FROM collab.events_15;
SELECT * FROM collab.document_list;
SELECT * FROM collab.event_list;
INSERT INTO collab.events DEFAULT VALUES;
UPDATE collab.documents SET owner = 0;
DELETE FROM collab.events;
TRUNCATE collab.events;

-- settings: a user name cannot be forged, limits cannot be lifted, and no other names exist
SET collab.user_id = 'somebody else';
SELECT set_config('collab.user_id', 'somebody else', false);
SET collab.max_document_units = 1000000;
SET collab.max_operation_bytes = 1000000;
RESET ROLE;
SET collab.no_such_setting = 1;
SET collab.user_id = E'line\nbreak';
SELECT set_config('collab.user_id', repeat('x', 129), false);
SELECT set_config('collab.user_id', repeat('x', 128), false) <> '' AS set;
RESET collab.user_id;

-- who may create in the schema
SET ROLE regress_collab_nobody;
CREATE FUNCTION collab.mine() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TABLE collab.mine ();
RESET ROLE;

-- EXECUTE is the right, one function at a time; the tables stay closed to whoever may read through the functions
GRANT EXECUTE ON FUNCTION collab.text(text) TO regress_collab_reader;
SET ROLE regress_collab_reader;
SELECT collab.text('privileges');
SELECT collab.document('privileges');
SELECT * FROM collab.documents;
RESET ROLE;
REVOKE EXECUTE ON FUNCTION collab.text(text) FROM regress_collab_reader;

-- even with a grant on a table or on a leaf row-level security shows nothing
GRANT SELECT ON collab.documents, collab.events, collab.users, collab.document_list, collab.event_list TO regress_collab_reader;
SELECT tableoid::regclass AS leaf FROM collab.events WHERE doc = :key \gset
GRANT SELECT ON :leaf TO regress_collab_reader;
SET ROLE regress_collab_reader;
SELECT count(*) FROM collab.documents;
SELECT count(*) FROM collab.events;
SELECT count(*) FROM :leaf;
SELECT count(*) FROM collab.users;
SELECT count(*) FROM collab.document_list;
SELECT count(*) FROM collab.event_list;
RESET ROLE;
REVOKE ALL ON collab.documents, collab.events, collab.users, collab.document_list, collab.event_list, :leaf FROM regress_collab_reader;

SELECT collab.drop_document('privileges');
DROP ROLE regress_collab_nobody;
DROP ROLE regress_collab_reader;

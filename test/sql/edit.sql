-- Edits for people in psql: insert_text, delete_text, replace_text.

SELECT collab.create_document('edit', 'Hello World');
SELECT collab.insert_text('edit', 5, ','), collab.insert_text('edit', 12, '!'), collab.insert_text('edit', 0, '> ');
SELECT collab.text('edit');
SELECT collab.insert_text('edit', 2, 'bold ', '{"bold":true,"color":"red"}');
SELECT collab.delete_text('edit', 0, 2);
SELECT collab.document('edit');
-- every edit is an event like any other
SELECT version, site, clock, base_version, op FROM collab.events_since('edit', 1);

-- refused
SELECT collab.insert_text('edit', -1, 'x');
SELECT collab.insert_text('edit', 19, 'x');
SELECT collab.insert_text('edit', NULL, 'x');
SELECT collab.insert_text('edit', 0, NULL);
SELECT collab.insert_text(NULL, 0, 'x');
SELECT collab.insert_text('edit', 0, 'x', '[]');
SELECT collab.insert_text('edit', 0, 'x', '1');
SELECT collab.insert_text('edit', 9007199254740991, 'x');
SELECT collab.insert_text('edit', 9223372036854775807, 'x');
SELECT collab.insert_text('no-such-document', 0, 'x');
SELECT collab.delete_text('edit', 0, 0);
SELECT collab.delete_text('edit', 0, -1);
SELECT collab.delete_text('edit', 0, 19);
SELECT collab.delete_text('edit', -1, 1);
SELECT collab.delete_text('edit', 18, 1);
SELECT collab.delete_text('edit', 0, NULL);
SELECT collab.insert_text('edit', 0, repeat('x', 2000000));
-- text that JSON has to escape
SELECT collab.insert_text('edit', 18, E'\t"\\\n\u2028\U0001F600</script>'), right(collab.text('edit'), 3);
SELECT to_json(right(collab.text('edit'), 16));
-- not into a surrogate pair
SELECT collab.insert_text('edit', 24, 'x');
SELECT collab.delete_text('edit', 23, 1);
SELECT collab.delete_text('edit', 23, 2);
SELECT to_json(right(collab.text('edit'), 16));
-- nothing to do is an event without content
SELECT collab.insert_text('edit', 0, '');
SELECT op FROM collab.events_since('edit', 8);

-- replace_text: every occurrence, in one event; the formatting of what is replaced stays
SELECT collab.create_document('replace', '[{"insert":"one two "},{"insert":"on","attributes":{"b":true}},{"insert":"e two oneone"},{"insert":{"image":"one"}},{"insert":"one\n"}]'::collab.delta);
SELECT collab.replace_text('replace', 'one', '1');
SELECT op FROM collab.events_since('replace', 1);
SELECT collab.document('replace');
SELECT collab.replace_text('replace', 'two', '');
SELECT collab.text('replace');
-- nothing found: no event
SELECT collab.replace_text('replace', 'two', 'x'), count(*) FROM collab.events_since('replace', 0);
-- not across an embed, which is not text
SELECT collab.replace_text('replace', '11', 'x'), collab.replace_text('replace', '11', 'y');
SELECT collab.text('replace');
-- replaced by itself, by something that holds it, in overlapping places
SELECT collab.create_document('overlap', 'aaaaa');
SELECT collab.replace_text('overlap', 'aa', 'aaa'), collab.replace_text('overlap', 'a', 'a');
SELECT collab.text('overlap'), collab.delta_length(collab.document('overlap'));
-- characters of every width: positions are UTF-16 code units
SELECT collab.create_document('wide', 'aé€😀aé€😀a');
SELECT collab.replace_text('wide', '😀', '-'), collab.replace_text('wide', '€', '😀😀'), collab.replace_text('wide', 'é😀', 'x');
SELECT collab.text('wide'), collab.delta_length(collab.document('wide'));
SELECT collab.replace_text('wide', '', 'x');
SELECT collab.replace_text('wide', NULL, 'x');
SELECT collab.replace_text('no-such-document', 'a', 'b');
SELECT collab.create_document('nothing'), collab.replace_text('nothing', 'a', 'b');
SELECT collab.replace_text('nothing', 'a', 'b');
-- what is replaced is what is there in this transaction
BEGIN;
SELECT collab.insert_text('wide', 0, 'two');
SELECT collab.replace_text('wide', 'two', '2');
SELECT collab.text('wide');
ROLLBACK;
SELECT collab.text('wide');

SELECT count(collab.drop_document(d)) FROM unnest('{edit,replace,overlap,wide,nothing}'::text[]) d;

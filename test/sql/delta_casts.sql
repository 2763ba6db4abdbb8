-- Casts between collab.delta, jsonb and text.

SET search_path = public, collab;

SELECT '[{"insert":"a","attributes":{"b":1}}]'::collab.delta::jsonb;
SELECT '{"ops":[{"insert":"a"},{"retain":2}]}'::jsonb::collab.delta;
SELECT '[{"insert":"é😀"}]'::jsonb::collab.delta;
SELECT '[{"insert":"a"}]'::json::text::collab.delta;
SELECT '[{"insert":"a"}]'::collab.delta::text;
SELECT NULL::jsonb::collab.delta IS NULL AS null_stays_null;

-- by assignment
CREATE TEMP TABLE both_ways (d collab.delta, j jsonb, t text);
INSERT INTO both_ways (d, j, t) VALUES ('[{"insert":"a"}]'::jsonb, '[{"insert":"b"}]'::collab.delta, '[{"insert":"c"}]'::collab.delta);
SELECT * FROM both_ways;

-- not implicitly
SELECT collab.delta_length('[{"insert":"a"}]'::jsonb);
SELECT '[{"insert":"a"}]'::collab.delta -> 'ops';

-- numbers that jsonb keeps exactly are IEEE doubles in a delta
SELECT '[{"insert":"a","attributes":{"n":0.1000000000000000055511151231257827}}]'::jsonb::collab.delta;
SELECT '[{"insert":"a","attributes":{"n":12345678901234567890}}]'::jsonb::collab.delta;

-- refused
SELECT '{"ops":7}'::jsonb::collab.delta;
SELECT '[{"retain":1.5}]'::jsonb::collab.delta;
SELECT '[{"insert":"a","attributes":{"n":1e400}}]'::jsonb::collab.delta;
SELECT 'null'::jsonb::collab.delta;
SELECT '"text"'::jsonb::collab.delta;

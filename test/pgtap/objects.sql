-- What every object of the extension has: a comment, an owner, no right for PUBLIC; and what the type and the tables are.
BEGIN;
SELECT plan(27);

CREATE TEMP VIEW members AS
	SELECT d.classid, d.objid, pg_describe_object(d.classid, d.objid, 0) AS what
	FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
	WHERE e.extname = 'collab';

-- a table's row type and a type's array are not objects of their own
SELECT is_empty($$SELECT what FROM members m LEFT JOIN pg_type t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid
				  WHERE obj_description(objid, (SELECT relname FROM pg_class WHERE oid = classid)) IS NULL AND NOT coalesce(t.typcategory IN ('A', 'C'), false)
				  ORDER BY 1$$, 'every object has a comment');
SELECT is_empty($$SELECT c.oid::regclass, a.attname FROM members m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
				  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
				  WHERE c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition AND col_description(c.oid, a.attnum) IS NULL$$,
				'every column of tables and views has a comment');
SELECT isnt_empty('SELECT 1 FROM members', 'there is something to look at');
SELECT ok(obj_description('collab'::regnamespace, 'pg_namespace') IS NOT NULL, 'the schema has a comment');

SELECT is_empty($$SELECT c.oid::regclass, p FROM members m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objid = c.oid,
				  unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p
				  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND has_table_privilege('public', c.oid, p)$$,
				'PUBLIC has no right on any table, leaf or view');
SELECT is_empty($$SELECT c.oid::regclass FROM members m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
				  WHERE c.relkind IN ('r', 'p') AND NOT (c.relrowsecurity AND c.relforcerowsecurity)$$,
				'row-level security is enabled and forced on every table and leaf');
SELECT is_empty($$SELECT c.oid::regclass FROM members m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
				  WHERE c.relkind IN ('r', 'p') AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)$$,
				'every table and leaf has a policy');
SELECT is_empty($$SELECT c.oid::regclass FROM members m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
				  WHERE c.relkind IN ('r', 'S') AND c.relpersistence <> 'u' AND NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'collab' AND c.oid = ANY (e.extconfig))$$,
				'the data of every table, leaf and sequence is dumped, but for the caches');
SELECT ok(has_schema_privilege('public', 'collab', 'USAGE') AND NOT has_schema_privilege('public', 'collab', 'CREATE'), 'PUBLIC may use the schema, not create in it');
SELECT is_empty($$SELECT c.oid::regclass FROM members m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
				  WHERE c.relkind = 'v' AND NOT coalesce(c.reloptions @> ARRAY['security_invoker=true', 'security_barrier=true'], false)$$,
				'views run with the rights of who asks');

SELECT has_extension('collab', 'the extension is there');
SELECT results_eq($$SELECT extnamespace::regnamespace::text, extrelocatable, extversion = (SELECT default_version FROM pg_available_extensions WHERE name = 'collab') FROM pg_extension WHERE extname = 'collab'$$,
				  $$VALUES ('collab'::text, false, true)$$, 'in its schema, not relocatable, in the version of the control file');
SELECT results_eq($$SELECT superuser, trusted FROM pg_available_extension_versions WHERE name = 'collab' AND installed$$, 'VALUES (true, false)', 'for superusers to install');

SELECT has_type('collab', 'delta', 'type delta');
SELECT results_eq($$SELECT typlen, typbyval, typstorage::text, typcategory::text, typsend <> 0, typreceive <> 0 FROM pg_type WHERE oid = 'collab.delta'::regtype$$,
				  $$VALUES (-1::smallint, false, 'x'::text, 'U'::text, true, true)$$, 'its representation');
SELECT set_eq($$SELECT castsource::regtype::text, casttarget::regtype::text, castcontext::text FROM pg_cast WHERE 'collab.delta'::regtype IN (castsource, casttarget)$$,
			  $$VALUES ('collab.delta', 'jsonb', 'a'), ('jsonb', 'collab.delta', 'a')$$, 'casts, none of them implicit');
SELECT set_eq($$SELECT oprname::text, oprcode::text FROM pg_operator WHERE oprleft = 'collab.delta'::regtype AND oprnamespace = 'collab'::regnamespace$$,
			  $$VALUES ('=', 'collab.delta_eq'), ('<>', 'collab.delta_ne'), ('<', 'collab.delta_lt'), ('<=', 'collab.delta_le'), ('>', 'collab.delta_gt'),
					   ('>=', 'collab.delta_ge'), ('||', 'collab.compose')$$, 'operators');
SELECT is_empty($$SELECT oprname FROM pg_operator WHERE oprnamespace = 'collab'::regnamespace AND (oprrest <> 0 OR oprjoin <> 0)
				  AND (oprrest::regproc::text !~ '^(eq|neq|scalar(lt|le|gt|ge))sel$' OR oprjoin::regproc::text !~ '^(eq|neq|scalar(lt|le|gt|ge))joinsel$')$$,
				'operators use only the estimators of the core');
SELECT set_eq($$SELECT m.amname::text, c.opcname::text, c.opcdefault FROM pg_opclass c JOIN pg_am m ON m.oid = c.opcmethod WHERE c.opcintype = 'collab.delta'::regtype$$,
			  $$VALUES ('btree', 'delta_ops', true), ('hash', 'delta_ops', true)$$, 'operator classes');

SELECT set_eq($$SELECT c.oid::regclass::text FROM members m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objid = c.oid WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition$$,
			  $$VALUES ('collab.documents'), ('collab.users'), ('collab.events'), ('collab.snapshots'), ('collab.chunks'), ('collab.archives'), ('collab.thawed'),
					   ('collab.archive_garbage'), ('collab.applied_clocks'), ('collab.named_versions'), ('collab.undone'), ('collab.live_texts'), ('collab.comments'),
					   ('collab.quarantine')$$, 'tables');
SELECT is((SELECT count(*) FROM pg_inherits WHERE inhparent = 'collab.events'::regclass), 16::bigint, '16 leaves');
SELECT is((SELECT count(DISTINCT pg_get_expr(relpartbound, oid)) FROM pg_class WHERE relispartition AND oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'collab.events'::regclass)
		   AND pg_get_expr(relpartbound, oid) ~ 'modulus 16'), 16::bigint, 'of modulus 16, each another remainder');
SELECT col_is_pk('collab', 'events', ARRAY['doc', 'version'], 'primary key of events');
SELECT is_empty($$SELECT conname FROM pg_constraint WHERE contype = 'f' AND conrelid IN (SELECT objid FROM members WHERE classid = 'pg_class'::regclass)
				  AND conrelid <> 'collab.comments'::regclass$$, 'no foreign keys on the write path');

SELECT fk_ok('collab', 'comments', ARRAY['doc'], 'collab', 'documents', ARRAY['key'], 'comments go with their document');
SELECT has_trigger('collab', 'documents', 'after_delete', 'and so does everything else');
SELECT col_is_unique('collab', 'documents', ARRAY['doc_id'], 'applications refer to documents by their ids');

SELECT * FROM finish();
ROLLBACK;

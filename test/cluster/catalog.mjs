/* What the system catalogs know about the extension, as text to be compared. */

/*
 * Everything that belongs to the extension, and everything that is known about it: one line per fact. Numbers that only say
 * when an object was made are left out.
 */
export const CATALOG = `
	SET search_path = pg_catalog; SET IntervalStyle = 'postgres';
	CREATE FUNCTION pg_temp.acl(aclitem[]) RETURNS text LANGUAGE sql AS $$ SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest($1) a $$;
	CREATE TEMP TABLE member AS
		SELECT d.classid, d.objid, (pg_identify_object(d.classid, d.objid, 0)).* FROM pg_depend d
		WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'collab') AND d.deptype = 'e';
	INSERT INTO member SELECT 'pg_namespace'::regclass, oid, 'schema', NULL, nspname, nspname FROM pg_namespace WHERE nspname = 'collab';
	-- what hangs on tables: columns, indexes, constraints, policies
	CREATE TEMP VIEW relation AS SELECT m.identity, c.* FROM member m JOIN pg_class c ON c.oid = m.objid AND m.classid = 'pg_class'::regclass;
	SELECT * FROM (
		SELECT 'member', type, identity, '' FROM member
		UNION ALL SELECT 'extension', extversion, pg_get_userbyid(extowner), extnamespace::regnamespace::text || extrelocatable FROM pg_extension WHERE extname = 'collab'
		UNION ALL SELECT 'dumped', t.oid::regclass::text, e.cond, '' FROM pg_extension x, unnest(x.extconfig, x.extcondition) e (oid, cond), pg_class t
			WHERE x.extname = 'collab' AND t.oid = e.oid
		UNION ALL SELECT 'comment', m.identity, d.objsubid::text, d.description FROM member m JOIN pg_description d ON d.classoid = m.classid AND d.objoid = m.objid
		UNION ALL SELECT 'schema', n.nspname, pg_get_userbyid(n.nspowner), pg_temp.acl(n.nspacl) FROM pg_namespace n WHERE n.nspname = 'collab'
		UNION ALL SELECT 'relation', r.identity, pg_get_userbyid(r.relowner), concat_ws(' ', r.relkind, r.relpersistence, r.relrowsecurity, r.relforcerowsecurity,
			r.relispartition, r.relhasindex, r.relhastriggers, r.relchecks, r.relnatts, r.reloptions, pg_temp.acl(r.relacl), pg_get_expr(r.relpartbound, r.oid), r.relreplident, am.amname)
			FROM relation r LEFT JOIN pg_am am ON am.oid = r.relam
		UNION ALL SELECT 'column', r.identity, a.attnum || ' ' || a.attname, concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attstorage,
			a.attcompression, a.attstattarget, pg_temp.acl(a.attacl), a.attcollation::regcollation, a.attidentity, a.attgenerated, a.attisdropped, a.atthasmissing,
			pg_get_expr(d.adbin, d.adrelid))
			FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
		UNION ALL SELECT 'view', r.identity, pg_get_viewdef(r.oid), '' FROM relation r WHERE r.relkind = 'v'
		UNION ALL SELECT 'index', r.identity, pg_get_indexdef(i.indexrelid), concat_ws(' ', i.indisprimary, i.indisvalid, i.indisunique, i.indisreplident,
			pg_get_userbyid(x.relowner), obj_description(i.indexrelid, 'pg_class'))
			FROM relation r JOIN pg_index i ON i.indrelid = r.oid JOIN pg_class x ON x.oid = i.indexrelid
		UNION ALL SELECT 'constraint', r.identity, c.conname, concat_ws(' ', pg_get_constraintdef(c.oid), c.convalidated, c.conislocal, c.coninhcount,
			obj_description(c.oid, 'pg_constraint')) FROM relation r JOIN pg_constraint c ON c.conrelid = r.oid
		UNION ALL SELECT 'policy', r.identity, p.polname, concat_ws(' ', p.polcmd, p.polpermissive, p.polroles::regrole[], pg_get_expr(p.polqual, p.polrelid),
			pg_get_expr(p.polwithcheck, p.polrelid), obj_description(p.oid, 'pg_policy')) FROM relation r JOIN pg_policy p ON p.polrelid = r.oid
		UNION ALL SELECT 'trigger', r.identity, t.tgname, pg_get_triggerdef(t.oid) FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
		UNION ALL SELECT 'rule', r.identity, w.rulename, pg_get_ruledef(w.oid) FROM relation r JOIN pg_rewrite w ON w.ev_class = r.oid
		UNION ALL SELECT 'inherits', i.inhrelid::regclass::text, i.inhparent::regclass::text, i.inhseqno::text FROM relation r JOIN pg_inherits i ON i.inhrelid = r.oid
		UNION ALL SELECT 'toast', r.identity, coalesce(t.reloptions::text, ''), (r.reltoastrelid <> 0)::text FROM relation r LEFT JOIN pg_class t ON t.oid = r.reltoastrelid
		UNION ALL SELECT 'function', m.identity, CASE p.prokind WHEN 'a' THEN (SELECT concat_ws(' ', g.aggtransfn, g.aggfinalfn, g.aggtranstype::regtype, g.aggtransspace)
				FROM pg_aggregate g WHERE g.aggfnoid = p.oid) ELSE pg_get_functiondef(p.oid) END,
			concat_ws(' ', pg_get_userbyid(p.proowner), pg_temp.acl(p.proacl), p.prosecdef, p.proleakproof, p.proconfig)
			FROM member m JOIN pg_proc p ON p.oid = m.objid AND m.classid = 'pg_proc'::regclass
		UNION ALL SELECT 'type', m.identity, pg_get_userbyid(t.typowner), concat_ws(' ', t.typtype, t.typlen, t.typstorage, t.typalign, pg_temp.acl(t.typacl), t.typinput, t.typoutput,
			t.typreceive, t.typsend, t.typanalyze) FROM member m JOIN pg_type t ON t.oid = m.objid AND m.classid = 'pg_type'::regclass
		UNION ALL SELECT 'operator', m.identity, o.oprcode::text, concat_ws(' ', o.oprcom::regoperator, o.oprnegate::regoperator, o.oprrest, o.oprjoin, o.oprcanmerge, o.oprcanhash,
			pg_get_userbyid(o.oprowner)) FROM member m JOIN pg_operator o ON o.oid = m.objid AND m.classid = 'pg_operator'::regclass
		UNION ALL SELECT 'cast', m.identity, c.castcontext::text, c.castfunc::regprocedure::text FROM member m JOIN pg_cast c ON c.oid = m.objid AND m.classid = 'pg_cast'::regclass
	) fact (kind, object, detail, more) ORDER BY 1, 2, 3, 4`;

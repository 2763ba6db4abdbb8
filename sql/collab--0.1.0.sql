-- collab--0.1.0.sql - everything that CREATE EXTENSION collab makes.
--
-- Rules of this file: no CREATE OR REPLACE and no IF NOT EXISTS (an object that somebody left here must stop the installation, not become part of
-- it); every name qualified; a COMMENT on every object; labels (volatility, parallel safety, strictness) that are true.

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION collab" to load this file. \quit

-- === guard ===

-- A schema that somebody prepared would be a trap for everything that is looked up in it later.
DO $guard$
DECLARE
	installer pg_catalog.oid := (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) CURRENT_USER);
	space pg_catalog.oid;
	space_owner pg_catalog.pg_roles;
BEGIN
	IF pg_catalog.getdatabaseencoding() OPERATOR(pg_catalog.<>) 'UTF8' THEN
		RAISE EXCEPTION USING
			ERRCODE = 'feature_not_supported',
			MESSAGE = 'collab needs a database with encoding UTF8',
			DETAIL = pg_catalog.format('This database has encoding %s.', pg_catalog.getdatabaseencoding());
	END IF;

	SELECT n.oid INTO STRICT space FROM pg_catalog.pg_namespace n WHERE n.nspname OPERATOR(pg_catalog.=) 'collab';
	SELECT r.* INTO STRICT space_owner
	FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) n.nspowner
	WHERE n.oid OPERATOR(pg_catalog.=) space;

	-- collab_owner is the role that deploy/roles.sql makes; a dump gives the schema back to it before this runs.
	IF NOT (space_owner.oid OPERATOR(pg_catalog.=) installer OR space_owner.rolsuper
			OR (space_owner.rolname OPERATOR(pg_catalog.=) 'collab_owner' AND NOT space_owner.rolcanlogin)) THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = 'schema collab exists and belongs to another role',
			DETAIL = pg_catalog.format('Its owner is %I.', space_owner.rolname),
			HINT = 'Drop or rename that schema first.';
	END IF;

	IF EXISTS (SELECT FROM pg_catalog.pg_namespace n, pg_catalog.aclexplode(n.nspacl) a
			   WHERE n.oid OPERATOR(pg_catalog.=) space AND a.privilege_type OPERATOR(pg_catalog.=) 'CREATE'
				 AND a.grantee OPERATOR(pg_catalog.<>) n.nspowner) THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = 'schema collab exists and others than its owner may create objects in it',
			HINT = 'Revoke CREATE on it first.';
	END IF;

	IF EXISTS (SELECT FROM pg_catalog.pg_depend d
			   JOIN pg_catalog.pg_shdepend s
				 ON s.classid OPERATOR(pg_catalog.=) d.classid AND s.objid OPERATOR(pg_catalog.=) d.objid
				AND s.deptype OPERATOR(pg_catalog.=) 'o' AND s.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_authid'::pg_catalog.regclass
			   JOIN pg_catalog.pg_database b ON b.oid OPERATOR(pg_catalog.=) s.dbid AND b.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
			   JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) s.refobjid
			   WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass
				 AND d.refobjid OPERATOR(pg_catalog.=) space
				 AND NOT r.rolsuper AND r.oid OPERATOR(pg_catalog.<>) installer) THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = 'schema collab exists and holds objects of other roles',
			HINT = 'Drop or rename that schema first.';
	END IF;
END
$guard$;

COMMENT ON SCHEMA collab IS 'collaborative documents: types, tables and functions of the extension collab';

-- Everybody may use the type; what reads or writes documents is revoked from PUBLIC below.
GRANT USAGE ON SCHEMA collab TO PUBLIC;

-- === type collab.delta ===

CREATE TYPE collab.delta;

CREATE FUNCTION collab.delta_in(cstring) RETURNS collab.delta
	AS 'MODULE_PATHNAME', 'delta_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION collab.delta_out(collab.delta) RETURNS cstring
	AS 'MODULE_PATHNAME', 'delta_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION collab.delta_recv(internal) RETURNS collab.delta
	AS 'MODULE_PATHNAME', 'delta_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION collab.delta_send(collab.delta) RETURNS bytea
	AS 'MODULE_PATHNAME', 'delta_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION collab.delta_in(cstring) IS 'I/O';
COMMENT ON FUNCTION collab.delta_out(collab.delta) IS 'I/O';
COMMENT ON FUNCTION collab.delta_recv(internal) IS 'I/O';
COMMENT ON FUNCTION collab.delta_send(collab.delta) IS 'I/O';

CREATE TYPE collab.delta (
	INPUT = collab.delta_in,
	OUTPUT = collab.delta_out,
	RECEIVE = collab.delta_recv,
	SEND = collab.delta_send,
	INTERNALLENGTH = VARIABLE,
	STORAGE = extended
);

COMMENT ON TYPE collab.delta IS 'Quill Delta: the content of a document, or a change of it; {"ops":[{"insert":"Hello"}]}';

-- === functions on deltas ===

CREATE FUNCTION collab.compose(first collab.delta, second collab.delta) RETURNS collab.delta
	AS 'MODULE_PATHNAME', 'delta_compose_sql' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION collab.compose(collab.delta, collab.delta) IS
	'the change that does the first, then the second; applied to a document: the changed document';

CREATE FUNCTION collab.transform(a collab.delta, b collab.delta, a_first boolean) RETURNS collab.delta
	AS 'MODULE_PATHNAME', 'delta_transform_sql' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION collab.transform(collab.delta, collab.delta, boolean) IS
	'b rewritten to follow a, where both were made on the same document; a_first: of two inserts at one place that of a comes first, of two values for one attribute that of a stays';

CREATE FUNCTION collab.transform_position(change collab.delta, "position" bigint, priority boolean DEFAULT false) RETURNS bigint
	AS 'MODULE_PATHNAME', 'delta_transform_position_sql' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION collab.transform_position(collab.delta, bigint, boolean) IS
	'where a position is after the change; with priority an insert exactly there does not move it';

CREATE FUNCTION collab.invert(change collab.delta, base collab.delta) RETURNS collab.delta
	AS 'MODULE_PATHNAME', 'delta_invert_sql' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION collab.invert(collab.delta, collab.delta) IS
	'the change that undoes the given one, which was made on document base';

CREATE FUNCTION collab.diff(a collab.delta, b collab.delta) RETURNS collab.delta
	AS 'MODULE_PATHNAME', 'delta_diff_sql' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION collab.diff(collab.delta, collab.delta) IS
	'a change that makes document b of document a';

CREATE FUNCTION collab.delta_length(delta collab.delta) RETURNS bigint
	AS 'MODULE_PATHNAME', 'delta_length_sql' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION collab.delta_length(collab.delta) IS
	'sum of the lengths of the ops, in UTF-16 code units; of a document: its length';

CREATE FUNCTION collab.is_document(delta collab.delta) RETURNS boolean
	AS 'MODULE_PATHNAME', 'delta_is_document_sql' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION collab.is_document(collab.delta) IS
	'whether the delta holds inserts only';

CREATE FUNCTION collab.to_text(delta collab.delta, embed text DEFAULT '') RETURNS text
	AS 'MODULE_PATHNAME', 'delta_to_text_sql' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION collab.to_text(collab.delta, text) IS
	'text of the inserts, with the second argument in the place of each embed';

CREATE FUNCTION collab.slice(delta collab.delta, first bigint, past bigint DEFAULT NULL) RETURNS collab.delta
	AS 'MODULE_PATHNAME', 'delta_slice_sql' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION collab.slice(collab.delta, bigint, bigint) IS
	'the ops from unit first up to, not including, unit past; to the end where that is null';

CREATE OPERATOR collab.|| (
	LEFTARG = collab.delta, RIGHTARG = collab.delta, FUNCTION = collab.compose
);
COMMENT ON OPERATOR collab.|| (collab.delta, collab.delta) IS 'compose';

-- === casts ===

CREATE FUNCTION collab.delta_to_jsonb(collab.delta) RETURNS jsonb
	AS 'MODULE_PATHNAME', 'delta_to_jsonb' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION collab.delta_to_jsonb(collab.delta) IS 'implementation of the cast to jsonb';

CREATE FUNCTION collab.delta_from_jsonb(jsonb) RETURNS collab.delta
	AS 'MODULE_PATHNAME', 'delta_from_jsonb' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION collab.delta_from_jsonb(jsonb) IS 'implementation of the cast from jsonb';

CREATE CAST (collab.delta AS jsonb) WITH FUNCTION collab.delta_to_jsonb(collab.delta) AS ASSIGNMENT;
COMMENT ON CAST (collab.delta AS jsonb) IS 'the delta as JSON';

CREATE CAST (jsonb AS collab.delta) WITH FUNCTION collab.delta_from_jsonb(jsonb) AS ASSIGNMENT;
COMMENT ON CAST (jsonb AS collab.delta) IS 'checked as the text form is';

-- === comparison ===

CREATE FUNCTION collab.delta_eq(collab.delta, collab.delta) RETURNS boolean
	AS 'MODULE_PATHNAME', 'delta_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION collab.delta_ne(collab.delta, collab.delta) RETURNS boolean
	AS 'MODULE_PATHNAME', 'delta_ne' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION collab.delta_lt(collab.delta, collab.delta) RETURNS boolean
	AS 'MODULE_PATHNAME', 'delta_lt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION collab.delta_le(collab.delta, collab.delta) RETURNS boolean
	AS 'MODULE_PATHNAME', 'delta_le' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION collab.delta_gt(collab.delta, collab.delta) RETURNS boolean
	AS 'MODULE_PATHNAME', 'delta_gt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION collab.delta_ge(collab.delta, collab.delta) RETURNS boolean
	AS 'MODULE_PATHNAME', 'delta_ge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION collab.delta_cmp(collab.delta, collab.delta) RETURNS integer
	AS 'MODULE_PATHNAME', 'delta_cmp' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION collab.delta_hash(collab.delta) RETURNS integer
	AS 'MODULE_PATHNAME', 'delta_hash' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION collab.delta_hash_extended(collab.delta, bigint) RETURNS bigint
	AS 'MODULE_PATHNAME', 'delta_hash_extended' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION collab.delta_eq(collab.delta, collab.delta) IS 'implementation of = operator';
COMMENT ON FUNCTION collab.delta_ne(collab.delta, collab.delta) IS 'implementation of <> operator';
COMMENT ON FUNCTION collab.delta_lt(collab.delta, collab.delta) IS 'implementation of < operator';
COMMENT ON FUNCTION collab.delta_le(collab.delta, collab.delta) IS 'implementation of <= operator';
COMMENT ON FUNCTION collab.delta_gt(collab.delta, collab.delta) IS 'implementation of > operator';
COMMENT ON FUNCTION collab.delta_ge(collab.delta, collab.delta) IS 'implementation of >= operator';
COMMENT ON FUNCTION collab.delta_cmp(collab.delta, collab.delta) IS 'less-equal-greater, in the order of the bytes';
COMMENT ON FUNCTION collab.delta_hash(collab.delta) IS 'hash';
COMMENT ON FUNCTION collab.delta_hash_extended(collab.delta, bigint) IS 'hash with a seed';

CREATE OPERATOR collab.= (
	LEFTARG = collab.delta, RIGHTARG = collab.delta, FUNCTION = collab.delta_eq,
	COMMUTATOR = OPERATOR(collab.=), NEGATOR = OPERATOR(collab.<>),
	RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
CREATE OPERATOR collab.<> (
	LEFTARG = collab.delta, RIGHTARG = collab.delta, FUNCTION = collab.delta_ne,
	COMMUTATOR = OPERATOR(collab.<>), NEGATOR = OPERATOR(collab.=),
	RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR collab.< (
	LEFTARG = collab.delta, RIGHTARG = collab.delta, FUNCTION = collab.delta_lt,
	COMMUTATOR = OPERATOR(collab.>), NEGATOR = OPERATOR(collab.>=),
	RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
CREATE OPERATOR collab.<= (
	LEFTARG = collab.delta, RIGHTARG = collab.delta, FUNCTION = collab.delta_le,
	COMMUTATOR = OPERATOR(collab.>=), NEGATOR = OPERATOR(collab.>),
	RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
CREATE OPERATOR collab.> (
	LEFTARG = collab.delta, RIGHTARG = collab.delta, FUNCTION = collab.delta_gt,
	COMMUTATOR = OPERATOR(collab.<), NEGATOR = OPERATOR(collab.<=),
	RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
CREATE OPERATOR collab.>= (
	LEFTARG = collab.delta, RIGHTARG = collab.delta, FUNCTION = collab.delta_ge,
	COMMUTATOR = OPERATOR(collab.<=), NEGATOR = OPERATOR(collab.<),
	RESTRICT = scalargesel, JOIN = scalargejoinsel
);

COMMENT ON OPERATOR collab.= (collab.delta, collab.delta) IS 'equal';
COMMENT ON OPERATOR collab.<> (collab.delta, collab.delta) IS 'not equal';
COMMENT ON OPERATOR collab.< (collab.delta, collab.delta) IS 'less than';
COMMENT ON OPERATOR collab.<= (collab.delta, collab.delta) IS 'less than or equal';
COMMENT ON OPERATOR collab.> (collab.delta, collab.delta) IS 'greater than';
COMMENT ON OPERATOR collab.>= (collab.delta, collab.delta) IS 'greater than or equal';

CREATE OPERATOR FAMILY collab.delta_ops USING btree;
CREATE OPERATOR CLASS collab.delta_ops DEFAULT FOR TYPE collab.delta USING btree FAMILY collab.delta_ops AS
	OPERATOR 1 collab.<,
	OPERATOR 2 collab.<=,
	OPERATOR 3 collab.=,
	OPERATOR 4 collab.>=,
	OPERATOR 5 collab.>,
	FUNCTION 1 collab.delta_cmp(collab.delta, collab.delta);
COMMENT ON OPERATOR FAMILY collab.delta_ops USING btree IS 'sorting of deltas, in the order of their bytes';
COMMENT ON OPERATOR CLASS collab.delta_ops USING btree IS 'sorting of deltas, in the order of their bytes';

CREATE OPERATOR FAMILY collab.delta_ops USING hash;
CREATE OPERATOR CLASS collab.delta_ops DEFAULT FOR TYPE collab.delta USING hash FAMILY collab.delta_ops AS
	OPERATOR 1 collab.=,
	FUNCTION 1 collab.delta_hash(collab.delta),
	FUNCTION 2 collab.delta_hash_extended(collab.delta, bigint);
COMMENT ON OPERATOR FAMILY collab.delta_ops USING hash IS 'hashing of deltas';
COMMENT ON OPERATOR CLASS collab.delta_ops USING hash IS 'hashing of deltas';

-- === aggregate ===

CREATE FUNCTION collab.delta_compose_accum(internal, collab.delta) RETURNS internal
	AS 'MODULE_PATHNAME', 'delta_compose_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION collab.delta_compose_accum(internal, collab.delta) IS 'aggregate transition function';

CREATE FUNCTION collab.delta_compose_final(internal) RETURNS collab.delta
	AS 'MODULE_PATHNAME', 'delta_compose_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION collab.delta_compose_final(internal) IS 'aggregate final function';

REVOKE ALL ON FUNCTION collab.delta_compose_accum(internal, collab.delta), collab.delta_compose_final(internal) FROM PUBLIC;

-- Without a combine function: the order of the changes is their meaning, so workers cannot share one group among them.
CREATE AGGREGATE collab.compose(change collab.delta) (
	SFUNC = collab.delta_compose_accum,
	STYPE = internal,
	SSPACE = 8192,
	FINALFUNC = collab.delta_compose_final,
	FINALFUNC_MODIFY = READ_ONLY,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE collab.compose(collab.delta) IS
	'all changes as one, in the order of the rows: compose(op ORDER BY version)';

-- === tables ===

-- A document and a user are known by their text id to people and by a 64-bit hash of it (the key) in every table. The key comes first in every
-- primary key. There are no foreign keys: a key-share lock on the parent would write WAL for every keystroke.

CREATE FUNCTION collab.document_key(doc_id text) RETURNS bigint
	AS 'MODULE_PATHNAME', 'document_key' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION collab.document_key(text) IS
	'key of a document: XXH64 (seed 0) of its id as a signed integer; refuses what cannot be an id';

CREATE FUNCTION collab.user_key(user_id text) RETURNS bigint
	AS 'MODULE_PATHNAME', 'user_key' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION collab.user_key(text) IS 'key of a user: XXH64 (seed 1) of the user''s name as a signed integer';

CREATE FUNCTION collab.event_id(author bigint, site bigint, clock bigint, created_at timestamptz) RETURNS bigint
	AS 'MODULE_PATHNAME', 'event_id' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION collab.event_id(bigint, bigint, bigint, timestamptz) IS 'id of an event: tells equal versions of two histories apart';

CREATE FUNCTION collab.current_user_id() RETURNS text
	AS 'MODULE_PATHNAME', 'current_user_id' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION collab.current_user_id() IS 'user that this session edits for: the setting collab.user_id, or the SQL role where that is empty';

CREATE FUNCTION collab.internal_pass() RETURNS boolean
	AS 'MODULE_PATHNAME', 'internal_pass' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION collab.internal_pass() IS 'whether the extension''s own code is at work; what every row-level security policy asks';

CREATE TABLE collab.documents (
	key bigint NOT NULL,
	doc_id text COLLATE "C" NOT NULL,
	kind text COLLATE "C" NOT NULL DEFAULT 'delta',
	owner bigint NOT NULL,
	created_at timestamptz NOT NULL,
	CONSTRAINT documents_pkey PRIMARY KEY (key),
	CONSTRAINT documents_key_check CHECK (key OPERATOR(pg_catalog.=) collab.document_key(doc_id)),
	CONSTRAINT documents_kind_check CHECK (kind OPERATOR(pg_catalog.=) 'delta')
);
COMMENT ON TABLE collab.documents IS 'one row per document; its head is its newest event';
COMMENT ON COLUMN collab.documents.key IS 'collab.document_key(doc_id)';
COMMENT ON COLUMN collab.documents.doc_id IS 'the id that people and URLs use';
COMMENT ON COLUMN collab.documents.kind IS 'how edits are merged: delta = operational transformation';
COMMENT ON COLUMN collab.documents.owner IS 'key of the user who created it';
COMMENT ON COLUMN collab.documents.created_at IS 'when it was created; part of the id of version 0';
COMMENT ON CONSTRAINT documents_pkey ON collab.documents IS 'two ids with one key are refused';
COMMENT ON CONSTRAINT documents_key_check ON collab.documents IS 'the key is the hash of the id';
COMMENT ON CONSTRAINT documents_kind_check ON collab.documents IS 'kinds that this version knows';

CREATE TABLE collab.users (
	key bigint NOT NULL,
	user_id text COLLATE "C" NOT NULL,
	created_at timestamptz NOT NULL,
	CONSTRAINT users_pkey PRIMARY KEY (key),
	CONSTRAINT users_key_check CHECK (key OPERATOR(pg_catalog.=) collab.user_key(user_id))
);
COMMENT ON TABLE collab.users IS 'names of the users who created or edited something';
COMMENT ON COLUMN collab.users.key IS 'collab.user_key(user_id)';
COMMENT ON COLUMN collab.users.user_id IS 'the name, as the application or the proxy gave it';
COMMENT ON COLUMN collab.users.created_at IS 'first edit';
COMMENT ON CONSTRAINT users_pkey ON collab.users IS 'two names with one key are refused';
COMMENT ON CONSTRAINT users_key_check ON collab.users IS 'the key is the hash of the name';

CREATE TABLE collab.events (
	doc bigint NOT NULL,
	version bigint NOT NULL,
	site bigint NOT NULL,
	clock bigint NOT NULL,
	base_version bigint NOT NULL,
	author bigint NOT NULL,
	length bigint NOT NULL,
	created_at timestamptz NOT NULL,
	astral boolean NOT NULL,
	op collab.delta NOT NULL,
	CONSTRAINT events_pkey PRIMARY KEY (doc, version)
) PARTITION BY HASH (doc);
COMMENT ON TABLE collab.events IS 'every edit: event n turns version n-1 of its document into version n; rows are appended and never changed';
COMMENT ON COLUMN collab.events.doc IS 'key of the document';
COMMENT ON COLUMN collab.events.version IS '1, 2, 3 ... without gaps';
COMMENT ON COLUMN collab.events.site IS 'the editor that made it (drawn at random); 0: made by SQL';
COMMENT ON COLUMN collab.events.clock IS 'rises with every edit of a site; of site 0: the version';
COMMENT ON COLUMN collab.events.base_version IS 'version that it was made at; op is what it became at version - 1';
COMMENT ON COLUMN collab.events.author IS 'key of the user';
COMMENT ON COLUMN collab.events.length IS 'length of the document after it, in UTF-16 code units';
COMMENT ON COLUMN collab.events.created_at IS 'when it was written; never before the event in front of it';
COMMENT ON COLUMN collab.events.astral IS 'the document holds or has held a surrogate pair';
COMMENT ON COLUMN collab.events.op IS 'the change';
COMMENT ON CONSTRAINT events_pkey ON collab.events IS 'one event per version';

-- ANALYZE would put content into pg_statistic; the leaves do not inherit this.
ALTER TABLE collab.events ALTER COLUMN op SET STATISTICS 0;

-- 16 leaves, for ever: a dump that is restored into another number loses rows.
DO $leaves$
DECLARE
	leaf pg_catalog.text;
	constr pg_catalog.text;
BEGIN
	FOR i IN 0 .. 15 LOOP
		leaf := pg_catalog.format('events_%s', pg_catalog.to_char(i, 'FM00'));
		EXECUTE pg_catalog.format('CREATE TABLE collab.%I PARTITION OF collab.events FOR VALUES WITH (MODULUS 16, REMAINDER %s)', leaf, i);
		EXECUTE pg_catalog.format('ALTER TABLE collab.%I ALTER COLUMN op SET STATISTICS 0', leaf);
		EXECUTE pg_catalog.format('COMMENT ON TABLE collab.%I IS %L', leaf, pg_catalog.format('events of documents whose key hashes to %s modulo 16', i));
		SELECT c.conname INTO STRICT constr FROM pg_catalog.pg_constraint c
			WHERE c.conrelid OPERATOR(pg_catalog.=) pg_catalog.format('collab.%I', leaf)::pg_catalog.regclass
			  AND c.contype OPERATOR(pg_catalog.=) 'p';
		EXECUTE pg_catalog.format('COMMENT ON CONSTRAINT %I ON collab.%I IS %L', constr, leaf, 'one event per version');
	END LOOP;
END
$leaves$;

-- Policies of the root do not protect a leaf that is named directly, and the data of a leaf that is not registered is not dumped: all of them.
DO $tables$
DECLARE
	name pg_catalog.name;
BEGIN
	FOR name IN SELECT c.relname FROM pg_catalog.pg_class c
			JOIN pg_catalog.pg_depend d ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid OPERATOR(pg_catalog.=) c.oid
			JOIN pg_catalog.pg_extension e ON e.oid OPERATOR(pg_catalog.=) d.refobjid
		WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype OPERATOR(pg_catalog.=) 'e'
		  AND e.extname OPERATOR(pg_catalog.=) 'collab' AND c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'p']::pg_catalog."char"[])
		ORDER BY c.relname COLLATE pg_catalog."C"
	LOOP
		EXECUTE pg_catalog.format('ALTER TABLE collab.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
		EXECUTE pg_catalog.format('CREATE POLICY internal ON collab.%I USING (collab.internal_pass()) WITH CHECK (collab.internal_pass())', name);
		EXECUTE pg_catalog.format('COMMENT ON POLICY internal ON collab.%I IS %L', name, 'only the extension''s own code gets through');
		EXECUTE pg_catalog.format('REVOKE ALL ON TABLE collab.%I FROM PUBLIC', name);
		PERFORM pg_catalog.pg_extension_config_dump(pg_catalog.format('collab.%I', name)::pg_catalog.regclass, '');
	END LOOP;
END
$tables$;

CREATE VIEW collab.document_list WITH (security_invoker = true, security_barrier = true) AS
	SELECT d.doc_id, d.kind, u.user_id AS owner, d.created_at
	FROM collab.documents d LEFT JOIN collab.users u ON u.key OPERATOR(pg_catalog.=) d.owner;
COMMENT ON VIEW collab.document_list IS 'documents with text ids, for people';
COMMENT ON COLUMN collab.document_list.doc_id IS 'id of the document';
COMMENT ON COLUMN collab.document_list.kind IS 'how edits are merged';
COMMENT ON COLUMN collab.document_list.owner IS 'user who created it';
COMMENT ON COLUMN collab.document_list.created_at IS 'when it was created';

CREATE VIEW collab.event_list WITH (security_invoker = true, security_barrier = true) AS
	SELECT d.doc_id, e.version, e.site, e.clock, e.base_version, u.user_id AS author, e.op, e.length, e.created_at,
		collab.event_id(e.author, e.site, e.clock, e.created_at) AS event
	FROM collab.events e
		JOIN collab.documents d ON d.key OPERATOR(pg_catalog.=) e.doc
		LEFT JOIN collab.users u ON u.key OPERATOR(pg_catalog.=) e.author;
COMMENT ON VIEW collab.event_list IS 'events with text ids, for people';
COMMENT ON COLUMN collab.event_list.doc_id IS 'id of the document';
COMMENT ON COLUMN collab.event_list.version IS 'version that the event made';
COMMENT ON COLUMN collab.event_list.site IS 'the editor that made it; 0: made by SQL';
COMMENT ON COLUMN collab.event_list.clock IS 'which of the editor''s edits';
COMMENT ON COLUMN collab.event_list.base_version IS 'version that it was made at';
COMMENT ON COLUMN collab.event_list.author IS 'name of the user';
COMMENT ON COLUMN collab.event_list.op IS 'the change';
COMMENT ON COLUMN collab.event_list.length IS 'length of the document after it';
COMMENT ON COLUMN collab.event_list.created_at IS 'when it was written';
COMMENT ON COLUMN collab.event_list.event IS 'id of the event';

REVOKE ALL ON TABLE collab.document_list, collab.event_list FROM PUBLIC;

-- === writing ===

CREATE FUNCTION collab.create_document(doc_id text, content text DEFAULT NULL) RETURNS bigint
	AS 'MODULE_PATHNAME', 'create_document_text' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.create_document(text, text) IS 'makes a document, with plain text as its first event or empty; returns its version';

CREATE FUNCTION collab.create_document(doc_id text, content collab.delta) RETURNS bigint
	AS 'MODULE_PATHNAME', 'create_document_delta' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.create_document(text, collab.delta) IS 'makes a document with rich text as its first event; returns its version';

CREATE FUNCTION collab.drop_document(doc_id text) RETURNS boolean
	AS 'MODULE_PATHNAME', 'drop_document' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.drop_document(text) IS 'removes a document and its history; false if there is none';

CREATE FUNCTION collab.submit(doc_id text, op collab.delta, base_version bigint DEFAULT NULL, site bigint DEFAULT 0,
							  clock bigint DEFAULT NULL, base_event bigint DEFAULT NULL) RETURNS bigint
	AS 'MODULE_PATHNAME', 'submit' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.submit(text, collab.delta, bigint, bigint, bigint, bigint) IS
	'applies a change that was made at base_version (NULL: at the head), carried over what came since; returns its version';

CREATE FUNCTION collab.submit_batch(doc_ids text[], users text[], sites bigint[], clocks bigint[], base_versions bigint[],
									base_events bigint[], piece_counts integer[], pieces bytea[], wait boolean DEFAULT false,
									OUT message integer, OUT piece integer, OUT status text, OUT version bigint, OUT event bigint,
									OUT at timestamptz, OUT op bytea, OUT code text, OUT detail text) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'submit_batch' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE ROWS 100;
COMMENT ON FUNCTION collab.submit_batch(text[], text[], bigint[], bigint[], bigint[], bigint[], integer[], bytea[], boolean) IS
	'applies many messages of many users to many documents in one transaction; a bad one becomes an error row. For the proxy''s role only: it takes users'' names as arguments';

CREATE FUNCTION collab.insert_text(doc_id text, "position" bigint, content text, attributes jsonb DEFAULT NULL) RETURNS bigint
	AS 'MODULE_PATHNAME', 'edit_insert_text' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.insert_text(text, bigint, text, jsonb) IS
	'inserts text at a position of the newest version (0 = the beginning, in UTF-16 code units); returns the new version';

CREATE FUNCTION collab.delete_text(doc_id text, "position" bigint, count bigint) RETURNS bigint
	AS 'MODULE_PATHNAME', 'edit_delete_text' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.delete_text(text, bigint, bigint) IS
	'deletes count UTF-16 code units at a position of the newest version; returns the new version';

CREATE FUNCTION collab.replace_text(doc_id text, search text, replacement text) RETURNS bigint
	AS 'MODULE_PATHNAME', 'edit_replace_text' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.replace_text(text, text, text) IS
	'replaces every occurrence of a text in the newest version, keeping its formatting; returns the new version, or the old one where nothing was found';

-- Who may edit what is decided by grants on these (deploy/roles.sql): nobody, to begin with.
REVOKE ALL ON FUNCTION
	collab.create_document(text, text),
	collab.create_document(text, collab.delta),
	collab.drop_document(text),
	collab.submit(text, collab.delta, bigint, bigint, bigint, bigint),
	collab.submit_batch(text[], text[], bigint[], bigint[], bigint[], bigint[], integer[], bytea[], boolean),
	collab.insert_text(text, bigint, text, jsonb),
	collab.delete_text(text, bigint, bigint),
	collab.replace_text(text, text, text)
FROM PUBLIC;

-- === reading ===

-- EXECUTE is the right to read every document, until permissions tell users apart.

CREATE FUNCTION collab.document(doc_id text) RETURNS collab.delta
	AS 'MODULE_PATHNAME', 'read_document' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION collab.document(text) IS 'content of a document';

CREATE FUNCTION collab.document(doc_id text, version bigint) RETURNS collab.delta
	AS 'MODULE_PATHNAME', 'read_document' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION collab.document(text, bigint) IS 'content of a document as it was at a version';

CREATE FUNCTION collab.document_at(doc_id text, at timestamptz) RETURNS collab.delta
	AS 'MODULE_PATHNAME', 'read_document_at' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION collab.document_at(text, timestamptz) IS 'content of a document as it was at a time';

CREATE FUNCTION collab.text(doc_id text) RETURNS text
	AS 'MODULE_PATHNAME', 'read_text' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION collab.text(text) IS 'text of a document, without its embeds';

CREATE FUNCTION collab.text(doc_id text, version bigint) RETURNS text
	AS 'MODULE_PATHNAME', 'read_text' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION collab.text(text, bigint) IS 'text of a document, without its embeds, as it was at a version';

CREATE FUNCTION collab.events_since(doc_id text, version bigint, max_events bigint DEFAULT NULL)
	RETURNS TABLE (version bigint, event bigint, site bigint, clock bigint, base_version bigint, author text,
				   op collab.delta, length bigint, created_at timestamptz)
	AS 'MODULE_PATHNAME', 'read_events_since' LANGUAGE C STABLE PARALLEL SAFE COST 100 ROWS 100;
COMMENT ON FUNCTION collab.events_since(text, bigint, bigint) IS
	'the events of a document after a version, ascending; length is that of the document after the event';

REVOKE ALL ON FUNCTION
	collab.document(text), collab.document(text, bigint), collab.document_at(text, timestamptz),
	collab.text(text), collab.text(text, bigint), collab.events_since(text, bigint, bigint)
	FROM PUBLIC;

-- === reading for proxies ===

CREATE FUNCTION collab.open_document(doc_id text, user_id text, site bigint, last_version bigint, last_event bigint,
									 pending integer, max_events integer)
	RETURNS TABLE (kind text, version bigint, event bigint, site bigint, clock bigint, author text, at timestamptz,
				   op bytea, reason text, head bigint)
	AS 'MODULE_PATHNAME', 'feed_open_document' LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 10;
COMMENT ON FUNCTION collab.open_document(text, text, bigint, bigint, bigint, integer, integer) IS
	'what a client at a position (last_version, last_event) needs to be at the head: nothing (current), the events, or a snapshot; op is JSON';

CREATE FUNCTION collab.fetch_events(keys bigint[], after bigint[], max_events integer)
	RETURNS TABLE (key bigint, version bigint, event bigint, site bigint, clock bigint, author text, at timestamptz, op bytea)
	AS 'MODULE_PATHNAME', 'feed_fetch_events' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000 ROWS 100;
COMMENT ON FUNCTION collab.fetch_events(bigint[], bigint[], integer) IS
	'the events after a version of each of many documents, ascending, at most max_events of each; op is JSON';

CREATE FUNCTION collab.heads(keys bigint[]) RETURNS TABLE (key bigint, version bigint, event bigint)
	AS 'MODULE_PATHNAME', 'feed_heads' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100 ROWS 100;
COMMENT ON FUNCTION collab.heads(bigint[]) IS
	'version and event id of each of many documents; one that does not exist gives no row';

REVOKE ALL ON FUNCTION
	collab.open_document(text, text, bigint, bigint, bigint, integer, integer),
	collab.fetch_events(bigint[], bigint[], integer), collab.heads(bigint[])
	FROM PUBLIC;

-- roles.sql - the roles that collab works with, and what each may do. Repeatable.
--
-- Roles and grants on parameters belong to the whole cluster, so the extension's script does not make them. Run this as a superuser in
-- every database that has the extension, after CREATE EXTENSION, after every upgrade of it and after restoring a dump. In a
-- database without the extension it makes the roles only, which is what a dump wants to find:
--
--	psql -X -v ON_ERROR_STOP=1 -d DATABASE -f roles.sql
--
--	collab_owner	owns the objects. Nobody logs in as it.
--	collab_worker	the background workers. LOGIN, because a worker cannot take a role without it; no password and no connection
--					allowed, because nobody else is to use it.
--	collab_proxy	collab-proxy logs in as it: it may name any user. Give it a password or a line in pg_hba.conf.
--	collab_archiver	collab-archiver logs in as it. Give it a password or a line in pg_hba.conf.
--	collab_app		granted to roles of applications that edit documents by SQL.

\set ON_ERROR_STOP on

BEGIN;

DO $roles$
DECLARE
	role pg_catalog.text;
BEGIN
	FOREACH role IN ARRAY ARRAY['collab_owner', 'collab_worker', 'collab_proxy', 'collab_archiver', 'collab_app']::pg_catalog.text[] LOOP
		IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) role::pg_catalog.name) THEN
			EXECUTE pg_catalog.format('CREATE ROLE %I', role);
		END IF;
	END LOOP;
END
$roles$;

ALTER ROLE collab_owner NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
ALTER ROLE collab_worker LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION BYPASSRLS CONNECTION LIMIT 0 PASSWORD NULL;
ALTER ROLE collab_proxy LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
ALTER ROLE collab_archiver LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
ALTER ROLE collab_app NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;

COMMENT ON ROLE collab_owner IS 'owner of the objects of the extension collab';
COMMENT ON ROLE collab_worker IS 'background workers of the extension collab';
COMMENT ON ROLE collab_proxy IS 'collab-proxy';
COMMENT ON ROLE collab_archiver IS 'collab-archiver';
COMMENT ON ROLE collab_app IS 'for roles of applications that edit documents of the extension collab by SQL';

-- A transaction of the proxy or of a worker that hangs must not keep others from vacuuming, nor a document locked.
ALTER ROLE collab_proxy SET idle_in_transaction_session_timeout = '10s';
ALTER ROLE collab_proxy SET lock_timeout = '5s';
-- Whoever submits holds the document's lock while its history comes from the cold store. It comes all the same, for the next attempt.
ALTER ROLE collab_proxy SET collab.thaw_timeout = '5s';
ALTER ROLE collab_archiver SET idle_in_transaction_session_timeout = '10s';
ALTER ROLE collab_archiver SET lock_timeout = '5s';

-- The one who may say for whom he works.
GRANT SET ON PARAMETER collab.user_id TO collab_proxy;

DO $connect$
BEGIN
	EXECUTE pg_catalog.format('GRANT CONNECT ON DATABASE %I TO collab_worker, collab_proxy, collab_archiver', pg_catalog.current_database());
END
$connect$;

SELECT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname OPERATOR(pg_catalog.=) 'collab') AS has_extension \gset
\if :has_extension

DO $owner$
DECLARE
	owner CONSTANT pg_catalog.oid := 'collab_owner'::pg_catalog.regrole;
	object record;
BEGIN
	-- Nothing belongs to a superuser: what runs or is looked up with an owner's rights shall have few. What has its owner is left alone,
	-- because giving a table an owner locks out everybody who uses it.
	IF (SELECT nspowner FROM pg_catalog.pg_namespace WHERE nspname OPERATOR(pg_catalog.=) 'collab') OPERATOR(pg_catalog.<>) owner THEN
		ALTER SCHEMA collab OWNER TO collab_owner;
	END IF;
	FOR object IN
		SELECT c.relkind, c.oid::pg_catalog.regclass AS relation, p.oid::pg_catalog.regprocedure AS routine
		FROM pg_catalog.pg_depend d
			JOIN pg_catalog.pg_extension e ON e.oid OPERATOR(pg_catalog.=) d.refobjid
			LEFT JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) d.objid
				AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
			LEFT JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) d.objid
				AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
		WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
			AND d.deptype OPERATOR(pg_catalog.=) 'e' AND e.extname OPERATOR(pg_catalog.=) 'collab'
			AND (c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'p', 'v', 'S']::pg_catalog."char"[]) AND c.relowner OPERATOR(pg_catalog.<>) owner
				OR p.proowner OPERATOR(pg_catalog.<>) owner)
	LOOP
		IF object.relation IS NOT NULL THEN
			EXECUTE pg_catalog.format('ALTER TABLE %s OWNER TO collab_owner', object.relation);
		ELSE
			EXECUTE pg_catalog.format('ALTER ROUTINE %s OWNER TO collab_owner', object.routine);
		END IF;
	END LOOP;
END
$owner$;

GRANT USAGE ON SCHEMA collab TO collab_worker, collab_proxy, collab_archiver, collab_app;

GRANT EXECUTE ON FUNCTION
	collab.submit_batch(text[], text[], bigint[], bigint[], bigint[], bigint[], integer[], bytea[], boolean),
	collab.open_document(text, text, bigint, bigint, bigint, integer, integer),
	collab.fetch_events(bigint[], bigint[], integer),
	collab.heads(bigint[]),
	collab.bus_key(),
	collab.presence_send(bigint, bytea),
	collab.presence_receive(bigint, bigint, integer),
	collab.transform_times(),
	collab.metrics()
TO collab_proxy;

-- What the proxy answers over HTTP, for whom it names.
GRANT EXECUTE ON FUNCTION
	collab.positions(text[]),
	collab.position_of(text, bigint, timestamptz),
	collab.require_position(text, bigint, bigint),
	collab.create_document(text, collab.delta),
	collab.drop_document(text),
	collab.replace_document(text, collab.delta),
	collab.document(text, bigint),
	collab.text(text, bigint),
	collab.html(text, bigint),
	collab.markdown(text, bigint),
	collab.history(text, bigint, bigint, interval, bigint),
	collab.blame(text, bigint),
	collab.named_versions(text),
	collab.comments(text, bigint),
	collab.add_comment(text, bigint, bigint, text, bigint),
	collab.reply(uuid, text)
TO collab_proxy;

GRANT EXECUTE ON FUNCTION
	collab.archiver_duty(text),
	collab.archiver_failed(bigint, text, text, text),
	collab.archive_candidates(bigint, integer, interval),
	collab.archive_claim(bigint, bigint, interval),
	collab.archive_commit(bigint, bigint, bigint, bigint, bytea),
	collab.archive_garbage_take(interval, integer),
	collab.archive_garbage_done(text),
	collab.archive_list(text, integer),
	collab.archive_unknown(text[]),
	collab.thaw_wanted(),
	collab.thaw_store(bigint, bigint, bytea),
	collab.thaw_expire()
TO collab_archiver;

GRANT EXECUTE ON FUNCTION
	collab.create_document(text, text),
	collab.create_document(text, collab.delta),
	collab.drop_document(text),
	collab.submit(text, collab.delta, bigint, bigint, bigint, bigint),
	collab.insert_text(text, bigint, text, jsonb),
	collab.delete_text(text, bigint, bigint),
	collab.replace_text(text, text, text),
	collab.document(text),
	collab.document(text, bigint),
	collab.document_at(text, timestamptz),
	collab.text(text),
	collab.text(text, bigint),
	collab.html(text, bigint),
	collab.markdown(text, bigint),
	collab.set_visibility(text, text),
	collab.replace_document(text, collab.delta),
	collab.search(tsquery, integer),
	collab.events_since(text, bigint, bigint),
	collab.history(text, bigint, bigint, interval, bigint),
	collab.name_version(text, text, bigint),
	collab.unname_version(text, text),
	collab.named_version(text, text),
	collab.named_versions(text),
	collab.diff(text, bigint, bigint),
	collab.restore(text, bigint),
	collab.undo(text, text, integer, interval),
	collab.redo(text, text, integer, interval),
	collab.blame(text, bigint),
	collab.add_comment(text, bigint, bigint, text, bigint),
	collab.reply(uuid, text),
	collab.edit_comment(uuid, text),
	collab.resolve_comment(uuid),
	collab.reopen_comment(uuid),
	collab.delete_comment(uuid),
	collab.comments(text, bigint)
TO collab_app;

-- So that an application's table may have a foreign key to a document's id.
GRANT REFERENCES (doc_id) ON TABLE collab.documents TO collab_app;

\endif

COMMIT;

-- The API contract: every function with its signature, labels and who may execute it; nothing more, nothing less.
BEGIN;
SELECT plan(8);

-- volatility (i, s, v), parallel (s, r, u), strict, whether PUBLIC may execute
CREATE TEMP TABLE expected (signature text PRIMARY KEY, result text, kind text, volatility text, parallel text, strict boolean, everybody boolean);
INSERT INTO expected VALUES
	-- the type
	('delta_in(cstring)', 'collab.delta', 'f', 'i', 's', true, true),
	('delta_out(collab.delta)', 'cstring', 'f', 'i', 's', true, true),
	('delta_recv(internal)', 'collab.delta', 'f', 'i', 's', true, true),
	('delta_send(collab.delta)', 'bytea', 'f', 'i', 's', true, true),
	('delta_to_jsonb(collab.delta)', 'jsonb', 'f', 'i', 's', true, true),
	('delta_from_jsonb(jsonb)', 'collab.delta', 'f', 'i', 's', true, true),
	('delta_eq(collab.delta, collab.delta)', 'boolean', 'f', 'i', 's', true, true),
	('delta_ne(collab.delta, collab.delta)', 'boolean', 'f', 'i', 's', true, true),
	('delta_lt(collab.delta, collab.delta)', 'boolean', 'f', 'i', 's', true, true),
	('delta_le(collab.delta, collab.delta)', 'boolean', 'f', 'i', 's', true, true),
	('delta_gt(collab.delta, collab.delta)', 'boolean', 'f', 'i', 's', true, true),
	('delta_ge(collab.delta, collab.delta)', 'boolean', 'f', 'i', 's', true, true),
	('delta_cmp(collab.delta, collab.delta)', 'integer', 'f', 'i', 's', true, true),
	('delta_hash(collab.delta)', 'integer', 'f', 'i', 's', true, true),
	('delta_hash_extended(collab.delta, bigint)', 'bigint', 'f', 'i', 's', true, true),
	-- the algebra
	('compose(first collab.delta, second collab.delta)', 'collab.delta', 'f', 'i', 's', true, true),
	('compose(change collab.delta)', 'collab.delta', 'a', 'i', 's', false, true),
	('delta_compose_accum(internal, collab.delta)', 'internal', 'f', 'i', 's', false, false),
	('delta_compose_final(internal)', 'collab.delta', 'f', 'i', 's', false, false),
	('transform(a collab.delta, b collab.delta, a_first boolean)', 'collab.delta', 'f', 'i', 's', true, true),
	('transform_position(change collab.delta, "position" bigint, priority boolean DEFAULT false)', 'bigint', 'f', 'i', 's', true, true),
	('invert(change collab.delta, base collab.delta)', 'collab.delta', 'f', 'i', 's', true, true),
	('diff(a collab.delta, b collab.delta)', 'collab.delta', 'f', 'i', 's', true, true),
	('delta_length(delta collab.delta)', 'bigint', 'f', 'i', 's', true, true),
	('is_document(delta collab.delta)', 'boolean', 'f', 'i', 's', true, true),
	('to_html(delta collab.delta)', 'text', 'f', 'i', 's', true, true),
	('to_markdown(delta collab.delta)', 'text', 'f', 'i', 's', true, true),
	('to_text(delta collab.delta, embed text DEFAULT ''''::text)', 'text', 'f', 'i', 's', true, true),
	('slice(delta collab.delta, first bigint, past bigint DEFAULT NULL::bigint)', 'collab.delta', 'f', 'i', 's', false, true),
	-- keys and identity
	('document_key(doc_id text)', 'bigint', 'f', 'i', 's', true, true),
	('user_key(user_id text)', 'bigint', 'f', 'i', 's', true, true),
	('event_id(author bigint, site bigint, clock bigint, created_at timestamp with time zone)', 'bigint', 'f', 'i', 's', true, true),
	('current_user_id()', 'text', 'f', 's', 'r', false, true),
	('internal_pass()', 'boolean', 'f', 's', 'r', false, true),
	-- writing
	('create_document(doc_id text, content text DEFAULT NULL::text)', 'bigint', 'f', 'v', 'u', false, false),
	('create_document(doc_id text, content collab.delta)', 'bigint', 'f', 'v', 'u', false, false),
	('drop_document(doc_id text)', 'boolean', 'f', 'v', 'u', true, false),
	('submit(doc_id text, op collab.delta, base_version bigint DEFAULT NULL::bigint, site bigint DEFAULT 0, clock bigint DEFAULT NULL::bigint, base_event bigint DEFAULT NULL::bigint)', 'bigint', 'f', 'v', 'u', false, false),
	('insert_text(doc_id text, "position" bigint, content text, attributes jsonb DEFAULT NULL::jsonb)', 'bigint', 'f', 'v', 'u', false, false),
	('delete_text(doc_id text, "position" bigint, count bigint)', 'bigint', 'f', 'v', 'u', true, false),
	('replace_text(doc_id text, search text, replacement text)', 'bigint', 'f', 'v', 'u', true, false),
	('submit_batch(doc_ids text[], users text[], sites bigint[], clocks bigint[], base_versions bigint[], base_events bigint[], piece_counts integer[], pieces bytea[], wait boolean DEFAULT false, OUT message integer, OUT piece integer, OUT status text, OUT version bigint, OUT event bigint, OUT at timestamp with time zone, OUT op bytea, OUT code text, OUT detail text)', 'SETOF record', 'f', 'v', 'u', true, false),
	('document_before_delete()', 'trigger', 'f', 'v', 'u', false, false),
	('document_after_delete()', 'trigger', 'f', 'v', 'u', false, false),
	-- comments
	('add_comment(doc_id text, "from" bigint, "to" bigint, body text, version bigint DEFAULT NULL::bigint)', 'uuid', 'f', 'v', 'u', false, false),
	('reply(comment uuid, body text)', 'uuid', 'f', 'v', 'u', false, false),
	('edit_comment(comment uuid, body text)', 'boolean', 'f', 'v', 'u', false, false),
	('resolve_comment(comment uuid)', 'boolean', 'f', 'v', 'u', true, false),
	('reopen_comment(comment uuid)', 'boolean', 'f', 'v', 'u', true, false),
	('delete_comment(comment uuid)', 'boolean', 'f', 'v', 'u', true, false),
	('comments(doc_id text, version bigint DEFAULT NULL::bigint)', 'TABLE(comment uuid, thread uuid, author text, body text, created_at timestamp with time zone, edited_at timestamp with time zone, resolved_at timestamp with time zone, resolved_by text, "from" bigint, "to" bigint, quote text, state text)', 'f', 's', 'r', false, false),
	-- tiers
	('fold(doc_id text, below_version bigint DEFAULT NULL::bigint)', 'bigint', 'f', 'v', 'u', false, false),
	('prune(doc_id text)', 'bigint', 'f', 'v', 'u', true, false),
	('set_retention(doc_id text, fold_after interval, keep_history interval)', 'void', 'f', 'v', 'u', false, false),
	-- cold storage
	('thaw_lock_key(doc bigint, first_version bigint)', 'bigint', 'f', 'i', 's', true, false),
	('archiver_duty(duty text)', 'boolean', 'f', 'v', 'u', true, false),
	('archiver_failed(doc bigint, duty text, code text, message text)', 'void', 'f', 'v', 'u', true, false),
	('archive_candidates(min_bytes bigint, max_documents integer, older_than interval DEFAULT NULL::interval)', 'SETOF bigint', 'f', 'v', 'u', false, false),
	('archive_claim(doc bigint, max_bytes bigint, older_than interval DEFAULT NULL::interval)', 'TABLE(first_version bigint, last_version bigint, made_at bigint, object text, sha256 bytea, content bytea)', 'f', 'v', 'u', false, false),
	('archive_commit(doc bigint, first_version bigint, last_version bigint, made_at bigint, sha256 bytea)', 'boolean', 'f', 'v', 'u', true, false),
	('archive_garbage_take(grace interval, max_objects integer)', 'SETOF text', 'f', 'v', 'u', true, false),
	('archive_garbage_done(object text)', 'boolean', 'f', 'v', 'u', true, false),
	('archive_list(after text, max_objects integer)', 'TABLE(object text, doc bigint, first_version bigint, last_version bigint, bytes bigint, sha256 bytea)', 'f', 'v', 'u', true, false),
	('archive_unknown(objects text[])', 'SETOF text', 'f', 'v', 'u', true, false),
	('thaw_wanted()', 'TABLE(doc bigint, first_version bigint, object text, bytes bigint, sha256 bytea)', 'f', 'v', 'u', true, false),
	('thaw_store(doc bigint, first_version bigint, content bytea)', 'integer', 'f', 'v', 'u', true, false),
	('thaw_expire()', 'bigint', 'f', 'v', 'u', true, false),
	-- history
	('history(doc_id text, from_version bigint DEFAULT NULL::bigint, to_version bigint DEFAULT NULL::bigint, gap interval DEFAULT ''00:01:00''::interval, max_edits bigint DEFAULT 100)', 'TABLE(first_version bigint, last_version bigint, author text, started_at timestamp with time zone, ended_at timestamp with time zone, events bigint, inserted bigint, deleted bigint, summary text)', 'f', 's', 'r', false, false),
	('diff(doc_id text, v1 bigint, v2 bigint)', 'collab.delta', 'f', 's', 's', true, false),
	('restore(doc_id text, version bigint)', 'bigint', 'f', 'v', 'u', false, false),
	('undo(doc_id text, user_id text DEFAULT NULL::text, edits integer DEFAULT 1, gap interval DEFAULT ''00:01:00''::interval)', 'bigint', 'f', 'v', 'u', false, false),
	('redo(doc_id text, user_id text DEFAULT NULL::text, edits integer DEFAULT 1, gap interval DEFAULT ''00:01:00''::interval)', 'bigint', 'f', 'v', 'u', false, false),
	('blame(doc_id text, version bigint DEFAULT NULL::bigint)', 'TABLE("from" bigint, "to" bigint, author text, version bigint, at timestamp with time zone, content text)', 'f', 's', 's', false, false),
	('name_version(doc_id text, name text, version bigint DEFAULT NULL::bigint)', 'bigint', 'f', 'v', 'u', false, false),
	('unname_version(doc_id text, name text)', 'boolean', 'f', 'v', 'u', false, false),
	('named_version(doc_id text, name text)', 'bigint', 'f', 's', 'r', true, false),
	('named_versions(doc_id text)', 'TABLE(name text, version bigint, author text, created_at timestamp with time zone)', 'f', 's', 'r', false, false),
	-- reading
	('document(doc_id text)', 'collab.delta', 'f', 's', 's', true, false),
	('document(doc_id text, version bigint)', 'collab.delta', 'f', 's', 's', true, false),
	('document_at(doc_id text, at timestamp with time zone)', 'collab.delta', 'f', 's', 's', true, false),
	('html(doc_id text, version bigint DEFAULT NULL::bigint)', 'text', 'f', 's', 's', false, false),
	('markdown(doc_id text, version bigint DEFAULT NULL::bigint)', 'text', 'f', 's', 's', false, false),
	('text(doc_id text)', 'text', 'f', 's', 's', true, false),
	('text(doc_id text, version bigint)', 'text', 'f', 's', 's', true, false),
	('events_since(doc_id text, version bigint, max_events bigint DEFAULT NULL::bigint)', 'TABLE(version bigint, event bigint, site bigint, clock bigint, base_version bigint, author text, op collab.delta, length bigint, created_at timestamp with time zone)', 'f', 's', 's', false, false),
	('verify(doc_id text)', 'TABLE(doc_id text, part text, version bigint, problem text)', 'f', 's', 'u', false, false),
	('verify_all()', 'TABLE(doc_id text, part text, version bigint, problem text)', 'f', 's', 'u', false, false),
	('open_document(doc_id text, user_id text, site bigint, last_version bigint, last_event bigint, pending integer, max_events integer)', 'TABLE(kind text, version bigint, event bigint, site bigint, clock bigint, author text, at timestamp with time zone, op bytea, reason text, head bigint)', 'f', 's', 's', false, false),
	('fetch_events(keys bigint[], after bigint[], max_events integer)', 'TABLE(key bigint, version bigint, event bigint, site bigint, clock bigint, author text, at timestamp with time zone, op bytea)', 'f', 's', 's', true, false),
	('presence_send(sender bigint, batch bytea)', 'void', 'f', 'v', 'u', true, false),
	('presence_receive(receiver bigint, since bigint, wait_ms integer)', 'TABLE(next bigint, overrun boolean, batch bytea)', 'f', 'v', 'u', true, false),
	('metrics(OUT backlog bigint, OUT snapshots bigint, OUT failures bigint, OUT quarantined bigint)', 'record', 'f', 'v', 'u', true, false),
	('transform_times()', 'TABLE(up_to bigint, operations bigint, micros bigint)', 'f', 'v', 'u', true, false),
	('bus_key()', 'bytea', 'f', 's', 'r', false, false),
	-- over HTTP
	('replace_document(doc_id text, content collab.delta)', 'bigint', 'f', 'v', 'u', true, false),
	('set_visibility(doc_id text, visibility text)', 'void', 'f', 'v', 'u', true, false),
	('positions(doc_ids text[])', 'TABLE(number integer, version bigint, event bigint, is_public boolean)', 'f', 's', 's', true, false),
	('position_of(doc_id text, version bigint DEFAULT NULL::bigint, at timestamp with time zone DEFAULT NULL::timestamp with time zone)', 'TABLE(version bigint, event bigint, is_public boolean, head bigint)', 'f', 's', 's', false, false),
	('require_position(doc_id text, version bigint, event bigint DEFAULT NULL::bigint)', 'void', 'f', 'v', 'u', false, false),
	-- searching, workers
	('search(query tsquery, max_results integer DEFAULT 100)', 'TABLE(doc_id text, version bigint, rank real, body text)', 'f', 's', 'r', false, false),
	('start_workers()', 'boolean', 'f', 'v', 'u', true, false),
	('release_document(doc_id text)', 'integer', 'f', 'v', 'u', true, false),
	('worker_state(OUT started_at timestamp with time zone, OUT active_at timestamp with time zone, OUT duty text, OUT doc bigint, OUT backlog integer, OUT looking boolean, OUT starts bigint, OUT snapshots bigint, OUT texts bigint, OUT failures bigint, OUT failed_at timestamp with time zone, OUT last_error text)', 'record', 'f', 'v', 'r', true, false),
	('heads(keys bigint[])', 'TABLE(key bigint, version bigint, event bigint)', 'f', 's', 's', true, false);

CREATE TEMP VIEW members AS
	SELECT p.*, p.proname || '(' || pg_get_function_arguments(p.oid) || ')' AS signature
	FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
		JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
	WHERE e.extname = 'collab';

SELECT set_eq('SELECT signature FROM members', 'SELECT signature FROM expected', 'these functions and no others');
SELECT set_eq('SELECT signature, pg_get_function_result(oid) FROM members', 'SELECT signature, result FROM expected', 'results');
SELECT set_eq('SELECT signature, prokind::text FROM members', 'SELECT signature, kind FROM expected', 'functions and aggregates');
SELECT set_eq('SELECT signature, provolatile::text, proparallel::text, proisstrict FROM members',
			  'SELECT signature, volatility, parallel, strict FROM expected', 'volatility, parallel safety, strictness');
SELECT set_eq($$SELECT signature FROM members WHERE has_function_privilege('public', oid, 'EXECUTE')$$,
			  'SELECT signature FROM expected WHERE everybody', 'what PUBLIC may execute');
SELECT is_empty('SELECT signature FROM members WHERE proleakproof', 'nothing claims to be leakproof');
SELECT is_empty($$SELECT signature FROM members WHERE prosecdef AND (proconfig IS NULL OR NOT proconfig::text LIKE '%search_path=pg_catalog, pg_temp%'
				  OR has_function_privilege('public', oid, 'EXECUTE'))$$,
				'security definer functions pin search_path and are not for everybody');
SELECT is_empty($$SELECT signature FROM members m JOIN pg_language l ON l.oid = m.prolang
				  WHERE l.lanname IN ('sql', 'plpgsql') AND (proconfig IS NULL OR NOT proconfig::text LIKE '%search_path=pg_catalog, pg_temp%')$$,
				'functions in SQL and PL/pgSQL pin search_path');

SELECT * FROM finish();
ROLLBACK;

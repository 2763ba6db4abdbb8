-- collab--0.1.0--0.2.0.sql - snapshots, tiers, history, comments: what ALTER EXTENSION collab UPDATE adds. CREATE EXTENSION runs it, too.
--
-- Rules of this file: as in collab--0.1.0.sql, and one section per topic.

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION collab UPDATE TO '0.2.0'" to load this file. \quit

-- === documents and events ===

ALTER TABLE collab.documents
	ADD COLUMN fold_after interval,
	ADD COLUMN keep_history interval,
	ADD COLUMN first_version bigint NOT NULL DEFAULT 0,
	ADD COLUMN visibility text COLLATE "C" NOT NULL DEFAULT 'private',
	ADD CONSTRAINT documents_visibility_check CHECK (visibility OPERATOR(pg_catalog.=) ANY (ARRAY['private', 'public']::pg_catalog.text[])),
	ADD CONSTRAINT documents_doc_id_key UNIQUE (doc_id);
COMMENT ON COLUMN collab.documents.fold_after IS 'age from which events are folded into chunks; NULL: the setting collab.fold_after';
COMMENT ON COLUMN collab.documents.keep_history IS 'age from which history is deleted; NULL: it is kept for ever';
COMMENT ON COLUMN collab.documents.first_version IS 'oldest version that can be rebuilt: the events up to it were deleted; 0: all are there';
COMMENT ON COLUMN collab.documents.visibility IS 'private or public: whether caches that many people share may keep what is read of it';
COMMENT ON CONSTRAINT documents_visibility_check ON collab.documents IS 'visibilities that this version knows';
COMMENT ON CONSTRAINT documents_doc_id_key ON collab.documents IS 'what a foreign key of an application references';

ALTER TABLE collab.events ADD COLUMN checksum integer;
COMMENT ON TABLE collab.events IS 'the newer edits: event n turns version n-1 of its document into version n; older ones are in collab.chunks and in the cold store';
COMMENT ON VIEW collab.event_list IS 'the newer events, those that are rows of collab.events, with text ids, for people; collab.events_since() shows all';
COMMENT ON COLUMN collab.events.checksum IS 'low half of XXH64 over the other columns; NULL in rows of version 0.1.0';

-- A document is its row: whoever deletes that deletes everything that belongs to it.
CREATE FUNCTION collab.document_before_delete() RETURNS trigger
	AS 'MODULE_PATHNAME', 'document_before_delete' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.document_before_delete() IS 'waits for who is editing the document';
REVOKE EXECUTE ON FUNCTION collab.document_before_delete() FROM PUBLIC;
CREATE FUNCTION collab.document_after_delete() RETURNS trigger
	AS 'MODULE_PATHNAME', 'document_after_delete' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.document_after_delete() IS 'deletes what belongs to the document and tells open editors';
REVOKE EXECUTE ON FUNCTION collab.document_after_delete() FROM PUBLIC;
CREATE TRIGGER before_delete BEFORE DELETE ON collab.documents FOR EACH ROW EXECUTE FUNCTION collab.document_before_delete();
COMMENT ON TRIGGER before_delete ON collab.documents IS 'nobody adds an event to a document that goes';
CREATE TRIGGER after_delete AFTER DELETE ON collab.documents FOR EACH ROW EXECUTE FUNCTION collab.document_after_delete();
COMMENT ON TRIGGER after_delete ON collab.documents IS 'what belongs to a document goes with it';

-- === snapshots ===

CREATE TABLE collab.snapshots (
	doc bigint NOT NULL,
	version bigint NOT NULL,
	event bigint NOT NULL,
	length bigint NOT NULL,
	created_at timestamptz NOT NULL,
	written_at timestamptz NOT NULL,
	astral boolean NOT NULL,
	pinned boolean NOT NULL,
	checksum bigint NOT NULL,
	content collab.delta NOT NULL,
	CONSTRAINT snapshots_pkey PRIMARY KEY (doc, version)
);
COMMENT ON TABLE collab.snapshots IS 'content of documents at some of their versions: a cache, but for the pinned one at first_version';
COMMENT ON COLUMN collab.snapshots.doc IS 'key of the document';
COMMENT ON COLUMN collab.snapshots.version IS 'version that it is the content of';
COMMENT ON COLUMN collab.snapshots.event IS 'id of the event at that version';
COMMENT ON COLUMN collab.snapshots.length IS 'length of the content, in UTF-16 code units';
COMMENT ON COLUMN collab.snapshots.created_at IS 'when the event at that version was written';
COMMENT ON COLUMN collab.snapshots.written_at IS 'when the snapshot was written';
COMMENT ON COLUMN collab.snapshots.astral IS 'the document holds or has held a surrogate pair';
COMMENT ON COLUMN collab.snapshots.pinned IS 'named, or the floor of a history that was deleted: never thinned out';
COMMENT ON COLUMN collab.snapshots.checksum IS 'XXH64 over the other columns';
COMMENT ON COLUMN collab.snapshots.content IS 'the content';
COMMENT ON CONSTRAINT snapshots_pkey ON collab.snapshots IS 'one snapshot per version';
ALTER TABLE collab.snapshots ALTER COLUMN content SET STATISTICS 0;

-- Decompressed in a fifth of pglz's time; a server built without lz4 keeps pglz.
DO $lz4$
BEGIN
	ALTER TABLE collab.snapshots ALTER COLUMN content SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
	NULL;
END
$lz4$;

-- === tiers ===

CREATE TABLE collab.chunks (
	doc bigint NOT NULL,
	first_version bigint NOT NULL,
	last_version bigint NOT NULL,
	created_first timestamptz NOT NULL,
	created_last timestamptz NOT NULL,
	events integer NOT NULL,
	raw_bytes integer NOT NULL,
	checksum bigint NOT NULL,
	payload bytea NOT NULL,
	CONSTRAINT chunks_pkey PRIMARY KEY (doc, first_version)
);
COMMENT ON TABLE collab.chunks IS 'runs of older events, compressed: what was rows of collab.events';
COMMENT ON COLUMN collab.chunks.doc IS 'key of the document';
COMMENT ON COLUMN collab.chunks.first_version IS 'version of the first event in it';
COMMENT ON COLUMN collab.chunks.last_version IS 'version of the last event in it';
COMMENT ON COLUMN collab.chunks.created_first IS 'created_at of the first event';
COMMENT ON COLUMN collab.chunks.created_last IS 'created_at of the last event';
COMMENT ON COLUMN collab.chunks.events IS 'number of events';
COMMENT ON COLUMN collab.chunks.raw_bytes IS 'size of the changes in it before compression, in bytes';
COMMENT ON COLUMN collab.chunks.checksum IS 'the checksum that the payload carries';
COMMENT ON COLUMN collab.chunks.payload IS 'the events; layout in core/chunk.h';
COMMENT ON CONSTRAINT chunks_pkey ON collab.chunks IS 'one chunk per first version';
ALTER TABLE collab.chunks ALTER COLUMN payload SET STORAGE EXTERNAL, ALTER COLUMN payload SET STATISTICS 0;

CREATE TABLE collab.archives (
	doc bigint NOT NULL,
	first_version bigint NOT NULL,
	last_version bigint NOT NULL,
	created_first timestamptz NOT NULL,
	created_last timestamptz NOT NULL,
	events integer NOT NULL,
	bytes bigint NOT NULL,
	object text COLLATE "C" NOT NULL,
	sha256 bytea NOT NULL,
	archived_at timestamptz NOT NULL,
	CONSTRAINT archives_pkey PRIMARY KEY (doc, first_version)
);
COMMENT ON TABLE collab.archives IS 'objects in the cold store: each holds consecutive chunks of one document';
COMMENT ON COLUMN collab.archives.doc IS 'key of the document';
COMMENT ON COLUMN collab.archives.first_version IS 'version of the first event in it';
COMMENT ON COLUMN collab.archives.last_version IS 'version of the last event in it';
COMMENT ON COLUMN collab.archives.created_first IS 'created_at of the first event';
COMMENT ON COLUMN collab.archives.created_last IS 'created_at of the last event';
COMMENT ON COLUMN collab.archives.events IS 'number of events';
COMMENT ON COLUMN collab.archives.bytes IS 'size of the object, in bytes';
COMMENT ON COLUMN collab.archives.object IS 'key of the object in the store';
COMMENT ON COLUMN collab.archives.sha256 IS 'SHA-256 of the object';
COMMENT ON COLUMN collab.archives.archived_at IS 'when it was read back and found good';
COMMENT ON CONSTRAINT archives_pkey ON collab.archives IS 'one object per first version';

CREATE UNLOGGED TABLE collab.thawed (
	doc bigint NOT NULL,
	first_version bigint NOT NULL,
	last_version bigint NOT NULL,
	thawed_at timestamptz NOT NULL,
	expires_at timestamptz NOT NULL,
	object text COLLATE "C" NOT NULL,
	payload bytea NOT NULL,
	CONSTRAINT thawed_pkey PRIMARY KEY (doc, first_version)
);
COMMENT ON TABLE collab.thawed IS 'chunks that were brought back from the cold store for a while: a cache';
COMMENT ON COLUMN collab.thawed.doc IS 'key of the document';
COMMENT ON COLUMN collab.thawed.first_version IS 'version of the first event in it';
COMMENT ON COLUMN collab.thawed.last_version IS 'version of the last event in it';
COMMENT ON COLUMN collab.thawed.thawed_at IS 'when it was brought back';
COMMENT ON COLUMN collab.thawed.expires_at IS 'when it may be dropped';
COMMENT ON COLUMN collab.thawed.object IS 'key of the object that it came from: a document that was dropped and made again has others';
COMMENT ON COLUMN collab.thawed.payload IS 'the events, as in collab.chunks';
COMMENT ON CONSTRAINT thawed_pkey ON collab.thawed IS 'one chunk per first version';
ALTER TABLE collab.thawed ALTER COLUMN payload SET STORAGE EXTERNAL, ALTER COLUMN payload SET STATISTICS 0;

CREATE TABLE collab.archive_garbage (
	object text COLLATE "C" NOT NULL,
	deleted_at timestamptz NOT NULL,
	CONSTRAINT archive_garbage_pkey PRIMARY KEY (object)
);
COMMENT ON TABLE collab.archive_garbage IS 'objects in the cold store that nothing refers to any more; the archiver deletes them after a grace time';
COMMENT ON COLUMN collab.archive_garbage.object IS 'key of the object in the store';
COMMENT ON COLUMN collab.archive_garbage.deleted_at IS 'when the last reference went';
COMMENT ON CONSTRAINT archive_garbage_pkey ON collab.archive_garbage IS 'one row per object';

CREATE TABLE collab.applied_clocks (
	doc bigint NOT NULL,
	author bigint NOT NULL,
	site bigint NOT NULL,
	clock bigint NOT NULL,
	CONSTRAINT applied_clocks_pkey PRIMARY KEY (doc, author, site)
);
COMMENT ON TABLE collab.applied_clocks IS 'of every editor the newest edit among the events that are no longer rows: what a client that returns late asks for';
COMMENT ON COLUMN collab.applied_clocks.doc IS 'key of the document';
COMMENT ON COLUMN collab.applied_clocks.author IS 'key of the user';
COMMENT ON COLUMN collab.applied_clocks.site IS 'the editor';
COMMENT ON COLUMN collab.applied_clocks.clock IS 'highest clock of this editor';
COMMENT ON CONSTRAINT applied_clocks_pkey ON collab.applied_clocks IS 'one clock per user and editor';

CREATE FUNCTION collab.fold(doc_id text, below_version bigint DEFAULT NULL) RETURNS bigint
	AS 'MODULE_PATHNAME', 'fold' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.fold(text, bigint) IS
	'packs the events below a version (NULL: all) but the newest into chunks now, whatever their age; returns how many. The worker does it by itself in time';

CREATE FUNCTION collab.prune(doc_id text) RETURNS bigint
	AS 'MODULE_PATHNAME', 'prune' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.prune(text) IS
	'deletes history that is older than the document''s keep_history now; returns how many versions went. The worker does it by itself in time';

CREATE FUNCTION collab.set_retention(doc_id text, fold_after interval, keep_history interval) RETURNS void
	AS 'MODULE_PATHNAME', 'set_retention' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.set_retention(text, interval, interval) IS
	'age from which events of a document are folded into chunks (NULL: collab.fold_after), and from which its history is deleted (NULL: it is kept for ever)';

REVOKE ALL ON FUNCTION collab.fold(text, bigint), collab.prune(text), collab.set_retention(text, interval, interval) FROM PUBLIC;

-- === cold storage ===

CREATE FUNCTION collab.thaw_lock_key(doc bigint, first_version bigint) RETURNS bigint
	AS 'MODULE_PATHNAME', 'thaw_lock_key_sql' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION collab.thaw_lock_key(bigint, bigint) IS 'key of the lock by which a reader asks for a segment of the cold store';

CREATE INDEX archives_thaw_lock_key ON collab.archives (collab.thaw_lock_key(doc, first_version));
COMMENT ON INDEX collab.archives_thaw_lock_key IS 'segments by the lock that asks for them';

CREATE INDEX archives_object ON collab.archives (object);
COMMENT ON INDEX collab.archives_object IS 'comparing the store with the database';

CREATE INDEX chunks_created_last ON collab.chunks (created_last);
COMMENT ON INDEX collab.chunks_created_last IS 'what is due for the cold store';

-- What follows is for collab-archiver only; deploy/roles.sql grants it to the role collab_archiver.

CREATE FUNCTION collab.archiver_duty(duty text) RETURNS boolean
	AS 'MODULE_PATHNAME', 'archiver_duty' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.archiver_duty(text) IS
	'takes the duty archive or thaw for as long as the session lasts; archive is for one session at a time: false while another has it';

CREATE FUNCTION collab.archiver_failed(doc bigint, duty text, code text, message text) RETURNS void
	AS 'MODULE_PATHNAME', 'archiver_failed' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.archiver_failed(bigint, text, text, text) IS
	'notes in the quarantine what went wrong with a document; who waits for it to thaw is told at once';

CREATE FUNCTION collab.archive_candidates(min_bytes bigint, max_documents integer, older_than interval DEFAULT NULL) RETURNS SETOF bigint
	AS 'MODULE_PATHNAME', 'archive_candidates' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.archive_candidates(bigint, integer, interval) IS
	'keys of documents with chunks whose newest event is older than the third argument (NULL: collab.archive_after), if they have min_bytes or are twice as old';

CREATE FUNCTION collab.archive_claim(doc bigint, max_bytes bigint, older_than interval DEFAULT NULL)
	RETURNS TABLE(first_version bigint, last_version bigint, made_at bigint, object text, sha256 bytea, content bytea)
	AS 'MODULE_PATHNAME', 'archive_claim' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.archive_claim(bigint, bigint, interval) IS
	'the oldest chunks of a document as an object of at most max_bytes (but at least one chunk); its name goes on the list of garbage until archive_commit()';

CREATE FUNCTION collab.archive_commit(doc bigint, first_version bigint, last_version bigint, made_at bigint, sha256 bytea) RETURNS boolean
	AS 'MODULE_PATHNAME', 'archive_commit' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.archive_commit(bigint, bigint, bigint, bigint, bytea) IS
	'replaces the chunks by the object that was made of them and read back; false: they are not the same any more, and nothing was done';

CREATE FUNCTION collab.archive_garbage_take(grace interval, max_objects integer) RETURNS SETOF text
	AS 'MODULE_PATHNAME', 'archive_garbage_take' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.archive_garbage_take(interval, integer) IS
	'objects to which nothing has referred for that long; whatever is given out will be deleted and is never referred to again';

CREATE FUNCTION collab.archive_garbage_done(object text) RETURNS boolean
	AS 'MODULE_PATHNAME', 'archive_garbage_done' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.archive_garbage_done(text) IS 'forgets an object that archive_garbage_take() gave out and that is deleted now';

CREATE FUNCTION collab.archive_list(after text, max_objects integer)
	RETURNS TABLE(object text, doc bigint, first_version bigint, last_version bigint, bytes bigint, sha256 bytea)
	AS 'MODULE_PATHNAME', 'archive_list' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.archive_list(text, integer) IS 'objects that the database refers to, by name, from the one after the given on';

CREATE FUNCTION collab.archive_unknown(objects text[]) RETURNS SETOF text
	AS 'MODULE_PATHNAME', 'archive_unknown' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.archive_unknown(text[]) IS 'those of the objects that the database neither refers to nor is about to delete';

CREATE FUNCTION collab.thaw_wanted()
	RETURNS TABLE(doc bigint, first_version bigint, object text, bytes bigint, sha256 bytea)
	AS 'MODULE_PATHNAME', 'thaw_wanted' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.thaw_wanted() IS 'segments of the cold store that somebody waits for';

CREATE FUNCTION collab.thaw_store(doc bigint, first_version bigint, content bytea) RETURNS integer
	AS 'MODULE_PATHNAME', 'thaw_store' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.thaw_store(bigint, bigint, bytea) IS
	'checks the object of a segment and keeps its chunks at hand for collab.thaw_keep; number of chunks, 0: there is no such segment any more';

CREATE FUNCTION collab.thaw_expire() RETURNS bigint
	AS 'MODULE_PATHNAME', 'thaw_expire' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.thaw_expire() IS 'drops the thawed chunks whose time is over; number of them';

REVOKE ALL ON FUNCTION
	collab.thaw_lock_key(bigint, bigint),
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
FROM PUBLIC;

-- === history ===

CREATE TABLE collab.named_versions (
	doc bigint NOT NULL,
	name text COLLATE "C" NOT NULL,
	version bigint NOT NULL,
	created_by bigint NOT NULL,
	created_at timestamptz NOT NULL,
	CONSTRAINT named_versions_pkey PRIMARY KEY (doc, name)
);
COMMENT ON TABLE collab.named_versions IS 'versions that somebody gave a name';
COMMENT ON COLUMN collab.named_versions.doc IS 'key of the document';
COMMENT ON COLUMN collab.named_versions.name IS 'the name';
COMMENT ON COLUMN collab.named_versions.version IS 'the version';
COMMENT ON COLUMN collab.named_versions.created_by IS 'key of the user who named it';
COMMENT ON COLUMN collab.named_versions.created_at IS 'when it was named';
COMMENT ON CONSTRAINT named_versions_pkey ON collab.named_versions IS 'a name means one version';

CREATE TABLE collab.undone (
	doc bigint NOT NULL,
	version bigint NOT NULL,
	author bigint NOT NULL,
	redo boolean NOT NULL,
	first_version bigint NOT NULL,
	last_version bigint NOT NULL,
	CONSTRAINT undone_pkey PRIMARY KEY (doc, version)
);
COMMENT ON TABLE collab.undone IS 'which events undid which';
COMMENT ON COLUMN collab.undone.doc IS 'key of the document';
COMMENT ON COLUMN collab.undone.version IS 'version of the event that undid something';
COMMENT ON COLUMN collab.undone.author IS 'key of the user whose events were undone';
COMMENT ON COLUMN collab.undone.redo IS 'what it undid are events of this table that are no redo: it brought edits back';
COMMENT ON COLUMN collab.undone.first_version IS 'it undid what the user did from this version on';
COMMENT ON COLUMN collab.undone.last_version IS 'up to this one';
COMMENT ON CONSTRAINT undone_pkey ON collab.undone IS 'one row per undoing event';

CREATE FUNCTION collab.history(doc_id text, from_version bigint DEFAULT NULL, to_version bigint DEFAULT NULL,
							   gap interval DEFAULT '1 minute', max_edits bigint DEFAULT 100)
	RETURNS TABLE (first_version bigint, last_version bigint, author text, started_at timestamptz, ended_at timestamptz,
				   events bigint, inserted bigint, deleted bigint, summary text)
	AS 'MODULE_PATHNAME', 'history_edits' LANGUAGE C STABLE PARALLEL RESTRICTED COST 10000 ROWS 100;
COMMENT ON FUNCTION collab.history(text, bigint, bigint, interval, bigint) IS
	'the edits of a document, newest first: events of one user without a longer pause than gap; at most max_edits of them, NULL: all';

CREATE FUNCTION collab.diff(doc_id text, v1 bigint, v2 bigint) RETURNS collab.delta
	AS 'MODULE_PATHNAME', 'diff_versions' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION collab.diff(text, bigint, bigint) IS
	'the change that makes version v2 of the document of version v1, in either direction';

CREATE FUNCTION collab.restore(doc_id text, version bigint) RETURNS bigint
	AS 'MODULE_PATHNAME', 'restore_version' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION collab.restore(text, bigint) IS
	'makes an earlier content the newest, as an edit of the current user; returns the version that it is now, the current one where nothing differs';

CREATE FUNCTION collab.undo(doc_id text, user_id text DEFAULT NULL, edits integer DEFAULT 1, gap interval DEFAULT '1 minute') RETURNS bigint
	AS 'MODULE_PATHNAME', 'undo_edits' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION collab.undo(text, text, integer, interval) IS
	'takes back the latest edits of a user (NULL: the current one), and nothing that others did; returns the version of the event that does so, NULL where there is nothing to undo';

CREATE FUNCTION collab.redo(doc_id text, user_id text DEFAULT NULL, edits integer DEFAULT 1, gap interval DEFAULT '1 minute') RETURNS bigint
	AS 'MODULE_PATHNAME', 'redo_edits' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION collab.redo(text, text, integer, interval) IS
	'takes back the latest undos of a user''s edits, where the user has edited nothing since; returns as undo does';

CREATE FUNCTION collab.blame(doc_id text, version bigint DEFAULT NULL)
	RETURNS TABLE ("from" bigint, "to" bigint, author text, version bigint, at timestamptz, content text)
	AS 'MODULE_PATHNAME', 'blame_document' LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 1000;
COMMENT ON FUNCTION collab.blame(text, bigint) IS
	'which user and version wrote each range of the document, in UTF-16 code units; NULL author: that history was deleted';
CREATE FUNCTION collab.name_version(doc_id text, name text, version bigint DEFAULT NULL) RETURNS bigint
	AS 'MODULE_PATHNAME', 'name_version' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.name_version(text, text, bigint) IS
	'gives a version (NULL: the current one) a name, and keeps a snapshot of it; returns the version';

CREATE FUNCTION collab.unname_version(doc_id text, name text) RETURNS boolean
	AS 'MODULE_PATHNAME', 'unname_version' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.unname_version(text, text) IS
	'removes a name; false: there was none';

CREATE FUNCTION collab.named_version(doc_id text, name text) RETURNS bigint
	AS 'MODULE_PATHNAME', 'named_version' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION collab.named_version(text, text) IS
	'the version that has a name; NULL: none';

CREATE FUNCTION collab.named_versions(doc_id text)
	RETURNS TABLE (name text, version bigint, author text, created_at timestamptz)
	AS 'MODULE_PATHNAME', 'named_versions' LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION collab.named_versions(text) IS
	'the versions that have a name, newest first';

REVOKE ALL ON FUNCTION
	collab.name_version(text, text, bigint),
	collab.unname_version(text, text),
	collab.named_version(text, text),
	collab.named_versions(text),
	collab.history(text, bigint, bigint, interval, bigint),
	collab.diff(text, bigint, bigint),
	collab.restore(text, bigint),
	collab.undo(text, text, integer, interval),
	collab.redo(text, text, integer, interval),
	collab.blame(text, bigint)
FROM PUBLIC;

-- === live text ===

CREATE TABLE collab.live_texts (
	doc bigint NOT NULL,
	version bigint NOT NULL,
	updated_at timestamptz NOT NULL,
	body text NOT NULL,
	words tsvector NOT NULL,
	CONSTRAINT live_texts_pkey PRIMARY KEY (doc)
);
COMMENT ON TABLE collab.live_texts IS 'text of every document for searching, at most a second behind';
COMMENT ON COLUMN collab.live_texts.doc IS 'key of the document';
COMMENT ON COLUMN collab.live_texts.version IS 'version that it is the text of';
COMMENT ON COLUMN collab.live_texts.updated_at IS 'when it was written';
COMMENT ON COLUMN collab.live_texts.body IS 'the text';
COMMENT ON COLUMN collab.live_texts.words IS 'its words, for full-text search';
COMMENT ON CONSTRAINT live_texts_pkey ON collab.live_texts IS 'one row per document';
ALTER TABLE collab.live_texts ALTER COLUMN body SET STATISTICS 0, ALTER COLUMN words SET STATISTICS 0;
DO $lz4$
BEGIN
	ALTER TABLE collab.live_texts ALTER COLUMN body SET COMPRESSION lz4, ALTER COLUMN words SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
	NULL;
END
$lz4$;
CREATE INDEX live_texts_words ON collab.live_texts USING gin (words);
COMMENT ON INDEX collab.live_texts_words IS 'full-text search';

CREATE FUNCTION collab.search(query tsquery, max_results integer DEFAULT 100)
	RETURNS TABLE (doc_id text, version bigint, rank real, body text)
	AS 'MODULE_PATHNAME', 'live_text_search' LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000 ROWS 100;
COMMENT ON FUNCTION collab.search(tsquery, integer) IS
	'documents whose live text matches, the best first; the query is made with the configuration of collab.live_text_config, as by websearch_to_tsquery';
REVOKE ALL ON FUNCTION collab.search(tsquery, integer) FROM PUBLIC;

-- === comments ===

CREATE TABLE collab.comments (
	id uuid NOT NULL DEFAULT pg_catalog.gen_random_uuid(),
	doc bigint NOT NULL,
	thread uuid,
	author bigint NOT NULL,
	body text NOT NULL,
	created_at timestamptz NOT NULL,
	edited_at timestamptz,
	resolved_at timestamptz,
	resolved_by bigint,
	origin_version bigint,
	origin bytea,
	anchor_version bigint,
	anchor bytea,
	quote text,
	CONSTRAINT comments_pkey PRIMARY KEY (doc, id),
	CONSTRAINT comments_id_key UNIQUE (id),
	CONSTRAINT comments_doc_fkey FOREIGN KEY (doc) REFERENCES collab.documents (key) ON DELETE CASCADE,
	CONSTRAINT comments_thread_or_range CHECK ((thread IS NULL)
		OPERATOR(pg_catalog.=) (origin_version IS NOT NULL AND anchor_version IS NOT NULL AND anchor IS NOT NULL AND quote IS NOT NULL))
);
CREATE INDEX comments_thread ON collab.comments (thread) WHERE thread IS NOT NULL;
COMMENT ON TABLE collab.comments IS 'comments on ranges of documents, and the replies to them';
COMMENT ON COLUMN collab.comments.id IS 'id of the comment';
COMMENT ON COLUMN collab.comments.doc IS 'key of the document';
COMMENT ON COLUMN collab.comments.thread IS 'comment that it replies to; NULL: it opens a thread';
COMMENT ON COLUMN collab.comments.author IS 'key of the user';
COMMENT ON COLUMN collab.comments.body IS 'what it says';
COMMENT ON COLUMN collab.comments.created_at IS 'when it was written';
COMMENT ON COLUMN collab.comments.edited_at IS 'when its body was last changed';
COMMENT ON COLUMN collab.comments.resolved_at IS 'when the thread was resolved; NULL: it is open';
COMMENT ON COLUMN collab.comments.resolved_by IS 'key of the user who resolved it';
COMMENT ON COLUMN collab.comments.origin_version IS 'oldest version at which it is shown: where it was made, or where history begins; NULL in replies';
COMMENT ON COLUMN collab.comments.origin IS 'its range at origin_version; NULL: anchor is that as well';
COMMENT ON COLUMN collab.comments.anchor_version IS 'version at which the anchor is as stored; NULL in replies';
COMMENT ON COLUMN collab.comments.anchor IS 'the range that it is about; layout in core/anchor_codec.c; NULL in replies';
COMMENT ON COLUMN collab.comments.quote IS 'text of the range when the comment was made; NULL in replies';
COMMENT ON CONSTRAINT comments_pkey ON collab.comments IS 'the comments of a document stand together';
COMMENT ON CONSTRAINT comments_id_key ON collab.comments IS 'a comment is found by its id';
COMMENT ON CONSTRAINT comments_doc_fkey ON collab.comments IS 'comments go with their document';
COMMENT ON CONSTRAINT comments_thread_or_range ON collab.comments IS 'a comment has a range, a reply has none';
COMMENT ON INDEX collab.comments_thread IS 'replies of a thread';
ALTER TABLE collab.comments ALTER COLUMN body SET STATISTICS 0, ALTER COLUMN quote SET STATISTICS 0,
	ALTER COLUMN anchor SET STATISTICS 0, ALTER COLUMN origin SET STATISTICS 0;

CREATE FUNCTION collab.add_comment(doc_id text, "from" bigint, "to" bigint, body text, version bigint DEFAULT NULL) RETURNS uuid
	AS 'MODULE_PATHNAME', 'comment_add' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION collab.add_comment(text, bigint, bigint, text, bigint) IS 'opens a thread on a range of a document, in UTF-16 code units of a version (NULL: the newest); its id';
REVOKE EXECUTE ON FUNCTION collab.add_comment(text, bigint, bigint, text, bigint) FROM PUBLIC;

CREATE FUNCTION collab.reply(comment uuid, body text) RETURNS uuid
	AS 'MODULE_PATHNAME', 'comment_reply' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.reply(uuid, text) IS 'adds to the thread of a comment; the id of the reply';
REVOKE EXECUTE ON FUNCTION collab.reply(uuid, text) FROM PUBLIC;

CREATE FUNCTION collab.edit_comment(comment uuid, body text) RETURNS boolean
	AS 'MODULE_PATHNAME', 'comment_edit' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.edit_comment(uuid, text) IS 'changes the text of one''s own comment; false: it says that already';
REVOKE EXECUTE ON FUNCTION collab.edit_comment(uuid, text) FROM PUBLIC;

CREATE FUNCTION collab.resolve_comment(comment uuid) RETURNS boolean
	AS 'MODULE_PATHNAME', 'comment_resolve' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.resolve_comment(uuid) IS 'marks the thread of a comment as resolved; false: it was';
REVOKE EXECUTE ON FUNCTION collab.resolve_comment(uuid) FROM PUBLIC;

CREATE FUNCTION collab.reopen_comment(comment uuid) RETURNS boolean
	AS 'MODULE_PATHNAME', 'comment_reopen' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.reopen_comment(uuid) IS 'opens a resolved thread again; false: it was open';
REVOKE EXECUTE ON FUNCTION collab.reopen_comment(uuid) FROM PUBLIC;

CREATE FUNCTION collab.delete_comment(comment uuid) RETURNS boolean
	AS 'MODULE_PATHNAME', 'comment_delete' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.delete_comment(uuid) IS 'deletes one''s own comment with the replies to it; false: it is not there';
REVOKE EXECUTE ON FUNCTION collab.delete_comment(uuid) FROM PUBLIC;

CREATE FUNCTION collab.comments(doc_id text, version bigint DEFAULT NULL)
	RETURNS TABLE (comment uuid, thread uuid, author text, body text, created_at timestamptz, edited_at timestamptz, resolved_at timestamptz,
		resolved_by text, "from" bigint, "to" bigint, quote text, state text)
	AS 'MODULE_PATHNAME', 'comment_list' LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000 ROWS 100;
COMMENT ON FUNCTION collab.comments(text, bigint) IS 'the comments on a document with their ranges at a version (NULL: the newest); thread: what a reply belongs to';
REVOKE EXECUTE ON FUNCTION collab.comments(text, bigint) FROM PUBLIC;

-- === workers ===

CREATE TABLE collab.quarantine (
	doc bigint NOT NULL,
	duty text COLLATE "C" NOT NULL,
	failures integer NOT NULL,
	sqlstate text COLLATE "C" NOT NULL,
	message text NOT NULL,
	last_at timestamptz NOT NULL,
	CONSTRAINT quarantine_pkey PRIMARY KEY (doc, duty)
);
COMMENT ON TABLE collab.quarantine IS 'documents on which a duty of the worker failed; from the third failure on they are left out';
COMMENT ON COLUMN collab.quarantine.doc IS 'key of the document';
COMMENT ON COLUMN collab.quarantine.duty IS 'what the worker was doing';
COMMENT ON COLUMN collab.quarantine.failures IS 'how often it failed in a row; a full disk, a lock and the like do not count';
COMMENT ON COLUMN collab.quarantine.sqlstate IS 'error code of the last failure';
COMMENT ON COLUMN collab.quarantine.message IS 'message of the last failure';
COMMENT ON COLUMN collab.quarantine.last_at IS 'when it last failed';
COMMENT ON CONSTRAINT quarantine_pkey ON collab.quarantine IS 'one row per document and duty';

CREATE FUNCTION collab.start_workers() RETURNS boolean
	AS 'MODULE_PATHNAME', 'start_workers' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.start_workers() IS
	'starts the worker of this database, which otherwise starts by itself where the library is preloaded; false if there is one already';

CREATE FUNCTION collab.release_document(doc_id text) RETURNS integer
	AS 'MODULE_PATHNAME', 'quarantine_release' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.release_document(text) IS
	'has the worker try again what failed on a document; returns the number of duties that had failed on it';

CREATE FUNCTION collab.worker_state(OUT started_at timestamptz, OUT active_at timestamptz, OUT duty text, OUT doc bigint, OUT backlog integer,
									OUT looking boolean, OUT starts bigint, OUT snapshots bigint, OUT texts bigint, OUT failures bigint,
									OUT failed_at timestamptz, OUT last_error text)
	AS 'MODULE_PATHNAME', 'worker_state' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION collab.worker_state() IS 'what the worker of this database is doing, from shared memory; nulls where the library is not preloaded';

REVOKE ALL ON FUNCTION collab.start_workers(), collab.release_document(text), collab.worker_state() FROM PUBLIC;

CREATE VIEW collab.quarantine_list WITH (security_invoker = true, security_barrier = true) AS
	SELECT d.doc_id, q.duty, q.failures,
		q.failures OPERATOR(pg_catalog.>=) s.after AND s.after OPERATOR(pg_catalog.>) 0 AS quarantined,
		q.sqlstate, q.message, q.last_at
	FROM collab.quarantine q LEFT JOIN collab.documents d ON d.key OPERATOR(pg_catalog.=) q.doc,
		-- null in a session that has not loaded the library
		COALESCE(pg_catalog.current_setting('collab.quarantine_after', true)::pg_catalog.int4, 3) AS s (after);
COMMENT ON VIEW collab.quarantine_list IS 'documents on which the worker failed the last time';
COMMENT ON COLUMN collab.quarantine_list.doc_id IS 'id of the document';
COMMENT ON COLUMN collab.quarantine_list.duty IS 'what the worker was doing';
COMMENT ON COLUMN collab.quarantine_list.failures IS 'how often it failed in a row; a full disk, a lock and the like do not count';
COMMENT ON COLUMN collab.quarantine_list.quarantined IS 'it is not tried again until collab.release_document()';
COMMENT ON COLUMN collab.quarantine_list.sqlstate IS 'error code of the last failure; 57P02: the process crashed or was killed';
COMMENT ON COLUMN collab.quarantine_list.message IS 'message of the last failure';
COMMENT ON COLUMN collab.quarantine_list.last_at IS 'when it last failed';

CREATE VIEW collab.stat_worker WITH (security_invoker = true, security_barrier = true) AS
	SELECT pg_catalog.current_database() AS database,
		(SELECT l.pid FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_database b ON b.oid OPERATOR(pg_catalog.=) l.database
		 WHERE b.datname OPERATOR(pg_catalog.=) pg_catalog.current_database() AND l.locktype OPERATOR(pg_catalog.=) 'advisory'
			AND l.classid OPERATOR(pg_catalog.=) 0 AND l.objid OPERATOR(pg_catalog.=) 0 AND l.objsubid OPERATOR(pg_catalog.=) 8 AND l.granted) AS pid,
		s.started_at, s.active_at, s.duty,
		(SELECT d.doc_id FROM collab.documents d WHERE d.key OPERATOR(pg_catalog.=) s.doc) AS doc_id,
		s.backlog, s.looking, s.starts, s.snapshots, s.texts, s.failures, s.failed_at, s.last_error
	FROM collab.worker_state() s;
COMMENT ON VIEW collab.stat_worker IS 'the worker of this database: one row; only pid where the library is not preloaded';
COMMENT ON COLUMN collab.stat_worker.database IS 'name of this database';
COMMENT ON COLUMN collab.stat_worker.pid IS 'its process; null: there is none';
COMMENT ON COLUMN collab.stat_worker.started_at IS 'when it started, or when the last one did';
COMMENT ON COLUMN collab.stat_worker.active_at IS 'when it last did something';
COMMENT ON COLUMN collab.stat_worker.duty IS 'what it is doing; null: it waits';
COMMENT ON COLUMN collab.stat_worker.doc_id IS 'the document that it is at';
COMMENT ON COLUMN collab.stat_worker.backlog IS 'documents that changed and that it has not looked at; null: it does not know which';
COMMENT ON COLUMN collab.stat_worker.looking IS 'it is looking at all documents, as after a start';
COMMENT ON COLUMN collab.stat_worker.starts IS 'workers of this database since the server started';
COMMENT ON COLUMN collab.stat_worker.snapshots IS 'snapshots written since then';
COMMENT ON COLUMN collab.stat_worker.texts IS 'live texts written since then';
COMMENT ON COLUMN collab.stat_worker.failures IS 'errors since then';
COMMENT ON COLUMN collab.stat_worker.failed_at IS 'when the last one was';
COMMENT ON COLUMN collab.stat_worker.last_error IS 'its message';

CREATE VIEW collab.stat_documents WITH (security_invoker = true, security_barrier = true) AS
	SELECT d.doc_id,
		COALESCE(h.version, 0) AS version,
		d.first_version,
		COALESCE(h.version OPERATOR(pg_catalog.-) o.version OPERATOR(pg_catalog.+) 1, 0) AS events_hot,
		(SELECT COALESCE(pg_catalog.sum(pg_catalog.pg_column_size(e.*)), 0)::pg_catalog.int8 FROM collab.events e WHERE e.doc OPERATOR(pg_catalog.=) d.key) AS bytes_hot,
		(SELECT COALESCE(pg_catalog.sum(c.events), 0)::pg_catalog.int8 FROM collab.chunks c WHERE c.doc OPERATOR(pg_catalog.=) d.key) AS events_chunked,
		(SELECT COALESCE(pg_catalog.sum(pg_catalog.pg_column_size(c.payload)), 0)::pg_catalog.int8 FROM collab.chunks c WHERE c.doc OPERATOR(pg_catalog.=) d.key) AS bytes_chunked,
		(SELECT COALESCE(pg_catalog.sum(a.events), 0)::pg_catalog.int8 FROM collab.archives a WHERE a.doc OPERATOR(pg_catalog.=) d.key) AS events_archived,
		(SELECT COALESCE(pg_catalog.sum(a.bytes), 0)::pg_catalog.int8 FROM collab.archives a WHERE a.doc OPERATOR(pg_catalog.=) d.key) AS bytes_archived,
		(SELECT pg_catalog.count(*) FROM collab.snapshots p WHERE p.doc OPERATOR(pg_catalog.=) d.key) AS snapshots,
		(SELECT COALESCE(pg_catalog.sum(pg_catalog.pg_column_size(p.content)), 0)::pg_catalog.int8 FROM collab.snapshots p WHERE p.doc OPERATOR(pg_catalog.=) d.key) AS bytes_snapshots,
		s.version AS snapshot_version,
		COALESCE(h.version, 0) OPERATOR(pg_catalog.-) COALESCE(s.version, 0) AS events_since_snapshot,
		s.written_at AS snapshot_at,
		(SELECT t.version FROM collab.live_texts t WHERE t.doc OPERATOR(pg_catalog.=) d.key) AS text_version,
		(SELECT q.message FROM collab.quarantine q WHERE q.doc OPERATOR(pg_catalog.=) d.key ORDER BY q.last_at DESC LIMIT 1) AS last_error
	FROM collab.documents d
		LEFT JOIN LATERAL (SELECT e.version FROM collab.events e WHERE e.doc OPERATOR(pg_catalog.=) d.key ORDER BY e.version DESC LIMIT 1) h ON true
		LEFT JOIN LATERAL (SELECT e.version FROM collab.events e WHERE e.doc OPERATOR(pg_catalog.=) d.key ORDER BY e.version LIMIT 1) o ON true
		LEFT JOIN LATERAL (SELECT p.version, p.written_at FROM collab.snapshots p WHERE p.doc OPERATOR(pg_catalog.=) d.key ORDER BY p.version DESC LIMIT 1) s ON true;
COMMENT ON VIEW collab.stat_documents IS 'one row per document: where its events lie, how far its snapshots and its live text are; sizes are read row by row only where they are selected';
COMMENT ON COLUMN collab.stat_documents.doc_id IS 'id of the document';
COMMENT ON COLUMN collab.stat_documents.version IS 'its newest version';
COMMENT ON COLUMN collab.stat_documents.first_version IS 'oldest version that can be rebuilt; 0: all can';
COMMENT ON COLUMN collab.stat_documents.events_hot IS 'events that are rows of collab.events';
COMMENT ON COLUMN collab.stat_documents.bytes_hot IS 'size of these rows, in bytes, without indexes';
COMMENT ON COLUMN collab.stat_documents.events_chunked IS 'events in chunks';
COMMENT ON COLUMN collab.stat_documents.bytes_chunked IS 'size of these chunks, in bytes';
COMMENT ON COLUMN collab.stat_documents.events_archived IS 'events in the cold store';
COMMENT ON COLUMN collab.stat_documents.bytes_archived IS 'size of their objects, in bytes';
COMMENT ON COLUMN collab.stat_documents.snapshots IS 'number of snapshots';
COMMENT ON COLUMN collab.stat_documents.bytes_snapshots IS 'size of their content as stored, in bytes';
COMMENT ON COLUMN collab.stat_documents.snapshot_version IS 'version of the newest snapshot; null: there is none';
COMMENT ON COLUMN collab.stat_documents.events_since_snapshot IS 'events that loading the document replays';
COMMENT ON COLUMN collab.stat_documents.snapshot_at IS 'when the newest snapshot was written';
COMMENT ON COLUMN collab.stat_documents.text_version IS 'version of the live text; null: there is none';
COMMENT ON COLUMN collab.stat_documents.last_error IS 'of the worker on this document, unless it has succeeded since';

CREATE VIEW collab.stat_database WITH (security_invoker = true, security_barrier = true) AS
	SELECT pg_catalog.current_database() AS database,
		(SELECT pg_catalog.count(*) FROM collab.documents) AS documents,
		(SELECT pg_catalog.count(*) FROM collab.events) AS events_hot,
		(SELECT pg_catalog.sum(pg_catalog.pg_total_relation_size(i.inhrelid))::pg_catalog.int8 FROM pg_catalog.pg_inherits i
		 WHERE i.inhparent OPERATOR(pg_catalog.=) 'collab.events'::pg_catalog.regclass) AS bytes_hot,
		(SELECT COALESCE(pg_catalog.sum(c.events), 0)::pg_catalog.int8 FROM collab.chunks c) AS events_chunked,
		pg_catalog.pg_total_relation_size('collab.chunks'::pg_catalog.regclass) AS bytes_chunked,
		(SELECT COALESCE(pg_catalog.sum(a.events), 0)::pg_catalog.int8 FROM collab.archives a) AS events_archived,
		(SELECT COALESCE(pg_catalog.sum(a.bytes), 0)::pg_catalog.int8 FROM collab.archives a) AS bytes_archived,
		(SELECT pg_catalog.count(*) FROM collab.snapshots) AS snapshots,
		pg_catalog.pg_total_relation_size('collab.snapshots'::pg_catalog.regclass) AS bytes_snapshots,
		(SELECT pg_catalog.count(*) FROM collab.live_texts) AS live_texts,
		pg_catalog.pg_total_relation_size('collab.live_texts'::pg_catalog.regclass) AS bytes_live_texts,
		(SELECT pg_catalog.count(DISTINCT l.doc_id) FROM collab.quarantine_list l WHERE l.quarantined) AS quarantined,
		(SELECT s.backlog FROM collab.worker_state() s) AS backlog,
		(SELECT q.message FROM collab.quarantine q ORDER BY q.last_at DESC LIMIT 1) AS last_error;
COMMENT ON VIEW collab.stat_database IS 'one row: what this database holds of documents, on disk with indexes; numbers of events are counted, which takes time where there are many';
COMMENT ON COLUMN collab.stat_database.database IS 'name of this database';
COMMENT ON COLUMN collab.stat_database.documents IS 'number of documents';
COMMENT ON COLUMN collab.stat_database.events_hot IS 'events that are rows of collab.events';
COMMENT ON COLUMN collab.stat_database.bytes_hot IS 'their size, in bytes';
COMMENT ON COLUMN collab.stat_database.events_chunked IS 'events in chunks';
COMMENT ON COLUMN collab.stat_database.bytes_chunked IS 'their size, in bytes';
COMMENT ON COLUMN collab.stat_database.events_archived IS 'events in the cold store';
COMMENT ON COLUMN collab.stat_database.bytes_archived IS 'size of their objects, in bytes';
COMMENT ON COLUMN collab.stat_database.snapshots IS 'number of snapshots';
COMMENT ON COLUMN collab.stat_database.bytes_snapshots IS 'their size, in bytes';
COMMENT ON COLUMN collab.stat_database.live_texts IS 'number of live texts';
COMMENT ON COLUMN collab.stat_database.bytes_live_texts IS 'their size, in bytes';
COMMENT ON COLUMN collab.stat_database.quarantined IS 'documents that the worker leaves out';
COMMENT ON COLUMN collab.stat_database.backlog IS 'documents that changed and that the worker has not looked at; null: unknown';
COMMENT ON COLUMN collab.stat_database.last_error IS 'of the worker on a document, unless it has succeeded on it since';

REVOKE ALL ON TABLE collab.quarantine_list, collab.stat_worker, collab.stat_documents, collab.stat_database FROM PUBLIC;

-- === reading over HTTP ===

CREATE FUNCTION collab.set_visibility(doc_id text, visibility text) RETURNS void
	AS 'MODULE_PATHNAME', 'set_visibility' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.set_visibility(text, text) IS
	'private (as made) or public: of a public document shared caches may keep what the proxy answers, for a minute';

CREATE FUNCTION collab.positions(doc_ids text[]) RETURNS TABLE (number integer, version bigint, event bigint, is_public boolean)
	AS 'MODULE_PATHNAME', 'positions' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100 ROWS 100;
COMMENT ON FUNCTION collab.positions(text[]) IS
	'newest version of each of many documents, with the id of its event; number counts the argument''s elements from 1, one that does not exist gives no row';

CREATE FUNCTION collab.position_of(doc_id text, version bigint DEFAULT NULL, at timestamptz DEFAULT NULL)
	RETURNS TABLE (version bigint, event bigint, is_public boolean, head bigint)
	AS 'MODULE_PATHNAME', 'position_of' LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 1;
COMMENT ON FUNCTION collab.position_of(text, bigint, timestamptz) IS
	'a version of a document (NULL: the newest, or that of a time) with the id of its event, and the newest version';

CREATE FUNCTION collab.require_position(doc_id text, version bigint, event bigint DEFAULT NULL) RETURNS void
	AS 'MODULE_PATHNAME', 'require_position' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.require_position(text, bigint, bigint) IS
	'locks a document for the rest of the transaction; raises OT011 unless this is its newest version (NULL: any will do) and the id of its event (NULL: any)';

CREATE FUNCTION collab.replace_document(doc_id text, content collab.delta) RETURNS bigint
	AS 'MODULE_PATHNAME', 'replace_document' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION collab.replace_document(text, collab.delta) IS
	'makes this the content of a document, as one edit of the current user that holds the difference; returns the version that it is now, the current one where nothing differs';

REVOKE ALL ON FUNCTION
	collab.replace_document(text, collab.delta),
	collab.set_visibility(text, text),
	collab.positions(text[]),
	collab.position_of(text, bigint, timestamptz),
	collab.require_position(text, bigint, bigint)
FROM PUBLIC;

-- === verification ===

-- For who answers for the data: granted to nobody. In a subtransaction per document, hence not in parallel.

CREATE FUNCTION collab.verify(doc_id text)
	RETURNS TABLE (doc_id text, part text, version bigint, problem text)
	AS 'MODULE_PATHNAME', 'verify_one' LANGUAGE C STABLE PARALLEL UNSAFE COST 1000000 ROWS 10;
COMMENT ON FUNCTION collab.verify(text) IS
	'recomputes a document from its events and compares everything stored about it; one row per difference, none where all is well';
REVOKE ALL ON FUNCTION collab.verify(text) FROM PUBLIC;

CREATE FUNCTION collab.verify_all()
	RETURNS TABLE (doc_id text, part text, version bigint, problem text)
	AS 'MODULE_PATHNAME', 'verify_all' LANGUAGE C STABLE PARALLEL UNSAFE COST 1000000000 ROWS 10;
COMMENT ON FUNCTION collab.verify_all() IS
	'verify() of every document, and rows of documents that do not exist (doc_id is null)';
REVOKE ALL ON FUNCTION collab.verify_all() FROM PUBLIC;

-- === bus ===

CREATE FUNCTION collab.bus_key() RETURNS bytea
	AS 'MODULE_PATHNAME', 'bus_key' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION collab.bus_key() IS
	'the key with which the proxies of this database seal what they tell each other: another one in every database, and after every promotion';
REVOKE ALL ON FUNCTION collab.bus_key() FROM PUBLIC;

-- === presence ===

-- For proxies alone: who may send could show people who are not there. Volatile: what they read and write lies in memory.

CREATE FUNCTION collab.presence_send(sender bigint, batch bytea) RETURNS void
	AS 'MODULE_PATHNAME', 'presence_send' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 10;
COMMENT ON FUNCTION collab.presence_send(bigint, bytea) IS
	'sends a batch to all who receive in this database, through the server''s memory; it is stored nowhere';
REVOKE ALL ON FUNCTION collab.presence_send(bigint, bytea) FROM PUBLIC;

CREATE FUNCTION collab.presence_receive(receiver bigint, since bigint, wait_ms integer)
	RETURNS TABLE (next bigint, overrun boolean, batch bytea)
	AS 'MODULE_PATHNAME', 'presence_receive' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000 ROWS 10;
COMMENT ON FUNCTION collab.presence_receive(bigint, bigint, integer) IS
	'the batches of others since that place, and where to go on; waits for one so long; overrun: that place is not kept, begin at next';
REVOKE ALL ON FUNCTION collab.presence_receive(bigint, bigint, integer) FROM PUBLIC;

-- === rendering ===

CREATE FUNCTION collab.to_html(delta collab.delta) RETURNS text
	AS 'MODULE_PATHNAME', 'delta_to_html_sql' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION collab.to_html(collab.delta) IS
	'a document as a fragment of HTML that runs nothing and follows no unsafe address, whatever stands in it';

CREATE FUNCTION collab.to_markdown(delta collab.delta) RETURNS text
	AS 'MODULE_PATHNAME', 'delta_to_markdown_sql' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION collab.to_markdown(collab.delta) IS
	'a document as CommonMark with strikethrough and task items; its text is escaped and reads as it was typed';

-- As of reading: EXECUTE is the right to read every document.

CREATE FUNCTION collab.html(doc_id text, version bigint DEFAULT NULL) RETURNS text
	AS 'MODULE_PATHNAME', 'read_html' LANGUAGE C STABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION collab.html(text, bigint) IS
	'a document as HTML, see to_html(); as it was at a version, or as it is where that is null';

CREATE FUNCTION collab.markdown(doc_id text, version bigint DEFAULT NULL) RETURNS text
	AS 'MODULE_PATHNAME', 'read_markdown' LANGUAGE C STABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION collab.markdown(text, bigint) IS
	'a document as Markdown, see to_markdown(); as it was at a version, or as it is where that is null';

REVOKE ALL ON FUNCTION collab.html(text, bigint), collab.markdown(text, bigint) FROM PUBLIC;

-- === numbers for monitoring ===

CREATE FUNCTION collab.transform_times() RETURNS TABLE (up_to bigint, operations bigint, micros bigint)
	AS 'MODULE_PATHNAME', 'transform_times' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE ROWS 5;
COMMENT ON FUNCTION collab.transform_times() IS
	'how long operations of this session were carried over what had been committed after their base, since the last call: how many took up to so many microseconds (null: longer than 10 s) and more than in the row before, and how many microseconds they took together';

CREATE FUNCTION collab.metrics(OUT backlog bigint, OUT snapshots bigint, OUT failures bigint, OUT quarantined bigint)
	AS 'MODULE_PATHNAME', 'metrics' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION collab.metrics() IS
	'numbers of this database that cost little: documents that the worker has not looked at (null: unknown), snapshots that it wrote and errors that it met since the server started (null where the library is not preloaded), documents that it leaves out';

REVOKE ALL ON FUNCTION collab.transform_times(), collab.metrics() FROM PUBLIC;

-- === policies, dump, owner ===

-- What collab--0.1.0.sql does for its tables. The owner is that of the tables that were there, so that what runs with his rights reaches these.
DO $tables$
DECLARE
	name pg_catalog.name;
	owner CONSTANT pg_catalog.name := (SELECT r.rolname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) c.relowner
		WHERE c.oid OPERATOR(pg_catalog.=) 'collab.documents'::pg_catalog.regclass);
BEGIN
	FOREACH name IN ARRAY ARRAY['snapshots', 'chunks', 'archives', 'thawed', 'archive_garbage', 'applied_clocks', 'named_versions', 'undone',
								'live_texts', 'comments', 'quarantine']::pg_catalog.name[]
	LOOP
		EXECUTE pg_catalog.format('ALTER TABLE collab.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
		EXECUTE pg_catalog.format('CREATE POLICY internal ON collab.%I USING (collab.internal_pass()) WITH CHECK (collab.internal_pass())', name);
		EXECUTE pg_catalog.format('COMMENT ON POLICY internal ON collab.%I IS %L', name, 'only the extension''s own code gets through');
		EXECUTE pg_catalog.format('REVOKE ALL ON TABLE collab.%I FROM PUBLIC', name);
		IF owner OPERATOR(pg_catalog.<>) CURRENT_USER THEN
			EXECUTE pg_catalog.format('ALTER TABLE collab.%I OWNER TO %I', name, owner);
		END IF;
		-- The unlogged one is a cache.
		IF name OPERATOR(pg_catalog.<>) 'thawed' THEN
			PERFORM pg_catalog.pg_extension_config_dump(pg_catalog.format('collab.%I', name)::pg_catalog.regclass, '');
		END IF;
	END LOOP;
END
$tables$;

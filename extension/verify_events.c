/* verify_events.c - every event of a document replayed, and what was derived from its content compared on the way. */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "tsearch/ts_type.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/timestamp.h"

#include "delta_internal.h"
#include "errors.h"
#include "event_scan.h"
#include "guc.h"
#include "live_text.h"
#include "owner_sql.h"
#include "pg_alloc.h"
#include "replay.h"
#include "snapshot.h"
#include "verify.h"

/* What a row of collab.archives says about events that are not here. */
typedef struct Segment
{
	int64		first_version;
	int64		last_version; /* PG_INT64_MAX: there is none */
	TimestampTz created_first;
	TimestampTz created_last;
} Segment;

/*
 * The walk goes from the oldest event to the newest. Where one cannot be read or does not fit, the content
 * is not known any more; it goes on behind the damage, compares what can be compared without content,
 * and takes up the content again from the next good snapshot.
 */
typedef struct Walk
{
	int64		version; /* that all below is about */
	StoredEvent before;	 /* the event at it, or what stands for it; without op */
	int64		event;	 /* its id */
	bool		known_before;
	Replay	   *replay;	  /* NULL: the content is not known */
	SnapshotRow snapshot; /* the next one, at or above version; PG_INT64_MAX: none */
	bool		text_pending;
	int64		text_version;
	Segment		segment; /* of the cold store, the next one that ends at or above version */
	HTAB	   *editors; /* of folded events */
	Arena		arena;	 /* of one event */
} Walk;

/* Memory of single comparisons. */
static MemoryContext
scratch_begin(Verification *v, MemoryContext *old)
{
	MemoryContext scratch = AllocSetContextCreate(v->context, "collab verify scratch", ALLOCSET_DEFAULT_SIZES);

	*old = MemoryContextSwitchTo(scratch);
	return scratch;
}

static void
scratch_end(MemoryContext scratch, MemoryContext old)
{
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

/* ---- content ---- */

static void
forget_content(Walk *walk)
{
	if (walk->replay != NULL)
		replay_free(walk->replay);
	walk->replay = NULL;
}

static void
make_content(Verification *v, Walk *walk)
{
	CollabError err = {0};

	forget_content(walk);
	errors_check(replay_create(pg_alloc(v->context), true, &walk->replay), &err);
}

/* What a good snapshot holds becomes the content. */
static void
adopt_snapshot(Verification *v, Walk *walk)
{
	const SnapshotRow *row = &walk->snapshot;
	CollabError		   err = {0};
	Delta			   content;
	CollabStatus	   status;

	make_content(v, walk);
	status = delta_decode(&walk->arena, row->content, row->content_bytes, &content, &err);
	if (status == COLLAB_OK && !delta_is_document(&content))
		status = collab_fail(&err, COLLAB_INVALID, -1, "it is a change, not the content of a document");
	if (status == COLLAB_OK)
		status = replay_apply(walk->replay, &content, &err);
	arena_reset(&walk->arena);
	if (status == COLLAB_NOMEM)
		errors_raise(status, &err);
	if (status != COLLAB_OK)
	{
		verify_report(v, "snapshots", row->version, "content is invalid: %s", err.message);
		forget_content(walk);
		return;
	}
	if (replay_length(walk->replay) != row->length)
		verify_report(v, "snapshots", row->version,
					  "length is " INT64_FORMAT ", that of the content " INT64_FORMAT, row->length,
					  replay_length(walk->replay));
	if (!walk->known_before)
	{
		memset(&walk->before, 0, sizeof(walk->before));
		walk->before.length = row->length;
		walk->before.created_at = row->created_at;
		walk->before.astral = row->astral;
		walk->event = row->event;
		walk->known_before = true;
	}
}

static void
compare_content(Verification *v, Walk *walk)
{
	const SnapshotRow *row = &walk->snapshot;
	MemoryContext	   old;
	MemoryContext	   scratch = scratch_begin(v, &old);
	Buf				   buf;

	pg_buf_init(&buf);
	replay_encode(walk->replay, &buf);
	pg_buf_check(&buf);
	if (buf.size != row->content_bytes || memcmp(buf.data, row->content, buf.size) != 0)
		verify_report(v, "snapshots", row->version, "content is not that of the events up to it");
	if (row->length != replay_length(walk->replay))
		verify_report(v, "snapshots", row->version,
					  "length is " INT64_FORMAT ", that of the document " INT64_FORMAT, row->length,
					  replay_length(walk->replay));
	scratch_end(scratch, old);
}

static void
compare_event(Verification *v, const Walk *walk)
{
	const SnapshotRow *row = &walk->snapshot;

	if (row->event != walk->event)
		verify_report(v, "snapshots", row->version,
					  "id of the event is " INT64_FORMAT ", that of the event itself " INT64_FORMAT,
					  row->event, walk->event);
	if (row->created_at != walk->before.created_at)
		verify_report(v, "snapshots", row->version, "created_at is not that of the event");
	if (row->astral != walk->before.astral)
		verify_report(v, "snapshots", row->version, "astral is %s, that of the event is not",
					  row->astral ? "true" : "false");
}

/* ---- snapshots ---- */

static void
next_snapshot(Verification *v, Walk *walk, int64 after)
{
	MemoryContext old = MemoryContextSwitchTo(v->context);

	snapshot_free(&walk->snapshot);
	if (!snapshot_next(v->document.key, after, v->snapshot, &walk->snapshot))
	{
		memset(&walk->snapshot, 0, sizeof(walk->snapshot));
		walk->snapshot.version = PG_INT64_MAX;
	}
	MemoryContextSwitchTo(old);
}

/* Those that the walk has jumped over could not be compared with anything but their checksum. */
static void
pass_snapshots(Verification *v, Walk *walk, int64 below)
{
	while (walk->snapshot.version < below)
	{
		if (walk->snapshot.content == NULL)
			verify_report(v, "snapshots", walk->snapshot.version, "broken: its checksum is another");
		next_snapshot(v, walk, walk->snapshot.version);
	}
}

static void
check_snapshot(Verification *v, Walk *walk)
{
	pass_snapshots(v, walk, walk->version);
	if (walk->snapshot.version != walk->version)
		return;
	if (walk->snapshot.content == NULL)
		verify_report(v, "snapshots", walk->version, "broken: its checksum is another");
	else
	{
		if (walk->known_before)
			compare_event(v, walk);
		if (walk->replay != NULL)
			compare_content(v, walk);
		else
			adopt_snapshot(v, walk);
	}
	next_snapshot(v, walk, walk->version);
}

/* ---- live text ---- */

static void
read_text_version(Verification *v, HeapTuple row, TupleDesc desc, void *arg)
{
	Walk *walk = arg;

	walk->text_pending = true;
	walk->text_version = verify_int64(row, desc, 1);
}

static void
find_text(Verification *v, void *arg)
{
	Walk *walk = arg;

	verify_rows(v, "SELECT version FROM collab.live_texts WHERE doc OPERATOR(pg_catalog.=) $1",
				read_text_version, walk);
	if (walk->text_pending && walk->text_version > v->head)
	{
		verify_report(v, "live_texts", walk->text_version, "the document is at version " INT64_FORMAT,
					  v->head);
		walk->text_pending = false;
	}
	else if (walk->text_pending && walk->text_version < v->document.first_version)
		walk->text_pending = false;
}

/* Of the setting: words that were made with another configuration are not what a search expects, either. */
static void
compare_words(Verification *v, const Walk *walk, text *body, Datum stored)
{
	Oid		 config = get_ts_config_oid(stringToQualifiedNameList(guc_live_text_config), true);
	TSVector words = DatumGetTSVector(stored);
	TSVector expected;

	if (!OidIsValid(config))
		return;
	/* until the statement ends: words that are too long are nobody's business here */
	(void) set_config_option("client_min_messages", "warning", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
	expected = DatumGetTSVector(live_text_words(config, body));
	if (VARSIZE(words) != VARSIZE(expected) || memcmp(words, expected, VARSIZE(words)) != 0)
		verify_report(v, "live_texts", walk->version,
					  "words are not those that configuration \"%s\" finds in the text", guc_live_text_config);
}

static void
compare_text(Verification *v, HeapTuple row, TupleDesc desc, void *arg)
{
	Walk *walk = arg;
	bool  isnull;
	text *body = DatumGetTextPP(SPI_getbinval(row, desc, 1, &isnull));
	Buf	  buf;

	pg_buf_init(&buf);
	replay_text(walk->replay, NULL, &buf);
	pg_buf_check(&buf);
	if (buf.size != VARSIZE_ANY_EXHDR(body) || memcmp(buf.data, VARDATA_ANY(body), buf.size) != 0)
		verify_report(v, "live_texts", walk->version, "body is not the text of the document");
	compare_words(v, walk, body, SPI_getbinval(row, desc, 2, &isnull));
}

static void
read_text_row(Verification *v, void *arg)
{
	verify_rows(v, "SELECT body, words FROM collab.live_texts WHERE doc OPERATOR(pg_catalog.=) $1",
				compare_text, arg);
}

static void
check_text(Verification *v, Walk *walk)
{
	if (!walk->text_pending || walk->version < walk->text_version)
		return;
	walk->text_pending = false;
	if (walk->version == walk->text_version && walk->replay != NULL)
		verify_step(v, "live_texts", read_text_row, walk);
}

/* ---- events ---- */

static void
check_row(Verification *v, const Walk *walk, const StoredEvent *event)
{
	if (event->base_version < 0 || event->base_version >= event->version)
		verify_report(v, "events", event->version, "base_version " INT64_FORMAT " is none below it",
					  event->base_version);
	if (event->site < 0 || event->site > DELTA_MAX_UNITS)
		verify_report(v, "events", event->version, "site " INT64_FORMAT " is none", event->site);
	if (walk->known_before && event->created_at < walk->before.created_at)
		verify_report(v, "events", event->version, "created_at is before that of the event in front of it");
}

/* The change against the content; false: what comes after it is not known. */
static void
check_change(Verification *v, Walk *walk, const StoredEvent *event)
{
	CollabError	 err = {0};
	Delta		 change;
	CollabStatus status = delta_decode(&walk->arena, event->op, event->op_bytes, &change, &err);

	if (status == COLLAB_NOMEM)
		errors_raise(status, &err);
	if (status != COLLAB_OK)
	{
		verify_report(v, "events", event->version, "op cannot be decoded: %s", err.message);
		forget_content(walk);
		return;
	}
	if (walk->known_before && event->astral != (walk->before.astral || delta_has_pairs(&change)))
		verify_report(v, "events", event->version, "astral is %s and should not be",
					  event->astral ? "true" : "false");
	if (walk->known_before && event->length != walk->before.length + delta_length_change(&change))
		verify_report(v, "events", event->version,
					  "length is " INT64_FORMAT ", after the change it should be " INT64_FORMAT,
					  event->length, walk->before.length + delta_length_change(&change));
	if (walk->replay == NULL)
		return;
	status = replay_apply(walk->replay, &change, &err);
	if (status == COLLAB_NOMEM)
		errors_raise(status, &err);
	if (status != COLLAB_OK)
	{
		verify_report(v, "events", event->version, "op does not fit the document before it: %s", err.message);
		forget_content(walk);
	}
}

static void
find_segment(Verification *v, Walk *walk, int64 version)
{
	static const Oid types[] = {INT8OID, INT8OID};
	Datum			 values[] = {Int64GetDatum(v->document.key), Int64GetDatum(version)};
	OwnerSql		 frame;

	memset(&walk->segment, 0, sizeof(Segment));
	walk->segment.last_version = PG_INT64_MAX;
	owner_sql_begin(&frame);
	if (owner_sql_execute("SELECT first_version, last_version, created_first, created_last FROM collab.archives"
						  " WHERE doc OPERATOR(pg_catalog.=) $1 AND last_version OPERATOR(pg_catalog.>=) $2"
						  " ORDER BY first_version LIMIT 1",
						  2, types, values, NULL, true, SPI_OK_SELECT) > 0)
	{
		HeapTuple row = SPI_tuptable->vals[0];
		TupleDesc desc = SPI_tuptable->tupdesc;

		walk->segment.first_version = verify_int64(row, desc, 1);
		walk->segment.last_version = verify_int64(row, desc, 2);
		walk->segment.created_first = verify_int64(row, desc, 3);
		walk->segment.created_last = verify_int64(row, desc, 4);
	}
	owner_sql_end(&frame);
}

/* What was folded must be found in applied_clocks, and whoever wrote something must have a name. */
static void
note_editor(Verification *v, Walk *walk, const StoredEvent *event)
{
	VerifyEditor  key = {.author = event->author, .site = event->site};
	VerifyEditor *editor;
	bool		  found;

	editor = hash_search(walk->editors, &key, HASH_ENTER, &found);
	if (!found)
	{
		editor->clock = PG_INT64_MIN;
		verify_user(v, "events", event->version, event->author);
	}
	/* edits by SQL have no editor that could come back and ask */
	if (event->version <= v->folded && event->site != 0)
		editor->clock = Max(editor->clock, event->clock);
}

/* A chunk's columns are compared with its payload; an object has none but its events. */
static void
check_segment(Verification *v, Walk *walk, const StoredEvent *event)
{
	const Segment *segment = &walk->segment;

	if (segment->last_version < event->version)
		find_segment(v, walk, event->version);
	if ((event->version == segment->first_version && event->created_at != segment->created_first) ||
		(event->version == segment->last_version && event->created_at != segment->created_last))
		verify_report(v, "archives", segment->first_version, "created_at is not that of event " INT64_FORMAT,
					  event->version);
}

static void
take_event(Verification *v, Walk *walk, const StoredEvent *event)
{
	MemoryContext old;
	MemoryContext scratch = scratch_begin(v, &old);

	check_row(v, walk, event);
	check_segment(v, walk, event);
	check_change(v, walk, event);
	note_editor(v, walk, event);
	arena_reset(&walk->arena);
	scratch_end(scratch, old);

	walk->before = *event;
	walk->before.op = NULL;
	walk->known_before = true;
	walk->event = store_event_id(event);
	walk->version = event->version;
	check_snapshot(v, walk);
	check_text(v, walk);
}

/* As far as it goes without an error. */
static void
walk_on(Verification *v, void *arg)
{
	Walk	   *walk = arg;
	EventScan  *scan;
	StoredEvent event;

	scan = event_scan_begin(&v->document, walk->version + 1, PG_INT64_MAX, false, v->snapshot);
	while (event_scan_next(scan, &event))
		take_event(v, walk, &event);
	event_scan_end(scan);
}

/* ---- damage ---- */

/* What the tables say about an event that could not be read. */
typedef struct Damage
{
	int64 archive; /* last version of the segment that holds it; 0: none does */
	int64 chunk;   /* the same of the chunk */
	bool  is_row;
	int64 next; /* the next version that something holds; PG_INT64_MAX: none */
} Damage;

static int64
int64_or(HeapTuple row, TupleDesc desc, int column, int64 otherwise)
{
	return verify_isnull(row, desc, column) ? otherwise : verify_int64(row, desc, column);
}

static void
find_damage(Verification *v, int64 version, Damage *damage)
{
	static const Oid types[] = {INT8OID, INT8OID};
	Datum			 values[] = {Int64GetDatum(v->document.key), Int64GetDatum(version)};
	OwnerSql		 frame;
	HeapTuple		 row;
	TupleDesc		 desc;

	owner_sql_begin(&frame);
	(void) owner_sql_execute(
		"SELECT"
		" (SELECT max(last_version) FROM collab.archives WHERE doc OPERATOR(pg_catalog.=) $1"
		"  AND first_version OPERATOR(pg_catalog.<=) $2 AND last_version OPERATOR(pg_catalog.>=) $2),"
		" (SELECT max(last_version) FROM collab.chunks WHERE doc OPERATOR(pg_catalog.=) $1"
		"  AND first_version OPERATOR(pg_catalog.<=) $2 AND last_version OPERATOR(pg_catalog.>=) $2),"
		" (SELECT version FROM collab.events WHERE doc OPERATOR(pg_catalog.=) $1"
		"  AND version OPERATOR(pg_catalog.=) $2),"
		" LEAST("
		"  (SELECT min(first_version) FROM collab.archives WHERE doc OPERATOR(pg_catalog.=) $1"
		"   AND first_version OPERATOR(pg_catalog.>) $2),"
		"  (SELECT min(first_version) FROM collab.chunks WHERE doc OPERATOR(pg_catalog.=) $1"
		"   AND first_version OPERATOR(pg_catalog.>) $2),"
		"  (SELECT min(version) FROM collab.events WHERE doc OPERATOR(pg_catalog.=) $1"
		"   AND version OPERATOR(pg_catalog.>) $2))",
		2, types, values, NULL, true, SPI_OK_SELECT);
	row = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	damage->archive = int64_or(row, desc, 1, 0);
	damage->chunk = int64_or(row, desc, 2, 0);
	damage->is_row = !verify_isnull(row, desc, 3);
	damage->next = int64_or(row, desc, 4, PG_INT64_MAX);
	owner_sql_end(&frame);
}

/* Goes on behind what cannot be read. False: nothing is there. */
static bool
step_over(Verification *v, Walk *walk, const char *error)
{
	int64  version = walk->version + 1;
	Damage damage;
	int64  last;

	find_damage(v, version, &damage);
	if (damage.archive != 0)
	{
		last = damage.archive;
		verify_report(v, "archives", version, "events up to version " INT64_FORMAT " cannot be read: %s",
					  last, error);
	}
	else if (damage.chunk != 0)
	{
		last = damage.chunk;
		verify_report(v, "chunks", version, "events up to version " INT64_FORMAT " cannot be read: %s", last,
					  error);
	}
	else if (damage.is_row)
	{
		last = version;
		verify_report(v, "events", version, "%s", error);
	}
	else if (damage.next == PG_INT64_MAX)
	{
		verify_report(v, "events", version, "%s", error);
		return false;
	}
	else
	{
		last = damage.next - 1;
		verify_report(v, "events", version, "events up to version " INT64_FORMAT " are missing", last);
	}
	forget_content(walk);
	walk->known_before = false;
	walk->version = last;
	check_snapshot(v, walk);
	check_text(v, walk);
	return true;
}

/* Nobody is there to bring events back: what lies in the cold store is passed over, and said to be. */
static void
step_over_cold(Verification *v, Walk *walk)
{
	Damage damage;

	for (;;)
	{
		find_damage(v, walk->version + 1, &damage);
		if (damage.archive == 0 ||
			!step_over(v, walk, "not verified, because no collab-archiver is connected to this database"))
			return;
	}
}

/* ---- the walk ---- */

/* The event at the oldest version is still there: others name its id. What it changed is not. */
static void
read_floor(Verification *v, void *arg)
{
	Walk	   *walk = arg;
	EventScan  *scan = event_scan_begin(&v->document, walk->version, walk->version, false, v->snapshot);
	StoredEvent event;

	if (!event_scan_next(scan, &event))
		elog(ERROR, "event " INT64_FORMAT " of document \"%s\" is missing", walk->version, v->document.doc_id);
	note_editor(v, walk, &event);
	walk->before = event;
	walk->before.op = NULL;
	walk->known_before = true;
	walk->event = store_event_id(&event);
	event_scan_end(scan);
}

/* What the oldest event that is there was applied to: nothing, or what a history led to that was deleted. */
static void
start(Verification *v, Walk *walk)
{
	walk->version = v->document.first_version;
	next_snapshot(v, walk, PG_INT64_MIN);
	if (walk->version == 0)
	{
		make_content(v, walk);
		walk->known_before = true;
		walk->event = store_creation_id(&v->document);
		/* an event's time has no more than milliseconds */
		walk->before.created_at = v->document.created_at - v->document.created_at % 1000;
		pass_snapshots(v, walk, 1);
		return;
	}
	verify_step(v, "events", read_floor, walk);
	check_snapshot(v, walk);
	if (walk->replay == NULL)
		verify_report(v, "snapshots", walk->version,
					  "history up to here was deleted, and there is no good snapshot of what it led to");
}

static HTAB *
make_editors(MemoryContext context)
{
	HASHCTL ctl = {.keysize = VERIFY_EDITOR_KEY, .entrysize = sizeof(VerifyEditor), .hcxt = context};

	return hash_create("collab verify editors", 256, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

HTAB *
verify_events(Verification *v)
{
	Walk *walk = MemoryContextAllocZero(v->context, sizeof(Walk));
	char *error;

	pg_arena_init(&walk->arena);
	walk->editors = make_editors(v->context);
	verify_step(v, "live_texts", find_text, walk);
	start(v, walk);
	check_text(v, walk);
	do
	{
		if (v->cold_silent)
			step_over_cold(v, walk);
	} while (!verify_try(v, walk_on, walk, &error) && step_over(v, walk, error));

	pass_snapshots(v, walk, v->head + 1);
	while (walk->snapshot.version != PG_INT64_MAX)
	{
		verify_report(v, "snapshots", walk->snapshot.version, "the document is at version " INT64_FORMAT,
					  v->head);
		next_snapshot(v, walk, walk->snapshot.version);
	}
	forget_content(walk);
	return walk->editors;
}

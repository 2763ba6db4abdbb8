/* verify_events.c - every event of a document replayed, behind damage too. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "delta_internal.h"
#include "errors.h"
#include "event_scan.h"
#include "owner_sql.h"
#include "pg_alloc.h"
#include "verify_walk.h"

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
		walk_forget_content(walk);
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
		walk_forget_content(walk);
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
	MemoryContext scratch = verify_scratch_begin(&old);

	check_row(v, walk, event);
	check_segment(v, walk, event);
	check_change(v, walk, event);
	note_editor(v, walk, event);
	arena_reset(&walk->arena);
	verify_scratch_end(scratch, old);

	walk->before = *event;
	walk->before.op = NULL;
	walk->known_before = true;
	walk->event = store_event_id(event);
	walk->version = event->version;
	walk_check_snapshot(v, walk);
	walk_check_text(v, walk);
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
	walk_forget_content(walk);
	walk->known_before = false;
	walk->version = last;
	walk_check_snapshot(v, walk);
	walk_check_text(v, walk);
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
	if (walk->version == 0)
	{
		walk_make_content(v, walk);
		walk->known_before = true;
		walk->event = store_creation_id(&v->document);
		/* an event's time has no more than milliseconds */
		walk->before.created_at = v->document.created_at - v->document.created_at % 1000;
		walk_pass_snapshots(v, walk, 1);
		return;
	}
	verify_step(v, "events", read_floor, walk);
	walk_check_snapshot(v, walk);
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

/* True: the end is reached. */
static bool
walk_through(Verification *v, Walk *walk)
{
	char *error;
	bool  more;

	if (verify_try(v, walk_on, walk, &error))
		return true;
	more = step_over(v, walk, error);
	pfree(error);
	return !more;
}

HTAB *
verify_events(Verification *v)
{
	Walk *walk = MemoryContextAllocZero(v->context, sizeof(Walk));

	pg_arena_init(&walk->arena);
	walk->editors = make_editors(v->context);
	walk_find_derived(v, walk);
	start(v, walk);
	walk_check_text(v, walk);
	do
	{
		if (v->cold_silent)
			step_over_cold(v, walk);
	} while (!walk_through(v, walk));

	walk_end_snapshots(v, walk);
	walk_forget_content(walk);
	return walk->editors;
}

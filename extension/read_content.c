/* read_content.c - the content of a document at a version: the nearest snapshot and the events after it. */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "delta_type.h"
#include "errors.h"
#include "event_scan.h"
#include "guc.h"
#include "pg_alloc.h"
#include "read.h"
#include "snapshot.h"

void
read_check_event(CollabStatus status, const CollabError *err, const DocumentRow *document,
				 const StoredEvent *event)
{
	if (likely(status == COLLAB_OK))
		return;
	if (status == COLLAB_NOMEM)
		errors_raise(status, err);
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("event %lld of document \"%s\" is corrupt", (long long) event->version, document->doc_id),
			 errdetail_internal("%s", errors_detail(err))));
}

/* Any text that the limit on documents allows. */
static size_t
read_bytes_max(void)
{
	return Min(Max(READ_BYTES, (size_t) guc_max_document_units * 4), MaxAllocSize);
}

#define OPEN_BYTES ((size_t) 256 * 1024 * 1024)

size_t
read_open_limit(void)
{
	return Max(OPEN_BYTES, (size_t) guc_max_document_units * 4);
}

static void
refuse_size(const DocumentRow *document, int64 version, size_t bytes, size_t limit)
{
	ereport(ERROR, (errcode(ERRCODE_COLLAB_DOCUMENT_SIZE),
					errmsg("document \"%s\" is too large to be read as a whole", document->doc_id),
					errdetail("Its text and attributes at version %lld take %zu bytes, the limit is %zu.",
							  (long long) version, bytes, limit),
					errhint("Its earlier versions and its events can still be read.")));
}

/* What a change adds to the content at most, however its text is cut into runs later. */
static size_t
change_weight(const Delta *change)
{
	double weight = 0;
	uint32 i;

	for (i = 0; i < change->count; i++)
		weight += change->ops[i].bytes + (double) change->ops[i].units * change->ops[i].attrs.bytes;
	return (size_t) Min(weight, (double) MaxAllocHugeSize / 2);
}

/*
 * Stops a replay that goes beyond all bounds on its way. Measuring takes a walk over the content, so it is done only
 * where the sum of what was added might be too much.
 */
static void
check_weight(const DocumentRow *document, const ReadContent *content, size_t *weight)
{
	size_t limit = read_bytes_max();

	if (likely(*weight <= limit))
		return;
	*weight = replay_bytes(content->replay);
	if (*weight > limit)
		refuse_size(document, content->version, *weight, limit);
}

size_t
read_check_size(const DocumentRow *document, const ReadContent *content, size_t limit)
{
	size_t bytes = replay_bytes(content->replay);

	if (bytes > limit)
		refuse_size(document, content->version, bytes, limit);
	return bytes;
}

/* ---- where a replay starts ---- */

/* The newest good snapshot at the target or below it; without one, version 0. */
typedef struct Start
{
	bool		found;
	SnapshotRow row;
} Start;

static void
find_start(const DocumentRow *document, const ReadTarget *target, Snapshot snapshot, Start *start)
{
	start->found = snapshot_nearest(document->key, target->version, target->until, snapshot, &start->row);
}

/* Is a snapshot the target itself, with no event between them? */
static bool
is_target(const DocumentRow *document, const ReadTarget *target, Snapshot snapshot, const Start *start)
{
	EventScan  *scan;
	StoredEvent event;
	bool		more;

	if (!start->found || start->row.version == target->version)
		return start->found;
	scan = event_scan_begin(document, start->row.version + 1, target->version, false, snapshot);
	more = event_scan_next_row(scan, &event) && event.created_at <= target->until;
	event_scan_end(scan);
	return !more;
}

/* ---- replay ---- */

/* The replay's first content. Returns what it weighs. */
static size_t
begin_content(const DocumentRow *document, const Start *start, ReadContent *out)
{
	CollabError err = {0};
	size_t		weight;
	Delta		delta;
	Arena		arena;

	errors_check(replay_create(pg_alloc(out->context), true, &out->replay), &err);
	if (!start->found)
	{
		out->version = 0;
		out->event = store_creation_id(document);
		out->at = document->created_at;
		return 0;
	}

	pg_arena_init(&arena);
	errors_check(delta_decode(&arena, start->row.content, start->row.content_bytes, &delta, &err), &err);
	errors_check(replay_apply(out->replay, &delta, &err), &err);
	weight = change_weight(&delta);
	arena_free(&arena);
	out->version = start->row.version;
	out->event = start->row.event;
	out->at = start->row.created_at;
	return weight;
}

static void
replay_events(const DocumentRow *document, const ReadTarget *target, Snapshot snapshot, size_t weight,
			  ReadContent *out)
{
	EventScan  *scan = event_scan_begin(document, out->version + 1, target->version, false, snapshot);
	int64		length = replay_length(out->replay);
	CollabError err = {0};
	StoredEvent last = {.version = 0};
	StoredEvent event;
	Arena		arena;

	pg_arena_init(&arena);
	while (event_scan_next(scan, &event))
	{
		Delta change;

		if (event.created_at > target->until)
			break;
		read_check_event(delta_decode(&arena, event.op, event.op_bytes, &change, &err), &err, document,
						 &event);
		read_check_event(replay_apply(out->replay, &change, &err), &err, document, &event);
		weight += change_weight(&change);
		arena_reset(&arena);

		out->version = event.version;
		check_weight(document, out, &weight);
		last = event;
	}
	event_scan_end(scan);
	arena_free(&arena);
	if (last.version > 0)
	{
		out->event = store_event_id(&last);
		out->at = last.created_at;
		length = last.length;
	}

	if (replay_length(out->replay) != length)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("events of document \"%s\" do not add up to its length at version " INT64_FORMAT,
						document->doc_id, out->version)));
	if (target->version != PG_INT64_MAX && out->version != target->version)
		elog(ERROR, "version " INT64_FORMAT " is ahead of document \"%s\" at version " INT64_FORMAT,
			 target->version, document->doc_id, out->version);
}

/*
 * Where history was deleted, the snapshot that it begins with is all there is of it. Without it nothing can be read
 * any more, which is another thing than to ask for a version that was deleted.
 */
static void
check_start(const DocumentRow *document, const ReadTarget *target, Snapshot snapshot, const Start *start)
{
	DocumentRow now;

	if (start->found || target->until != DT_NOEND || !store_document_by_key(document->key, snapshot, &now) ||
		now.first_version == 0 || target->version < now.first_version)
		return;
	ereport(
		ERROR,
		(errcode(ERRCODE_DATA_CORRUPTED),
		 errmsg("content of document \"%s\" is lost at version " INT64_FORMAT ", where its history begins",
				document->doc_id, now.first_version),
		 errdetail("The snapshot of that version is broken or missing, and the events before it were deleted."),
		 errhint("Restore the document from a backup.")));
}

static void
content_from(const DocumentRow *document, const ReadTarget *target, Snapshot snapshot, Start *start,
			 ReadContent *out)
{
	MemoryContext old;
	size_t		  weight;

	check_start(document, target, snapshot, start);
	out->context = AllocSetContextCreate(CurrentMemoryContext, "collab read content", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(out->context);
	weight = begin_content(document, start, out);
	if (start->found)
		snapshot_free(&start->row);
	replay_events(document, target, snapshot, weight, out);
	MemoryContextSwitchTo(old);
}

void
read_content(const DocumentRow *document, const ReadTarget *target, Snapshot snapshot, ReadContent *out)
{
	Start start;

	find_start(document, target, snapshot, &start);
	content_from(document, target, snapshot, &start, out);
}

void
read_content_free(ReadContent *content)
{
	MemoryContextDelete(content->context);
}

void
read_write_replay(const DocumentRow *document, const StoredEvent *event, const Replay *replay, bool pinned)
{
	size_t		bytes = replay_bytes(replay);
	SnapshotRow row = {0};
	Buf			buf;

	/* What is written is believed from then on, and may be all that is left of a history. */
	if (replay_length(replay) != event->length)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("events of document \"%s\" do not add up to its length at version " INT64_FORMAT,
						document->doc_id, event->version)));
	if (bytes > read_bytes_max())
		refuse_size(document, event->version, bytes, read_bytes_max());
	buf_init(&buf, pg_alloc(CurrentMemoryContext));
	(void) buf_grow(&buf, bytes);
	replay_encode(replay, &buf);
	pg_buf_check(&buf);

	row.doc = document->key;
	row.version = event->version;
	row.event = store_event_id(event);
	row.length = event->length;
	row.created_at = event->created_at;
	row.written_at = GetCurrentTimestamp();
	row.astral = event->astral;
	row.pinned = pinned;
	row.content = (const uint8_t *) buf.data;
	row.content_bytes = buf.size;
	snapshot_write(&row);
	buf_free(&buf);
}

void
read_write_snapshot(const DocumentRow *document, const StoredEvent *event, Snapshot snapshot, bool pinned)
{
	ReadTarget	target = {.version = event->version, .until = DT_NOEND};
	ReadContent content;

	read_content(document, &target, snapshot, &content);
	read_write_replay(document, event, content.replay, pinned);
	read_content_free(&content);
}

/* ---- as a datum ---- */

static Datum
snapshot_datum(const SnapshotRow *row, bool as_text)
{
	CollabError err = {0};
	Delta		delta;
	Arena		arena;
	Buf			buf;

	pg_buf_init(&buf);
	if (as_text)
	{
		pg_arena_init(&arena);
		errors_check(delta_decode(&arena, row->content, row->content_bytes, &delta, &err), &err);
		delta_text(&delta, NULL, &buf);
		arena_free(&arena);
	}
	else
		buf_bytes(&buf, row->content, row->content_bytes);
	return PointerGetDatum(pg_buf_finish(&buf));
}

Datum
read_content_datum(const DocumentRow *document, const ReadTarget *target, Snapshot snapshot, bool as_text)
{
	ReadContent content;
	Start		start;
	Datum		result;
	Buf			buf;

	find_start(document, target, snapshot, &start);
	if (is_target(document, target, snapshot, &start))
	{
		result = snapshot_datum(&start.row, as_text);
		snapshot_free(&start.row);
		return result;
	}

	content_from(document, target, snapshot, &start, &content);
	pg_buf_init(&buf);
	if (as_text)
		replay_text(content.replay, NULL, &buf);
	else
	{
		(void) buf_grow(&buf, read_check_size(document, &content, read_bytes_max()));
		replay_encode(content.replay, &buf);
	}
	result = PointerGetDatum(pg_buf_finish(&buf));
	read_content_free(&content);
	return result;
}

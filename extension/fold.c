/* fold.c - older events of a document become chunks: collab.fold(). */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "applied_clocks.h"
#include "chunk_store.h"
#include "comment_anchor.h"
#include "errors.h"
#include "event_scan.h"
#include "fault.h"
#include "fold.h"
#include "lock.h"
#include "pg_alloc.h"
#include "read.h"
#include "snapshot.h"
#include "submit.h"

/*
 * A chunk of few events is worth little and many of them would pile up. So one is written where this
 * many events, or bytes of them, wait; or where the document came to rest, so that no more will come for
 * long: then as soon as it is smaller than the rows. It joins the one in front of it where both make one
 * good chunk together.
 */
#define FOLD_EVENTS 1024
#define FOLD_BYTES (256 * 1024)
#define FOLD_REST_EVENTS 32

/* Rows that may become the next chunk. */
typedef struct Candidates
{
	int64 first_version;
	int64 last_version;
	int	  count;
	int64 bytes;
	bool  rest; /* nothing but the newest event would be left */
} Candidates;

/* Events on their way into a chunk. */
typedef struct Folder
{
	MemoryContext context;
	StoredEvent	 *events;
	int			  count;
	int			  capacity;
} Folder;

/* ---- which ---- */

static bool
is_full(int64 events, int64 bytes)
{
	return events >= CHUNK_GOOD_EVENTS || bytes >= CHUNK_GOOD_RAW_BYTES;
}

/* The oldest rows up to `highest`, until a chunk is full. Reads no ops. */
static void
find_candidates(int64 doc, const FoldLimit *limit, const StoredEvent *head, int64 highest, Snapshot snapshot,
				Candidates *out)
{
	StoreScan  *scan;
	StoredEvent event;

	memset(out, 0, sizeof(Candidates));
	highest = Min(highest, Min(limit->below, head->version) - 1);
	scan = store_scan_begin(doc, 0, highest, false, snapshot);
	while (!is_full(out->count, out->bytes) && store_scan_next_row(scan, &event) &&
		   event.created_at < limit->before)
	{
		if (out->count++ == 0)
			out->first_version = event.version;
		out->last_version = event.version;
		out->bytes += store_scan_op_bytes(scan);
	}
	store_scan_end(scan);
	out->rest = out->count > 0 && out->last_version == head->version - 1;
}

static bool
is_due(const Candidates *candidates, const FoldLimit *limit)
{
	return candidates->count > 0 &&
		   (limit->all || candidates->count >= FOLD_EVENTS || candidates->bytes >= FOLD_BYTES ||
			(candidates->rest && candidates->count >= FOLD_REST_EVENTS));
}

/*
 * The version of the newest good snapshot. A document that came to rest before it had one, or is folded
 * on demand, gets one of its head: there it will be loaded from.
 */
static int64
snapshot_above(const DocumentRow *document, const Candidates *candidates, const FoldLimit *limit,
			   const StoredEvent *head, Snapshot snapshot)
{
	int64		version = -1;
	SnapshotRow row;

	if (snapshot_nearest(document->key, PG_INT64_MAX, DT_NOEND, snapshot, &row))
	{
		version = row.version;
		snapshot_free(&row);
	}
	if (version < candidates->last_version && (candidates->rest || limit->all))
	{
		read_write_snapshot(document, head, snapshot, false);
		version = head->version;
	}
	return version;
}

/* ---- the chunk ---- */

static void
add_event(Folder *folder, const StoredEvent *event)
{
	uint8 *op = MemoryContextAllocHuge(folder->context, Max(event->op_bytes, 1));

	if (folder->count == folder->capacity)
	{
		folder->capacity *= 2;
		folder->events = repalloc_huge(folder->events, folder->capacity * sizeof(StoredEvent));
	}
	memcpy(op, event->op, event->op_bytes);
	folder->events[folder->count] = *event;
	folder->events[folder->count++].op = op;
}

static void
add_events(Folder *folder, const DocumentRow *document, int64 from, int64 to, Snapshot snapshot)
{
	EventScan  *scan = event_scan_begin(document, from, to, false, snapshot);
	StoredEvent event;

	while (event_scan_next(scan, &event))
		add_event(folder, &event);
	event_scan_end(scan);
}

/* Whatever the codec does: what is deleted below comes back out of the chunk as it is. */
static void
check_chunk(const Folder *folder, const Buf *chunk)
{
	CollabError	 err = {0};
	ChunkReader *reader;
	StoredEvent	 event;
	int			 i;

	errors_check(chunk_open(pg_alloc(folder->context), (uint8_t *) chunk->data, chunk->size, &reader, &err),
				 &err);
	for (i = 0; i < folder->count; i++)
		if (!chunk_next(reader, &event) || !event_equal(&event, &folder->events[i]))
			elog(ERROR,
				 "event " INT64_FORMAT " of the document with key " INT64_FORMAT
				 " does not come back out of its chunk",
				 folder->events[i].version, folder->events[i].doc);
	chunk_close(reader);
}

static void
write_chunk(const Folder *folder)
{
	CollabError err = {0};
	ChunkInfo	info;
	Buf			chunk;

	buf_init(&chunk, pg_alloc(folder->context));
	errors_check(chunk_encode(pg_alloc(folder->context), folder->events, folder->count, &chunk, &err), &err);
	if (chunk.failed)
		errors_raise(COLLAB_NOMEM, &err);
	check_chunk(folder, &chunk);
	errors_check(chunk_info((uint8_t *) chunk.data, chunk.size, &info, &err), &err);
	chunk_store_insert(&info, chunk.data, chunk.size);
}

/* The chunk in front of the candidates, if it makes one good chunk together with them. */
static bool
find_joined(int64 doc, const Candidates *candidates, Snapshot snapshot, ChunkRow *out)
{
	if (!chunk_store_last(doc, snapshot, out))
		return false;
	if (out->last_version != candidates->first_version - 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("events of the document with key " INT64_FORMAT " do not go on behind its last chunk",
						doc),
				 errdetail("The chunk ends at version " INT64_FORMAT
						   ", the rows begin at version " INT64_FORMAT ".",
						   out->last_version, candidates->first_version)));
	return out->events + candidates->count <= (int) CHUNK_GOOD_EVENTS &&
		   out->raw_bytes + candidates->bytes <= CHUNK_GOOD_RAW_BYTES;
}

static void
fold_candidates(const DocumentRow *document, const Candidates *candidates, Snapshot snapshot)
{
	Folder	 folder = {0};
	ChunkRow joined;
	bool	 join;
	int		 rows;

	/* So that who reads comments does not need what is folded now, and moved to the cold store later. */
	comment_advance(document, candidates->last_version);

	folder.context = AllocSetContextCreate(CurrentMemoryContext, "collab fold", ALLOCSET_DEFAULT_SIZES);
	folder.capacity = CHUNK_GOOD_EVENTS;
	folder.events = MemoryContextAlloc(folder.context, folder.capacity * sizeof(StoredEvent));
	join = find_joined(document->key, candidates, snapshot, &joined);
	add_events(&folder, document, join ? joined.first_version : candidates->first_version,
			   candidates->last_version, snapshot);
	if (join)
		(void) chunk_store_delete(document->key, joined.first_version, joined.last_version);
	FAULT_POINT("fold_joined");
	write_chunk(&folder);
	FAULT_POINT("fold_written");

	rows = store_delete_events(document->key, candidates->first_version, candidates->last_version, snapshot);
	if (rows != candidates->count)
		elog(ERROR, "%d rows were deleted, %d are in the chunk", rows, candidates->count);
	FAULT_POINT("fold_deleted");
	applied_clocks_keep(folder.events + (folder.count - rows), rows);
	FAULT_POINT("fold_clocks");
	MemoryContextDelete(folder.context);
}

int64
fold_chunk(int64 doc, const FoldLimit *limit, bool wait)
{
	int64		folded = 0;
	Snapshot	snapshot;
	DocumentRow document;
	StoredEvent head;
	Candidates	candidates;

	if (!lock_derived(doc, wait))
		return 0;
	PushActiveSnapshot(GetLatestSnapshot());
	snapshot = GetActiveSnapshot();
	if (store_document_by_key(doc, snapshot, &document) && store_head(doc, snapshot, &head))
	{
		find_candidates(doc, limit, &head, PG_INT64_MAX, snapshot, &candidates);
		if (is_due(&candidates, limit))
		{
			int64 above = snapshot_above(&document, &candidates, limit, &head, snapshot);

			if (above < candidates.last_version)
				find_candidates(doc, limit, &head, above, snapshot, &candidates);
			if (is_due(&candidates, limit))
			{
				fold_candidates(&document, &candidates, snapshot);
				folded = candidates.count;
			}
		}
	}
	PopActiveSnapshot();
	return folded;
}

/* fold(doc_id, below_version) */
PG_FUNCTION_INFO_V1(fold);
Datum
fold(PG_FUNCTION_ARGS)
{
	FoldLimit	limit = {.below = PG_INT64_MAX, .before = DT_NOEND, .all = true};
	int64		folded = 0;
	DocumentRow document;
	int64		events;

	submit_enter("collab.fold()");
	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("doc_id must not be null")));
	if (!PG_ARGISNULL(1))
		limit.below = PG_GETARG_INT64(1);
	read_document_row(PG_GETARG_TEXT_PP(0), GetActiveSnapshot(), &document);
	while ((events = fold_chunk(document.key, &limit, true)) > 0)
	{
		folded += events;
		CHECK_FOR_INTERRUPTS();
	}
	submit_leave();
	PG_RETURN_INT64(folded);
}

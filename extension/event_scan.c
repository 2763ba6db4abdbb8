/* event_scan.c - the events of one document in order of their versions, across the tiers. */
#include "postgres.h"

#include "utils/memutils.h"

#include "archive.h"
#include "chunk_store.h"
#include "errors.h"
#include "event_scan.h"
#include "pg_alloc.h"
#include "thaw.h"

struct EventScan
{
	int64	 doc;
	int64	 from;
	int64	 to;
	bool	 backward;
	Snapshot snapshot;
	bool	 skips_deleted;
	int64	 expected; /* version of the next event; PG_INT64_MAX: of the head, whichever that is */

	/* Rows of collab.events, as long as there are any. */
	StoreScan  *rows;
	bool		rows_ended;
	bool		row_held; /* the row that the rows go on with, above what comes from chunks */
	StoredEvent row;

	/* The chunk that the last event came from; NULL: it came from a row. */
	MemoryContext chunk_context;
	ChunkReader	 *chunk;
	StoredEvent	  chunk_event;
};

/* ---- what is missing ---- */

/*
 * The document's row as the scan's snapshot shows it: a row that a caller remembers may be from before
 * its history was deleted.
 */
static void
read_document(const EventScan *scan, DocumentRow *document)
{
	if (store_document_by_key(scan->doc, scan->snapshot, document))
		return;
	snprintf(document->doc_id, sizeof(document->doc_id), INT64_FORMAT, scan->doc);
	document->first_version = 0;
}

static void
refuse_missing(const EventScan *scan, int64 version)
{
	DocumentRow document;

	read_document(scan, &document);
	if (version <= document.first_version)
		ereport(ERROR, (errcode(ERRCODE_COLLAB_BASE_GONE),
						errmsg("history of document \"%s\" at version " INT64_FORMAT " was deleted",
							   document.doc_id, version),
						errdetail("The oldest version that is available is " INT64_FORMAT ".",
								  document.first_version)));
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
					errmsg("event " INT64_FORMAT " of document \"%s\" is missing", version, document.doc_id)));
}

/* Is there an event at this version or above it? The newest of a document is always a row. */
static bool
reaches(const EventScan *scan, int64 version)
{
	StoredEvent head;

	return store_head(scan->doc, scan->snapshot, &head) && head.version >= version;
}

/* ---- chunks ---- */

static void
refuse_chunk(const EventScan *scan, int64 version, const char *detail)
{
	DocumentRow document;

	read_document(scan, &document);
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
					errmsg("chunk with event " INT64_FORMAT " of document \"%s\" is corrupt", version,
						   document.doc_id),
					errdetail_internal("%s", detail)));
}

/* The payload of the chunk that holds a version, warm or cold, in the current memory context. */
static const uint8_t *
load_chunk(const EventScan *scan, int64 version, uint32 *bytes)
{
	ArchiveRow segment;
	ChunkRow   chunk;

	if (chunk_store_find(scan->doc, version, scan->snapshot, true, &chunk))
	{
		*bytes = VARSIZE_ANY_EXHDR(chunk.payload);
		return (const uint8_t *) VARDATA_ANY(chunk.payload);
	}
	if (archive_find(scan->doc, version, scan->snapshot, &segment))
		return thaw_get(&segment, version, bytes);
	return NULL;
}

static void
close_chunk(EventScan *scan)
{
	if (scan->chunk == NULL)
		return;
	chunk_close(scan->chunk);
	scan->chunk = NULL;
	MemoryContextReset(scan->chunk_context);
}

/* Opens the chunk that holds the expected version. False: none does. */
static bool
open_chunk(EventScan *scan)
{
	MemoryContext	 old;
	CollabError		 err = {0};
	CollabStatus	 status;
	const uint8_t	*payload;
	const ChunkInfo *info;
	uint32			 bytes;

	close_chunk(scan);
	if (scan->chunk_context == NULL)
		scan->chunk_context =
			AllocSetContextCreate(GetMemoryChunkContext(scan), "collab chunk", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(scan->chunk_context);
	payload = load_chunk(scan, scan->expected, &bytes);
	if (payload != NULL)
	{
		status = chunk_open(pg_alloc(scan->chunk_context), payload, bytes, &scan->chunk, &err);
		if (status == COLLAB_NOMEM)
			errors_raise(status, &err);
		if (status != COLLAB_OK)
			refuse_chunk(scan, scan->expected, errors_detail(&err));
		info = chunk_reader_info(scan->chunk);
		if (info->doc != scan->doc || info->first_version > scan->expected ||
			info->last_version < scan->expected)
			refuse_chunk(scan, scan->expected, "It is another chunk than its row says.");
	}
	MemoryContextSwitchTo(old);
	return payload != NULL;
}

/* The expected event, if the open chunk holds it. */
static bool
next_of_chunk(EventScan *scan, StoredEvent *out)
{
	const ChunkInfo *info;

	if (scan->chunk == NULL)
		return false;
	info = chunk_reader_info(scan->chunk);
	if (scan->expected < info->first_version || scan->expected > info->last_version)
		return false;
	chunk_at(scan->chunk, (uint32) (scan->expected - info->first_version), &scan->chunk_event);
	*out = scan->chunk_event;
	return true;
}

/* ---- rows ---- */

/*
 * The expected event, if it is the next of the rows. Upwards, the rows may begin above it: then that row
 * is held until the chunks have come that far.
 */
static bool
next_of_rows(EventScan *scan, StoredEvent *out)
{
	if (!scan->row_held)
	{
		if (scan->rows_ended || !store_scan_next_row(scan->rows, &scan->row))
		{
			scan->rows_ended = true;
			return false;
		}
		scan->row_held = true;
	}

	if (scan->backward && scan->row.version != scan->expected && scan->expected != PG_INT64_MAX)
	{
		/* Below a row there may be chunks, above it there is nothing but rows, up to the head. */
		if (reaches(scan, scan->row.version + 1))
			refuse_missing(scan, scan->expected);
	}
	else if (!scan->backward && scan->row.version != scan->expected)
		return false;

	scan->row_held = false;
	*out = scan->row;
	return true;
}

/* ---- the scan ---- */

EventScan *
event_scan_begin_key(int64 doc, int64 from, int64 to, bool backward, Snapshot snapshot)
{
	EventScan *scan = palloc0_object(EventScan);

	scan->doc = doc;
	scan->from = Max(from, 1);
	scan->to = to;
	scan->backward = backward;
	scan->snapshot = snapshot;
	scan->expected = backward ? to : scan->from;
	scan->rows = store_scan_begin(doc, scan->from, to, backward, snapshot);
	return scan;
}

EventScan *
event_scan_begin(const DocumentRow *document, int64 from, int64 to, bool backward, Snapshot snapshot)
{
	return event_scan_begin_key(document->key, from, to, backward, snapshot);
}

static bool
is_out_of_range(const EventScan *scan)
{
	return scan->expected > scan->to || scan->expected < scan->from;
}

/*
 * Where neither an open chunk nor the rows have the expected event: without an upper bound the rows end
 * behind the head, and so does the document.
 */
static bool
is_past_head(const EventScan *scan)
{
	return scan->rows_ended && scan->to == PG_INT64_MAX && (!scan->backward || scan->expected == PG_INT64_MAX);
}

void
event_scan_skip_deleted(EventScan *scan)
{
	scan->skips_deleted = true;
}

/* False: the missing event is not missing because history was deleted. */
static bool
skip_deleted(EventScan *scan)
{
	DocumentRow document;

	if (!scan->skips_deleted || scan->backward)
		return false;
	read_document(scan, &document);
	if (scan->expected >= document.first_version)
		return false;
	scan->expected = document.first_version;
	return true;
}

bool
event_scan_next_row(EventScan *scan, StoredEvent *out)
{
	if (is_out_of_range(scan))
		return false;
	if (!next_of_chunk(scan, out))
	{
		if (next_of_rows(scan, out))
			close_chunk(scan);
		else if (is_past_head(scan))
			return false;
		else if (!open_chunk(scan) || !next_of_chunk(scan, out))
		{
			if (!scan->row_held && !reaches(scan, scan->expected))
				return false;
			if (!skip_deleted(scan))
				refuse_missing(scan, scan->expected);
			return event_scan_next_row(scan, out);
		}
	}
	scan->expected = out->version + (scan->backward ? -1 : 1);
	return true;
}

void
event_scan_fetch_op(EventScan *scan, StoredEvent *out)
{
	if (scan->chunk == NULL)
		store_scan_fetch_op(scan->rows, out);
	else
	{
		out->op = scan->chunk_event.op;
		out->op_bytes = scan->chunk_event.op_bytes;
	}
}

bool
event_scan_next(EventScan *scan, StoredEvent *out)
{
	if (!event_scan_next_row(scan, out))
		return false;
	event_scan_fetch_op(scan, out);
	return true;
}

void
event_scan_end(EventScan *scan)
{
	close_chunk(scan);
	if (scan->chunk_context != NULL)
		MemoryContextDelete(scan->chunk_context);
	store_scan_end(scan->rows);
	pfree(scan);
}

bool
event_at(const DocumentRow *document, int64 version, Snapshot snapshot, StoredEvent *out)
{
	StoreScan *rows = store_scan_begin(document->key, version, version, false, snapshot);
	bool	   found = store_scan_next_row(rows, out);
	EventScan *scan;

	store_scan_end(rows);
	if (found)
		return true;

	/* Not a row any more, then: is it anywhere? */
	scan = event_scan_begin(document, version, version, false, snapshot);
	scan->rows_ended = true;
	found = open_chunk(scan) && next_of_chunk(scan, out);
	event_scan_end(scan);
	if (found)
	{
		out->op = NULL;
		out->op_bytes = 0;
	}
	return found;
}

void
event_scan_warm(int64 doc, int64 from, int64 event, Snapshot snapshot)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "collab thaw", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	DocumentRow	  document = {.key = doc};
	int64		  version = Max(from, 1);
	ArchiveRow	  segment;
	StoredEvent	  found;
	uint32		  bytes;

	while (archive_find(doc, version, snapshot, &segment))
	{
		(void) thaw_get(&segment, version, &bytes);
		if (version == from && event != 0 && event_at(&document, from, snapshot, &found) &&
			store_event_id(&found) != event)
			break;
		version = segment.last_version + 1;
		MemoryContextReset(scratch);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

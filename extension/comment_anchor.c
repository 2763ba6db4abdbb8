/* comment_anchor.c - the ranges of comments: read from their rows, carried over the events since, written back from time to time. */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "comment_anchor.h"
#include "errors.h"
#include "event_scan.h"
#include "owner_sql.h"
#include "pg_alloc.h"
#include "read.h"

/* Stored ranges that are held in memory at once; decoded they take two to three times that. */
#define BATCH_BYTES ((size_t) 8 * 1024 * 1024)
#define BATCH_ROWS 100

void
comment_anchors_open(CommentAnchors *anchors, const DocumentRow *document, const char *sql, int64 version,
					 bool read_only)
{
	Oid	  types[2] = {INT8OID, INT8OID};
	Datum values[2] = {Int64GetDatum(document->key), Int64GetDatum(version)};

	memset(anchors, 0, sizeof(CommentAnchors));
	anchors->document = document;
	anchors->context =
		AllocSetContextCreate(CurrentMemoryContext, "collab comment anchors", ALLOCSET_DEFAULT_SIZES);
	anchors->portal = SPI_cursor_open_with_args(NULL, sql, 2, types, values, NULL, read_only, 0);
}

void
comment_anchors_close(CommentAnchors *anchors)
{
	SPI_cursor_close(anchors->portal);
	MemoryContextDelete(anchors->context);
}

/* One broken row must not make the comments of a whole document unreadable. */
static Anchor *
decode(CommentAnchors *anchors, const pg_uuid_t *id, Datum stored)
{
	bytea		*bytes = DatumGetByteaPP(stored);
	CollabError	 err = {0};
	Anchor		*anchor = NULL;
	CollabStatus status = anchor_decode(pg_alloc(CurrentMemoryContext), (uint8 *) VARDATA_ANY(bytes),
										VARSIZE_ANY_EXHDR(bytes), &anchor, &err);

	if (status == COLLAB_NOMEM)
		errors_raise(status, &err);
	if (status != COLLAB_OK)
		ereport(WARNING, (errcode(ERRCODE_DATA_CORRUPTED),
						  errmsg("range of comment %s of document \"%s\" is corrupt",
								 DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id))),
								 anchors->document->doc_id),
						  errdetail_internal("%s", errors_detail(&err))));
	if ((Pointer) bytes != DatumGetPointer(stored))
		pfree(bytes);
	return anchor;
}

static size_t
add_row(CommentAnchors *anchors, HeapTuple tuple, TupleDesc desc)
{
	CommentAnchor *added;
	bool		   isnull;
	Datum		   stored;

	if (anchors->count == anchors->capacity)
	{
		anchors->capacity = Max(anchors->capacity * 2, BATCH_ROWS);
		anchors->list = anchors->list == NULL
							? palloc_array(CommentAnchor, anchors->capacity)
							: repalloc(anchors->list, anchors->capacity * sizeof(CommentAnchor));
	}
	added = &anchors->list[anchors->count++];
	added->id = *DatumGetUUIDP(SPI_getbinval(tuple, desc, 1, &isnull));
	added->version = DatumGetInt64(SPI_getbinval(tuple, desc, 2, &isnull));
	stored = SPI_getbinval(tuple, desc, 3, &isnull);
	added->anchor = isnull ? NULL : decode(anchors, &added->id, stored);
	return added->anchor != NULL ? anchor_memory(added->anchor) : 0;
}

bool
comment_anchors_next(CommentAnchors *anchors)
{
	size_t bytes = 0;

	MemoryContextReset(anchors->context);
	anchors->list = NULL;
	anchors->count = anchors->capacity = 0;
	while (bytes < BATCH_BYTES)
	{
		MemoryContext old;
		uint64		  i;

		SPI_cursor_fetch(anchors->portal, true, BATCH_ROWS);
		if (SPI_processed == 0)
			break;
		CHECK_FOR_INTERRUPTS();
		old = MemoryContextSwitchTo(anchors->context);
		for (i = 0; i < SPI_processed; i++)
			bytes += add_row(anchors, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
		MemoryContextSwitchTo(old);
		SPI_freetuptable(SPI_tuptable);
	}
	return anchors->count > 0;
}

void
comment_anchors_carry(CommentAnchors *anchors, int64 version, Snapshot snapshot)
{
	CollabError err = {0};
	EventScan  *scan;
	StoredEvent event;
	Arena		arena;
	int			first = 0;
	int			reached;
	int			i;

	/* What is broken may be of a version whose events are gone. */
	while (first < anchors->count && anchors->list[first].anchor == NULL)
		first++;
	if (first == anchors->count || anchors->list[first].version >= version)
		return;
	reached = first;
	pg_arena_init(&arena);
	scan = event_scan_begin(anchors->document, anchors->list[first].version + 1, version, false, snapshot);
	while (event_scan_next(scan, &event))
	{
		Delta	   change;
		AnchorEdit edit;

		CHECK_FOR_INTERRUPTS();
		while (reached < anchors->count && anchors->list[reached].version < event.version)
			reached++;
		read_check_event(delta_decode(&arena, event.op, event.op_bytes, &change, &err), &err,
						 anchors->document, &event);
		errors_check(anchor_edit(&arena, &change, &edit, &err), &err);
		if (edit.count > 0)
			for (i = first; i < reached; i++)
			{
				CHECK_FOR_INTERRUPTS();
				if (anchors->list[i].anchor != NULL)
					errors_check(anchor_apply(anchors->list[i].anchor, &edit, &err), &err);
			}
		arena_reset(&arena);
	}
	event_scan_end(scan);
	arena_free(&arena);
}

/* ---- written back ---- */

typedef struct AdvanceSql
{
	const char *select;
	const char *update; /* $1 key, $2 new version, $3 id, $4 old version, $5 new range */
} AdvanceSql;

/*
 * The first range is kept when the other moves on: it is what shows the comment in the versions between. A comment
 * that somebody else is writing is left for later, and one that is broken is left alone.
 */
static const AdvanceSql advance = {
	"SELECT c.id, c.anchor_version, c.anchor FROM collab.comments c"
	" WHERE c.doc OPERATOR(pg_catalog.=) $1 AND c.anchor_version OPERATOR(pg_catalog.<) $2"
	" ORDER BY c.anchor_version FOR NO KEY UPDATE SKIP LOCKED",
	"UPDATE collab.comments c SET anchor = $5, anchor_version = $2,"
	" origin = CASE WHEN c.origin_version OPERATOR(pg_catalog.=) $4 THEN c.anchor ELSE c.origin END"
	" WHERE c.doc OPERATOR(pg_catalog.=) $1 AND c.id OPERATOR(pg_catalog.=) $3"
	" AND c.anchor_version OPERATOR(pg_catalog.=) $4"};

/* The first range, where it is not the other one as well. */
static const AdvanceSql advance_origin = {
	"SELECT c.id, c.origin_version, c.origin FROM collab.comments c"
	" WHERE c.doc OPERATOR(pg_catalog.=) $1 AND c.origin_version OPERATOR(pg_catalog.<) $2"
	" AND c.anchor_version OPERATOR(pg_catalog.>) $2"
	" ORDER BY c.origin_version FOR NO KEY UPDATE SKIP LOCKED",
	"UPDATE collab.comments c SET origin = $5, origin_version = $2"
	" WHERE c.doc OPERATOR(pg_catalog.=) $1 AND c.id OPERATOR(pg_catalog.=) $3"
	" AND c.origin_version OPERATOR(pg_catalog.=) $4"};

static void
write_back(const DocumentRow *document, const AdvanceSql *sql, int64 version)
{
	Oid			   types[5] = {INT8OID, INT8OID, UUIDOID, INT8OID, BYTEAOID};
	CommentAnchors anchors;
	int			   i;

	comment_anchors_open(&anchors, document, sql->select, version, false);
	while (comment_anchors_next(&anchors))
	{
		comment_anchors_carry(&anchors, version, GetActiveSnapshot());
		for (i = 0; i < anchors.count; i++)
		{
			CommentAnchor *moved = &anchors.list[i];
			Datum		   values[5];
			Buf			   bytes;

			if (moved->anchor == NULL)
				continue;
			pg_buf_init(&bytes);
			anchor_encode(moved->anchor, &bytes);
			values[0] = Int64GetDatum(document->key);
			values[1] = Int64GetDatum(version);
			values[2] = UUIDPGetDatum(&moved->id);
			values[3] = Int64GetDatum(moved->version);
			values[4] = PointerGetDatum(pg_buf_finish(&bytes));
			owner_sql_execute(sql->update, 5, types, values, NULL, false, SPI_OK_UPDATE);
			pfree(DatumGetPointer(values[4]));
		}
	}
	comment_anchors_close(&anchors);
}

int64
comment_lowest_version(int64 doc)
{
	Oid		 types[1] = {INT8OID};
	Datum	 values[1] = {Int64GetDatum(doc)};
	OwnerSql frame;
	bool	 isnull;
	Datum	 lowest;

	owner_sql_begin(&frame);
	owner_sql_execute("SELECT pg_catalog.min(c.anchor_version) FROM collab.comments c"
					  " WHERE c.doc OPERATOR(pg_catalog.=) $1",
					  1, types, values, NULL, false, SPI_OK_SELECT);
	lowest = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	owner_sql_end(&frame);
	return isnull ? PG_INT64_MAX : DatumGetInt64(lowest);
}

void
comment_advance(const DocumentRow *document, int64 version)
{
	OwnerSql frame;

	owner_sql_begin(&frame);
	write_back(document, &advance, version);
	owner_sql_end(&frame);
}

/*
 * Who adds a comment holds the document's row in share mode, who writes one its row. False, only without `wait`: somebody
 * does.
 */
static bool
lock_out_writers(const DocumentRow *document, int64 version, bool wait)
{
	Oid	   types[2] = {INT8OID, INT8OID};
	Datum  values[2] = {Int64GetDatum(document->key), Int64GetDatum(version)};
	uint64 all;

	if (owner_sql_execute(wait ? "SELECT 1 FROM collab.documents d WHERE d.key OPERATOR(pg_catalog.=) $1"
								 " FOR NO KEY UPDATE"
							   : "SELECT 1 FROM collab.documents d WHERE d.key OPERATOR(pg_catalog.=) $1"
								 " FOR NO KEY UPDATE SKIP LOCKED",
						  1, types, values, NULL, false, SPI_OK_SELECT) == 0)
		return false;
	all = owner_sql_execute("SELECT 1 FROM collab.comments c WHERE c.doc OPERATOR(pg_catalog.=) $1"
							" AND c.origin_version OPERATOR(pg_catalog.<) $2",
							2, types, values, NULL, false, SPI_OK_SELECT);
	return owner_sql_execute(
			   wait ? "SELECT 1 FROM collab.comments c WHERE c.doc OPERATOR(pg_catalog.=) $1"
					  " AND c.origin_version OPERATOR(pg_catalog.<) $2 FOR NO KEY UPDATE"
					: "SELECT 1 FROM collab.comments c WHERE c.doc OPERATOR(pg_catalog.=) $1"
					  " AND c.origin_version OPERATOR(pg_catalog.<) $2 FOR NO KEY UPDATE SKIP LOCKED",
			   2, types, values, NULL, false, SPI_OK_SELECT) == all ||
		   wait;
}

bool
comment_advance_floor(const DocumentRow *document, int64 version, bool wait)
{
	Oid		 types[2] = {INT8OID, INT8OID};
	Datum	 values[2] = {Int64GetDatum(document->key), Int64GetDatum(version)};
	OwnerSql frame;

	/* A comment that it does not see would be left behind. */
	if (IsolationUsesXactSnapshot())
		ereport(ERROR, (errcode(ERRCODE_INVALID_TRANSACTION_STATE),
						errmsg("history cannot be deleted in a transaction of this isolation level"),
						errhint("Use READ COMMITTED.")));
	owner_sql_begin(&frame);
	if (!lock_out_writers(document, version, wait))
	{
		owner_sql_end(&frame);
		return false;
	}
	write_back(document, &advance, version);
	write_back(document, &advance_origin, version);
	/* What arrived exactly there, and what is broken and cannot be carried anywhere. */
	owner_sql_execute("UPDATE collab.comments c SET origin = NULL, origin_version = c.anchor_version"
					  " WHERE c.doc OPERATOR(pg_catalog.=) $1 AND c.origin_version OPERATOR(pg_catalog.<) $2",
					  2, types, values, NULL, false, SPI_OK_UPDATE);
	owner_sql_end(&frame);
	return true;
}

/* comment_read.c - comments(): the comments on a document, with their ranges at a version. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "comment_anchor.h"
#include "owner_sql.h"
#include "read.h"

/* Where a comment is; what is broken is in no table entry. */
typedef struct Place
{
	pg_uuid_t	id;
	AnchorRange range;
} Place;

/* Of the two stored ranges the one that lies below the version. */
#define RANGES_SQL                                                                                           \
	"SELECT c.id, CASE WHEN c.anchor_version OPERATOR(pg_catalog.<=) $2 THEN c.anchor_version ELSE"          \
	" c.origin_version END AS version, CASE WHEN c.anchor_version OPERATOR(pg_catalog.<=) $2 THEN c.anchor"  \
	" ELSE c.origin END FROM collab.comments c WHERE c.doc OPERATOR(pg_catalog.=) $1"                        \
	" AND c.origin_version OPERATOR(pg_catalog.<=) $2 ORDER BY version"

/* Threads in the order in which they were opened, replies behind what they reply to. */
#define ROWS_SQL                                                                                             \
	"SELECT c.id, c.thread, c.author, c.body, c.created_at, c.edited_at, c.resolved_at, c.resolved_by,"      \
	" c.quote FROM collab.comments c LEFT JOIN collab.comments t"                                            \
	" ON t.id OPERATOR(pg_catalog.=) c.thread WHERE c.doc OPERATOR(pg_catalog.=) $1"                         \
	" AND COALESCE(t.origin_version, c.origin_version) OPERATOR(pg_catalog.<=) $2"                           \
	" ORDER BY COALESCE(t.created_at, c.created_at), COALESCE(c.thread, c.id), c.thread IS NOT NULL,"        \
	" c.created_at, c.id"

enum
{
	ROW_ID = 1,
	ROW_THREAD,
	ROW_AUTHOR,
	ROW_BODY,
	ROW_CREATED_AT,
	ROW_EDITED_AT,
	ROW_RESOLVED_AT,
	ROW_RESOLVED_BY,
	ROW_QUOTE
};

enum
{
	COMMENTS_COMMENT,
	COMMENTS_THREAD,
	COMMENTS_AUTHOR,
	COMMENTS_BODY,
	COMMENTS_CREATED_AT,
	COMMENTS_EDITED_AT,
	COMMENTS_RESOLVED_AT,
	COMMENTS_RESOLVED_BY,
	COMMENTS_FROM,
	COMMENTS_TO,
	COMMENTS_QUOTE,
	COMMENTS_STATE,
	COMMENTS_COLUMNS
};

static HTAB *
find_places(const DocumentRow *document, int64 version, Snapshot snapshot)
{
	HASHCTL ctl = {.keysize = sizeof(pg_uuid_t), .entrysize = sizeof(Place), .hcxt = CurrentMemoryContext};
	HTAB   *places = hash_create("collab comment places", 256, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	CommentAnchors anchors;
	int			   i;

	comment_anchors_open(&anchors, document, RANGES_SQL, version, true);
	while (comment_anchors_next(&anchors))
	{
		comment_anchors_carry(&anchors, version, snapshot);
		for (i = 0; i < anchors.count; i++)
		{
			CommentAnchor *moved = &anchors.list[i];
			Place		  *place;

			if (moved->anchor == NULL)
				continue;
			place = hash_search(places, &moved->id, HASH_ENTER, NULL);
			place->range = anchor_range(moved->anchor);
		}
	}
	comment_anchors_close(&anchors);
	return places;
}

static void
put_user(HeapTuple tuple, TupleDesc desc, int column, ReadAuthors *authors, Snapshot snapshot, Datum *value,
		 bool *isnull)
{
	Datum key = SPI_getbinval(tuple, desc, column, isnull);
	text *name = *isnull ? NULL : read_author(authors, DatumGetInt64(key), snapshot);

	*value = PointerGetDatum(name);
	*isnull = name == NULL;
}

/* A reply has no range of its own. */
static void
put_place(HTAB *places, Datum id, Datum *values, bool *nulls)
{
	Place *place = hash_search(places, DatumGetUUIDP(id), HASH_FIND, NULL);
	bool   reply = !nulls[COMMENTS_THREAD];

	nulls[COMMENTS_STATE] = reply;
	nulls[COMMENTS_FROM] = nulls[COMMENTS_TO] = place == NULL;
	if (place != NULL)
	{
		values[COMMENTS_FROM] = Int64GetDatum(place->range.from);
		values[COMMENTS_TO] = Int64GetDatum(place->range.to);
	}
	if (!reply)
		values[COMMENTS_STATE] =
			CStringGetTextDatum(place != NULL && !place->range.orphaned ? "anchored" : "orphaned");
}

static void
put_rows(const DocumentRow *document, int64 version, Snapshot snapshot, HTAB *places, ReturnSetInfo *result)
{
	MemoryContext row_context =
		AllocSetContextCreate(CurrentMemoryContext, "collab comment row", ALLOCSET_DEFAULT_SIZES);
	ReadAuthors authors = {0};
	Oid			types[2] = {INT8OID, INT8OID};
	Datum		args[2] = {Int64GetDatum(document->key), Int64GetDatum(version)};
	Portal		portal = SPI_cursor_open_with_args(NULL, ROWS_SQL, 2, types, args, NULL, true, 0);

	for (;;)
	{
		uint64 i;

		SPI_cursor_fetch(portal, true, 100);
		if (SPI_processed == 0)
			break;
		for (i = 0; i < SPI_processed; i++)
		{
			HeapTuple	  tuple = SPI_tuptable->vals[i];
			TupleDesc	  desc = SPI_tuptable->tupdesc;
			Datum		  values[COMMENTS_COLUMNS] = {0};
			bool		  nulls[COMMENTS_COLUMNS] = {false};
			MemoryContext old;

			CHECK_FOR_INTERRUPTS();
			/* names outlive the row */
			put_user(tuple, desc, ROW_AUTHOR, &authors, snapshot, &values[COMMENTS_AUTHOR],
					 &nulls[COMMENTS_AUTHOR]);
			put_user(tuple, desc, ROW_RESOLVED_BY, &authors, snapshot, &values[COMMENTS_RESOLVED_BY],
					 &nulls[COMMENTS_RESOLVED_BY]);
			old = MemoryContextSwitchTo(row_context);
			values[COMMENTS_COMMENT] = SPI_getbinval(tuple, desc, ROW_ID, &nulls[COMMENTS_COMMENT]);
			values[COMMENTS_THREAD] = SPI_getbinval(tuple, desc, ROW_THREAD, &nulls[COMMENTS_THREAD]);
			values[COMMENTS_BODY] = SPI_getbinval(tuple, desc, ROW_BODY, &nulls[COMMENTS_BODY]);
			values[COMMENTS_CREATED_AT] =
				SPI_getbinval(tuple, desc, ROW_CREATED_AT, &nulls[COMMENTS_CREATED_AT]);
			values[COMMENTS_EDITED_AT] = SPI_getbinval(tuple, desc, ROW_EDITED_AT, &nulls[COMMENTS_EDITED_AT]);
			values[COMMENTS_RESOLVED_AT] =
				SPI_getbinval(tuple, desc, ROW_RESOLVED_AT, &nulls[COMMENTS_RESOLVED_AT]);
			values[COMMENTS_QUOTE] = SPI_getbinval(tuple, desc, ROW_QUOTE, &nulls[COMMENTS_QUOTE]);
			put_place(places, values[COMMENTS_COMMENT], values, nulls);
			tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
			MemoryContextSwitchTo(old);
			MemoryContextReset(row_context);
		}
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
}

/* comments(doc_id, version) */
PG_FUNCTION_INFO_V1(comment_list);
Datum
comment_list(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Snapshot	   snapshot = GetActiveSnapshot();
	DocumentRow	   document;
	StoredEvent	   head;
	OwnerSql	   frame;
	int64		   version;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	read_document_row(PG_GETARG_TEXT_PP(0), snapshot, &document);
	if (PG_ARGISNULL(1))
		version = store_head(document.key, snapshot, &head) ? head.version : 0;
	else
		version = PG_GETARG_INT64(1);
	read_check_version(&document, version, snapshot);
	read_refuse_deleted(document.doc_id, version, document.first_version);

	owner_sql_begin(&frame);
	put_rows(&document, version, snapshot, find_places(&document, version, snapshot), result);
	owner_sql_end(&frame);
	return (Datum) 0;
}

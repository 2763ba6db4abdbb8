/* feed.c - reading for proxies: open_document, fetch_events, heads. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "applied_clocks.h"
#include "compat.h"
#include "delta_type.h"
#include "errors.h"
#include "event_scan.h"
#include "guc.h"
#include "hash.h"
#include "pg_alloc.h"
#include "read.h"

/*
 * Bounds of one answer in bytes of operations, beside those in events: events can be as large as documents. Whoever lacks more asks again.
 * A step is small enough for a proxy to pass it on to readers that are not slow.
 */
#define FEED_PAGE_BYTES (4 * 1024 * 1024)
#define FEED_STEP_BYTES (256 * 1024)

/* ---- open_document ---- */

/*
 * A client opens at a position (version, id of the event there). The position is compared with the history as it is here
 * and now; after a failover that lost events, a restore or a drop and re-creation it may belong to another one.
 */
typedef enum OpenAnswer
{
	OPEN_CURRENT,  /* the position is the head */
	OPEN_EVENTS,   /* the events after the position */
	OPEN_SNAPSHOT, /* no position, or it is cheaper so */
	OPEN_RESET,	   /* OT010: the position is not in this history */
	OPEN_PRUNED	   /* OT002: the history around the position was deleted */
} OpenAnswer;

typedef struct OpenRequest
{
	DocumentRow document;
	Snapshot	snapshot;
	int64		author;
	int64		site;
	bool		has_position;
	int64		version;
	bool		has_event;
	int64		event;
	int32		pending;
	int32		max_events;
	int64		head_version;
	int64		head_event;
} OpenRequest;

#define OPEN_COLUMNS 10

enum
{
	OPEN_KIND,
	OPEN_VERSION,
	OPEN_EVENT,
	OPEN_SITE,
	OPEN_CLOCK,
	OPEN_AUTHOR,
	OPEN_AT,
	OPEN_OP,
	OPEN_REASON,
	OPEN_HEAD
};

static OpenAnswer
open_decide(const OpenRequest *request)
{
	StoredEvent event;
	int64		event_here;

	if (!request->has_position)
		return OPEN_SNAPSHOT;

	/* A version without its event proves nothing: it may count the events of another history. */
	if (!request->has_event || request->version > request->head_version)
		return OPEN_RESET;

	/* Version 0 has no event of its own; what comes after it begins with the first. */
	if (request->version == request->head_version)
		event_here = request->head_event;
	else if (!event_at(&request->document, Max(request->version, 1), request->snapshot, &event))
		return OPEN_PRUNED;
	else
		event_here = request->version == 0 ? store_creation_id(&request->document) : store_event_id(&event);

	if (event_here != request->event)
		return OPEN_RESET;
	if (request->version == request->head_version)
		return OPEN_CURRENT;

	/* With pieces in its hands a client needs the events one by one, however many: transform is not closed under compose. */
	if (request->pending == 0 && request->head_version - request->version > request->max_events)
		return OPEN_SNAPSHOT;
	return OPEN_EVENTS;
}

static void
put_row(ReturnSetInfo *result, const char *kind, Datum *values, bool *nulls, int64 head)
{
	values[OPEN_KIND] = CStringGetTextDatum(kind);
	nulls[OPEN_KIND] = false;
	values[OPEN_HEAD] = Int64GetDatum(head);
	nulls[OPEN_HEAD] = false;
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static void
set_null(bool *nulls, int columns)
{
	memset(nulls, true, columns * sizeof(bool));
}

static void
open_put_current(ReturnSetInfo *result, const OpenRequest *request)
{
	Datum values[OPEN_COLUMNS];
	bool  nulls[OPEN_COLUMNS];

	set_null(nulls, OPEN_COLUMNS);
	values[OPEN_VERSION] = Int64GetDatum(request->head_version);
	nulls[OPEN_VERSION] = false;
	values[OPEN_EVENT] = Int64GetDatum(request->head_event);
	nulls[OPEN_EVENT] = false;
	put_row(result, "current", values, nulls, request->head_version);
}

/*
 * Only a client with something in its hands asks which of it is in here already: one that says so, and one
 * whose position is not in this history, which may not know. The others are spared the search.
 */
static int64
applied_clock(const OpenRequest *request, const char *reason)
{
	if (request->pending == 0 && reason == NULL)
		return 0;
	return applied_clocks_newest(request->document.key, request->author, request->site, request->snapshot);
}

static void
open_put_snapshot(ReturnSetInfo *result, const OpenRequest *request, const char *reason)
{
	ReadTarget	target = {.version = PG_INT64_MAX, .until = DT_NOEND};
	CollabError err = {0};
	ReadContent content;
	Delta		delta;
	Arena		arena;
	Buf			json;
	size_t		bytes;
	Datum		values[OPEN_COLUMNS];
	bool		nulls[OPEN_COLUMNS];

	read_content(&request->document, &target, request->snapshot, &content);
	bytes = read_check_size(&request->document, &content, read_open_limit());

	arena_init(&arena, pg_alloc(content.context));
	errors_check(replay_delta(content.replay, &arena, &delta), &err);
	pg_buf_init(&json);
	(void) buf_grow(&json, bytes);
	delta_print(&delta, &json);

	set_null(nulls, OPEN_COLUMNS);
	values[OPEN_VERSION] = Int64GetDatum(content.version);
	nulls[OPEN_VERSION] = false;
	values[OPEN_EVENT] = Int64GetDatum(content.event);
	nulls[OPEN_EVENT] = false;
	values[OPEN_CLOCK] = Int64GetDatum(applied_clock(request, reason));
	nulls[OPEN_CLOCK] = false;
	values[OPEN_AT] = TimestampTzGetDatum(content.at);
	nulls[OPEN_AT] = false;
	values[OPEN_OP] = PointerGetDatum(pg_buf_finish(&json));
	nulls[OPEN_OP] = false;
	if (reason != NULL)
	{
		values[OPEN_REASON] = CStringGetTextDatum(reason);
		nulls[OPEN_REASON] = false;
	}
	put_row(result, "snapshot", values, nulls, content.version);
	read_content_free(&content);
}

static void
open_put_events(ReturnSetInfo *result, const OpenRequest *request)
{
	ReadAuthors authors = {0};
	int32		left = request->max_events;
	size_t		bytes = 0;
	EventScan  *scan =
		event_scan_begin(&request->document, request->version + 1, PG_INT64_MAX, false, request->snapshot);
	StoredEvent event;
	Arena		arena;

	pg_arena_init(&arena);
	while (left-- > 0 && bytes < FEED_PAGE_BYTES && event_scan_next(scan, &event))
	{
		text		   *author = read_author(&authors, event.author, request->snapshot);
		struct varlena *op = delta_json_bytea(&arena, event.op, event.op_bytes);
		Datum			values[OPEN_COLUMNS];
		bool			nulls[OPEN_COLUMNS] = {false};

		values[OPEN_VERSION] = Int64GetDatum(event.version);
		values[OPEN_EVENT] = Int64GetDatum(store_event_id(&event));
		values[OPEN_SITE] = Int64GetDatum(event.site);
		values[OPEN_CLOCK] = Int64GetDatum(event.clock);
		values[OPEN_AUTHOR] = PointerGetDatum(author);
		nulls[OPEN_AUTHOR] = (author == NULL);
		values[OPEN_AT] = TimestampTzGetDatum(event.created_at);
		values[OPEN_OP] = PointerGetDatum(op);
		nulls[OPEN_REASON] = true;
		put_row(result, "event", values, nulls, request->head_version);
		bytes += VARSIZE(op);
		pfree(op);
		arena_reset(&arena);
	}
	event_scan_end(scan);
}

static void
open_read_request(FunctionCallInfo fcinfo, OpenRequest *request)
{
	StoredEvent head;

	memset(request, 0, sizeof(*request));
	request->snapshot = GetActiveSnapshot();
	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("document id must not be null")));
	read_document_row(PG_GETARG_TEXT_PP(0), request->snapshot, &request->document);

	/* Without a user and a site there are no own events: site -1 has none. */
	request->site = -1;
	if (!PG_ARGISNULL(1) && !PG_ARGISNULL(2))
	{
		text *user = PG_GETARG_TEXT_PP(1);

		request->author = collab_user_key(VARDATA_ANY(user), VARSIZE_ANY_EXHDR(user));
		request->site = PG_GETARG_INT64(2);
	}

	request->has_position = !PG_ARGISNULL(3);
	if (request->has_position)
		request->version = PG_GETARG_INT64(3);
	request->has_event = !PG_ARGISNULL(4);
	if (request->has_event)
		request->event = PG_GETARG_INT64(4);
	request->pending = PG_ARGISNULL(5) ? 0 : PG_GETARG_INT32(5);
	request->max_events = PG_ARGISNULL(6) ? PG_INT32_MAX : PG_GETARG_INT32(6);
	if (request->version < 0 || request->pending < 0 || request->max_events < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("version, pending and max_events must not be negative")));

	if (store_head(request->document.key, request->snapshot, &head))
	{
		request->head_version = head.version;
		request->head_event = store_event_id(&head);
	}
	else
		request->head_event = store_creation_id(&request->document);
}

PG_FUNCTION_INFO_V1(feed_open_document);
Datum
feed_open_document(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	OpenRequest	   request;

	InitMaterializedSRF(fcinfo, 0);
	open_read_request(fcinfo, &request);
	switch (open_decide(&request))
	{
		case OPEN_CURRENT:
			open_put_current(result, &request);
			break;
		case OPEN_EVENTS:
			open_put_events(result, &request);
			break;
		case OPEN_SNAPSHOT:
			open_put_snapshot(result, &request, NULL);
			break;
		case OPEN_RESET:
			open_put_snapshot(result, &request, "OT010");
			break;
		case OPEN_PRUNED:
			open_put_snapshot(result, &request, "OT002");
			break;
	}
	return (Datum) 0;
}

/* ---- fetch_events and heads: many documents at once ---- */

/* The elements of a bigint[] without NULLs, in place. */
static const int64 *
int64_elements(ArrayType *array, const char *name, int *count)
{
	if (ARR_NDIM(array) > 1 || ARR_HASNULL(array) || ARR_ELEMTYPE(array) != INT8OID)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s must be a one-dimensional array without nulls", name)));
	*count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	return (const int64 *) ((char *) array + ARR_OVERHEAD_NONULLS(ARR_NDIM(array)));
}

#define FETCH_COLUMNS 8

/*
 * fetch_events(keys, after, max_events): of each document the events after a version, ascending. max_events bounds each document by itself,
 * so that a busy one does not starve the others of the same call. Each gets two at least: the first may be one that the caller knows.
 * Where the events after that version were deleted, the answer begins later, and the caller sees the gap: an error would take the events of
 * the others, too.
 */
PG_FUNCTION_INFO_V1(feed_fetch_events);
Datum
feed_fetch_events(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Snapshot	   snapshot = GetActiveSnapshot();
	int			   key_count;
	int			   after_count;
	const int64	  *keys = int64_elements(PG_GETARG_ARRAYTYPE_P(0), "keys", &key_count);
	const int64	  *after = int64_elements(PG_GETARG_ARRAYTYPE_P(1), "after", &after_count);
	int32		   max_events = PG_GETARG_INT32(2);
	ReadAuthors	   authors = {0};
	Arena		   arena;
	size_t		   total = 0;
	int			   i;

	if (key_count != after_count)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("keys and after must have the same number of elements")));
	if (max_events < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("max_events must not be negative")));

	InitMaterializedSRF(fcinfo, 0);
	pg_arena_init(&arena);
	for (i = 0; i < key_count; i++)
	{
		int64		from = Max(after[i], 0) == PG_INT64_MAX ? PG_INT64_MAX : Max(after[i], 0) + 1;
		EventScan  *scan = event_scan_begin_key(keys[i], from, PG_INT64_MAX, false, snapshot);
		size_t		bytes = 0;
		int32		count = 0;
		StoredEvent event;

		CHECK_FOR_INTERRUPTS();
		event_scan_skip_deleted(scan);
		while (count < max_events && (count < 2 || (bytes < FEED_STEP_BYTES && total < FEED_PAGE_BYTES)) &&
			   event_scan_next(scan, &event))
		{
			text		   *author = read_author(&authors, event.author, snapshot);
			struct varlena *op = delta_json_bytea(&arena, event.op, event.op_bytes);
			Datum			values[FETCH_COLUMNS];
			bool			nulls[FETCH_COLUMNS] = {false};

			values[0] = Int64GetDatum(keys[i]);
			values[1] = Int64GetDatum(event.version);
			values[2] = Int64GetDatum(store_event_id(&event));
			values[3] = Int64GetDatum(event.site);
			values[4] = Int64GetDatum(event.clock);
			values[5] = PointerGetDatum(author);
			nulls[5] = (author == NULL);
			values[6] = TimestampTzGetDatum(event.created_at);
			values[7] = PointerGetDatum(op);
			tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
			bytes += VARSIZE(op);
			total += VARSIZE(op);
			count++;
			pfree(op);
			arena_reset(&arena);
		}
		event_scan_end(scan);
	}
	return (Datum) 0;
}

#define HEADS_COLUMNS 3

/* heads(keys): where each document is now; one that does not exist gives no row. */
PG_FUNCTION_INFO_V1(feed_heads);
Datum
feed_heads(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Snapshot	   snapshot = GetActiveSnapshot();
	int			   key_count;
	const int64	  *keys = int64_elements(PG_GETARG_ARRAYTYPE_P(0), "keys", &key_count);
	int			   i;

	InitMaterializedSRF(fcinfo, 0);
	for (i = 0; i < key_count; i++)
	{
		Datum		values[HEADS_COLUMNS];
		bool		nulls[HEADS_COLUMNS] = {false};
		StoredEvent head;
		DocumentRow document;

		CHECK_FOR_INTERRUPTS();
		values[0] = Int64GetDatum(keys[i]);
		if (store_head(keys[i], snapshot, &head))
		{
			/* Events go with their document: where there is one there is the other. */
			values[1] = Int64GetDatum(head.version);
			values[2] = Int64GetDatum(store_event_id(&head));
		}
		else if (store_document_by_key(keys[i], snapshot, &document))
		{
			values[1] = Int64GetDatum(0);
			values[2] = Int64GetDatum(store_creation_id(&document));
		}
		else
			continue;
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

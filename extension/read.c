/* read.c - reading for SQL users: document, document_at, text, events_since. */
#include "postgres.h"

#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "delta_type.h"
#include "errors.h"
#include "event_scan.h"
#include "guc.h"
#include "pg_alloc.h"
#include "read.h"

/*
 * Whoever may execute these functions may read every document: EXECUTE is revoked from PUBLIC and is the whole permission check, because
 * the store below looks at no privileges. Everything is read under the statement's snapshot, so the functions are STABLE, agree
 * with what the same statement reads from the tables, and see the transaction's own earlier edits.
 */

/* ---- replay ---- */

void
read_document_row(text *doc_id, Snapshot snapshot, DocumentRow *out)
{
	store_document_require(VARDATA_ANY(doc_id), VARSIZE_ANY_EXHDR(doc_id), snapshot, out);
}

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

void
read_content(const DocumentRow *document, const ReadTarget *target, Snapshot snapshot, ReadContent *out)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "collab read content", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	CollabError	  err = {0};
	EventScan	 *scan;
	StoredEvent	  event;
	Arena		  arena;
	size_t		  weight = 0;

	out->context = context;
	out->version = 0;
	out->event = store_creation_id(document);
	out->at = document->created_at;
	out->applied_clock = 0;
	errors_check(replay_create(pg_alloc(context), true, &out->replay), &err);
	pg_arena_init(&arena);

	scan = event_scan_begin(document, 1, target->version, false, snapshot);
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
		out->event = store_event_id(&event);
		out->at = event.created_at;
		if (target->want_clock && event.site == target->site && event.author == target->author)
			out->applied_clock = Max(out->applied_clock, event.clock);
	}
	event_scan_end(scan);
	if (target->version != PG_INT64_MAX && out->version != target->version)
		elog(ERROR, "version " INT64_FORMAT " is ahead of document \"%s\" at version " INT64_FORMAT,
			 target->version, document->doc_id, out->version);
	MemoryContextSwitchTo(old);
}

void
read_content_free(ReadContent *content)
{
	MemoryContextDelete(content->context);
}

/* ---- document and text ---- */

void
read_check_version(const DocumentRow *document, int64 version, Snapshot snapshot)
{
	StoredEvent head;
	int64		head_version;

	if (version < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("version must not be negative")));

	head_version = store_head(document->key, snapshot, &head) ? head.version : 0;
	if (version > head_version)
		ereport(ERROR,
				(errcode(ERRCODE_COLLAB_BASE_AHEAD),
				 errmsg("version %lld is ahead of document \"%s\"", (long long) version, document->doc_id),
				 errdetail("The document is at version %lld.", (long long) head_version)));
}

/* The content as a datum: a delta or its text. */
static Datum
content_datum(const DocumentRow *document, const ReadTarget *target, Snapshot snapshot, bool as_text)
{
	ReadContent content;
	Datum		result;
	Buf			buf;

	read_content(document, target, snapshot, &content);
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

/* document(doc_id [, version]) and text(doc_id [, version]) */
static Datum
read_version(FunctionCallInfo fcinfo, bool as_text)
{
	Snapshot	snapshot = GetActiveSnapshot();
	ReadTarget	target = {.version = PG_INT64_MAX, .until = DT_NOEND};
	DocumentRow document;

	read_document_row(PG_GETARG_TEXT_PP(0), snapshot, &document);
	if (PG_NARGS() > 1)
	{
		target.version = PG_GETARG_INT64(1);
		read_check_version(&document, target.version, snapshot);
	}
	return content_datum(&document, &target, snapshot, as_text);
}

PG_FUNCTION_INFO_V1(read_document);
Datum
read_document(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(read_version(fcinfo, false));
}

PG_FUNCTION_INFO_V1(read_text);
Datum
read_text(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(read_version(fcinfo, true));
}

/* created_at never falls from one version to the next, so the replay just stops at the first event that came later. */
PG_FUNCTION_INFO_V1(read_document_at);
Datum
read_document_at(PG_FUNCTION_ARGS)
{
	Snapshot	snapshot = GetActiveSnapshot();
	ReadTarget	target = {.version = PG_INT64_MAX, .until = PG_GETARG_TIMESTAMPTZ(1)};
	DocumentRow document;

	read_document_row(PG_GETARG_TEXT_PP(0), snapshot, &document);
	if (document.created_at > target.until)
		ereport(ERROR, (errcode(ERRCODE_COLLAB_NO_DOCUMENT),
						errmsg("document \"%s\" did not exist at %s", document.doc_id,
							   timestamptz_to_str(target.until)),
						errdetail("It was created at %s.", timestamptz_to_str(document.created_at))));
	PG_RETURN_DATUM(content_datum(&document, &target, snapshot, false));
}

/* ---- events_since ---- */

text *
read_author(ReadAuthors *authors, int64 author, Snapshot snapshot)
{
	int slot = (uint64) author % READ_AUTHORS;

	if (authors->slots[slot].name == NULL || authors->slots[slot].key != author)
	{
		char *name = store_user_name(author, snapshot);

		if (name == NULL)
			return NULL;
		authors->slots[slot].key = author;
		authors->slots[slot].name = cstring_to_text(name);
	}
	return authors->slots[slot].name;
}

#define EVENTS_COLUMNS 9

/* events_since(doc_id, version, max_events) */
PG_FUNCTION_INFO_V1(read_events_since);
Datum
read_events_since(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Snapshot	   snapshot = GetActiveSnapshot();
	ReadAuthors	   authors = {0};
	int64		   left = PG_INT64_MAX;
	int64		   version;
	DocumentRow	   document;
	EventScan	  *scan;
	StoredEvent	   event;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return (Datum) 0;
	if (!PG_ARGISNULL(2))
		left = PG_GETARG_INT64(2);
	if (left < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("number of events must not be negative")));

	read_document_row(PG_GETARG_TEXT_PP(0), snapshot, &document);
	version = PG_GETARG_INT64(1);
	read_check_version(&document, version, snapshot);

	scan = event_scan_begin(&document, version + 1, PG_INT64_MAX, false, snapshot);
	while (left-- > 0 && event_scan_next(scan, &event))
	{
		text  *author = read_author(&authors, event.author, snapshot);
		bytea *op = (bytea *) palloc(VARHDRSZ + event.op_bytes);
		Datum  values[EVENTS_COLUMNS];
		bool   nulls[EVENTS_COLUMNS] = {false};

		SET_VARSIZE(op, VARHDRSZ + event.op_bytes);
		memcpy(VARDATA(op), event.op, event.op_bytes);

		values[0] = Int64GetDatum(event.version);
		values[1] = Int64GetDatum(store_event_id(&event));
		values[2] = Int64GetDatum(event.site);
		values[3] = Int64GetDatum(event.clock);
		values[4] = Int64GetDatum(event.base_version);
		values[5] = PointerGetDatum(author);
		nulls[5] = (author == NULL);
		values[6] = PointerGetDatum(op);
		values[7] = Int64GetDatum(event.length);
		values[8] = TimestampTzGetDatum(event.created_at);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		pfree(op);
	}
	event_scan_end(scan);
	return (Datum) 0;
}

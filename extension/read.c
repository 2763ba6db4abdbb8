/* read.c - reading for SQL users: document, document_at, text, events_since. */
#include "postgres.h"

#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "delta_type.h"
#include "errors.h"
#include "event_scan.h"
#include "read.h"

/*
 * Whoever may execute these functions may read every document: EXECUTE is revoked from PUBLIC and is the whole permission check, because
 * the store below looks at no privileges. Everything is read under the statement's snapshot, so the functions are STABLE, agree
 * with what the same statement reads from the tables, and see the transaction's own earlier edits.
 */

void
read_document_row(text *doc_id, Snapshot snapshot, DocumentRow *out)
{
	store_document_require(VARDATA_ANY(doc_id), VARSIZE_ANY_EXHDR(doc_id), snapshot, out);
}

/* ---- document and text ---- */

void
read_refuse_deleted(const char *doc_id, int64 version, int64 first_version)
{
	if (version < first_version)
		ereport(ERROR,
				(errcode(ERRCODE_COLLAB_BASE_GONE),
				 errmsg("history of document \"%s\" at version %lld was deleted", doc_id, (long long) version),
				 errdetail("The oldest version that is available is %lld.", (long long) first_version)));
}

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
	return read_content_datum(&document, &target, snapshot, as_text);
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
	PG_RETURN_DATUM(read_content_datum(&document, &target, snapshot, false));
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

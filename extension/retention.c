/* retention.c - how long the events of a document stay rows, and how long its history is kept: collab.set_retention(). */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/fmgrprotos.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "changes.h"
#include "document_cache.h"
#include "guc.h"
#include "lock.h"
#include "owner_sql.h"
#include "read.h"
#include "retention.h"
#include "submit.h"

static TimestampTz
ago(Datum interval)
{
	return DatumGetTimestampTz(
		DirectFunctionCall2(timestamptz_mi_interval, TimestampTzGetDatum(GetCurrentTimestamp()), interval));
}

void
retention_get(int64 doc, Retention *out)
{
	static const Oid types[] = {INT8OID};
	const Datum		 values[] = {Int64GetDatum(doc)};
	OwnerSql		 frame;

	memset(out, 0, sizeof(Retention));
	if (!OidIsValid(catalog_get()->chunks.table))
		return;
	out->folds = guc_fold_after >= 0;
	out->fold_before = GetCurrentTimestamp() - (int64) guc_fold_after * USECS_PER_SEC;

	owner_sql_begin(&frame);
	if (owner_sql_execute("SELECT fold_after, keep_history FROM collab.documents WHERE key = $1",
						  lengthof(types), types, values, NULL, true, SPI_OK_SELECT) > 0)
	{
		HeapTuple tuple = SPI_tuptable->vals[0];
		bool	  isnull;
		Datum	  interval = SPI_getbinval(tuple, SPI_tuptable->tupdesc, 1, &isnull);

		if (!isnull)
		{
			out->folds = true;
			out->fold_before = ago(interval);
		}
		interval = SPI_getbinval(tuple, SPI_tuptable->tupdesc, 2, &isnull);
		if (!isnull)
		{
			out->prunes = true;
			out->prune_before = ago(interval);
		}
	}
	owner_sql_end(&frame);
}

/* A time that far back can be computed with, now and later; the worker does, for all documents at once. */
#define YEARS_MAX 1000

static void
check_interval(FunctionCallInfo fcinfo, int arg, const char *name)
{
	Interval zero = {0};
	Interval longest = {.month = YEARS_MAX * MONTHS_PER_YEAR};

	if (!PG_ARGISNULL(arg) &&
		DatumGetBool(DirectFunctionCall2(interval_lt, PG_GETARG_DATUM(arg), IntervalPGetDatum(&zero))))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must not be negative", name)));
	if (!PG_ARGISNULL(arg) &&
		DatumGetBool(DirectFunctionCall2(interval_gt, PG_GETARG_DATUM(arg), IntervalPGetDatum(&longest))))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s must not be longer than %d years", name, YEARS_MAX),
						errhint("NULL keeps history for ever.")));
}

/* set_retention(doc_id, fold_after, keep_history) */
PG_FUNCTION_INFO_V1(set_retention);
Datum
set_retention(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {INT8OID, INTERVALOID, INTERVALOID};
	char			 nulls[] = "   ";
	Datum			 values[lengthof(types)];
	DocumentRow		 document;
	StoredEvent		 head;
	OwnerSql		 frame;
	int				 i;

	submit_enter("collab.set_retention()");
	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("doc_id must not be null")));
	check_interval(fcinfo, 1, "fold_after");
	check_interval(fcinfo, 2, "keep_history");
	read_document_row(PG_GETARG_TEXT_PP(0), GetActiveSnapshot(), &document);

	/* Who drops the document, or deletes its history, looks at its row as it is when he has the lock. */
	lock_document(document.key, true);
	lock_derived(document.key, true);
	values[0] = Int64GetDatum(document.key);
	for (i = 1; i < (int) lengthof(types); i++)
	{
		values[i] = PG_GETARG_DATUM(i);
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
	}
	owner_sql_begin(&frame);
	(void) owner_sql_execute("UPDATE collab.documents SET fold_after = $2, keep_history = $3 WHERE key = $1",
							 lengthof(types), types, values, nulls, false, SPI_OK_UPDATE);
	owner_sql_end(&frame);

	/* The worker looks at it again. Others take this for a hint that there may be a new version, and find none. */
	document_cache_changed();
	changes_note(document.key, store_head(document.key, GetActiveSnapshot(), &head) ? head.version : 0);
	submit_leave();
	PG_RETURN_VOID();
}

/* verify.c - verify() and verify_all(): everything recomputed from the events, and what differs. */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "errors.h"
#include "hash.h"
#include "lock.h"
#include "owner_sql.h"
#include "read.h"
#include "subtransaction.h"
#include "verify.h"

#define VERIFY_COLUMNS 4

/* Documents whose keys verify_all() asks for at a time. */
#define KEYS_AT_ONCE 1000

/* ---- reports ---- */

void
verify_report(Verification *v, const char *part, int64 version, const char *fmt, ...)
{
	Datum		   values[VERIFY_COLUMNS];
	bool		   nulls[VERIFY_COLUMNS] = {false};
	StringInfoData problem;
	int			   needed;

	initStringInfo(&problem);
	do
	{
		va_list args;

		va_start(args, fmt);
		needed = appendStringInfoVA(&problem, fmt, args);
		va_end(args);
		if (needed > 0)
			enlargeStringInfo(&problem, needed);
	} while (needed > 0);

	nulls[0] = v->document.doc_id[0] == '\0';
	values[0] = nulls[0] ? (Datum) 0 : CStringGetTextDatum(v->document.doc_id);
	values[1] = CStringGetTextDatum(part);
	nulls[2] = version == VERIFY_NO_VERSION;
	values[2] = Int64GetDatum(version);
	values[3] = CStringGetTextDatum(problem.data);
	tuplestore_putvalues(v->result->setResult, v->result->setDesc, values, nulls);
	pfree(problem.data);
}

/* ---- steps ---- */

/* Errors that say nothing about the data. */
static bool
is_ours_to_report(int code)
{
	int category = ERRCODE_TO_CATEGORY(code);

	return category != ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION) &&
		   category != ERRCODE_TO_CATEGORY(ERRCODE_INSUFFICIENT_RESOURCES) &&
		   category != ERRCODE_TO_CATEGORY(ERRCODE_TRANSACTION_ROLLBACK);
}

static char *
error_text(const ErrorData *error)
{
	const char *more = error->detail != NULL ? error->detail : error->hint;

	return more == NULL ? pstrdup(error->message) : psprintf("%s: %s", error->message, more);
}

/* What the step leaves behind in memory goes with it, however it ends. */
bool
verify_try(Verification *v, VerifyStep step, void *arg, char **error)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "collab verify step", ALLOCSET_DEFAULT_SIZES);
	bool volatile fine = false;
	Subtransaction sub;

	*error = NULL;
	subtransaction_begin(&sub);
	PG_TRY();
	{
		MemoryContextSwitchTo(context);
		step(v, arg);
		subtransaction_commit(&sub);
		fine = true;
	}
	PG_CATCH();
	{
		ErrorData *data = subtransaction_roll_back(&sub);

		if (!is_ours_to_report(data->sqlerrcode))
			ReThrowError(data);
		*error = error_text(data);
		if (data->sqlerrcode == ERRCODE_IO_ERROR && !lock_archiver_present())
			v->cold_silent = true;
		FreeErrorData(data);
	}
	PG_END_TRY();
	MemoryContextDelete(context);
	return fine;
}

void
verify_step(Verification *v, const char *part, VerifyStep step, void *arg)
{
	char *error;

	if (verify_try(v, step, arg, &error))
		return;
	verify_report(v, part, VERIFY_NO_VERSION, "%s", error);
	pfree(error);
}

MemoryContext
verify_scratch_begin(MemoryContext *old)
{
	MemoryContext scratch =
		AllocSetContextCreate(CurrentMemoryContext, "collab verify scratch", ALLOCSET_DEFAULT_SIZES);

	*old = MemoryContextSwitchTo(scratch);
	return scratch;
}

void
verify_scratch_end(MemoryContext scratch, MemoryContext old)
{
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

/* ---- rows ---- */

int64
verify_int64(HeapTuple row, TupleDesc desc, int column)
{
	bool isnull;

	return DatumGetInt64(SPI_getbinval(row, desc, column, &isnull));
}

bool
verify_isnull(HeapTuple row, TupleDesc desc, int column)
{
	bool isnull;

	(void) SPI_getbinval(row, desc, column, &isnull);
	return isnull;
}

/* Fetched a few at a time: memory is bounded by the largest of them. */
#define ROWS_AT_ONCE 10

static void
check_fetched(Verification *v, VerifyRow check, void *arg, MemoryContext row_context)
{
	SPITupleTable *rows = SPI_tuptable;
	uint64		   i;

	for (i = 0; i < rows->numvals; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(row_context);

		CHECK_FOR_INTERRUPTS();
		check(v, rows->vals[i], rows->tupdesc, arg);
		MemoryContextSwitchTo(old);
		MemoryContextReset(row_context);
	}
	SPI_freetuptable(rows);
}

void
verify_rows(Verification *v, const char *sql, VerifyRow check, void *arg)
{
	Oid			  types[] = {INT8OID};
	Datum		  values[] = {Int64GetDatum(v->document.key)};
	MemoryContext row_context;
	OwnerSql	  frame;
	Portal		  cursor;
	uint64		  fetched;

	owner_sql_begin(&frame);
	row_context = AllocSetContextCreate(CurrentMemoryContext, "collab verify row", ALLOCSET_DEFAULT_SIZES);
	cursor = SPI_cursor_open_with_args(NULL, sql, 1, types, values, NULL, true, CURSOR_OPT_NO_SCROLL);
	do
	{
		SPI_cursor_fetch(cursor, true, ROWS_AT_ONCE);
		fetched = SPI_processed;
		check_fetched(v, check, arg, row_context);
	} while (fetched == ROWS_AT_ONCE);
	SPI_cursor_close(cursor);
	owner_sql_end(&frame);
}

/* ---- documents ---- */

static void
find_head(Verification *v, void *arg)
{
	StoredEvent head;

	if (store_head(v->document.key, v->snapshot, &head))
		v->head = head.version;
}

static void
verify_document(Verification *v)
{
	MemoryContext old;

	v->context = AllocSetContextCreate(CurrentMemoryContext, "collab verify document", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(v->context);
	v->head = 0;
	/* The event that history begins with may be a row. */
	v->folded = v->document.first_version - 1;
	if (collab_doc_key(v->document.doc_id, strlen(v->document.doc_id)) != v->document.key)
		verify_report(v, "documents", VERIFY_NO_VERSION,
					  "the document's key is " INT64_FORMAT ", which is not that of its id", v->document.key);
	verify_step(v, "events", find_head, NULL);
	verify_segments(v);
	verify_tables(v, verify_events(v));
	verify_comments(v);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(v->context);
}

static void
begin(Verification *v, FunctionCallInfo fcinfo)
{
	memset(v, 0, sizeof(*v));
	InitMaterializedSRF(fcinfo, 0);
	v->result = (ReturnSetInfo *) fcinfo->resultinfo;
	v->snapshot = GetActiveSnapshot();
}

/* verify(doc_id) */
PG_FUNCTION_INFO_V1(verify_one);
Datum
verify_one(PG_FUNCTION_ARGS)
{
	Verification v;

	begin(&v, fcinfo);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	read_document_row(PG_GETARG_TEXT_PP(0), v.snapshot, &v.document);
	verify_document(&v);
	return (Datum) 0;
}

/* The keys of the next documents after `last`. */
static int
next_keys(int64 last, bool first, int64 *keys)
{
	static const Oid types[] = {INT8OID};
	Datum			 values[] = {Int64GetDatum(last)};
	OwnerSql		 frame;
	int				 count;
	int				 i;

	owner_sql_begin(&frame);
	count = (int) owner_sql_execute(
		first ? "SELECT key FROM collab.documents WHERE key OPERATOR(pg_catalog.>=) $1 ORDER BY key LIMIT 1000"
			  : "SELECT key FROM collab.documents WHERE key OPERATOR(pg_catalog.>) $1 ORDER BY key LIMIT 1000",
		1, types, values, NULL, true, SPI_OK_SELECT);
	for (i = 0; i < Min(count, KEYS_AT_ONCE); i++)
		keys[i] = verify_int64(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
	owner_sql_end(&frame);
	return i;
}

/* verify_all() */
PG_FUNCTION_INFO_V1(verify_all);
Datum
verify_all(PG_FUNCTION_ARGS)
{
	Verification v;
	int64		*keys = palloc_array(int64, KEYS_AT_ONCE);
	int64		 last = PG_INT64_MIN;
	bool		 first = true;
	int			 count;

	begin(&v, fcinfo);
	while ((count = next_keys(last, first, keys)) > 0)
	{
		int i;

		for (i = 0; i < count; i++)
		{
			CHECK_FOR_INTERRUPTS();
			if (store_document_by_key(keys[i], v.snapshot, &v.document))
				verify_document(&v);
		}
		last = keys[count - 1];
		first = false;
	}
	memset(&v.document, 0, sizeof(v.document));
	verify_orphans(&v);
	return (Datum) 0;
}

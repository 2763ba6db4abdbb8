/* live_text.c - rows of collab.live_texts: the text of documents for searching; collab.search(). */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "tsearch/ts_utils.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "compat.h"
#include "live_text.h"
#include "owner_sql.h"
#include "subtransaction.h"

/* Texts up to this many bytes fit into a tsvector, whatever is in them. */
#define SURE_BYTES (64 * 1024)

int64
live_text_version(int64 doc, Snapshot snapshot)
{
	CatalogTable table = catalog_get()->live_texts;
	int64		 version = -1;
	Relation	 rel;
	ScanKeyData	 key;
	SysScanDesc	 scan;
	HeapTuple	 tuple;

	if (!OidIsValid(table.table))
		return -1;
	rel = table_open(table.table, AccessShareLock);
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(doc));
	scan = systable_beginscan(rel, table.pkey, true, snapshot, 1, &key);
	if (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool isnull;

		version = DatumGetInt64(heap_getattr(tuple, 2, RelationGetDescr(rel), &isnull));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return version;
}

/* ---- writing ---- */

/* The tsvector, or 0 where it would be too large. */
static Datum
try_words(Oid config, text *body)
{
	volatile Datum words = (Datum) 0;
	Subtransaction sub;

	if (VARSIZE_ANY_EXHDR(body) <= SURE_BYTES)
		return DirectFunctionCall2(to_tsvector_byid, ObjectIdGetDatum(config), PointerGetDatum(body));

	subtransaction_begin(&sub);
	PG_TRY();
	{
		words = DirectFunctionCall2(to_tsvector_byid, ObjectIdGetDatum(config), PointerGetDatum(body));
		subtransaction_commit(&sub);
	}
	PG_CATCH();
	{
		ErrorData *error = subtransaction_roll_back(&sub);

		if (error->sqlerrcode != ERRCODE_PROGRAM_LIMIT_EXCEEDED)
			ReThrowError(error);
		FreeErrorData(error);
		words = (Datum) 0;
	}
	PG_END_TRY();
	return words;
}

/* Those of the whole text, else of half of it, and so on. */
Datum
live_text_words(Oid config, text *body)
{
	int	  bytes = VARSIZE_ANY_EXHDR(body);
	Datum words = try_words(config, body);

	while (words == (Datum) 0)
	{
		bytes = pg_mbcliplen(VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body), bytes / 2);
		words = try_words(config, cstring_to_text_with_len(VARDATA_ANY(body), bytes));
	}
	return words;
}

void
live_text_write(int64 doc, int64 version, text *body, Oid config)
{
	static Oid		  types[] = {INT8OID, INT8OID, TEXTOID, TSVECTOROID};
	static SPIPlanPtr plan = NULL;
	Datum			  values[4];
	OwnerSql		  sql;

	values[0] = Int64GetDatum(doc);
	values[1] = Int64GetDatum(version);
	values[2] = PointerGetDatum(body);
	values[3] = live_text_words(config, body);
	owner_sql_begin(&sql);
	/* Planned once: that takes longer than the rest. */
	if (plan == NULL)
	{
		plan = SPI_prepare("INSERT INTO collab.live_texts AS t (doc, version, updated_at, body, words)"
						   " VALUES ($1, $2, pg_catalog.clock_timestamp(), $3, $4)"
						   " ON CONFLICT (doc) DO UPDATE SET version = excluded.version,"
						   " updated_at = excluded.updated_at, body = excluded.body, words = excluded.words",
						   lengthof(types), types);
		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "could not plan the writing of a live text: %s", SPI_result_code_string(SPI_result));
	}
	if (SPI_execute_plan(plan, values, NULL, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not write a live text");
	owner_sql_end(&sql);
}

/* ---- SQL ---- */

/* search(query, max_results) */
PG_FUNCTION_INFO_V1(live_text_search);
Datum
live_text_search(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {TSQUERYOID, INT4OID};
	ReturnSetInfo	*result = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum			 values[2];
	OwnerSql		 sql;
	uint64			 rows;
	uint64			 i;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return (Datum) 0;
	if (PG_GETARG_INT32(1) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("number of results must not be negative")));
	values[0] = PG_GETARG_DATUM(0);
	values[1] = PG_GETARG_DATUM(1);

	owner_sql_begin(&sql);
	rows = owner_sql_execute(
		"SELECT d.doc_id, t.version, pg_catalog.ts_rank(t.words, $1) AS rank, t.body"
		" FROM collab.live_texts t JOIN collab.documents d ON d.key OPERATOR(pg_catalog.=) t.doc"
		" WHERE t.words OPERATOR(pg_catalog.@@) $1"
		" ORDER BY rank DESC, d.doc_id LIMIT $2",
		lengthof(types), types, values, NULL, true, SPI_OK_SELECT);
	for (i = 0; i < rows; i++)
		tuplestore_puttuple(result->setResult, SPI_tuptable->vals[i]);
	owner_sql_end(&sql);
	return (Datum) 0;
}

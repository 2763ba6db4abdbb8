/* document_pass.c - walks of the worker over all documents, for duties that time makes due and not an edit. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/inval.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "document_pass.h"
#include "guc.h"
#include "owner_sql.h"
#include "worker.h"

#define INTERVAL_MIN USECS_PER_SEC
#define INTERVAL_HURRY (10 * USECS_PER_SEC)
#define INTERVAL_MAX USECS_PER_HOUR
#define REST_PER_WORK 20

/* Rows of collab.documents changed, perhaps what collab.set_retention() sets. */
static uint64 changes = 0;
static Oid	  documents_table = InvalidOid;

static void
note_change(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || relid == documents_table)
		changes++;
}

static void
begin_pass(DocumentPass *pass, TimestampTz now)
{
	pass->running = true;
	pass->changes = changes;
	pass->setting = guc_fold_after;
	pass->hurried = false;
	pass->from = PG_INT64_MIN;
	pass->began = now;
	pass->youngest = 4 * INTERVAL_MAX;
}

static void
end_pass(DocumentPass *pass)
{
	TimestampTz now = GetCurrentTimestamp();
	int64		interval = Min(pass->youngest / 4, pass->hurried ? INTERVAL_HURRY : INTERVAL_MAX);

	pass->running = false;
	pass->earliest = now + Max(INTERVAL_MIN, (now - pass->began) * REST_PER_WORK);
	pass->next = Max(now + interval, pass->earliest);
}

static int64
query_batch(DocumentPass *pass)
{
	static const Oid types[] = {INT8OID, INT8OID, INT4OID};
	const Datum		 values[] = {Int64GetDatum(pass->from), Int64GetDatum(DOCUMENT_PASS_BATCH),
								 Int32GetDatum(guc_fold_after)};
	TimestampTz		 now = GetCurrentTimestamp();
	OwnerSql		 frame;
	int64			 rows;
	int64			 i;

	owner_sql_begin(&frame);
	rows = owner_sql_execute(pass->statement, lengthof(types), types, values, NULL, true, SPI_OK_SELECT);
	for (i = 0; i < rows; i++)
	{
		HeapTuple	   tuple = SPI_tuptable->vals[i];
		AgingDocument *document = &pass->batch[i];
		bool		   isnull;

		document->key = DatumGetInt64(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 1, &isnull));
		document->before = DatumGetTimestampTz(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 2, &isnull));
		pass->youngest = Min(pass->youngest, now - document->before);
	}
	owner_sql_end(&frame);
	return rows;
}

/* The next documents, of which those stay that are due. The pass ends with the last of them. */
static void
next_batch(DocumentPass *pass)
{
	int64 rows = 0;
	int64 i;

	pass->count = 0;
	pass->at = 0;
	if (worker_begin(pass->duty))
	{
		documents_table = catalog_get()->documents.table;
		rows = query_batch(pass);
		for (i = 0; i < rows; i++)
		{
			AgingDocument document = pass->batch[i];

			pass->from = document.key;
			if (pass->is_due == NULL || pass->is_due(&document, GetActiveSnapshot()))
				pass->batch[pass->count++] = document;
		}
		worker_commit();
	}
	if (rows < DOCUMENT_PASS_BATCH || pass->from == PG_INT64_MAX)
		end_pass(pass);
	else
		pass->from++;
}

bool
document_pass_next(DocumentPass *pass, AgingDocument *out, TimestampTz *due)
{
	static bool registered = false;
	TimestampTz now = GetCurrentTimestamp();

	if (!registered)
		CacheRegisterRelcacheCallback(note_change, (Datum) 0);
	registered = true;
	if (pass->changes != changes || pass->setting != guc_fold_after)
		pass->next = pass->earliest;
	if (pass->at >= pass->count && !pass->running && now >= pass->next)
		begin_pass(pass, now);
	if (pass->at >= pass->count && pass->running)
		next_batch(pass);
	*due = pass->running ? TIMESTAMP_NOW : pass->next;
	if (pass->at >= pass->count)
		return false;
	*out = pass->batch[pass->at++];
	return true;
}

void
document_pass_again(DocumentPass *pass)
{
	pass->at--;
}

void
document_pass_hurry(DocumentPass *pass)
{
	pass->hurried = true;
	pass->next = Min(pass->next, Max(pass->earliest, GetCurrentTimestamp() + INTERVAL_HURRY));
}

/* quarantine.c - documents on which a duty of the worker failed, and those that are left out because of it. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "changes.h"
#include "guc.h"
#include "owner_sql.h"
#include "quarantine.h"
#include "store.h"

/* How long a document is left alone after a failure that was nobody's fault, in milliseconds. */
#define POSTPONED_MS 10000

/* What ended a process that could not say so. */
#define CRASH_SQLSTATE "57P02" /* crash_shutdown */

typedef struct Failure
{
	int64 doc;
	char  duty[NAMEDATALEN];
} Failure;

typedef struct FailureCount
{
	Failure		key; /* of the hash table: must be first */
	int			failures;
	TimestampTz postponed; /* when it failed through nobody's fault; DT_NOBEGIN: that was not the last failure */
} FailureCount;

/* The table as far as this process knows: only the worker adds to it, anybody may release. */
static HTAB *failures = NULL;

static Failure
failure_key(const char *duty, int64 doc)
{
	Failure key;

	memset(&key, 0, sizeof(key));
	key.doc = doc;
	strlcpy(key.duty, duty, sizeof(key.duty));
	return key;
}

static FailureCount *
find(const char *duty, int64 doc)
{
	Failure key = failure_key(duty, doc);

	return failures != NULL ? hash_search(failures, &key, HASH_FIND, NULL) : NULL;
}

static void
remember(const char *duty, int64 doc, int count, TimestampTz postponed)
{
	Failure		  key = failure_key(duty, doc);
	FailureCount *entry = hash_search(failures, &key, HASH_ENTER, NULL);

	entry->failures = count;
	entry->postponed = postponed;
}

static void
forget(const char *duty, int64 doc)
{
	Failure key = failure_key(duty, doc);

	(void) hash_search(failures, &key, HASH_REMOVE, NULL);
}

/* Would another document have failed as well, or the same one succeeded at another time? */
static bool
is_nobodys_fault(const char *sqlstate)
{
	static const char *const classes[] = {"08", "25", "40", "42", "53", "55", "57", "58"};
	int						 i;

	/* What takes down the worker again and again must not stop all others. */
	if (strcmp(sqlstate, CRASH_SQLSTATE) == 0 || strcmp(sqlstate, "53200") == 0)
		return false;
	for (i = 0; i < (int) lengthof(classes); i++)
		if (strncmp(sqlstate, classes[i], 2) == 0)
			return true;
	return false;
}

void
quarantine_load(void)
{
	HASHCTL	 ctl = {.keysize = sizeof(Failure), .entrysize = sizeof(FailureCount), .hcxt = TopMemoryContext};
	OwnerSql sql;
	uint64	 rows;
	uint64	 i;

	if (failures != NULL)
		hash_destroy(failures);
	failures = hash_create("collab failures", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	owner_sql_begin(&sql);
	rows = owner_sql_execute("SELECT doc, duty, failures, sqlstate, last_at FROM collab.quarantine", 0, NULL,
							 NULL, NULL, true, SPI_OK_SELECT);
	for (i = 0; i < rows; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		int64		doc = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull));
		char	   *duty = TextDatumGetCString(SPI_getbinval(tuple, desc, 2, &isnull));
		int			count = DatumGetInt32(SPI_getbinval(tuple, desc, 3, &isnull));
		char	   *sqlstate = TextDatumGetCString(SPI_getbinval(tuple, desc, 4, &isnull));
		TimestampTz last_at = DatumGetTimestampTz(SPI_getbinval(tuple, desc, 5, &isnull));

		remember(duty, doc, count, is_nobodys_fault(sqlstate) ? last_at : DT_NOBEGIN);
	}
	owner_sql_end(&sql);
}

void
quarantine_note(const JournalEntry *failure)
{
	static const Oid types[] = {INT8OID, TEXTOID, TEXTOID, TEXTOID, INT4OID};
	const char		*sqlstate = failure->sqlstate[0] != '\0' ? failure->sqlstate : CRASH_SQLSTATE;
	const char *message = failure->sqlstate[0] != '\0' ? failure->message : "the worker was killed or crashed";
	bool		nobodys = is_nobodys_fault(sqlstate);
	Datum		values[lengthof(types)];
	OwnerSql	sql;
	int			count;
	bool		isnull;

	if (failure->doc == 0)
		return;
	values[0] = Int64GetDatum(failure->doc);
	values[1] = CStringGetTextDatum(failure->duty);
	values[2] = CStringGetTextDatum(sqlstate);
	values[3] = CStringGetTextDatum(message);
	values[4] = Int32GetDatum(nobodys ? 0 : 1);
	owner_sql_begin(&sql);
	(void) owner_sql_execute(
		"INSERT INTO collab.quarantine AS q (doc, duty, failures, sqlstate, message, last_at)"
		" VALUES ($1, $2, $5, $3, $4, pg_catalog.clock_timestamp())"
		" ON CONFLICT (doc, duty) DO UPDATE SET failures = q.failures OPERATOR(pg_catalog.+) $5,"
		" sqlstate = excluded.sqlstate, message = excluded.message, last_at = excluded.last_at"
		" RETURNING failures",
		lengthof(types), types, values, NULL, false, SPI_OK_INSERT_RETURNING);
	count = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	owner_sql_end(&sql);
	remember(failure->duty, failure->doc, count, nobodys ? GetCurrentTimestamp() : DT_NOBEGIN);
	if (count == guc_quarantine_after && !nobodys)
		ereport(LOG,
				(errmsg("collab worker leaves out the document with key " INT64_FORMAT " in its duty \"%s\"",
						failure->doc, failure->duty),
				 errdetail("It failed %d times in a row: %s", count, message),
				 errhint("See collab.quarantine_list; collab.release_document() has it tried again.")));
}

static int
read_count(const char *duty, int64 doc)
{
	static const Oid types[] = {INT8OID, TEXTOID};
	Datum			 values[2];
	OwnerSql		 sql;
	int				 count = 0;
	bool			 isnull;

	values[0] = Int64GetDatum(doc);
	values[1] = CStringGetTextDatum(duty);
	owner_sql_begin(&sql);
	if (owner_sql_execute(
			"SELECT failures FROM collab.quarantine WHERE doc OPERATOR(pg_catalog.=) $1 AND duty OPERATOR(pg_catalog.=) $2",
			lengthof(types), types, values, NULL, true, SPI_OK_SELECT) > 0)
		count = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	owner_sql_end(&sql);
	return count;
}

bool
quarantine_holds(const char *duty, int64 doc)
{
	FailureCount *known = find(duty, doc);

	if (known == NULL || guc_quarantine_after == 0 || known->failures < guc_quarantine_after)
		return false;
	known->failures = read_count(duty, doc);
	return known->failures >= guc_quarantine_after;
}

bool
quarantine_postpones(const char *duty, int64 doc)
{
	FailureCount *known = find(duty, doc);
	TimestampTz	  now = GetCurrentTimestamp();

	/* Later than now: the clock was set back. */
	return known != NULL && known->postponed <= now &&
		   known->postponed > TimestampTzPlusMilliseconds(now, -POSTPONED_MS);
}

void
quarantine_succeeded(const char *duty, int64 doc)
{
	static const Oid types[] = {INT8OID, TEXTOID};
	Datum			 values[2];
	OwnerSql		 sql;

	if (find(duty, doc) == NULL)
		return;
	values[0] = Int64GetDatum(doc);
	values[1] = CStringGetTextDatum(duty);
	owner_sql_begin(&sql);
	(void) owner_sql_execute(
		"DELETE FROM collab.quarantine WHERE doc OPERATOR(pg_catalog.=) $1 AND duty OPERATOR(pg_catalog.=) $2",
		lengthof(types), types, values, NULL, false, SPI_OK_DELETE);
	owner_sql_end(&sql);
	forget(duty, doc);
}

int64
quarantine_count(void)
{
	static const Oid types[] = {INT4OID};
	Datum			 values[1];
	OwnerSql		 sql;
	int64			 count;
	bool			 isnull;

	if (guc_quarantine_after == 0)
		return 0;
	values[0] = Int32GetDatum(guc_quarantine_after);
	owner_sql_begin(&sql);
	(void) owner_sql_execute(
		"SELECT pg_catalog.count(DISTINCT doc) FROM collab.quarantine WHERE failures OPERATOR(pg_catalog.>=) $1",
		lengthof(types), types, values, NULL, true, SPI_OK_SELECT);
	count = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	owner_sql_end(&sql);
	return count;
}

/* ---- SQL ---- */

/* release_document(doc_id): may be tried again. Returns how many duties had failed on it. */
PG_FUNCTION_INFO_V1(quarantine_release);
Datum
quarantine_release(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {INT8OID};
	text			*doc_id = PG_GETARG_TEXT_PP(0);
	Datum			 values[1];
	DocumentRow		 document;
	StoredEvent		 head;
	OwnerSql		 sql;
	uint64			 released;

	PreventCommandIfReadOnly("collab.release_document()");
	store_document_require(VARDATA_ANY(doc_id), VARSIZE_ANY_EXHDR(doc_id), GetActiveSnapshot(), &document);
	values[0] = Int64GetDatum(document.key);
	owner_sql_begin(&sql);
	released = owner_sql_execute("DELETE FROM collab.quarantine WHERE doc OPERATOR(pg_catalog.=) $1",
								 lengthof(types), types, values, NULL, false, SPI_OK_DELETE);
	owner_sql_end(&sql);
	/* The worker hears of it at the commit; listeners hear what they know. */
	if (released > 0)
		changes_note(document.key, store_head(document.key, GetActiveSnapshot(), &head) ? head.version : 0);
	PG_RETURN_INT32((int32) released);
}

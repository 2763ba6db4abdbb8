/* verify_orphans.c - what no document leads to, for verify_all(): rows of documents that are not there, names of users. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"

#include "hash.h"
#include "owner_sql.h"
#include "verify.h"

/* ---- rows of documents ---- */

/* Tables whose column doc is the key of a document, and stands first in their primary key. */
static const char *const tables[] = {
	"events",		  "snapshots", "chunks",	 "archives", "thawed",	   "applied_clocks",
	"named_versions", "undone",	   "live_texts", "comments", "quarantine",
};

/* The next key above `last` in the table; each costs a descent of an index, not a scan. False: none. */
static bool
next_key(const char *table, int64 last, bool first, int64 *key, bool *orphan)
{
	static const Oid types[] = {INT8OID};
	Datum			 values[] = {Int64GetDatum(last)};
	OwnerSql		 frame;
	char			*sql;
	bool			 found;

	owner_sql_begin(&frame);
	sql =
		psprintf("SELECT t.doc, d.key FROM (SELECT doc FROM collab.%s WHERE doc OPERATOR(pg_catalog.%s) $1"
				 " ORDER BY doc LIMIT 1) t LEFT JOIN collab.documents d ON d.key OPERATOR(pg_catalog.=) t.doc",
				 table, first ? ">=" : ">");
	found = owner_sql_execute(sql, 1, types, values, NULL, true, SPI_OK_SELECT) > 0;
	if (found)
	{
		*key = verify_int64(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
		*orphan = verify_isnull(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);
	}
	owner_sql_end(&frame);
	return found;
}

static void
check_table(Verification *v, void *arg)
{
	const char *table = arg;
	int64		key = PG_INT64_MIN;
	bool		first = true;
	bool		orphan;

	while (next_key(table, key, first, &key, &orphan))
	{
		CHECK_FOR_INTERRUPTS();
		if (orphan)
			verify_report(v, table, VERIFY_NO_VERSION,
						  "rows of a document with key " INT64_FORMAT ", which does not exist", key);
		first = false;
	}
}

/* ---- users ---- */

/* A key is the hash of a name; what differs is found in a pass over all of them. */
static void
check_user(Verification *v, HeapTuple row, TupleDesc desc, void *arg)
{
	int64 key = verify_int64(row, desc, 1);
	bool  isnull;
	text *name = DatumGetTextPP(SPI_getbinval(row, desc, 2, &isnull));

	if (collab_user_key(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)) != key)
		verify_report(v, "users", VERIFY_NO_VERSION,
					  "the name of user " INT64_FORMAT " is not the one with that key", key);
}

static void
check_users(Verification *v, void *arg)
{
	verify_rows(v, "SELECT key, user_id FROM collab.users WHERE $1 OPERATOR(pg_catalog.=) $1", check_user,
				NULL);
}

void
verify_orphans(Verification *v)
{
	int i;

	verify_step(v, "users", check_users, NULL);

	for (i = 0; i < (int) lengthof(tables); i++)
		if (strcmp(tables[i], "thawed") != 0 || !RecoveryInProgress())
			verify_step(v, tables[i], check_table, unconstify(char *, tables[i]));
}

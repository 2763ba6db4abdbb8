/* owner_sql.c - the extension's own SQL statements, run with the rights of the owner of its tables. */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "access.h"
#include "catalog.h"
#include "owner_sql.h"

static Oid
table_owner(void)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(catalog_get()->documents.table));
	Oid		  owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for table collab.documents");
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

void
owner_sql_begin(OwnerSql *frame)
{
	Oid owner = table_owner();

	frame->pass = access_suspend();
	GetUserIdAndSecContext(&frame->user, &frame->security);
	SetUserIdAndSecContext(owner, frame->security | SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS);
	frame->guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

void
owner_sql_end(OwnerSql *frame)
{
	SPI_finish();
	AtEOXact_GUC(true, frame->guc_level);
	SetUserIdAndSecContext(frame->user, frame->security);
	access_resume(frame->pass);
}

uint64
owner_sql_execute(const char *sql, int nargs, const Oid *types, const Datum *values, const char *nulls,
				  bool read_only, int expected)
{
	int result = SPI_execute_with_args(sql, nargs, unconstify(Oid *, types), unconstify(Datum *, values),
									   nulls, read_only, 0);

	if (result != expected)
		elog(ERROR, "%s from: %s", SPI_result_code_string(result), sql);
	return SPI_processed;
}

uint64
owner_sql_execute_latest(const char *sql, int nargs, const Oid *types, const Datum *values, int expected)
{
	SPIPlanPtr plan = SPI_prepare(sql, nargs, unconstify(Oid *, types));
	int		   result;

	if (plan == NULL)
		elog(ERROR, "%s from: %s", SPI_result_code_string(SPI_result), sql);
	result = SPI_execute_snapshot(plan, unconstify(Datum *, values), NULL, GetLatestSnapshot(),
								  InvalidSnapshot, false, true, 0);
	if (result != expected)
		elog(ERROR, "%s from: %s", SPI_result_code_string(result), sql);
	(void) SPI_freeplan(plan);
	return SPI_processed;
}

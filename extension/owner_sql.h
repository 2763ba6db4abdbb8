/* owner_sql.h - the extension's own SQL statements, run with the rights of the owner of its tables. */
#ifndef COLLAB_OWNER_SQL_H
#define COLLAB_OWNER_SQL_H

#include "postgres.h"

#include "executor/spi.h"

/*
 * Between begin and end SPI statements run as the owner of collab.documents, whom row-level
 * security does not filter even where it is forced: as for foreign keys, and so that a condition
 * on the user's words may use an index. The caller has made the permission check. Names in the
 * statements are qualified; search_path is pg_catalog, pg_temp. The pass (access.h) is put aside: what
 * the statements fire is somebody else's code. An error restores everything.
 *
 * AFTER triggers fire with these rights, too, also on what a foreign key cascades into: nothing that others may refer to is
 * deleted here, or changed in a column that they may refer to (document_delete.c).
 */
typedef struct OwnerSql
{
	int pass;
	Oid user;
	int security;
	int guc_level;
} OwnerSql;

extern void owner_sql_begin(OwnerSql *frame);
extern void owner_sql_end(OwnerSql *frame);

/*
 * SPI_execute_with_args for statements that must not fail: raises unless the result is `expected`
 * (SPI_OK_...). `nulls` may be NULL. Returns the number of rows. `read_only` sees what the active
 * snapshot shows, otherwise a new one is taken.
 */
extern uint64 owner_sql_execute(const char *sql, int nargs, const Oid *types, const Datum *values,
								const char *nulls, bool read_only, int expected);

/*
 * The same for who holds a lock under which everything committed counts, also what a transaction with one
 * snapshot for all (REPEATABLE READ) does not see.
 */
extern uint64 owner_sql_execute_latest(const char *sql, int nargs, const Oid *types, const Datum *values,
									   int expected);

#endif

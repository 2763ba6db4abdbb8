/* store_insert.h - rows into a table and its indexes, for the files of the store. */
#ifndef COLLAB_STORE_INSERT_H
#define COLLAB_STORE_INSERT_H

#include "executor/tuptable.h"
#include "nodes/execnodes.h"
#include "utils/relcache.h"

/*
 * Inserts into one plain table: one multi-insert, index entries, CHECK constraints, AFTER ROW
 * triggers. Other INSERT triggers are refused.
 */
extern void store_insert_rows(EState *estate, Relation rel, TupleTableSlot **slots, int count);

/*
 * After the last of them: frees the state and makes the rows visible to the commands that follow.
 */
extern void store_insert_end(EState *estate);

/*
 * The same for one row of a table that is opened here. `nulls` may be NULL: none is. Values beyond
 * the columns that the table has are left out.
 */
extern void store_insert_row(Oid table, const Datum *values, const bool *nulls);

/*
 * Raises where the table has triggers that a direct insert (or, `deleting`, a direct delete) would
 * pass over.
 */
extern void store_refuse_triggers(Relation rel, bool deleting);

#endif

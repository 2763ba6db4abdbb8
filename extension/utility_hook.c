/* utility_hook.c - commands that want our processes out of a database: DROP DATABASE and its kin, DROP EXTENSION. */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/acl.h"

#include "compat.h"
#include "slots.h"
#include "utility_hook.h"

static ProcessUtility_hook_type next_utility = NULL;

/* This transaction may have dropped or updated the extension. */
static bool check_at_commit = false;

static void
at_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT && check_at_commit)
		slots_request_check();
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		check_at_commit = false;
}

/* Name of the database that a command wants for itself, or NULL. */
static const char *
exclusive_database(Node *command)
{
	ListCell *cell;

	switch (nodeTag(command))
	{
		case T_DropdbStmt:
			return ((DropdbStmt *) command)->dbname;

		case T_RenameStmt:
			return ((RenameStmt *) command)->renameType == OBJECT_DATABASE ? ((RenameStmt *) command)->subname
																		   : NULL;

		case T_AlterDatabaseStmt:
			foreach (cell, ((AlterDatabaseStmt *) command)->options)
				if (strcmp(((DefElem *) lfirst(cell))->defname, "tablespace") == 0)
					return ((AlterDatabaseStmt *) command)->dbname;
			return NULL;

		case T_CreatedbStmt:
			foreach (cell, ((CreatedbStmt *) command)->options)
				if (strcmp(((DefElem *) lfirst(cell))->defname, "template") == 0 &&
					((DefElem *) lfirst(cell))->arg != NULL)
					return defGetString((DefElem *) lfirst(cell));
			return "template1";

		default:
			return NULL;
	}
}

/*
 * Processes are sent away only by those whom the command itself will not turn away for not being
 * the owner.
 */
static bool
may_expel(Node *command, Oid database)
{
	return IsA(command, CreatedbStmt) ? have_createdb_privilege()
									  : COLLAB_DATABASE_OWNERCHECK(database, GetUserId());
}

/* Drops the extension, or gives it other tables. */
static bool
changes_extension(Node *command)
{
	if (IsA(command, AlterExtensionStmt))
		return true;
	if (IsA(command, DropStmt))
		return ((DropStmt *) command)->removeType == OBJECT_EXTENSION ||
			   ((DropStmt *) command)->removeType == OBJECT_SCHEMA;
	return IsA(command, DropOwnedStmt);
}

static void
process_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree, ProcessUtilityContext context,
				ParamListInfo params, QueryEnvironment *environment, DestReceiver *dest,
				QueryCompletion *completion)
{
	Node	   *command = pstmt->utilityStmt;
	const char *name = exclusive_database(command);
	bool		dropping = IsA(command, DropdbStmt);
	bool		checks = changes_extension(command);
	Oid			database = name != NULL && IsTransactionState() ? get_database_oid(name, true) : InvalidOid;

	if (OidIsValid(database) && may_expel(command, database))
		slots_expel(database);

	if (next_utility)
		next_utility(pstmt, query, read_only_tree, context, params, environment, dest, completion);
	else
		standard_ProcessUtility(pstmt, query, read_only_tree, context, params, environment, dest, completion);

	/* The nodes may be gone: a command that commits by itself takes its memory with it. */
	if (dropping && OidIsValid(database))
		slots_forget(database);
	if (checks)
		check_at_commit = true;
}

void
utility_hook_init(void)
{
	next_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
	RegisterXactCallback(at_transaction_end, NULL);
}

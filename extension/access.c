/* access.c - the identity of the caller and the internal pass through row-level security. */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "access.h"
#include "guc.h"

/* How many of our entry points are at work, one inside another. */
static int	pass_depth = 0;
static bool callbacks_registered = false;

static void
clear_at_end(XactEvent event, void *arg)
{
	pass_depth = 0;
}

/*
 * An entry point that was left by an error is left with its subtransaction; one outside it has put
 * its pass aside.
 */
static void
clear_at_subabort(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		pass_depth = 0;
}

void
access_enter(void)
{
	if (!callbacks_registered)
	{
		RegisterXactCallback(clear_at_end, NULL);
		RegisterSubXactCallback(clear_at_subabort, NULL);
		callbacks_registered = true;
	}
	pass_depth++;
}

void
access_leave(void)
{
	if (pass_depth > 0)
		pass_depth--;
}

int
access_suspend(void)
{
	int suspended = pass_depth;

	pass_depth = 0;
	return suspended;
}

void
access_resume(int suspended)
{
	pass_depth = suspended;
}

const char *
access_user_id(void)
{
	if (guc_user_id != NULL && guc_user_id[0] != '\0')
		return guc_user_id;
	return GetUserNameFromId(GetUserId(), false);
}

/*
 * The flag is not shipped to parallel workers: there it is false, and the function is PARALLEL
 * RESTRICTED.
 */
PG_FUNCTION_INFO_V1(internal_pass);
Datum
internal_pass(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(pass_depth > 0);
}

PG_FUNCTION_INFO_V1(current_user_id);
Datum
current_user_id(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(access_user_id()));
}

/* subtransaction.c - work that may fail without its transaction: a subtransaction around it, always ended by who began it. */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"

#include "access.h"
#include "subtransaction.h"

void
subtransaction_begin(Subtransaction *sub)
{
	sub->context = CurrentMemoryContext;
	sub->owner = CurrentResourceOwner;
	sub->pass = access_suspend();
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(sub->context);
}

static void
resume(const Subtransaction *sub)
{
	MemoryContextSwitchTo(sub->context);
	CurrentResourceOwner = sub->owner;
	access_resume(sub->pass);
}

void
subtransaction_commit(const Subtransaction *sub)
{
	ReleaseCurrentSubTransaction();
	resume(sub);
}

ErrorData *
subtransaction_roll_back(const Subtransaction *sub)
{
	ErrorData *error;

	MemoryContextSwitchTo(sub->context);
	error = CopyErrorData();
	FlushErrorState();
	RollbackAndReleaseCurrentSubTransaction();
	resume(sub);
	return error;
}

/* subtransaction.h - work that may fail without its transaction: a subtransaction around it, always ended by who began it. */
#ifndef COLLAB_SUBTRANSACTION_H
#define COLLAB_SUBTRANSACTION_H

#include "postgres.h"

#include "utils/resowner.h"

/*
 *	subtransaction_begin(&sub);
 *	PG_TRY();
 *		... work, in the caller's memory context ...
 *		subtransaction_commit(&sub);
 *	PG_CATCH();
 *		error = subtransaction_roll_back(&sub);
 *		if (it is not one that is handled here)
 *			ReThrowError(error);
 *	PG_END_TRY();
 *
 * PG_RE_THROW() in the place of the roll-back would leave the subtransaction to whoever catches the error next, as an exception
 * block of PL/pgSQL does. He would end ours instead of his own: the session would go on inside of his, with the user, settings and
 * locks of that moment, and what it is told to be committed would not be. The pass (access.h) is put aside meanwhile.
 */
typedef struct Subtransaction
{
	MemoryContext context;
	ResourceOwner owner;
	int			  pass;
} Subtransaction;

extern void subtransaction_begin(Subtransaction *sub);
extern void subtransaction_commit(const Subtransaction *sub);

/* The error that ended it, in the memory context in which it was begun. */
extern ErrorData *subtransaction_roll_back(const Subtransaction *sub);

#endif

/* replay_plan.h - everything about a change that can fail, before anything is changed. */
#ifndef COLLAB_REPLAY_PLAN_H
#define COLLAB_REPLAY_PLAN_H

#include "optree.h"

/*
 * What becomes of a stretch of content that the change formats: one after the other, in the order
 * of the change.
 */
typedef struct PlanStep
{
	struct PlanStep *next;
	int64_t			 units;
	DeltaAttrs		 attrs;
	const DeltaOp	*embed; /* an embed change's outcome, else NULL */
} PlanStep;

typedef struct Plan
{
	PlanStep *first;
	PlanStep *last;
	int64_t	  base;	 /* units the change needs to find */
	bool	  pairs; /* it inserts surrogate pairs */
	/* what it may need of the content's store */
	size_t splits;
	size_t bytes;
	size_t far_bytes;
	size_t sets;
	size_t set_bytes;
} Plan;

/* What a plan is made for. */
typedef struct Planner
{
	const OpTree *content;
	const Delta	 *change;
	Arena		 *arena;
	bool		  is_document;
	bool		  pairs; /* the content may hold surrogate pairs */
	CollabError	 *err;
} Planner;

/*
 * COLLAB_OK: composing the change as planned cannot fail but for memory, and not for that if
 * plan_memory() bytes are reserved.
 */
CollabStatus plan_change(const Planner *planner, Plan *plan) COLLAB_MUST_CHECK;
/* The other way: the whole content composed with the change, in the arena. */
CollabStatus plan_compose(const Planner *planner, Delta *out) COLLAB_MUST_CHECK;
size_t		 plan_memory(const Plan *plan, const OpTree *content);

#endif

/* changes.c - changed documents of a transaction: noted, forgotten on rollback, handed to the ring or notified, and to the worker, at commit. */
#include "postgres.h"

#include "access/xact.h"
#include "commands/async.h"
#include "lib/stringinfo.h"
#include "utils/memutils.h"

#include "changes.h"
#include "dirty.h"
#include "ring.h"
#include "slots.h"

/*
 * A payload must be shorter than 8000 bytes. The longest entry is "
 * 0123456789abcdef:9223372036854775807".
 */
#define PAYLOAD_MAX 7900

/* Where a note of the same document is looked for before another is made. */
#define RECENT_NOTES 16

#define FIRST_CAPACITY 64

/* A transaction that changes more documents than the ring holds says "everything" instead. */
#define NOTES_MAX RING_CAPACITY

/*
 * Notes of subtransactions lie on top of those of their parents: rollback cuts off, commit gives
 * them the parent's level. All this lives in TopTransactionContext, which is still there in the
 * callbacks at commit.
 */
static Change *notes = NULL;
static int	  *levels = NULL;
static int	   nnotes = 0;
static int	   capacity = 0;
static bool	   everything = false;
static int	   slot = -1;		/* where the notes go at commit; -1: nowhere */
static bool	   to_ring = false; /* the notifier tells them; else they were notified in the transaction */

static void
forget_all(void)
{
	notes = NULL;
	levels = NULL;
	nnotes = 0;
	capacity = 0;
	everything = false;
	slot = -1;
	to_ring = false;
}

/*
 * Everything that can fail happens before the commit. After it only memory is copied: an error
 * there would be a PANIC. A prepared transaction tells nobody (NOTIFY is not allowed in it): those
 * who listen look for themselves from time to time.
 */
static void
at_transaction_end(XactEvent event, void *arg)
{
	bool something = nnotes > 0 || everything;

	/*
	 * Also where nothing is left to tell, because a subtransaction rolled back, its memory goes
	 * with the transaction.
	 */
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			if (!something)
				break;
			slot = slots_mine();
			to_ring = slot >= 0 && slots_request(slot, SLOT_NOTIFIER);
			if (!to_ring)
				changes_notify(notes, nnotes, everything);
			break;
		case XACT_EVENT_COMMIT:
			if (something && to_ring)
				ring_push(slot, notes, nnotes, everything);
			if (something && slot >= 0)
				dirty_note(slot, notes, nnotes, everything);
			forget_all();
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			forget_all();
			break;
		default:
			break;
	}
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	int level = GetCurrentTransactionNestLevel();
	int i;

	if (event == SUBXACT_EVENT_ABORT_SUB)
		while (nnotes > 0 && levels[nnotes - 1] >= level)
			nnotes--;
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
		for (i = nnotes - 1; i >= 0 && levels[i] >= level; i--)
			levels[i] = level - 1;
}

static void
reserve(void)
{
	if (nnotes < capacity)
		return;
	if (levels == NULL)
	{
		notes = MemoryContextAlloc(TopTransactionContext, FIRST_CAPACITY * sizeof(Change));
		levels = MemoryContextAlloc(TopTransactionContext, FIRST_CAPACITY * sizeof(int));
		capacity = FIRST_CAPACITY;
		return;
	}
	notes = repalloc(notes, capacity * 2 * sizeof(Change));
	levels = repalloc(levels, capacity * 2 * sizeof(int));
	capacity *= 2;
}

void
changes_note(int64 doc, int64 version)
{
	static bool registered = false;
	int			level = GetCurrentTransactionNestLevel();
	int			i;

	if (!registered)
	{
		RegisterXactCallback(at_transaction_end, NULL);
		RegisterSubXactCallback(at_subtransaction_end, NULL);
		registered = true;
	}

	for (i = nnotes - 1; i >= 0 && i >= nnotes - RECENT_NOTES && levels[i] == level; i--)
	{
		if (notes[i].doc != doc)
			continue;
		/* Dropped and made again is two things to know. */
		if (notes[i].version == CHANGES_DROPPED || version == CHANGES_DROPPED)
			break;
		notes[i].version = version;
		return;
	}

	if (nnotes >= NOTES_MAX)
	{
		everything = true;
		return;
	}
	reserve();
	notes[nnotes].doc = doc;
	notes[nnotes].version = version;
	levels[nnotes] = level;
	nnotes++;
}

/* ---- notifications ---- */

typedef struct OrderedChange
{
	Change change;
	int	   order;
} OrderedChange;

static int
compare_changes(const void *a, const void *b)
{
	const OrderedChange *x = a;
	const OrderedChange *y = b;

	if (x->change.doc != y->change.doc)
		return x->change.doc < y->change.doc ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Of every document: whether it was dropped, and the newest version that it has after that. */
static int
condense(Change *changes, int count)
{
	OrderedChange *sorted = palloc_array(OrderedChange, Max(count, 1));
	int			   kept = 0;
	int			   i;

	for (i = 0; i < count; i++)
	{
		sorted[i].change = changes[i];
		sorted[i].order = i;
	}
	qsort(sorted, count, sizeof(OrderedChange), compare_changes);

	for (i = 0; i < count; i++)
	{
		Change next = sorted[i].change;
		bool   same = kept > 0 && changes[kept - 1].doc == next.doc;

		if (same && next.version == CHANGES_DROPPED)
		{
			while (kept > 0 && changes[kept - 1].doc == next.doc)
				kept--;
			changes[kept++] = next;
		}
		else if (same && changes[kept - 1].version != CHANGES_DROPPED)
			changes[kept - 1].version = Max(changes[kept - 1].version, next.version);
		else
			changes[kept++] = next;
	}
	pfree(sorted);
	return kept;
}

void
changes_notify(Change *changes, int count, bool all)
{
	StringInfoData payload;
	int			   i;

	if (all)
	{
		Async_Notify(CHANGES_CHANNEL, "*");
		return;
	}

	count = condense(changes, count);
	initStringInfo(&payload);
	for (i = 0; i < count; i++)
	{
		appendStringInfo(&payload, "%s%016llx:%lld", payload.len > 0 ? " " : "",
						 (unsigned long long) changes[i].doc, (long long) changes[i].version);
		if (payload.len > PAYLOAD_MAX || i == count - 1)
		{
			Async_Notify(CHANGES_CHANNEL, payload.data);
			resetStringInfo(&payload);
		}
	}
	pfree(payload.data);
}

/* dirty.h - which documents of a database changed since its worker last looked: a bounded set in shared memory. */
#ifndef COLLAB_DIRTY_H
#define COLLAB_DIRTY_H

#include "postgres.h"

#include "changes.h"

/* Three quarters of them are used; what does not fit any more becomes "everything". */
#define DIRTY_BUCKETS 4096
#define DIRTY_MAX (DIRTY_BUCKETS / 4 * 3)

/* Documents with a broken snapshot. More of them are found again later. */
#define DIRTY_SUSPECTS 16

/* Adds what a transaction changed, at its commit: cannot fail, and waits for nobody. */
extern void dirty_note(int slot, const Change *changes, int count, bool everything);

/* Whoever reads met a broken snapshot of this document. */
extern void dirty_note_suspect(int64 doc);

typedef struct DirtyTaken
{
	int64 keys[DIRTY_MAX];
	int	  count;
	int64 suspects[DIRTY_SUSPECTS];
	int	  nsuspects;
	bool  everything; /* look at all documents: some that changed are not named */
} DirtyTaken;

/*
 * The worker's: empties the set of its slot. False: there was nothing; the next change wakes this
 * process.
 */
extern bool dirty_take(DirtyTaken *out);

/* How many wait, for people; -1: all of them. */
extern int dirty_count(int slot);

/* Is anything in the set? For slots.c. */
extern bool dirty_waiting(int slot);

/*
 * The worker leaves. With everything done the next one need not look at all documents, as it otherwise
 * does. With `forget`, nothing that waits here brings the next one.
 */
extern void dirty_leave(int slot, bool done, bool forget);

#endif

/* blame.h - who wrote what: for every run of a document's units, the event that inserted them. */
#ifndef COLLAB_BLAME_H
#define COLLAB_BLAME_H

#include "delta.h"

/*
 * A document without its content: runs of units, each with the stamp of the event that inserted it.
 * blame_apply(b, change, stamp) follows a change in O(|change| log runs) (amortised; typing at one
 * place is O(1)), so a whole history costs near-linear time. Memory is proportional to the runs of
 * the content that is left, not to the history: a stamp is kept once, and goes with its last run.
 *
 * Only inserting makes an author. Formatting does not, and neither does a change of an embed: it
 * stays the embed of who put it there.
 */
typedef struct Blame Blame;

/* Who and when; every applied change has a stamp of its own, whatever is in it. */
typedef struct BlameStamp
{
	int64_t version;
	int64_t author;
	int64_t at;
} BlameStamp;

typedef struct BlameRun
{
	int64_t	   units;
	BlameStamp stamp;
} BlameRun;

CollabStatus blame_create(CollabAlloc alloc, Blame **out) COLLAB_MUST_CHECK;
void		 blame_free(Blame *blame);
/*
 * COLLAB_RANGE where the change reaches past the end: then nothing was done. After COLLAB_NOMEM, or
 * an allocator that jumped out, only blame_free is left.
 */
CollabStatus blame_apply(Blame *blame, const Delta *change, const BlameStamp *stamp,
						 CollabError *err) COLLAB_MUST_CHECK;
int64_t		 blame_length(const Blame *blame); /* units: the document's length */
size_t		 blame_memory(const Blame *blame); /* bytes held */

/* Runs in the order of the content; neighbours have different stamps. Good until the next blame_apply. */
typedef struct BlameCursor
{
	const void *leaf;
	uint32_t	index;
} BlameCursor;

void blame_start(const Blame *blame, BlameCursor *cursor);
bool blame_next(BlameCursor *cursor, BlameRun *out);

/* Walks the whole structure and checks every invariant; for tests. */
bool blame_valid(const Blame *blame);

#endif

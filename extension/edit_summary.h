/* edit_summary.h - what a number of changes add up to, in numbers and in a few words. */
#ifndef COLLAB_EDIT_SUMMARY_H
#define COLLAB_EDIT_SUMMARY_H

#include "postgres.h"

#include "lib/stringinfo.h"

#include "store.h"

/*
 * Events are given newest first, as a scan downward finds them. Those that stand behind each other
 * without another's in between are composed: a letter that was typed and erased again counts nothing.
 * Memory is bounded, whatever is given.
 */
typedef struct EditSummary
{
	MemoryContext context;
	int64		  events;
	int64		  first_version; /* of the last event that was given */

	/* in UTF-16 code units; of what is composed so far */
	int64 inserted;
	int64 deleted;
	int64 formatted;
	int64 embeds; /* inserted ones, counted in `inserted` too */
	int64 changed_embeds;

	StringInfoData text; /* the oldest of what was inserted, a little more than is shown */

	/* events that are not composed yet, newest first */
	struct PendingOp *pending;
	int				  pending_count;
	int				  pending_capacity;
	size_t			  pending_bytes;
} EditSummary;

/* Everything lives in a memory context of its own. */
extern EditSummary *edit_summary_begin(void);
extern void			edit_summary_add(EditSummary *summary, const StoredEvent *event);
/* To be called before the numbers are read. */
extern void edit_summary_finish(EditSummary *summary);
/* inserted "Hello wor…", deleted 12 */
extern char *edit_summary_words(const EditSummary *summary);
extern void	 edit_summary_free(EditSummary *summary);

#endif

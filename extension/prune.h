/* prune.h - history that need not be kept any longer is deleted. */
#ifndef COLLAB_PRUNE_H
#define COLLAB_PRUNE_H

#include "postgres.h"

#include "datatype/timestamp.h"

/*
 * Deletes what is older than a time, and older than the document's retention allows now, and not needed for what
 * the document was at that time and after it, in the current transaction: events, wherever they are, and unnamed
 * snapshots. What is left begins with a pinned snapshot at documents.first_version and the event of that version.
 * Chunks and segments of the cold store go as a whole, so somewhat more may stay; the newest event always stays.
 * Returns how many versions went, 0 where there is nothing to do (or no document).
 *
 * Takes lock_derived() and then a snapshot of its own. Without `wait` a lock that somebody else holds is
 * nothing to do, too.
 */
extern int64 prune_history(int64 doc, TimestampTz before, bool wait);

#endif

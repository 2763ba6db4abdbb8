/* fold.h - older events of a document become chunks. */
#ifndef COLLAB_FOLD_H
#define COLLAB_FOLD_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* Which events may be folded: those below a version that are older than a time. */
typedef struct FoldLimit
{
	int64		below;	/* PG_INT64_MAX: any */
	TimestampTz before; /* DT_NOEND: any */
	bool		all;	/* a chunk also of few events, which would otherwise wait for more */
} FoldLimit;

/*
 * Writes one chunk of the oldest rows of a document and deletes these rows, in the current transaction;
 * returns how many, 0 where there is nothing to do (now, or no document). Never the newest event, and
 * nothing above the newest good snapshot, from which documents are loaded: so no load reads chunks.
 *
 * Takes lock_derived() and then a snapshot of its own. Without `wait` a lock that somebody else holds is
 * nothing to do, too. Writers of new events are not held up.
 */
extern int64 fold_chunk(int64 doc, const FoldLimit *limit, bool wait);

#endif

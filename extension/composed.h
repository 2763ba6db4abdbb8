/* composed.h - what happened between two versions of a document, as one change. */
#ifndef COLLAB_COMPOSED_H
#define COLLAB_COMPOSED_H

#include "utils/snapshot.h"

#include "delta.h"
#include "store.h"

/*
 * The change that makes the content at `to` of that at `from`, in either direction: the events
 * between them, composed, or what undoes that. Both versions exist; raises OT002 where they were
 * deleted. The result is in the arena.
 */
extern void composed_change(const DocumentRow *document, int64 from, int64 to, Snapshot snapshot,
							Arena *arena, Delta *out);

/*
 * The same back from the head to an earlier version, but no larger than the difference: where the
 * contents are the same it is empty.
 */
extern void composed_way_back(const DocumentRow *document, int64 head, int64 version, Snapshot snapshot,
							  Arena *arena, Delta *out);

#endif

/* applied_clocks.h - of every editor the newest edit that a document contains. */
#ifndef COLLAB_APPLIED_CLOCKS_H
#define COLLAB_APPLIED_CLOCKS_H

#include "store.h"

/*
 * A client that comes back to another history, or to one whose older part was deleted, drops the pieces
 * that the document contains already: those up to its highest clock there. The clocks of a site rise, so
 * that is its newest event among the rows of collab.events and, where it has none there, its row of
 * collab.applied_clocks, which folding and pruning keep for the events that they take away. 0: none.
 */
extern int64 applied_clocks_newest(int64 doc, int64 author, int64 site, Snapshot snapshot);

/* These events of one document leave collab.events; lock_derived() is held. */
extern void applied_clocks_keep(const StoredEvent *events, int count);

#endif

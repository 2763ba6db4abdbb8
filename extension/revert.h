/* revert.h - what takes back the events of one user, carried over what others did meanwhile. */
#ifndef COLLAB_REVERT_H
#define COLLAB_REVERT_H

#include "utils/snapshot.h"

#include "delta.h"
#include "store.h"
#include "undone.h"

/*
 * The change at the head that takes back everything that the user did from version `first` on, and
 * nothing that others did; in the arena, empty where nothing of it is left. An undo and what it undid
 * both lie in the range and cancel each other out.
 */
extern void revert_events(const DocumentRow *document, int64 first, int64 head, int64 user, Snapshot snapshot,
						  Arena *arena, Delta *out);

#endif

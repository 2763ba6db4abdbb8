/* ring.h - shared memory between committing transactions and the notifier of their database. */
#ifndef COLLAB_RING_H
#define COLLAB_RING_H

#include "postgres.h"

#include "changes.h"

/* Changes that wait for one database's notifier. It drains them every few milliseconds. */
#define RING_CAPACITY 2048

/* Called by _PG_init. Where the library is preloaded: reserves shared memory and registers the launcher. */
extern void ring_init(void);

/* ---- transactions ---- */

/* Where this database's notifier takes changes from, or -1 where none is running; then one is asked for. May raise. */
extern int	ring_slot_of_database(void);

/* Copies changes in and wakes the notifier. Cannot fail and never waits for it: what does not fit becomes "everything". */
extern void ring_push(int slot, const Change *changes, int count, bool everything);

#endif

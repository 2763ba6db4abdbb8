/* ring.h - changes on their way from committing transactions to the notifier of their database. */
#ifndef COLLAB_RING_H
#define COLLAB_RING_H

#include "postgres.h"

#include "changes.h"

/* Changes that wait for one database's notifier. It drains them every few milliseconds. */
#define RING_CAPACITY 2048

/* ---- transactions ---- */

/*
 * Copies changes into a slot (slots.h) and wakes the notifier. Cannot fail and never waits for it: what does not fit
 * becomes "everything".
 */
extern void ring_push(int slot, const Change *changes, int count, bool everything);

/* ---- the notifier ---- */

/*
 * Empties the slot of this process into `changes` (RING_CAPACITY of them). False: there was nothing; the
 * next change wakes this process.
 */
extern bool ring_drain(Change *changes, int *count, bool *everything);

/* The last drained changes were told: an exit from now on need not have them told again. */
extern void ring_drained(void);

/* For slots_on_detach(). */
extern void ring_leave(int slot, bool expelled);

#endif

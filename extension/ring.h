/* ring.h - shared memory between committing transactions, the notifier of their database, and the launcher. */
#ifndef COLLAB_RING_H
#define COLLAB_RING_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "changes.h"

/* Changes that wait for one database's notifier. It drains them every few milliseconds. */
#define RING_CAPACITY 2048

/*
 * Databases of one server that can have a notifier. In the others transactions notify by
 * themselves.
 */
#define RING_SLOTS 32

/*
 * Called by _PG_init. Where the library is preloaded: reserves shared memory and registers the
 * launcher.
 */
extern void ring_init(void);

/* ---- transactions ---- */

/*
 * Where this database's notifier takes changes from, or -1 where none is running; then one is asked
 * for. May raise.
 */
extern int ring_slot_of_database(void);

/*
 * Copies changes in and wakes the notifier. Cannot fail and never waits for it: what does not fit
 * becomes "everything".
 */
extern void ring_push(int slot, const Change *changes, int count, bool everything);

/* ---- the notifier ---- */

/*
 * Takes over a slot until this process exits. False: the slot is another database's now, or has its
 * notifier.
 */
extern bool ring_attach(int slot, Oid database);

/*
 * Empties the slot into `changes` (RING_CAPACITY of them). False: there was nothing; the next
 * change wakes this process.
 */
extern bool ring_drain(Change *changes, int *count, bool *everything);

/* The last drained changes were told: an exit from now on need not have them told again. */
extern void ring_drained(void);

/* This process leaves for want of work: the next edit may have another one at once. */
extern void ring_retire(void);

/* Somebody wants this process gone. */
extern bool ring_must_leave(void);

/* Somebody dropped something: is the extension still there? Reading it clears it. */
extern bool ring_must_check(void);

/* ---- the launcher ---- */

extern void ring_attach_launcher(void);

/* The longest that a slot is held off. */
#define RING_HOLD_OFF_MAX_MS (5 * 60 * 1000)

/*
 * A slot whose database wants a notifier and may have one now, or -1; then `wait_ms` says when to
 * look again (-1: when woken). Its notifier counts as starting until it attaches or ring_start_ended is called.
 */
extern int ring_next_wanted(Oid *database, long *wait_ms);

/* Nothing more is started for this slot for a while, unless a notifier attaches. */
extern void ring_hold_off(int slot, int milliseconds);

/* The process that was to become its notifier is no more, or was never made. */
extern void ring_start_ended(int slot);

/* How many were started since the last that attached, this one included. */
extern int ring_count_start(int slot);

/* ---- commands on databases ---- */

/* Makes a database's notifier leave, and returns when it has, or after a few seconds anyway. */
extern void ring_expel(Oid database);

/* The database is no more. */
extern void ring_forget(Oid database);

/* The notifier of this database looks whether the extension is still there. Safe at commit. */
extern void ring_request_check(void);

#endif

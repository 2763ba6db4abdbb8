/* slots.h - shared memory of each database of the server: its two processes, how they are asked for, started and sent away. */
#ifndef COLLAB_SLOTS_H
#define COLLAB_SLOTS_H

#include "postgres.h"

#include "datatype/timestamp.h"

/*
 * Databases of one server that can have a slot. In the others transactions notify by themselves, and
 * nobody writes snapshots.
 */
#define SLOTS 32

/* The processes of a database. */
typedef enum SlotProcess
{
	SLOT_NOTIFIER, /* notifier.c */
	SLOT_WORKER	   /* worker.c */
} SlotProcess;

#define SLOT_PROCESSES 2

/*
 * Called by _PG_init. Where the library is preloaded: reserves shared memory and registers the
 * launcher.
 */
extern void slots_init(void);

/* There is shared memory. */
extern bool slots_exist(void);

/* ---- transactions ---- */

/*
 * The slot of this database, or -1 where there is none left or no shared memory. May be called at
 * any time before the commit.
 */
extern int slots_mine(void);

/* Is the process there? If not, it is asked for. */
extern bool slots_request(int slot, SlotProcess process);

/* ---- the process ---- */

/*
 * Takes over a post until this process exits. False: the slot is another database's now, or somebody
 * has the post.
 */
extern bool slots_attach(int slot, SlotProcess process, Oid database);

/* Called at the exit of this process, `expelled` where somebody sent it away: keeps what it had not done for the next. */
extern void slots_on_detach(void (*leave)(int slot, bool expelled));

/* This process leaves for want of work: the next edit may have another one at once. */
extern void slots_retire(void);

/* As above, and it wants to be started again at this time, also without an edit. */
extern void slots_retire_until(TimestampTz due);

/* This process leaves, and there is nothing to do here: the slot is free, unless the other process has it. */
extern void slots_give_back(void);

/* Somebody wants this process gone. */
extern bool slots_must_leave(void);

/* Somebody dropped something: is the extension still there? Reading it clears it. */
extern bool slots_must_check(void);

/* ---- the launcher ---- */

extern void slots_attach_launcher(void);

/* The longest that a post is held off. */
#define SLOTS_HOLD_OFF_MAX_MS (5 * 60 * 1000)

/*
 * A post that wants a process and may have one now; then it counts as starting until the process attaches or
 * slots_start_ended is called. False: none; then `wait_ms` says when to look again (-1: when woken).
 */
extern bool slots_next_wanted(int *slot, SlotProcess *process, Oid *database, long *wait_ms);

/* Nothing more is started here for a while, unless a process attaches. */
extern void slots_hold_off(int slot, SlotProcess process, int milliseconds);

/* The process that was started is no more, or was never made. */
extern void slots_start_ended(int slot, SlotProcess process);

extern bool slots_is_starting(int slot, SlotProcess process);

/* How many were started since the last that attached, this one included. */
extern int slots_count_start(int slot, SlotProcess process);

/* Asks for the worker of a database, whether or not anybody edits there. -1: no slot is left. */
extern int slots_want_worker(Oid database);

/* ---- commands on databases ---- */

/* Makes a database's processes leave, and returns when they have, or after a few seconds anyway. */
extern void slots_expel(Oid database);

/* The database is no more. */
extern void slots_forget(Oid database);

/* The processes of this database look whether the extension is still there. Safe at commit. */
extern void slots_request_check(void);

#endif

/* slot_memory.h - what lies in shared memory; for slots.c, ring.c, dirty.c and worker_state.c only. */
#ifndef COLLAB_SLOT_MEMORY_H
#define COLLAB_SLOT_MEMORY_H

#include "storage/latch.h"
#include "storage/lwlock.h"

#include "dirty.h"
#include "ring.h"
#include "slots.h"
#include "worker_state.h"

/* A process that a database has or may have. */
typedef struct Post
{
	pid_t		pid; /* 0: none */
	Latch	   *latch;
	bool		wanted;		/* start one */
	bool		starting;	/* one is on its way: it may be in the database before it attaches */
	bool		leave;		/* it shall exit */
	bool		check;		/* it shall see whether the extension is still there */
	TimestampTz not_before; /* the launcher waits until then */
	TimestampTz due;		/* the launcher starts one then; 0: no */
	int			starts;		/* of processes that have not attached */
	TimestampTz attached_at;
	int			deaths; /* of processes that lived for a short time only, in a row */
} Post;

/* Changes that wait for the notifier. */
typedef struct RingQueue
{
	bool   asleep; /* the notifier found nothing and wants to be woken */
	bool   everything;
	int	   count;
	Change changes[RING_CAPACITY];
} RingQueue;

/* Documents that wait for the worker: a set with open addressing. */
typedef struct DirtySet
{
	bool  everything;
	bool  clean;  /* the last worker left nothing undone */
	bool  asleep; /* the worker found nothing and wants to be woken */
	bool  has_zero;
	int	  count;			   /* of the others */
	int64 keys[DIRTY_BUCKETS]; /* 0: empty */
	int	  nsuspects;
	int64 suspects[DIRTY_SUSPECTS];
} DirtySet;

/*
 * One database. `lock` protects everything but the dirty set, which has its own: a worker that empties it stops
 * no commit that tells the notifier. Who only looks at `database` and at a `pid` to choose a way may do so
 * without, because each way is right: what is pushed behind the back of a process that leaves waits for the next one.
 */
typedef struct Slot
{
	LWLock	   *lock;
	LWLock	   *dirty_lock;
	Oid			database; /* InvalidOid: free */
	Post		posts[SLOT_PROCESSES];
	RingQueue	ring;
	DirtySet	dirty;
	WorkerState worker;
} Slot;

typedef struct SlotMemory
{
	LWLock *lock; /* over slots being taken and given back, and `launcher` */
	Latch  *launcher;
	Slot	slots[SLOTS];
} SlotMemory;

extern SlotMemory *slot_memory; /* NULL: not preloaded */

/* The slot that this process has attached to, or -1. */
extern int slot_attached;

extern void slot_wake_launcher(void);

#endif

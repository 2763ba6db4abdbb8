/* ring.c - shared memory between committing transactions, the notifier of their database, and the launcher. */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "launcher.h"
#include "ring.h"
#include "utility_hook.h"

/*
 * How long a command on a database waits for its notifier to leave; PostgreSQL itself waits 5 s for
 * other sessions.
 */
#define EXPEL_TIMEOUT_MS 5000

#define TRANCHE "collab"

/*
 * One database. `lock` protects the changes and every flag; who only looks at `database` and
 * `notifier` to choose a way may do so without it, because each way is right: what is pushed behind
 * the back of a notifier that leaves waits for the next one.
 */
typedef struct RingSlot
{
	LWLock	   *lock;
	Oid			database;	/* InvalidOid: free */
	pid_t		notifier;	/* 0: none */
	Latch	   *latch;		/* the notifier's */
	bool		wanted;		/* start a notifier */
	bool		starting;	/* one is on its way: it may be in the database before it attaches */
	bool		asleep;		/* the notifier found nothing and wants to be woken */
	bool		leave;		/* the notifier shall exit */
	bool		check;		/* the notifier shall see whether the extension is still there */
	TimestampTz not_before; /* the launcher waits until then */
	int			starts;		/* of notifiers that have not attached */
	bool		everything;
	int			count;
	Change		changes[RING_CAPACITY];
} RingSlot;

typedef struct Ring
{
	LWLock	*lock; /* over slots being taken and given back, and `launcher` */
	Latch	*launcher;
	RingSlot slots[RING_SLOTS];
} Ring;

static Ring *ring = NULL;	   /* NULL: not preloaded */
static int	 my_slot = -1;	   /* of my database, once known */
static bool	 attached = false; /* I am the notifier of my_slot */
static bool	 draining = false; /* what was drained is not told yet */
static bool	 retired = false;  /* leaves for want of work */

static shmem_request_hook_type next_shmem_request = NULL;
static shmem_startup_hook_type next_shmem_startup = NULL;

/* ---- set-up ---- */

static void
request_memory(void)
{
	if (next_shmem_request)
		next_shmem_request();
	RequestAddinShmemSpace(MAXALIGN(sizeof(Ring)));
	RequestNamedLWLockTranche(TRANCHE, RING_SLOTS + 1);
}

static void
start_memory(void)
{
	bool found;
	int	 i;

	if (next_shmem_startup)
		next_shmem_startup();

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	ring = ShmemInitStruct("collab ring", sizeof(Ring), &found);
	if (!found)
	{
		LWLockPadded *locks = GetNamedLWLockTranche(TRANCHE);

		memset(ring, 0, sizeof(Ring));
		ring->lock = &locks[RING_SLOTS].lock;
		for (i = 0; i < RING_SLOTS; i++)
			ring->slots[i].lock = &locks[i].lock;
	}
	LWLockRelease(AddinShmemInitLock);
}

void
ring_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;

	next_shmem_request = shmem_request_hook;
	shmem_request_hook = request_memory;
	next_shmem_startup = shmem_startup_hook;
	shmem_startup_hook = start_memory;
	launcher_register();
	utility_hook_init();
}

/* ---- slots ---- */

static int
find_slot(Oid database)
{
	int i;

	for (i = 0; i < RING_SLOTS; i++)
		if (ring->slots[i].database == database)
			return i;
	return -1;
}

/* The slot of my database, taken now where there was none; -1 where all are in use. */
static int
take_slot(void)
{
	int slot;

	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	slot = find_slot(MyDatabaseId);
	if (slot < 0)
	{
		slot = find_slot(InvalidOid);
		if (slot >= 0)
		{
			RingSlot *s = &ring->slots[slot];

			s->wanted = s->starting = s->asleep = s->leave = s->check = s->everything = false;
			s->not_before = 0;
			s->starts = 0;
			s->count = 0;
			s->database = MyDatabaseId;
		}
	}
	LWLockRelease(ring->lock);
	return slot;
}

static void
wake_launcher(void)
{
	Latch *launcher = ring->launcher;

	if (launcher != NULL)
		SetLatch(launcher);
}

/* ---- transactions ---- */

int
ring_slot_of_database(void)
{
	RingSlot *slot;

	if (ring == NULL)
		return -1;
	if (my_slot < 0 || ring->slots[my_slot].database != MyDatabaseId)
		my_slot = take_slot();
	if (my_slot < 0)
		return -1;

	slot = &ring->slots[my_slot];
	if (slot->notifier != 0 && !slot->leave)
		return my_slot;

	if (!slot->wanted || slot->not_before <= GetCurrentTimestamp())
	{
		LWLockAcquire(slot->lock, LW_EXCLUSIVE);
		slot->wanted = true;
		LWLockRelease(slot->lock);
		wake_launcher();
	}
	return -1;
}

/* Runs after the commit record is on disk: nothing here may raise or allocate. */
void
ring_push(int slot_number, const Change *changes, int count, bool everything)
{
	RingSlot *slot = &ring->slots[slot_number];
	Latch	 *latch = NULL;
	bool	  orphaned;

	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	/* A notifier that gathers looks by itself when its time has come. */
	if (slot->asleep)
	{
		latch = slot->latch;
		slot->asleep = false;
	}
	if (everything || slot->everything || count > RING_CAPACITY - slot->count)
	{
		slot->everything = true;
		slot->count = 0;
	}
	else
	{
		memcpy(&slot->changes[slot->count], changes, count * sizeof(Change));
		slot->count += count;
	}
	orphaned = slot->notifier == 0;
	LWLockRelease(slot->lock);

	if (orphaned)
		wake_launcher();
	else if (latch != NULL)
		SetLatch(latch);
}

/* ---- the notifier ---- */

static void
detach(int code, Datum arg)
{
	RingSlot *slot = &ring->slots[my_slot];

	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	slot->notifier = 0;
	slot->latch = NULL;
	if (slot->leave)
	{
		/* Who asked may have been cancelled meanwhile: the wish ends with its fulfilment. */
		slot->leave = false;
		slot->wanted = false;
		slot->everything = false;
		slot->count = 0;
	}
	else
	{
		/*
		 * An error takes the process down, not what it had to tell. Not at once, lest the same
		 * error fills the log.
		 */
		if (draining)
		{
			slot->everything = true;
			slot->count = 0;
		}
		if (!retired)
			slot->not_before = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), 1000);
	}
	LWLockRelease(slot->lock);
	wake_launcher();
}

bool
ring_attach(int slot_number, Oid database)
{
	RingSlot *slot = &ring->slots[slot_number];

	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	if (slot->database == database && slot->notifier == 0 && !slot->leave)
	{
		slot->notifier = MyProcPid;
		slot->latch = MyLatch;
		slot->wanted = slot->starting = slot->asleep = false;
		slot->check = true;
		slot->not_before = 0;
		slot->starts = 0;
		my_slot = slot_number;
		attached = true;
	}
	LWLockRelease(slot->lock);

	if (attached)
		before_shmem_exit(detach, (Datum) 0);
	return attached;
}

bool
ring_drain(Change *changes, int *count, bool *everything)
{
	RingSlot *slot = &ring->slots[my_slot];

	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	*count = slot->count;
	*everything = slot->everything;
	memcpy(changes, slot->changes, slot->count * sizeof(Change));
	slot->count = 0;
	slot->everything = false;
	draining = *count > 0 || *everything;
	slot->asleep = !draining;
	LWLockRelease(slot->lock);
	return draining;
}

void
ring_drained(void)
{
	draining = false;
}

void
ring_retire(void)
{
	retired = true;
}

bool
ring_must_leave(void)
{
	return ring->slots[my_slot].leave;
}

bool
ring_must_check(void)
{
	RingSlot *slot = &ring->slots[my_slot];
	bool	  check;

	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	check = slot->check;
	slot->check = false;
	LWLockRelease(slot->lock);
	return check;
}

/* ---- the launcher ---- */

static void
detach_launcher(int code, Datum arg)
{
	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	ring->launcher = NULL;
	LWLockRelease(ring->lock);
}

void
ring_attach_launcher(void)
{
	int i;

	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	ring->launcher = MyLatch;
	LWLockRelease(ring->lock);
	/* What became of the starts of the launcher before nobody knows. */
	for (i = 0; i < RING_SLOTS; i++)
		ring_start_ended(i);
	before_shmem_exit(detach_launcher, (Datum) 0);
}

int
ring_next_wanted(Oid *database, long *wait_ms)
{
	TimestampTz now = GetCurrentTimestamp();
	int			found = -1;
	int			i;

	*wait_ms = -1;
	for (i = 0; i < RING_SLOTS && found < 0; i++)
	{
		RingSlot *slot = &ring->slots[i];

		LWLockAcquire(slot->lock, LW_EXCLUSIVE);
		if (OidIsValid(slot->database) && slot->notifier == 0 && !slot->starting && !slot->leave &&
			(slot->wanted || slot->count > 0 || slot->everything))
		{
			long wait = TimestampDifferenceMilliseconds(now, slot->not_before);

			/* Nothing is held off for so long: the clock was set back. */
			if (wait <= 0 || wait > RING_HOLD_OFF_MAX_MS)
			{
				*database = slot->database;
				slot->starting = true;
				found = i;
			}
			else if (*wait_ms < 0 || wait < *wait_ms)
				*wait_ms = wait;
		}
		LWLockRelease(slot->lock);
	}
	return found;
}

void
ring_hold_off(int slot_number, int milliseconds)
{
	RingSlot *slot = &ring->slots[slot_number];

	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	if (slot->notifier == 0)
		slot->not_before = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), milliseconds);
	LWLockRelease(slot->lock);
}

void
ring_start_ended(int slot_number)
{
	RingSlot *slot = &ring->slots[slot_number];

	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	slot->starting = false;
	/* The wish that it leave ends with it. */
	if (slot->notifier == 0)
		slot->leave = false;
	LWLockRelease(slot->lock);
}

int
ring_count_start(int slot_number)
{
	RingSlot *slot = &ring->slots[slot_number];
	int		  starts;

	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	starts = ++slot->starts;
	LWLockRelease(slot->lock);
	return starts;
}

/* ---- commands on databases ---- */

static int
slot_of(Oid database)
{
	int slot;

	if (ring == NULL || !OidIsValid(database))
		return -1;
	LWLockAcquire(ring->lock, LW_SHARED);
	slot = find_slot(database);
	LWLockRelease(ring->lock);
	return slot;
}

void
ring_expel(Oid database)
{
	int		  number = slot_of(database);
	RingSlot *slot;
	int		  waited;

	if (number < 0)
		return;
	slot = &ring->slots[number];

	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	slot->wanted = false;
	slot->leave = slot->notifier != 0 || slot->starting;
	if (slot->latch != NULL)
		SetLatch(slot->latch);
	LWLockRelease(slot->lock);

	for (waited = 0; (slot->notifier != 0 || slot->starting) && waited < EXPEL_TIMEOUT_MS; waited += 10)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 10, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}

	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	if (slot->notifier == 0 && !slot->starting)
		slot->leave = false;
	LWLockRelease(slot->lock);
}

void
ring_forget(Oid database)
{
	int slot = slot_of(database);

	if (slot < 0)
		return;
	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	if (ring->slots[slot].database == database && ring->slots[slot].notifier == 0)
		ring->slots[slot].database = InvalidOid;
	LWLockRelease(ring->lock);
}

void
ring_request_check(void)
{
	int		  number = slot_of(MyDatabaseId);
	RingSlot *slot;

	if (number < 0)
		return;
	slot = &ring->slots[number];
	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	slot->check = true;
	if (slot->latch != NULL)
		SetLatch(slot->latch);
	LWLockRelease(slot->lock);
}

/* slots.c - the slots of databases in shared memory: their processes are asked for, started and sent away. */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "guc.h"
#include "launcher.h"
#include "slot_memory.h"
#include "utility_hook.h"

/*
 * How long a command on a database waits for our processes to leave; PostgreSQL itself waits 5 s for
 * other sessions.
 */
#define EXPEL_TIMEOUT_MS 5000

/* See mourn(). */
#define SHORT_LIFE_MS 60000
#define SOON_DEATHS 10

/* After this the worker looks whether the database is still there. */
#define EXPELLED_MS 10000

#define TRANCHE "collab"

SlotMemory *slot_memory = NULL;
int			slot_attached = -1;

static int		   my_slot = -1; /* of my database, once known */
static SlotProcess my_process;	 /* while slot_attached >= 0 */
static bool		   retired = false;
static TimestampTz retired_until = 0;
static bool		   giving_back = false;
static void (*at_leave)(int slot, bool expelled) = NULL;

static shmem_request_hook_type next_shmem_request = NULL;
static shmem_startup_hook_type next_shmem_startup = NULL;

/* ---- set-up ---- */

static void
request_memory(void)
{
	if (next_shmem_request)
		next_shmem_request();
	RequestAddinShmemSpace(MAXALIGN(sizeof(SlotMemory)));
	RequestNamedLWLockTranche(TRANCHE, 2 * SLOTS + 1);
}

static void
start_memory(void)
{
	bool found;
	int	 i;

	if (next_shmem_startup)
		next_shmem_startup();

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	slot_memory = ShmemInitStruct("collab slots", sizeof(SlotMemory), &found);
	if (!found)
	{
		LWLockPadded *locks = GetNamedLWLockTranche(TRANCHE);

		memset(slot_memory, 0, sizeof(SlotMemory));
		slot_memory->lock = &locks[2 * SLOTS].lock;
		for (i = 0; i < SLOTS; i++)
		{
			slot_memory->slots[i].lock = &locks[i].lock;
			slot_memory->slots[i].dirty_lock = &locks[SLOTS + i].lock;
		}
	}
	LWLockRelease(AddinShmemInitLock);
}

void
slots_init(void)
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

bool
slots_exist(void)
{
	return slot_memory != NULL;
}

/* ---- slots ---- */

static int
find_slot(Oid database)
{
	int i;

	for (i = 0; i < SLOTS; i++)
		if (slot_memory->slots[i].database == database)
			return i;
	return -1;
}

/* The slot of a database, taken now where there was none; -1 where all are in use. */
static int
take_slot(Oid database)
{
	int slot;

	LWLockAcquire(slot_memory->lock, LW_EXCLUSIVE);
	slot = find_slot(database);
	if (slot < 0)
	{
		slot = find_slot(InvalidOid);
		if (slot >= 0)
		{
			Slot *s = &slot_memory->slots[slot];

			memset(s->posts, 0, sizeof(s->posts));
			memset(&s->worker, 0, sizeof(s->worker));
			memset(&s->dirty, 0, sizeof(s->dirty));
			s->ring.everything = s->ring.asleep = false;
			s->ring.count = 0;
			s->database = database;
		}
	}
	LWLockRelease(slot_memory->lock);
	return slot;
}

static int
slot_of(Oid database)
{
	int slot;

	if (slot_memory == NULL || !OidIsValid(database))
		return -1;
	LWLockAcquire(slot_memory->lock, LW_SHARED);
	slot = find_slot(database);
	LWLockRelease(slot_memory->lock);
	return slot;
}

void
slot_wake_launcher(void)
{
	Latch *launcher = slot_memory->launcher;

	if (launcher != NULL)
		SetLatch(launcher);
}

/* ---- transactions ---- */

int
slots_mine(void)
{
	if (slot_memory == NULL)
		return -1;
	if (my_slot < 0 || slot_memory->slots[my_slot].database != MyDatabaseId)
		my_slot = take_slot(MyDatabaseId);
	return my_slot;
}

bool
slots_request(int number, SlotProcess process)
{
	Slot *slot = &slot_memory->slots[number];
	Post *post = &slot->posts[process];

	if (post->pid != 0 && !post->leave)
		return true;

	if (!post->wanted || post->not_before <= GetCurrentTimestamp())
	{
		LWLockAcquire(slot->lock, LW_EXCLUSIVE);
		post->wanted = true;
		LWLockRelease(slot->lock);
		slot_wake_launcher();
	}
	return false;
}

/* ---- the process ---- */

static bool
is_empty(const Slot *slot)
{
	int p;

	for (p = 0; p < SLOT_PROCESSES; p++)
		if (slot->posts[p].pid != 0 || slot->posts[p].starting)
			return false;
	return true;
}

static void
give_back(Slot *slot)
{
	LWLockAcquire(slot_memory->lock, LW_EXCLUSIVE);
	if (is_empty(slot) && !slot->posts[SLOT_NOTIFIER].wanted)
		slot->database = InvalidOid;
	LWLockRelease(slot_memory->lock);
}

/*
 * For how many milliseconds nobody takes the place of a process that failed, lest the same error fills the
 * log. The first few are replaced soon: each may have failed by another document, which is then left out.
 */
static int
mourn(Post *post)
{
	if (TimestampDifferenceExceeds(post->attached_at, GetCurrentTimestamp(), SHORT_LIFE_MS))
		post->deaths = 0;
	post->deaths++;
	return post->deaths <= SOON_DEATHS ? 1000
									   : Min((post->deaths - SOON_DEATHS) * 5000, SLOTS_HOLD_OFF_MAX_MS);
}

static void
detach(int code, Datum arg)
{
	Slot *slot = &slot_memory->slots[slot_attached];
	Post *post = &slot->posts[my_process];
	bool  expelled;

	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	expelled = post->leave;
	LWLockRelease(slot->lock);
	/* Before the next one can come. */
	if (at_leave != NULL)
		at_leave(slot_attached, expelled);

	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	post->pid = 0;
	post->latch = NULL;
	post->leave = false;
	post->due = expelled ? 0 : retired_until;
	if (expelled)
	{
		/*
		 * Who asked may have been cancelled meanwhile: the wish ends with its fulfilment. The database may stay,
		 * and then somebody should come back.
		 */
		post->wanted = false;
		if (my_process == SLOT_WORKER)
			post->due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), EXPELLED_MS);
	}
	else if (!retired)
	{
		/*
		 * An error takes the process down, not what it had to do: what a worker had begun nobody would ask
		 * for again.
		 */
		post->wanted = my_process == SLOT_WORKER;
		post->not_before = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), mourn(post));
	}
	LWLockRelease(slot->lock);
	if (giving_back)
		give_back(slot);
	slot_wake_launcher();
}

bool
slots_attach(int number, SlotProcess process, Oid database)
{
	Slot *slot = &slot_memory->slots[number];
	Post *post = &slot->posts[process];

	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	if (slot->database == database && post->pid == 0 && !post->leave)
	{
		post->pid = MyProcPid;
		post->latch = MyLatch;
		post->wanted = post->starting = false;
		post->check = true;
		post->not_before = post->due = 0;
		post->starts = 0;
		post->attached_at = GetCurrentTimestamp();
		my_slot = slot_attached = number;
		my_process = process;
	}
	LWLockRelease(slot->lock);

	if (slot_attached < 0)
		return false;
	before_shmem_exit(detach, (Datum) 0);
	slot_wake_launcher();
	return true;
}

void
slots_on_detach(void (*leave)(int slot, bool expelled))
{
	at_leave = leave;
}

void
slots_retire(void)
{
	retired = true;
}

void
slots_retire_until(TimestampTz due)
{
	retired = true;
	retired_until = due;
}

void
slots_give_back(void)
{
	giving_back = true;
	retired = true;
}

bool
slots_must_leave(void)
{
	return slot_memory->slots[slot_attached].posts[my_process].leave;
}

bool
slots_must_check(void)
{
	Slot *slot = &slot_memory->slots[slot_attached];
	Post *post = &slot->posts[my_process];
	bool  check;

	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	check = post->check;
	post->check = false;
	LWLockRelease(slot->lock);
	return check;
}

/* ---- the launcher ---- */

static void
detach_launcher(int code, Datum arg)
{
	LWLockAcquire(slot_memory->lock, LW_EXCLUSIVE);
	slot_memory->launcher = NULL;
	LWLockRelease(slot_memory->lock);
}

void
slots_attach_launcher(void)
{
	int i;
	int process;

	LWLockAcquire(slot_memory->lock, LW_EXCLUSIVE);
	slot_memory->launcher = MyLatch;
	LWLockRelease(slot_memory->lock);
	/* What became of the starts of the launcher before nobody knows. */
	for (i = 0; i < SLOTS; i++)
		for (process = 0; process < SLOT_PROCESSES; process++)
			slots_start_ended(i, process);
	before_shmem_exit(detach_launcher, (Datum) 0);
}

static bool
has_work(Slot *slot, SlotProcess process, TimestampTz now)
{
	Post *post = &slot->posts[process];

	if (post->wanted || (post->due != 0 && post->due <= now))
		return true;
	return process == SLOT_NOTIFIER ? slot->ring.count > 0 || slot->ring.everything
									: dirty_waiting(slot - slot_memory->slots);
}

/* Milliseconds until a process may be started for this post; 0: now; -1: nobody is wanted. */
static long
wait_for_start(Slot *slot, SlotProcess process, TimestampTz now)
{
	Post *post = &slot->posts[process];
	long  wait;

	if (!OidIsValid(slot->database) || post->pid != 0 || post->starting || post->leave)
		return -1;
	if (process == SLOT_WORKER && !guc_worker)
		return -1;
	if (!has_work(slot, process, now))
		return post->due != 0 ? TimestampDifferenceMilliseconds(now, post->due) + 1 : -1;
	wait = TimestampDifferenceMilliseconds(now, post->not_before);
	/* Nothing is held off for longer: the clock was set back. */
	return wait <= SLOTS_HOLD_OFF_MAX_MS ? wait : 0;
}

bool
slots_next_wanted(int *number, SlotProcess *process, Oid *database, long *wait_ms)
{
	TimestampTz now = GetCurrentTimestamp();
	int			i;
	int			p;

	*wait_ms = -1;
	for (i = 0; i < SLOTS; i++)
	{
		Slot *slot = &slot_memory->slots[i];

		for (p = 0; p < SLOT_PROCESSES; p++)
		{
			long wait;

			LWLockAcquire(slot->lock, LW_EXCLUSIVE);
			wait = wait_for_start(slot, p, now);
			if (wait == 0)
			{
				slot->posts[p].starting = true;
				*database = slot->database;
			}
			LWLockRelease(slot->lock);

			if (wait == 0)
			{
				*number = i;
				*process = p;
				return true;
			}
			if (wait > 0 && (*wait_ms < 0 || wait < *wait_ms))
				*wait_ms = wait;
		}
	}
	return false;
}

void
slots_hold_off(int number, SlotProcess process, int milliseconds)
{
	Slot *slot = &slot_memory->slots[number];

	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	if (slot->posts[process].pid == 0)
		slot->posts[process].not_before = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), milliseconds);
	LWLockRelease(slot->lock);
}

void
slots_start_ended(int number, SlotProcess process)
{
	Slot *slot = &slot_memory->slots[number];
	Post *post = &slot->posts[process];

	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	post->starting = false;
	/* The wish that it leave ends with it. */
	if (post->pid == 0)
		post->leave = false;
	LWLockRelease(slot->lock);
}

bool
slots_is_starting(int number, SlotProcess process)
{
	return slot_memory->slots[number].posts[process].starting;
}

int
slots_count_start(int number, SlotProcess process)
{
	Slot *slot = &slot_memory->slots[number];
	int	  starts;

	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	starts = ++slot->posts[process].starts;
	LWLockRelease(slot->lock);
	return starts;
}

int
slots_want_worker(Oid database)
{
	int number = take_slot(database);

	if (number >= 0)
	{
		Slot *slot = &slot_memory->slots[number];

		LWLockAcquire(slot->lock, LW_EXCLUSIVE);
		slot->posts[SLOT_WORKER].wanted = true;
		/* Who asks in so many words does not want to wait for what failed before. */
		slot->posts[SLOT_WORKER].not_before = 0;
		LWLockRelease(slot->lock);
		slot_wake_launcher();
	}
	return number;
}

/* ---- commands on databases ---- */

static void
ask_to_leave(Slot *slot)
{
	int p;

	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	for (p = 0; p < SLOT_PROCESSES; p++)
	{
		Post *post = &slot->posts[p];

		post->wanted = false;
		post->due = 0;
		post->leave = post->pid != 0 || post->starting;
		if (post->latch != NULL)
			SetLatch(post->latch);
	}
	LWLockRelease(slot->lock);
}

void
slots_expel(Oid database)
{
	int	  number = slot_of(database);
	Slot *slot;
	int	  waited;
	int	  p;

	if (number < 0)
		return;
	slot = &slot_memory->slots[number];

	ask_to_leave(slot);
	for (waited = 0; !is_empty(slot) && waited < EXPEL_TIMEOUT_MS; waited += 10)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 10, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}

	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	for (p = 0; p < SLOT_PROCESSES; p++)
		if (slot->posts[p].pid == 0 && !slot->posts[p].starting)
			slot->posts[p].leave = false;
	LWLockRelease(slot->lock);
}

void
slots_forget(Oid database)
{
	int slot = slot_of(database);

	if (slot < 0)
		return;
	LWLockAcquire(slot_memory->lock, LW_EXCLUSIVE);
	if (slot_memory->slots[slot].database == database && is_empty(&slot_memory->slots[slot]))
		slot_memory->slots[slot].database = InvalidOid;
	LWLockRelease(slot_memory->lock);
}

void
slots_request_check(void)
{
	int	  number = slot_of(MyDatabaseId);
	Slot *slot;
	int	  p;

	if (number < 0)
		return;
	slot = &slot_memory->slots[number];
	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	for (p = 0; p < SLOT_PROCESSES; p++)
	{
		slot->posts[p].check = true;
		if (slot->posts[p].latch != NULL)
			SetLatch(slot->posts[p].latch);
	}
	LWLockRelease(slot->lock);
}

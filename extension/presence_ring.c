/* presence_ring.c - what proxies tell each other of their members: a ring in shared memory that keeps nothing for long. */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/condition_variable.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "presence_ring.h"

#define TRANCHE "collab_presence"

/* Databases share them: at worst somebody wakes for nothing. */
#define WAKES 64

typedef struct RingMessage
{
	Oid	   database;
	int32  bytes;
	int64  sender;
	uint64 at; /* where it begins, in bytes since the beginning of time */
} RingMessage;

/*
 * Messages are counted, and `messages` says where each of the last ones is: a number that somebody makes up finds a whole
 * message of his own database, or none. `lock` protects all of it.
 */
typedef struct PresenceRing
{
	LWLock			 *lock;
	uint64			  first; /* the oldest message that is still there */
	uint64			  next;	 /* the one that comes */
	uint64			  end;	 /* where that will begin */
	ConditionVariable wakes[WAKES];
	RingMessage		  messages[PRESENCE_RING_MESSAGES];
	char			  data[PRESENCE_RING_BYTES];
} PresenceRing;

static PresenceRing *ring = NULL;

static shmem_request_hook_type next_shmem_request = NULL;
static shmem_startup_hook_type next_shmem_startup = NULL;

/* ---- set-up ---- */

static void
request_memory(void)
{
	if (next_shmem_request)
		next_shmem_request();
	RequestAddinShmemSpace(MAXALIGN(sizeof(PresenceRing)));
	RequestNamedLWLockTranche(TRANCHE, 1);
}

static void
start_memory(void)
{
	bool found;
	int	 i;

	if (next_shmem_startup)
		next_shmem_startup();

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	ring = ShmemInitStruct("collab presence", sizeof(PresenceRing), &found);
	if (!found)
	{
		ring->lock = &GetNamedLWLockTranche(TRANCHE)->lock;
		/* Higher than any number of the server's last life: nobody sends a million messages a second. */
		ring->first = ring->next = (uint64) GetCurrentTimestamp();
		ring->end = 0;
		for (i = 0; i < WAKES; i++)
			ConditionVariableInit(&ring->wakes[i]);
	}
	LWLockRelease(AddinShmemInitLock);
}

void
presence_ring_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	next_shmem_request = shmem_request_hook;
	shmem_request_hook = request_memory;
	next_shmem_startup = shmem_startup_hook;
	shmem_startup_hook = start_memory;
}

bool
presence_ring_exists(void)
{
	return ring != NULL;
}

/* ---- messages ---- */

static RingMessage *
message_at(uint64 number)
{
	return &ring->messages[number % PRESENCE_RING_MESSAGES];
}

static ConditionVariable *
my_wake(void)
{
	return &ring->wakes[MyDatabaseId % WAKES];
}

static void
copy_in(uint64 at, const char *data, int32 bytes)
{
	uint64 offset = at % PRESENCE_RING_BYTES;
	int32  head = Min(bytes, (int32) (PRESENCE_RING_BYTES - offset));

	memcpy(ring->data + offset, data, head);
	memcpy(ring->data, data + head, bytes - head);
}

static void
copy_out(uint64 at, char *data, int32 bytes)
{
	uint64 offset = at % PRESENCE_RING_BYTES;
	int32  head = Min(bytes, (int32) (PRESENCE_RING_BYTES - offset));

	memcpy(data, ring->data + offset, head);
	memcpy(data + head, ring->data, bytes - head);
}

void
presence_ring_send(int64 sender, const char *data, int32 bytes)
{
	RingMessage *message;

	Assert(bytes <= PRESENCE_MESSAGE_MAX);
	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	while (ring->first < ring->next && (ring->next - ring->first == PRESENCE_RING_MESSAGES ||
										ring->end + bytes - message_at(ring->first)->at > PRESENCE_RING_BYTES))
		ring->first++;
	message = message_at(ring->next);
	message->database = MyDatabaseId;
	message->bytes = bytes;
	message->sender = sender;
	message->at = ring->end;
	copy_in(ring->end, data, bytes);
	ring->end += bytes;
	ring->next++;
	LWLockRelease(ring->lock);

	ConditionVariableBroadcast(my_wake());
}

/* What is there; false: nothing for this receiver. */
static bool
take(int64 receiver, int64 since, PresenceTaken *out)
{
	uint64 number = (uint64) since;
	size_t used = 0;

	out->count = 0;
	LWLockAcquire(ring->lock, LW_SHARED);
	out->overrun = since < 0 || number < ring->first || number > ring->next;
	if (out->overrun)
		number = ring->next;
	for (; number < ring->next; number++)
	{
		const RingMessage *message = message_at(number);

		if (message->database != MyDatabaseId || message->sender == receiver)
			continue;
		if (used + message->bytes > PRESENCE_RECEIVE_BYTES || out->count == PRESENCE_RECEIVE_MESSAGES)
			break;
		copy_out(message->at, out->data + used, message->bytes);
		used += message->bytes;
		out->bytes[out->count++] = message->bytes;
	}
	LWLockRelease(ring->lock);
	out->next = (int64) number;
	return out->overrun || out->count > 0;
}

void
presence_ring_receive(int64 receiver, int64 since, int32 wait_ms, PresenceTaken *out)
{
	TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), wait_ms);

	/* What comes between a look and the sleep after it ends that sleep. */
	ConditionVariablePrepareToSleep(my_wake());
	while (!take(receiver, since, out))
	{
		long left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end);

		/* Messages of others, or of the receiver, are not looked at again. */
		since = out->next;
		/* More than was asked for: the clock was set back. */
		if (left <= 0 || left > wait_ms)
			break;
		(void) ConditionVariableTimedSleep(my_wake(), left, PG_WAIT_EXTENSION);
	}
	ConditionVariableCancelSleep();
}

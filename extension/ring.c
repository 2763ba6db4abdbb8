/* ring.c - changes on their way from committing transactions to the notifier of their database. */
#include "postgres.h"

#include "slot_memory.h"

static bool draining = false; /* what was drained is not told yet */

/* Runs after the commit record is on disk: nothing here may raise or allocate. */
void
ring_push(int number, const Change *changes, int count, bool everything)
{
	Slot	  *slot = &slot_memory->slots[number];
	Post	  *post = &slot->posts[SLOT_NOTIFIER];
	RingQueue *ring = &slot->ring;
	Latch	  *latch = NULL;
	bool	   orphaned;

	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	/* A notifier that gathers looks by itself when its time has come. */
	if (ring->asleep)
	{
		latch = post->latch;
		ring->asleep = false;
	}
	if (everything || ring->everything || count > RING_CAPACITY - ring->count)
	{
		ring->everything = true;
		ring->count = 0;
	}
	else
	{
		memcpy(&ring->changes[ring->count], changes, count * sizeof(Change));
		ring->count += count;
	}
	orphaned = post->pid == 0;
	LWLockRelease(slot->lock);

	if (orphaned)
		slot_wake_launcher();
	else if (latch != NULL)
		SetLatch(latch);
}

bool
ring_drain(Change *changes, int *count, bool *everything)
{
	Slot	  *slot = &slot_memory->slots[slot_attached];
	RingQueue *ring = &slot->ring;

	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	*count = ring->count;
	*everything = ring->everything;
	memcpy(changes, ring->changes, ring->count * sizeof(Change));
	ring->count = 0;
	ring->everything = false;
	draining = *count > 0 || *everything;
	ring->asleep = !draining;
	LWLockRelease(slot->lock);
	return draining;
}

void
ring_drained(void)
{
	draining = false;
}

void
ring_leave(int number, bool expelled)
{
	Slot *slot = &slot_memory->slots[number];

	if (!expelled && !draining)
		return;
	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	slot->ring.everything = !expelled;
	slot->ring.count = 0;
	slot->ring.asleep = false;
	LWLockRelease(slot->lock);
}

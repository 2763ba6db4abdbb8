/* dirty.c - which documents of a database changed since its worker last looked: a bounded set in shared memory. */
#include "postgres.h"

#include "utils/timestamp.h"

#include "guc.h"
#include "slot_memory.h"

/* Distance from the bucket where a key belongs, beyond which the set counts as full. */
#define PROBES_MAX 64

static void
make_everything(DirtySet *set)
{
	set->everything = true;
	if (set->count > 0)
		memset(set->keys, 0, sizeof(set->keys));
	set->count = 0;
	set->has_zero = false;
}

/* Keys are hashes: any of their bits are as good as others. */
static void
add(DirtySet *set, int64 key)
{
	uint32 bucket = (uint32) key;
	int	   probe;

	if (set->everything)
		return;
	if (key == 0)
	{
		set->has_zero = true;
		return;
	}
	for (probe = 0; probe < PROBES_MAX; probe++, bucket++)
	{
		int64 *at = &set->keys[bucket % DIRTY_BUCKETS];

		if (*at == key)
			return;
		if (*at == 0)
		{
			/* One is left for the key 0. */
			if (set->count >= DIRTY_MAX - 1)
				break;
			*at = key;
			set->count++;
			return;
		}
	}
	make_everything(set);
}

static bool
is_empty(const DirtySet *set)
{
	return !set->everything && set->count == 0 && !set->has_zero && set->nsuspects == 0;
}

/*
 * Locks the set to add to it. What waits in it already has told the launcher that a worker is needed; he is
 * told again only when he may start one, which he may not for a while after one that failed.
 */
static DirtySet *
lock_set(Slot *slot, bool *tell_launcher)
{
	Post *post = &slot->posts[SLOT_WORKER];

	LWLockAcquire(slot->dirty_lock, LW_EXCLUSIVE);
	*tell_launcher = post->pid == 0 && guc_worker && !post->starting &&
					 (is_empty(&slot->dirty) || post->not_before <= GetCurrentTimestamp());
	return &slot->dirty;
}

static void
unlock_set(Slot *slot, bool tell_launcher)
{
	Latch *latch = slot->dirty.asleep ? slot->posts[SLOT_WORKER].latch : NULL;

	slot->dirty.asleep = false;
	LWLockRelease(slot->dirty_lock);
	if (tell_launcher)
		slot_wake_launcher();
	else if (latch != NULL)
		SetLatch(latch);
}

/* Runs after the commit record is on disk: nothing here may raise or allocate. */
void
dirty_note(int number, const Change *changes, int count, bool everything)
{
	Slot	 *slot = &slot_memory->slots[number];
	bool	  tell_launcher;
	DirtySet *set = lock_set(slot, &tell_launcher);
	int		  i;

	if (everything)
		make_everything(set);
	for (i = 0; i < count; i++)
		add(set, changes[i].doc);
	unlock_set(slot, tell_launcher);
}

void
dirty_note_suspect(int64 doc)
{
	int		  number = slots_mine();
	Slot	 *slot;
	DirtySet *set;
	bool	  tell_launcher;
	int		  i;

	if (number < 0)
		return;
	slot = &slot_memory->slots[number];
	set = lock_set(slot, &tell_launcher);
	for (i = 0; i < set->nsuspects; i++)
		if (set->suspects[i] == doc)
			break;
	if (i == set->nsuspects && i < DIRTY_SUSPECTS)
		set->suspects[set->nsuspects++] = doc;
	unlock_set(slot, tell_launcher);
}

bool
dirty_take(DirtyTaken *out)
{
	Slot	 *slot = &slot_memory->slots[slot_attached];
	DirtySet *set = &slot->dirty;
	bool	  found;
	int		  i;

	out->count = 0;
	LWLockAcquire(slot->dirty_lock, LW_EXCLUSIVE);
	found = !is_empty(set);
	out->everything = set->everything;
	if (set->has_zero)
		out->keys[out->count++] = 0;
	for (i = 0; set->count > 0 && i < DIRTY_BUCKETS; i++)
		if (set->keys[i] != 0)
		{
			out->keys[out->count++] = set->keys[i];
			set->keys[i] = 0;
			set->count--;
		}
	out->nsuspects = set->nsuspects;
	memcpy(out->suspects, set->suspects, set->nsuspects * sizeof(int64));
	set->nsuspects = 0;
	set->everything = set->has_zero = false;
	/* Not after a restart of the server, nor after a worker that had not finished. */
	if (!set->clean)
		out->everything = true;
	set->clean = true;
	set->asleep = !found;
	LWLockRelease(slot->dirty_lock);
	return found || out->everything;
}

int
dirty_count(int number)
{
	const DirtySet *set = &slot_memory->slots[number].dirty;

	return set->everything ? -1 : set->count + set->has_zero;
}

bool
dirty_waiting(int number)
{
	return guc_worker && !is_empty(&slot_memory->slots[number].dirty);
}

void
dirty_leave(int number, bool done, bool forget)
{
	Slot	 *slot = &slot_memory->slots[number];
	DirtySet *set = &slot->dirty;

	LWLockAcquire(slot->dirty_lock, LW_EXCLUSIVE);
	if (forget)
		memset(set, 0, sizeof(DirtySet));
	set->clean = done && !forget;
	set->asleep = false;
	LWLockRelease(slot->dirty_lock);
}

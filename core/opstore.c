/* opstore.c - reusable chunks over an arena, and the table of attribute sets. */
#include "opstore.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define SMALLEST_CHUNK 32
#define FIRST_BUCKETS 16

/* ---- chunks ---- */

static unsigned
size_class(size_t size)
{
	if (size <= SMALLEST_CHUNK)
		return 0;
	return 64 - 5 - (unsigned) __builtin_clzll((unsigned long long) size - 1);
}

void
opstore_init(OpStore *store, CollabAlloc alloc, void *buffer, size_t size)
{
	memset(store, 0, sizeof(*store));
	if (buffer != NULL)
		arena_init_buffer(&store->arena, alloc, buffer, size);
	else
		arena_init(&store->arena, alloc);
}

void
opstore_free(OpStore *store)
{
	arena_free(&store->arena);
}

void *
opstore_alloc(OpStore *store, size_t size)
{
	unsigned class = size_class(size);
	void *chunk;

	if (class >= OPSTORE_CLASSES)
		return NULL;
	chunk = store->released[class];
	if (chunk == NULL)
		return arena_alloc(&store->arena, (size_t) SMALLEST_CHUNK << class);
	memcpy(&store->released[class], chunk, sizeof(void *));
	return chunk;
}

void
opstore_release(OpStore *store, void *chunk, size_t size)
{
	unsigned class = size_class(size);

	memcpy(chunk, &store->released[class], sizeof(void *));
	store->released[class] = chunk;
}

size_t
opstore_cost(size_t size)
{
	return (size_t) SMALLEST_CHUNK << size_class(size);
}

bool
opstore_reserve(OpStore *store, size_t bytes)
{
	void *room;

	if (bytes <= (size_t) (store->arena.end - store->arena.next))
		return true;
	room = arena_alloc(&store->arena, bytes);
	if (room == NULL)
		return false;
	arena_trim(&store->arena, room, bytes, 0);
	return true;
}

size_t
opstore_intern_cost(const OpStore *store, size_t count, size_t bytes)
{
	size_t total = store->set_count + count;
	size_t cost = count * SMALLEST_CHUNK + 2 * (count * sizeof(AttrSet) + bytes);

	if (count == 0)
		return 0;
	/*
	 * the table doubles until it has at least as many buckets as sets: the last one is as large as
	 * all before it
	 */
	if (total > store->bucket_count)
		cost += 2 * sizeof(AttrSet *) * (total < FIRST_BUCKETS / 2 ? FIRST_BUCKETS : 2 * total);
	return cost;
}

/* ---- attribute sets ---- */

/* Seeded with an address, so that nobody outside can prepare maps that all fall into one bucket. */
static uint64_t
hash_attrs(const OpStore *store, DeltaAttrs attrs)
{
	return XXH64(attrs.data, attrs.bytes, (uint64_t) (uintptr_t) store);
}

static bool
grow_table(OpStore *store)
{
	uint32_t  count = store->bucket_count == 0 ? FIRST_BUCKETS : store->bucket_count * 2;
	AttrSet **buckets = opstore_alloc(store, count * sizeof(AttrSet *));
	uint32_t  i;

	if (buckets == NULL)
		return false;
	memset(buckets, 0, count * sizeof(AttrSet *));
	for (i = 0; i < store->bucket_count; i++)
	{
		AttrSet *set = store->buckets[i];

		while (set != NULL)
		{
			AttrSet	 *next = set->next;
			AttrSet **bucket = &buckets[set->hash & (count - 1)];

			set->next = *bucket;
			*bucket = set;
			set = next;
		}
	}
	if (store->buckets != NULL)
		opstore_release(store, store->buckets, store->bucket_count * sizeof(AttrSet *));
	store->buckets = buckets;
	store->bucket_count = count;
	return true;
}

bool
opstore_intern(OpStore *store, DeltaAttrs attrs, AttrSet **out)
{
	AttrSet *set;
	uint64_t hash;

	*out = NULL;
	if (attrs.bytes == 0)
		return true;
	if (store->set_count >= store->bucket_count && !grow_table(store))
		return false;
	hash = hash_attrs(store, attrs);
	for (set = store->buckets[hash & (store->bucket_count - 1)]; set != NULL; set = set->next)
	{
		if (set->hash == hash && set->bytes == attrs.bytes && memcmp(set->data, attrs.data, attrs.bytes) == 0)
			break;
	}
	if (set == NULL)
	{
		AttrSet **bucket = &store->buckets[hash & (store->bucket_count - 1)];

		set = opstore_alloc(store, sizeof(AttrSet) + attrs.bytes);
		if (set == NULL)
			return false;
		set->hash = hash;
		set->refs = 0;
		set->bytes = attrs.bytes;
		memcpy(set->data, attrs.data, attrs.bytes);
		set->next = *bucket;
		*bucket = set;
		store->set_count++;
	}
	*out = attrset_hold(set);
	return true;
}

void
opstore_drop(OpStore *store, AttrSet *set)
{
	AttrSet **link;

	if (set == NULL || --set->refs > 0)
		return;
	link = &store->buckets[set->hash & (store->bucket_count - 1)];
	while (*link != set)
		link = &(*link)->next;
	*link = set->next;
	store->set_count--;
	opstore_release(store, set, sizeof(AttrSet) + set->bytes);
}

uint64_t
opstore_holds(const OpStore *store)
{
	uint64_t holds = 0;
	uint32_t i;

	for (i = 0; i < store->bucket_count; i++)
	{
		const AttrSet *set;

		for (set = store->buckets[i]; set != NULL; set = set->next)
			holds += set->refs;
	}
	return holds;
}

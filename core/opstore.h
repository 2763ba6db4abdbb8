/* opstore.h - the memory under editable op sequences: chunks, and attribute maps kept once. */
#ifndef COLLAB_OPSTORE_H
#define COLLAB_OPSTORE_H

#include <stdbool.h>

#include "delta.h"

/*
 * One arena with free lists of power-of-two chunks. Everything goes with opstore_free, whatever
 * state the structures in it are in; that is what makes an allocator that jumps out of the middle
 * of a change harmless.
 */
#define OPSTORE_CLASSES 28 /* 32 bytes ... 4 GiB */

/*
 * An attribute map, kept once per store and counted: equal maps are equal pointers, so that merging
 * neighbours compares pointers, and heavy attributes cost their size once.
 */
typedef struct AttrSet
{
	struct AttrSet *next; /* in its bucket */
	uint64_t		hash;
	uint32_t		refs; /* items that hold it */
	uint32_t		bytes;
	uint8_t			data[];
} AttrSet;

typedef struct OpStore
{
	Arena	  arena;
	AttrSet **buckets; /* a power of two of them; NULL until the first attributes come */
	uint32_t  bucket_count;
	uint32_t  set_count;
	void	 *released[OPSTORE_CLASSES];
} OpStore;

/* `buffer` (may be NULL) is used first and outlives the store. */
void  opstore_init(OpStore *store, CollabAlloc alloc, void *buffer, size_t size);
void  opstore_free(OpStore *store);
void *opstore_alloc(OpStore *store, size_t size) COLLAB_MUST_CHECK;
void  opstore_release(OpStore *store, void *chunk, size_t size);

/*
 * After it, that many bytes can be allocated without asking the allocator. A chunk takes
 * opstore_cost(size) of them.
 */
bool   opstore_reserve(OpStore *store, size_t bytes) COLLAB_MUST_CHECK;
size_t opstore_cost(size_t size);
/* Bytes that interning `count` sets of `bytes` in all costs at most. */
size_t opstore_intern_cost(const OpStore *store, size_t count, size_t bytes);

/* The set with these attributes, held once more; NULL for none. False: out of memory. */
bool opstore_intern(OpStore *store, DeltaAttrs attrs, AttrSet **out) COLLAB_MUST_CHECK;
/* Forgets one holder; the last one frees. */
void opstore_drop(OpStore *store, AttrSet *set);

/* How many holders all sets have together; for tests. */
uint64_t opstore_holds(const OpStore *store);

static inline AttrSet *
attrset_hold(AttrSet *set)
{
	if (set != NULL)
		set->refs++;
	return set;
}

static inline DeltaAttrs
attrset_value(const AttrSet *set)
{
	DeltaAttrs attrs = {NULL, 0};

	if (set != NULL)
	{
		attrs.data = set->data;
		attrs.bytes = set->bytes;
	}
	return attrs;
}

#endif

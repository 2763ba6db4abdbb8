/* chunk_dict.c - the hash table behind a chunk's dictionaries. */
#include "chunk_dict.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define FIRST_SLOTS 64

void
dict_init(ChunkDict *dict, CollabAlloc alloc)
{
	buf_init(&dict->bytes, alloc);
	buf_init(&dict->entries, alloc);
	buf_init(&dict->slots, alloc);
	dict->count = 0;
}

void
dict_free(ChunkDict *dict)
{
	buf_free(&dict->bytes);
	buf_free(&dict->entries);
	buf_free(&dict->slots);
}

static uint32_t *
slots_of(const ChunkDict *dict)
{
	return (uint32_t *) dict->slots.data;
}

static const ChunkDictEntry *
entry_at(const ChunkDict *dict, uint32_t number)
{
	return (const ChunkDictEntry *) dict->entries.data + number;
}

/* Twice as many slots: at most half of them are in use. */
static bool
grow(ChunkDict *dict)
{
	size_t	 count = dict->slots.size == 0 ? FIRST_SLOTS : dict->slots.size / sizeof(uint32_t) * 2;
	uint32_t i;

	buf_clear(&dict->slots);
	if (buf_grow(&dict->slots, count * sizeof(uint32_t)) == NULL)
		return false;
	dict->slots.size = count * sizeof(uint32_t);
	memset(dict->slots.data, 0, dict->slots.size);
	for (i = 0; i < dict->count; i++)
	{
		size_t at = entry_at(dict, i)->hash & (count - 1);

		while (slots_of(dict)[at] != 0)
			at = (at + 1) & (count - 1);
		slots_of(dict)[at] = i + 1;
	}
	return true;
}

bool
dict_number(ChunkDict *dict, const void *data, size_t size, uint32_t *number, bool *added)
{
	uint64_t	   hash = XXH64(data, size, 0);
	ChunkDictEntry entry;
	size_t		   mask, at;

	if (dict->count * 2 >= dict->slots.size / sizeof(uint32_t) && !grow(dict))
		return false;
	mask = dict->slots.size / sizeof(uint32_t) - 1;
	for (at = hash & mask; slots_of(dict)[at] != 0; at = (at + 1) & mask)
	{
		const ChunkDictEntry *old = entry_at(dict, slots_of(dict)[at] - 1);

		if (old->hash == hash && old->size == size &&
			(size == 0 || memcmp(dict->bytes.data + old->offset, data, size) == 0))
		{
			*number = slots_of(dict)[at] - 1;
			*added = false;
			return true;
		}
	}
	entry.offset = dict->bytes.size;
	entry.hash = hash;
	entry.size = (uint32_t) size;
	buf_bytes(&dict->bytes, data, size);
	buf_bytes(&dict->entries, &entry, sizeof(entry));
	if (dict->bytes.failed || dict->entries.failed)
		return false;
	*number = dict->count++;
	*added = true;
	slots_of(dict)[at] = dict->count;
	return true;
}

/* chunk_dict.h - byte strings, each kept once and numbered: the editors, attributes and embeds of a chunk. */
#ifndef COLLAB_CHUNK_DICT_H
#define COLLAB_CHUNK_DICT_H

#include "buf.h"

typedef struct ChunkDictEntry
{
	size_t	 offset; /* into bytes */
	uint64_t hash;
	uint32_t size;
} ChunkDictEntry;

typedef struct ChunkDict
{
	Buf		 bytes;	  /* of all entries */
	Buf		 entries; /* ChunkDictEntry */
	Buf		 slots;	  /* uint32_t: 0 = free, otherwise the entry's number + 1; a power of two of them */
	uint32_t count;
} ChunkDict;

void dict_init(ChunkDict *dict, CollabAlloc alloc);
void dict_free(ChunkDict *dict);
/* The entry's number, ascending from 0 in the order of first appearance; *added: it is new. False: no memory. */
bool dict_number(ChunkDict *dict, const void *data, size_t size, uint32_t *number,
				 bool *added) COLLAB_MUST_CHECK;

#endif

/* arena.c - the bump allocator: blocks that grow geometrically, freed together. */
#include "arena.h"

#include <stdbool.h>
#include <stdlib.h>

struct ArenaBlock
{
	ArenaBlock *older;
	size_t		size; /* header included */
};

#define ALIGNMENT ((size_t) 8)
#define MIN_BLOCK ((size_t) 4096)
/* Beyond this size blocks no longer double. */
#define MAX_DOUBLED ((size_t) 4 * 1024 * 1024)

static void *
malloc_alloc(void *ctx, size_t size)
{
	(void) ctx;
	return malloc(size);
}

static void
malloc_free(void *ctx, void *ptr)
{
	(void) ctx;
	free(ptr);
}

const CollabAlloc collab_malloc_alloc = {malloc_alloc, malloc_free, NULL};

/* An 8-byte aligned start inside memory of any alignment. */
static void
use_memory(Arena *arena, char *start, char *end)
{
	uintptr_t over = (uintptr_t) start & (ALIGNMENT - 1);

	if (over != 0)
		start += ALIGNMENT - over;
	arena->next = start < end ? start : end;
	arena->end = end;
}

void
arena_init(Arena *arena, CollabAlloc alloc)
{
	arena_init_buffer(arena, alloc, NULL, 0);
}

void
arena_init_buffer(Arena *arena, CollabAlloc alloc, void *buffer, size_t size)
{
	arena->alloc = alloc;
	arena->blocks = NULL;
	arena->next = NULL;
	arena->end = NULL;
	arena->buffer = buffer;
	arena->buffer_size = size;
	arena->used = 0;
	arena->limit = 0;
	if (buffer != NULL)
		use_memory(arena, arena->buffer, arena->buffer + size);
}

/*
 * A new block with room for `size` (aligned) bytes; the unused end of the last one is lost until the
 * reset.
 */
static bool
add_block(Arena *arena, size_t size)
{
	ArenaBlock *block;
	size_t		need;
	size_t		block_size = MIN_BLOCK;

	if (size > SIZE_MAX / 2)
		return false;
	need = sizeof(ArenaBlock) + size;
	if (arena->blocks != NULL)
		block_size = arena->blocks->size < MAX_DOUBLED ? arena->blocks->size * 2 : MAX_DOUBLED;
	if (block_size < need)
		block_size = need;
	if (arena->limit != 0)
	{
		size_t left = arena->used < arena->limit ? arena->limit - arena->used : 0;

		if (need > left)
			return false;
		if (block_size > left)
			block_size = left;
	}
	block = arena->alloc.alloc(arena->alloc.ctx, block_size);
	if (block == NULL)
		return false;
	block->older = arena->blocks;
	block->size = block_size;
	arena->blocks = block;
	arena->used += block_size;
	use_memory(arena, (char *) (block + 1), (char *) block + block_size);
	return true;
}

void *
arena_alloc(Arena *arena, size_t size)
{
	size_t left = (size_t) (arena->end - arena->next);
	char  *result;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
	if (size > left || arena->next == NULL)
	{
		if (!add_block(arena, size))
			return NULL;
	}
	result = arena->next;
	arena->next += size;
	return result;
}

void *
arena_array(Arena *arena, size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / size)
		return NULL;
	return arena_alloc(arena, count * size);
}

void
arena_trim(Arena *arena, void *ptr, size_t old_size, size_t new_size)
{
	char *start = ptr;

	old_size = (old_size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
	if (start + old_size == arena->next)
		arena->next = start + ((new_size + ALIGNMENT - 1) & ~(ALIGNMENT - 1));
}

void
arena_reset(Arena *arena)
{
	ArenaBlock *block;
	ArenaBlock *keep = arena->blocks;

	if (keep == NULL)
	{
		if (arena->buffer != NULL)
			use_memory(arena, arena->buffer, arena->buffer + arena->buffer_size);
		return;
	}
	if (keep->older != NULL)
	{
		for (block = keep->older; block != NULL; block = block->older)
			if (block->size > keep->size)
				keep = block;
		for (block = arena->blocks; block != NULL;)
		{
			ArenaBlock *older = block->older;

			if (block != keep)
				arena->alloc.free(arena->alloc.ctx, block);
			block = older;
		}
		keep->older = NULL;
		arena->blocks = keep;
		arena->used = keep->size;
	}
	use_memory(arena, (char *) (keep + 1), (char *) keep + keep->size);
}

void
arena_free(Arena *arena)
{
	ArenaBlock *block = arena->blocks;

	while (block != NULL)
	{
		ArenaBlock *older = block->older;

		arena->alloc.free(arena->alloc.ctx, block);
		block = older;
	}
	arena->blocks = NULL;
	arena->used = 0;
	arena->next = NULL;
	arena->end = NULL;
	if (arena->buffer != NULL)
		use_memory(arena, arena->buffer, arena->buffer + arena->buffer_size);
}

static void *
from_arena(void *ctx, size_t size)
{
	return arena_alloc(ctx, size);
}

static void
leave_to_arena(void *ctx, void *ptr)
{
	(void) ctx;
	(void) ptr;
}

CollabAlloc
arena_as_alloc(Arena *arena)
{
	CollabAlloc alloc = {from_arena, leave_to_arena, arena};

	return alloc;
}

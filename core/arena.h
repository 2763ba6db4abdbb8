/* arena.h - caller-supplied allocation: a three-pointer allocator and the bump arena built on it. */
#ifndef COLLAB_ARENA_H
#define COLLAB_ARENA_H

#include <stddef.h>

#include "status.h"

/*
 * malloc in tests and in the proxy, palloc in the backend (where alloc longjmps instead of returning
 * NULL), an allocator that fails at the n-th call in tests. Because alloc may longjmp, core code
 * allocates first and mutates later, and owns nothing that an arena or its caller would not free.
 */
typedef struct CollabAlloc
{
	void *(*alloc)(void *ctx, size_t size);
	void (*free)(void *ctx, void *ptr);
	void *ctx;
} CollabAlloc;

extern const CollabAlloc collab_malloc_alloc;

typedef struct ArenaBlock ArenaBlock;

/* Everything the engine returns lives in an arena and dies with its reset; there are no single frees. */
typedef struct Arena
{
	CollabAlloc alloc;
	ArenaBlock *blocks; /* newest first */
	char	   *next;
	char	   *end;
	char	   *buffer; /* the caller's, NULL if none */
	size_t		buffer_size;
	size_t		used;  /* bytes obtained from alloc, blocks included */
	size_t		limit; /* refuse (NULL) beyond this many bytes; 0 = no limit */
} Arena;

void arena_init(Arena *arena, CollabAlloc alloc);
/* Uses `buffer` first, so that small work allocates nothing. The buffer outlives the arena. */
void arena_init_buffer(Arena *arena, CollabAlloc alloc, void *buffer, size_t size);
/* 8-byte aligned; NULL when the allocator fails or the limit is reached. size 0 gives a valid pointer. */
void *arena_alloc(Arena *arena, size_t size) COLLAB_MUST_CHECK;
/* count * size with overflow check. */
void *arena_array(Arena *arena, size_t count, size_t size) COLLAB_MUST_CHECK;
/* Gives back the end of an allocation if nothing was allocated since; otherwise does nothing. */
void arena_trim(Arena *arena, void *ptr, size_t old_size, size_t new_size);
/* Forgets everything, keeps the largest block for reuse. */
void arena_reset(Arena *arena);
/* Frees all blocks; the arena (and its buffer) can be used again. */
void arena_free(Arena *arena);
/* For what wants an allocator but should die with the arena: frees nothing by itself. */
CollabAlloc arena_as_alloc(Arena *arena);

#endif

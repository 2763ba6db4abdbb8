/* fuzz_chunk.c - bytes in: what opens as a chunk can be packed again, and what was packed opens as it was. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/chunk_internal.h"
#include "../core/random_events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "fuzz_chunk: %s\n", what);
	abort();
}

static void
require_same(const CollabEvent *events, uint32_t count, const Buf *chunk)
{
	ChunkReader *reader;
	CollabEvent	 event;
	uint32_t	 i;

	require(chunk_open(collab_malloc_alloc, (const uint8_t *) chunk->data, chunk->size, &reader, NULL) ==
				COLLAB_OK,
			"what was packed does not open");
	for (i = 0; chunk_next(reader, &event); i++)
		require(i < count && same_event(&event, &events[i]), "an event came out as another one");
	require(i == count, "some events are missing");
	chunk_close(reader);
}

static void
try_bytes(Arena *arena, const uint8_t *data, size_t size)
{
	CollabError	 error = {COLLAB_OK, -1, ""};
	ChunkReader *reader;
	CollabEvent *events;
	uint64_t	 raw_bytes = 0;
	uint32_t	 count, i;
	Buf			 again;

	if (chunk_open(collab_malloc_alloc, data, size, &reader, &error) != COLLAB_OK)
	{
		require(reader == NULL && error.message[0] != '\0', "refused without a reason");
		return;
	}
	count = chunk_reader_info(reader)->events;
	events = arena_array(arena, count, sizeof(CollabEvent));
	require(events != NULL, "out of memory");
	for (i = 0; chunk_next(reader, &events[i]); i++)
		raw_bytes += events[i].op_bytes;
	require(raw_bytes == chunk_reader_info(reader)->raw_bytes, "another size than it says");
	buf_init(&again, collab_malloc_alloc);
	require(chunk_encode(collab_malloc_alloc, events, count, &again, &error) == COLLAB_OK, error.message);
	require_same(events, count, &again);
	buf_free(&again);
	chunk_close(reader);
}

/* Whoever writes a chunk can also write its checksum: without that the inside would never be reached. */
static void
try_with_checksum(Arena *arena, const uint8_t *data, size_t size)
{
	uint8_t *copy = arena_alloc(arena, size);

	require(copy != NULL, "out of memory");
	memcpy(copy, data, size);
	if (size >= CHUNK_HEADER_BYTES)
	{
		memcpy(copy, "CCHK\1", 5);
		copy[5] &= CHUNK_FLAGS;
		copy[6] = copy[7] = 0;
		copy[50] = copy[51] = copy[54] = copy[55] = 0;
		put_le(copy + 8, chunk_checksum(copy, size), 8);
	}
	try_bytes(arena, copy, size);
}

/* A history made of the first bytes is packed and opened, then damaged as the others say. */
static void
try_history(Arena *arena, const uint8_t *data, size_t size)
{
	size_t		 split = size / 2;
	CollabEvent *events;
	Random		 random;
	uint32_t	 count;
	Buf			 chunk;

	random_from_bytes(&random, data, split);
	count = 1 + random_below(&random, 40);
	events = random_events(&random, arena, count, true);
	buf_init(&chunk, collab_malloc_alloc);
	require(chunk_encode(collab_malloc_alloc, events, count, &chunk, NULL) == COLLAB_OK,
			"a history cannot be packed");
	require_same(events, count, &chunk);
	random_from_bytes(&random, data + split, size - split);
	while (random.left > 0)
	{
		uint32_t at =
			CHUNK_HEADER_BYTES - 8 + random_below(&random, (uint32_t) chunk.size - CHUNK_HEADER_BYTES + 8);

		chunk.data[at] = (char) random_below(&random, 256);
	}
	try_with_checksum(arena, (const uint8_t *) chunk.data, chunk.size);
	buf_free(&chunk);
}

/* The first byte says which way. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Arena arena;

	if (size == 0)
		return 0;
	arena_init(&arena, collab_malloc_alloc);
	if (data[0] % 4 == 0)
		try_bytes(&arena, data + 1, size - 1);
	else if (data[0] % 4 == 1)
		try_with_checksum(&arena, data + 1, size - 1);
	else
		try_history(&arena, data + 1, size - 1);
	arena_free(&arena);
	return 0;
}

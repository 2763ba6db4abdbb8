/* test_chunk.c - chunks: every event comes out as it went in, and damage is seen. */
#include <inttypes.h>

#include "../../core/chunk_internal.h"
#include "edits.h"
#include "helpers.h"
#include "random_events.h"

#define CASES 300
#define FLIPS 1000

static void
pack(const CollabEvent *events, uint32_t count, Buf *out)
{
	CollabError err = {COLLAB_OK, -1, ""};

	buf_init(out, collab_malloc_alloc);
	if (chunk_encode(collab_malloc_alloc, events, count, out, &err) != COLLAB_OK)
		fail_msg("%s", err.message);
}

/* From a copy whose end the sanitizer watches, and which is gone before the events are read. */
static CollabStatus
unpack(const void *data, size_t bytes, ChunkReader **reader)
{
	CollabError	 err = {COLLAB_OK, -1, ""};
	char		*copy = exact_copy(data, bytes);
	CollabStatus status = chunk_open(collab_malloc_alloc, (const uint8_t *) copy, bytes, reader, &err);

	free(copy);
	assert_true(status == COLLAB_OK ? *reader != NULL : *reader == NULL && err.message[0] != '\0');
	assert_true(status == COLLAB_OK || err.status == status);
	return status;
}

static void
check_same(const CollabEvent *events, uint32_t count, const Buf *chunk, uint64_t seed)
{
	ChunkReader *reader;
	CollabEvent	 event;
	uint32_t	 i;

	assert_status(unpack(chunk->data, chunk->size, &reader), COLLAB_OK);
	assert_int_equal(chunk_reader_info(reader)->events, count);
	for (i = 0; chunk_next(reader, &event); i++)
		if (i >= count || !same_event(&event, &events[i]))
			fail_msg("seed %" PRIu64 ": event %u of %u came out as another one", seed, i, count);
	assert_int_equal(i, count);
	while (i-- > 0)
	{
		chunk_at(reader, i, &event);
		assert_true(same_event(&event, &events[i]));
	}
	chunk_close(reader);
}

static CollabEvent
typed(Arena *arena, int64_t version, const char *op)
{
	CollabEvent event = {.doc = 7,
						 .version = version,
						 .site = 5,
						 .clock = version,
						 .base_version = version - 1,
						 .author = 9,
						 .length = version,
						 .created_at = INT64_C(800000000000000)};
	Delta		change = delta_of(arena, op);
	Buf			buf;

	buf_init(&buf, arena_as_alloc(arena));
	delta_encode(&change, &buf);
	event.op = (const uint8_t *) buf.data;
	event.op_bytes = (uint32_t) buf.size;
	return event;
}

static void
test_any_history(void **state)
{
	uint64_t first = test_seed("chunk", 1);
	uint64_t seed;

	(void) state;
	for (seed = first; seed < first + CASES; seed++)
	{
		Random		 random;
		Arena		 arena;
		CollabEvent *events;
		uint32_t	 count;
		Buf			 chunk;

		random_seed(&random, seed);
		arena_init(&arena, collab_malloc_alloc);
		count = 1 + random_below(&random, random_chance(&random, 20) ? 2000 : 60);
		events = random_events(&random, &arena, count, seed % 2 == 0);
		pack(events, count, &chunk);
		check_same(events, count, &chunk, seed);
		buf_free(&chunk);
		arena_free(&arena);
	}
}

static void
test_info(void **state)
{
	CollabEvent events[3] = {typed(*state, 41, "[{\"insert\":\"a\"}]"),
							 typed(*state, 42, "[{\"retain\":1},{\"insert\":\"b\"}]"),
							 typed(*state, 43, "[{\"delete\":1}]")};
	ChunkInfo	info;
	Buf			chunk;

	events[2].created_at += 1234567;
	pack(events, 3, &chunk);
	assert_status(chunk_info((const uint8_t *) chunk.data, chunk.size, &info, NULL), COLLAB_OK);
	assert_int_equal(info.doc, 7);
	assert_int_equal(info.first_version, 41);
	assert_int_equal(info.last_version, 43);
	assert_int_equal(info.events, 3);
	assert_int_equal(info.created_first, events[0].created_at);
	assert_int_equal(info.created_last, events[2].created_at);
	assert_int_equal(info.raw_bytes, events[0].op_bytes + events[1].op_bytes + events[2].op_bytes);
	assert_true(info.checksum == as_signed(chunk_checksum((const uint8_t *) chunk.data, chunk.size)));
	buf_free(&chunk);
}

/* A second chunk in the same buffer stands behind the first. */
static void
test_appends(void **state)
{
	CollabEvent	 event = typed(*state, 1, "[{\"insert\":\"a\"}]");
	ChunkReader *reader;
	Buf			 chunk;
	size_t		 size;

	pack(&event, 1, &chunk);
	size = chunk.size;
	assert_status(chunk_encode(collab_malloc_alloc, &event, 1, &chunk, NULL), COLLAB_OK);
	assert_int_equal(chunk.size, 2 * size);
	assert_status(unpack(chunk.data + size, size, &reader), COLLAB_OK);
	chunk_close(reader);
	buf_free(&chunk);
}

/* Typing is what all this is for: at most the goal, with the text in it. */
static void
test_typing_is_small(void **state)
{
	Arena		*arena = *state;
	CollabEvent *events = arena_array(arena, 4096, sizeof(CollabEvent));
	Random		 random;
	Buf			 chunk;
	uint32_t	 i;

	assert_non_null(events);
	random_seed(&random, 3);
	for (i = 0; i < 4096; i++)
	{
		char op[64];

		snprintf(op, sizeof(op), "[{\"retain\":%u},{\"insert\":\"%c\"}]", i + 1,
				 (int) ('a' + random_below(&random, 16)));
		events[i] = typed(arena, i + 1, op);
	}
	pack(events, 4096, &chunk);
	/* 16 letters in any order are 4 bits each */
	assert_in_range(chunk.size, 2048, 2048 + 256);
	check_same(events, 4096, &chunk, 0);
	buf_free(&chunk);
}

static void
test_refuses(void **state)
{
	CollabEvent events[2] = {typed(*state, 1, "[{\"insert\":\"a\"}]"),
							 typed(*state, 2, "[{\"insert\":\"b\"}]")};
	CollabError err;
	Buf			out;

	buf_init(&out, collab_malloc_alloc);
	assert_status(chunk_encode(collab_malloc_alloc, events, 0, &out, &err), COLLAB_LIMIT);
	assert_status(chunk_encode(collab_malloc_alloc, events, CHUNK_MAX_EVENTS + 1, &out, &err), COLLAB_LIMIT);
	events[1].version = 3;
	assert_status(chunk_encode(collab_malloc_alloc, events, 2, &out, &err), COLLAB_INVALID);
	assert_string_equal(err.message, "version 3 follows on version 1");
	events[1].version = 2;
	events[1].doc = 8;
	assert_status(chunk_encode(collab_malloc_alloc, events, 2, &out, &err), COLLAB_INVALID);
	events[0].version = 0;
	assert_status(chunk_encode(collab_malloc_alloc, events, 1, &out, &err), COLLAB_INVALID);
	events[0].version = INT64_MAX;
	assert_status(chunk_encode(collab_malloc_alloc, events, 1, &out, &err), COLLAB_INVALID);
	events[0].version = 1;
	events[0].op_bytes = CHUNK_MAX_RAW_BYTES + 1;
	assert_status(chunk_encode(collab_malloc_alloc, events, 1, &out, &err), COLLAB_LIMIT);
	assert_int_equal(out.size, 0);
	buf_free(&out);
}

/* As many events as a chunk can hold, each of another editor. */
static void
test_full_chunk(void **state)
{
	Arena		*arena = *state;
	CollabEvent	 first = typed(arena, 1, "[{\"insert\":\"a\"}]");
	CollabEvent *events = arena_array(arena, CHUNK_MAX_EVENTS, sizeof(CollabEvent));
	Buf			 chunk;
	uint32_t	 i;

	assert_non_null(events);
	for (i = 0; i < CHUNK_MAX_EVENTS; i++)
	{
		events[i] = first;
		events[i].version = i + 1;
		events[i].site = i * INT64_C(7919);
	}
	pack(events, CHUNK_MAX_EVENTS, &chunk);
	check_same(events, CHUNK_MAX_EVENTS, &chunk, 0);
	buf_free(&chunk);
}

/* More ops than columns are for. */
static void
test_change_of_many_ops(void **state)
{
	Arena	   *arena = *state;
	CollabEvent event;
	Buf			json, chunk;
	int			i;

	buf_init(&json, arena_as_alloc(arena));
	buf_char(&json, '[');
	for (i = 0; i < CHUNK_MAX_OPS; i++)
		buf_str(&json, "{\"retain\":3},{\"insert\":\"x\"},");
	buf_str(&json, "{\"delete\":1}]");
	buf_char(&json, '\0');
	event = typed(arena, 1, json.data);
	pack(&event, 1, &chunk);
	check_same(&event, 1, &chunk, 0);
	buf_free(&chunk);
}

/* Larger than what is compressed with care. */
static void
test_large_text(void **state)
{
	Arena	   *arena = *state;
	size_t		bytes = 3 * 1024 * 1024;
	char	   *json = arena_alloc(arena, bytes + 32);
	CollabEvent event;
	Buf			chunk;

	assert_non_null(json);
	strcpy(json, "[{\"insert\":\"");
	memset(json + 12, 'x', bytes);
	strcpy(json + 12 + bytes, "\"}]");
	event = typed(arena, 1, json);
	pack(&event, 1, &chunk);
	assert_in_range(chunk.size, 1, 2000);
	check_same(&event, 1, &chunk, 0);
	buf_free(&chunk);
}

/* ---- damage ---- */

static void
some_chunk(Arena *arena, uint64_t seed, uint32_t count, Buf *chunk)
{
	Random random;

	random_seed(&random, seed);
	pack(random_events(&random, arena, count, false), count, chunk);
}

static void
test_every_flipped_bit(void **state)
{
	Random random;
	Buf	   chunk;
	int	   i;

	some_chunk(*state, 11, 500, &chunk);
	random_seed(&random, 12);
	for (i = 0; i < FLIPS; i++)
	{
		ChunkReader *reader;
		uint32_t	 bit = random_below(&random, (uint32_t) chunk.size * 8);

		chunk.data[bit / 8] = (char) (chunk.data[bit / 8] ^ 1 << bit % 8);
		if (unpack(chunk.data, chunk.size, &reader) != COLLAB_CORRUPT)
			fail_msg("bit %u is another one, and nobody noticed", bit);
		chunk.data[bit / 8] = (char) (chunk.data[bit / 8] ^ 1 << bit % 8);
	}
	buf_free(&chunk);
}

static void
test_every_length(void **state)
{
	ChunkReader *reader;
	Buf			 chunk;
	size_t		 size;

	some_chunk(*state, 13, 40, &chunk);
	for (size = 0; size < chunk.size; size++)
		assert_status(unpack(chunk.data, size, &reader), COLLAB_CORRUPT);
	buf_char(&chunk, '\0');
	assert_status(unpack(chunk.data, chunk.size, &reader), COLLAB_CORRUPT);
	buf_free(&chunk);
}

/*
 * Somebody who can compute a checksum: what he wrote is refused, or it is a chunk like others, whose
 * events can be packed again.
 */
static void
test_damage_with_a_good_checksum(void **state)
{
	uint64_t seed;

	(void) state;
	for (seed = 1; seed <= 3000; seed++)
	{
		Arena		 arena;
		Random		 random;
		Buf			 chunk;
		ChunkReader *reader;
		uint32_t	 edits;

		arena_init(&arena, collab_malloc_alloc);
		random_seed(&random, seed);
		some_chunk(&arena, seed % 50, 1 + (uint32_t) seed % 40, &chunk);
		for (edits = 1 + random_below(&random, 3); edits > 0; edits--)
		{
			uint32_t at = 24 + random_below(&random, (uint32_t) chunk.size - 24);

			chunk.data[at] = (char) random_below(&random, 256);
		}
		put_le((uint8_t *) chunk.data + 8, chunk_checksum((const uint8_t *) chunk.data, chunk.size), 8);
		if (unpack(chunk.data, chunk.size, &reader) == COLLAB_OK)
		{
			uint32_t	 count = chunk_reader_info(reader)->events;
			CollabEvent *events = arena_array(&arena, count, sizeof(CollabEvent));
			Buf			 again;
			uint32_t	 i;

			assert_non_null(events);
			for (i = 0; i < count; i++)
				assert_true(chunk_next(reader, &events[i]));
			pack(events, count, &again);
			check_same(events, count, &again, seed);
			buf_free(&again);
			chunk_close(reader);
		}
		buf_free(&chunk);
		arena_free(&arena);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_history),
		arena_test(test_info),
		arena_test(test_appends),
		arena_test(test_typing_is_small),
		arena_test(test_refuses),
		arena_test(test_full_chunk),
		arena_test(test_change_of_many_ops),
		arena_test(test_large_text),
		arena_test(test_every_flipped_bit),
		arena_test(test_every_length),
		cmocka_unit_test(test_damage_with_a_good_checksum),
	};

	return cmocka_run_group_tests_name("chunk", tests, NULL, NULL);
}

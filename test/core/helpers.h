/* helpers.h - what the engine's unit tests share: cmocka, Deltas from and to JSON, comparisons. */
#ifndef COLLAB_TEST_HELPERS_H
#define COLLAB_TEST_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/delta.h"

/* An arena per test. */
static inline int
arena_setup(void **state)
{
	Arena *arena = malloc(sizeof(Arena));

	if (arena == NULL)
		return -1;
	arena_init(arena, collab_malloc_alloc);
	*state = arena;
	return 0;
}

static inline int
arena_teardown(void **state)
{
	arena_free(*state);
	free(*state);
	return 0;
}

#define arena_test(f) cmocka_unit_test_setup_teardown(f, arena_setup, arena_teardown)

/* A copy whose end the sanitizer watches. */
static inline char *
exact_copy(const void *data, size_t bytes)
{
	char *copy = malloc(bytes > 0 ? bytes : 1);

	assert_non_null(copy);
	memcpy(copy, data, bytes);
	return copy;
}

static inline Delta
delta_of(Arena *arena, const char *json)
{
	CollabError err = {COLLAB_OK, -1, ""};
	Delta		delta = {NULL, 0};

	if (delta_parse(arena, json, strlen(json), &delta_limits_none, &delta, &err) != COLLAB_OK)
		fail_msg("%s: %s", json, err.message);
	assert_true(delta_valid(&delta));
	return delta;
}

/* The ops alone, without {"ops": ...} around them. */
static inline const char *
ops_of(Arena *arena, const Delta *delta)
{
	char *text;
	Buf	  buf;

	buf_init(&buf, collab_malloc_alloc);
	delta_print(delta, &buf);
	assert_false(buf.failed);
	text = arena_alloc(arena, buf.size);
	assert_non_null(text);
	memcpy(text, buf.data + 7, buf.size - 8);
	text[buf.size - 8] = '\0';
	buf_free(&buf);
	return text;
}

#define assert_ops(arena, delta, expected)                                                                   \
	do                                                                                                       \
	{                                                                                                        \
		assert_true(delta_valid(delta));                                                                     \
		assert_string_equal(ops_of(arena, delta), expected);                                                 \
	} while (0)

#define assert_buf(buf, expected)                                                                            \
	do                                                                                                       \
	{                                                                                                        \
		assert_false((buf)->failed);                                                                         \
		assert_int_equal((buf)->size, strlen(expected));                                                     \
		assert_memory_equal((buf)->data, expected, strlen(expected));                                        \
	} while (0)

#define assert_status(status, expected)                                                                      \
	assert_string_equal(collab_status_name(status), collab_status_name(expected))

#endif

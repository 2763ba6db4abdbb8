/* test_arena.c - the ground: arena, statuses, hashes. */
#include "helpers.h"

#include "../../core/hash.h"

/* Counts what is held and refuses beyond a number of calls. */
typedef struct Counting
{
	int	   calls;
	int	   held;
	int	   refuse_at; /* 0 = never */
	size_t largest;
} Counting;

static void *
counting_alloc(void *ctx, size_t size)
{
	Counting *counting = ctx;

	if (++counting->calls == counting->refuse_at)
		return NULL;
	counting->held++;
	if (size > counting->largest)
		counting->largest = size;
	return malloc(size);
}

static void
counting_free(void *ctx, void *ptr)
{
	((Counting *) ctx)->held--;
	free(ptr);
}

static CollabAlloc
counting_allocator(Counting *counting)
{
	CollabAlloc alloc = {counting_alloc, counting_free, counting};

	return alloc;
}

static void
test_alignment(void **state)
{
	Arena *arena = *state;
	size_t size;

	for (size = 0; size < 200; size++)
	{
		char *p = arena_alloc(arena, size);

		assert_non_null(p);
		assert_int_equal((uintptr_t) p % 8, 0);
		memset(p, 0x5A, size);
	}
}

static void
test_large_and_impossible(void **state)
{
	Arena *arena = *state;
	char  *big = arena_alloc(arena, 3000000);

	assert_non_null(big);
	memset(big, 1, 3000000);
	assert_null(arena_alloc(arena, SIZE_MAX));
	assert_null(arena_alloc(arena, SIZE_MAX - 7));
	assert_null(arena_array(arena, SIZE_MAX / 8 + 1, 8));
	assert_null(arena_array(arena, SIZE_MAX / 4, 8));
	assert_non_null(arena_array(arena, 0, 8));
	assert_non_null(arena_array(arena, 8, 0));
}

static void
test_buffer_first(void **state)
{
	Counting counting = {0, 0, 0, 0};
	char	 buffer[1000];
	Arena	 arena;
	int		 i;

	(void) state;
	arena_init_buffer(&arena, counting_allocator(&counting), buffer + 1, sizeof(buffer) - 1);
	for (i = 0; i < 10; i++)
	{
		char *p = arena_alloc(&arena, 64);

		assert_true(p >= buffer && p + 64 <= buffer + sizeof(buffer));
	}
	assert_int_equal(counting.calls, 0);
	arena_reset(&arena);
	assert_true((char *) arena_alloc(&arena, 900) < buffer + 100);
	assert_int_equal(counting.calls, 0);
	assert_non_null(arena_alloc(&arena, 200));
	assert_int_equal(counting.calls, 1);
	arena_free(&arena);
	assert_int_equal(counting.held, 0);
	assert_non_null(arena_alloc(&arena, 900)); /* usable again */
	assert_int_equal(counting.calls, 1);
}

static void
test_reset_keeps_the_largest(void **state)
{
	Counting counting = {0, 0, 0, 0};
	Arena	 arena;
	int		 i, calls;

	(void) state;
	arena_init(&arena, counting_allocator(&counting));
	assert_non_null(arena_alloc(&arena, 100000));
	for (i = 0; i < 1000; i++)
		assert_non_null(arena_alloc(&arena, 1000));
	arena_reset(&arena);
	assert_int_equal(counting.held, 1);
	assert_int_equal(arena.used, counting.largest);
	calls = counting.calls;
	for (i = 0; i < 100; i++)
		assert_non_null(arena_alloc(&arena, 1000));
	arena_reset(&arena);
	assert_int_equal(counting.calls, calls);
	arena_free(&arena);
	assert_int_equal(counting.held, 0);
}

static void
test_limit(void **state)
{
	Counting counting = {0, 0, 0, 0};
	Arena	 arena;
	size_t	 got = 0;

	(void) state;
	arena_init(&arena, counting_allocator(&counting));
	arena.limit = 100000;
	assert_null(arena_alloc(&arena, 100001));
	while (arena_alloc(&arena, 1000) != NULL)
		got += 1000;
	assert_true(arena.used <= 100000);
	assert_true(got > 90000);
	arena_free(&arena);
}

static void
test_failing_allocator(void **state)
{
	Counting counting = {0, 0, 2, 0};
	Arena	 arena;

	(void) state;
	arena_init(&arena, counting_allocator(&counting));
	assert_non_null(arena_alloc(&arena, 4000));
	assert_null(arena_alloc(&arena, 4000));
	assert_non_null(arena_alloc(&arena, 4000)); /* the arena is as it was */
	arena_free(&arena);
	assert_int_equal(counting.held, 0);
}

static void
test_trim(void **state)
{
	Arena *arena = *state;
	char  *a = arena_alloc(arena, 100);
	char  *b;

	arena_trim(arena, a, 100, 9);
	b = arena_alloc(arena, 8);
	assert_ptr_equal(b, a + 16);
	arena_trim(arena, a, 16, 0); /* no longer the last */
	assert_ptr_equal(arena_alloc(arena, 8), b + 8);
}

static void
test_as_alloc(void **state)
{
	Arena	   *arena = *state;
	CollabAlloc alloc = arena_as_alloc(arena);
	Buf			buf;
	int			i;

	buf_init(&buf, alloc);
	for (i = 0; i < 10000; i++)
		buf_char(&buf, 'x');
	assert_int_equal(buf.size, 10000);
	buf_free(&buf); /* the arena keeps it */
}

static void
test_fail_messages(void **state)
{
	CollabError err;
	char		longer[400];
	size_t		i;

	(void) state;
	assert_int_equal(collab_fail(NULL, COLLAB_RANGE, 1, "nobody reads %d", 1), COLLAB_RANGE);
	assert_int_equal(collab_fail(&err, COLLAB_LIMIT, 7, "%d of %s", 3, "these"), COLLAB_LIMIT);
	assert_int_equal(err.status, COLLAB_LIMIT);
	assert_int_equal(err.where, 7);
	assert_string_equal(err.message, "3 of these");

	/* whatever the offset, a message that is cut off ends between characters */
	for (i = 0; i < 8; i++)
	{
		size_t at = i;

		memset(longer, 'x', i);
		while (at + 4 < sizeof(longer))
		{
			memcpy(longer + at, "\xF0\x9F\x98\x80", 4);
			at += 4;
		}
		longer[at] = '\0';
		collab_fail(&err, COLLAB_INVALID, -1, "%s", longer);
		assert_true(strlen(err.message) < COLLAB_ERROR_MESSAGE_MAX);
		assert_true(strlen(err.message) > COLLAB_ERROR_MESSAGE_MAX - 6);
		assert_int_equal((strlen(err.message) - i) % 4, 0);
	}
}

static void
test_status_names(void **state)
{
	(void) state;
	assert_string_equal(collab_status_name(COLLAB_OK), "ok");
	assert_string_equal(collab_status_name(COLLAB_MISMATCH), "mismatch");
	assert_string_equal(collab_status_name((CollabStatus) 99), "unknown");
}

/* The values are in documents' rows for ever: a change here is a change of the data format. */
static void
test_hashes(void **state)
{
	(void) state;
	assert_int_equal((uint64_t) collab_doc_key("", 0),
					 UINT64_C(0xEF46DB3751D8E999)); /* of the XXH64 specification */
	assert_int_equal((uint64_t) collab_doc_key("a", 1), UINT64_C(0xD24EC4F1A98C6E5B));
	assert_int_equal((uint64_t) collab_doc_key("abc", 3), UINT64_C(0x44BC2CF5AD770999));
	assert_int_equal(collab_user_key("", 0), 0);
	assert_int_not_equal(collab_user_key("a", 1), collab_doc_key("a", 1));
	assert_int_equal(collab_event_id(1, 2, 3, 4), collab_event_id(1, 2, 3, 4));
	assert_int_not_equal(collab_event_id(1, 2, 3, 4), collab_event_id(2, 1, 3, 4));
	assert_int_not_equal(collab_event_id(1, 2, 3, 4), collab_event_id(1, 2, 3, 5));
	assert_int_not_equal(collab_event_id(0, 0, 0, 0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		arena_test(test_alignment),
		arena_test(test_large_and_impossible),
		cmocka_unit_test(test_buffer_first),
		cmocka_unit_test(test_reset_keeps_the_largest),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_failing_allocator),
		arena_test(test_trim),
		arena_test(test_as_alloc),
		cmocka_unit_test(test_fail_messages),
		cmocka_unit_test(test_status_names),
		cmocka_unit_test(test_hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_replay.c - replay against the fold of compose: small and large, and its failures. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/replay.h"
#include "edits.h"

#define SMALL_RUNS 300
#define SMALL_CHANGES 40
#define LARGE_CHANGES 1200

static uint64_t seed;

/* Everything that can be asked of a replay agrees with `expected`. */
static void
check_content(const Replay *replay, const Delta *expected, Arena *arena, const char *what, uint64_t step)
{
	Delta content;
	Buf	  one;
	Buf	  other;

	if (!replay_valid(replay))
		fail_msg("%s, step %" PRIu64 ": an invariant is broken", what, step);
	assert_int_equal(replay_delta(replay, arena, &content), COLLAB_OK);
	if (!delta_equal(&content, expected))
		fail_msg("%s, step %" PRIu64 ":\n  replay  %s\n  compose %s", what, step, show(arena, &content),
				 show(arena, expected));
	buf_init(&one, collab_malloc_alloc);
	buf_init(&other, collab_malloc_alloc);
	replay_encode(replay, &one);
	delta_encode(expected, &other);
	assert_int_equal(one.size, other.size);
	assert_memory_equal(one.data, other.data, one.size);
	buf_clear(&one);
	buf_clear(&other);
	replay_text(replay, "*", &one);
	delta_text(expected, "*", &other);
	assert_int_equal(one.size, other.size);
	if (one.size > 0)
		assert_memory_equal(one.data, other.data, one.size);
	buf_free(&one);
	buf_free(&other);
}

static Replay *
new_replay(bool is_document)
{
	Replay *replay;

	assert_int_equal(replay_create(collab_malloc_alloc, is_document, &replay), COLLAB_OK);
	return replay;
}

/* A document grows by edits of it, each checked and applied. */
static void
run_document(uint64_t run, const RandomProfile *profile, int changes, int check_every)
{
	Replay	   *replay = new_replay(true);
	CollabError error = {COLLAB_OK, -1, ""};
	Arena		arenas[2];
	Arena		scratch;
	Delta		document = {NULL, 0};
	Random		random;
	int			i;

	random_seed(&random, run);
	arena_init(&arenas[0], collab_malloc_alloc);
	arena_init(&arenas[1], collab_malloc_alloc);
	arena_init(&scratch, collab_malloc_alloc);
	for (i = 0; i < changes; i++)
	{
		Delta change = random_edit(&random, &scratch, profile, &document);
		Delta composed = must_compose(&scratch, &document, &change);

		assert_int_equal(replay_check(replay, &change, &error), COLLAB_OK);
		if (replay_apply(replay, &change, &error) != COLLAB_OK)
			fail_msg("run %" PRIu64 ", step %d: %s", run, i, error.message);
		arena_reset(&arenas[i % 2]);
		document = copy_delta(&arenas[i % 2], &composed);
		assert_int_equal(replay_length(replay), delta_length(&document));
		if (i % check_every == 0 || i == changes - 1)
			check_content(replay, &document, &scratch, "document", (uint64_t) i);
		arena_reset(&scratch);
	}
	replay_free(replay);
	arena_free(&arenas[0]);
	arena_free(&arenas[1]);
	arena_free(&scratch);
}

static void
test_small_documents(void **state)
{
	uint64_t run;

	(void) state;
	for (run = 0; run < SMALL_RUNS; run++)
		run_document(seed + run, run % 3 == 0 ? &random_plain : &random_rich, SMALL_CHANGES, 1);
}

static void
test_large_documents(void **state)
{
	(void) state;
	run_document(seed, &random_plain, LARGE_CHANGES, 10);
	run_document(seed + 1, &random_rich, LARGE_CHANGES, 10);
	run_document(seed + 2, &random_rich, LARGE_CHANGES, 10);
}

/*
 * Changes composed with changes: of a document (then they hold embed changes), or of nothing in
 * particular.
 */
static void
run_changes(uint64_t run, const RandomProfile *profile, bool loose, int changes)
{
	Replay	   *replay = new_replay(false);
	CollabError error = {COLLAB_OK, -1, ""};
	Arena		arena;
	Delta		document;
	Delta		composed = {NULL, 0};
	Random		random;
	int			i;

	random_seed(&random, run);
	arena_init(&arena, collab_malloc_alloc);
	document = random_document(&random, &arena, profile);
	for (i = 0; i < changes; i++)
	{
		Delta		 change = loose ? random_loose_change(&random, &arena, profile)
									: random_edit(&random, &arena, profile, &document);
		Delta		 next;
		CollabStatus status = delta_compose_changes(&arena, &composed, &change, &next, NULL);

		/*
		 * a refused change (a cut pair, an embed that compose takes for shorter than it is) leaves
		 * everything as it is
		 */
		assert_int_equal(replay_check(replay, &change, &error), status);
		if (replay_apply(replay, &change, &error) != status)
			fail_msg("run %" PRIu64 ", step %d: %s", run, i, error.message);
		if (status == COLLAB_OK)
			composed = next;
		if (status == COLLAB_OK && !loose)
			document = must_compose(&arena, &document, &change);
		check_content(replay, &composed, &arena, loose ? "loose changes" : "changes", (uint64_t) i);
	}
	replay_free(replay);
	arena_free(&arena);
}

static void
test_changes(void **state)
{
	uint64_t run;

	(void) state;
	for (run = 0; run < SMALL_RUNS; run++)
	{
		run_changes(seed + run, run % 3 == 0 ? &random_plain : &random_rich, false, SMALL_CHANGES / 2);
		run_changes(seed + run, run % 3 == 0 ? &random_plain : &random_rich, true, SMALL_CHANGES);
	}
	run_changes(seed, &random_plain, false, 250);
	run_changes(seed, &random_rich, false, 250);
}

/* One change that might need more memory than the content has: composed as a whole. */
static void
test_large_changes(void **state)
{
	Arena	arena;
	Random	random;
	Delta	document;
	Delta	composed = {NULL, 0};
	Replay *replay = new_replay(true);
	int		round;
	int		i;

	(void) state;
	arena_init(&arena, collab_malloc_alloc);
	random_seed(&random, seed);
	document = composed;
	for (round = 0; round < 6; round++)
	{
		Replay *change = new_replay(false);
		Delta	whole;

		for (i = 0; i < 200; i++)
		{
			Delta edit = random_edit(&random, &arena, &random_rich, &document);

			document = must_compose(&arena, &document, &edit);
			assert_int_equal(replay_apply(change, &edit, NULL), COLLAB_OK);
		}
		assert_int_equal(replay_delta(change, &arena, &whole), COLLAB_OK);
		assert_int_equal(replay_apply(replay, &whole, NULL), COLLAB_OK);
		check_content(replay, &document, &arena, "large changes", (uint64_t) round);
		replay_free(change);
	}
	replay_free(replay);
	arena_free(&arena);
}

static Delta
parse(Arena *arena, const char *json)
{
	return must_parse(arena, json, strlen(json));
}

/* One change after another; what comes out stands in the test. */
static void
test_worked_examples(void **state)
{
	static const char *const cases[][3] = {
		{"[{\"retain\":5},{\"insert\":\"x\"}]", "[{\"retain\":5},{\"delete\":1}]", "[]"},
		{"[{\"retain\":5,\"attributes\":{\"b\":1}},{\"insert\":\"x\"}]", "[{\"retain\":5},{\"delete\":1}]",
		 "[{\"retain\":5,\"attributes\":{\"b\":1}}]"},
		{"[{\"retain\":2},{\"delete\":3}]", "[{\"retain\":2},{\"insert\":\"x\"}]",
		 "[{\"retain\":2},{\"insert\":\"x\"},{\"delete\":3}]"},
		{"[{\"insert\":\"a\"},{\"retain\":1},{\"insert\":\"b\"},{\"delete\":1}]",
		 "[{\"retain\":1},{\"delete\":1}]", "[{\"insert\":\"ab\"},{\"delete\":2}]"},
		{"[{\"insert\":\"abc\"}]", "[{\"retain\":5},{\"insert\":\"Z\"},{\"delete\":2}]",
		 "[{\"insert\":\"abc\"},{\"retain\":2},{\"insert\":\"Z\"},{\"delete\":2}]"},
		{"[{\"retain\":2,\"attributes\":{\"b\":1}}]", "[{\"retain\":3,\"attributes\":{\"b\":null}}]",
		 "[{\"retain\":3,\"attributes\":{\"b\":null}}]"},
		{"[{\"insert\":\"ab\",\"attributes\":{\"b\":1}},{\"insert\":\"c\"}]",
		 "[{\"retain\":2,\"attributes\":{\"b\":null}}]", "[{\"insert\":\"abc\"}]"},
		{"[{\"delete\":2}]", "[{\"delete\":2}]", "[{\"delete\":4}]"},
		{"[{\"retain\":{\"delta\":[{\"retain\":1},{\"delete\":1}]}}]",
		 "[{\"retain\":{\"delta\":[{\"retain\":1},{\"delete\":1}]}}]",
		 "[{\"retain\":{\"delta\":[{\"retain\":1},{\"delete\":2}]}}]"},
		{"[{\"retain\":3}]", "[{\"retain\":1},{\"retain\":{\"delta\":[{\"insert\":\"x\"}]}}]",
		 "[{\"retain\":1},{\"retain\":{\"delta\":[{\"insert\":\"x\"}]}}]"},
		{"[]", "[]", "[]"},
	};
	Arena  arena;
	size_t i;

	(void) state;
	arena_init(&arena, collab_malloc_alloc);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		Replay *replay = new_replay(false);
		Delta	first = parse(&arena, cases[i][0]);
		Delta	second = parse(&arena, cases[i][1]);
		Delta	expected = parse(&arena, cases[i][2]);

		assert_int_equal(replay_apply(replay, &first, NULL), COLLAB_OK);
		assert_int_equal(replay_apply(replay, &second, NULL), COLLAB_OK);
		check_content(replay, &expected, &arena, cases[i][0], i);
		replay_free(replay);
	}
	arena_free(&arena);
}

/* Failures change nothing and say what they are. */
static void
test_refused_changes(void **state)
{
	static const struct
	{
		const char	*change;
		CollabStatus status;
	} cases[] = {
		{"[{\"retain\":9},{\"insert\":\"x\"}]", COLLAB_RANGE},
		{"[{\"insert\":\"x\"},{\"delete\":9}]", COLLAB_RANGE},
		{"[{\"retain\":9,\"attributes\":{\"b\":1}}]", COLLAB_RANGE},
		{"[{\"retain\":2},{\"insert\":\"x\"}]", COLLAB_SURROGATE},
		{"[{\"insert\":\"x\"},{\"delete\":2}]", COLLAB_SURROGATE},
		{"[{\"insert\":\"x\"},{\"retain\":2},{\"delete\":2}]", COLLAB_SURROGATE},
		{"[{\"retain\":2,\"attributes\":{\"b\":1}}]", COLLAB_SURROGATE},
		{"[{\"delete\":1},{\"retain\":{\"delta\":[{\"insert\":\"x\"}]}}]", COLLAB_MISMATCH},
		{"[{\"delete\":4},{\"retain\":{\"delta\":[{\"insert\":\"x\"}]}}]", COLLAB_MISMATCH},
		{"[{\"insert\":\"x\"},{\"retain\":5},{\"retain\":{\"delta\":[{\"delete\":5}]}}]", COLLAB_RANGE},
		{"[{\"insert\":\"x\"},{\"retain\":3},{\"delete\":4}]", COLLAB_OK},
	};
	Replay	   *replay = new_replay(true);
	CollabError error;
	Arena		arena;
	Delta		document;
	size_t		i;

	(void) state;
	arena_init(&arena, collab_malloc_alloc);
	document = parse(
		&arena,
		"[{\"insert\":\"a\xf0\x9f\x98\x80z\"},{\"insert\":{\"image\":1}},{\"insert\":{\"delta\":[{\"insert\":\"in\"}]}},{\"insert\":\"!\\n\"}]");
	assert_int_equal(replay_apply(replay, &document, NULL), COLLAB_OK);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		Delta		 change = parse(&arena, cases[i].change);
		CollabStatus checked = replay_check(replay, &change, &error);

		if (checked != cases[i].status)
			fail_msg("%s: %s", cases[i].change, collab_status_name(checked));
		check_content(replay, &document, &arena, cases[i].change, 0);
		assert_int_equal(replay_apply(replay, &change, &error), cases[i].status);
		if (checked != COLLAB_OK)
		{
			assert_int_equal(error.status, cases[i].status);
			assert_true(strlen(error.message) > 0);
			check_content(replay, &document, &arena, cases[i].change, 0);
		}
	}
	replay_free(replay);
	arena_free(&arena);
}

/* Retains may be as long as JavaScript can count, and not longer. */
static void
test_huge_counts(void **state)
{
	Replay	   *replay = new_replay(false);
	Arena		arena;
	Delta		first;
	Delta		second;
	Delta		content;
	CollabError error;

	(void) state;
	arena_init(&arena, collab_malloc_alloc);
	first = parse(&arena, "[{\"retain\":9007199254740989},{\"insert\":\"ab\"}]");
	second = parse(&arena, "[{\"insert\":\"x\"}]");
	assert_int_equal(replay_apply(replay, &first, NULL), COLLAB_OK);
	assert_int_equal(replay_check(replay, &second, &error), COLLAB_LIMIT);
	assert_int_equal(replay_apply(replay, &second, &error), COLLAB_LIMIT);
	second = parse(&arena, "[{\"delete\":9007199254740989},{\"insert\":\"\xc3\xa4\"}]");
	assert_int_equal(replay_apply(replay, &second, &error), COLLAB_LIMIT);
	second = parse(&arena, "[{\"delete\":9007199254740991}]");
	assert_int_equal(replay_apply(replay, &second, &error), COLLAB_OK);
	assert_true(replay_valid(replay));
	assert_int_equal(replay_delta(replay, &arena, &content), COLLAB_OK);
	assert_string_equal(show(&arena, &content), "{\"ops\":[{\"delete\":9007199254740989}]}");
	replay_free(replay);
	arena_free(&arena);
}

/*
 * Memory follows the content: typing and deleting for ever needs no more than the most that there
 * was.
 */
static void
test_memory(void **state)
{
	Replay *replay = new_replay(true);
	Arena	arena;
	size_t	after_first = 0;
	int		round;
	int		i;

	(void) state;
	arena_init(&arena, collab_malloc_alloc);
	for (round = 0; round < 20; round++)
	{
		char	text[] = "0123456789";
		DeltaOp ops[2] = {{.kind = DELTA_INSERT, .ascii = 1, .bytes = 10, .units = 10, .data = text}};
		Delta	change = {ops, 1};

		for (i = 0; i < 5000; i++)
		{
			static const uint8_t bold[] = {4, 'b', 'o', 'l', 'd', 4, 't', 'r', 'u', 'e'};

			ops[0].attrs.data = bold;
			ops[0].attrs.bytes = i % 7 == 0 ? sizeof(bold) : 0;
			assert_int_equal(replay_apply(replay, &change, NULL), COLLAB_OK);
		}
		assert_int_equal(replay_length(replay), 50000);
		memset(ops, 0, sizeof(ops));
		ops[0].kind = DELTA_RETAIN;
		ops[0].units = 25000;
		ops[1].kind = DELTA_DELETE;
		change.count = 2;
		for (i = 0; i < 250; i++)
		{
			ops[1].units = 100;
			assert_int_equal(replay_apply(replay, &change, NULL), COLLAB_OK);
		}
		assert_int_equal(replay_length(replay), 25000);
		ops[0].kind = DELTA_DELETE;
		change.count = 1;
		assert_int_equal(replay_apply(replay, &change, NULL), COLLAB_OK);
		assert_int_equal(replay_length(replay), 0);
		assert_true(replay_valid(replay));
		if (round == 0)
			after_first = replay_memory(replay);
	}
	assert_in_range(replay_memory(replay), 1, 2 * after_first);
	replay_free(replay);
	arena_free(&arena);
}

/* Memory that ends at a given call. */
typedef struct Failing
{
	int calls_left;
	int blocks;
} Failing;

static void *
failing_alloc(void *ctx, size_t size)
{
	Failing *failing = ctx;

	if (failing->calls_left == 0)
		return NULL;
	failing->calls_left--;
	failing->blocks++;
	return malloc(size);
}

static void
failing_free(void *ctx, void *ptr)
{
	Failing *failing = ctx;

	failing->blocks -= ptr != NULL;
	free(ptr);
}

/*
 * Whatever the content looks like and whatever the change needs: either all of it is done, or
 * nothing is changed.
 */
static void
test_no_memory(void **state)
{
	Failing		failing = {1000000, 0};
	CollabAlloc alloc = {failing_alloc, failing_free, &failing};
	Arena		arena;
	Random		random;
	Delta		document = {NULL, 0};
	Replay	   *replay;
	int			refused = 0;
	int			i;

	(void) state;
	arena_init(&arena, collab_malloc_alloc);
	random_seed(&random, seed);
	assert_int_equal(replay_create(alloc, true, &replay), COLLAB_OK);
	for (i = 0; i < 1500; i++)
	{
		Delta change = random_edit(&random, &arena, &random_rich, &document);
		int	  calls;

		for (calls = 0;; calls++)
		{
			CollabStatus status;

			failing.calls_left = calls;
			status = replay_apply(replay, &change, NULL);
			failing.calls_left = 1000000;
			if (status == COLLAB_OK)
				break;
			refused++;
			assert_int_equal(status, COLLAB_NOMEM);
			assert_true(replay_valid(replay));
			assert_int_equal(replay_length(replay), delta_length(&document));
			if (i % 10 == 0)
				check_content(replay, &document, &arena, "no memory", (uint64_t) i);
		}
		document = must_compose(&arena, &document, &change);
		if (i % 10 == 0)
			check_content(replay, &document, &arena, "memory again", (uint64_t) i);
	}
	assert_true(refused > 0);
	replay_free(replay);
	assert_int_equal(failing.blocks, 0);
	arena_free(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_worked_examples), cmocka_unit_test(test_small_documents),
		cmocka_unit_test(test_large_documents), cmocka_unit_test(test_changes),
		cmocka_unit_test(test_large_changes),	cmocka_unit_test(test_refused_changes),
		cmocka_unit_test(test_huge_counts),		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_no_memory),
	};

	seed = test_seed("replay", 4242);
	return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}

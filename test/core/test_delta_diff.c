/* test_delta_diff.c - diff: its law on everything, small where it should be, its cost where it cannot be. */
#include "helpers.h"

#include <time.h>

#include "../../core/delta_script.h"
#include "random_delta.h"

static Delta
diff_of(Arena *arena, const Delta *a, const Delta *b)
{
	CollabError err = {COLLAB_OK, -1, ""};
	Delta		diff = {NULL, 0}, result;

	if (delta_diff(arena, a, b, &diff, &err) != COLLAB_OK)
		fail_msg("%s to %s: %s", ops_of(arena, a), ops_of(arena, b), err.message);
	assert_true(delta_valid(&diff));
	assert_status(delta_compose(arena, a, &diff, &result, &err), COLLAB_OK);
	if (!delta_equal(&result, b))
		fail_msg("%s with %s gives %s, not %s", ops_of(arena, a), ops_of(arena, &diff),
				 ops_of(arena, &result), ops_of(arena, b));
	return diff;
}

static void
assert_diff(Arena *arena, const char *a, const char *b, const char *expected)
{
	Delta x = delta_of(arena, a), y = delta_of(arena, b);
	Delta diff = diff_of(arena, &x, &y);

	assert_ops(arena, &diff, expected);
}

static void
test_small(void **state)
{
	Arena *arena = *state;

	assert_diff(arena, "[]", "[]", "[]");
	assert_diff(arena, "[{\"insert\":\"A\"}]", "[{\"insert\":\"A\"}]", "[]");
	assert_diff(arena, "[]", "[{\"insert\":\"A\"}]", "[{\"insert\":\"A\"}]");
	assert_diff(arena, "[{\"insert\":\"A\"}]", "[]", "[{\"delete\":1}]");
	assert_diff(arena, "[{\"insert\":\"A\"}]", "[{\"insert\":\"AB\"}]", "[{\"retain\":1},{\"insert\":\"B\"}]");
	assert_diff(arena, "[{\"insert\":\"AB\"}]", "[{\"insert\":\"A\"}]", "[{\"retain\":1},{\"delete\":1}]");
	assert_diff(arena, "[{\"insert\":\"A\"}]", "[{\"insert\":\"A\",\"attributes\":{\"b\":1}}]",
				"[{\"retain\":1,\"attributes\":{\"b\":1}}]");
	assert_diff(arena, "[{\"insert\":\"A\",\"attributes\":{\"b\":1}}]", "[{\"insert\":\"A\"}]",
				"[{\"retain\":1,\"attributes\":{\"b\":null}}]");
	assert_diff(arena, "[{\"insert\":{\"e\":1}}]", "[{\"insert\":{\"e\":1}}]", "[]");
	assert_diff(arena, "[{\"insert\":{\"e\":1}}]", "[{\"insert\":{\"e\":2}}]",
				"[{\"insert\":{\"e\":2}},{\"delete\":1}]");
	assert_diff(arena, "[{\"insert\":\"the quick fox\"}]", "[{\"insert\":\"the slow fox!\"}]",
				"[{\"retain\":4},{\"insert\":\"slow\"},{\"delete\":5},{\"retain\":4},{\"insert\":\"!\"}]");
	assert_diff(arena, "[{\"insert\":\"ab\"}]", "[{\"insert\":\"aab\"}]",
				"[{\"retain\":1},{\"insert\":\"a\"}]"); /* the ends overlap */
	assert_diff(arena, "[{\"insert\":\"aaa\"}]", "[{\"insert\":\"a\"}]", "[{\"retain\":1},{\"delete\":2}]");
	/* only an insert can bring a null attribute */
	assert_diff(arena, "[{\"insert\":\"abc\"}]",
				"[{\"insert\":\"a\"},{\"insert\":\"b\",\"attributes\":{\"k\":null}},{\"insert\":\"c\"}]",
				"[{\"retain\":1},{\"insert\":\"b\",\"attributes\":{\"k\":null}},{\"delete\":1}]");
}

/* Characters that share bytes or halves must not be cut. */
static void
test_characters(void **state)
{
	Arena *arena = *state;

	assert_diff(arena, "[{\"insert\":\"\xf0\x9f\x98\x80\"}]", "[{\"insert\":\"\xf0\x9f\x98\x81\"}]",
				"[{\"insert\":\"\xf0\x9f\x98\x81\"},{\"delete\":2}]");
	assert_diff(arena, "[{\"insert\":\"x\xf0\x9f\x98\x80y\"}]", "[{\"insert\":\"x\xf0\x9f\x99\x80y\"}]",
				"[{\"retain\":1},{\"insert\":\"\xf0\x9f\x99\x80\"},{\"delete\":2}]");
	assert_diff(arena, "[{\"insert\":\"\xc3\xa9\"}]", "[{\"insert\":\"\xc4\xa9\"}]",
				"[{\"insert\":\"\xc4\xa9\"},{\"delete\":1}]");
	assert_diff(arena, "[{\"insert\":\"a\xc3\xa9\"}]", "[{\"insert\":\"\xc3\xa9\xc3\xa9\"}]",
				"[{\"insert\":\"\xc3\xa9\"},{\"delete\":1}]");
}

static void
test_only_documents(void **state)
{
	Arena *arena = *state;
	Delta  doc = delta_of(arena, "[{\"insert\":\"a\"}]"), change = delta_of(arena, "[{\"delete\":1}]"), out;
	CollabError err;

	assert_status(delta_diff(arena, &doc, &change, &out, &err), COLLAB_MISMATCH);
	assert_status(delta_diff(arena, &change, &doc, &out, &err), COLLAB_MISMATCH);
	assert_status(delta_diff(arena, &doc, &change, &out, NULL), COLLAB_MISMATCH);
}

/* Related and unrelated documents, rich and plain. */
static void
test_law(void **state)
{
	Arena *arena = *state;
	Random random;
	int	   i;

	random_seed(&random, 20240229);
	for (i = 0; i < 4000; i++)
	{
		const RandomProfile *profile = i % 2 ? &random_rich : &random_plain;
		Delta				 a = random_document(&random, arena, profile), b;
		CollabError			 err;

		if (i % 4 < 2)
			b = random_document(&random, arena, profile);
		else
		{
			Delta change = random_change(&random, arena, profile, &a);

			assert_status(delta_compose(arena, &a, &change, &b, &err), COLLAB_OK);
		}
		diff_of(arena, &a, &b);
		diff_of(arena, &b, &a);
		arena_reset(arena);
	}
}

/* The length of a longest common subsequence, the slow and obvious way. */
static int
common_length(const uint32_t *a, int n, const uint32_t *b, int m)
{
	int table[33][33] = {{0}};
	int i, j;

	for (i = 1; i <= n; i++)
		for (j = 1; j <= m; j++)
			if (a[i - 1] == b[j - 1])
				table[i][j] = table[i - 1][j - 1] + 1;
			else
				table[i][j] = table[i - 1][j] > table[i][j - 1] ? table[i - 1][j] : table[i][j - 1];
	return table[n][m];
}

static void
test_scripts_are_shortest(void **state)
{
	Arena *arena = *state;
	Random random;
	int	   round;

	random_seed(&random, 7);
	for (round = 0; round < 5000; round++)
	{
		uint32_t a[32], b[32];
		uint32_t n = random_below(&random, 33), m = random_below(&random, 33),
				 letters = 1 + random_below(&random, 4);
		uint32_t i, edits = 0, x = 0, y = 0;
		Script	 script;

		for (i = 0; i < n; i++)
			a[i] = random_below(&random, letters);
		for (i = 0; i < m; i++)
			b[i] = random_below(&random, letters);
		assert_status(script_find(arena, a, n, b, m, &script), COLLAB_OK);
		for (i = 0; i < script.count; i++)
		{
			const ScriptHunk *hunk = &script.hunks[i];

			assert_true(hunk->a_from >= x && hunk->a_from - x == hunk->b_from - y);
			assert_int_equal(memcmp(a + x, b + y, (hunk->a_from - x) * sizeof(uint32_t)), 0);
			edits += hunk->a_to - hunk->a_from + hunk->b_to - hunk->b_from;
			x = hunk->a_to;
			y = hunk->b_to;
		}
		assert_int_equal(n - x, m - y);
		assert_int_equal(memcmp(a + x, b + y, (n - x) * sizeof(uint32_t)), 0);
		assert_int_equal(edits, (int) (n + m) - 2 * common_length(a, (int) n, b, (int) m));
		arena_reset(arena);
	}
}

/* Large documents that have nothing, or little, in common: bounded time, and the law holds. */
static void
test_large(void **state)
{
	enum
	{
		SIZE = 300000
	};
	Arena  *arena = *state;
	char   *a = malloc(SIZE + 32), *b = malloc(SIZE + 32);
	Random	random;
	Delta	x, y, diff;
	clock_t start = clock();
	int		i;

	random_seed(&random, 3);
	memcpy(a, "[{\"insert\":\"", 12);
	memcpy(b, "[{\"insert\":\"", 12);
	for (i = 12; i < SIZE; i++)
	{
		a[i] = (char) ('a' + random_below(&random, 3));
		b[i] = (char) ('a' + random_below(&random, 3));
	}
	strcpy(a + SIZE, "\"}]");
	strcpy(b + SIZE, "\"}]");
	x = delta_of(arena, a);
	y = delta_of(arena, b);
	diff_of(arena, &x, &y);

	memcpy(b, a, SIZE);
	for (i = 0; i < 200; i++)
		b[12 + random_below(&random, SIZE - 12)] = 'Z';
	y = delta_of(arena, b);
	diff = diff_of(arena, &x, &y);
	assert_true(delta_length_change(&diff) == 0 && diff.count > 300 &&
				diff.count <= 800); /* 200 times retain, insert, delete, or a little apart */
	assert_true((double) (clock() - start) / CLOCKS_PER_SEC <
				20); /* with sanitizers; a quadratic way would take hours */
	free(a);
	free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		arena_test(test_small), arena_test(test_characters),		   arena_test(test_only_documents),
		arena_test(test_law),	arena_test(test_scripts_are_shortest), arena_test(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

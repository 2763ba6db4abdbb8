/* test_blame.c - blame against an array with the version of every single unit. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/blame.h"
#include "../../core/delta_internal.h"
#include "edits.h"

#define RUNS 400
#define EDITS 60
#define LARGE_RUNS 2
#define LARGE_EDITS 1500
#define TYPED 12000

static uint64_t seed;

/* ---- the model ---- */

typedef struct Model
{
	int64_t *versions; /* of every unit */
	int64_t	 length;
	int64_t	 capacity;
} Model;

static void
model_replace(Model *model, int64_t at, int64_t removed, int64_t added, int64_t version)
{
	int64_t i;

	if (model->length + added > model->capacity)
	{
		model->capacity = 2 * (model->length + added);
		model->versions = realloc(model->versions, (size_t) model->capacity * sizeof(int64_t));
		assert_non_null(model->versions);
	}
	if (model->length > at + removed)
		memmove(model->versions + at + added, model->versions + at + removed,
				(size_t) (model->length - at - removed) * sizeof(int64_t));
	model->length += added - removed;
	for (i = at; i < at + added; i++)
		model->versions[i] = version;
}

static void
model_apply(Model *model, const Delta *change, int64_t version)
{
	int64_t	 at = 0;
	uint32_t i;

	for (i = 0; i < change->count; i++)
	{
		const DeltaOp *op = &change->ops[i];

		switch (op->kind)
		{
			case DELTA_DELETE:
				model_replace(model, at, op->units, 0, version);
				break;
			case DELTA_INSERT:
			case DELTA_INSERT_EMBED:
				model_replace(model, at, 0, op->units, version);
				at += op->units;
				break;
			default:
				at += op->units;
		}
	}
}

/* The runs must be the longest ones: equal neighbours are one run. */
static void
check_runs(const Blame *blame, const Model *model, uint64_t run, int64_t step)
{
	BlameCursor cursor;
	BlameRun	found;
	int64_t		at = 0;

	if (!blame_valid(blame))
		fail_msg("run %" PRIu64 ", edit %" PRId64 ": an invariant is broken", run, step);
	assert_int_equal(blame_length(blame), model->length);
	blame_start(blame, &cursor);
	while (blame_next(&cursor, &found))
	{
		int64_t end = at;

		while (end < model->length && model->versions[end] == model->versions[at])
			end++;
		if (found.units != end - at || found.stamp.version != model->versions[at])
			fail_msg("run %" PRIu64 ", edit %" PRId64 ", unit %" PRId64 ": %" PRId64
					 " units of version %" PRId64 ", expected %" PRId64 " of %" PRId64,
					 run, step, at, found.units, found.stamp.version, end - at, model->versions[at]);
		assert_int_equal(found.stamp.author, found.stamp.version % 7);
		assert_int_equal(found.stamp.at, -found.stamp.version);
		at = end;
	}
	assert_int_equal(at, model->length);
	assert_false(blame_next(&cursor, &found));
}

static void
apply_both(Blame *blame, Model *model, const Delta *change, int64_t version)
{
	BlameStamp	stamp = {version, version % 7, -version};
	CollabError error = {COLLAB_OK, -1, ""};

	if (blame_apply(blame, change, &stamp, &error) != COLLAB_OK)
		fail_msg("version %" PRId64 ": %s", version, error.message);
	model_apply(model, change, version);
}

/* ---- tests ---- */

static void
run_edits(uint64_t run, const RandomProfile *profile, int64_t edits, int64_t check_every)
{
	Model	model = {NULL, 0, 0};
	Arena	arenas[2];
	Delta	document;
	Random	random;
	Blame  *blame;
	int64_t version;

	arena_init(&arenas[0], collab_malloc_alloc);
	arena_init(&arenas[1], collab_malloc_alloc);
	random_seed(&random, run);
	assert_int_equal(blame_create(collab_malloc_alloc, &blame), COLLAB_OK);
	check_runs(blame, &model, run, 0);
	document = random_document(&random, &arenas[1], profile);
	apply_both(blame, &model, &document, 1);
	for (version = 2; version <= edits; version++)
	{
		Arena *arena = &arenas[version % 2];
		Delta  change;

		arena_reset(arena);
		change = random_edit(&random, arena, profile, &document);
		apply_both(blame, &model, &change, version);
		document = must_compose(arena, &document, &change);
		document = copy_delta(arena, &document);
		if (version % check_every == 0 || version == edits)
			check_runs(blame, &model, run, version);
	}
	blame_free(blame);
	free(model.versions);
	arena_free(&arenas[0]);
	arena_free(&arenas[1]);
}

static void
test_small(void **state)
{
	uint64_t run;

	(void) state;
	for (run = 0; run < RUNS; run++)
		run_edits(seed + run, run % 3 == 0 ? &random_plain : &random_rich, EDITS, 1);
}

static void
test_large(void **state)
{
	uint64_t run;

	(void) state;
	for (run = 0; run < LARGE_RUNS; run++)
		run_edits(seed + run, &random_large, LARGE_EDITS, 50);
}

static Delta
single_op(DeltaOp *ops, int64_t at, DeltaKind kind, int64_t units)
{
	Delta delta = {ops, 2};

	memset(ops, 0, 2 * sizeof(DeltaOp));
	ops[0].kind = DELTA_RETAIN;
	ops[0].units = at;
	ops[1].kind = (uint8_t) kind;
	ops[1].units = units;
	if (at == 0)
		delta = (Delta){ops + 1, 1};
	return delta;
}

/* Single units all over the place make a tree of three levels; then all of it is taken away again, in stretches. */
static void
test_grow_and_shrink(void **state)
{
	Model	model = {NULL, 0, 0};
	Random	random;
	DeltaOp ops[2];
	Delta	change;
	Blame  *blame;
	size_t	memory;
	int64_t version = 0;
	int		round;

	(void) state;
	random_seed(&random, seed);
	assert_int_equal(blame_create(collab_malloc_alloc, &blame), COLLAB_OK);
	memory = 0;
	for (round = 0; round < 4; round++)
	{
		while (model.length < TYPED)
		{
			int64_t at = random_below(&random, (uint32_t) model.length + 1);

			change = single_op(ops, at, DELTA_INSERT, 1 + random_below(&random, 2));
			apply_both(blame, &model, &change, ++version);
		}
		check_runs(blame, &model, seed, version);
		while (model.length > 0)
		{
			int64_t at = random_below(&random, (uint32_t) model.length);
			int64_t most = model.length - at;

			if (round % 2 == 0 && most > 40)
				most = 40;
			change = single_op(ops, at, DELTA_DELETE, 1 + random_below(&random, (uint32_t) most));
			apply_both(blame, &model, &change, ++version);
			if (version % 500 == 0)
				check_runs(blame, &model, seed, version);
		}
		check_runs(blame, &model, seed, version);
		/* what was freed is used again: memory follows the content, not the history */
		if (round == 0)
			memory = blame_memory(blame);
		assert_in_range(blame_memory(blame), 1, memory + memory / 4);
	}
	blame_free(blame);
	free(model.versions);
}

/* Typing costs one run, however many versions one place has seen. */
static void
test_typing_and_erasing(void **state)
{
	Model	model = {NULL, 0, 0};
	DeltaOp ops[2];
	Delta	change;
	Blame  *blame;
	size_t	memory = 0;
	int64_t version = 0;

	(void) state;
	assert_int_equal(blame_create(collab_malloc_alloc, &blame), COLLAB_OK);
	while (version < TYPED)
	{
		change = single_op(ops, model.length, DELTA_INSERT, 1);
		apply_both(blame, &model, &change, ++version);
		change = single_op(ops, model.length - 1, DELTA_DELETE, 1);
		apply_both(blame, &model, &change, ++version);
		if (version == 100)
			memory = blame_memory(blame);
	}
	check_runs(blame, &model, seed, version);
	assert_int_equal(blame_memory(blame), memory);
	blame_free(blame);
	free(model.versions);
}

/* Formatting and changed embeds keep their author; an embed that is replaced does not. */
static void
test_authorship(void **state)
{
	static const char *const changes[] = {
		"[{\"insert\":\"Hello \"},{\"insert\":{\"delta\":[{\"insert\":\"cell\"}]}},{\"insert\":\" world\"}]",
		"[{\"retain\":13,\"attributes\":{\"bold\":true}}]",
		"[{\"retain\":6},{\"retain\":{\"delta\":[{\"insert\":\"new \"}]}}]",
		"[{\"retain\":3},{\"insert\":\"X\"}]",
		"[{\"retain\":7},{\"insert\":{\"image\":\"a\"}},{\"delete\":1}]"};
	static const int64_t expected[][2] = {{3, 1}, {1, 4}, {3, 1}, {1, 5}, {6, 1}};
	Arena				 arena;
	Blame				*blame;
	BlameCursor			 cursor;
	BlameRun			 run;
	size_t				 i;

	(void) state;
	arena_init(&arena, collab_malloc_alloc);
	assert_int_equal(blame_create(collab_malloc_alloc, &blame), COLLAB_OK);
	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
	{
		Delta	   change = must_parse(&arena, changes[i], strlen(changes[i]));
		BlameStamp stamp = {(int64_t) i + 1, 0, 0};

		assert_int_equal(blame_apply(blame, &change, &stamp, NULL), COLLAB_OK);
	}
	blame_start(blame, &cursor);
	for (i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
	{
		assert_true(blame_next(&cursor, &run));
		assert_int_equal(run.units, expected[i][0]);
		assert_int_equal(run.stamp.version, expected[i][1]);
	}
	assert_false(blame_next(&cursor, &run));
	blame_free(blame);
	arena_free(&arena);
}

/* What cannot be is refused before anything is done. */
static void
test_refusals(void **state)
{
	BlameStamp	stamp = {1, 0, 0};
	CollabError error;
	DeltaOp		ops[2];
	Delta		change;
	Blame	   *blame;

	(void) state;
	assert_int_equal(blame_create(collab_malloc_alloc, &blame), COLLAB_OK);
	change = single_op(ops, 0, DELTA_INSERT, 10);
	assert_int_equal(blame_apply(blame, &change, &stamp, &error), COLLAB_OK);
	change = single_op(ops, 5, DELTA_DELETE, 6);
	assert_int_equal(blame_apply(blame, &change, &stamp, &error), COLLAB_RANGE);
	assert_int_equal(error.status, COLLAB_RANGE);
	change = single_op(ops, 11, DELTA_INSERT, 1);
	assert_int_equal(blame_apply(blame, &change, &stamp, &error), COLLAB_RANGE);
	change = single_op(ops, 0, DELTA_INSERT, DELTA_MAX_UNITS - 9);
	assert_int_equal(blame_apply(blame, &change, &stamp, &error), COLLAB_LIMIT);
	assert_int_equal(blame_length(blame), 10);
	assert_true(blame_valid(blame));
	blame_free(blame);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small),			cmocka_unit_test(test_large),
		cmocka_unit_test(test_grow_and_shrink), cmocka_unit_test(test_typing_and_erasing),
		cmocka_unit_test(test_authorship),		cmocka_unit_test(test_refusals),
	};

	seed = test_seed("blame", 4711);
	return cmocka_run_group_tests_name("blame", tests, NULL, NULL);
}

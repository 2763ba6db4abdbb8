/* test_rebase.c - rebase against step-by-step transform: lists of pieces carried over events, in every form. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/rebase.h"
#include "../../core/replay.h"
#include "edits.h"

#define RUNS 1500
#define EVENTS 12
#define MAX_PIECES 5
#define LARGE_EVENTS 250
#define LARGE_EDITS 200

static uint64_t seed;

/* The model: a plain array of pieces. */
typedef struct Model
{
	Delta	 pieces[MAX_PIECES];
	uint32_t count;
} Model;

static Delta
must_transform(Arena *arena, const Delta *a, const Delta *b, bool a_first)
{
	CollabError error = {COLLAB_OK, -1, ""};
	Delta		result;

	if (delta_transform(arena, a, b, a_first, &result, &error) != COLLAB_OK)
		fail_msg("transform failed: %s", error.message);
	return result;
}

static Delta
model_event(Model *model, Arena *arena, const Delta *event, bool event_first)
{
	Delta	 moving = *event;
	uint32_t i;

	for (i = 0; i < model->count; i++)
	{
		Delta piece = must_transform(arena, &moving, &model->pieces[i], event_first);

		moving = must_transform(arena, &model->pieces[i], &moving, !event_first);
		model->pieces[i] = piece;
	}
	return moving;
}

static void
check_pieces(const Rebase *rebase, const Model *model, Arena *arena, const char *what, uint64_t run, int step)
{
	uint32_t i;

	if (!rebase_valid(rebase))
		fail_msg("%s, run %" PRIu64 ", event %d: an invariant is broken", what, run, step);
	assert_int_equal(rebase_count(rebase), model->count);
	for (i = 0; i < model->count; i++)
	{
		Delta piece;

		assert_int_equal(rebase_piece(rebase, i, arena, &piece), COLLAB_OK);
		if (!delta_equal(&piece, &model->pieces[i]))
			fail_msg("%s, run %" PRIu64 ", event %d, piece %" PRIu32 ":\n  rebase    %s\n  transform %s",
					 what, run, step, i, show(arena, &piece), show(arena, &model->pieces[i]));
	}
}

static void
carry_both(Rebase *rebase, Model *model, Arena *arena, const Delta *event, bool event_first, bool want,
		   const char *what, uint64_t run, int step)
{
	CollabError error = {COLLAB_OK, -1, ""};
	Delta		before[MAX_PIECES];
	Delta		expected;
	Delta		carried;

	memcpy(before, model->pieces, sizeof(before));
	expected = model_event(model, arena, event, event_first);
	if (rebase_event(rebase, arena, event, event_first, want ? &carried : NULL, &error) != COLLAB_OK)
		fail_msg("%s, run %" PRIu64 ", event %d: %s", what, run, step, error.message);
	if (want && !delta_equal(&carried, &expected))
		fail_msg("%s, run %" PRIu64 ", event %d %s (%s) through %s:\n  carried   %s\n  transform %s", what,
				 run, step, show(arena, event), event_first ? "first" : "second", show(arena, &before[0]),
				 show(arena, &carried), show(arena, &expected));
	check_pieces(rebase, model, arena, what, run, step);
}

/* Small pieces and events; of a document, or of nothing in particular. */
static void
run_list(uint64_t run, const RandomProfile *profile, bool loose)
{
	const char *what = loose ? "loose" : "fitting";
	Model		model;
	Rebase	   *rebase;
	Arena		arena;
	Delta		document;
	Delta		state;
	Random		random;
	uint32_t	i;
	int			step;

	random_seed(&random, run);
	arena_init(&arena, collab_malloc_alloc);
	document = random_document(&random, &arena, profile);
	state = document;
	model.count = 1 + random_below(&random, MAX_PIECES);
	for (i = 0; i < model.count; i++)
	{
		model.pieces[i] = loose ? random_loose_change(&random, &arena, profile)
								: random_edit(&random, &arena, profile, &state);
		if (!loose)
			state = must_compose(&arena, &state, &model.pieces[i]);
	}
	assert_int_equal(rebase_create(collab_malloc_alloc, model.pieces, model.count, &rebase), COLLAB_OK);
	check_pieces(rebase, &model, &arena, what, run, -1);
	for (step = 0; step < EVENTS; step++)
	{
		Delta event = loose ? random_loose_change(&random, &arena, profile)
							: random_edit(&random, &arena, profile, &document);

		carry_both(rebase, &model, &arena, &event, random_chance(&random, 50), random_chance(&random, 70),
				   what, run, step);
		if (!loose)
			document = must_compose(&arena, &document, &event);
		if (model.count > 1 && random_chance(&random, 5))
		{
			/* the first piece was applied already: what follows stands on the state behind it */
			document = loose ? document : must_compose(&arena, &document, &model.pieces[0]);
			memmove(model.pieces, model.pieces + 1, --model.count * sizeof(Delta));
			rebase_pop(rebase);
		}
		if (random_chance(&random, 3))
		{
			model.count = random_below(&random, model.count + 1);
			rebase_truncate(rebase, model.count);
		}
	}
	check_pieces(rebase, &model, &arena, what, run, EVENTS);
	rebase_free(rebase);
	arena_free(&arena);
}

static void
test_lists(void **state)
{
	uint64_t run;

	(void) state;
	for (run = 0; run < RUNS; run++)
	{
		run_list(seed + run, run % 3 == 0 ? &random_plain : &random_rich, false);
		run_list(seed + run, run % 3 == 0 ? &random_plain : &random_rich, true);
	}
}

/* Two pieces of hundreds of ops each, over many events anywhere in a large document. */
static void
run_large(uint64_t run, const RandomProfile *profile)
{
	Model	 model;
	Rebase	*rebase;
	Arena	 arena;
	Arena	 scratch;
	Delta	 document = {NULL, 0};
	Delta	 state;
	Random	 random;
	uint32_t most = 0;
	int		 i;

	random_seed(&random, run);
	arena_init(&arena, collab_malloc_alloc);
	arena_init(&scratch, collab_malloc_alloc);
	for (i = 0; i < 200; i++)
	{
		Delta edit = random_edit(&random, &arena, profile, &document);

		document = must_compose(&arena, &document, &edit);
	}
	state = document;
	for (model.count = 0; model.count < 2; model.count++)
	{
		Replay *replay;

		assert_int_equal(replay_create(collab_malloc_alloc, false, &replay), COLLAB_OK);
		for (i = 0; i < LARGE_EDITS; i++)
		{
			Delta edit = random_edit(&random, &arena, profile, &state);

			if (delta_length_change(&edit) < -200)
				continue;
			state = must_compose(&arena, &state, &edit);
			assert_int_equal(replay_apply(replay, &edit, NULL), COLLAB_OK);
		}
		assert_int_equal(replay_delta(replay, &arena, &model.pieces[model.count]), COLLAB_OK);
		most = model.pieces[model.count].count > most ? model.pieces[model.count].count : most;
		replay_free(replay);
	}
	assert_in_range(most, profile->attributes ? 200 : 50, 100000);
	assert_int_equal(rebase_create(collab_malloc_alloc, model.pieces, model.count, &rebase), COLLAB_OK);
	for (i = 0; i < LARGE_EVENTS; i++)
	{
		Delta event = random_edit(&random, &scratch, profile, &document);
		Delta next;

		if (delta_length_change(&event) < -1000 && i < LARGE_EVENTS - 20)
			continue;
		carry_both(rebase, &model, &scratch, &event, random_chance(&random, 50), random_chance(&random, 80),
				   "large", run, i);
		next = must_compose(&scratch, &document, &event);
		document = copy_delta(&arena, &next);
		model.pieces[0] = copy_delta(&arena, &model.pieces[0]);
		model.pieces[1] = copy_delta(&arena, &model.pieces[1]);
		arena_reset(&scratch);
	}
	rebase_free(rebase);
	arena_free(&arena);
	arena_free(&scratch);
}

static void
test_large(void **state)
{
	(void) state;
	run_large(seed, &random_plain);
	run_large(seed + 1, &random_rich);
	run_large(seed + 2, &random_rich);
}

/* A queue of one-key pieces, as an offline client sends it, against events of both kinds of tie. */
static void
test_long_queue(void **state)
{
	Arena	arena;
	Arena	scratch;
	Delta	queue[200];
	Delta	model[200];
	Rebase *rebase;
	Random	random;
	int		i;
	int		step;

	(void) state;
	arena_init(&arena, collab_malloc_alloc);
	arena_init(&scratch, collab_malloc_alloc);
	random_seed(&random, seed);
	for (i = 0; i < 200; i++)
	{
		char json[80];

		snprintf(json, sizeof(json),
				 i == 0 ? "[{\"insert\":\"%c\"}]" : "[{\"retain\":%2$d},{\"insert\":\"%1$c\"}]", 'a' + i % 26,
				 i);
		queue[i] = model[i] = must_parse(&arena, json, strlen(json));
		queue[i] = model[i] = copy_delta(&arena, &queue[i]);
	}
	assert_int_equal(rebase_create(collab_malloc_alloc, queue, 200, &rebase), COLLAB_OK);
	for (step = 0; step < 40; step++)
	{
		Delta event = random_loose_change(&random, &arena, &random_rich);
		Delta moving = event;
		bool  first = random_chance(&random, 50);

		for (i = 0; i < 200; i++)
		{
			Delta piece = must_transform(&arena, &moving, &model[i], first);

			moving = must_transform(&arena, &model[i], &moving, !first);
			model[i] = piece;
		}
		assert_int_equal(rebase_event(rebase, &scratch, &event, first, NULL, NULL), COLLAB_OK);
		assert_true(rebase_valid(rebase));
		for (i = 0; i < 200; i++)
		{
			Delta piece;

			assert_int_equal(rebase_piece(rebase, (uint32_t) i, &scratch, &piece), COLLAB_OK);
			assert_true(delta_equal(&piece, &model[i]));
		}
		arena_reset(&scratch);
	}
	rebase_free(rebase);
	arena_free(&arena);
	arena_free(&scratch);
}

static Delta
parse(Arena *arena, const char *json)
{
	return must_parse(arena, json, strlen(json));
}

/* One event over one piece, both ways round; what comes out stands in the test. */
static void
test_worked_examples(void **state)
{
	static const struct
	{
		const char *piece;
		const char *event;
		bool		event_first;
		const char *piece_after;
		const char *event_after;
	} cases[] = {
		{"[{\"insert\":\"p\"}]", "[{\"insert\":\"ee\"}]", true, "[{\"retain\":2},{\"insert\":\"p\"}]",
		 "[{\"insert\":\"ee\"}]"},
		{"[{\"insert\":\"p\"}]", "[{\"insert\":\"ee\"}]", false, "[{\"insert\":\"p\"}]",
		 "[{\"retain\":1},{\"insert\":\"ee\"}]"},
		{"[{\"insert\":\"p\"},{\"delete\":1}]", "[{\"insert\":\"e\"}]", false,
		 "[{\"insert\":\"p\"},{\"retain\":1},{\"delete\":1}]", "[{\"retain\":1},{\"insert\":\"e\"}]"},
		{"[{\"delete\":3}]", "[{\"retain\":1},{\"insert\":\"e\"}]", true,
		 "[{\"delete\":1},{\"retain\":1},{\"delete\":2}]", "[{\"insert\":\"e\"}]"},
		{"[{\"delete\":1},{\"retain\":1},{\"insert\":\"p\"},{\"delete\":1}]",
		 "[{\"retain\":1},{\"delete\":1}]", true, "[{\"insert\":\"p\"},{\"delete\":2}]", "[{\"delete\":1}]"},
		{"[{\"insert\":\"a\"},{\"retain\":1},{\"insert\":\"b\"}]", "[{\"delete\":1}]", true,
		 "[{\"insert\":\"ab\"}]", "[{\"retain\":1},{\"delete\":1}]"},
		{"[{\"delete\":1}]", "[{\"delete\":2}]", true, "[]", "[{\"delete\":1}]"},
		{"[{\"retain\":2,\"attributes\":{\"b\":1}}]", "[{\"retain\":3,\"attributes\":{\"b\":2,\"c\":3}}]",
		 true, "[]", "[{\"retain\":3,\"attributes\":{\"b\":2,\"c\":3}}]"},
		{"[{\"retain\":2,\"attributes\":{\"b\":1}}]", "[{\"retain\":3,\"attributes\":{\"b\":2,\"c\":3}}]",
		 false, "[{\"retain\":2,\"attributes\":{\"b\":1}}]",
		 "[{\"retain\":2,\"attributes\":{\"c\":3}},{\"retain\":1,\"attributes\":{\"b\":2,\"c\":3}}]"},
		{"[{\"retain\":{\"delta\":[{\"insert\":\"p\"}]}}]", "[{\"retain\":{\"delta\":[{\"insert\":\"e\"}]}}]",
		 true, "[{\"retain\":{\"delta\":[{\"retain\":1},{\"insert\":\"p\"}]}}]",
		 "[{\"retain\":{\"delta\":[{\"insert\":\"e\"}]}}]"},
		{"[]", "[{\"retain\":7},{\"insert\":\"e\"}]", true, "[]", "[{\"retain\":7},{\"insert\":\"e\"}]"},
		{"[{\"retain\":7},{\"insert\":\"p\"}]", "[]", true, "[{\"retain\":7},{\"insert\":\"p\"}]", "[]"},
	};
	Arena  arena;
	size_t i;

	(void) state;
	arena_init(&arena, collab_malloc_alloc);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		Delta	piece = parse(&arena, cases[i].piece);
		Delta	event = parse(&arena, cases[i].event);
		Delta	piece_after = parse(&arena, cases[i].piece_after);
		Delta	event_after = parse(&arena, cases[i].event_after);
		Delta	got;
		Delta	carried;
		Rebase *rebase;

		assert_int_equal(rebase_create(collab_malloc_alloc, &piece, 1, &rebase), COLLAB_OK);
		assert_int_equal(rebase_event(rebase, &arena, &event, cases[i].event_first, &carried, NULL),
						 COLLAB_OK);
		assert_int_equal(rebase_piece(rebase, 0, &arena, &got), COLLAB_OK);
		if (!delta_equal(&got, &piece_after) || !delta_equal(&carried, &event_after))
			fail_msg("%s over %s: %s and %s", cases[i].piece, cases[i].event, show(&arena, &got),
					 show(&arena, &carried));
		rebase_free(rebase);
	}
	arena_free(&arena);
}

/* Lengths that JavaScript could not count are refused, and nothing overflows on the way. */
static void
test_huge_counts(void **state)
{
	Arena		arena;
	Delta		piece;
	Delta		event;
	Rebase	   *rebase;
	CollabError error;

	(void) state;
	arena_init(&arena, collab_malloc_alloc);
	piece = parse(&arena, "[{\"retain\":9007199254740980},{\"insert\":\"p\"}]");
	event = parse(&arena, "[{\"insert\":\"0123456789\"}]");
	assert_int_equal(rebase_create(collab_malloc_alloc, &piece, 1, &rebase), COLLAB_OK);
	assert_int_equal(rebase_event(rebase, &arena, &event, true, NULL, &error), COLLAB_OK);
	assert_int_equal(rebase_event(rebase, &arena, &event, true, NULL, &error), COLLAB_LIMIT);
	assert_int_equal(error.status, COLLAB_LIMIT);
	rebase_free(rebase);
	arena_free(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_worked_examples), cmocka_unit_test(test_lists),
		cmocka_unit_test(test_large),			cmocka_unit_test(test_long_queue),
		cmocka_unit_test(test_huge_counts),
	};

	seed = test_seed("rebase", 777);
	return cmocka_run_group_tests_name("rebase", tests, NULL, NULL);
}

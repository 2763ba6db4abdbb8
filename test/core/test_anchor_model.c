/* test_anchor_model.c - anchors on random changes, against a model that knows every unit; and undone in turn. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/anchor_internal.h"
#include "anchor_scene.h"
#include "edits.h"
#include "helpers.h"

/* ---- against the model ---- */

#define MODEL_MAX 20000
#define STEPS 60

/* Every unit of the document: is it of the range. Knows nothing of returns. */
typedef struct Model
{
	bool	member[MODEL_MAX];
	int64_t length;
	int64_t orphan; /* its place, once no unit is a member */
} Model;

static void
model_bounds(const Model *model, int64_t *from, int64_t *to)
{
	int64_t i;

	*from = *to = model->orphan;
	for (i = model->length; i-- > 0;)
		if (model->member[i])
			*from = i;
	for (i = 0; i < model->length; i++)
		if (model->member[i])
			*to = i + 1;
}

static void
model_insert(Model *model, int64_t at, int64_t units)
{
	int64_t from, to;
	bool	inside;

	model_bounds(model, &from, &to);
	inside = at > from && at < to;
	memmove(model->member + at + units, model->member + at, (size_t) (model->length - at));
	memset(model->member + at, inside, (size_t) units);
	model->length += units;
	assert_true(model->length < MODEL_MAX);
	if (at <= model->orphan)
		model->orphan += units;
}

static void
model_delete(Model *model, int64_t at, int64_t units)
{
	int64_t from, to, i;

	model_bounds(model, &from, &to);
	if (from < to)
		model->orphan = from;
	memmove(model->member + at, model->member + at + units, (size_t) (model->length - at - units));
	model->length -= units;
	for (i = 0; i < units; i++)
		if (model->orphan > at)
			model->orphan--;
}

/* An insertion at one place with a deletion behind it goes in first: that is the order of the canonical form. */
static void
model_apply(Model *model, const Delta *change)
{
	int64_t	 at = 0;
	uint32_t i;

	for (i = 0; i < change->count; i++)
	{
		const DeltaOp *op = &change->ops[i];

		if (op->kind == DELTA_INSERT || op->kind == DELTA_INSERT_EMBED)
		{
			model_insert(model, at, op->units);
			at += op->units;
			/* what follows at the same place is one insertion with it */
			while (i + 1 < change->count &&
				   (change->ops[i + 1].kind == DELTA_INSERT || change->ops[i + 1].kind == DELTA_INSERT_EMBED))
			{
				bool	inside = model->member[at - 1];
				int64_t orphan = model->orphan;

				op = &change->ops[++i];
				model_insert(model, at, op->units);
				memset(model->member + at, inside, (size_t) op->units);
				if (orphan == at)
					model->orphan = orphan + op->units;
				at += op->units;
			}
		}
		else if (op->kind == DELTA_DELETE)
			model_delete(model, at, op->units);
		else
			at += op->units;
	}
}

/* Inserted text that occurs nowhere else, so that nothing looks like a return. */
static Delta
fresh_change(Random *random, Arena *arena, const Delta *document, uint32_t *next_char)
{
	int64_t length = delta_length(document);
	int64_t at = 0;
	Buf		json;
	Delta	delta;
	bool	first = true;

	buf_init(&json, collab_malloc_alloc);
	buf_char(&json, '[');
	while (at <= length && (first || random_chance(random, 60)))
	{
		int64_t	 skip = random_below(random, (uint32_t) (length - at + 1));
		uint32_t what = random_below(random, 4);

		if (skip > 0)
		{
			buf_str(&json, first ? "{\"retain\":" : ",{\"retain\":");
			buf_i64(&json, skip);
			buf_char(&json, '}');
			first = false;
			at += skip;
		}
		if (what != 0)
		{
			uint32_t units = 1 + random_below(random, 4);
			uint32_t i;

			buf_str(&json, first ? "{\"insert\":\"" : ",{\"insert\":\"");
			for (i = 0; i < units; i++)
			{
				uint32_t c = 0x4E00 + (*next_char)++ % 20000;
				char	 utf8[3] = {(char) (0xE0 | c >> 12), (char) (0x80 | (c >> 6 & 0x3F)),
									(char) (0x80 | (c & 0x3F))};

				buf_bytes(&json, utf8, 3);
			}
			buf_str(&json, "\"}");
			first = false;
		}
		if (what != 1 && at < length)
		{
			int64_t units = 1 + random_below(random, (uint32_t) (length - at < 12 ? length - at : 12));

			buf_str(&json, first ? "{\"delete\":" : ",{\"delete\":");
			buf_i64(&json, units);
			buf_char(&json, '}');
			first = false;
			at += units;
		}
	}
	buf_char(&json, ']');
	buf_char(&json, '\0');
	delta = delta_of(arena, json.data);
	delta = copy_delta(arena, &delta);
	buf_free(&json);
	return delta;
}

static void
test_model(void **state)
{
	uint64_t seed = test_seed("anchor model", 20);
	uint64_t last = seed + 400;
	Model	*model = malloc(sizeof(Model));

	(void) state;
	assert_non_null(model);
	for (; seed < last; seed++)
	{
		Arena	 arena;
		Random	 random;
		Delta	 document = {NULL, 0};
		uint32_t next_char = 0;
		int64_t	 length, from, to;
		Anchor	*anchor;
		int		 i;

		arena_init(&arena, collab_malloc_alloc);
		random_seed(&random, seed);
		while (delta_length(&document) < 20)
		{
			Delta first = fresh_change(&random, &arena, &document, &next_char);

			document = must_compose(&arena, &document, &first);
		}
		length = delta_length(&document);
		from = random_below(&random, (uint32_t) length);
		to = from + 1 + random_below(&random, (uint32_t) (length - from));
		anchor = anchor_over(&arena, &document, from, to);
		memset(model, 0, sizeof(Model));
		model->length = length;
		memset(model->member + from, true, (size_t) (to - from));
		for (i = 0; i < STEPS; i++)
		{
			Delta		edit = fresh_change(&random, &arena, &document, &next_char);
			AnchorRange range;

			document = must_compose(&arena, &document, &edit);
			model_apply(model, &edit);
			anchor_follow(&arena, anchor, &edit);
			if (random_chance(&random, 30))
				anchor = anchor_through_bytes(anchor);
			range = anchor_range(anchor);
			model_bounds(model, &from, &to);
			if (range.from != from || range.to != to || range.orphaned != (from == to))
				fail_msg("seed %" PRIu64 ", step %d: %lld-%lld, the model has %lld-%lld; %s", seed, i,
						 (long long) range.from, (long long) range.to, (long long) from, (long long) to,
						 show(&arena, &edit));
		}
		anchor_free(anchor);
		arena_free(&arena);
	}
	free(model);
}

/* A single unit does not return once there is other text in its place. */
static bool
is_weak(const Anchor *anchor)
{
	uint32_t i;

	for (i = 0; i < anchor->count; i++)
		if (anchor->items[i].kind == ITEM_DELETED && anchor->items[i].units == 1)
			return true;
	return false;
}

typedef struct UndoCase
{
	Arena	 arena;
	Random	 random;
	Delta	 document;
	uint32_t next_char;
	Anchor	*anchor;
} UndoCase;

static Delta
next_edit(UndoCase *c, bool fresh)
{
	return fresh ? fresh_change(&c->random, &c->arena, &c->document, &c->next_char)
				 : random_change(&c->random, &c->arena, &random_rich, &c->document);
}

static void
begin_undo(UndoCase *c, uint64_t seed, bool fresh)
{
	int64_t from, to;

	memset(c, 0, sizeof(UndoCase));
	arena_init(&c->arena, collab_malloc_alloc);
	random_seed(&c->random, seed);
	if (!fresh)
		c->document = random_document(&c->random, &c->arena, &random_rich);
	while (delta_length(&c->document) < 10)
	{
		Delta edit = next_edit(c, fresh);

		c->document = must_compose(&c->arena, &c->document, &edit);
	}
	do
	{
		from = random_position(&c->random, &c->document);
		to = random_position(&c->random, &c->document);
	} while (from >= to);
	c->anchor = anchor_over(&c->arena, &c->document, from, to);
}

/*
 * Makes some changes and undoes them, last thing first. With fresh text (otherwise pieces of it look like others) every
 * undo has to be exact, but for single units. Returns how many of these were looked at.
 */
static int
run_undo(uint64_t seed, bool fresh)
{
	Delta		undo[STEPS];
	AnchorRange before[STEPS];
	bool		weak = false;
	int			looked_at = 0;
	UndoCase	c;
	int			steps, i;

	begin_undo(&c, seed, fresh);
	steps = 1 + (int) random_below(&c.random, STEPS);
	for (i = 0; i < steps; i++)
	{
		Delta edit = next_edit(&c, fresh);

		before[i] = anchor_range(c.anchor);
		assert_int_equal(delta_invert(&c.arena, &edit, &c.document, &undo[i], NULL), COLLAB_OK);
		c.document = must_compose(&c.arena, &c.document, &edit);
		anchor_follow(&c.arena, c.anchor, &edit);
		weak = weak || is_weak(c.anchor);
		if (random_chance(&c.random, 30))
			c.anchor = anchor_through_bytes(c.anchor);
	}
	while (i-- > 0)
	{
		AnchorRange range;
		bool		same;

		c.document = must_compose(&c.arena, &c.document, &undo[i]);
		anchor_follow(&c.arena, c.anchor, &undo[i]);
		weak = weak || is_weak(c.anchor);
		range = anchor_range(c.anchor);
		same = range.orphaned == before[i].orphaned &&
			   (range.orphaned || (range.from == before[i].from && range.to == before[i].to));
		if (fresh && !weak && !same)
			fail_msg("seed %" PRIu64 ", undo of step %d of %d: %lld-%lld, was %lld-%lld; %s", seed, i, steps,
					 (long long) range.from, (long long) range.to, (long long) before[i].from,
					 (long long) before[i].to, show(&c.arena, &undo[i]));
		assert_in_range(range.to, range.from, delta_length(&c.document));
		looked_at += fresh && !weak;
	}
	anchor_free(c.anchor);
	arena_free(&c.arena);
	return looked_at;
}

/* The range is where it was after every single undo, whatever happened in between. */
static void
test_undo_in_turn(void **state)
{
	uint64_t seed = test_seed("anchor undo", 1);
	uint64_t last = seed + 600;
	int		 looked_at = 0;

	(void) state;
	for (; seed < last; seed++)
	{
		looked_at += run_undo(seed, true);
		(void) run_undo(seed, false);
	}
	printf("undone one by one: %d ranges are where they were before the change\n", looked_at);
	assert_true(looked_at > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_undo_in_turn),
	};

	return cmocka_run_group_tests_name("anchor_model", tests, NULL, NULL);
}

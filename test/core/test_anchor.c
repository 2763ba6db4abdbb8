/* test_anchor.c - anchors: gravity, orphans, what returns by undo, their binary form; against a model that knows every unit. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/anchor_internal.h"
#include "edits.h"
#include "helpers.h"

/* A document with an anchor in it, seen as text: The [brown] fox; an orphan is a bar. */
typedef struct Scene
{
	Arena  *arena;
	Delta	document;
	Anchor *anchor;
} Scene;

static Delta
plain(Arena *arena, const char *text)
{
	Buf	  json;
	Delta delta;

	buf_init(&json, collab_malloc_alloc);
	buf_str(&json, "[{\"insert\":");
	buf_json_string(&json, text, strlen(text));
	buf_str(&json, "}]");
	buf_char(&json, '\0');
	delta = delta_of(arena, json.data);
	delta = copy_delta(arena, &delta);
	buf_free(&json);
	return delta;
}

static Anchor *
anchor_over(Arena *arena, const Delta *document, int64_t from, int64_t to)
{
	Anchor *anchor = NULL;
	Delta	text;

	assert_int_equal(delta_slice(arena, document, from, to, &text, NULL), COLLAB_OK);
	assert_int_equal(anchor_create(collab_malloc_alloc, from, &text, &anchor, NULL), COLLAB_OK);
	assert_null(anchor_fault(anchor));
	return anchor;
}

/* "The [brown] fox" */
static Scene
scene(Arena *arena, const char *text)
{
	Scene		scene = {arena, {NULL, 0}, NULL};
	const char *open = strchr(text, '[');
	const char *close = strchr(text, ']');
	char		bare[200];

	snprintf(bare, sizeof(bare), "%.*s%.*s%s", (int) (open - text), text, (int) (close - open - 1), open + 1,
			 close + 1);
	scene.document = plain(arena, bare);
	scene.anchor = anchor_over(arena, &scene.document, open - text, close - text - 1);
	return scene;
}

static void
follow(Arena *arena, Anchor *anchor, const Delta *change)
{
	AnchorEdit edit;

	assert_int_equal(anchor_edit(arena, change, &edit, NULL), COLLAB_OK);
	assert_int_equal(anchor_apply(anchor, &edit, NULL), COLLAB_OK);
	if (anchor_fault(anchor) != NULL)
		fail_msg("%s", anchor_fault(anchor));
}

/* Applies a change and gives the one that undoes it. */
static Delta
change(Scene *scene, const char *json)
{
	Delta change = delta_of(scene->arena, json);
	Delta undo;

	assert_int_equal(delta_invert(scene->arena, &change, &scene->document, &undo, NULL), COLLAB_OK);
	scene->document = must_compose(scene->arena, &scene->document, &change);
	follow(scene->arena, scene->anchor, &change);
	return undo;
}

static void
make(Scene *scene, const Delta *change)
{
	scene->document = must_compose(scene->arena, &scene->document, change);
	follow(scene->arena, scene->anchor, change);
}

static const char *
seen(Scene *scene)
{
	AnchorRange range = anchor_range(scene->anchor);
	Buf			text;
	char	   *out = arena_alloc(scene->arena, 400);

	assert_non_null(out);
	buf_init(&text, collab_malloc_alloc);
	delta_text(&scene->document, "*", &text);
	buf_char(&text, '\0');
	assert_true(range.to <= (int64_t) text.size - 1);
	if (range.orphaned)
	{
		assert_int_equal(range.from, range.to);
		snprintf(out, 400, "%.*s|%s", (int) range.from, text.data, text.data + range.to);
	}
	else
		snprintf(out, 400, "%.*s[%.*s]%s", (int) range.from, text.data, (int) (range.to - range.from),
				 text.data + range.from, text.data + range.to);
	buf_free(&text);
	return out;
}

#define assert_seen(scene, expected) assert_string_equal(seen(scene), expected)

static void
test_gravity(void **state)
{
	Scene s = scene(*state, "The [brown] fox");

	change(&s, "[{\"retain\":4},{\"insert\":\"<\"}]");
	assert_seen(&s, "The <[brown] fox");
	change(&s, "[{\"retain\":10},{\"insert\":\">\"}]");
	assert_seen(&s, "The <[brown]> fox");
	change(&s, "[{\"retain\":6},{\"insert\":\"--\"}]");
	assert_seen(&s, "The <[b--rown]> fox");
	change(&s, "[{\"insert\":\"ab\"},{\"retain\":17},{\"insert\":\"!\"}]");
	assert_seen(&s, "abThe <[b--rown]> fox!");
	change(&s, "[{\"delete\":6}]");
	assert_seen(&s, "<[b--rown]> fox!");
	change(&s, "[{\"retain\":2},{\"delete\":2},{\"retain\":5},{\"delete\":1}]");
	assert_seen(&s, "<[brown]>fox!");
	change(&s, "[{\"delete\":3},{\"retain\":2},{\"delete\":4}]");
	assert_seen(&s, "[ow]x!");
	change(&s, "[{\"retain\":4,\"attributes\":{\"bold\":true}}]");
	assert_seen(&s, "[ow]x!");
	anchor_free(s.anchor);
}

static void
test_ends_of_document(void **state)
{
	Scene s = scene(*state, "[all of it]");

	change(&s, "[{\"insert\":\"<\"},{\"retain\":9},{\"insert\":\">\"}]");
	assert_seen(&s, "<[all of it]>");
	change(&s, "[{\"delete\":1},{\"retain\":9},{\"delete\":1}]");
	assert_seen(&s, "[all of it]");
	change(&s, "[{\"delete\":9}]");
	assert_seen(&s, "|");
	change(&s, "[{\"insert\":\"new\"}]");
	assert_seen(&s, "new|");
	anchor_free(s.anchor);
}

/* A newline in the middle, at the start and at the end. */
static void
test_split_paragraph(void **state)
{
	Scene s = scene(*state, "The [brown fox] jumps");

	change(&s, "[{\"retain\":9},{\"insert\":\"\\n\",\"attributes\":{\"header\":1}}]");
	assert_seen(&s, "The [brown\n fox] jumps");
	change(&s, "[{\"retain\":4},{\"insert\":\"\\n\"}]");
	assert_seen(&s, "The \n[brown\n fox] jumps");
	change(&s, "[{\"retain\":15},{\"insert\":\"\\n\"}]");
	assert_seen(&s, "The \n[brown\n fox]\n jumps");
	anchor_free(s.anchor);
}

static void
test_undo_of_all(void **state)
{
	Scene s = scene(*state, "The [brown] fox");
	Delta undo = change(&s, "[{\"retain\":4},{\"delete\":5}]");

	assert_seen(&s, "The | fox");
	make(&s, &undo);
	assert_seen(&s, "The [brown] fox");
	undo = change(&s, "[{\"retain\":2},{\"delete\":9}]");
	assert_seen(&s, "Th|ox");
	make(&s, &undo);
	assert_seen(&s, "The [brown] fox");
	/* replaced: insert and delete in one change, and in its undo */
	undo = change(&s, "[{\"retain\":4},{\"insert\":\"red and green\"},{\"delete\":5}]");
	assert_seen(&s, "The red and green| fox");
	make(&s, &undo);
	assert_seen(&s, "The [brown] fox");
	anchor_free(s.anchor);
}

static void
test_undo_at_edges(void **state)
{
	Scene s = scene(*state, "The [brown] fox");
	Delta undo = change(&s, "[{\"retain\":2},{\"delete\":4}]");

	assert_seen(&s, "Th[own] fox");
	make(&s, &undo);
	assert_seen(&s, "The [brown] fox");
	undo = change(&s, "[{\"retain\":7},{\"delete\":4}]");
	assert_seen(&s, "The [bro]ox");
	make(&s, &undo);
	assert_seen(&s, "The [brown] fox");
	/* an insertion of the same length is not the same */
	change(&s, "[{\"retain\":7},{\"delete\":4}]");
	change(&s, "[{\"retain\":7},{\"insert\":\"wm f\"}]");
	assert_seen(&s, "The [bro]wm fox");
	anchor_free(s.anchor);
}

/* Deleted by one, something else put there by another; the undo may come to either side of that. */
static void
test_insert_where_deleted(void **state)
{
	Scene s = scene(*state, "The [brown] fox");

	change(&s, "[{\"retain\":4},{\"delete\":5}]");
	change(&s, "[{\"retain\":4},{\"insert\":\"red\"}]");
	assert_seen(&s, "The red| fox");
	change(&s, "[{\"retain\":4},{\"insert\":\"brown\"}]");
	assert_seen(&s, "The [brown]red fox");
	anchor_free(s.anchor);

	s = scene(*state, "The [brown] fox");
	change(&s, "[{\"retain\":4},{\"delete\":5}]");
	change(&s, "[{\"retain\":4},{\"insert\":\"red\"}]");
	change(&s, "[{\"retain\":7},{\"insert\":\"brown\"}]");
	assert_seen(&s, "The red[brown] fox");
	/* an edge: what stands between belongs to the range afterwards */
	change(&s, "[{\"retain\":7},{\"delete\":2}]");
	change(&s, "[{\"retain\":7},{\"insert\":\"<>\"}]");
	assert_seen(&s, "The red<>[own] fox");
	change(&s, "[{\"retain\":7},{\"insert\":\"br\"}]");
	assert_seen(&s, "The red[br<>own] fox");
	change(&s, "[{\"retain\":13},{\"delete\":1}]");
	change(&s, "[{\"retain\":13},{\"insert\":\"ns and dogs\"}]");
	assert_seen(&s, "The red[br<>ow]ns and dogs fox");
	anchor_free(s.anchor);
}

/* Backspace by backspace, then undone at once; and in two parts. */
static void
test_undo_of_several(void **state)
{
	Scene s = scene(*state, "The [brown] fox");
	int	  i;

	for (i = 8; i >= 2; i--)
	{
		char json[60];

		snprintf(json, sizeof(json), "[{\"retain\":%d},{\"delete\":1}]", i);
		change(&s, json);
	}
	assert_seen(&s, "Th| fox");
	change(&s, "[{\"retain\":2},{\"insert\":\"e \"}]");
	change(&s, "[{\"retain\":4},{\"insert\":\"brown\"}]");
	assert_seen(&s, "The [brown] fox");
	for (i = 8; i >= 2; i--)
	{
		char json[60];

		snprintf(json, sizeof(json), "[{\"retain\":%d},{\"delete\":1}]", i);
		change(&s, json);
	}
	change(&s, "[{\"retain\":2},{\"insert\":\"e brown\"}]");
	assert_seen(&s, "The [brown] fox");
	anchor_free(s.anchor);
}

/* The undo of a replacement may keep what both texts have, and puts in the rest. */
static void
test_undo_that_keeps_letters(void **state)
{
	Scene s = scene(*state, "The [brown] fox");

	change(&s, "[{\"retain\":4},{\"insert\":\"crow\"},{\"delete\":5}]");
	assert_seen(&s, "The crow| fox");
	change(&s, "[{\"retain\":4},{\"insert\":\"b\"},{\"delete\":1},{\"retain\":3},{\"insert\":\"n\"}]");
	assert_seen(&s, "The [brown] fox");
	/* beside what somebody else has put there */
	change(&s, "[{\"retain\":4},{\"insert\":\"crow\"},{\"delete\":5}]");
	change(&s, "[{\"retain\":8},{\"insert\":\"REST\"}]");
	change(&s, "[{\"retain\":4},{\"insert\":\"b\"},{\"delete\":1},{\"retain\":3},{\"insert\":\"n\"}]");
	assert_seen(&s, "The [brown]REST fox");
	/* a longer word has it in itself */
	change(&s, "[{\"retain\":4},{\"insert\":\"brownish\"},{\"delete\":5}]");
	assert_seen(&s, "The [brown]ishREST fox");
	/* at an edge */
	change(&s, "[{\"retain\":2},{\"insert\":\"at\"},{\"delete\":4}]");
	assert_seen(&s, "That[own]ishREST fox");
	change(&s, "[{\"retain\":2},{\"insert\":\"e br\"},{\"delete\":2}]");
	assert_seen(&s, "The [brown]ishREST fox");
	change(&s, "[{\"retain\":7},{\"delete\":2}]");
	change(&s, "[{\"retain\":7},{\"insert\":\"nn\"}]");
	assert_seen(&s, "The [bro]nnishREST fox");
	change(&s, "[{\"retain\":7},{\"insert\":\"w\"},{\"retain\":1},{\"delete\":1}]");
	assert_seen(&s, "The [brown]ishREST fox");
	anchor_free(s.anchor);

	/* typed again, it is that as a whole, not where another text has it in itself */
	s = scene(*state, "<[cat]>");
	change(&s, "[{\"retain\":1},{\"delete\":3}]");
	change(&s, "[{\"retain\":1},{\"insert\":\"c\"}]");
	change(&s, "[{\"retain\":2},{\"insert\":\"a\"}]");
	assert_seen(&s, "<ca|>");
	change(&s, "[{\"retain\":3},{\"insert\":\"t\"}]");
	assert_seen(&s, "<[cat]>");
	change(&s, "[{\"retain\":1},{\"delete\":3}]");
	change(&s, "[{\"retain\":1},{\"insert\":\"a con\"}]");
	change(&s, "[{\"retain\":6},{\"insert\":\"cat\"}]");
	change(&s, "[{\"retain\":1},{\"insert\":\"x\"}]");
	assert_seen(&s, "<xa con[cat]>");
	anchor_free(s.anchor);
}

/* A save that writes the whole text anew. */
static void
test_rewritten(void **state)
{
	Scene s = scene(*state, "the cat and [the] dog");

	/* in its place */
	change(&s, "[{\"insert\":\"the cat and the dog and the mouse\"},{\"delete\":19}]");
	assert_seen(&s, "the cat and [the] dog and the mouse");
	/* elsewhere, but twice: better none than the wrong one */
	change(&s, "[{\"insert\":\"And so the cat and the mouse\"},{\"delete\":33}]");
	assert_seen(&s, "And so the cat and the mouse|");
	/* elsewhere, once */
	change(&s, "[{\"insert\":\"And so the mouse\"},{\"delete\":28}]");
	assert_seen(&s, "And so [the] mouse");
	anchor_free(s.anchor);
}

/* A word typed in place of another is not an undo, although letters are the same. */
static void
test_retyped(void **state)
{
	static const char word[] = "world";
	Scene			  s = scene(*state, "<[hello]!");
	int				  i;

	for (i = 5; i >= 1; i--)
	{
		char json[60];

		snprintf(json, sizeof(json), "[{\"retain\":%d},{\"delete\":1}]", i);
		change(&s, json);
	}
	for (i = 0; i < 5; i++)
	{
		char json[60];

		snprintf(json, sizeof(json), "[{\"retain\":%d},{\"insert\":\"%c\"}]", i + 1, word[i]);
		change(&s, json);
	}
	assert_seen(&s, "<world|!");
	anchor_free(s.anchor);
}

/* The middle went first, the rest later; they return in any order. */
static void
test_returns_in_any_order(void **state)
{
	Scene s = scene(*state, "a[bbccdd]e");

	change(&s, "[{\"retain\":3},{\"delete\":2}]");
	change(&s, "[{\"retain\":1},{\"delete\":4}]");
	assert_seen(&s, "a|e");
	change(&s, "[{\"retain\":1},{\"insert\":\"bbdd\"}]");
	assert_seen(&s, "a[bbdd]e");
	change(&s, "[{\"retain\":3},{\"insert\":\"cc\"}]");
	assert_seen(&s, "a[bbccdd]e");
	change(&s, "[{\"retain\":3},{\"delete\":2}]");
	change(&s, "[{\"retain\":1},{\"delete\":4}]");
	/* a small part, and not the last that went: it may be chance, until there is more of it */
	change(&s, "[{\"retain\":1},{\"insert\":\"cc\"}]");
	assert_seen(&s, "acc|e");
	change(&s, "[{\"retain\":1},{\"insert\":\"bb\"},{\"retain\":2},{\"insert\":\"dd\"}]");
	assert_seen(&s, "a[bbccdd]e");
	anchor_free(s.anchor);
}

static void
test_embeds(void **state)
{
	Arena *arena = *state;
	Scene  s = {arena, {NULL, 0}, NULL};
	Delta  undo;

	s.document =
		delta_of(arena, "[{\"insert\":\"ab\"},{\"insert\":{\"image\":\"x.png\"}},{\"insert\":{\"delta\":"
						"[{\"insert\":\"in\"}]}},{\"insert\":\"cd\"}]");
	s.anchor = anchor_over(arena, &s.document, 1, 5);
	assert_seen(&s, "a[b**c]d");
	undo = change(&s, "[{\"retain\":1},{\"delete\":4}]");
	change(&s, "[{\"retain\":1},{\"insert\":\"b\"},{\"insert\":{\"image\":\"y.png\"}},{\"insert\":{\"delta\":"
			   "[{\"insert\":\"in\"}]}},{\"insert\":\"c\"}]");
	assert_seen(&s, "ab**c|d");
	change(&s, "[{\"retain\":1},{\"delete\":4}]");
	make(&s, &undo);
	assert_seen(&s, "a[b**c]d");
	/* edited, deleted, undone */
	change(&s, "[{\"retain\":3},{\"retain\":{\"delta\":[{\"insert\":\"with\"}]}}]");
	undo = change(&s, "[{\"retain\":1},{\"delete\":4}]");
	make(&s, &undo);
	assert_seen(&s, "a[b**c]d");
	anchor_free(s.anchor);
}

static void
test_refuses(void **state)
{
	Arena	   *arena = *state;
	Delta		empty = {NULL, 0};
	Delta		text = delta_of(arena, "[{\"insert\":\"abc\"}]");
	Delta		not_text = delta_of(arena, "[{\"retain\":3},{\"insert\":\"abc\"}]");
	Anchor	   *anchor;
	CollabError err;

	assert_status(anchor_create(collab_malloc_alloc, 0, &empty, &anchor, &err), COLLAB_RANGE);
	assert_status(anchor_create(collab_malloc_alloc, -1, &text, &anchor, &err), COLLAB_RANGE);
	assert_status(anchor_create(collab_malloc_alloc, 0, &not_text, &anchor, &err), COLLAB_RANGE);
	assert_status(anchor_create(collab_malloc_alloc, INT64_C(9007199254740990), &text, &anchor, &err),
				  COLLAB_RANGE);
}

/* Whatever bit is flipped, and wherever the bytes end: it is noticed. */
static void
test_flipped_bits(void **state)
{
	Scene	s = scene(*state, "The [quick brown] fox");
	Anchor *none = NULL;
	Buf		bytes;
	size_t	i;

	change(&s, "[{\"retain\":2},{\"delete\":4},{\"retain\":3},{\"insert\":\"é\"},{\"delete\":2}]");
	buf_init(&bytes, collab_malloc_alloc);
	anchor_encode(s.anchor, &bytes);
	for (i = 0; i < bytes.size * 8; i++)
	{
		bytes.data[i / 8] ^= (char) (1 << i % 8);
		assert_status(anchor_decode(collab_malloc_alloc, (uint8_t *) bytes.data, bytes.size, &none, NULL),
					  COLLAB_CORRUPT);
		bytes.data[i / 8] ^= (char) (1 << i % 8);
	}
	for (i = 0; i < bytes.size; i++)
		assert_status(anchor_decode(collab_malloc_alloc, (uint8_t *) bytes.data, i, &none, NULL),
					  COLLAB_CORRUPT);
	buf_free(&bytes);
	anchor_free(s.anchor);
}

/* ---- bounds ---- */

static char *
repeated(Arena *arena, char c, size_t count)
{
	char *text = arena_alloc(arena, count + 1);

	assert_non_null(text);
	memset(text, c, count);
	text[count] = '\0';
	return text;
}

/* Text beyond the bound is known by its length, and still returns. */
static void
test_long_text(void **state)
{
	Arena  *arena = *state;
	Delta	document = plain(arena, repeated(arena, 'x', 200000));
	Anchor *anchor = anchor_over(arena, &document, 1000, 199000);
	Delta	removal = delta_of(arena, "[{\"retain\":500},{\"delete\":199000}]");
	Delta	undo;
	Buf		bytes;

	assert_true(anchor_memory(anchor) < 1000);
	assert_int_equal(delta_invert(arena, &removal, &document, &undo, NULL), COLLAB_OK);
	follow(arena, anchor, &removal);
	assert_true(anchor_range(anchor).orphaned);
	follow(arena, anchor, &undo);
	assert_int_equal(anchor_range(anchor).from, 1000);
	assert_int_equal(anchor_range(anchor).to, 199000);
	buf_init(&bytes, collab_malloc_alloc);
	anchor_encode(anchor, &bytes);
	assert_true(bytes.size < 20);
	buf_free(&bytes);
	anchor_free(anchor);
}

/* However much is typed and deleted in a range, its state stays within its bounds. */
static void
test_bounds(void **state)
{
	Arena  *arena = *state;
	Delta	document = plain(arena, "The brown fox");
	Anchor *anchor = anchor_over(arena, &document, 4, 9);
	Buf		bytes;
	int		i;

	for (i = 0; i < 3000; i++)
	{
		char  json[1200];
		Delta typed, removed;

		snprintf(json, sizeof(json), "[{\"retain\":5},{\"insert\":\"%d%s\"}]", i, repeated(arena, 'y', 900));
		typed = delta_of(arena, json);
		follow(arena, anchor, &typed);
		if (i % 3 == 0)
			continue;
		snprintf(json, sizeof(json), "[{\"retain\":%d},{\"delete\":%d}]", 5 + i % 7, 900 - i % 5);
		removed = delta_of(arena, json);
		follow(arena, anchor, &removed);
	}
	buf_init(&bytes, collab_malloc_alloc);
	anchor_encode(anchor, &bytes);
	printf("after 3,000 texts of 900 units inside a range: %zu bytes of state\n", bytes.size);
	assert_true(bytes.size < ANCHOR_TEXT_MAX + 10 * ANCHOR_ITEMS_MAX);
	assert_true(anchor_memory(anchor) < 8 * ANCHOR_TEXT_MAX);
	buf_free(&bytes);
	anchor_free(anchor);
}

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

/* The state goes through its binary form, which is the same every time. */
static Anchor *
through_bytes(Anchor *anchor)
{
	Anchor	   *decoded = NULL;
	CollabError err = {COLLAB_OK, -1, ""};
	Buf			bytes, again;
	char	   *exact;

	buf_init(&bytes, collab_malloc_alloc);
	buf_init(&again, collab_malloc_alloc);
	anchor_encode(anchor, &bytes);
	exact = exact_copy(bytes.data, bytes.size);
	if (anchor_decode(collab_malloc_alloc, (uint8_t *) exact, bytes.size, &decoded, &err) != COLLAB_OK)
		fail_msg("does not decode: %s", err.message);
	free(exact);
	anchor_encode(decoded, &again);
	assert_int_equal(again.size, bytes.size);
	assert_memory_equal(again.data, bytes.data, bytes.size);
	buf_free(&bytes);
	buf_free(&again);
	anchor_free(anchor);
	return decoded;
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
			follow(&arena, anchor, &edit);
			if (random_chance(&random, 30))
				anchor = through_bytes(anchor);
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
		follow(&c.arena, c.anchor, &edit);
		weak = weak || is_weak(c.anchor);
		if (random_chance(&c.random, 30))
			c.anchor = through_bytes(c.anchor);
	}
	while (i-- > 0)
	{
		AnchorRange range;
		bool		same;

		c.document = must_compose(&c.arena, &c.document, &undo[i]);
		follow(&c.arena, c.anchor, &undo[i]);
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
		arena_test(test_gravity),
		arena_test(test_ends_of_document),
		arena_test(test_split_paragraph),
		arena_test(test_undo_of_all),
		arena_test(test_undo_at_edges),
		arena_test(test_insert_where_deleted),
		arena_test(test_undo_of_several),
		arena_test(test_undo_that_keeps_letters),
		arena_test(test_rewritten),
		arena_test(test_retyped),
		arena_test(test_returns_in_any_order),
		arena_test(test_embeds),
		arena_test(test_refuses),
		arena_test(test_flipped_bits),
		arena_test(test_long_text),
		arena_test(test_bounds),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_undo_in_turn),
	};

	return cmocka_run_group_tests_name("anchor", tests, NULL, NULL);
}

/* test_anchor.c - anchors: gravity, orphans, and what returns by undo. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "anchor_scene.h"
#include "helpers.h"

static void
test_gravity(void **state)
{
	Scene s = scene_of(*state, "The [brown] fox");

	scene_change(&s, "[{\"retain\":4},{\"insert\":\"<\"}]");
	assert_seen(&s, "The <[brown] fox");
	scene_change(&s, "[{\"retain\":10},{\"insert\":\">\"}]");
	assert_seen(&s, "The <[brown]> fox");
	scene_change(&s, "[{\"retain\":6},{\"insert\":\"--\"}]");
	assert_seen(&s, "The <[b--rown]> fox");
	scene_change(&s, "[{\"insert\":\"ab\"},{\"retain\":17},{\"insert\":\"!\"}]");
	assert_seen(&s, "abThe <[b--rown]> fox!");
	scene_change(&s, "[{\"delete\":6}]");
	assert_seen(&s, "<[b--rown]> fox!");
	scene_change(&s, "[{\"retain\":2},{\"delete\":2},{\"retain\":5},{\"delete\":1}]");
	assert_seen(&s, "<[brown]>fox!");
	scene_change(&s, "[{\"delete\":3},{\"retain\":2},{\"delete\":4}]");
	assert_seen(&s, "[ow]x!");
	scene_change(&s, "[{\"retain\":4,\"attributes\":{\"bold\":true}}]");
	assert_seen(&s, "[ow]x!");
	anchor_free(s.anchor);
}

static void
test_ends_of_document(void **state)
{
	Scene s = scene_of(*state, "[all of it]");

	scene_change(&s, "[{\"insert\":\"<\"},{\"retain\":9},{\"insert\":\">\"}]");
	assert_seen(&s, "<[all of it]>");
	scene_change(&s, "[{\"delete\":1},{\"retain\":9},{\"delete\":1}]");
	assert_seen(&s, "[all of it]");
	scene_change(&s, "[{\"delete\":9}]");
	assert_seen(&s, "|");
	scene_change(&s, "[{\"insert\":\"new\"}]");
	assert_seen(&s, "new|");
	anchor_free(s.anchor);
}

/* A newline in the middle, at the start and at the end. */
static void
test_split_paragraph(void **state)
{
	Scene s = scene_of(*state, "The [brown fox] jumps");

	scene_change(&s, "[{\"retain\":9},{\"insert\":\"\\n\",\"attributes\":{\"header\":1}}]");
	assert_seen(&s, "The [brown\n fox] jumps");
	scene_change(&s, "[{\"retain\":4},{\"insert\":\"\\n\"}]");
	assert_seen(&s, "The \n[brown\n fox] jumps");
	scene_change(&s, "[{\"retain\":15},{\"insert\":\"\\n\"}]");
	assert_seen(&s, "The \n[brown\n fox]\n jumps");
	anchor_free(s.anchor);
}

static void
test_undo_of_all(void **state)
{
	Scene s = scene_of(*state, "The [brown] fox");
	Delta undo = scene_change(&s, "[{\"retain\":4},{\"delete\":5}]");

	assert_seen(&s, "The | fox");
	scene_make(&s, &undo);
	assert_seen(&s, "The [brown] fox");
	undo = scene_change(&s, "[{\"retain\":2},{\"delete\":9}]");
	assert_seen(&s, "Th|ox");
	scene_make(&s, &undo);
	assert_seen(&s, "The [brown] fox");
	/* replaced: insert and delete in one change, and in its undo */
	undo = scene_change(&s, "[{\"retain\":4},{\"insert\":\"red and green\"},{\"delete\":5}]");
	assert_seen(&s, "The red and green| fox");
	scene_make(&s, &undo);
	assert_seen(&s, "The [brown] fox");
	anchor_free(s.anchor);
}

static void
test_undo_at_edges(void **state)
{
	Scene s = scene_of(*state, "The [brown] fox");
	Delta undo = scene_change(&s, "[{\"retain\":2},{\"delete\":4}]");

	assert_seen(&s, "Th[own] fox");
	scene_make(&s, &undo);
	assert_seen(&s, "The [brown] fox");
	undo = scene_change(&s, "[{\"retain\":7},{\"delete\":4}]");
	assert_seen(&s, "The [bro]ox");
	scene_make(&s, &undo);
	assert_seen(&s, "The [brown] fox");
	/* an insertion of the same length is not the same */
	scene_change(&s, "[{\"retain\":7},{\"delete\":4}]");
	scene_change(&s, "[{\"retain\":7},{\"insert\":\"wm f\"}]");
	assert_seen(&s, "The [bro]wm fox");
	anchor_free(s.anchor);
}

/* Deleted by one, something else put there by another; the undo may come to either side of that. */
static void
test_insert_where_deleted(void **state)
{
	Scene s = scene_of(*state, "The [brown] fox");

	scene_change(&s, "[{\"retain\":4},{\"delete\":5}]");
	scene_change(&s, "[{\"retain\":4},{\"insert\":\"red\"}]");
	assert_seen(&s, "The red| fox");
	scene_change(&s, "[{\"retain\":4},{\"insert\":\"brown\"}]");
	assert_seen(&s, "The [brown]red fox");
	anchor_free(s.anchor);

	s = scene_of(*state, "The [brown] fox");
	scene_change(&s, "[{\"retain\":4},{\"delete\":5}]");
	scene_change(&s, "[{\"retain\":4},{\"insert\":\"red\"}]");
	scene_change(&s, "[{\"retain\":7},{\"insert\":\"brown\"}]");
	assert_seen(&s, "The red[brown] fox");
	/* an edge: what stands between belongs to the range afterwards */
	scene_change(&s, "[{\"retain\":7},{\"delete\":2}]");
	scene_change(&s, "[{\"retain\":7},{\"insert\":\"<>\"}]");
	assert_seen(&s, "The red<>[own] fox");
	scene_change(&s, "[{\"retain\":7},{\"insert\":\"br\"}]");
	assert_seen(&s, "The red[br<>own] fox");
	scene_change(&s, "[{\"retain\":13},{\"delete\":1}]");
	scene_change(&s, "[{\"retain\":13},{\"insert\":\"ns and dogs\"}]");
	assert_seen(&s, "The red[br<>ow]ns and dogs fox");
	anchor_free(s.anchor);
}

/* Backspace by backspace, then undone at once; and in two parts. */
static void
test_undo_of_several(void **state)
{
	Scene s = scene_of(*state, "The [brown] fox");
	int	  i;

	for (i = 8; i >= 2; i--)
	{
		char json[60];

		snprintf(json, sizeof(json), "[{\"retain\":%d},{\"delete\":1}]", i);
		scene_change(&s, json);
	}
	assert_seen(&s, "Th| fox");
	scene_change(&s, "[{\"retain\":2},{\"insert\":\"e \"}]");
	scene_change(&s, "[{\"retain\":4},{\"insert\":\"brown\"}]");
	assert_seen(&s, "The [brown] fox");
	for (i = 8; i >= 2; i--)
	{
		char json[60];

		snprintf(json, sizeof(json), "[{\"retain\":%d},{\"delete\":1}]", i);
		scene_change(&s, json);
	}
	scene_change(&s, "[{\"retain\":2},{\"insert\":\"e brown\"}]");
	assert_seen(&s, "The [brown] fox");
	anchor_free(s.anchor);
}

/* The undo of a replacement may keep what both texts have, and puts in the rest. */
static void
test_undo_that_keeps_letters(void **state)
{
	Scene s = scene_of(*state, "The [brown] fox");

	scene_change(&s, "[{\"retain\":4},{\"insert\":\"crow\"},{\"delete\":5}]");
	assert_seen(&s, "The crow| fox");
	scene_change(&s, "[{\"retain\":4},{\"insert\":\"b\"},{\"delete\":1},{\"retain\":3},{\"insert\":\"n\"}]");
	assert_seen(&s, "The [brown] fox");
	/* beside what somebody else has put there */
	scene_change(&s, "[{\"retain\":4},{\"insert\":\"crow\"},{\"delete\":5}]");
	scene_change(&s, "[{\"retain\":8},{\"insert\":\"REST\"}]");
	scene_change(&s, "[{\"retain\":4},{\"insert\":\"b\"},{\"delete\":1},{\"retain\":3},{\"insert\":\"n\"}]");
	assert_seen(&s, "The [brown]REST fox");
	/* a longer word has it in itself */
	scene_change(&s, "[{\"retain\":4},{\"insert\":\"brownish\"},{\"delete\":5}]");
	assert_seen(&s, "The [brown]ishREST fox");
	/* at an edge */
	scene_change(&s, "[{\"retain\":2},{\"insert\":\"at\"},{\"delete\":4}]");
	assert_seen(&s, "That[own]ishREST fox");
	scene_change(&s, "[{\"retain\":2},{\"insert\":\"e br\"},{\"delete\":2}]");
	assert_seen(&s, "The [brown]ishREST fox");
	scene_change(&s, "[{\"retain\":7},{\"delete\":2}]");
	scene_change(&s, "[{\"retain\":7},{\"insert\":\"nn\"}]");
	assert_seen(&s, "The [bro]nnishREST fox");
	scene_change(&s, "[{\"retain\":7},{\"insert\":\"w\"},{\"retain\":1},{\"delete\":1}]");
	assert_seen(&s, "The [brown]ishREST fox");
	anchor_free(s.anchor);

	/* typed again, it is that as a whole, not where another text has it in itself */
	s = scene_of(*state, "<[cat]>");
	scene_change(&s, "[{\"retain\":1},{\"delete\":3}]");
	scene_change(&s, "[{\"retain\":1},{\"insert\":\"c\"}]");
	scene_change(&s, "[{\"retain\":2},{\"insert\":\"a\"}]");
	assert_seen(&s, "<ca|>");
	scene_change(&s, "[{\"retain\":3},{\"insert\":\"t\"}]");
	assert_seen(&s, "<[cat]>");
	scene_change(&s, "[{\"retain\":1},{\"delete\":3}]");
	scene_change(&s, "[{\"retain\":1},{\"insert\":\"a con\"}]");
	scene_change(&s, "[{\"retain\":6},{\"insert\":\"cat\"}]");
	scene_change(&s, "[{\"retain\":1},{\"insert\":\"x\"}]");
	assert_seen(&s, "<xa con[cat]>");
	anchor_free(s.anchor);
}

/* A save that writes the whole text anew. */
static void
test_rewritten(void **state)
{
	Scene s = scene_of(*state, "the cat and [the] dog");

	/* in its place */
	scene_change(&s, "[{\"insert\":\"the cat and the dog and the mouse\"},{\"delete\":19}]");
	assert_seen(&s, "the cat and [the] dog and the mouse");
	/* elsewhere, but twice: better none than the wrong one */
	scene_change(&s, "[{\"insert\":\"And so the cat and the mouse\"},{\"delete\":33}]");
	assert_seen(&s, "And so the cat and the mouse|");
	/* elsewhere, once */
	scene_change(&s, "[{\"insert\":\"And so the mouse\"},{\"delete\":28}]");
	assert_seen(&s, "And so [the] mouse");
	anchor_free(s.anchor);
}

/* A word typed in place of another is not an undo, although letters are the same. */
static void
test_retyped(void **state)
{
	static const char word[] = "world";
	Scene			  s = scene_of(*state, "<[hello]!");
	int				  i;

	for (i = 5; i >= 1; i--)
	{
		char json[60];

		snprintf(json, sizeof(json), "[{\"retain\":%d},{\"delete\":1}]", i);
		scene_change(&s, json);
	}
	for (i = 0; i < 5; i++)
	{
		char json[60];

		snprintf(json, sizeof(json), "[{\"retain\":%d},{\"insert\":\"%c\"}]", i + 1, word[i]);
		scene_change(&s, json);
	}
	assert_seen(&s, "<world|!");
	anchor_free(s.anchor);
}

/* The middle went first, the rest later; they return in any order. */
static void
test_returns_in_any_order(void **state)
{
	Scene s = scene_of(*state, "a[bbccdd]e");

	scene_change(&s, "[{\"retain\":3},{\"delete\":2}]");
	scene_change(&s, "[{\"retain\":1},{\"delete\":4}]");
	assert_seen(&s, "a|e");
	scene_change(&s, "[{\"retain\":1},{\"insert\":\"bbdd\"}]");
	assert_seen(&s, "a[bbdd]e");
	scene_change(&s, "[{\"retain\":3},{\"insert\":\"cc\"}]");
	assert_seen(&s, "a[bbccdd]e");
	scene_change(&s, "[{\"retain\":3},{\"delete\":2}]");
	scene_change(&s, "[{\"retain\":1},{\"delete\":4}]");
	/* a small part, and not the last that went: it may be chance, until there is more of it */
	scene_change(&s, "[{\"retain\":1},{\"insert\":\"cc\"}]");
	assert_seen(&s, "acc|e");
	scene_change(&s, "[{\"retain\":1},{\"insert\":\"bb\"},{\"retain\":2},{\"insert\":\"dd\"}]");
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
	undo = scene_change(&s, "[{\"retain\":1},{\"delete\":4}]");
	scene_change(
		&s, "[{\"retain\":1},{\"insert\":\"b\"},{\"insert\":{\"image\":\"y.png\"}},{\"insert\":{\"delta\":"
			"[{\"insert\":\"in\"}]}},{\"insert\":\"c\"}]");
	assert_seen(&s, "ab**c|d");
	scene_change(&s, "[{\"retain\":1},{\"delete\":4}]");
	scene_make(&s, &undo);
	assert_seen(&s, "a[b**c]d");
	/* edited, deleted, undone */
	scene_change(&s, "[{\"retain\":3},{\"retain\":{\"delta\":[{\"insert\":\"with\"}]}}]");
	undo = scene_change(&s, "[{\"retain\":1},{\"delete\":4}]");
	scene_make(&s, &undo);
	assert_seen(&s, "a[b**c]d");
	anchor_free(s.anchor);
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
	};

	return cmocka_run_group_tests_name("anchor", tests, NULL, NULL);
}

/* test_anchor_state.c - the state of anchors: what is refused, its binary form, its bounds. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "anchor_scene.h"
#include "edits.h"
#include "helpers.h"

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
	Scene	s = scene_of(*state, "The [quick brown] fox");
	Anchor *none = NULL;
	Buf		bytes;
	size_t	i;

	scene_change(&s, "[{\"retain\":2},{\"delete\":4},{\"retain\":3},{\"insert\":\"é\"},{\"delete\":2}]");
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
	Delta	document = plain_document(arena, repeated(arena, 'x', 200000));
	Anchor *anchor = anchor_over(arena, &document, 1000, 199000);
	Delta	removal = delta_of(arena, "[{\"retain\":500},{\"delete\":199000}]");
	Delta	undo;
	Buf		bytes;

	assert_true(anchor_memory(anchor) < 1000);
	assert_int_equal(delta_invert(arena, &removal, &document, &undo, NULL), COLLAB_OK);
	anchor_follow(arena, anchor, &removal);
	assert_true(anchor_range(anchor).orphaned);
	anchor_follow(arena, anchor, &undo);
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
	Delta	document = plain_document(arena, "The brown fox");
	Anchor *anchor = anchor_over(arena, &document, 4, 9);
	Buf		bytes;
	int		i;

	for (i = 0; i < 3000; i++)
	{
		char  json[1200];
		Delta typed, removed;

		snprintf(json, sizeof(json), "[{\"retain\":5},{\"insert\":\"%d%s\"}]", i, repeated(arena, 'y', 900));
		typed = delta_of(arena, json);
		anchor_follow(arena, anchor, &typed);
		if (i % 3 == 0)
			continue;
		snprintf(json, sizeof(json), "[{\"retain\":%d},{\"delete\":%d}]", 5 + i % 7, 900 - i % 5);
		removed = delta_of(arena, json);
		anchor_follow(arena, anchor, &removed);
	}
	buf_init(&bytes, collab_malloc_alloc);
	anchor_encode(anchor, &bytes);
	printf("after 3,000 texts of 900 units inside a range: %zu bytes of state\n", bytes.size);
	assert_true(bytes.size < ANCHOR_TEXT_MAX + 10 * ANCHOR_ITEMS_MAX);
	assert_true(anchor_memory(anchor) < 8 * ANCHOR_TEXT_MAX);
	buf_free(&bytes);
	anchor_free(anchor);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		arena_test(test_refuses),
		arena_test(test_flipped_bits),
		arena_test(test_long_text),
		arena_test(test_bounds),
	};

	return cmocka_run_group_tests_name("anchor_state", tests, NULL, NULL);
}

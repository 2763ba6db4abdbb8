/* anchor_scene.c - documents with an anchor in them, seen as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "anchor_scene.h"
#include "edits.h"
#include "helpers.h"

Delta
plain_document(Arena *arena, const char *text)
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

Anchor *
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
Scene
scene_of(Arena *arena, const char *text)
{
	Scene		scene = {arena, {NULL, 0}, NULL};
	const char *open = strchr(text, '[');
	const char *close = strchr(text, ']');
	char		bare[200];

	snprintf(bare, sizeof(bare), "%.*s%.*s%s", (int) (open - text), text, (int) (close - open - 1), open + 1,
			 close + 1);
	scene.document = plain_document(arena, bare);
	scene.anchor = anchor_over(arena, &scene.document, open - text, close - text - 1);
	return scene;
}

void
anchor_follow(Arena *arena, Anchor *anchor, const Delta *change)
{
	AnchorEdit edit;

	assert_int_equal(anchor_edit(arena, change, &edit, NULL), COLLAB_OK);
	assert_int_equal(anchor_apply(anchor, &edit, NULL), COLLAB_OK);
	if (anchor_fault(anchor) != NULL)
		fail_msg("%s", anchor_fault(anchor));
}

/* Applies a change and gives the one that undoes it. */
Delta
scene_change(Scene *scene, const char *json)
{
	Delta change = delta_of(scene->arena, json);
	Delta undo;

	assert_int_equal(delta_invert(scene->arena, &change, &scene->document, &undo, NULL), COLLAB_OK);
	scene->document = must_compose(scene->arena, &scene->document, &change);
	anchor_follow(scene->arena, scene->anchor, &change);
	return undo;
}

void
scene_make(Scene *scene, const Delta *change)
{
	scene->document = must_compose(scene->arena, &scene->document, change);
	anchor_follow(scene->arena, scene->anchor, change);
}

const char *
scene_text(Scene *scene)
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

Anchor *
anchor_through_bytes(Anchor *anchor)
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

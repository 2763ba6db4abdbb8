/* fuzz_binary.c - bytes in: what decodes is canonical, encodes to the same bytes and survives the text form. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/properties.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool good, const char *what, const char *details)
{
	if (good)
		return;
	fprintf(stderr, "fuzz_binary: %s: %s\n", what, details);
	abort();
}

/* Two halves of the input, each decoded, meet in the algebra: the results of a decode have to be safe to work with. */
static void
work_with(Arena *arena, const Delta *a, const uint8_t *data, size_t size)
{
	Delta b, out;

	if (delta_decode(arena, data, size, &b, NULL) != COLLAB_OK)
		b = *a;
	if (delta_compose(arena, a, &b, &out, NULL) == COLLAB_OK)
		require(canonical_fault(&out) == NULL, "compose: not canonical", show(arena, &out));
	if (delta_transform(arena, a, &b, true, &out, NULL) == COLLAB_OK)
		require(canonical_fault(&out) == NULL, "transform: not canonical", show(arena, &out));
	if (delta_invert(arena, &b, a, &out, NULL) == COLLAB_OK)
		require(canonical_fault(&out) == NULL, "invert: not canonical", show(arena, &out));
	(void) delta_transform_position(a, delta_length(&b), false);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CollabError error = {COLLAB_OK, -1, ""};
	size_t		split = size > 0 && data[0] < size ? data[0] : size;
	Arena		arena;
	Delta		delta, parsed;
	const char *text;
	Buf			again;

	/* The first byte says where a second delta begins; the fuzzer finds out by itself. */
	if (size > 0)
	{
		data++;
		size--;
		split = split > size ? size : split;
	}
	arena_init(&arena, collab_malloc_alloc);
	if (delta_decode(&arena, data, split, &delta, &error) == COLLAB_OK)
	{
		text = show(&arena, &delta);
		require(canonical_fault(&delta) == NULL, canonical_fault(&delta), text);
		buf_init(&again, collab_malloc_alloc);
		delta_encode(&delta, &again);
		require(!again.failed && again.size == split && (split == 0 || memcmp(again.data, data, split) == 0),
				"encoding what was decoded gives other bytes", text);
		buf_free(&again);
		require(delta_parse(&arena, text, strlen(text), &delta_limits_none, &parsed, &error) == COLLAB_OK,
				error.message, text);
		require(delta_equal(&delta, &parsed), "the text form is another delta", text);
		work_with(&arena, &delta, data + split, size - split);
	}
	else
		require(error.status != COLLAB_OK && error.message[0] != '\0', "refused without a reason", "");
	arena_free(&arena);
	return 0;
}

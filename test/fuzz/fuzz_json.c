/* fuzz_json.c - JSON in: what parses prints to a fixed point in canonical form, and survives the binary form. */
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
	fprintf(stderr, "fuzz_json: %s: %s\n", what, details);
	abort();
}

static void
check_accepted(Arena *arena, const Delta *first, const DeltaLimits *limits)
{
	CollabError error = {COLLAB_OK, -1, ""};
	const char *text = show(arena, first);
	const char *fault = canonical_fault(first);
	Delta		second, third;
	Buf			binary;

	require(fault == NULL, fault, text);
	require(delta_parse(arena, text, strlen(text), limits, &second, &error) == COLLAB_OK, error.message, text);
	require(delta_equal(first, &second), "parsing what was printed gives another delta", text);
	require(strcmp(text, show(arena, &second)) == 0, "printing twice gives two texts", text);

	buf_init(&binary, collab_malloc_alloc);
	delta_encode(first, &binary);
	require(!binary.failed, "out of memory", "");
	require(delta_decode(arena, (const uint8_t *) binary.data, binary.size, &third, &error) == COLLAB_OK,
			error.message, text);
	require(delta_equal(first, &third), "the binary form is another delta", text);
	require(delta_length(&third) == delta_length(first) &&
				delta_base_length(&third) == delta_base_length(first),
			"the binary form has other lengths", text);
	buf_free(&binary);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CollabError error = {COLLAB_OK, -1, ""};
	Arena		arena;
	Delta		delta, strict;
	bool		parsed;

	arena_init(&arena, collab_malloc_alloc);
	parsed = delta_parse(&arena, (const char *) data, size, &delta_limits_none, &delta, &error) == COLLAB_OK;
	if (parsed)
		check_accepted(&arena, &delta, &delta_limits_none);
	else
	{
		require(error.status != COLLAB_OK && error.message[0] != '\0', "refused without a reason", "");
		require(memchr(error.message, '\0', sizeof(error.message)) != NULL, "a message without end", "");
		require(error.where >= -1 && error.where <= (int64_t) size, "an error outside of the input",
				error.message);
	}
	/* The limits only ever refuse more. */
	if (delta_parse(&arena, (const char *) data, size, &delta_limits_default, &strict, &error) == COLLAB_OK)
	{
		require(parsed, "limits accept what is refused without them", "");
		require(delta_equal(&delta, &strict), "limits change the result", "");
	}
	arena_free(&arena);
	return 0;
}

/* fuzz_anchor.c - bytes in: what decodes as an anchor is whole, encodes to the same bytes and stays whole under any change. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/anchor.h"
#include "../../core/hash.h"
#include "../core/random_delta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool good, const char *what, const char *details)
{
	if (good)
		return;
	fprintf(stderr, "fuzz_anchor: %s: %s\n", what, details);
	abort();
}

/* Writes, reads back, compares; the anchor that was read takes the place of the other. */
static Anchor *
through_bytes(Anchor *anchor, const uint8_t *expected, size_t size)
{
	CollabError error = {COLLAB_OK, -1, ""};
	Anchor	   *again = NULL;
	Buf			first, second;

	buf_init(&first, collab_malloc_alloc);
	buf_init(&second, collab_malloc_alloc);
	anchor_encode(anchor, &first);
	require(expected == NULL || (first.size == size && memcmp(first.data, expected, size) == 0),
			"encoding what was decoded gives other bytes", "");
	require(anchor_decode(collab_malloc_alloc, (const uint8_t *) first.data, first.size, &again, &error) ==
				COLLAB_OK,
			"what was encoded does not decode", error.message);
	anchor_encode(again, &second);
	require(first.size == second.size && memcmp(first.data, second.data, first.size) == 0,
			"encoding twice gives other bytes", "");
	buf_free(&first);
	buf_free(&second);
	anchor_free(anchor);
	return again;
}

static void
seal(Buf *bytes)
{
	uint32_t checksum = collab_anchor_checksum(bytes->data, bytes->size);
	int		 i;

	for (i = 0; i < 4; i++)
		buf_char(bytes, (char) (checksum >> (8 * i)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CollabError error = {COLLAB_OK, -1, ""};
	size_t		split = size > 0 && data[0] < size ? data[0] : size;
	Anchor	   *anchor = NULL;
	Random		random;
	Buf			sealed;
	int			i;

	if (size > 0)
	{
		data++;
		size--;
		split = split > size ? size : split;
	}
	/* The fuzzer cannot guess checksums: as it stands first, then with the right one. */
	if (anchor_decode(collab_malloc_alloc, data, split, &anchor, &error) == COLLAB_OK)
		anchor = through_bytes(anchor, data, split);
	else
	{
		require(error.status == COLLAB_CORRUPT && error.message[0] != '\0', "refused without a reason", "");
		buf_init(&sealed, collab_malloc_alloc);
		buf_bytes(&sealed, data, split);
		seal(&sealed);
		anchor = NULL;
		if (anchor_decode(collab_malloc_alloc, (const uint8_t *) sealed.data, sealed.size, &anchor, &error) ==
			COLLAB_OK)
			anchor = through_bytes(anchor, (const uint8_t *) sealed.data, sealed.size);
		buf_free(&sealed);
		if (anchor == NULL)
			return 0;
	}
	random_from_bytes(&random, data + split, size - split);
	for (i = 0; i < 8 && random.left > 0; i++)
	{
		Arena		arena;
		Delta		change;
		AnchorEdit	edit;
		AnchorRange range;

		arena_init(&arena, collab_malloc_alloc);
		change = random_loose_change(&random, &arena, &random_rich);
		require(anchor_edit(&arena, &change, &edit, &error) == COLLAB_OK, "edit", error.message);
		require(anchor_apply(anchor, &edit, &error) == COLLAB_OK, "apply", error.message);
		range = anchor_range(anchor);
		require(range.from <= range.to && range.orphaned == (range.from == range.to), "range", "");
		require(anchor_fault(anchor) == NULL || range.to > INT64_C(9007199254740000), anchor_fault(anchor),
				show(&arena, &change));
		arena_free(&arena);
	}
	if (anchor_fault(anchor) == NULL)
		anchor = through_bytes(anchor, NULL, 0);
	anchor_free(anchor);
	return 0;
}

/* fuzz_segment.c - bytes in: an object of the cold store is refused, or comes out of the writer as it went into the reader. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "fuzz_segment: %s\n", what);
	abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CollabError	   error = {COLLAB_OK, -1, ""};
	SegmentReader  reader;
	const uint8_t *chunk;
	CollabStatus   status;
	uint32_t	   bytes = 1;
	uint8_t		   hash[32] = {0};
	char		   name[SEGMENT_NAME_MAX + 1];
	Buf			   again;

	status = segment_open(data, size, &reader, &error);
	if (status == COLLAB_OK)
	{
		segment_name(&reader.header, hash, name);
		require(strlen(name) < SEGMENT_NAME_MAX, "a name is too long");
		buf_init(&again, collab_malloc_alloc);
		segment_begin(&again, &reader.header);
		while ((status = segment_next(&reader, &chunk, &bytes, &error)) == COLLAB_OK && bytes > 0)
			segment_add(&again, chunk, bytes);
		require(!again.failed, "out of memory");
		require(status != COLLAB_OK || (again.size == size && memcmp(again.data, data, size) == 0),
				"what was read is not what was there");
		buf_free(&again);
	}
	require(status == COLLAB_OK || (status == COLLAB_CORRUPT && error.message[0] != '\0'),
			"refused without a reason");
	return 0;
}

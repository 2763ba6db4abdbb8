/* fuzz_algebra.c - bytes in, decisions out: the laws of test_properties, on cases that coverage leads to. */
#include <stdio.h>
#include <stdlib.h>

#include "../core/properties.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte chooses the law, the second the kind of text, the others make every decision of the generator. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const Property *property;
	RandomProfile	profile = random_rich;
	Random			random;
	Arena			arena;
	const char	   *fault;

	if (size < 2)
		return 0;
	property = &properties[data[0] % property_count];
	profile.attributes = !(data[1] & 1);
	profile.embeds = !(data[1] & 2);
	profile.pairs = !(data[1] & 4);
	profile.max_ops = 1 + data[1] / 8;
	random_from_bytes(&random, data + 2, size - 2);
	arena_init(&arena, collab_malloc_alloc);
	fault = property->check(&random, &arena, &profile);
	if (fault != NULL)
	{
		fprintf(stderr, "fuzz_algebra: %s: %s\n", property->name, fault);
		abort();
	}
	arena_free(&arena);
	return 0;
}

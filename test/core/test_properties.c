/* test_properties.c - the laws of the algebra over random cases. PROPERTY_SEED and PROPERTY_CASES choose others. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "properties.h"

#define DEFAULT_CASES 10000

static uint64_t first_seed;
static uint64_t cases;

/* Every third case is plain text, the common case, where fast paths are tempting; a few are large. */
static const RandomProfile *
profile_of(uint64_t seed)
{
	return seed % 3 == 0 ? &random_plain : seed % 100 == 1 ? &random_large : &random_rich;
}

static void
run_property(void **state)
{
	const Property *property = *state;
	Arena			arena;
	uint64_t		i;

	arena_init(&arena, collab_malloc_alloc);
	for (i = 0; i < cases; i++)
	{
		uint64_t	seed = first_seed + i;
		Random		random;
		const char *fault;

		random_seed(&random, seed);
		fault = property->check(&random, &arena, profile_of(seed));
		if (fault != NULL)
		{
			/* fail_msg() would cut it off after 1024 bytes. */
			fprintf(stderr, "%s is broken by PROPERTY_SEED=%" PRIu64 " PROPERTY_CASES=1:\n  %s\n",
					property->name, seed, fault);
			arena_free(&arena);
			fail();
		}
		arena_reset(&arena);
	}
	arena_free(&arena);
}

/*
 * Transform is not closed under compose: carrying a change over two events one by one may differ from carrying it
 * over their composition. So catch-up has to go event by event, and this test has to keep passing on both counts.
 */
static void
test_not_closed_under_compose(void **state)
{
	Arena		arena;
	Delta		b0, b1, both, x, stepwise, at_once;
	CollabError error;

	(void) state;
	arena_init(&arena, collab_malloc_alloc);
	b0 = must_parse(&arena, "[{\"delete\":3}]", 14);
	b1 = must_parse(&arena, "[{\"insert\":\"e\"}]", 16);
	x = must_parse(&arena, "[{\"retain\":2},{\"insert\":\"q\"}]", 29);

	assert_int_equal(delta_transform(&arena, &b0, &x, false, &stepwise, &error), COLLAB_OK);
	assert_int_equal(delta_transform(&arena, &b1, &stepwise, false, &stepwise, &error), COLLAB_OK);
	assert_string_equal(show(&arena, &stepwise), "{\"ops\":[{\"insert\":\"q\"}]}");

	assert_int_equal(delta_compose(&arena, &b0, &b1, &both, &error), COLLAB_OK);
	assert_int_equal(delta_transform(&arena, &both, &x, false, &at_once, &error), COLLAB_OK);
	assert_string_equal(show(&arena, &at_once), "{\"ops\":[{\"retain\":1},{\"insert\":\"q\"}]}");

	printf("not closed under compose: step by step %s, over the composition %s\n", show(&arena, &stepwise),
		   show(&arena, &at_once));
	arena_free(&arena);
}

int
main(void)
{
	const char		 *seed = getenv("PROPERTY_SEED");
	const char		 *count = getenv("PROPERTY_CASES");
	struct CMUnitTest tests[32];
	size_t			  i;

	first_seed = seed != NULL ? strtoull(seed, NULL, 10)
							  : ((uint64_t) time(NULL) << 20 ^ (uint64_t) getpid() << 44) >> 8;
	cases = count != NULL ? strtoull(count, NULL, 10) : DEFAULT_CASES;
	printf("properties: %" PRIu64 " cases each, PROPERTY_SEED=%" PRIu64 "\n", cases, first_seed);
	memset(tests, 0, sizeof(tests));
	for (i = 0; i < property_count; i++)
	{
		tests[i].name = properties[i].name;
		tests[i].test_func = run_property;
		tests[i].initial_state = (void *) &properties[i];
	}
	tests[i].name = "transform is not closed under compose";
	tests[i++].test_func = test_not_closed_under_compose;
	return _cmocka_run_group_tests("properties", tests, i, NULL, NULL);
}

/* test_duration.c - durations and their buckets. */
#include "helpers.h"

#include "../../core/duration.h"

static void
test_buckets(void **state)
{
	(void) state;
	assert_int_equal(duration_bucket(0), 0);
	assert_int_equal(duration_bucket(UINT64_MAX), DURATION_BOUNDS);
	for (int i = 0; i < DURATION_BOUNDS; i++)
	{
		assert_true(i == 0 || duration_bounds[i] > duration_bounds[i - 1]);
		assert_int_equal(duration_bucket(duration_bounds[i]), i);
		assert_int_equal(duration_bucket((uint64_t) duration_bounds[i] + 1), i + 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_buckets)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

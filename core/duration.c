/* duration.c - the sizes that durations are counted by: what all programs say of them can be added up. */
#include "duration.h"

const uint32_t duration_bounds[DURATION_BOUNDS] = {10,	   25,	   50,	   100,		250,	 500,
												   1000,   2500,   5000,   10000,	25000,	 50000,
												   100000, 250000, 500000, 1000000, 2500000, 10000000};

int
duration_bucket(uint64_t micros)
{
	int bucket = 0;

	while (bucket < DURATION_BOUNDS && micros > duration_bounds[bucket])
		bucket++;
	return bucket;
}

/* samples.c - latency samples and their quantiles. */
#include "samples.h"

#include <stdlib.h>

void
samples_add(Samples *s, uint64_t nanoseconds)
{
	if (s->count == s->capacity)
	{
		s->capacity = s->capacity * 2 + 4096;
		s->us = realloc(s->us, s->capacity * sizeof *s->us);
		if (s->us == NULL)
			abort();
	}
	s->us[s->count++] = (uint32_t) (nanoseconds / 1000);
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *) a;
	uint32_t y = *(const uint32_t *) b;

	return (x > y) - (x < y);
}

double
samples_quantile_ms(Samples *s, double q)
{
	if (s->count == 0)
		return 0;
	qsort(s->us, s->count, sizeof *s->us, compare);
	return s->us[(size_t) (q * (double) (s->count - 1))] / 1000.0;
}

void
samples_free(Samples *s)
{
	free(s->us);
	s->us = NULL;
	s->count = s->capacity = 0;
}

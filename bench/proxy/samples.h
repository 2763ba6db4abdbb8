/* samples.h - latency samples and their quantiles. */
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

typedef struct Samples
{
	uint32_t *us; /* microseconds */
	size_t	  count;
	size_t	  capacity;
} Samples;

void samples_add(Samples *s, uint64_t nanoseconds);
/* Milliseconds at quantile q (0..1); sorts in place; 0 without samples. */
double samples_quantile_ms(Samples *s, double q);
void   samples_free(Samples *s);

#endif

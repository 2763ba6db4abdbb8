/* duration.h - the sizes that durations are counted by: what all programs say of them can be added up. */
#ifndef COLLAB_DURATION_H
#define COLLAB_DURATION_H

#include <stdint.h>

#define DURATION_BOUNDS 18
#define DURATION_BUCKETS (DURATION_BOUNDS + 1) /* the last is for what is above all bounds */

/* Upper bounds of the buckets, in microseconds, from the smallest; a bound belongs to its bucket. */
extern const uint32_t duration_bounds[DURATION_BOUNDS];

int duration_bucket(uint64_t micros);

#endif

/* transform_times.h - how long operations of this session took to be carried from their base to the head. */
#ifndef COLLAB_TRANSFORM_TIMES_H
#define COLLAB_TRANSFORM_TIMES_H

#include "postgres.h"

extern void transform_times_add(uint64 micros);

#endif

/* slot.h - what a worker shows of itself: life, readiness, numbers. Under a supervisor it lies in memory shared with that. */
#ifndef COLLAB_PROXY_SLOT_H
#define COLLAB_PROXY_SLOT_H

#include <sys/types.h>

#include "metrics.h"
#include "pg_server.h"

typedef enum SlotState
{
	SLOT_STARTING,
	SLOT_SERVING,
	SLOT_DRAINING
} SlotState;

/* Written by the worker, read by whoever serves the admin address; every field is written at once. */
typedef struct Slot
{
	uint64_t	 state;
	uint64_t	 beat;	   /* when its loop showed life last: milliseconds of CLOCK_MONOTONIC */
	uint64_t	 database; /* 1: all connections to the database are up */
	uint64_t	 full;	   /* 1: takes nobody in: max_connections is reached, or descriptors have run out */
	uint64_t	 leaving; /* 1: the supervisor is about to end everything; it writes this field and `known` */
	PgServerSeen seen;	  /* of the database, by this worker */
	PgServerSeen known;	  /* by any */
	MetricsBlock metrics;
} Slot;

/* A worker that runs, as others see it. */
typedef struct SlotRef
{
	int			worker;
	pid_t		pid;
	const Slot *slot;
} SlotRef;

static inline bool
slot_is_ready(const Slot *slot)
{
	return slot->state == SLOT_SERVING && slot->database == 1 && slot->full == 0;
}

#endif

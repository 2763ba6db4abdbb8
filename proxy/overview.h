/* overview.h - what the admin address answers: health, readiness and numbers of all workers together. */
#ifndef COLLAB_PROXY_OVERVIEW_H
#define COLLAB_PROXY_OVERVIEW_H

#include "admin.h"
#include "slot.h"

/* Why workers were started again, or not at all. */
typedef struct OverviewCounts
{
	uint64_t crashed; /* ended by themselves */
	uint64_t hung;	  /* showed no life any more and were killed */
	uint64_t rolled;  /* replaced on request */
} OverviewCounts;

typedef struct Overview
{
	const SlotRef		 *refs; /* those that run; the ones of one worker stand together */
	int					  count;
	int					  wanted;	  /* the setting workers */
	pid_t				  supervisor; /* 0: there is none */
	const MetricsBlock	 *retired;	  /* of workers that have ended */
	const OverviewCounts *counts;
	bool				  draining;
} Overview;

/* Milliseconds without a sign of life after which a worker counts as hanging. */
#define OVERVIEW_SILENCE_MS 1250

/* Answers /healthz, /livez, /readyz and /metrics; anything else is 404. */
void overview_answer(const Overview *overview, const char *path, size_t bytes, AdminReply *reply);

#endif

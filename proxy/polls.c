/* polls.c - what the database counts, and the proxy shows. */
#include "polls.h"

#include "metrics.h"

/* ---- transformations ---- */

static void
take_transform_times(const PgResult *result)
{
	for (int row = 0; row < pg_rows(result); row++)
	{
		uint64_t up_to = pg_null(result, row, 0) ? UINT64_MAX : (uint64_t) pg_int8(result, row, 0);

		metrics_observe_bucket(HISTOGRAM_TRANSFORM, duration_bucket(up_to),
							   (uint64_t) pg_int8(result, row, 1), (uint64_t) pg_int8(result, row, 2));
	}
}

const PollKind poll_transform_times = {"SELECT up_to, operations, micros FROM collab.transform_times()", 1000,
									   take_transform_times};

/* ---- the database ---- */

static void
take_database(const PgResult *result)
{
	static const MetricId ids[] = {METRIC_WORKER_BACKLOG, METRIC_WORKER_SNAPSHOTS, METRIC_WORKER_FAILURES,
								   METRIC_QUARANTINED, METRIC_NOTIFY_QUEUE};

	for (int i = 0; pg_rows(result) == 1 && i < (int) (sizeof(ids) / sizeof(ids[0])); i++)
		metrics_set(ids[i], pg_null(result, 0, i) ? METRICS_UNKNOWN : METRICS_KNOWN(pg_int8(result, 0, i)));
}

const PollKind poll_database = {
	"SELECT backlog, snapshots, failures, quarantined, (pg_catalog.pg_notification_queue_usage() * 1e6)::bigint"
	" FROM collab.metrics()",
	5000, take_database};

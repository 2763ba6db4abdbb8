/* metrics.c - metrics(): numbers of this database for monitoring, cheap enough to be asked for all the time. */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"

#include "quarantine.h"
#include "worker_state.h"

#define METRICS_COLUMNS 4

PG_FUNCTION_INFO_V1(metrics);
Datum
metrics(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	WorkerState state;
	int			backlog = -1;
	Datum		values[METRICS_COLUMNS] = {0};
	bool		nulls[METRICS_COLUMNS];

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	memset(nulls, true, sizeof(nulls));
	if (worker_state_read(&state, &backlog))
	{
		values[0] = Int64GetDatum(backlog);
		nulls[0] = backlog < 0;
		values[1] = Int64GetDatum(state.snapshots);
		values[2] = Int64GetDatum(state.failures);
		nulls[1] = nulls[2] = false;
	}
	values[3] = Int64GetDatum(quarantine_count());
	nulls[3] = false;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

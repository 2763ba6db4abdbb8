/* transform_times.c - how long operations of this session took to be carried from their base to the head. */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"

#include "duration.h"
#include "transform_times.h"

/* Of one size. */
typedef struct Bucket
{
	int64 operations;
	int64 micros; /* of all of them */
} Bucket;

static Bucket buckets[DURATION_BUCKETS];

void
transform_times_add(uint64 micros)
{
	Bucket *bucket = &buckets[duration_bucket(micros)];

	bucket->operations++;
	bucket->micros += micros;
}

/* What has been added since the last call. A transaction that is rolled back took its time all the same. */
PG_FUNCTION_INFO_V1(transform_times);
Datum
transform_times(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int			   i;

	InitMaterializedSRF(fcinfo, 0);
	for (i = 0; i < DURATION_BUCKETS; i++)
	{
		Datum values[3];
		bool  nulls[3] = {false, false, false};

		if (buckets[i].operations == 0)
			continue;
		nulls[0] = i == DURATION_BOUNDS;
		values[0] = nulls[0] ? (Datum) 0 : Int64GetDatum(duration_bounds[i]);
		values[1] = Int64GetDatum(buckets[i].operations);
		values[2] = Int64GetDatum(buckets[i].micros);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	memset(buckets, 0, sizeof(buckets));
	return (Datum) 0;
}

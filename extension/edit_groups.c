/* edit_groups.c - how long a pause may be inside of one edit. */
#include "postgres.h"

#include "utils/timestamp.h"

#include "edit_groups.h"

/* Whoever means "any pause". */
#define GAP_MAX INT64CONST(1000000000000000000)

int64
edit_gap(const Interval *gap)
{
	double months = (double) gap->month * DAYS_PER_MONTH;
	double length = (months + gap->day) * USECS_PER_DAY + (double) gap->time;

	if (length < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("gap must not be negative")));
	return length < (double) GAP_MAX ? (int64) length : GAP_MAX;
}

/* delta_slice.c - a part of a Delta. */
#include "delta_internal.h"

CollabStatus
delta_slice(Arena *arena, const Delta *delta, int64_t from, int64_t to, Delta *out, CollabError *err)
{
	int64_t		 at = 0;
	DeltaBuilder builder;
	DeltaIter	 iter;
	CollabStatus status;

	if (to < 0)
		to = INT64_MAX;
	status = delta_builder_init(&builder, arena, delta->count, err);
	if (status != COLLAB_OK)
		return status;
	delta_iter_init(&iter, delta);
	while (!delta_iter_done(&iter) && at < to)
	{
		bool	wanted = at >= from;
		int64_t units = wanted ? to - at : from - at;
		DeltaOp op;

		if (units > iter.cur.units)
			units = iter.cur.units;
		if (!delta_iter_take(&iter, units, &op))
			return collab_fail(err, COLLAB_SURROGATE, at + units, "position %lld is inside a surrogate pair",
							   (long long) (at + units));
		if (wanted)
			delta_builder_push(&builder, &op);
		at += units;
	}
	return delta_builder_finish(&builder, out, err);
}

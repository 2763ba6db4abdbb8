/* edit_groups.h - which events make one edit in the eyes of a person. */
#ifndef COLLAB_EDIT_GROUPS_H
#define COLLAB_EDIT_GROUPS_H

#include "postgres.h"

#include "datatype/timestamp.h"

/*
 * An edit is a run of events of one user, whatever others did in between, in which no two neighbours
 * are further apart than a gap. An event that undid something is an edit of its own, and nothing
 * reaches across one that concerns its user. And, so that an edit can be shown without reading a
 * history that has no gap to its start, none reaches across a version that is a multiple of
 * EDIT_VERSIONS.
 */
#define EDIT_VERSIONS 10000

/* Does an event of the same user, older than those of an edit that starts at first_version, belong to it? */
static inline bool
edit_reaches(int64 version, TimestampTz created_at, int64 first_version, TimestampTz started_at, int64 gap)
{
	return started_at - created_at <= gap && version / EDIT_VERSIONS == first_version / EDIT_VERSIONS;
}

/* The gap in microseconds; raises where it is negative. Infinitely long ones are cut to what can be counted. */
extern int64 edit_gap(const Interval *gap);

#endif

/* snapshot_rule.h - when a snapshot is written and which old ones are kept. The bounds stand in docs/worker.md. */
#ifndef COLLAB_SNAPSHOT_RULE_H
#define COLLAB_SNAPSHOT_RULE_H

#include "postgres.h"

/*
 * What an event costs beside its op, in bytes: its row and index entry in the table and in WAL. An estimate
 * on the low side.
 */
#define SNAPSHOT_EVENT_BYTES 150

/* Events as large as this together are worth a snapshot even if they are few. */
#define SNAPSHOT_TAIL_BYTES (1024 * 1024)

/*
 * Is a snapshot of `content` bytes due, with `events` events of `op_bytes` in all since the one
 * before? Only where these events cost twice its size: so snapshots add at most half to what the events
 * write, however large the document, and a document is at most about 2 * content bytes of events away
 * from one.
 */
static inline bool
snapshot_due(int64 events, uint64 op_bytes, uint64 content, int interval)
{
	uint64 cost = (uint64) events * SNAPSHOT_EVENT_BYTES + op_bytes;

	return interval > 0 && events > 0 && cost >= 2 * content &&
		   (events >= interval || cost >= SNAPSHOT_TAIL_BYTES);
}

/*
 * How many events may lie between two snapshots below the newest: as many as cost little to replay
 * (10,000 take a few milliseconds), more where the content is large: two bytes of snapshot for each
 * of the events between, but never more than are replayed in a fraction of a second.
 */
#define SNAPSHOT_SPACING_MIN INT64CONST(10000)
#define SNAPSHOT_SPACING_MAX INT64CONST(250000)

static inline int64
snapshot_spacing(uint64 content)
{
	return Min(Max((int64) (content / 2), SNAPSHOT_SPACING_MIN), SNAPSHOT_SPACING_MAX);
}

#endif

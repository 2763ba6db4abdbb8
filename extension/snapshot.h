/* snapshot.h - rows of collab.snapshots: found, checked, written, thinned out. */
#ifndef COLLAB_SNAPSHOT_H
#define COLLAB_SNAPSHOT_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/snapshot.h"

/*
 * A snapshot saves a replay and says nothing that the events do not say, with one exception: the
 * pinned one at documents.first_version stands for events that were deleted. Nothing here looks at
 * privileges or policies. Where the table is not there yet (a schema of version 0.1.0), there are no
 * snapshots and none are written.
 */
typedef struct SnapshotRow
{
	int64		doc;
	int64		version;
	int64		event;		/* id of the event at that version */
	int64		length;		/* of the content, in UTF-16 code units */
	TimestampTz created_at; /* of the event at that version */
	TimestampTz written_at;
	bool		astral;
	bool		pinned;

	/* The binary form of the document (delta_codec.c). */
	const uint8_t *content;
	uint32		   content_bytes;

	struct varlena *memory; /* what snapshot_free gives back */
} SnapshotRow;

/*
 * The newest good snapshot with version <= at_or_below and created_at <= until (DT_NOEND: any). A
 * broken one is passed over, with a warning, and its document is noted for the worker to repair.
 * The content lies in the current memory context.
 */
extern bool snapshot_nearest(int64 doc, int64 at_or_below, TimestampTz until, Snapshot snapshot,
							 SnapshotRow *out);
extern void snapshot_free(SnapshotRow *row);

/*
 * The oldest snapshot above version `after`, broken or not: content is NULL where it is. For who looks
 * at all of them; nothing is reported.
 */
extern bool snapshot_next(int64 doc, int64 after, Snapshot snapshot, SnapshotRow *out);

/* The version of the newest snapshot, good or not; -1: there is none. Reads no content. */
extern int64 snapshot_newest_version(int64 doc, Snapshot snapshot);

/*
 * Who writes, pins or deletes below holds lock_derived() of the document, has taken the active
 * snapshot after that, and has seen that the document is still the one that the content belongs to.
 */

/* Replaces the snapshot at that version, where there is one; a pinned one stays pinned. */
extern void snapshot_write(const SnapshotRow *row);

/* False: there is none at that version. */
extern bool snapshot_set_pinned(int64 doc, int64 version, bool pinned);

/* Deletes the snapshots that snapshot_spacing() does not ask for. Returns how many. */
extern int snapshot_thin(int64 doc);

extern void snapshot_delete_all(int64 doc);

#endif

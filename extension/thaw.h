/* thaw.h - reading what lies in cold storage: asking the archiver for a segment, and waiting for it. */
#ifndef COLLAB_THAW_H
#define COLLAB_THAW_H

#include "archive.h"

/*
 * A reader asks without writing and without shared memory of ours: as long as it waits, it holds a
 * lock in share mode, in a class of advisory locks that SQL cannot reach (locktag_field4 = 5), whose
 * key is collab_segment_key() of the segment. collab-archiver looks for such locks in
 * the list of all locks, finds the segments with these hashes through an index, and puts their chunks
 * into collab.thawed, where the reader finds them with a fresh snapshot. Two segments with one hash
 * would be thawed together: harmless.
 *
 * The payload (core/chunk.h) of the chunk of a segment that holds `version`, a copy in the current
 * memory context. It was checked when it came in; who opens it checks it again. Waits up to
 * collab.thaw_timeout for the archiver and then raises 58030 (io_error), saying what the archiver
 * last complained about or that there is none. Raises at once on a standby, and 72000 (snapshot_too_old) where
 * the segment was deleted after the caller's snapshot.
 */
extern const uint8 *thaw_get(const ArchiveRow *segment, int64 version, uint32 *bytes);

#endif

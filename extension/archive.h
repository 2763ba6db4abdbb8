/* archive.h - segments of history in cold storage: where they are, and how they are given up. */
#ifndef COLLAB_ARCHIVE_H
#define COLLAB_ARCHIVE_H

#include "utils/snapshot.h"

#include "segment.h"

#define ARCHIVE_SHA256_BYTES 32

/*
 * One row of collab.archives: consecutive chunks of one document, in one object of the cold store.
 * Segments of a document do not overlap.
 */
typedef struct ArchiveRow
{
	int64 doc;
	int64 first_version;
	int64 last_version;
	int64 bytes; /* of the object */
	char  object[SEGMENT_NAME_MAX + 1];
	uint8 sha256[ARCHIVE_SHA256_BYTES]; /* of the object */
} ArchiveRow;

/* The segment that holds a version. False: none does. */
extern bool archive_find(int64 doc, int64 version, Snapshot snapshot, ArchiveRow *out);

/*
 * Gives up the segments that end at or below `last_version` (PG_INT64_MAX: all of the document):
 * their rows go, what was thawed of them goes, and their objects are put on the list of those that the
 * archiver removes after a time of grace. lock_derived() is held.
 */
extern void archive_forget(int64 doc, int64 last_version);

#endif

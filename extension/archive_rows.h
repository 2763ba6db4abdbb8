/* archive_rows.h - what the functions for the archiver share. */
#ifndef COLLAB_ARCHIVE_ROWS_H
#define COLLAB_ARCHIVE_ROWS_H

#include "fmgr.h"

#include "archive.h"

/* The columns object and sha256 of a row of collab.archives; raises where they cannot be such. */
extern void archive_read_object(Datum object, Datum sha256, ArchiveRow *out);

/* A set-returning function whose rows are those of one statement, run as the owner of the tables. */
extern void archive_return_rows(FunctionCallInfo fcinfo, const char *sql, int nargs, const Oid *types,
								const Datum *values, int expected);

extern void archive_sha256(const void *data, size_t bytes, uint8 out[ARCHIVE_SHA256_BYTES]);

/*
 * Checks one chunk completely, as a reader would: its checksum, every event, and that it holds these versions
 * of this document. Raises where it does not; `what` says in the message whose chunk it is.
 */
extern void archive_check_chunk(const uint8 *chunk, uint32 bytes, int64 doc, int64 first_version,
								int64 last_version, const char *what);

#endif

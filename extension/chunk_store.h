/* chunk_store.h - rows of collab.chunks: found by version, inserted, deleted. */
#ifndef COLLAB_CHUNK_STORE_H
#define COLLAB_CHUNK_STORE_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/snapshot.h"

#include "chunk.h"

/*
 * Nothing here looks at privileges or policies. Where the table is not there yet (a schema of version
 * 0.1.0) nothing is found. Chunks of a document do not overlap, and none lies between two others and is
 * missing: who writes or deletes holds lock_derived() and has taken the active snapshot after that.
 */
typedef struct ChunkRow
{
	int64		doc;
	int64		first_version;
	int64		last_version;
	TimestampTz created_first;
	TimestampTz created_last;
	int32		events;
	int32		raw_bytes;
	int64		checksum;
	bytea	   *payload; /* in the current memory context; NULL where it was not asked for */
} ChunkRow;

/* The chunk that holds a version. */
extern bool chunk_store_find(int64 doc, int64 version, Snapshot snapshot, bool payload, ChunkRow *out);

/* The newest chunk of a document, without its payload. */
extern bool chunk_store_last(int64 doc, Snapshot snapshot, ChunkRow *out);

/* Inserts what chunk_encode wrote. */
extern void chunk_store_insert(const ChunkInfo *info, const char *payload, size_t bytes);

/* Deletes the chunks whose events all lie within from ... to; returns how many. */
extern int chunk_store_delete(int64 doc, int64 from, int64 to);

#endif

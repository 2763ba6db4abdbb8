/* segment.h - an object of the cold store: consecutive chunks of one document, one after the other. */
#ifndef COLLAB_SEGMENT_H
#define COLLAB_SEGMENT_H

#include "buf.h"
#include "status.h"

/*
 * The layout (docs/archiver.md repeats it for who has nothing but the store). Integers are
 * little-endian, signed ones in two's complement.
 *
 *	 0	"COLLABSG"
 *	 8	format version (4 bytes, now 1)
 *	12	number of chunks (4 bytes, at least 1)
 *	16	doc
 *	24	version of the first event
 *	32	version of the last event
 *	40	when the object was made (microseconds since 2000-01-01 UTC)
 *	48	the chunks, ascending: size in bytes (4 bytes), then as many bytes (core/chunk.h)
 *
 * Nothing follows the last chunk. There is no checksum of its own: each chunk carries one, and the
 * SHA-256 of the whole is in collab.archives and, shortened, in the object's name. Because of the time
 * in it no two objects ever have the same name, so that one which is to be deleted never comes back.
 */
#define SEGMENT_HEADER_BYTES 48

typedef struct SegmentHeader
{
	int64_t	 doc;
	int64_t	 first_version;
	int64_t	 last_version;
	int64_t	 made_at;
	uint32_t chunks;
} SegmentHeader;

/* Writing: the header, then as many chunks as it says. `out` tells whether there was memory. */
void segment_begin(Buf *out, const SegmentHeader *header);
void segment_add(Buf *out, const uint8_t *chunk, uint32_t bytes);

/* Reading. The bytes stay the caller's and must outlive the reader. */
typedef struct SegmentReader
{
	SegmentHeader  header;
	const uint8_t *at;
	const uint8_t *end;
	uint32_t	   left; /* chunks */
} SegmentReader;

CollabStatus segment_open(const uint8_t *data, size_t bytes, SegmentReader *out,
						  CollabError *err) COLLAB_MUST_CHECK;
/* The next chunk; *bytes is 0 after the last one, where it is also an error if anything follows. */
CollabStatus segment_next(SegmentReader *reader, const uint8_t **chunk, uint32_t *bytes,
						  CollabError *err) COLLAB_MUST_CHECK;

/*
 * v1/<first two digits of doc>/<doc, 16 hex digits>/<first>-<last>-<first 32 hex digits of the SHA-256>. What
 * stands in `out` afterwards has SEGMENT_NAME_MAX bytes at most, all of them from [0-9a-zA-Z/-].
 */
#define SEGMENT_NAME_MAX 127
void segment_name(const SegmentHeader *header, const uint8_t sha256[32], char out[SEGMENT_NAME_MAX + 1]);

#endif

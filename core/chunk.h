/* chunk.h - a run of consecutive events of one document in columns, compressed: the warm and the cold form of history. */
#ifndef COLLAB_CHUNK_H
#define COLLAB_CHUNK_H

#include "arena.h"
#include "buf.h"
#include "event.h"

/*
 * A chunk describes itself and changes nothing: every event comes out as it went in, bit for bit. All
 * fixed fields are little-endian, signed ones in two's complement.
 *
 *	 0	"CCHK"
 *	 4	format version (1 byte, now 1)
 *	 5	flags (1 byte): 1 = created_at counts milliseconds, 2 = base_version follows the event before
 *	 6	0 0
 *	 8	checksum: XXH64 over everything from byte 16 on, bytes 0-7 being the seed
 *	16	doc
 *	24	version of the first event; the others follow without a gap
 *	32	created_at of the first event, 40: of the last one (microseconds since 2000-01-01 UTC)
 *	48	number of events (4 bytes, at least 1)
 *	52	bytes of all ops together (4 bytes)
 *	56	varint: set of the columns that follow, bit n = column n of chunk_internal.h
 *		the columns, ascending; what is in them is described there, how they are packed in chunk_column.c
 *
 * The rows go in as differences from what the rows before them make likely: the version is implied, an
 * editor's clock is one more than his last, the document is as long as the op says, typing goes on where
 * the cursor is. A column whose differences are all zero is absent; of typing hardly more is left than
 * the text and the places where the cursor jumped.
 */
#define CHUNK_MAX_EVENTS ((uint32_t) 65536)
/* Ops of all events together; one that is larger than that cannot be in a row either. */
#define CHUNK_MAX_RAW_BYTES ((uint32_t) 0x3fffffff)

/*
 * Where chunks are well cut, whichever comes first: more events compress hardly better but cost every
 * reader of one of them more (bench/core).
 */
#define CHUNK_GOOD_EVENTS ((uint32_t) 4096)
#define CHUNK_GOOD_RAW_BYTES ((uint32_t) 1024 * 1024)

typedef struct ChunkInfo
{
	int64_t	 doc;
	int64_t	 first_version;
	int64_t	 last_version;
	int64_t	 created_first;
	int64_t	 created_last;
	int64_t	 checksum;
	uint32_t events;
	uint32_t raw_bytes; /* of the ops */
} ChunkInfo;

/*
 * Appends the chunk of `count` events to `out`. Events of several documents or with a gap between them
 * are COLLAB_INVALID, too many or too large ones COLLAB_LIMIT. Scratch memory comes from `alloc` and is
 * given back. Not to be called by two threads at once: the compressor's state is kept between calls, as
 * is the reader's.
 */
CollabStatus chunk_encode(CollabAlloc alloc, const CollabEvent *events, uint32_t count, Buf *out,
						  CollabError *err) COLLAB_MUST_CHECK;

/*
 * The fixed fields, without looking at the rest or at the checksum; COLLAB_CORRUPT where they contradict
 * themselves.
 */
CollabStatus chunk_info(const uint8_t *data, size_t bytes, ChunkInfo *out, CollabError *err) COLLAB_MUST_CHECK;

typedef struct ChunkReader ChunkReader;

/*
 * Verifies the checksum first, then unpacks all events; `data` may go afterwards. Takes about 100 bytes
 * per event and raw_bytes. Whatever the bytes are, the answer is a status: COLLAB_CORRUPT, or
 * COLLAB_NOMEM.
 */
CollabStatus chunk_open(CollabAlloc alloc, const uint8_t *data, size_t bytes, ChunkReader **out,
						CollabError *err) COLLAB_MUST_CHECK;
void		 chunk_close(ChunkReader *reader); /* NULL is fine */

const ChunkInfo *chunk_reader_info(const ChunkReader *reader);
/* Ascending; false after the last one. What `op` points to lives as long as the reader. */
bool chunk_next(ChunkReader *reader, CollabEvent *out);
/* Any event, index 0 ... events - 1, whatever chunk_next has given. */
void chunk_at(const ChunkReader *reader, uint32_t index, CollabEvent *out);

#endif

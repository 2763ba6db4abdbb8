/* chunk_internal.h - what the files of the chunk codec share: columns, their numbers, and what is predicted. */
#ifndef COLLAB_CHUNK_INTERNAL_H
#define COLLAB_CHUNK_INTERNAL_H

#include <string.h>

#include "chunk.h"
#include "delta_internal.h"

#define CHUNK_FORMAT 1
#define CHUNK_HEADER_BYTES 56
#define CHUNK_CHECKED_FROM 16 /* what the checksum covers; the bytes before it seed it */

#define CHUNK_MILLISECONDS 0x01
#define CHUNK_BASE_FOLLOWS 0x02
#define CHUNK_FLAGS 0x03

/* The body begins with three varints (set of columns, editors, blobs); they fit in here. */
#define CHUNK_COUNTS_BYTES (3 * VARINT_MAX_BYTES)

/*
 * What unpacking may take at most, whatever the bytes claim: the largest event twice (packed as one
 * text, unpacked as an op) and the rows.
 */
#define CHUNK_MAX_MEMORY ((size_t) 2 * CHUNK_MAX_RAW_BYTES + (size_t) 64 * 1024 * 1024)
/* A change of more ops is stored as it is, so that columns stay small beside what they describe. */
#define CHUNK_MAX_OPS 4096

/*
 *	EDITOR		per event: 0 = the same as before, n + 1 = editor n
 *	CLOCK		per event: clock - (the editor's last + 1)
 *	BASE		per event: version - 1 - base_version; with CHUNK_BASE_FOLLOWS base_version - the last one's
 *	TIME		per event but the first: units (µs or ms) since the last
 *	LENGTH		per event: length - (length before + what the op adds)
 *	ASTRAL		per event: 1 where astral is not (astral before, or the op inserts a surrogate pair)
 *	SHAPE		per op: 0 = as in the event before, n + 1 = shape n (below)
 *	POSITION	per event that is neither empty nor raw: units before its first op - where it was expected
 *	RETAIN, DELETE	per such op, but the leading retain: units - 1
 *	INSERT		per text: bytes - 1
 *	BLOB		per attribute map, embed and raw op: 0 = the next new blob, n + 1 = blob n
 *	BLOB_SIZE	per blob: bytes
 *	EDITORS		24 bytes per editor: author, site, clock before the first event
 *	BLOBS		the blobs
 *	TEXT		all inserted text
 */
typedef enum ChunkColumn
{
	COLUMN_EDITOR = 0,
	COLUMN_CLOCK,
	COLUMN_BASE,
	COLUMN_TIME,
	COLUMN_LENGTH,
	COLUMN_ASTRAL,
	COLUMN_SHAPE,
	COLUMN_POSITION,
	COLUMN_RETAIN,
	COLUMN_DELETE,
	COLUMN_INSERT,
	COLUMN_BLOB,
	COLUMN_BLOB_SIZE,
	COLUMN_EDITORS, /* from here on bytes, not numbers */
	COLUMN_BLOBS,
	COLUMN_TEXT
} ChunkColumn;

#define CHUNK_NUMBERS COLUMN_EDITORS
#define CHUNK_COLUMNS (COLUMN_TEXT + 1)
#define CHUNK_EDITOR_BYTES 24

/* A shape is the DeltaKind of an op and these; or one of the two that stand for a whole event. */
#define SHAPE_ATTRIBUTES 0x08
#define SHAPE_LAST 0x10
#define SHAPE_EMPTY (0x05 | SHAPE_LAST) /* the change that changes nothing */
#define SHAPE_RAW (0x06 | SHAPE_LAST)	/* a blob */

/* ---- columns ---- */

/*
 * A column of numbers, most of them 0: for every other one the zeros before it, and its value - 1. Both
 * are split into a code, which is compressed, and low bits, which are noise (chunk_column.c).
 */
typedef struct NumberWriter
{
	Buf		 runs;
	Buf		 codes;
	Buf		 bits;
	uint64_t zeros;
	uint64_t pending; /* bits not yet in `bits` */
	unsigned pending_bits;
} NumberWriter;

typedef struct NumberReader
{
	const uint8_t *runs;  /* NULL: all zero */
	const uint8_t *codes; /* NULL: all zero */
	const uint8_t *bits;  /* with 8 bytes to spare behind its end */
	uint64_t	   bit;	  /* the next one */
	uint64_t	   bit_end;
	uint64_t	   zeros; /* before the next number */
	uint32_t	   next;
	uint32_t	   count;
	bool		   broken; /* read past the end, or a code that there is not */
} NumberReader;

typedef struct ByteReader
{
	const uint8_t *at;
	const uint8_t *end;
} ByteReader;

void		 number_writer_init(NumberWriter *writer, CollabAlloc alloc);
void		 number_writer_free(NumberWriter *writer);
void		 number_put_nonzero(NumberWriter *writer, uint64_t value);
bool		 number_is_empty(const NumberWriter *writer);
size_t		 number_memory(const NumberWriter *writer); /* of the reader of what was written */
CollabStatus number_pack(NumberWriter *writer, Buf *out, CollabError *err) COLLAB_MUST_CHECK;
CollabStatus bytes_pack(const Buf *column, Buf *out, CollabError *err) COLLAB_MUST_CHECK;

static inline void
number_put(NumberWriter *writer, uint64_t value)
{
	if (value == 0)
		writer->zeros++;
	else
		number_put_nonzero(writer, value);
}

/* Both move *at behind the column. The memory comes from the arena, or is the input's. */
CollabStatus number_unpack(Arena *arena, const uint8_t **at, const uint8_t *end, NumberReader *out,
						   CollabError *err) COLLAB_MUST_CHECK;
CollabStatus bytes_unpack(Arena *arena, const uint8_t **at, const uint8_t *end, ByteReader *out,
						  CollabError *err) COLLAB_MUST_CHECK;
uint64_t	 number_get_nonzero(NumberReader *reader);
bool		 number_done(const NumberReader *reader); /* every number was read, and none was missing */

static inline uint64_t
number_get(NumberReader *reader)
{
	if (reader->zeros > 0)
	{
		reader->zeros--;
		return 0;
	}
	return reader->next < reader->count ? number_get_nonzero(reader) : 0;
}

/* ---- signed differences of 64-bit numbers, wrapping ---- */

static inline uint64_t
zigzag(uint64_t difference)
{
	return difference << 1 ^ (difference >> 63 != 0 ? UINT64_MAX : 0);
}

static inline uint64_t
unzigzag(uint64_t value)
{
	return value >> 1 ^ ((value & 1) != 0 ? UINT64_MAX : 0);
}

/* ---- what is expected next ---- */

#define MODEL_CURSORS 16
#define MODEL_SHAPES 8

/* Cursors of the last editors: who shares a slot disturbs the other's prediction, nothing else. */
typedef struct ChunkModel
{
	uint64_t cursor[MODEL_CURSORS];
	uint32_t cursors; /* slots in use */
	uint32_t seen;	  /* editors that have done something */
	uint32_t editor;  /* of the last event */
	uint64_t index;	  /* where the walk over the current change stands */
	uint64_t added;	  /* units inserted - deleted by it so far */
	bool	 pairs;	  /* and whether a surrogate pair was */
	uint64_t length;
	bool	 astral;
	uint8_t	 shape[MODEL_SHAPES]; /* of the last event */
} ChunkModel;

void model_init(ChunkModel *model, uint32_t editors);
/* The next event is by this editor. */
void model_editor(ChunkModel *model, uint32_t editor);
/* Where the editor's change is expected to begin; `deleted`: the units of the delete that it begins with. */
uint64_t model_expect(const ChunkModel *model, uint64_t deleted);
/*
 * His change begins behind `position` units that it retains; then come its ops; then it ends. A change that is empty
 * or stored as it is moves no cursor.
 */
void model_begin(ChunkModel *model, uint64_t position);
void model_op(ChunkModel *model, uint8_t kind, uint64_t units);
void model_end(ChunkModel *model);

static inline uint8_t
model_expect_shape(const ChunkModel *model, uint32_t op)
{
	return model->shape[op < MODEL_SHAPES ? op : MODEL_SHAPES - 1];
}

static inline void
model_shape(ChunkModel *model, uint32_t op, uint8_t shape)
{
	model->shape[op < MODEL_SHAPES ? op : MODEL_SHAPES - 1] = shape;
}

/* ---- little-endian fields ---- */

static inline void
put_le(uint8_t *at, uint64_t value, unsigned bytes)
{
	unsigned i;

	for (i = 0; i < bytes; i++)
		at[i] = (uint8_t) (value >> (8 * i));
}

static inline uint64_t
get_le(const uint8_t *at, unsigned bytes)
{
	uint64_t value = 0;
	unsigned i;

	for (i = 0; i < bytes; i++)
		value |= (uint64_t) at[i] << (8 * i);
	return value;
}

static inline int64_t
as_signed(uint64_t value)
{
	int64_t result;

	memcpy(&result, &value, sizeof(result));
	return result;
}

uint64_t chunk_checksum(const uint8_t *data, size_t bytes);

#endif

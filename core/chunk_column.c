/* chunk_column.c - columns of a chunk: numbers as codes and low bits, and the compression of both. */
#include "chunk_internal.h"

#include <zstd.h>

/*
 *	number column	:= varint count (of those that are not 0), varint bytes of bits,
 *					   stream of runs, stream of codes (count bytes each), stream of bits
 *	byte column		:= varint bytes, stream
 *	stream			:= varint stored, stored bytes
 *
 * A stream whose length is known to be n is stored in 0 bytes when all of it is zero, in n bytes as it
 * is, and in fewer as one zstd frame.
 *
 * A number v has a code and, from 8 on, low bits that follow each other in the bits, lowest first:
 *
 *	v < 8			code v
 *	2^e <= v		code 8 + 4 (e - 3) + the two bits of v below its highest; then the e - 2 bits below those
 *
 *	100 = 1 10 0100b: e = 6, code 8 + 12 + 2 = 22, low bits 0100
 *
 * So codes gather what is likely (zstd gives each column its own Huffman code), and what no model knows
 * takes the bits that it has.
 */
#define LAST_CODE 251
#define SPARE 8 /* bytes behind the bits, so that reading 64 of them stays inside */

/*
 * Measured on recorded sessions (bench/core): from 16 on nothing is gained on columns of a few
 * kilobytes. Large texts are not worth minutes.
 */
#define LEVEL 16
#define LEVEL_LARGE 6
#define LARGE ((size_t) 512 * 1024)

/*
 * Kept for the life of the process: setting one up costs more than using it. Its memory is malloc's, so
 * nothing is lost when an allocator of ours jumps.
 */
static ZSTD_CCtx *compressor;
static ZSTD_DCtx *decompressor;

/* ---- writing ---- */

static unsigned
highest_bit(uint64_t value)
{
	return 63 - (unsigned) __builtin_clzll(value);
}

void
number_writer_init(NumberWriter *writer, CollabAlloc alloc)
{
	buf_init(&writer->runs, alloc);
	buf_init(&writer->codes, alloc);
	buf_init(&writer->bits, alloc);
	writer->zeros = 0;
	writer->pending = 0;
	writer->pending_bits = 0;
}

void
number_writer_free(NumberWriter *writer)
{
	buf_free(&writer->runs);
	buf_free(&writer->codes);
	buf_free(&writer->bits);
}

/* At most 32 bits; fewer than 8 are pending before and after. */
static void
put_bits(NumberWriter *writer, uint64_t value, unsigned bits)
{
	writer->pending |= value << writer->pending_bits;
	writer->pending_bits += bits;
	for (; writer->pending_bits >= 8; writer->pending_bits -= 8)
	{
		buf_char(&writer->bits, (char) (uint8_t) writer->pending);
		writer->pending >>= 8;
	}
}

static void
put_number(NumberWriter *writer, Buf *codes, uint64_t value)
{
	unsigned e, low;

	if (value < 8)
	{
		buf_char(codes, (char) value);
		return;
	}
	e = highest_bit(value);
	low = e - 2;
	buf_char(codes, (char) (uint8_t) (8 + 4 * (e - 3) + (value >> low & 3)));
	value &= ((uint64_t) 1 << low) - 1;
	if (low > 32)
	{
		put_bits(writer, value & UINT32_MAX, 32);
		value >>= 32;
		low -= 32;
	}
	put_bits(writer, value, low);
}

void
number_put_nonzero(NumberWriter *writer, uint64_t value)
{
	put_number(writer, &writer->runs, writer->zeros);
	put_number(writer, &writer->codes, value - 1);
	writer->zeros = 0;
}

bool
number_is_empty(const NumberWriter *writer)
{
	return writer->codes.size == 0 && !writer->codes.failed && !writer->runs.failed;
}

size_t
number_memory(const NumberWriter *writer)
{
	return writer->runs.size + writer->codes.size + writer->bits.size + 3 * SPARE;
}

static void
put_varint(Buf *out, uint64_t value)
{
	uint8_t bytes[VARINT_MAX_BYTES];

	buf_bytes(out, bytes, (size_t) (varint_put(bytes, value) - bytes));
}

static bool
all_zero(const char *data, size_t bytes)
{
	return bytes == 0 || (data[0] == 0 && memcmp(data, data + 1, bytes - 1) == 0);
}

/* The compressed size, or 0 where it is not below `bytes` (or where zstd has no memory). */
static size_t
compress(const char *data, size_t bytes, char *to, size_t room)
{
	size_t size;

	if (compressor == NULL)
		compressor = ZSTD_createCCtx();
	if (compressor == NULL)
		return 0;
	size = ZSTD_compressCCtx(compressor, to, room, data, bytes, bytes < LARGE ? LEVEL : LEVEL_LARGE);
	return ZSTD_isError(size) || size >= bytes ? 0 : size;
}

static CollabStatus
pack_stream(const Buf *stream, Buf *out, CollabError *err)
{
	Buf	   packed;
	size_t size;

	if (stream->failed)
		return delta_nomem(err);
	if (all_zero(stream->data, stream->size))
	{
		put_varint(out, 0);
		return out->failed ? delta_nomem(err) : COLLAB_OK;
	}
	buf_init(&packed, stream->alloc);
	if (buf_grow(&packed, stream->size) == NULL)
		return delta_nomem(err);
	size = compress(stream->data, stream->size, packed.data, stream->size);
	put_varint(out, size > 0 ? size : stream->size);
	buf_bytes(out, size > 0 ? packed.data : stream->data, size > 0 ? size : stream->size);
	buf_free(&packed);
	return out->failed ? delta_nomem(err) : COLLAB_OK;
}

CollabStatus
number_pack(NumberWriter *writer, Buf *out, CollabError *err)
{
	CollabStatus status;

	if (writer->pending_bits > 0)
		put_bits(writer, 0, 8 - writer->pending_bits);
	put_varint(out, writer->codes.size);
	put_varint(out, writer->bits.size);
	status = pack_stream(&writer->runs, out, err);
	if (status == COLLAB_OK)
		status = pack_stream(&writer->codes, out, err);
	return status == COLLAB_OK ? pack_stream(&writer->bits, out, err) : status;
}

CollabStatus
bytes_pack(const Buf *column, Buf *out, CollabError *err)
{
	put_varint(out, column->size);
	return pack_stream(column, out, err);
}

/* ---- reading ---- */

static CollabStatus
corrupt_column(CollabError *err, const char *what)
{
	return collab_fail(err, COLLAB_CORRUPT, -1, "damaged chunk: %s", what);
}

/*
 * `bytes` unpacked bytes with SPARE more behind them; with `zeros_absent` NULL where all of them are
 * zero.
 */
static CollabStatus
unpack_stream(Arena *arena, const uint8_t **at, const uint8_t *end, uint64_t bytes, bool zeros_absent,
			  const uint8_t **out, CollabError *err)
{
	uint64_t stored;
	uint8_t *to;

	if (!varint_get(at, end, &stored) || stored > (uint64_t) (end - *at) || stored > bytes)
		return corrupt_column(err, "invalid size of a stream");
	*out = NULL;
	if (bytes > CHUNK_MAX_RAW_BYTES)
		return corrupt_column(err, "a stream that is too large");
	if (stored == 0 && zeros_absent)
		return COLLAB_OK;
	to = arena_alloc(arena, (size_t) bytes + SPARE);
	if (to == NULL)
		return delta_nomem(err);
	memset(to + bytes, 0, SPARE);
	if (stored == 0)
		memset(to, 0, (size_t) bytes);
	else if (stored == bytes)
		memcpy(to, *at, (size_t) bytes);
	else
	{
		if (decompressor == NULL)
			decompressor = ZSTD_createDCtx();
		if (decompressor == NULL)
			return delta_nomem(err);
		if (ZSTD_decompressDCtx(decompressor, to, (size_t) bytes, *at, (size_t) stored) != bytes)
			return corrupt_column(err, "a stream cannot be decompressed");
	}
	*at += stored;
	*out = to;
	return COLLAB_OK;
}

static uint64_t
get_bits(NumberReader *reader, unsigned bits)
{
	uint64_t value;

	if (reader->bit_end - reader->bit < bits)
	{
		reader->broken = true;
		return 0;
	}
	value = get_le(reader->bits + reader->bit / 8, 8) >> reader->bit % 8;
	reader->bit += bits;
	return value & (((uint64_t) 1 << bits) - 1);
}

static uint64_t
get_number(NumberReader *reader, unsigned code)
{
	unsigned low;
	uint64_t value, more;

	if (code < 8)
		return code;
	if (code > LAST_CODE)
	{
		reader->broken = true;
		return 0;
	}
	low = (code - 8) / 4 + 1;
	value = 4 | (code & 3);
	if (low > 32)
	{
		more = get_bits(reader, 32);
		return value << low | get_bits(reader, low - 32) << 32 | more;
	}
	return value << low | get_bits(reader, low);
}

/* The run of zeros before the next number. */
static void
next_run(NumberReader *reader)
{
	if (reader->next < reader->count)
		reader->zeros = get_number(reader, reader->runs == NULL ? 0 : reader->runs[reader->next]);
}

uint64_t
number_get_nonzero(NumberReader *reader)
{
	uint64_t value = get_number(reader, reader->codes == NULL ? 0 : reader->codes[reader->next]);

	reader->next++;
	next_run(reader);
	return value + 1;
}

bool
number_done(const NumberReader *reader)
{
	return !reader->broken && reader->next == reader->count && reader->bit_end - reader->bit < 8;
}

CollabStatus
number_unpack(Arena *arena, const uint8_t **at, const uint8_t *end, NumberReader *out, CollabError *err)
{
	CollabStatus status;
	uint64_t	 count, bit_bytes;

	memset(out, 0, sizeof(*out));
	if (!varint_get(at, end, &count) || !varint_get(at, end, &bit_bytes) || count == 0 ||
		count > CHUNK_MAX_RAW_BYTES || bit_bytes > 16 * count)
		return corrupt_column(err, "invalid size of a column");
	status = unpack_stream(arena, at, end, count, true, &out->runs, err);
	if (status == COLLAB_OK)
		status = unpack_stream(arena, at, end, count, true, &out->codes, err);
	if (status == COLLAB_OK)
		status = unpack_stream(arena, at, end, bit_bytes, false, &out->bits, err);
	if (status != COLLAB_OK)
		return status;
	out->bit_end = bit_bytes * 8;
	out->count = (uint32_t) count;
	next_run(out);
	return COLLAB_OK;
}

CollabStatus
bytes_unpack(Arena *arena, const uint8_t **at, const uint8_t *end, ByteReader *out, CollabError *err)
{
	CollabStatus   status;
	const uint8_t *data;
	uint64_t	   bytes;

	if (!varint_get(at, end, &bytes) || bytes == 0)
		return corrupt_column(err, "invalid size of a column");
	status = unpack_stream(arena, at, end, bytes, false, &data, err);
	if (status != COLLAB_OK)
		return status;
	out->at = data;
	out->end = data + bytes;
	return COLLAB_OK;
}

/* segment.c - an object of the cold store: consecutive chunks of one document, one after the other. */
#include "segment.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MAGIC "COLLABSG"
#define FORMAT_VERSION 1

static void
put(Buf *out, uint64_t value, unsigned bytes)
{
	char *at = buf_grow(out, bytes);

	if (at == NULL)
		return;
	for (unsigned i = 0; i < bytes; i++)
		at[i] = (char) (unsigned char) (value >> (8 * i));
	out->size += bytes;
}

static uint64_t
get(const uint8_t *at, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t) at[i] << (8 * i);
	return value;
}

static int64_t
get_signed(const uint8_t *at)
{
	uint64_t bits = get(at, 8);
	int64_t	 value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* ---- writing ---- */

void
segment_begin(Buf *out, const SegmentHeader *header)
{
	buf_bytes(out, MAGIC, 8);
	put(out, FORMAT_VERSION, 4);
	put(out, header->chunks, 4);
	put(out, (uint64_t) header->doc, 8);
	put(out, (uint64_t) header->first_version, 8);
	put(out, (uint64_t) header->last_version, 8);
	put(out, (uint64_t) header->made_at, 8);
}

void
segment_add(Buf *out, const uint8_t *chunk, uint32_t bytes)
{
	put(out, bytes, 4);
	buf_bytes(out, chunk, bytes);
}

/* ---- reading ---- */

CollabStatus
segment_open(const uint8_t *data, size_t bytes, SegmentReader *out, CollabError *err)
{
	SegmentHeader *header = &out->header;

	if (bytes < SEGMENT_HEADER_BYTES || memcmp(data, MAGIC, 8) != 0)
		return collab_fail(err, COLLAB_CORRUPT, 0, "this is no segment of an archive");
	if (get(data + 8, 4) != FORMAT_VERSION)
		return collab_fail(err, COLLAB_CORRUPT, 8, "format version %u of a segment is not known",
						   (unsigned) get(data + 8, 4));
	header->chunks = (uint32_t) get(data + 12, 4);
	header->doc = get_signed(data + 16);
	header->first_version = get_signed(data + 24);
	header->last_version = get_signed(data + 32);
	header->made_at = get_signed(data + 40);
	if (header->chunks == 0 || header->first_version < 1 || header->last_version < header->first_version)
		return collab_fail(err, COLLAB_CORRUPT, 12, "the header of a segment contradicts itself");
	out->at = data + SEGMENT_HEADER_BYTES;
	out->end = data + bytes;
	out->left = header->chunks;
	return COLLAB_OK;
}

CollabStatus
segment_next(SegmentReader *reader, const uint8_t **chunk, uint32_t *bytes, CollabError *err)
{
	size_t	 there = (size_t) (reader->end - reader->at);
	uint32_t size;

	*chunk = NULL;
	*bytes = 0;
	if (reader->left == 0)
		return there == 0 ? COLLAB_OK
						  : collab_fail(err, COLLAB_CORRUPT, -1, "%zu bytes follow the last chunk", there);
	if (there < 4)
		return collab_fail(err, COLLAB_CORRUPT, -1, "the segment ends before its last chunk");
	size = (uint32_t) get(reader->at, 4);
	if (size == 0 || size > there - 4)
		return collab_fail(err, COLLAB_CORRUPT, -1, "a chunk of %u bytes does not fit into the segment",
						   (unsigned) size);
	*chunk = reader->at + 4;
	*bytes = size;
	reader->at += 4 + (size_t) size;
	reader->left--;
	return COLLAB_OK;
}

/* ---- its name ---- */

void
segment_name(const SegmentHeader *header, const uint8_t sha256[32], char out[SEGMENT_NAME_MAX + 1])
{
	uint64_t doc = (uint64_t) header->doc;
	int		 at = snprintf(out, SEGMENT_NAME_MAX + 1, "v1/%02x/%016" PRIx64 "/%" PRId64 "-%" PRId64 "-",
						   (unsigned) (doc >> 56), doc, header->first_version, header->last_version);

	for (int i = 0; i < 16; i++)
		at += snprintf(out + at, (size_t) (SEGMENT_NAME_MAX + 1 - at), "%02x", sha256[i]);
}

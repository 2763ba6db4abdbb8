/* canonical.c - an independent check of the canonical form. */
#include "properties.h"

#include <string.h>

static bool
same_attrs(const DeltaOp *a, const DeltaOp *b)
{
	return a->attrs.bytes == b->attrs.bytes &&
		   (a->attrs.bytes == 0 || memcmp(a->attrs.data, b->attrs.data, a->attrs.bytes) == 0);
}

/* Decodes one UTF-8 character; 0 on malformed input (NUL is refused as well: a document never holds it). */
static uint32_t
next_character(const uint8_t **at, const uint8_t *end)
{
	const uint8_t *p = *at;
	uint32_t	   more = *p < 0x80 ? 0 : *p < 0xc2 ? 4 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : *p < 0xf5 ? 3 : 4;
	uint32_t	   c = more == 0 ? *p : more == 1 ? *p & 0x1f : more == 2 ? *p & 0x0f : *p & 0x07;
	uint32_t	   i;

	if (more == 4 || (uint32_t) (end - p) <= more)
		return 0;
	for (i = 1; i <= more; i++)
	{
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if ((more == 2 && c < 0x800) || (more == 3 && c < 0x10000) || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*at = p + more + 1;
	return c;
}

static const char *
text_fault(const DeltaOp *op)
{
	const uint8_t *at = (const uint8_t *) op->data;
	const uint8_t *end = at + op->bytes;
	int64_t		   units = 0;
	bool		   ascii = true;

	while (at < end)
	{
		uint32_t c = next_character(&at, end);

		if (c == 0)
			return "text is not UTF-8, or holds NUL";
		units += c >= 0x10000 ? 2 : 1;
		ascii = ascii && c < 0x80;
	}
	if (units != op->units)
		return "wrong count of units";
	if (op->ascii && !ascii)
		return "marked as ASCII, but is not";
	return NULL;
}

static bool
read_varint(const uint8_t **at, const uint8_t *end, uint32_t *value)
{
	uint32_t shift = 0;

	*value = 0;
	while (*at < end && shift < 35)
	{
		uint8_t byte = *(*at)++;

		*value |= (uint32_t) (byte & 0x7f) << shift;
		if (byte < 0x80)
			return true;
		shift += 7;
	}
	return false;
}

static const char *
json_fault(const char *data, uint32_t bytes, Buf *scratch)
{
	JsonReader reader;
	Arena	   arena;
	bool	   good;

	arena_init(&arena, collab_malloc_alloc);
	buf_clear(scratch);
	json_init(&reader, data, bytes, 1000);
	good = json_canonical(&reader, &arena, scratch) && json_end(&reader) && scratch->size == bytes &&
		   memcmp(scratch->data, data, bytes) == 0;
	arena_free(&arena);
	return good ? NULL : "a value is not canonical JSON";
}

static const char *
attrs_fault(const DeltaOp *op, Buf *scratch)
{
	const uint8_t *at = op->attrs.data;
	const uint8_t *end = at + op->attrs.bytes;
	const uint8_t *last = NULL;
	uint32_t	   last_size = 0;

	while (at < end)
	{
		uint32_t	   size;
		const uint8_t *key;
		const char	  *fault;
		int			   order;

		if (!read_varint(&at, end, &size) || size > (size_t) (end - at))
			return "broken key in attributes";
		key = at;
		at += size;
		if (last != NULL)
		{
			order = memcmp(last, key, last_size < size ? last_size : size);
			if (order > 0 || (order == 0 && last_size >= size))
				return "attribute keys out of order";
		}
		last = key;
		last_size = size;
		if (!read_varint(&at, end, &size) || size > (size_t) (end - at))
			return "broken value in attributes";
		fault = json_fault((const char *) at, size, scratch);
		if (fault != NULL)
			return fault;
		at += size;
	}
	return NULL;
}

static const char *
op_fault(const DeltaOp *op, Buf *scratch)
{
	const char *fault = NULL;

	if (op->units <= 0)
		return "empty op";
	if (op->attrs.bytes > 0)
		fault = op->kind == DELTA_DELETE ? "attributes on a delete" : attrs_fault(op, scratch);
	if (fault != NULL)
		return fault;
	switch (op->kind)
	{
		case DELTA_DELETE:
		case DELTA_RETAIN:
			return NULL;
		case DELTA_INSERT:
			return text_fault(op);
		case DELTA_INSERT_EMBED:
			if (op->units == 1 && op->bytes > 0 && op->data[0] == '"')
				return "an embed that is a string";
			/* FALLTHROUGH */
		case DELTA_RETAIN_EMBED:
			return op->units == 1 ? json_fault(op->data, op->bytes, scratch) : "an embed longer than 1";
		default:
			return "unknown kind";
	}
}

static const char *
pair_fault(const DeltaOp *a, const DeltaOp *b)
{
	if (a->kind == DELTA_DELETE && b->kind == DELTA_DELETE)
		return "two deletes side by side";
	if (a->kind == DELTA_DELETE && (b->kind == DELTA_INSERT || b->kind == DELTA_INSERT_EMBED))
		return "an insert behind a delete";
	if (a->kind == b->kind && (a->kind == DELTA_INSERT || a->kind == DELTA_RETAIN) && same_attrs(a, b))
		return "two ops that should be one";
	return NULL;
}

const char *
canonical_fault(const Delta *delta)
{
	const char *fault = NULL;
	uint32_t	i;
	Buf			scratch;

	buf_init(&scratch, collab_malloc_alloc);
	for (i = 0; i < delta->count && fault == NULL; i++)
	{
		fault = op_fault(&delta->ops[i], &scratch);
		if (fault == NULL && i > 0)
			fault = pair_fault(&delta->ops[i - 1], &delta->ops[i]);
	}
	buf_free(&scratch);
	if (fault == NULL && delta->count > 0 && delta->ops[delta->count - 1].kind == DELTA_RETAIN &&
		delta->ops[delta->count - 1].attrs.bytes == 0)
		fault = "a plain retain at the end";
	return fault;
}

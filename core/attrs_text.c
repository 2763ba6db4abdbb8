/* attrs_text.c - attributes from JSON, and the check of attribute bytes of unknown origin. */
#include "delta_text.h"

/* {"ops":[{"attributes":{"k": value}}]}: levels around a value. */
#define LEVELS_AROUND_VALUE 4

/*
 * Appends one entry to parser->work. How many bytes the value takes is known only when it is written, so it
 * is written one byte further on and moved if its length needs more than that.
 */
static CollabStatus
write_entry(DeltaParser *parser, size_t index)
{
	Buf		   *work = &parser->work;
	JsonMember *member = &parser->scratch.members[index];
	uint8_t		key_size[VARINT_MAX_BYTES];
	uint8_t		value_size[VARINT_MAX_BYTES];
	size_t		value_start;
	size_t		value_bytes;
	size_t		size_bytes;

	member->start = work->size;
	buf_bytes(work, key_size, (size_t) (varint_put(key_size, member->key_bytes) - key_size));
	buf_bytes(work, member->key, member->key_bytes);
	buf_char(work, 0);
	value_start = work->size;
	if (!json_canonical_with(&parser->r, &parser->scratch, work))
		return delta_parse_json_failed(parser);
	value_bytes = work->size - value_start;
	size_bytes = (size_t) (varint_put(value_size, value_bytes) - value_size);
	if (size_bytes > 1)
	{
		if (buf_grow(work, size_bytes - 1) == NULL)
			return delta_nomem(parser->err);
		memmove(work->data + value_start + size_bytes - 1, work->data + value_start, value_bytes);
		work->size += size_bytes - 1;
	}
	memcpy(work->data + value_start - 1, value_size, size_bytes);
	parser->scratch.members[index].end = work->size; /* the array may have moved under nested members */
	return COLLAB_OK;
}

/* Sorts the entries: a second copy in order behind the first, then moved over it. */
static CollabStatus
sort_entries(DeltaParser *parser)
{
	Buf			*work = &parser->work;
	JsonScratch *scratch = &parser->scratch;
	size_t		 old_size = work->size;
	size_t		 i;

	if (!json_scratch_sort(scratch, 0) || buf_grow(work, old_size) == NULL)
		return delta_nomem(parser->err);
	for (i = 0; i < scratch->count; i++)
		buf_bytes(work, work->data + scratch->members[i].start,
				  scratch->members[i].end - scratch->members[i].start);
	work->size -= old_size;
	memmove(work->data, work->data + old_size, work->size);
	return COLLAB_OK;
}

static bool
key_before(const JsonMember *a, const JsonMember *b)
{
	size_t common = a->key_bytes < b->key_bytes ? a->key_bytes : b->key_bytes;
	int	   order = memcmp(a->key, b->key, common);

	return order < 0 || (order == 0 && a->key_bytes < b->key_bytes);
}

CollabStatus
attrs_parse(DeltaParser *parser, DeltaAttrs *out)
{
	JsonReader		  *r = &parser->r;
	Buf				  *work = &parser->work;
	const DeltaLimits *limits = parser->limits;
	bool			   sorted = true;
	JsonString		   key;

	buf_clear(work);
	parser->scratch.count = 0;
	if (!json_object_begin(r))
		return delta_parse_json_failed(parser);
	while (json_object_next(r, &key))
	{
		size_t		 index = parser->scratch.count;
		CollabStatus status;

		if (json_scratch_add(&parser->scratch, &key) == NULL)
			return delta_nomem(parser->err);
		if (limits->max_attributes != 0 && index == limits->max_attributes)
			return delta_parse_fail(parser, COLLAB_LIMIT, "more than %u attributes", limits->max_attributes);
		status = write_entry(parser, index);
		if (status != COLLAB_OK)
			return status;
		if (index > 0 && !key_before(&parser->scratch.members[index - 1], &parser->scratch.members[index]))
			sorted = false;
		if (limits->max_attr_bytes != 0 && work->size > limits->max_attr_bytes)
			return delta_parse_fail(parser, COLLAB_LIMIT, "attributes of more than %u bytes",
									limits->max_attr_bytes);
	}
	if (json_failed(r))
		return delta_parse_json_failed(parser);
	if (work->failed)
		return delta_nomem(parser->err);
	if (!sorted)
	{
		CollabStatus status = sort_entries(parser);

		if (status != COLLAB_OK)
			return status;
	}
	out->data = NULL;
	out->bytes = (uint32_t) work->size;
	if (work->size > UINT32_MAX)
		return delta_parse_fail(parser, COLLAB_LIMIT, "attributes are too large");
	if (work->size > 0)
	{
		out->data = (const uint8_t *) delta_parse_keep(parser);
		if (out->data == NULL)
			return delta_nomem(parser->err);
	}
	return COLLAB_OK;
}

bool
attrs_check(DeltaAttrs attrs, const DeltaAttrs *known)
{
	const uint8_t *at = attrs.data;
	const uint8_t *end = attrs.bytes == 0 ? at : at + attrs.bytes;
	JsonMember	   before = {NULL, 0, 0, 0};

	if (known != NULL && known->bytes > 0 && attrs_equal(attrs, *known))
		return true;
	while (at < end)
	{
		JsonMember member = {NULL, 0, 0, 0};
		uint64_t   size;
		int64_t	   units;

		if (!varint_get(&at, end, &size) || size > (uint64_t) (end - at))
			return false;
		member.key = (const char *) at;
		member.key_bytes = (size_t) size;
		at += size;
		if (!utf8_check(member.key, member.key_bytes, &units))
			return false;
		if (before.key != NULL && !key_before(&before, &member))
			return false;
		before = member;
		if (!varint_get(&at, end, &size) || size > (uint64_t) (end - at))
			return false;
		if (!json_is_canonical((const char *) at, (size_t) size, JSON_MAX_DEPTH - LEVELS_AROUND_VALUE))
			return false;
		at += size;
	}
	return true;
}

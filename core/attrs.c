/* attrs.c - quill-delta's AttributeMap algebra as merge walks over two sorted lists of entries. */
#include "attrs.h"

static const DeltaAttrs none = {NULL, 0};

/* Entries of two maps, met in key order: for each key that one of them has, the entry or NULL. */
typedef struct MergeWalk
{
	AttrsCursor a;
	AttrsCursor b;
	AttrsEntry	entry_a;
	AttrsEntry	entry_b;
	bool		more_a;
	bool		more_b;
} MergeWalk;

static void
walk_begin(MergeWalk *walk, DeltaAttrs a, DeltaAttrs b)
{
	walk->a = attrs_begin(a);
	walk->b = attrs_begin(b);
	walk->more_a = attrs_next(&walk->a, &walk->entry_a);
	walk->more_b = attrs_next(&walk->b, &walk->entry_b);
}

static int
compare_keys(const AttrsEntry *a, const AttrsEntry *b)
{
	uint32_t common = a->key_bytes < b->key_bytes ? a->key_bytes : b->key_bytes;
	int		 order = memcmp(a->key, b->key, common);

	if (order == 0)
		order = (a->key_bytes > b->key_bytes) - (a->key_bytes < b->key_bytes);
	return order;
}

static bool
walk_next(MergeWalk *walk, AttrsEntry *a, bool *has_a, AttrsEntry *b, bool *has_b)
{
	int order;

	if (!walk->more_a && !walk->more_b)
		return false;
	order = !walk->more_a ? 1 : !walk->more_b ? -1 : compare_keys(&walk->entry_a, &walk->entry_b);
	*has_a = order <= 0;
	*has_b = order >= 0;
	if (*has_a)
	{
		*a = walk->entry_a;
		walk->more_a = attrs_next(&walk->a, &walk->entry_a);
	}
	if (*has_b)
	{
		*b = walk->entry_b;
		walk->more_b = attrs_next(&walk->b, &walk->entry_b);
	}
	return true;
}

/* A result being written into an upper bound of its size. */
typedef struct Writer
{
	Arena	*arena;
	uint8_t *start;
	uint8_t *at;
	size_t	 room;
} Writer;

static CollabStatus
writer_begin(Writer *writer, Arena *arena, uint64_t room, CollabError *err)
{
	if (room > UINT32_MAX)
		return collab_fail(err, COLLAB_LIMIT, -1, "the attributes of one op are too large");
	writer->arena = arena;
	writer->room = (size_t) room;
	writer->start = arena_alloc(arena, writer->room);
	writer->at = writer->start;
	return writer->start == NULL ? collab_fail(err, COLLAB_NOMEM, -1, "out of memory") : COLLAB_OK;
}

static void
write_entry(Writer *writer, const AttrsEntry *entry)
{
	memcpy(writer->at, entry->start, entry->bytes);
	writer->at += entry->bytes;
}

static void
write_null(Writer *writer, const AttrsEntry *key_of)
{
	writer->at = varint_put(writer->at, key_of->key_bytes);
	memcpy(writer->at, key_of->key, key_of->key_bytes);
	writer->at += key_of->key_bytes;
	writer->at = varint_put(writer->at, 4);
	memcpy(writer->at, "null", 4);
	writer->at += 4;
}

static DeltaAttrs
writer_end(Writer *writer)
{
	DeltaAttrs result;

	result.bytes = (uint32_t) (writer->at - writer->start);
	result.data = result.bytes == 0 ? NULL : writer->start;
	arena_trim(writer->arena, writer->start, writer->room, result.bytes);
	return result;
}

/*
 * Nulls take at most this much for each byte of the entry whose key they share: {k: 1} is 4 bytes, {k:
 * null} 7.
 */
#define NULL_GROWTH 2

static bool
has_null(DeltaAttrs attrs)
{
	AttrsCursor cursor = attrs_begin(attrs);
	AttrsEntry	entry;

	while (attrs_next(&cursor, &entry))
		if (attrs_is_null(&entry))
			return true;
	return false;
}

CollabStatus
attrs_compose(Arena *arena, DeltaAttrs a, DeltaAttrs b, bool keep_null, DeltaAttrs *out, CollabError *err)
{
	MergeWalk	 walk;
	Writer		 writer;
	AttrsEntry	 from_a;
	AttrsEntry	 from_b;
	bool		 has_a;
	bool		 has_b;
	CollabStatus status;

	if (b.bytes == 0)
	{
		*out = a;
		return COLLAB_OK;
	}
	if (a.bytes == 0 && (keep_null || !has_null(b)))
	{
		*out = b;
		return COLLAB_OK;
	}
	status = writer_begin(&writer, arena, (uint64_t) a.bytes + b.bytes, err);
	if (status != COLLAB_OK)
		return status;
	walk_begin(&walk, a, b);
	while (walk_next(&walk, &from_a, &has_a, &from_b, &has_b))
	{
		if (!has_b)
			write_entry(&writer, &from_a);
		else if (keep_null || !attrs_is_null(&from_b))
			write_entry(&writer, &from_b);
	}
	*out = writer_end(&writer);
	return COLLAB_OK;
}

CollabStatus
attrs_transform(Arena *arena, DeltaAttrs a, DeltaAttrs b, bool a_first, DeltaAttrs *out, CollabError *err)
{
	MergeWalk	 walk;
	Writer		 writer;
	AttrsEntry	 from_a;
	AttrsEntry	 from_b;
	bool		 has_a;
	bool		 has_b;
	CollabStatus status;

	if (a.bytes == 0 || b.bytes == 0 || !a_first)
	{
		*out = b;
		return COLLAB_OK;
	}
	status = writer_begin(&writer, arena, b.bytes, err);
	if (status != COLLAB_OK)
		return status;
	walk_begin(&walk, a, b);
	while (walk_next(&walk, &from_a, &has_a, &from_b, &has_b))
		if (!has_a)
			write_entry(&writer, &from_b);
	*out = writer_end(&writer);
	return COLLAB_OK;
}

/* JavaScript's ===, by which invert compares: equal objects and arrays are never identical. */
static bool
identical(const AttrsEntry *a, const AttrsEntry *b)
{
	return a->value_bytes == b->value_bytes && a->value[0] != '{' && a->value[0] != '[' &&
		   memcmp(a->value, b->value, a->value_bytes) == 0;
}

CollabStatus
attrs_invert(Arena *arena, DeltaAttrs attrs, DeltaAttrs base, DeltaAttrs *out, CollabError *err)
{
	MergeWalk	 walk;
	Writer		 writer;
	AttrsEntry	 changed;
	AttrsEntry	 old;
	bool		 has_changed;
	bool		 has_old;
	CollabStatus status;

	if (attrs.bytes == 0)
	{
		*out = none;
		return COLLAB_OK;
	}
	status = writer_begin(&writer, arena, (uint64_t) attrs.bytes * NULL_GROWTH + base.bytes, err);
	if (status != COLLAB_OK)
		return status;
	walk_begin(&walk, attrs, base);
	while (walk_next(&walk, &changed, &has_changed, &old, &has_old))
	{
		if (!has_changed)
			continue;
		if (!has_old)
			write_null(&writer, &changed);
		else if (!identical(&changed, &old))
			write_entry(&writer, &old);
	}
	*out = writer_end(&writer);
	return COLLAB_OK;
}

CollabStatus
attrs_diff(Arena *arena, DeltaAttrs a, DeltaAttrs b, DeltaAttrs *out, bool *exact, CollabError *err)
{
	MergeWalk	 walk;
	Writer		 writer;
	AttrsEntry	 from_a;
	AttrsEntry	 from_b;
	bool		 has_a;
	bool		 has_b;
	CollabStatus status;

	*exact = true;
	if (attrs_equal(a, b))
	{
		*out = none;
		return COLLAB_OK;
	}
	status = writer_begin(&writer, arena, (uint64_t) a.bytes * NULL_GROWTH + b.bytes, err);
	if (status != COLLAB_OK)
		return status;
	walk_begin(&walk, a, b);
	while (walk_next(&walk, &from_a, &has_a, &from_b, &has_b))
	{
		if (!has_b)
			write_null(&writer, &from_a);
		else if (!has_a || from_a.bytes != from_b.bytes ||
				 memcmp(from_a.start, from_b.start, from_a.bytes) != 0)
		{
			write_entry(&writer, &from_b);
			*exact = *exact && !attrs_is_null(&from_b);
		}
	}
	*out = writer_end(&writer);
	return COLLAB_OK;
}

uint32_t
attrs_count(DeltaAttrs attrs)
{
	AttrsCursor cursor = attrs_begin(attrs);
	AttrsEntry	entry;
	uint32_t	count = 0;

	while (attrs_next(&cursor, &entry))
		count++;
	return count;
}

void
attrs_print(DeltaAttrs attrs, Buf *out)
{
	AttrsCursor cursor = attrs_begin(attrs);
	AttrsEntry	entry;
	bool		first = true;

	buf_char(out, '{');
	while (attrs_next(&cursor, &entry))
	{
		if (!first)
			buf_char(out, ',');
		first = false;
		buf_json_string(out, entry.key, entry.key_bytes);
		buf_char(out, ':');
		buf_bytes(out, entry.value, entry.value_bytes);
	}
	buf_char(out, '}');
}

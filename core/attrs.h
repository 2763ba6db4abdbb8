/* attrs.h - the attribute maps of ops: canonical bytes, and quill-delta's AttributeMap algebra on them. */
#ifndef COLLAB_ATTRS_H
#define COLLAB_ATTRS_H

#include <string.h>

#include "delta.h"
#include "varint.h"

/*
 *	entry := varint key_bytes, key (UTF-8), varint value_bytes, value (canonical JSON)
 *	attrs := entries, strictly ascending by key bytes (memcmp, then length)
 *
 * Equal maps are equal bytes, so equality is memcmp and every binary operation is one merge walk. A key
 * that is absent is JavaScript's undefined; JSON null is a value ("remove" in a retain). All functions
 * but attrs_check expect valid bytes. Results point to an input where they equal it, and are built in
 * the arena otherwise.
 */
typedef struct AttrsEntry
{
	const char	  *key;
	const char	  *value;
	const uint8_t *start; /* of the whole entry, `bytes` long */
	uint32_t	   key_bytes;
	uint32_t	   value_bytes;
	uint32_t	   bytes;
} AttrsEntry;

typedef struct AttrsCursor
{
	const uint8_t *at;
	const uint8_t *end;
} AttrsCursor;

static inline AttrsCursor
attrs_begin(DeltaAttrs attrs)
{
	AttrsCursor cursor;

	cursor.at = attrs.data;
	cursor.end = attrs.bytes == 0 ? attrs.data : attrs.data + attrs.bytes;
	return cursor;
}

static inline bool
attrs_next(AttrsCursor *cursor, AttrsEntry *entry)
{
	const uint8_t *at = cursor->at;
	uint64_t	   size;

	if (at == cursor->end)
		return false;
	entry->start = at;
	at = varint_read(at, &size);
	entry->key = (const char *) at;
	entry->key_bytes = (uint32_t) size;
	at = varint_read(at + size, &size);
	entry->value = (const char *) at;
	entry->value_bytes = (uint32_t) size;
	cursor->at = at + size;
	entry->bytes = (uint32_t) (cursor->at - entry->start);
	return true;
}

static inline bool
attrs_equal(DeltaAttrs a, DeltaAttrs b)
{
	return a.bytes == b.bytes && (a.bytes == 0 || a.data == b.data || memcmp(a.data, b.data, a.bytes) == 0);
}

static inline bool
attrs_is_null(const AttrsEntry *entry)
{
	return entry->value_bytes == 4 && entry->value[0] == 'n';
}

/* AttributeMap.compose: b over a; nulls of b remove (keep_null: they stay, as instructions of a change). */
CollabStatus attrs_compose(Arena *arena, DeltaAttrs a, DeltaAttrs b, bool keep_null, DeltaAttrs *out,
						   CollabError *err) COLLAB_MUST_CHECK;
/* AttributeMap.transform: b rewritten to follow a; a_first: a's keys win and leave b. */
CollabStatus attrs_transform(Arena *arena, DeltaAttrs a, DeltaAttrs b, bool a_first, DeltaAttrs *out,
							 CollabError *err) COLLAB_MUST_CHECK;
/* AttributeMap.invert: takes (base o attrs) back to base. */
CollabStatus attrs_invert(Arena *arena, DeltaAttrs attrs, DeltaAttrs base, DeltaAttrs *out,
						  CollabError *err) COLLAB_MUST_CHECK;
/* AttributeMap.diff. *exact is false where b holds a null that a does not: no retain can set that. */
CollabStatus attrs_diff(Arena *arena, DeltaAttrs a, DeltaAttrs b, DeltaAttrs *out, bool *exact,
						CollabError *err) COLLAB_MUST_CHECK;

uint32_t attrs_count(DeltaAttrs attrs);
/* {"bold":true,"color":"red"} */
void attrs_print(DeltaAttrs attrs, Buf *out);

#endif

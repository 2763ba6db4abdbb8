/* anchor_content.c - content of ranges: text with a mark for each embed, and changes cut into hunks of it. */
#include "anchor_internal.h"

#include <string.h>

#include "delta_internal.h"
#include "hash.h"
#include "utf8.h"

static inline unsigned
char_bytes(const char *at)
{
	return (unsigned char) *at == EMBED_MARK ? EMBED_BYTES : utf8_char_bytes((unsigned char) *at);
}

unsigned
content_next(const char *content)
{
	return char_bytes(content);
}

size_t
content_offset(const char *content, size_t bytes, bool ascii, int64_t units)
{
	size_t	at = 0;
	int64_t count = 0;

	if (ascii)
		return (uint64_t) units <= bytes ? (size_t) units : CONTENT_NOWHERE;
	while (at < bytes && count < units)
	{
		unsigned size = char_bytes(content + at);

		at += size;
		count += size == 4 ? 2 : 1;
	}
	return count == units ? at : CONTENT_NOWHERE;
}

int64_t
content_units(const char *content, size_t bytes)
{
	size_t	at = 0;
	int64_t count = 0;

	while (at < bytes)
	{
		unsigned size = char_bytes(content + at);

		at += size;
		count += size == 4 ? 2 : 1;
	}
	return count;
}

bool
content_check(const char *content, size_t bytes, int64_t *units)
{
	size_t at = 0;

	*units = 0;
	while (at < bytes)
	{
		const char *mark = memchr(content + at, EMBED_MARK, bytes - at);
		size_t		until = mark != NULL ? (size_t) (mark - content) : bytes;
		int64_t		more;

		if (!utf8_check(content + at, until - at, &more))
			return false;
		*units += more;
		if (mark == NULL)
			return true;
		if (bytes - until < EMBED_BYTES)
			return false;
		*units += 1;
		at = until + EMBED_BYTES;
	}
	return true;
}

bool
content_equal(const char *a, const char *b, size_t bytes)
{
	const char *end;

	if (bytes == 0 || memcmp(a, b, bytes) == 0)
		return true;
	end = a + bytes;
	while (a < end)
	{
		unsigned size = char_bytes(a);

		if ((unsigned char) *a == EMBED_MARK && (unsigned char) *b == EMBED_MARK)
		{
			if (memcmp(a + 1, ANY_EMBED, EMBED_BYTES - 1) != 0 &&
				memcmp(b + 1, ANY_EMBED, EMBED_BYTES - 1) != 0 && memcmp(a, b, EMBED_BYTES) != 0)
				return false;
		}
		else if (*a != *b || memcmp(a, b, size) != 0)
			return false;
		a += size;
		b += size;
	}
	return true;
}

static void
put_embed(char *at, const DeltaOp *op)
{
	uint64_t hash = collab_embed_hash(op->data, op->bytes);
	int		 i;

	*at++ = (char) EMBED_MARK;
	for (i = 0; i < EMBED_BYTES - 1; i++)
		*at++ = (char) (hash >> (8 * i));
}

CollabStatus
content_of_ops(Arena *arena, const DeltaOp *ops, uint32_t count, AnchorHunk *out, CollabError *err)
{
	char	*at;
	uint32_t i;

	out->inserted = 0;
	out->bytes = 0;
	for (i = 0; i < count; i++)
	{
		out->inserted += ops[i].units;
		out->bytes += ops[i].kind == DELTA_INSERT ? ops[i].bytes : EMBED_BYTES;
	}
	out->ascii = (uint64_t) out->inserted == out->bytes;
	out->content = NULL;
	if (count == 0)
		return COLLAB_OK;
	if (count == 1 && ops[0].kind == DELTA_INSERT)
	{
		out->content = ops[0].data;
		return COLLAB_OK;
	}
	at = arena_alloc(arena, out->bytes);
	if (at == NULL)
		return delta_nomem(err);
	out->content = at;
	for (i = 0; i < count; i++)
	{
		if (ops[i].kind == DELTA_INSERT)
		{
			memcpy(at, ops[i].data, ops[i].bytes);
			at += ops[i].bytes;
		}
		else
		{
			put_embed(at, &ops[i]);
			at += EMBED_BYTES;
		}
	}
	return COLLAB_OK;
}

CollabStatus
anchor_edit(Arena *arena, const Delta *change, AnchorEdit *out, CollabError *err)
{
	int64_t	 at = 0;
	int64_t	 shift = 0;
	uint32_t i = 0;

	out->count = 0;
	out->hunks = arena_array(arena, change->count, sizeof(AnchorHunk));
	if (out->hunks == NULL)
		return delta_nomem(err);
	while (i < change->count)
	{
		const DeltaOp *op = &change->ops[i];
		AnchorHunk	   hunk = {.at = at, .shift = shift};
		uint32_t	   first = i;

		if (op->kind == DELTA_RETAIN)
		{
			at += op->units;
			i++;
			continue;
		}
		if (op->kind == DELTA_RETAIN_EMBED)
		{
			hunk.edited = true;
			at++;
			i++;
		}
		else
		{
			CollabStatus status;

			while (i < change->count && delta_op_is_insert(&change->ops[i]))
				i++;
			status = content_of_ops(arena, &change->ops[first], i - first, &hunk, err);
			if (status != COLLAB_OK)
				return status;
			if (i < change->count && change->ops[i].kind == DELTA_DELETE)
				hunk.removed = change->ops[i++].units;
			at += hunk.removed;
			shift += hunk.inserted - hunk.removed;
		}
		out->hunks[out->count++] = hunk;
	}
	return COLLAB_OK;
}

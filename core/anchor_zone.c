/* anchor_zone.c - text of others that stands where text of a range is missing: kept to see whether it becomes that text. */
#include "anchor_internal.h"

#include <string.h>

bool
anchor_zone_reserve(Anchor *anchor, size_t bytes)
{
	size_t needed =
		anchor->zone_bytes + bytes < ANCHOR_ZONE_MAX ? anchor->zone_bytes + bytes : ANCHOR_ZONE_MAX;
	size_t capacity = needed + needed / 2;
	char  *grown;

	if (needed <= anchor->zone_capacity)
		return true;
	grown = anchor->alloc.alloc(anchor->alloc.ctx, capacity);
	if (grown == NULL)
		return false;
	if (anchor->zone_bytes > 0)
		memcpy(grown, anchor->zone, anchor->zone_bytes);
	anchor->alloc.free(anchor->alloc.ctx, anchor->zone);
	anchor->zone = grown;
	anchor->zone_capacity = capacity;
	return true;
}

static void
forget(Anchor *anchor)
{
	anchor->zone_known = false;
	anchor->zone_bytes = 0;
}

size_t
anchor_zone_offset(const Anchor *anchor, int64_t units)
{
	return content_offset(anchor->zone, anchor->zone_bytes, false, units);
}

void
anchor_zone_insert(Anchor *anchor, int64_t at, const AnchorHunk *hunk, int64_t from, int64_t to)
{
	size_t first, last, offset;

	if (!anchor->zone_known || from == to)
		return;
	first = content_offset(hunk->content, hunk->bytes, hunk->ascii, from);
	last = content_offset(hunk->content, hunk->bytes, hunk->ascii, to);
	offset = anchor_zone_offset(anchor, at);
	if (first == CONTENT_NOWHERE || last == CONTENT_NOWHERE || offset == CONTENT_NOWHERE ||
		anchor->zone_bytes + (last - first) > ANCHOR_ZONE_MAX)
	{
		forget(anchor);
		return;
	}
	memmove(anchor->zone + offset + (last - first), anchor->zone + offset, anchor->zone_bytes - offset);
	memcpy(anchor->zone + offset, hunk->content + first, last - first);
	anchor->zone_bytes += last - first;
}

void
anchor_zone_remove(Anchor *anchor, int64_t from, int64_t to)
{
	size_t first, last;

	if (!anchor->zone_known || from == to)
		return;
	first = anchor_zone_offset(anchor, from);
	last = anchor_zone_offset(anchor, to);
	if (first == CONTENT_NOWHERE || last == CONTENT_NOWHERE)
	{
		forget(anchor);
		return;
	}
	if (last < anchor->zone_bytes)
		memmove(anchor->zone + first, anchor->zone + last, anchor->zone_bytes - last);
	anchor->zone_bytes -= last - first;
}

void
anchor_zone_touch(Anchor *anchor, int64_t at)
{
	size_t offset;

	if (!anchor->zone_known)
		return;
	offset = anchor_zone_offset(anchor, at);
	if (offset < anchor->zone_bytes && (unsigned char) anchor->zone[offset] == EMBED_MARK)
		memcpy(anchor->zone + offset + 1, ANY_EMBED, EMBED_BYTES - 1);
}

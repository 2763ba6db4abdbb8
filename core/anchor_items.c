/* anchor_items.c - the list of an anchor's fragments: cut, put in, taken out, kept in order and within bounds. */
#include "anchor_internal.h"

#include <string.h>

uint32_t
anchor_first_alive(const Anchor *anchor)
{
	uint32_t i;

	for (i = 0; i < anchor->count; i++)
		if (anchor->items[i].kind == ITEM_ALIVE)
			break;
	return i;
}

uint32_t
anchor_behind_alive(const Anchor *anchor)
{
	uint32_t i = anchor->count;

	while (i > 0 && anchor->items[i - 1].kind != ITEM_ALIVE)
		i--;
	return i;
}

size_t
anchor_text_offset(const Anchor *anchor, uint32_t i)
{
	size_t	 offset = 0;
	uint32_t j;

	for (j = 0; j < i; j++)
		offset += anchor->items[j].bytes;
	return offset;
}

bool
anchor_reserve(Anchor *anchor, uint32_t items, size_t bytes)
{
	if (anchor->count + items > anchor->capacity)
	{
		uint32_t	capacity = (anchor->count + items) * 2;
		AnchorItem *grown = anchor->alloc.alloc(anchor->alloc.ctx, capacity * sizeof(AnchorItem));

		if (grown == NULL)
			return false;
		if (anchor->count > 0)
			memcpy(grown, anchor->items, anchor->count * sizeof(AnchorItem));
		anchor->alloc.free(anchor->alloc.ctx, anchor->items);
		anchor->items = grown;
		anchor->capacity = capacity;
	}
	if (anchor->bytes + bytes > anchor->text_capacity)
	{
		size_t capacity = anchor->bytes + bytes + anchor->bytes / 2 + 32;
		char  *grown = anchor->alloc.alloc(anchor->alloc.ctx, capacity);

		if (grown == NULL)
			return false;
		if (anchor->bytes > 0)
			memcpy(grown, anchor->text, anchor->bytes);
		anchor->alloc.free(anchor->alloc.ctx, anchor->text);
		anchor->text = grown;
		anchor->text_capacity = capacity;
	}
	return true;
}

void
anchor_insert_item(Anchor *anchor, uint32_t i, const AnchorItem *item, const char *content)
{
	size_t offset = anchor_text_offset(anchor, i);

	if (item->bytes > 0)
	{
		memmove(anchor->text + offset + item->bytes, anchor->text + offset, anchor->bytes - offset);
		memcpy(anchor->text + offset, content, item->bytes);
		anchor->bytes += item->bytes;
	}
	memmove(&anchor->items[i + 1], &anchor->items[i], (anchor->count - i) * sizeof(AnchorItem));
	anchor->items[i] = *item;
	anchor->count++;
}

static void
forget_text(Anchor *anchor, uint32_t i)
{
	AnchorItem *item = &anchor->items[i];
	size_t		offset = anchor_text_offset(anchor, i);

	if (item->bytes > 0)
		memmove(anchor->text + offset, anchor->text + offset + item->bytes,
				anchor->bytes - offset - item->bytes);
	anchor->bytes -= item->bytes;
	item->bytes = 0;
	item->known = item->ascii = false;
}

void
anchor_erase_item(Anchor *anchor, uint32_t i)
{
	forget_text(anchor, i);
	anchor->count--;
	memmove(&anchor->items[i], &anchor->items[i + 1], (anchor->count - i) * sizeof(AnchorItem));
}

/* Cuts item i behind `units`, fewer than it has. */
static void
split_item(Anchor *anchor, uint32_t i, int64_t units)
{
	AnchorItem *item = &anchor->items[i];
	AnchorItem	rest = *item;

	if (item->known)
	{
		size_t cut =
			content_offset(anchor->text + anchor_text_offset(anchor, i), item->bytes, item->ascii, units);

		/* A change that cuts a pair is none of this document's; better no memory than a wrong one. */
		if (cut == CONTENT_NOWHERE)
		{
			forget_text(anchor, i);
			rest = *item;
		}
		else
		{
			rest.bytes = item->bytes - (uint32_t) cut;
			item->bytes = (uint32_t) cut;
		}
	}
	rest.units = item->units - units;
	item->units = units;
	item->ascii = item->known && item->bytes == item->units;
	rest.ascii = rest.known && rest.bytes == rest.units;
	memmove(&anchor->items[i + 2], &anchor->items[i + 1], (anchor->count - i - 1) * sizeof(AnchorItem));
	anchor->items[i + 1] = rest;
	anchor->count++;
}

uint32_t
anchor_cut_alive(Anchor *anchor, int64_t units)
{
	uint32_t i;

	for (i = 0; i < anchor->count && units > 0; i++)
	{
		AnchorItem *item = &anchor->items[i];

		if (item->kind != ITEM_ALIVE)
			continue;
		if (item->units > units)
			split_item(anchor, i, units);
		units -= anchor->items[i].units;
	}
	return i;
}

/* ---- order after each hunk ---- */

/* Outside text counts only at the edges, next to something of the range that may return there. */
static void
drop_useless(Anchor *anchor)
{
	uint32_t first = anchor_first_alive(anchor);
	uint32_t behind = anchor_behind_alive(anchor);
	bool	 front = false;
	bool	 back = false;
	uint32_t i;

	for (i = 0; i < anchor->count; i++)
	{
		front = front || (i < first && anchor->items[i].kind == ITEM_DELETED);
		back = back || (i >= behind && anchor->items[i].kind == ITEM_DELETED);
	}
	for (i = anchor->count; i-- > 0;)
		if (anchor->items[i].kind == ITEM_OUTSIDE && !(i < first && front) && !(i >= behind && back))
			anchor_erase_item(anchor, i);
}

/* Neighbours alive are one, where both are known or neither is. */
static void
merge_alive(Anchor *anchor)
{
	uint32_t i;

	for (i = anchor->count; i-- > 1;)
	{
		AnchorItem *item = &anchor->items[i];
		AnchorItem *before = item - 1;

		if (item->kind != ITEM_ALIVE || before->kind != ITEM_ALIVE || item->known != before->known)
			continue;
		before->units += item->units;
		before->bytes += item->bytes;
		before->ascii = before->known && before->bytes == before->units;
		anchor->count--;
		memmove(item, item + 1, (anchor->count - i) * sizeof(AnchorItem));
	}
}

/* Index of what was deleted first; count when nothing is. */
static uint32_t
oldest_deleted(const Anchor *anchor, bool with_text)
{
	uint32_t oldest = anchor->count;
	uint32_t i;

	for (i = 0; i < anchor->count; i++)
	{
		const AnchorItem *item = &anchor->items[i];

		if (item->kind == ITEM_ALIVE || (with_text && item->bytes == 0))
			continue;
		if (oldest == anchor->count || item->death < anchor->items[oldest].death)
			oldest = i;
	}
	return oldest;
}

static uint32_t
largest_alive(const Anchor *anchor)
{
	uint32_t largest = anchor->count;
	uint32_t i;

	for (i = 0; i < anchor->count; i++)
		if (anchor->items[i].kind == ITEM_ALIVE &&
			(largest == anchor->count || anchor->items[i].bytes > anchor->items[largest].bytes))
			largest = i;
	return largest;
}

static void
keep_bounds(Anchor *anchor)
{
	uint32_t deleted = 0;
	uint32_t i;

	for (i = 0; i < anchor->count; i++)
		deleted += anchor->items[i].kind != ITEM_ALIVE;
	for (; deleted > ANCHOR_DELETED_MAX; deleted--)
		anchor_erase_item(anchor, oldest_deleted(anchor, false));
	while (anchor->bytes > ANCHOR_TEXT_MAX)
	{
		i = oldest_deleted(anchor, true);
		if (i < anchor->count)
			anchor_erase_item(anchor, i);
		else
			forget_text(anchor, largest_alive(anchor));
	}
	merge_alive(anchor);
	if (anchor->count > ANCHOR_ITEMS_MAX)
		for (i = 0; i < anchor->count; i++)
			if (anchor->items[i].kind == ITEM_ALIVE)
				forget_text(anchor, i);
}

void
anchor_settle(Anchor *anchor)
{
	keep_bounds(anchor);
	drop_useless(anchor);
	merge_alive(anchor);
	if (anchor_behind_alive(anchor) == anchor->count)
	{
		anchor_zone_remove(anchor, anchor_zone_front(anchor), anchor_zone_units(anchor));
		anchor->hi = anchor_end(anchor);
	}
	if (anchor_first_alive(anchor) == 0)
	{
		anchor_zone_remove(anchor, 0, anchor_zone_front(anchor));
		anchor->lo = anchor->start;
	}
	if (anchor_zone_units(anchor) == 0)
		anchor->zone_known = true;
}

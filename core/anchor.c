/* anchor.c - anchors made, moved by changes, read: gravity, deletion, return. */
#include "anchor_internal.h"

#include <string.h>

#include "delta_internal.h"

/* What one hunk may add: two cuts, two pieces deleted outside, three that come to life. */
#define HUNK_ITEMS 8

/* ---- making ---- */

static CollabStatus
new_anchor(CollabAlloc alloc, Anchor **out, CollabError *err)
{
	Anchor *anchor = alloc.alloc(alloc.ctx, sizeof(Anchor));

	if (anchor == NULL)
		return delta_nomem(err);
	memset(anchor, 0, sizeof(Anchor));
	anchor->alloc = alloc;
	anchor->zone_known = true;
	*out = anchor;
	return COLLAB_OK;
}

CollabStatus
anchor_new(CollabAlloc alloc, uint32_t items, size_t bytes, Anchor **out, CollabError *err)
{
	CollabStatus status = new_anchor(alloc, out, err);

	if (status == COLLAB_OK && !anchor_reserve(*out, items, bytes))
	{
		anchor_free(*out);
		return delta_nomem(err);
	}
	return status;
}

CollabStatus
anchor_create(CollabAlloc alloc, int64_t from, const Delta *text, Anchor **out, CollabError *err)
{
	AnchorItem	 item = {.kind = ITEM_ALIVE};
	AnchorHunk	 content = {0};
	Anchor		*anchor;
	Arena		 scratch;
	CollabStatus status;

	if (text->count == 0 || !delta_is_document(text))
		return collab_fail(err, COLLAB_RANGE, -1, "the range is empty");
	if (from < 0 || from > DELTA_MAX_UNITS - delta_length(text))
		return collab_fail(err, COLLAB_RANGE, -1, "the range begins at %lld", (long long) from);
	arena_init(&scratch, alloc);
	status = content_of_ops(&scratch, text->ops, text->count, &content, err);
	if (status == COLLAB_OK)
	{
		item.units = content.inserted;
		item.known = content.bytes <= ANCHOR_TEXT_MAX;
		item.bytes = item.known ? (uint32_t) content.bytes : 0;
		item.ascii = item.known && content.ascii;
		status = anchor_new(alloc, 1, item.bytes, &anchor, err);
	}
	if (status == COLLAB_OK)
	{
		anchor_insert_item(anchor, 0, &item, content.content);
		anchor->lo = anchor->start = from;
		anchor->alive = item.units;
		anchor->hi = anchor_end(anchor);
		*out = anchor;
	}
	arena_free(&scratch);
	return status;
}

void
anchor_free(Anchor *anchor)
{
	if (anchor == NULL)
		return;
	anchor->alloc.free(anchor->alloc.ctx, anchor->items);
	anchor->alloc.free(anchor->alloc.ctx, anchor->text);
	anchor->alloc.free(anchor->alloc.ctx, anchor->zone);
	anchor->alloc.free(anchor->alloc.ctx, anchor);
}

AnchorRange
anchor_range(const Anchor *anchor)
{
	AnchorRange range = {anchor->start, anchor_end(anchor), anchor->alive == 0};

	return range;
}

size_t
anchor_memory(const Anchor *anchor)
{
	return sizeof(Anchor) + anchor->capacity * sizeof(AnchorItem) + anchor->text_capacity +
		   anchor->zone_capacity;
}

/* ---- deletion ---- */

static int64_t
clamp(int64_t value, int64_t low, int64_t high)
{
	return value < low ? low : value > high ? high : value;
}

/* Where a position goes when [at, until) is removed. */
static int64_t
moved(int64_t position, int64_t at, int64_t until)
{
	return position <= at ? position : position <= until ? at : position - (until - at);
}

/* Units deleted next to the range by a change that also deleted some of it, or has done so before. */
static void
note_outside(Anchor *anchor, uint32_t i, int64_t units, bool joined)
{
	AnchorItem item = {.kind = ITEM_OUTSIDE, .units = units, .joined = joined, .death = anchor->deaths};

	if (units > 0)
		anchor_insert_item(anchor, i, &item, NULL);
}

/* `end`: of the range, before this change. */
static void
remove_foreign(Anchor *anchor, int64_t at, int64_t until, int64_t end)
{
	int64_t front = anchor_zone_front(anchor);
	int64_t lo = anchor->lo;

	anchor_zone_remove(anchor, front + clamp(at, end, anchor->hi) - end,
					   front + clamp(until, end, anchor->hi) - end);
	anchor_zone_remove(anchor, clamp(at, lo, anchor->start) - lo, clamp(until, lo, anchor->start) - lo);
}

static void
remove_units(Anchor *anchor, int64_t at, int64_t until, bool joined)
{
	int64_t	 start = anchor->start;
	int64_t	 end = anchor_end(anchor);
	int64_t	 front = at < start ? clamp(until, at, start) - at : 0;
	int64_t	 back = until > end ? until - clamp(at, end, until) : 0;
	int64_t	 from = clamp(at, start, end);
	int64_t	 to = clamp(until, start, end);
	uint32_t i;

	if (to > from)
	{
		uint32_t behind;

		(void) anchor_cut_alive(anchor, from - start);
		behind = anchor_cut_alive(anchor, to - start);
		for (i = anchor_cut_alive(anchor, from - start); i < behind; i++)
		{
			AnchorItem *item = &anchor->items[i];

			if (item->kind != ITEM_ALIVE)
				continue;
			item->kind = ITEM_DELETED;
			item->death = anchor->deaths;
			item->joined = joined;
		}
		anchor->alive -= to - from;
	}
	remove_foreign(anchor, at, until, end);
	anchor->lo = moved(anchor->lo, at, until);
	anchor->start = moved(start, at, until);
	anchor->hi = moved(anchor->hi, at, until);
	note_outside(anchor, 0, front, joined);
	note_outside(anchor, anchor->count, back, joined);
}

/* ---- insertion ---- */

typedef enum Side
{
	SIDE_FRONT, /* at or before the start: pushes it */
	SIDE_INSIDE,
	SIDE_BACK
} Side;

/* `content` may be NULL: unknown. */
static void
insert_alive(Anchor *anchor, uint32_t i, const char *content, size_t bytes, int64_t units)
{
	AnchorItem item = {.kind = ITEM_ALIVE, .units = units};

	if (units == 0)
		return;
	item.known = content != NULL;
	item.bytes = item.known ? (uint32_t) bytes : 0;
	item.ascii = item.known && item.bytes == item.units;
	anchor_insert_item(anchor, i, &item, content);
	anchor->alive += units;
}

/* A piece of what is inserted. */
static void
insert_piece(Anchor *anchor, uint32_t i, const AnchorHunk *hunk, int64_t from, int64_t to)
{
	size_t first = CONTENT_NOWHERE;
	size_t last = CONTENT_NOWHERE;

	if (hunk->bytes <= ANCHOR_TEXT_MAX)
	{
		first = content_offset(hunk->content, hunk->bytes, hunk->ascii, from);
		last = content_offset(hunk->content, hunk->bytes, hunk->ascii, to);
	}
	if (first == CONTENT_NOWHERE || last == CONTENT_NOWHERE)
		insert_alive(anchor, i, NULL, 0, to - from);
	else
		insert_alive(anchor, i, hunk->content + first, last - first, to - from);
}

/* Text of others that gets inside the range. It still stands in the zone. */
static void
insert_foreign(Anchor *anchor, uint32_t i, int64_t from, int64_t to)
{
	size_t first = anchor->zone_known ? anchor_zone_offset(anchor, from) : CONTENT_NOWHERE;
	size_t last = anchor->zone_known ? anchor_zone_offset(anchor, to) : CONTENT_NOWHERE;

	if (first == CONTENT_NOWHERE || last == CONTENT_NOWHERE)
		insert_alive(anchor, i, NULL, 0, to - from);
	else
		insert_alive(anchor, i, anchor->zone + first, last - first, to - from);
}

/* What may return by an insertion at `at`, which lies in the zone. */
static AnchorGroup
group_at(Anchor *anchor, int64_t at)
{
	AnchorGroup group = {0, anchor->count, false, anchor->lo < anchor->hi};

	if (anchor->alive == 0)
		return group;
	if (at <= anchor->start)
	{
		group.to = anchor_first_alive(anchor);
		group.foreign = anchor->lo < anchor->start;
	}
	else if (at >= anchor_end(anchor))
	{
		group.from = anchor_behind_alive(anchor);
		group.foreign = anchor_end(anchor) < anchor->hi;
	}
	else
	{
		group.from = group.to = anchor_cut_alive(anchor, at - anchor->start);
		while (anchor->items[group.to].kind != ITEM_ALIVE)
			group.to++;
		group.inside = true;
		group.foreign = false;
	}
	return group;
}

#define NO_PLACE UINT32_MAX

/*
 * Takes the chosen items out. What was inserted in their place is `front` units outside the range, then the text
 * itself, then `back` units outside. Returns the index where the text belongs.
 */
static uint32_t
take_chosen(Anchor *anchor, int64_t *front, int64_t *back)
{
	uint32_t place = NO_PLACE;
	uint32_t i = 0;

	*front = 0;
	*back = 0;
	while (i < anchor->count)
	{
		const AnchorItem *item = &anchor->items[i];

		if (!item->chosen)
		{
			i++;
			continue;
		}
		if (item->kind == ITEM_DELETED)
		{
			if (place == NO_PLACE)
				place = i;
			*back = 0;
		}
		else if (place == NO_PLACE)
			*front += item->units;
		else
			*back += item->units;
		anchor_erase_item(anchor, i);
	}
	return place;
}

/* The insertion at `at` brings back what is chosen; whatever then stands between it and the range joins the range. */
static void
revive(Anchor *anchor, int64_t at, const AnchorHunk *hunk)
{
	int64_t	 units = hunk->inserted;
	int64_t	 start = anchor->start;
	int64_t	 end = anchor_end(anchor);
	bool	 orphan = anchor->alive == 0;
	int64_t	 front, back;
	int64_t	 zone = anchor_zone_front(anchor);
	uint32_t place = take_chosen(anchor, &front, &back);

	if (orphan)
	{
		insert_piece(anchor, place, hunk, front, units - back);
		anchor_zone_insert(anchor, at - anchor->lo, hunk, units - back, units);
		anchor_zone_insert(anchor, at - anchor->lo, hunk, 0, front);
		anchor->start = at + front;
	}
	else if (at <= start)
	{
		uint32_t first = anchor_first_alive(anchor);

		insert_foreign(anchor, first, at - anchor->lo, zone);
		insert_piece(anchor, first, hunk, units - back, units);
		insert_piece(anchor, place, hunk, front, units - back);
		anchor_zone_remove(anchor, at - anchor->lo, zone);
		anchor_zone_insert(anchor, at - anchor->lo, hunk, 0, front);
		anchor->start = at + front;
	}
	else if (at >= end)
	{
		uint32_t behind = anchor_behind_alive(anchor);

		insert_piece(anchor, place, hunk, front, units - back);
		insert_piece(anchor, behind, hunk, 0, front);
		insert_foreign(anchor, behind, zone, zone + at - end);
		anchor_zone_remove(anchor, zone, zone + at - end);
		anchor_zone_insert(anchor, zone, hunk, units - back, units);
	}
	else
		insert_piece(anchor, place, hunk, 0, units);
	anchor->hi += units;
}

/* In the middle of unknown text: to know a part of that would only be costly. */
static bool
is_unknown(const Anchor *anchor, uint32_t i)
{
	const AnchorItem *items = anchor->items;

	return i > 0 && i < anchor->count && items[i - 1].kind == ITEM_ALIVE && !items[i - 1].known &&
		   items[i].kind == ITEM_ALIVE && !items[i].known;
}

static void
insert_units(Anchor *anchor, int64_t at, Side side, const AnchorHunk *hunk)
{
	AnchorGroup group = group_at(anchor, at);

	if (anchor_match(anchor, group, hunk))
		revive(anchor, at, hunk);
	else if (side == SIDE_INSIDE)
	{
		uint32_t place = anchor_cut_alive(anchor, at - anchor->start);

		if (is_unknown(anchor, place))
			insert_alive(anchor, place, NULL, 0, hunk->inserted);
		else
			insert_piece(anchor, place, hunk, 0, hunk->inserted);
		anchor->hi += hunk->inserted;
	}
	else
	{
		anchor_zone_insert(anchor, at - anchor->lo - (side == SIDE_BACK ? anchor->alive : 0), hunk, 0,
						   hunk->inserted);
		if (side == SIDE_FRONT)
			anchor->start += hunk->inserted;
		anchor->hi += hunk->inserted;
	}
}

/* What was taken from the zone of a group stands at [from, from + units) of the zone. */
static void
revive_in_zone(Anchor *anchor, bool front_group, int64_t from, int64_t units)
{
	int64_t	 zone = anchor_zone_front(anchor);
	int64_t	 front, back;
	uint32_t place = take_chosen(anchor, &front, &back);

	if (anchor->alive == 0)
	{
		insert_foreign(anchor, place, from, from + units);
		anchor_zone_remove(anchor, from, from + units);
		anchor->start = anchor->lo + from;
	}
	else if (front_group)
	{
		insert_foreign(anchor, anchor_first_alive(anchor), from + units, zone);
		insert_foreign(anchor, place, from, from + units);
		anchor_zone_remove(anchor, from, zone);
		anchor->start = anchor->lo + from;
	}
	else
	{
		uint32_t behind = anchor_behind_alive(anchor);

		insert_foreign(anchor, place, from, from + units);
		insert_foreign(anchor, behind, zone, from);
		anchor_zone_remove(anchor, zone, from + units);
	}
}

/* After a change: has it made text of others into what is missing? */
static void
look_at_zone(Anchor *anchor, AnchorGroup group, int64_t from, int64_t to, int64_t hint, bool rewritten)
{
	size_t	   first = anchor_zone_offset(anchor, from);
	size_t	   last = anchor_zone_offset(anchor, to);
	AnchorZone zone = {.hint = hint - from, .rewritten = rewritten};
	int64_t	   found, units;

	if (group.from == group.to || from == to || first == CONTENT_NOWHERE || last == CONTENT_NOWHERE)
		return;
	zone.content = anchor->zone + first;
	zone.bytes = last - first;
	if (!anchor_match_zone(anchor, group, &zone, &found, &units))
		return;
	revive_in_zone(anchor, group.from == 0, from + found, units);
	anchor_settle(anchor);
}

/* `start`: of the range before the change, as far as others have not moved it. */
static CollabStatus
look_at_zones(Anchor *anchor, int64_t start, bool rewritten, CollabError *err)
{
	AnchorGroup group = {0, 0, false, false};

	if (!anchor->zone_known || anchor->zone_bytes == 0)
		return COLLAB_OK;
	if (!anchor_reserve(anchor, HUNK_ITEMS, 2 * anchor->zone_bytes))
		return delta_nomem(err);
	group.to = anchor_first_alive(anchor);
	look_at_zone(anchor, group, 0, anchor->alive == 0 ? anchor_zone_units(anchor) : anchor_zone_front(anchor),
				 start - anchor->lo, rewritten);
	if (anchor->alive == 0)
		return COLLAB_OK;
	group.from = anchor_behind_alive(anchor);
	group.to = anchor->count;
	look_at_zone(anchor, group, anchor_zone_front(anchor), anchor_zone_units(anchor),
				 anchor_zone_front(anchor), rewritten);
	return COLLAB_OK;
}

/* ---- changes ---- */

static void
shift(Anchor *anchor, int64_t by)
{
	anchor->lo += by;
	anchor->start += by;
	anchor->hi += by;
}

/* The embed at a position is another one now, but still that one. */
static void
touch_embed(Anchor *anchor, int64_t at)
{
	int64_t	 units = at - anchor->start;
	uint32_t i;

	if (at >= anchor->lo && at < anchor->start)
		anchor_zone_touch(anchor, at - anchor->lo);
	else if (at >= anchor_end(anchor) && at < anchor->hi)
		anchor_zone_touch(anchor, at - anchor->lo - anchor->alive);
	for (i = 0; i < anchor->count && units >= 0; i++)
	{
		const AnchorItem *item = &anchor->items[i];
		size_t			  offset;

		if (item->kind != ITEM_ALIVE)
			continue;
		if (units >= item->units || !item->known)
		{
			units -= item->units;
			continue;
		}
		offset = content_offset(anchor->text + anchor_text_offset(anchor, i), item->bytes, item->ascii, units);
		if (offset != CONTENT_NOWHERE)
		{
			char *mark = anchor->text + anchor_text_offset(anchor, i) + offset;

			if ((unsigned char) *mark == EMBED_MARK)
				memcpy(mark + 1, ANY_EMBED, EMBED_BYTES - 1);
		}
		return;
	}
}

/* What a change has done to the range and its zone. */
typedef struct Work
{
	int	 touched; /* hunks */
	bool rewritten;
	bool died; /* something that is remembered was deleted */
} Work;

static bool
remembers(const Anchor *anchor, uint64_t death)
{
	uint32_t i;

	for (i = 0; i < anchor->count; i++)
		if (anchor->items[i].kind != ITEM_ALIVE && anchor->items[i].death == death)
			return true;
	return false;
}

static CollabStatus
apply_hunk(Anchor *anchor, int64_t at, const AnchorHunk *hunk, Work *work, CollabError *err)
{
	int64_t until = at + hunk->removed;
	Side	side = at <= anchor->start ? SIDE_FRONT : at >= anchor_end(anchor) ? SIDE_BACK : SIDE_INSIDE;

	if (hunk->edited)
	{
		touch_embed(anchor, at);
		return COLLAB_OK;
	}
	/* Where nothing may return at an edge, the edge itself is already outside. */
	if (until < anchor->lo || (until == anchor->lo && anchor_first_alive(anchor) == 0))
	{
		shift(anchor, hunk->inserted - hunk->removed);
		return COLLAB_OK;
	}
	if (at > anchor->hi ||
		(at == anchor->hi && side == SIDE_BACK && anchor_behind_alive(anchor) == anchor->count))
		return COLLAB_OK;

	if (!anchor_reserve(anchor, HUNK_ITEMS,
						anchor->zone_bytes + (hunk->bytes <= ANCHOR_TEXT_MAX ? hunk->bytes : 0)) ||
		!anchor_zone_reserve(anchor, hunk->bytes))
		return delta_nomem(err);
	work->touched++;
	work->rewritten |= hunk->removed > 0;
	if (hunk->removed > 0)
	{
		anchor->deaths++;
		remove_units(anchor, at, until, work->died);
	}
	if (hunk->inserted > 0)
		insert_units(anchor, at, side, hunk);
	anchor_settle(anchor);
	/* Numbers follow one another, so that what one change deleted is found together. */
	if (hunk->removed > 0 && remembers(anchor, anchor->deaths))
		work->died = true;
	else if (hunk->removed > 0)
		anchor->deaths--;
	return COLLAB_OK;
}

/* The first hunk that does not end in front of a position. */
static uint32_t
first_hunk_at(const AnchorEdit *edit, int64_t position)
{
	uint32_t low = 0;
	uint32_t high = edit->count;

	while (low < high)
	{
		uint32_t middle = low + (high - low) / 2;

		if (edit->hunks[middle].at + edit->hunks[middle].removed < position)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

CollabStatus
anchor_apply(Anchor *anchor, const AnchorEdit *edit, CollabError *err)
{
	uint32_t		  i = first_hunk_at(edit, anchor->lo);
	const AnchorHunk *before = i > 0 ? &edit->hunks[i - 1] : NULL;
	Work			  work = {0, false, false};
	int64_t			  start;

	if (before != NULL)
		shift(anchor, before->shift + before->inserted - before->removed);
	start = anchor->start;
	anchor->past = anchor->deaths;
	for (; i < edit->count; i++)
	{
		const AnchorHunk *hunk = &edit->hunks[i];
		CollabStatus	  status;

		if (hunk->at + hunk->shift > anchor->hi)
			break;
		status = apply_hunk(anchor, hunk->at + hunk->shift, hunk, &work, err);
		if (status != COLLAB_OK)
			return status;
	}
	return work.touched > 0 ? look_at_zones(anchor, start, work.rewritten || work.touched > 1, err)
							: COLLAB_OK;
}

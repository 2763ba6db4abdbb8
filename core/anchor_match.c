/* anchor_match.c - is it an undo: which deleted fragments does an insertion repeat. */
#include "anchor_internal.h"

#include <stdlib.h>

#include "utf8.h"

/* Which of the group's deleted items are meant: from one place to another, from one death to another. */
typedef struct Choice
{
	uint32_t from;
	uint32_t to;	/* exclusive */
	uint64_t first; /* deaths, inclusive */
	uint64_t last;
	bool	 of_range; /* not what was deleted outside */
} Choice;

typedef struct Death
{
	uint64_t death;
	int64_t	 units;
	bool	 of_range; /* some of it was inside */
} Death;

static bool
is_chosen(const AnchorItem *item, uint32_t i, const Choice *choice)
{
	return item->kind != ITEM_ALIVE && !(choice->of_range && item->kind == ITEM_OUTSIDE) &&
		   i >= choice->from && i < choice->to && item->death >= choice->first && item->death <= choice->last;
}

/* Whether these items, in order, are exactly what is inserted. `known`, `unknown`: units of them that were inside. */
static bool
repeats(const Anchor *anchor, const Choice *choice, const AnchorHunk *hunk, int64_t *known, int64_t *unknown)
{
	size_t	 stored = anchor_text_offset(anchor, choice->from);
	size_t	 offset = 0;
	uint32_t i;

	*known = 0;
	*unknown = 0;
	for (i = choice->from; i < choice->to; i++)
	{
		const AnchorItem *item = &anchor->items[i];

		if (is_chosen(item, i, choice))
		{
			size_t bytes =
				content_offset(hunk->content + offset, hunk->bytes - offset, hunk->ascii, item->units);

			if (bytes == CONTENT_NOWHERE)
				return false;
			if (item->known && (bytes != item->bytes ||
								!content_equal(anchor->text + stored, hunk->content + offset, bytes)))
				return false;
			if (item->kind == ITEM_DELETED)
				*(item->known ? known : unknown) += item->units;
			offset += bytes;
		}
		stored += item->bytes;
	}
	return offset == hunk->bytes;
}

/* Whether it is enough to speak of a return, or may be chance: one letter occurs in many words. */
static bool
convinces(const AnchorGroup *group, const Choice *choice, uint64_t newest, int64_t known, int64_t unknown)
{
	if (known > 1 || unknown >= ANCHOR_UNKNOWN_MIN)
		return true;
	if (known == 0)
		return false;
	return group->inside || (!group->foreign && choice->first <= newest && newest <= choice->last);
}

static bool
try_choice(Anchor *anchor, const AnchorGroup *group, const Choice *choice, uint64_t newest,
		   const AnchorHunk *hunk)
{
	int64_t	 known, unknown;
	uint32_t i;

	if (!repeats(anchor, choice, hunk, &known, &unknown) || !convinces(group, choice, newest, known, unknown))
		return false;
	for (i = 0; i < anchor->count; i++)
		anchor->items[i].chosen = is_chosen(&anchor->items[i], i, choice);
	return true;
}

static int
newest_first(const void *a, const void *b)
{
	const Death *x = a;
	const Death *y = b;

	return x->death > y->death ? -1 : x->death < y->death;
}

/* The deaths in a group, newest first, and the units that each of them took. */
static uint32_t
list_deaths(const Anchor *anchor, const AnchorGroup *group, Death *deaths)
{
	uint32_t count = 0;
	uint32_t kept = 0;
	uint32_t i;

	for (i = group->from; i < group->to; i++)
	{
		const AnchorItem *item = &anchor->items[i];

		deaths[count].death = item->death;
		deaths[count].units = item->units;
		deaths[count++].of_range = item->kind == ITEM_DELETED;
	}
	if (count > 1)
		qsort(deaths, count, sizeof(Death), newest_first);
	for (i = 0; i < count; i++)
	{
		if (kept > 0 && deaths[kept - 1].death == deaths[i].death)
		{
			deaths[kept - 1].units += deaths[i].units;
			deaths[kept - 1].of_range |= deaths[i].of_range;
		}
		else
			deaths[kept++] = deaths[i];
	}
	return kept;
}

/* What was deleted in turn, by one hunk or by several: of one event, of one editor who undoes them together. */
static bool
match_deaths(Anchor *anchor, const AnchorGroup *group, const Death *deaths, uint32_t count, uint64_t newest,
			 const AnchorHunk *hunk)
{
	Choice	 choice = {.from = group->from, .to = group->to};
	int64_t	 units = 0;
	uint32_t last = 0;
	uint32_t first;

	for (first = 0; first < count; first++)
	{
		units += deaths[first].units;
		while (units > hunk->inserted)
			units -= deaths[last++].units;
		choice.first = deaths[first].death;
		choice.last = last <= first ? deaths[last].death : 0;
		if (units == hunk->inserted && try_choice(anchor, group, &choice, newest, hunk))
			return true;
	}
	return false;
}

/* What stands side by side, whenever it was deleted. */
static bool
match_neighbours(Anchor *anchor, const AnchorGroup *group, uint64_t newest, const AnchorHunk *hunk)
{
	Choice	choice = {.from = group->from, .to = group->from, .first = 0, .last = UINT64_MAX};
	int64_t units = 0;

	/* of a single unit, each is a death of its own */
	while (hunk->inserted > 1 && choice.to < group->to)
	{
		units += anchor->items[choice.to++].units;
		while (units > hunk->inserted)
			units -= anchor->items[choice.from++].units;
		if (units == hunk->inserted && try_choice(anchor, group, &choice, newest, hunk))
			return true;
	}
	return false;
}

/* ---- in text that is there ---- */

/*
 * Whether the chosen items' texts stand at an offset, one behind the other. `first` is the first of them, its text
 * begins at `stored`. Returns their bytes; 0: they do not.
 */
static size_t
stands_at(const Anchor *anchor, const Choice *choice, uint32_t first, size_t stored, const AnchorZone *zone,
		  size_t offset)
{
	size_t	 begin = offset;
	uint32_t i;

	for (i = first; i < choice->to; i++)
	{
		const AnchorItem *item = &anchor->items[i];

		if (is_chosen(item, i, choice))
		{
			if (!item->known || item->bytes > zone->bytes - offset ||
				!content_equal(anchor->text + stored, zone->content + offset, item->bytes))
				return 0;
			offset += item->bytes;
		}
		stored += item->bytes;
	}
	return offset - begin;
}

/*
 * Where they stand, if it is clear: in the place where they are expected, or in one only. Typed once more they count
 * only as a whole.
 */
static bool
find_in_zone(Anchor *anchor, const Choice *choice, const AnchorZone *zone, int64_t *from, int64_t *units)
{
	uint32_t first = choice->from;
	size_t	 offset = 0;
	int64_t	 at = 0;
	int		 places = 0;
	size_t	 stored;
	uint32_t i;

	while (first < choice->to && !is_chosen(&anchor->items[first], first, choice))
		first++;
	stored = anchor_text_offset(anchor, first);
	while (first < choice->to && offset < zone->bytes)
	{
		size_t	bytes = stands_at(anchor, choice, first, stored, zone, offset);
		int64_t length = content_units(zone->content + offset, bytes);
		size_t	next = content_next(zone->content + offset);

		if (length > 1 && (zone->rewritten || bytes == zone->bytes))
		{
			*from = at;
			*units = length;
			places++;
			if (at == zone->hint)
			{
				places = 1;
				break;
			}
		}
		at += content_units(zone->content + offset, next);
		offset += next;
	}
	if (places != 1)
		return false;
	for (i = 0; i < anchor->count; i++)
		anchor->items[i].chosen = is_chosen(&anchor->items[i], i, choice);
	return true;
}

bool
anchor_match_zone(Anchor *anchor, AnchorGroup group, const AnchorZone *zone, int64_t *from, int64_t *units)
{
	Choice	 choice = {group.from, group.to, 1, UINT64_MAX, true};
	Death	 deaths[ANCHOR_ITEMS_MAX];
	uint32_t count;
	uint32_t i;

	if (find_in_zone(anchor, &choice, zone, from, units))
		return true;
	if (!zone->rewritten)
		return false;
	count = list_deaths(anchor, &group, deaths);
	for (i = 0; i < count; i++)
	{
		choice.first = choice.last = deaths[i].death;
		if (deaths[i].of_range && find_in_zone(anchor, &choice, zone, from, units))
			return true;
	}
	return false;
}

/* ---- in text that is inserted ---- */

bool
anchor_match(Anchor *anchor, AnchorGroup group, const AnchorHunk *hunk)
{
	Death	 deaths[ANCHOR_ITEMS_MAX];
	uint64_t newest = 0;
	uint32_t count = list_deaths(anchor, &group, deaths);
	uint32_t i;

	for (i = 0; i < count && newest == 0; i++)
		if (deaths[i].of_range)
			newest = deaths[i].death;
	return newest > 0 && (match_deaths(anchor, &group, deaths, count, newest, hunk) ||
						  match_neighbours(anchor, &group, newest, hunk));
}

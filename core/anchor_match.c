/* anchor_match.c - is it an undo: which deleted fragments does an insertion repeat. */
#include "anchor_internal.h"

#include <stdlib.h>
#include <string.h>

#include "utf8.h"

#define ENOUGH 2

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

/* What speaks for a return: blanks are everywhere, an embed is like no other. */
static int64_t
evidence(const char *content, size_t bytes)
{
	int64_t count = 0;
	size_t	at;

	for (at = 0; at < bytes; at += content_next(content + at))
	{
		if ((unsigned char) content[at] == EMBED_MARK)
			count += ENOUGH;
		else
			count += strchr(" \t\r\n", content[at]) == NULL;
	}
	return count;
}

/*
 * What was missing in one place before this change: when the last of it was deleted, and what all of it would speak
 * for.
 */
typedef struct Missing
{
	uint64_t newest; /* the first of the deaths of that change; 0: nothing was */
	int64_t	 evidence;
} Missing;

/* The first death of the change that a death belongs to. */
static uint64_t
first_of_change(const Anchor *anchor, uint64_t death)
{
	uint32_t i;

	for (i = 0; i < anchor->count; i++)
		if (anchor->items[i].death == death && anchor->items[i].joined)
		{
			death--;
			i = UINT32_MAX; /* from the beginning */
		}
	return death;
}

static Missing
what_is_missing(const Anchor *anchor, const AnchorGroup *group)
{
	size_t	 stored = anchor_text_offset(anchor, group->from);
	Missing	 missing = {0, 0};
	uint32_t i;

	for (i = group->from; i < group->to; i++)
	{
		const AnchorItem *item = &anchor->items[i];

		if (item->kind == ITEM_DELETED && item->death <= anchor->past)
		{
			missing.newest = item->death > missing.newest ? item->death : missing.newest;
			missing.evidence += item->known ? evidence(anchor->text + stored, item->bytes) : item->units;
		}
		stored += item->bytes;
	}
	missing.newest = first_of_change(anchor, missing.newest);
	return missing;
}

/*
 * Whether what is chosen is enough to speak of a return, or may be chance: one letter occurs in many words. An orphan
 * needs more, because it has no other text to be recognised by: the last that went, or much of it.
 */
static bool
convinces(const Anchor *anchor, const AnchorGroup *group, const Missing *missing, const Choice *choice)
{
	size_t	 stored = anchor_text_offset(anchor, group->from);
	int64_t	 known = 0;
	int64_t	 unknown = 0;
	bool	 newest = false;
	bool	 all = true;
	bool	 any = false;
	uint32_t i;

	for (i = group->from; i < group->to; i++)
	{
		const AnchorItem *item = &anchor->items[i];

		if (item->kind == ITEM_DELETED && is_chosen(item, i, choice))
		{
			any = true;
			newest = newest || item->death >= missing->newest;
			if (item->known)
				known += evidence(anchor->text + stored, item->bytes);
			else
				unknown += item->units;
		}
		else if (item->kind == ITEM_DELETED)
			all = false;
		stored += item->bytes;
	}
	if (!any || group->inside || (all && !group->foreign))
		return any;
	if (known < ENOUGH && unknown < ANCHOR_UNKNOWN_MIN)
		return newest && anchor->alive > 0 && !group->foreign;
	return anchor->alive > 0 || newest || 2 * (known + unknown) >= missing->evidence;
}

/* Whether these items, in order, are exactly what is inserted. */
static bool
repeats(const Anchor *anchor, const Choice *choice, const AnchorHunk *hunk)
{
	size_t	 stored = anchor_text_offset(anchor, choice->from);
	size_t	 offset = 0;
	uint32_t i;

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
			offset += bytes;
		}
		stored += item->bytes;
	}
	return offset == hunk->bytes;
}

static void
choose(Anchor *anchor, const Choice *choice)
{
	uint32_t i;

	for (i = 0; i < anchor->count; i++)
		anchor->items[i].chosen = is_chosen(&anchor->items[i], i, choice);
}

static bool
try_choice(Anchor *anchor, const AnchorGroup *group, const Choice *choice, const Missing *missing,
		   const AnchorHunk *hunk)
{
	if (!repeats(anchor, choice, hunk) || !convinces(anchor, group, missing, choice))
		return false;
	choose(anchor, choice);
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
match_deaths(Anchor *anchor, const AnchorGroup *group, const Death *deaths, uint32_t count,
			 const Missing *missing, const AnchorHunk *hunk)
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
		if (units == hunk->inserted && try_choice(anchor, group, &choice, missing, hunk))
			return true;
	}
	return false;
}

/* What stands side by side, whenever it was deleted. */
static bool
match_neighbours(Anchor *anchor, const AnchorGroup *group, const Missing *missing, const AnchorHunk *hunk)
{
	Choice	choice = {.from = group->from, .to = group->from, .first = 0, .last = UINT64_MAX};
	int64_t units = 0;

	/* of a single unit, each is a death of its own */
	while (hunk->inserted > 1 && choice.to < group->to)
	{
		units += anchor->items[choice.to++].units;
		while (units > hunk->inserted)
			units -= anchor->items[choice.from++].units;
		if (units == hunk->inserted && try_choice(anchor, group, &choice, missing, hunk))
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

	while (first < choice->to && !is_chosen(&anchor->items[first], first, choice))
		first++;
	stored = anchor_text_offset(anchor, first);
	while (first < choice->to && offset < zone->bytes)
	{
		size_t	bytes = stands_at(anchor, choice, first, stored, zone, offset);
		int64_t length = content_units(zone->content + offset, bytes);
		size_t	next = content_next(zone->content + offset);

		if ((zone->rewritten && evidence(zone->content + offset, bytes) >= ENOUGH) ||
			(bytes == zone->bytes && choice->last == UINT64_MAX))
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
	if (places == 1)
		choose(anchor, choice);
	return places == 1;
}

bool
anchor_match_zone(Anchor *anchor, AnchorGroup group, const AnchorZone *zone, int64_t *from, int64_t *units)
{
	Choice	 choice = {group.from, group.to, 1, UINT64_MAX, true};
	Missing	 missing = what_is_missing(anchor, &group);
	Death	 deaths[ANCHOR_ITEMS_MAX];
	uint32_t count;
	uint32_t i;

	if (find_in_zone(anchor, &choice, zone, from, units))
		return true;
	if (!zone->rewritten)
		return false;
	group.foreign = true;
	count = list_deaths(anchor, &group, deaths);
	for (i = 0; i < count; i++)
	{
		choice.first = choice.last = deaths[i].death;
		if (deaths[i].of_range && convinces(anchor, &group, &missing, &choice) &&
			find_in_zone(anchor, &choice, zone, from, units))
			return true;
	}
	return false;
}

/* ---- in text that is inserted ---- */

bool
anchor_match(Anchor *anchor, AnchorGroup group, const AnchorHunk *hunk)
{
	Death	 deaths[ANCHOR_ITEMS_MAX];
	uint32_t count = list_deaths(anchor, &group, deaths);
	Missing	 missing = what_is_missing(anchor, &group);

	return match_deaths(anchor, &group, deaths, count, &missing, hunk) ||
		   match_neighbours(anchor, &group, &missing, hunk);
}

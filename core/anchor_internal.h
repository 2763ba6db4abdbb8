/* anchor_internal.h - the fragments of an anchor, shared by the anchor's files. */
#ifndef COLLAB_ANCHOR_INTERNAL_H
#define COLLAB_ANCHOR_INTERNAL_H

#include "anchor.h"

/*
 * Content of a range is UTF-8 with nine bytes for each embed: 0xFF, which no UTF-8 holds, and eight bytes
 * that say which embed it was. So two embeds are the same when their canonical JSON is; attributes are not
 * compared. ANY_EMBED is what is left of an embed that was edited: it equals every embed.
 */
#define EMBED_MARK 0xFF
#define EMBED_BYTES 9
#define ANY_EMBED "\0\0\0\0\0\0\0\0"

#define CONTENT_NOWHERE SIZE_MAX

/* Byte offset of a unit offset, CONTENT_NOWHERE between the halves of a pair. */
size_t content_offset(const char *content, size_t bytes, bool ascii, int64_t units);
/* Hostile bytes: well-formed, and how many units. */
bool	content_check(const char *content, size_t bytes, int64_t *units);
bool	content_equal(const char *a, const char *b, size_t bytes);
int64_t content_units(const char *content, size_t bytes);
/* Bytes of the character or embed that begins there. */
unsigned content_next(const char *content);
/* The inserts ops[0 ... count-1] as content; a single text is pointed to, not copied. */
CollabStatus content_of_ops(Arena *arena, const DeltaOp *ops, uint32_t count, AnchorHunk *out,
							CollabError *err) COLLAB_MUST_CHECK;

typedef enum AnchorItemKind
{
	ITEM_ALIVE = 0,
	ITEM_DELETED = 1, /* was alive */
	ITEM_OUTSIDE = 2  /* deleted next to the range, together with some of it: known by its length */
} AnchorItemKind;

typedef struct AnchorItem
{
	uint8_t	 kind;
	bool	 known;	 /* its content is remembered */
	bool	 ascii;	 /* known, and bytes == units */
	bool	 chosen; /* while matching: part of what comes back */
	uint32_t bytes;
	int64_t	 units;
	bool	 joined; /* the deletion before was made by the same change */
	uint64_t death;	 /* number of the deletion that took it; 0 while alive */
} AnchorItem;

/*
 *	zone		lo ............... hi
 *				 |	  start  end	|
 *				 D  xx  [ A D A ]  D			end = start + alive
 *
 * Items in the order of the text. Between start and end stand the items from the first to the last one alive.
 * Deleted items in front of those (behind them) may return anywhere in [lo, start] ([end, hi]); xx is text of
 * others there. lo == start where nothing deleted stands in front, hi == end where nothing stands behind. Of an
 * orphan everything is both in front and behind.
 */
struct Anchor
{
	CollabAlloc alloc;
	int64_t		lo;
	int64_t		start;
	int64_t		alive;
	int64_t		hi;
	uint64_t	deaths; /* number of the last deletion, in one place by one change */
	uint64_t	past;	/* the last one of the changes before this one */

	AnchorItem *items;
	uint32_t	count;
	uint32_t	capacity;

	char  *text; /* of all items, one behind the other */
	size_t bytes;
	size_t text_capacity;

	bool   zone_known; /* else `zone` is empty, whatever stands there */
	char  *zone;	   /* text of others: [lo, start), then [end, hi) */
	size_t zone_bytes;
	size_t zone_capacity;
};

static inline int64_t
anchor_end(const Anchor *anchor)
{
	return anchor->start + anchor->alive;
}

/* Index of the first and behind the last item alive; count and 0 for an orphan. */
uint32_t anchor_first_alive(const Anchor *anchor);
uint32_t anchor_behind_alive(const Anchor *anchor);
/* Where the text of item i begins. */
size_t anchor_text_offset(const Anchor *anchor, uint32_t i);

/* An anchor without items, and with room for them. */
CollabStatus anchor_new(CollabAlloc alloc, uint32_t items, size_t bytes, Anchor **out,
						CollabError *err) COLLAB_MUST_CHECK;
/* Room first, changes later: the allocator may jump out. */
bool anchor_reserve(Anchor *anchor, uint32_t items, size_t bytes) COLLAB_MUST_CHECK;
/* Where there is room. */
void anchor_insert_item(Anchor *anchor, uint32_t i, const AnchorItem *item, const char *content);
void anchor_erase_item(Anchor *anchor, uint32_t i);
/*
 * Index behind the item alive that ends `units` behind the start; cuts one in two where that is in its
 * middle. What is deleted at that place stands from there on.
 */
uint32_t anchor_cut_alive(Anchor *anchor, int64_t units);
/* After each hunk: neighbours merged, what is no use any more dropped, bounds kept, the zone closed where nothing is deleted. */
void anchor_settle(Anchor *anchor);

/* ---- text of others; positions count its units from lo on, those of the range left out ---- */

bool   anchor_zone_reserve(Anchor *anchor, size_t bytes) COLLAB_MUST_CHECK;
size_t anchor_zone_offset(const Anchor *anchor, int64_t units);
/* Where there is room; too much of it is not known any more. */
void anchor_zone_insert(Anchor *anchor, int64_t at, const AnchorHunk *hunk, int64_t from, int64_t to);
void anchor_zone_remove(Anchor *anchor, int64_t from, int64_t to);
/* The embed there was edited. */
void anchor_zone_touch(Anchor *anchor, int64_t at);

/* Units of it in front of the range. */
static inline int64_t
anchor_zone_front(const Anchor *anchor)
{
	return anchor->start - anchor->lo;
}

static inline int64_t
anchor_zone_units(const Anchor *anchor)
{
	return anchor_zone_front(anchor) + anchor->hi - anchor_end(anchor);
}

/* ---- what returns ---- */

/* The items that an insertion at one place may bring back. */
typedef struct AnchorGroup
{
	uint32_t from;
	uint32_t to;
	bool inside; /* in the middle of the range, where it only says which fragments are not missing any more */
	bool foreign; /* somebody's text has come to their place */
} AnchorGroup;

/*
 * Marks the items that this insertion repeats as `chosen`: in order they are exactly its content, and at least one
 * of them was inside the range. False: it repeats none.
 */
bool anchor_match(Anchor *anchor, AnchorGroup group, const AnchorHunk *hunk);

/* Text of others, part of the zone. */
typedef struct AnchorZone
{
	const char *content;
	size_t		bytes;
	int64_t		hint;	   /* unit at which the text is expected */
	bool		rewritten; /* by a change that did more than to insert something */
} AnchorZone;

/*
 * The same for what stands in the zone: all that is missing there, and where it was rewritten any part of that.
 * `from`, `units`: where.
 */
bool anchor_match_zone(Anchor *anchor, AnchorGroup group, const AnchorZone *zone, int64_t *from,
					   int64_t *units);

#endif

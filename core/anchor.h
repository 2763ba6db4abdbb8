/* anchor.h - a range of a document that moves with every change: what a comment points to. */
#ifndef COLLAB_ANCHOR_H
#define COLLAB_ANCHOR_H

#include "delta.h"

/*
 * An anchor is made over a range of a document and then follows the document's changes one by one, without
 * ever seeing the document again. Positions count UTF-16 units, an embed is one.
 *
 *	Gravity.	What is inserted exactly at the start goes before the range, exactly at the end behind it;
 *				what is inserted anywhere inside belongs to it. The range never grows at its edges.
 *	Deletion.	The range shrinks. When all of it is gone the anchor is orphaned: an empty range that stays
 *				where the text was, moved by later changes (text inserted there goes before it).
 *	Return.		What was deleted is remembered. An event that inserts it again where it was deleted (that
 *				is what undo, redo and restore do) brings it back to life: an orphan becomes a range again,
 *				a range that was cut at an edge gets its edge back.
 *	Format.		Retains and attributes change nothing. An embed that is edited stays the same embed.
 *
 * The state is a short list of fragments in the order of the text, alive or deleted:
 *
 *	document	The quick [brown fox] jumps			fragments	A"brown fox"
 *	delete "quick brown "		The [fox] jumps		fragments	O6 D"brown " A"fox"
 *								   |				O6: six units deleted outside, by the same event
 *	insert "quick brown " there	The quick [brown fox] jumps
 *
 * Deleted text counts as inserted again when an insertion is made, in one place, of exactly the text
 *	- that one change deleted here, or several that followed one another, or
 *	- of deleted fragments that stand side by side;
 * text that the same changes deleted outside the range, next to it, is part of that by its length. It also counts
 * when a change makes that text out of what others have inserted there since, as the undo of a replacement does
 * that keeps the letters which both texts have; and when all that is missing stands there again and nothing else.
 * Text that others insert at the place of a deleted edge does not separate the two: the deleted fragments may return
 * on either side of it (which is where a transformed undo may put them), and what then stands between belongs
 * to the range.
 *
 * Against chance: what returns has two units that are no blanks (or an embed); less returns only to its exact place,
 * with no text of others there, and as all that is missing there or, at an edge, as the last that went. To an orphan
 * returns what went last, or half of what is missing.
 *
 * What is remembered is bounded (below); beyond the bounds the fragments that were deleted first are
 * forgotten, and very long text is known by its length only.
 */
#define ANCHOR_TEXT_MAX 65536  /* bytes of text, alive and deleted */
#define ANCHOR_DELETED_MAX 256 /* fragments that are not alive */
#define ANCHOR_ITEMS_MAX 640   /* fragments of any kind */
#define ANCHOR_ZONE_MAX 4096   /* bytes of others' text at the place of deleted text */
#define ANCHOR_UNKNOWN_MIN 64  /* units from which text of unknown content is recognised by its length */

typedef struct Anchor Anchor;

typedef struct AnchorRange
{
	int64_t from;
	int64_t to;
	bool	orphaned; /* nothing of it is left: from == to */
} AnchorRange;

/*
 * `text`: the ops of the range (delta_slice), a document that is not empty; COLLAB_RANGE otherwise. Copied.
 */
CollabStatus anchor_create(CollabAlloc alloc, int64_t from, const Delta *text, Anchor **out,
						   CollabError *err) COLLAB_MUST_CHECK;
void		 anchor_free(Anchor *anchor);
AnchorRange	 anchor_range(const Anchor *anchor);
size_t		 anchor_memory(const Anchor *anchor); /* bytes held */

/*
 * A change as anchors see it, made once for all the anchors of a document. Lives in the arena and points
 * into the change.
 */
typedef struct AnchorHunk
{
	int64_t		at;		  /* in the document before the change */
	int64_t		removed;  /* units deleted there */
	int64_t		inserted; /* units inserted there, in front of what is deleted */
	int64_t		shift;	  /* what the hunks before it add to positions behind them */
	const char *content;  /* of the insertion, see anchor_internal.h */
	size_t		bytes;
	bool		ascii;	/* bytes == inserted */
	bool		edited; /* the embed at `at` was changed; removes and inserts nothing */
} AnchorHunk;

typedef struct AnchorEdit
{
	AnchorHunk *hunks; /* ascending, at least one retained unit between two */
	uint32_t	count;
} AnchorEdit;

CollabStatus anchor_edit(Arena *arena, const Delta *change, AnchorEdit *out,
						 CollabError *err) COLLAB_MUST_CHECK;
/*
 * O(log hunks) for an anchor that is not touched. Fails only for lack of memory; after that (or an allocator that
 * jumped out) the anchor is good for anchor_free only.
 */
CollabStatus anchor_apply(Anchor *anchor, const AnchorEdit *edit, CollabError *err) COLLAB_MUST_CHECK;

/* Versioned binary form, byte layout in anchor_codec.c. Every state has exactly one. */
void anchor_encode(const Anchor *anchor, Buf *out);
/* Every byte is checked; COLLAB_CORRUPT where this library did not write it. */
CollabStatus anchor_decode(CollabAlloc alloc, const uint8_t *data, size_t bytes, Anchor **out,
						   CollabError *err) COLLAB_MUST_CHECK;

/* NULL, or which promise of the structure is broken; for decode, tests and assertions. */
const char *anchor_fault(const Anchor *anchor);

#endif

/* optree.h - an editable sequence of ops: a B+tree of small pages, searched by old or by new position. */
#ifndef COLLAB_OPTREE_H
#define COLLAB_OPTREE_H

#include "delta_internal.h"
#include "opstore.h"

/*
 * The ops of a change (or of a document, which is one of inserts only), so that one of them can be
 * found, cut, extended or removed in logarithmic time. Positions are counted on two sides:
 * OPTREE_BASE is the document before the change (retains and deletes have length there), OPTREE_NEW
 * the one after it (retains and inserts). Every page knows the length of its ops on both sides, and
 * an inner page those of its children:
 *
 *	inner	[base 40 | 9][new 35 | 12][-> leaf | -> leaf]
 *	leaf	header, "text of all inserts" -> ... free ... <- item n, ..., item 1, item 0
 *
 * A leaf holds at most 1 KiB, so no edit moves more than that; long texts, and only they and long
 * runs of merged ops, are split over neighbouring leaves. The first leaf of a short sequence is as
 * small as its content.
 *
 * Invariants (optree_valid): no item is empty; inside a leaf neighbours that could be one item are
 * one; nowhere does a delete stand before an insert or before a delete. So apart from merges across
 * leaf borders the sequence is always in canonical form.
 *
 * Allocation failures: a function that returns false, or whose allocator jumps out, leaves a
 * sequence that may only be thrown away with its store. Who needs more reserves memory in the store
 * first.
 */
typedef enum OpSide
{
	OPTREE_BASE = 0,
	OPTREE_NEW = 1
} OpSide;

/*
 * Of 512, 1024, 2048 and 4096 bytes the size where typing, long pieces and random edits all do well
 * (bench/core).
 */
#define OPTREE_PAGE 1024
#define OPTREE_FANOUT 42

typedef struct OpInner OpInner;
typedef struct OpLeaf  OpLeaf;

typedef struct OpNode
{
	OpInner *parent;
	uint16_t slot;	/* which child of its parent */
	uint16_t count; /* children or items */
	uint16_t room;	/* leaf: bytes of its body */
	uint16_t text;	/* leaf: bytes of text in its body */
} OpNode;

struct OpInner
{
	OpNode	node;
	int64_t sum[2][OPTREE_FANOUT];
	OpNode *child[OPTREE_FANOUT];
};

struct OpLeaf
{
	OpNode		  node;
	OpLeaf		 *prev;
	OpLeaf		 *next;
	int64_t		  sum[2];
	unsigned char body[];
};

/*
 * One op; its text or embed stands in the page's text area, at the sum of the bytes of the items
 * before it.
 */
typedef struct OpItem
{
	int64_t	 units;
	AttrSet *attrs; /* held */
	uint32_t bytes; /* in the text area */
	uint8_t	 kind;	/* DeltaKind */
	uint8_t	 ascii; /* text: every character is one byte and one unit */
	uint8_t	 far;	/* embed: too large for a page, an OpFar stands in its place */
	uint8_t	 unused;
} OpItem;

typedef struct OpFar
{
	char	*data;
	uint64_t bytes;
} OpFar;

typedef struct OpTree
{
	OpStore *store;
	OpNode	*root;
	OpLeaf	*hot;		   /* where the last edit was, NULL = unknown */
	int64_t	 hot_start[2]; /* its position */
	int64_t	 sum[2];
	int		 height; /* 0: the root is a leaf */
	uint32_t leaves;
	uint32_t inners;
} OpTree;

/*
 * Between two items (offset 0: before item `index`, which may be the end of the leaf) or inside
 * item `index`.
 */
typedef struct OpPlace
{
	OpLeaf	*leaf;
	uint32_t index;
	uint32_t text;	 /* where the item's bytes start in the text area */
	int64_t	 offset; /* units of the item before the place */
	int64_t	 at[2];	 /* position on both sides */
} OpPlace;

/* Bytes of the body of a full page. */
#define OPTREE_BODY ((uint32_t) (OPTREE_PAGE - sizeof(OpLeaf)))

/* 1 where an op of that kind has length on that side */
extern const int64_t optree_weight[5][2];

static inline OpItem *
optree_item(const OpLeaf *leaf, uint32_t index)
{
	return (OpItem *) (leaf->body + leaf->node.room) - 1 - index;
}

static inline char *
optree_text_at(const OpLeaf *leaf, uint32_t offset)
{
	return (char *) leaf->body + offset;
}

static inline uint32_t
optree_used(const OpNode *leaf)
{
	return leaf->text + leaf->count * (uint32_t) sizeof(OpItem);
}

static inline uint32_t
optree_unused(const OpNode *leaf)
{
	return leaf->room - optree_used(leaf);
}

static inline bool
optree_is_insert(const OpItem *item)
{
	return item->kind == DELTA_INSERT || item->kind == DELTA_INSERT_EMBED;
}

/* Whether two neighbours must be one item. */
static inline bool
optree_mergeable(const OpItem *a, const OpItem *b)
{
	return a->kind == b->kind && a->attrs == b->attrs && a->kind <= DELTA_INSERT;
}

/* ---- optree_find.c: places ---- */

/*
 * The place at a position (0 ... tree->sum[side]): before everything there that has no length on
 * that side, or with `behind` behind it. optree_find changes nothing, optree_seek remembers the
 * leaf: every edit below expects a place that it gave.
 */
void optree_find(const OpTree *tree, OpSide side, int64_t position, bool behind, OpPlace *place);
void optree_seek(OpTree *tree, OpSide side, int64_t position, bool behind, OpPlace *place);
void optree_seek_end(OpTree *tree, OpPlace *place);

/* ---- optree.c: pages ---- */

/*
 * `bytes`: how much text and `items`: how many ops to expect, so that a short sequence gets a small
 * page.
 */
bool optree_init(OpTree *tree, OpStore *store, size_t items, size_t bytes) COLLAB_MUST_CHECK;
/* Room for two more items and `bytes` of text at the place, which may move to another page. */
bool optree_make_room(OpTree *tree, OpPlace *place, uint32_t bytes) COLLAB_MUST_CHECK;
/* Makes the place the end of its leaf. */
bool optree_open(OpTree *tree, OpPlace *place) COLLAB_MUST_CHECK;
/*
 * Steps from the end of a leaf to the next leaf, and tidies up the one left behind. False at the
 * end of the sequence.
 */
bool optree_next_leaf(OpTree *tree, OpPlace *place);
/* Removes a leaf that became empty, merges one that became small. Places are void after it. */
void optree_settle(OpTree *tree, OpLeaf *leaf);
/*
 * What a number of puts, isolates and set embeds take from the store at most, attributes and far
 * embeds apart: for each of them `splits` goes up by one (a put of an op: by optree_splits_for),
 * `bytes` by the bytes of its text or near embed.
 */
size_t optree_memory_for(const OpTree *tree, size_t splits, size_t bytes);

/* ---- optree_edit.c: changing items; the place stands behind what was changed ---- */

/* For optree_memory_for; the second is what a far embed costs, 0 for a near one. */
size_t optree_splits_for(const DeltaOp *op);
size_t optree_far_cost(const DeltaOp *embed);
bool   optree_put_units(OpTree *tree, OpPlace *place, DeltaKind kind, int64_t units) COLLAB_MUST_CHECK;
/* Any op; its attributes, text or embed are copied. */
bool optree_put(OpTree *tree, OpPlace *place, const DeltaOp *op) COLLAB_MUST_CHECK;
/* A tree of these ops; `more` are expected. */
bool optree_load(OpTree *tree, OpStore *store, const Delta *delta, uint32_t more) COLLAB_MUST_CHECK;
/*
 * Removes the next `units` of the item at the place. The place stays; neighbours that meet are
 * merged.
 */
void optree_cut(OpTree *tree, OpPlace *place, int64_t units);
/*
 * Makes the next `*units` of the item at the place an item of its own; *units becomes less where a
 * page border divides them.
 */
bool optree_isolate(OpTree *tree, OpPlace *place, int64_t *units) COLLAB_MUST_CHECK;
/*
 * Gives the item at the place (an embed, or an isolated retain of one unit, which becomes an embed
 * change) this value.
 */
bool optree_set_embed(OpTree *tree, OpPlace *place, const DeltaOp *value) COLLAB_MUST_CHECK;
/* Goes on behind the next `units` of the item at the place. */
void optree_skip(OpPlace *place, int64_t units);
/*
 * Replaces the attributes of the isolated item at the place (consumes one hold of `attrs`) and goes
 * on behind it.
 */
void optree_set_attrs(OpTree *tree, OpPlace *place, AttrSet *attrs);
/* Merges the items before and behind the place if they are mergeable. */
void optree_join(OpTree *tree, OpPlace *place);
/* Puts a delete of `units` at a base position: behind the inserts that stand there. */
bool optree_put_delete(OpTree *tree, int64_t base, int64_t units) COLLAB_MUST_CHECK;
/* Restores the order around a base position where something was removed. */
bool optree_mend(OpTree *tree, int64_t base) COLLAB_MUST_CHECK;
/* Removes plain retains at the end. */
void optree_chop(OpTree *tree);

/* Bytes of the first `units` of a text item; false inside a pair. */
bool optree_text_offset(const OpLeaf *leaf, uint32_t text, const OpItem *item, int64_t units, uint32_t *bytes);
/* The op that an item is, pointing into the page. */
void optree_op(const OpLeaf *leaf, uint32_t text, const OpItem *item, DeltaOp *op);

/* ---- optree_read.c: results ---- */

size_t		 optree_bytes(const OpTree *tree); /* of text, embeds and attributes in canonical form */
CollabStatus optree_delta(const OpTree *tree, Arena *arena, Delta *out) COLLAB_MUST_CHECK;
/*
 * Of a document units [from, to), as far as they are there, in O(result + log size); COLLAB_SURROGATE
 * inside a pair. It points into the pages.
 */
CollabStatus optree_slice(const OpTree *tree, int64_t from, int64_t to, Arena *arena,
						  Delta *out) COLLAB_MUST_CHECK;
void		 optree_encode(const OpTree *tree, Buf *out);
void		 optree_text(const OpTree *tree, const char *embed, Buf *out);
/* Whether all ops together are longer than JavaScript can count. */
bool optree_too_long(const OpTree *tree);
/* Every invariant; adds the number of items with attributes to *held. */
bool optree_valid(const OpTree *tree, uint64_t *held);

#endif

/* optree_read.c - what comes out of an editable op sequence, and the check of its invariants. */
#include "optree.h"

#include <string.h>

/* ---- walking ---- */

typedef struct Walk
{
	const OpLeaf *leaf;
	uint32_t	  index;
	uint32_t	  text;
} Walk;

static void
walk_begin(Walk *walk, const OpTree *tree)
{
	const OpNode *node = tree->root;
	int			  level;

	for (level = tree->height; level > 0; level--)
		node = ((const OpInner *) node)->child[0];
	walk->leaf = (const OpLeaf *) node;
	walk->index = 0;
	walk->text = 0;
}

/* The next item as an op that points into its page; NULL at the end. */
static const OpItem *
walk_next(Walk *walk, DeltaOp *op)
{
	const OpItem *item;

	while (walk->index == walk->leaf->node.count)
	{
		if (walk->leaf->next == NULL)
			return NULL;
		walk->leaf = walk->leaf->next;
		walk->index = 0;
		walk->text = 0;
	}
	item = optree_item(walk->leaf, walk->index);
	optree_op(walk->leaf, walk->text, item, op);
	walk->index++;
	walk->text += item->bytes;
	return item;
}

/* ---- a Delta ---- */

/*
 * Attributes come in alternation (plain, bold, plain ...): the copies of the last two are used
 * again.
 */
typedef struct AttrCopies
{
	const AttrSet *of[2];
	DeltaAttrs	   copy[2];
} AttrCopies;

static bool
copy_attrs(AttrCopies *copies, Arena *arena, const AttrSet *set, DeltaAttrs *out)
{
	uint8_t *data;

	out->data = NULL;
	out->bytes = 0;
	if (set == NULL)
		return true;
	if (set == copies->of[1])
	{
		*out = copies->copy[1];
		return true;
	}
	if (set != copies->of[0])
	{
		data = arena_alloc(arena, set->bytes);
		if (data == NULL)
			return false;
		memcpy(data, set->data, set->bytes);
		out->data = data;
		out->bytes = set->bytes;
	}
	else
		*out = copies->copy[0];
	copies->of[0] = copies->of[1];
	copies->copy[0] = copies->copy[1];
	copies->of[1] = set;
	copies->copy[1] = *out;
	return true;
}

CollabStatus
optree_slice(const OpTree *tree, int64_t from, int64_t to, Arena *arena, Delta *out)
{
	DeltaBuilder builder;
	OpPlace		 place;
	DeltaOp		 op;
	Walk		 walk;
	int64_t		 skip;
	CollabStatus status = delta_builder_init(&builder, arena, 8, NULL);

	if (status != COLLAB_OK)
		return status;
	if (from > tree->sum[OPTREE_NEW])
		from = tree->sum[OPTREE_NEW];
	optree_find(tree, OPTREE_NEW, from, false, &place);
	walk = (Walk){place.leaf, place.index, place.text};
	skip = place.offset;
	for (; from < to && walk_next(&walk, &op) != NULL; from += op.units)
	{
		DeltaOp head;

		if (skip > 0 && !delta_op_cut_text(&op, skip, &head))
			return COLLAB_SURROGATE;
		skip = 0;
		if (op.units > to - from)
		{
			if (!delta_op_cut_text(&op, to - from, &head))
				return COLLAB_SURROGATE;
			op = head;
		}
		if (!delta_builder_grow(&builder))
			return COLLAB_NOMEM;
		delta_builder_push(&builder, &op);
	}
	return delta_builder_finish(&builder, out, NULL);
}

CollabStatus
optree_delta(const OpTree *tree, Arena *arena, Delta *out)
{
	const OpItem *previous = NULL;
	const OpItem *item;
	AttrCopies	  copies;
	size_t		  count = 0;
	size_t		  bytes = 0;
	char		 *data;
	DeltaOp		  op;
	DeltaOp		 *last;
	Walk		  walk;

	out->ops = NULL;
	out->count = 0;
	walk_begin(&walk, tree);
	while ((item = walk_next(&walk, &op)) != NULL)
	{
		if (previous == NULL || !optree_mergeable(previous, item))
			count++;
		if (op.kind >= DELTA_INSERT)
			bytes += op.bytes;
		previous = item;
	}
	if (count == 0)
		return COLLAB_OK;
	if (count > UINT32_MAX)
		return COLLAB_LIMIT;
	out->ops = arena_array(arena, count, sizeof(DeltaOp));
	data = arena_alloc(arena, bytes);
	if (out->ops == NULL || data == NULL)
		return COLLAB_NOMEM;

	memset(&copies, 0, sizeof(copies));
	previous = NULL;
	last = out->ops;
	walk_begin(&walk, tree);
	while ((item = walk_next(&walk, &op)) != NULL)
	{
		if (op.kind >= DELTA_INSERT)
		{
			memcpy(data, op.data, op.bytes);
			op.data = data;
			data += op.bytes;
		}
		if (previous != NULL && optree_mergeable(previous, item))
		{
			if (op.bytes > UINT32_MAX - last->bytes)
				return COLLAB_LIMIT;
			last->units += op.units;
			last->bytes += op.bytes;
			last->ascii &= op.ascii;
		}
		else
		{
			if (!copy_attrs(&copies, arena, item->attrs, &op.attrs))
				return COLLAB_NOMEM;
			last = &out->ops[out->count++];
			*last = op;
		}
		previous = item;
	}
	return COLLAB_OK;
}

/* ---- bytes and text ---- */

/* One allocation instead of a series of doublings: most ops are text. */
static void
expect_text(const OpTree *tree, Buf *out)
{
	const OpLeaf *leaf;
	size_t		  bytes = 0;
	Walk		  walk;

	walk_begin(&walk, tree);
	for (leaf = walk.leaf; leaf != NULL; leaf = leaf->next)
		bytes += leaf->node.text;
	(void) buf_grow(out, bytes);
}

size_t
optree_bytes(const OpTree *tree)
{
	const OpItem *previous = NULL;
	const OpItem *item;
	size_t		  bytes = 0;
	DeltaOp		  op;
	Walk		  walk;

	walk_begin(&walk, tree);
	while ((item = walk_next(&walk, &op)) != NULL)
	{
		bytes += op.bytes;
		if (item->attrs != NULL && (previous == NULL || !optree_mergeable(previous, item)))
			bytes += item->attrs->bytes;
		previous = item;
	}
	return bytes;
}

void
optree_encode(const OpTree *tree, Buf *out)
{
	const OpItem *item;
	DeltaOp		  op;
	Walk		  walk;
	Walk		  start;

	expect_text(tree, out);
	delta_encode_begin(out);
	walk_begin(&walk, tree);
	start = walk;
	item = walk_next(&walk, &op);
	while (item != NULL)
	{
		DeltaOp		  run = op;
		uint64_t	  bytes = op.bytes;
		uint32_t	  parts = 1;
		const OpItem *next;

		for (; (next = walk_next(&walk, &op)) != NULL && optree_mergeable(item, next); parts++)
		{
			run.units += op.units;
			bytes += op.bytes;
		}
		if (bytes > UINT32_MAX)
			out->failed = true;
		run.bytes = (uint32_t) bytes;
		delta_encode_head(&run, out);
		/* the parts once more, for their bytes */
		for (; parts > 0; parts--)
		{
			(void) walk_next(&start, &run);
			if (run.kind >= DELTA_INSERT)
				buf_bytes(out, run.data, run.bytes);
		}
		item = next;
	}
}

void
optree_text(const OpTree *tree, const char *embed, Buf *out)
{
	DeltaOp op;
	Walk	walk;

	expect_text(tree, out);
	walk_begin(&walk, tree);
	while (walk_next(&walk, &op) != NULL)
	{
		if (op.kind == DELTA_INSERT)
			buf_bytes(out, op.data, op.bytes);
		else if (op.kind == DELTA_INSERT_EMBED && embed != NULL)
			buf_str(out, embed);
	}
}

bool
optree_too_long(const OpTree *tree)
{
	int64_t units = 0;
	DeltaOp op;
	Walk	walk;

	/* what is retained counts on both sides, so this is no less than the length */
	if (tree->sum[OPTREE_BASE] + tree->sum[OPTREE_NEW] <= DELTA_MAX_UNITS)
		return false;
	walk_begin(&walk, tree);
	while (walk_next(&walk, &op) != NULL)
		units += op.units;
	return units > DELTA_MAX_UNITS;
}

/* ---- invariants ---- */

static bool
valid_item(const OpItem *item, const DeltaOp *op)
{
	int64_t units;

	if (item->kind > DELTA_RETAIN_EMBED || item->units <= 0 || item->unused != 0)
		return false;
	if (item->attrs != NULL &&
		(item->kind == DELTA_DELETE || item->attrs->refs == 0 || item->attrs->bytes == 0))
		return false;
	if (item->kind < DELTA_INSERT)
		return item->bytes == 0 && !item->far;
	if (item->kind > DELTA_INSERT)
		return item->units == 1 && op->bytes > 0;
	return !item->far && utf8_check(op->data, op->bytes, &units) && units == item->units &&
		   item->ascii == (units == (int64_t) op->bytes);
}

/* The items of all leaves: sizes, sums of each leaf, order of neighbours. */
static bool
valid_items(const OpTree *tree, uint64_t *held)
{
	const OpLeaf *leaf = NULL;
	const OpItem *previous = NULL;
	const OpItem *item;
	int64_t		  sum[2] = {0, 0};
	DeltaOp		  op;
	Walk		  walk;

	walk_begin(&walk, tree);
	while ((item = walk_next(&walk, &op)) != NULL)
	{
		if (!valid_item(item, &op))
			return false;
		if (previous != NULL && leaf == walk.leaf && optree_mergeable(previous, item))
			return false;
		if (previous != NULL && previous->kind == DELTA_DELETE &&
			(optree_is_insert(item) || item->kind == DELTA_DELETE))
			return false;
		if (leaf != walk.leaf)
			sum[0] = sum[1] = 0;
		sum[0] += item->units * optree_weight[item->kind][0];
		sum[1] += item->units * optree_weight[item->kind][1];
		if (walk.index == walk.leaf->node.count &&
			(walk.text != walk.leaf->node.text || sum[0] != walk.leaf->sum[0] || sum[1] != walk.leaf->sum[1]))
			return false;
		if (item->attrs != NULL)
			*held += 1;
		leaf = walk.leaf;
		previous = item;
	}
	return true;
}

/* A page and all below it; adds what it counts, and follows the chain of leaves. */
static bool
valid_page(const OpTree *tree, const OpNode *node, int level, const OpLeaf **last, int64_t sum[2])
{
	if (level == 0)
	{
		const OpLeaf *leaf = (const OpLeaf *) node;

		if (optree_used(node) > node->room || (node->count == 0 && node->parent != NULL) ||
			leaf->prev != *last || (*last != NULL && (*last)->next != leaf))
			return false;
		if (leaf == tree->hot && (sum[0] != tree->hot_start[0] || sum[1] != tree->hot_start[1]))
			return false;
		*last = leaf;
		sum[0] += leaf->sum[0];
		sum[1] += leaf->sum[1];
	}
	else
	{
		const OpInner *inner = (const OpInner *) node;
		uint32_t	   i;

		if (node->count == 0 || node->count > OPTREE_FANOUT || (node->parent == NULL && node->count < 2))
			return false;
		for (i = 0; i < node->count; i++)
		{
			int64_t before[2] = {sum[0], sum[1]};

			if (inner->child[i]->parent != inner || inner->child[i]->slot != i ||
				!valid_page(tree, inner->child[i], level - 1, last, sum) ||
				sum[0] - before[0] != inner->sum[0][i] || sum[1] - before[1] != inner->sum[1][i])
				return false;
		}
	}
	return true;
}

bool
optree_valid(const OpTree *tree, uint64_t *held)
{
	const OpLeaf *last = NULL;
	int64_t		  sum[2] = {0, 0};

	return tree->root->parent == NULL && valid_page(tree, tree->root, tree->height, &last, sum) &&
		   last->next == NULL && sum[0] == tree->sum[0] && sum[1] == tree->sum[1] && valid_items(tree, held);
}

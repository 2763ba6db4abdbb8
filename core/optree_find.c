/* optree_find.c - places in an editable op sequence: from a position on either side to a leaf and an item. */
#include "optree.h"

static void
find_in_leaf(OpLeaf *leaf, OpSide side, int64_t position, bool behind, OpPlace *place)
{
	const OpItem *item = optree_item(leaf, 0);
	int64_t		  passed[2] = {0, 0};
	uint32_t	  count = leaf->node.count;
	uint32_t	  index = 0;
	uint32_t	  text = 0;

	place->offset = 0;
	for (; index < count; index++, item--)
	{
		int64_t		   units = item->units;
		const int64_t *weight = optree_weight[item->kind];

		if (!behind && passed[side] == position)
			break;
		if (passed[side] + units * weight[side] > position)
		{
			place->offset = position - passed[side];
			passed[side] = position;
			passed[!side] += place->offset * weight[!side];
			break;
		}
		passed[0] += units * weight[0];
		passed[1] += units * weight[1];
		text += item->bytes;
	}
	place->leaf = leaf;
	place->index = index;
	place->text = text;
	place->at[0] += passed[0];
	place->at[1] += passed[1];
}

static bool
is_hot(const OpTree *tree, OpSide side, int64_t position, bool behind)
{
	const OpLeaf *hot = tree->hot;
	int64_t		  offset = position - tree->hot_start[side];

	if (hot == NULL || offset < 0 || offset > hot->sum[side])
		return false;
	/*
	 * a place on the border belongs to the leaf before it, or with `behind` to the leaf behind it
	 */
	if (behind)
		return offset < hot->sum[side] || hot->next == NULL;
	return offset > 0 || hot->prev == NULL;
}

/* Sets place->at to the start of the leaf. */
static OpLeaf *
descend(const OpTree *tree, OpSide side, int64_t position, bool behind, OpPlace *place)
{
	OpNode *node = tree->root;
	int		level;

	place->at[0] = 0;
	place->at[1] = 0;
	for (level = tree->height; level > 0; level--)
	{
		const OpInner *inner = (const OpInner *) node;
		int64_t		   left = position - place->at[side] + (behind ? 1 : 0);
		int64_t		   other = 0;
		uint32_t	   last = inner->node.count - 1u;
		uint32_t	   i;

		for (i = 0; i < last && inner->sum[side][i] < left; i++)
		{
			left -= inner->sum[side][i];
			other += inner->sum[!side][i];
		}
		place->at[!side] += other;
		place->at[side] = position + (behind ? 1 : 0) - left;
		node = inner->child[i];
	}
	return (OpLeaf *) node;
}

void
optree_find(const OpTree *tree, OpSide side, int64_t position, bool behind, OpPlace *place)
{
	OpLeaf *leaf = tree->hot;

	if (is_hot(tree, side, position, behind))
	{
		place->at[0] = tree->hot_start[0];
		place->at[1] = tree->hot_start[1];
	}
	else
		leaf = descend(tree, side, position, behind, place);
	find_in_leaf(leaf, side, position - place->at[side], behind, place);
}

void
optree_seek(OpTree *tree, OpSide side, int64_t position, bool behind, OpPlace *place)
{
	if (is_hot(tree, side, position, behind))
	{
		place->at[0] = tree->hot_start[0];
		place->at[1] = tree->hot_start[1];
	}
	else
	{
		tree->hot = descend(tree, side, position, behind, place);
		tree->hot_start[0] = place->at[0];
		tree->hot_start[1] = place->at[1];
	}
	find_in_leaf(tree->hot, side, position - place->at[side], behind, place);
}

void
optree_seek_end(OpTree *tree, OpPlace *place)
{
	OpNode *node = tree->root;
	OpLeaf *leaf;
	int		level;

	for (level = tree->height; level > 0; level--)
		node = ((OpInner *) node)->child[node->count - 1];
	leaf = (OpLeaf *) node;
	place->leaf = leaf;
	place->index = leaf->node.count;
	place->text = leaf->node.text;
	place->offset = 0;
	place->at[0] = tree->sum[0];
	place->at[1] = tree->sum[1];
	tree->hot = leaf;
	tree->hot_start[0] = tree->sum[0] - leaf->sum[0];
	tree->hot_start[1] = tree->sum[1] - leaf->sum[1];
}

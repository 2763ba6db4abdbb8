/* optree.c - the pages of an editable op sequence: making, splitting and merging them. */
#include "optree.h"

#include <string.h>

#define SMALLEST_PAGE 128

/*
 * Below a quarter a page looks for a neighbour; the two must not fill more than three quarters, or
 * they soon split again.
 */
#define BODY_SPARSE (OPTREE_BODY / 4)
#define BODY_MERGED (OPTREE_BODY * 3 / 4)
#define FANOUT_SPARSE (OPTREE_FANOUT / 4)
#define FANOUT_MERGED (OPTREE_FANOUT * 3 / 4)

/* A text item is cut in two for a balanced split only where that pays. */
#define CUTTABLE_BYTES 64

_Static_assert(sizeof(OpInner) <= OPTREE_PAGE, "an inner page is as large as a leaf");
_Static_assert(sizeof(OpLeaf) % 8 == 0 && sizeof(OpItem) % 8 == 0, "items are aligned");

const int64_t optree_weight[5][2] = {
	[DELTA_DELETE] = {1, 0},	   [DELTA_RETAIN] = {1, 1},		  [DELTA_INSERT] = {0, 1},
	[DELTA_INSERT_EMBED] = {0, 1}, [DELTA_RETAIN_EMBED] = {1, 1},
};

/* ---- making pages ---- */

static OpLeaf *
new_leaf(OpTree *tree, size_t page)
{
	OpLeaf *leaf = opstore_alloc(tree->store, page);

	if (leaf != NULL)
	{
		memset(leaf, 0, sizeof(*leaf));
		leaf->node.room = (uint16_t) (page - sizeof(OpLeaf));
		tree->leaves++;
	}
	return leaf;
}

static OpInner *
new_inner(OpTree *tree)
{
	OpInner *inner = opstore_alloc(tree->store, sizeof(OpInner));

	if (inner != NULL)
	{
		memset(&inner->node, 0, sizeof(inner->node));
		tree->inners++;
	}
	return inner;
}

static void
release_leaf(OpTree *tree, OpLeaf *leaf)
{
	opstore_release(tree->store, leaf, leaf->node.room + sizeof(OpLeaf));
	tree->leaves--;
}

static void
release_inner(OpTree *tree, OpInner *inner)
{
	opstore_release(tree->store, inner, sizeof(OpInner));
	tree->inners--;
}

static size_t
page_for(size_t body)
{
	size_t page = SMALLEST_PAGE;

	while (page < OPTREE_PAGE && page - sizeof(OpLeaf) < body)
		page *= 2;
	return page;
}

bool
optree_init(OpTree *tree, OpStore *store, size_t items, size_t bytes)
{
	size_t	body = items > OPTREE_PAGE || bytes > OPTREE_PAGE ? OPTREE_PAGE : items * sizeof(OpItem) + bytes;
	OpLeaf *leaf;

	memset(tree, 0, sizeof(*tree));
	tree->store = store;
	leaf = new_leaf(tree, page_for(body));
	if (leaf == NULL)
		return false;
	tree->root = &leaf->node;
	tree->hot = leaf;
	return true;
}

/* ---- putting pages in ---- */

static bool link_behind(OpTree *tree, OpNode *left, OpNode *right, const int64_t moved[2]);

/* Nothing stands behind this page. */
static bool
is_last(const OpNode *node)
{
	for (; node->parent != NULL; node = &node->parent->node)
		if (node->slot + 1u < node->parent->node.count)
			return false;
	return true;
}

/* Makes room in an inner page: children from `slot` on (or from the middle) go to a new one. */
static bool
split_inner(OpTree *tree, OpInner *inner, uint32_t slot)
{
	OpInner *right = new_inner(tree);
	bool	 last = slot == inner->node.count && is_last(&inner->node);
	/* who adds at the end goes on adding there: leave the page full behind him */
	uint32_t keep = last ? inner->node.count - 1u : inner->node.count / 2u;
	uint32_t count = inner->node.count - keep;
	int64_t	 moved[2] = {0, 0};
	uint32_t i;

	if (right == NULL)
		return false;
	memcpy(right->child, inner->child + keep, count * sizeof(OpNode *));
	for (i = 0; i < count; i++)
	{
		right->sum[0][i] = inner->sum[0][keep + i];
		right->sum[1][i] = inner->sum[1][keep + i];
		moved[0] += right->sum[0][i];
		moved[1] += right->sum[1][i];
		right->child[i]->parent = right;
		right->child[i]->slot = (uint16_t) i;
	}
	right->node.count = (uint16_t) count;
	inner->node.count = (uint16_t) keep;
	return link_behind(tree, &inner->node, &right->node, moved);
}

/*
 * Makes `right` the sibling behind `left`; `moved` of the units counted for `left` are in `right`
 * now.
 */
static bool
link_behind(OpTree *tree, OpNode *left, OpNode *right, const int64_t moved[2])
{
	OpInner *parent = left->parent;
	uint32_t slot;
	uint32_t behind;
	uint32_t i;
	int		 side;

	if (parent == NULL)
	{
		parent = new_inner(tree);
		if (parent == NULL)
			return false;
		parent->node.count = 1;
		parent->child[0] = left;
		parent->sum[0][0] = tree->sum[0];
		parent->sum[1][0] = tree->sum[1];
		left->parent = parent;
		left->slot = 0;
		tree->root = &parent->node;
		tree->height++;
	}
	else if (parent->node.count == OPTREE_FANOUT)
	{
		if (!split_inner(tree, parent, left->slot + 1u))
			return false;
		parent = left->parent;
	}
	slot = left->slot + 1u;
	behind = parent->node.count - slot;
	memmove(parent->child + slot + 1, parent->child + slot, behind * sizeof(OpNode *));
	for (side = 0; side < 2; side++)
	{
		memmove(parent->sum[side] + slot + 1, parent->sum[side] + slot, behind * sizeof(int64_t));
		parent->sum[side][slot - 1] -= moved[side];
		parent->sum[side][slot] = moved[side];
	}
	parent->child[slot] = right;
	right->parent = parent;
	parent->node.count++;
	for (i = slot; i < parent->node.count; i++)
		parent->child[i]->slot = (uint16_t) i;
	return true;
}

/* ---- splitting leaves ---- */

/*
 * Where a full leaf is divided: before item `index`, or inside it behind `offset` units (`bytes`
 * bytes).
 */
typedef struct Cut
{
	uint32_t index;
	uint32_t bytes;
	int64_t	 offset;
	uint32_t text; /* of the items before */
} Cut;

/* About half of the used bytes on each side. */
static void
balanced_cut(const OpLeaf *leaf, Cut *cut)
{
	uint32_t half = optree_used(&leaf->node) / 2;
	uint32_t passed = 0;

	memset(cut, 0, sizeof(*cut));
	for (;;)
	{
		const OpItem *item = optree_item(leaf, cut->index);
		uint32_t	  size = item->bytes + (uint32_t) sizeof(OpItem);

		if (passed + size >= half)
		{
			const char *data = optree_text_at(leaf, cut->text);

			if (item->kind == DELTA_INSERT && item->bytes >= CUTTABLE_BYTES)
			{
				uint32_t bytes =
					half > passed + sizeof(OpItem) ? half - passed - (uint32_t) sizeof(OpItem) : 0;

				bytes = (uint32_t) utf8_floor(data, bytes);
				if (bytes > 0 && bytes < item->bytes)
				{
					cut->bytes = bytes;
					cut->offset = item->ascii ? bytes : utf8_units(data, bytes);
					return;
				}
			}
			/* neither side may stay empty */
			if (cut->index == 0 ||
				(half - passed > passed + size - half && cut->index + 1u < leaf->node.count))
			{
				cut->text += item->bytes;
				cut->index++;
			}
			return;
		}
		passed += size;
		cut->text += item->bytes;
		cut->index++;
	}
}

/*
 * Moves what is behind the cut to the empty leaf `right`; returns in `moved` the units that went.
 */
static void
move_behind(OpLeaf *leaf, const Cut *cut, OpLeaf *right, int64_t moved[2])
{
	uint32_t count = leaf->node.count - cut->index;
	uint32_t text = leaf->node.text - cut->text - cut->bytes;
	uint32_t i;

	memcpy(right->body, optree_text_at(leaf, cut->text + cut->bytes), text);
	if (count > 0)
		memcpy(optree_item(right, count - 1), optree_item(leaf, leaf->node.count - 1u),
			   count * sizeof(OpItem));
	right->node.text = (uint16_t) text;
	right->node.count = (uint16_t) count;
	leaf->node.text = (uint16_t) (cut->text + cut->bytes);
	leaf->node.count = (uint16_t) cut->index;
	if (cut->offset > 0)
	{
		OpItem *head = optree_item(leaf, cut->index);
		OpItem *tail = optree_item(right, 0);

		attrset_hold(tail->attrs);
		head->units = cut->offset;
		head->bytes = cut->bytes;
		tail->units -= cut->offset;
		tail->bytes -= cut->bytes;
		head->ascii = head->units == (int64_t) head->bytes;
		tail->ascii = tail->units == (int64_t) tail->bytes;
		leaf->node.count++;
	}
	moved[0] = 0;
	moved[1] = 0;
	for (i = 0; i < count; i++)
	{
		const OpItem *item = optree_item(right, i);

		moved[0] += item->units * optree_weight[item->kind][0];
		moved[1] += item->units * optree_weight[item->kind][1];
	}
	for (i = 0; i < 2; i++)
	{
		leaf->sum[i] -= moved[i];
		right->sum[i] = moved[i];
	}
}

/* The place follows its item into the right leaf. */
static void
follow(OpTree *tree, OpPlace *place, const Cut *cut, OpLeaf *right)
{
	if (place->index == cut->index)
	{
		place->offset -= cut->offset;
		place->text = 0;
	}
	else
		place->text -= cut->text + cut->bytes;
	place->index -= cut->index;
	tree->hot_start[0] += place->leaf->sum[0];
	tree->hot_start[1] += place->leaf->sum[1];
	tree->hot = right;
	place->leaf = right;
}

/* With `at_place` the cut is the place, which becomes the end of its leaf. */
static bool
split_leaf(OpTree *tree, OpPlace *place, bool at_place)
{
	OpLeaf *leaf = place->leaf;
	OpLeaf *right = new_leaf(tree, OPTREE_PAGE);
	bool	append = place->index == leaf->node.count;
	int64_t moved[2];
	Cut		cut;

	if (right == NULL)
		return false;
	if (at_place || append)
	{
		cut.index = place->index;
		cut.offset = place->offset;
		cut.text = place->text;
		cut.bytes = 0;
		if (cut.offset > 0)
			(void) optree_text_offset(leaf, cut.text, optree_item(leaf, cut.index), cut.offset, &cut.bytes);
	}
	else
		balanced_cut(leaf, &cut);
	move_behind(leaf, &cut, right, moved);
	right->prev = leaf;
	right->next = leaf->next;
	if (right->next != NULL)
		right->next->prev = right;
	leaf->next = right;
	if (!link_behind(tree, &leaf->node, &right->node, moved))
		return false;

	if (place->index > cut.index || (place->index == cut.index && place->offset > cut.offset) ||
		(append && !at_place))
		follow(tree, place, &cut, right);
	else if (place->index == cut.index && place->offset == cut.offset)
	{
		place->index = leaf->node.count;
		place->text = leaf->node.text;
		place->offset = 0;
	}
	return true;
}

/* A sequence of one small page gets a larger one. */
static bool
grow_root(OpTree *tree, OpPlace *place, uint32_t need)
{
	OpLeaf *old = place->leaf;
	OpLeaf *leaf = new_leaf(tree, page_for(optree_used(&old->node) + (size_t) need));

	if (leaf == NULL)
		return false;
	leaf->node.count = old->node.count;
	leaf->node.text = old->node.text;
	leaf->sum[0] = old->sum[0];
	leaf->sum[1] = old->sum[1];
	memcpy(leaf->body, old->body, old->node.text);
	if (old->node.count > 0)
		memcpy(optree_item(leaf, old->node.count - 1u), optree_item(old, old->node.count - 1u),
			   old->node.count * sizeof(OpItem));
	tree->root = &leaf->node;
	tree->hot = leaf;
	place->leaf = leaf;
	release_leaf(tree, old);
	return true;
}

bool
optree_make_room(OpTree *tree, OpPlace *place, uint32_t bytes)
{
	uint32_t need = bytes + 2 * (uint32_t) sizeof(OpItem);

	if (optree_unused(&place->leaf->node) >= need)
		return true;
	if (place->leaf->node.room < OPTREE_BODY)
	{
		if (!grow_root(tree, place, need))
			return false;
		if (optree_unused(&place->leaf->node) >= need)
			return true;
	}
	return split_leaf(tree, place, false);
}

bool
optree_open(OpTree *tree, OpPlace *place)
{
	if (place->index == place->leaf->node.count)
		return true;
	if (place->leaf->node.room < OPTREE_BODY && !grow_root(tree, place, OPTREE_BODY))
		return false;
	return split_leaf(tree, place, true);
}

size_t
optree_memory_for(const OpTree *tree, size_t splits, size_t bytes)
{
	size_t height = (size_t) tree->height;
	size_t pages;

	if (height == 0)
	{
		size_t body = optree_used(tree->root) + splits * 2 * sizeof(OpItem) + bytes;

		if (body <= tree->root->room)
			return 0;
		/*
		 * one page may become larger several times, each twice as large as the one before at least
		 */
		if (body <= OPTREE_BODY)
			return 2 * page_for(body);
	}
	/*
	 * every inner page may be full and split once; then its halves must be filled up before they
	 * split again
	 */
	pages = splits + (splits * height < tree->inners ? splits * height : tree->inners) + splits / 8 + 1;
	/* and the only page, if it is small, may become a full one first */
	if (tree->root->room < OPTREE_BODY && height == 0)
		pages += 2;
	return pages * OPTREE_PAGE;
}

/* ---- taking pages out ---- */

static void
forget_child(OpInner *inner, uint32_t slot)
{
	uint32_t behind = inner->node.count - slot - 1u;
	uint32_t i;

	memmove(inner->child + slot, inner->child + slot + 1, behind * sizeof(OpNode *));
	memmove(inner->sum[0] + slot, inner->sum[0] + slot + 1, behind * sizeof(int64_t));
	memmove(inner->sum[1] + slot, inner->sum[1] + slot + 1, behind * sizeof(int64_t));
	inner->node.count--;
	for (i = slot; i < inner->node.count; i++)
		inner->child[i]->slot = (uint16_t) i;
}

/* Appends the children of `right` to its sibling `left`. */
static void
absorb_inner(OpTree *tree, OpInner *left, OpInner *right)
{
	OpInner *parent = left->node.parent;
	uint32_t count = left->node.count;
	uint32_t i;
	int		 side;

	for (i = 0; i < right->node.count; i++)
	{
		left->child[count + i] = right->child[i];
		left->child[count + i]->parent = left;
		left->child[count + i]->slot = (uint16_t) (count + i);
	}
	for (side = 0; side < 2; side++)
	{
		memcpy(left->sum[side] + count, right->sum[side], right->node.count * sizeof(int64_t));
		parent->sum[side][left->node.slot] += parent->sum[side][right->node.slot];
	}
	left->node.count = (uint16_t) (count + right->node.count);
	i = right->node.slot;
	release_inner(tree, right);
	forget_child(parent, i);
}

/*
 * After a child was forgotten: removes inner pages that became empty, merges those that became
 * small.
 */
static void
settle_inner(OpTree *tree, OpInner *inner)
{
	while (inner->node.parent != NULL && inner->node.count < FANOUT_SPARSE)
	{
		OpInner *parent = inner->node.parent;
		uint32_t slot = inner->node.slot;
		OpInner *left = slot > 0 ? (OpInner *) parent->child[slot - 1] : NULL;
		OpInner *right = slot + 1u < parent->node.count ? (OpInner *) parent->child[slot + 1] : NULL;

		if (inner->node.count == 0)
		{
			release_inner(tree, inner);
			forget_child(parent, slot);
		}
		else if (left != NULL && left->node.count + inner->node.count <= FANOUT_MERGED)
			absorb_inner(tree, left, inner);
		else if (right != NULL && right->node.count + inner->node.count <= FANOUT_MERGED)
			absorb_inner(tree, inner, right);
		else
			break;
		inner = parent;
	}
	while (tree->height > 0 && tree->root->count == 1)
	{
		OpInner *root = (OpInner *) tree->root;

		tree->root = root->child[0];
		tree->root->parent = NULL;
		tree->height--;
		release_inner(tree, root);
	}
}

static void
remove_leaf(OpTree *tree, OpLeaf *leaf)
{
	OpInner *parent = leaf->node.parent;
	uint32_t slot = leaf->node.slot;

	if (leaf->prev != NULL)
		leaf->prev->next = leaf->next;
	if (leaf->next != NULL)
		leaf->next->prev = leaf->prev;
	if (tree->hot == leaf)
		tree->hot = NULL;
	release_leaf(tree, leaf);
	forget_child(parent, slot);
	settle_inner(tree, parent);
}

/* Appends the items of `right` to its sibling `left`. */
static void
absorb_leaf(OpTree *tree, OpLeaf *left, OpLeaf *right)
{
	OpInner *parent = left->node.parent;
	uint32_t count = left->node.count;
	OpPlace	 seam;
	int		 side;

	memcpy(optree_text_at(left, left->node.text), right->body, right->node.text);
	memcpy(optree_item(left, count + right->node.count - 1u), optree_item(right, right->node.count - 1u),
		   right->node.count * sizeof(OpItem));
	if (tree->hot == right)
	{
		tree->hot = left;
		tree->hot_start[0] -= left->sum[0];
		tree->hot_start[1] -= left->sum[1];
	}
	memset(&seam, 0, sizeof(seam));
	seam.leaf = left;
	seam.index = count;
	seam.text = left->node.text;
	left->node.count = (uint16_t) (count + right->node.count);
	left->node.text = (uint16_t) (left->node.text + right->node.text);
	for (side = 0; side < 2; side++)
	{
		left->sum[side] += right->sum[side];
		parent->sum[side][left->node.slot] += right->sum[side];
		parent->sum[side][right->node.slot] = 0;
	}
	remove_leaf(tree, right);
	optree_join(tree, &seam);
}

/* With `backward` only the pages before it are touched. */
static void
settle_leaf(OpTree *tree, OpLeaf *leaf, bool backward)
{
	OpInner *parent = leaf->node.parent;
	uint32_t used = optree_used(&leaf->node);
	uint32_t slot = leaf->node.slot;

	if (used >= BODY_SPARSE || parent == NULL)
		return;
	if (leaf->node.count == 0)
		remove_leaf(tree, leaf);
	else if (slot > 0 && optree_used(parent->child[slot - 1]) + used <= BODY_MERGED)
		absorb_leaf(tree, (OpLeaf *) parent->child[slot - 1], leaf);
	else if (!backward && slot + 1u < parent->node.count &&
			 optree_used(parent->child[slot + 1]) + used <= BODY_MERGED)
		absorb_leaf(tree, leaf, (OpLeaf *) parent->child[slot + 1]);
}

void
optree_settle(OpTree *tree, OpLeaf *leaf)
{
	settle_leaf(tree, leaf, false);
}

bool
optree_next_leaf(OpTree *tree, OpPlace *place)
{
	OpLeaf *leaf = place->leaf;

	if (leaf->next == NULL)
		return false;
	tree->hot = leaf->next;
	tree->hot_start[0] += leaf->sum[0];
	tree->hot_start[1] += leaf->sum[1];
	place->leaf = leaf->next;
	place->index = 0;
	place->text = 0;
	place->offset = 0;
	settle_leaf(tree, leaf, true);
	return true;
}

/* optree_edit.c - changing the items of an editable op sequence. */
#include "optree.h"

#include <string.h>

/* Longer texts are not squeezed into a page but put into pages of their own. */
#define STEP_BYTES 256

/*
 * Longer embeds stand outside of their page. Half a page must always hold one step or one embed and
 * two items.
 */
#define NEAR_EMBED_BYTES 192

/* ---- inside one leaf ---- */

bool
optree_text_offset(const OpLeaf *leaf, uint32_t text, const OpItem *item, int64_t units, uint32_t *bytes)
{
	size_t offset;

	if (item->kind != DELTA_INSERT)
		*bytes = 0;
	else if (item->ascii)
		*bytes = (uint32_t) units;
	else if (units == item->units)
		*bytes = item->bytes;
	else
	{
		offset = utf8_offset(optree_text_at(leaf, text), item->bytes, units);
		if (offset == UTF8_INSIDE_PAIR)
			return false;
		*bytes = (uint32_t) offset;
	}
	return true;
}

/* Positions inside pairs are refused before anything is changed, so here there are none. */
static uint32_t
text_offset(const OpPlace *place, const OpItem *item, int64_t units)
{
	uint32_t bytes = 0;

	(void) optree_text_offset(place->leaf, place->text, item, units, &bytes);
	return bytes;
}

void
optree_op(const OpLeaf *leaf, uint32_t text, const OpItem *item, DeltaOp *op)
{
	op->kind = item->kind;
	op->ascii = item->ascii;
	op->bytes = item->bytes;
	op->units = item->units;
	op->data = item->kind >= DELTA_INSERT ? optree_text_at(leaf, text) : NULL;
	op->attrs = attrset_value(item->attrs);
	if (item->far)
	{
		OpFar far;

		memcpy(&far, op->data, sizeof(far));
		op->data = far.data;
		op->bytes = (uint32_t) far.bytes;
	}
}

/*
 * Counts `units` (negative: removed) of an op of that kind in the leaf and in all pages above it.
 */
static void
count_units(OpTree *tree, OpLeaf *leaf, uint8_t kind, int64_t units)
{
	int64_t				 base = units * optree_weight[kind][0];
	int64_t new = units *optree_weight[kind][1];
	OpNode				*node = &leaf->node;
	OpInner				*parent;

	leaf->sum[0] += base;
	leaf->sum[1] += new;
	tree->sum[0] += base;
	tree->sum[1] += new;
	for (; (parent = node->parent) != NULL; node = &parent->node)
	{
		parent->sum[0][node->slot] += base;
		parent->sum[1][node->slot] += new;
	}
}

static void
open_slot(OpLeaf *leaf, uint32_t index)
{
	uint32_t count = leaf->node.count++;

	memmove(optree_item(leaf, count), optree_item(leaf, count) + 1, (count - index) * sizeof(OpItem));
}

static void
close_slot(OpLeaf *leaf, uint32_t index)
{
	uint32_t last = --leaf->node.count;

	memmove(optree_item(leaf, last) + 1, optree_item(leaf, last), (last - index) * sizeof(OpItem));
}

static void
insert_bytes(OpLeaf *leaf, uint32_t at, const char *data, uint32_t bytes)
{
	char *text = optree_text_at(leaf, at);

	memmove(text + bytes, text, leaf->node.text - at);
	memcpy(text, data, bytes);
	leaf->node.text = (uint16_t) (leaf->node.text + bytes);
}

static void
remove_bytes(OpLeaf *leaf, uint32_t at, uint32_t bytes)
{
	char *text = optree_text_at(leaf, at);

	memmove(text, text + bytes, leaf->node.text - at - bytes);
	leaf->node.text = (uint16_t) (leaf->node.text - bytes);
}

/* Makes one item two; there is room. The place goes to the border. */
static void
split_item(OpPlace *place)
{
	OpLeaf	*leaf = place->leaf;
	OpItem	*head = optree_item(leaf, place->index);
	uint32_t bytes = text_offset(place, head, place->offset);
	OpItem	*tail;

	open_slot(leaf, place->index + 1);
	tail = optree_item(leaf, place->index + 1);
	*tail = *head;
	attrset_hold(tail->attrs);
	head->units = place->offset;
	tail->units -= place->offset;
	head->bytes = bytes;
	tail->bytes -= bytes;
	if (head->kind == DELTA_INSERT)
	{
		head->ascii = head->units == (int64_t) head->bytes;
		tail->ascii = tail->units == (int64_t) tail->bytes;
	}
	place->index++;
	place->text += bytes;
	place->offset = 0;
}

void
optree_join(OpTree *tree, OpPlace *place)
{
	OpLeaf *leaf = place->leaf;
	OpItem *left;
	OpItem *right;

	if (place->offset > 0 || place->index == 0 || place->index >= leaf->node.count)
		return;
	left = optree_item(leaf, place->index - 1);
	right = optree_item(leaf, place->index);
	if (!optree_mergeable(left, right))
		return;
	place->index--;
	place->text -= left->bytes;
	place->offset = left->units;
	left->units += right->units;
	left->bytes += right->bytes;
	left->ascii &= right->ascii;
	opstore_drop(tree->store, right->attrs);
	close_slot(leaf, place->index + 1);
}

void
optree_skip(OpPlace *place, int64_t units)
{
	const OpItem *item = optree_item(place->leaf, place->index);

	place->at[0] += units * optree_weight[item->kind][0];
	place->at[1] += units * optree_weight[item->kind][1];
	place->offset += units;
	if (place->offset == item->units)
	{
		place->index++;
		place->text += item->bytes;
		place->offset = 0;
	}
}

void
optree_set_attrs(OpTree *tree, OpPlace *place, AttrSet *attrs)
{
	OpItem *item = optree_item(place->leaf, place->index);
	int64_t units = item->units;

	opstore_drop(tree->store, item->attrs);
	item->attrs = attrs;
	optree_join(tree, place);
	optree_skip(place, units);
}

static void
release_far(OpTree *tree, const OpLeaf *leaf, uint32_t text, OpItem *item)
{
	if (item->far)
	{
		OpFar far;

		memcpy(&far, optree_text_at(leaf, text), sizeof(far));
		opstore_release(tree->store, far.data, far.bytes);
		item->far = 0;
	}
}

void
optree_cut(OpTree *tree, OpPlace *place, int64_t units)
{
	OpLeaf *leaf = place->leaf;
	OpItem *item = optree_item(leaf, place->index);

	count_units(tree, leaf, item->kind, -units);
	if (units < item->units)
	{
		uint32_t from = text_offset(place, item, place->offset);
		uint32_t to = text_offset(place, item, place->offset + units);

		item->units -= units;
		if (to > from)
		{
			remove_bytes(leaf, place->text + from, to - from);
			item->bytes -= to - from;
			item->ascii = item->units == (int64_t) item->bytes;
		}
		if (place->offset == item->units)
		{
			place->index++;
			place->text += item->bytes;
			place->offset = 0;
		}
		return;
	}
	release_far(tree, leaf, place->text, item);
	opstore_drop(tree->store, item->attrs);
	remove_bytes(leaf, place->text, item->bytes);
	close_slot(leaf, place->index);
	optree_join(tree, place);
}

/* ---- putting ---- */

/* Consumes one hold of the attributes. What it adds fits into half a page. */
static bool
put_item(OpTree *tree, OpPlace *place, const OpItem *item, const char *data)
{
	OpLeaf	*leaf;
	OpItem	*near = NULL; /* takes the new one in */
	uint32_t at;

	if (!optree_make_room(tree, place, item->bytes))
		return false;
	leaf = place->leaf;
	at = place->text;
	if (place->offset > 0)
	{
		near = optree_item(leaf, place->index);
		if (optree_mergeable(near, item))
		{
			if (item->bytes > 0)
				at += text_offset(place, near, place->offset);
			place->offset += item->units;
		}
		else
		{
			near = NULL;
			split_item(place);
			at = place->text;
		}
	}
	else if (place->index > 0 && optree_mergeable(optree_item(leaf, place->index - 1), item))
	{
		near = optree_item(leaf, place->index - 1);
		place->text += item->bytes;
	}
	else if (place->index < leaf->node.count && optree_mergeable(optree_item(leaf, place->index), item))
	{
		near = optree_item(leaf, place->index);
		place->offset = item->units;
	}

	if (item->bytes > 0)
		insert_bytes(leaf, at, data, item->bytes);
	if (near != NULL)
	{
		near->units += item->units;
		near->bytes += item->bytes;
		near->ascii &= item->ascii;
		opstore_drop(tree->store, item->attrs);
	}
	else
	{
		open_slot(leaf, place->index);
		*optree_item(leaf, place->index) = *item;
		place->index++;
		place->text += item->bytes;
	}
	count_units(tree, leaf, item->kind, item->units);
	place->at[0] += item->units * optree_weight[item->kind][0];
	place->at[1] += item->units * optree_weight[item->kind][1];
	return true;
}

size_t
optree_splits_for(const DeltaOp *op)
{
	/* pages of its own are filled but for two items and a character */
	if (op->kind == DELTA_INSERT && op->bytes > STEP_BYTES)
		return op->bytes / (OPTREE_BODY - 2 * sizeof(OpItem) - 4) + 3;
	return 1;
}

size_t
optree_far_cost(const DeltaOp *embed)
{
	return embed->bytes > NEAR_EMBED_BYTES ? opstore_cost(embed->bytes) : 0;
}

bool
optree_put_units(OpTree *tree, OpPlace *place, DeltaKind kind, int64_t units)
{
	OpItem item = {.kind = (uint8_t) kind, .units = units};

	return put_item(tree, place, &item, NULL);
}

/* What does not fit into the page, nor into half of it, gets pages of its own. */
static bool
put_text(OpTree *tree, OpPlace *place, const DeltaOp *op, AttrSet *attrs)
{
	const char *data = op->data;
	const char *end = op->data + op->bytes;
	bool		long_text = op->bytes > STEP_BYTES &&
					 optree_used(&place->leaf->node) + 2 * sizeof(OpItem) + op->bytes > OPTREE_BODY;

	if (long_text && !optree_open(tree, place))
		return false;
	while (data < end)
	{
		OpItem item = {.kind = DELTA_INSERT, .attrs = attrs, .units = op->units, .ascii = op->ascii};
		size_t step = (size_t) (end - data);

		if (long_text)
		{
			/* fill this page, or the next one if there is hardly anything left in this one */
			size_t room = OPTREE_BODY - optree_used(&place->leaf->node);

			room = room < STEP_BYTES ? OPTREE_BODY : room;
			room -= 2 * sizeof(OpItem);
			if (step > room)
				step = utf8_floor(data, room);
			item.units = op->ascii ? (int64_t) step : utf8_units(data, step);
			item.ascii = item.units == (int64_t) step;
		}
		item.bytes = (uint32_t) step;
		attrset_hold(attrs);
		if (!put_item(tree, place, &item, data))
			return false;
		data += step;
	}
	opstore_drop(tree->store, attrs);
	return true;
}

/* The bytes that stand in the page for an embed: itself, or where it is. */
static bool
embed_bytes(OpTree *tree, const char *data, uint32_t bytes, OpItem *item, OpFar *far, const char **near)
{
	item->far = bytes > NEAR_EMBED_BYTES;
	item->bytes = bytes;
	*near = data;
	if (item->far)
	{
		far->data = opstore_alloc(tree->store, bytes);
		far->bytes = bytes;
		if (far->data == NULL)
			return false;
		memcpy(far->data, data, bytes);
		item->bytes = sizeof(*far);
		*near = (const char *) far;
	}
	return true;
}

bool
optree_put(OpTree *tree, OpPlace *place, const DeltaOp *op)
{
	OpItem		item = {.kind = op->kind, .units = op->units};
	const char *near = NULL;
	OpFar		far;

	if (!opstore_intern(tree->store, op->attrs, &item.attrs))
		return false;
	if (op->kind == DELTA_INSERT)
		return put_text(tree, place, op, item.attrs);
	if (op->kind > DELTA_INSERT && !embed_bytes(tree, op->data, op->bytes, &item, &far, &near))
		return false;
	return put_item(tree, place, &item, near);
}

bool
optree_load(OpTree *tree, OpStore *store, const Delta *delta, uint32_t more)
{
	size_t	 bytes = 0;
	OpPlace	 place;
	uint32_t i;

	for (i = 0; i < delta->count && bytes < OPTREE_PAGE; i++)
		bytes += delta->ops[i].kind >= DELTA_INSERT ? delta->ops[i].bytes : 0;
	if (!optree_init(tree, store, (size_t) delta->count + more, bytes))
		return false;
	optree_seek_end(tree, &place);
	for (i = 0; i < delta->count; i++)
		if (!optree_put(tree, &place, &delta->ops[i]))
			return false;
	return true;
}

/* ---- items of their own ---- */

/* Room at an item, which the place stays at. */
static bool
make_room_at_item(OpTree *tree, OpPlace *place, uint32_t bytes)
{
	if (!optree_make_room(tree, place, bytes))
		return false;
	if (place->index == place->leaf->node.count)
		(void) optree_next_leaf(tree, place);
	return true;
}

bool
optree_isolate(OpTree *tree, OpPlace *place, int64_t *units)
{
	OpItem *item = optree_item(place->leaf, place->index);

	if (place->offset == 0 && *units == item->units)
		return true;
	if (!make_room_at_item(tree, place, 0))
		return false;
	item = optree_item(place->leaf, place->index);
	if (*units > item->units - place->offset)
		*units = item->units - place->offset;
	if (place->offset > 0)
		split_item(place);
	item = optree_item(place->leaf, place->index);
	if (*units < item->units)
	{
		OpPlace end = *place;

		end.offset = *units;
		split_item(&end);
	}
	return true;
}

bool
optree_set_embed(OpTree *tree, OpPlace *place, const DeltaOp *value)
{
	OpItem	   *item = optree_item(place->leaf, place->index);
	OpItem		in_page;
	const char *near;
	OpFar		far;

	if (!embed_bytes(tree, value->data, value->bytes, &in_page, &far, &near))
		return false;
	release_far(tree, place->leaf, place->text, item);
	remove_bytes(place->leaf, place->text, item->bytes);
	item->bytes = 0;
	if (item->kind == DELTA_RETAIN)
		item->kind = DELTA_RETAIN_EMBED;
	if (!make_room_at_item(tree, place, in_page.bytes))
		return false;
	item = optree_item(place->leaf, place->index);
	insert_bytes(place->leaf, place->text, near, in_page.bytes);
	item->bytes = in_page.bytes;
	item->far = in_page.far;
	return true;
}

/* ---- order ---- */

bool
optree_put_delete(OpTree *tree, int64_t base, int64_t units)
{
	OpPlace place;

	optree_seek(tree, OPTREE_BASE, base, true, &place);
	return optree_put_units(tree, &place, DELTA_DELETE, units);
}

bool
optree_mend(OpTree *tree, int64_t base)
{
	OpPlace		  place;
	const OpItem *left;
	const OpItem *right = NULL;
	int64_t		  units;

	optree_seek(tree, OPTREE_BASE, base, false, &place);
	if (place.offset > 0 || place.index == 0)
		return true;
	left = optree_item(place.leaf, place.index - 1);
	if (left->kind != DELTA_DELETE)
	{
		optree_join(tree, &place);
		return true;
	}
	if (place.index < place.leaf->node.count)
		right = optree_item(place.leaf, place.index);
	else if (place.leaf->next != NULL)
		right = optree_item(place.leaf->next, 0);
	if (right == NULL || !(optree_is_insert(right) || right->kind == DELTA_DELETE))
		return true;

	/* the delete moves behind what is inserted here, to the delete that may stand there */
	units = left->units;
	place.index--;
	place.text -= left->bytes;
	optree_cut(tree, &place, units);
	optree_settle(tree, place.leaf);
	return optree_put_delete(tree, base - units, units);
}

void
optree_chop(OpTree *tree)
{
	for (;;)
	{
		OpNode		 *node = tree->root;
		OpLeaf		 *leaf;
		const OpItem *last;
		OpPlace		  place;
		int			  level;

		for (level = tree->height; level > 0; level--)
			node = ((OpInner *) node)->child[node->count - 1];
		leaf = (OpLeaf *) node;
		if (leaf->node.count == 0)
			return;
		last = optree_item(leaf, leaf->node.count - 1u);
		if (last->kind != DELTA_RETAIN || last->attrs != NULL)
			return;
		place.leaf = leaf;
		place.index = leaf->node.count - 1u;
		place.text = leaf->node.text;
		place.offset = 0;
		optree_cut(tree, &place, last->units);
		optree_settle(tree, leaf);
	}
}

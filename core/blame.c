/* blame.c - a B+tree of runs, addressed by position, that remembers where the last edit was. */
#include "blame.h"

#include <string.h>

#include "delta_internal.h"
#include "opstore.h"

/*
 * Runs live in leaves, leaves under inner nodes that know the length of each child:
 *
 *	inner	[40 | 12 | 7]	 [-> leaf | -> leaf | -> leaf]
 *	leaf	[(30, stamp of version 1) | (2, version 9) | (8, version 1)]
 *
 * Both kinds of node are one chunk of NODE_BYTES. Inside a leaf neighbours have different stamps; over
 * the border of leaves they may be equal, which blame_next puts right.
 */
#define NODE_BYTES 1024
/* A node with its neighbour's entries in it must not be full, or the next edit would divide it again. */
#define MERGE_LIMIT(max) ((max) *3 / 4)

typedef struct Stamp
{
	BlameStamp value;
	uint64_t   runs; /* that have it; at 0 it goes */
} Stamp;

typedef struct Inner Inner;

typedef struct Node
{
	Inner	*parent;
	uint16_t slot;	/* which child of its parent */
	uint16_t count; /* children or runs */
} Node;

#define INNER_MAX ((NODE_BYTES - sizeof(Node)) / (sizeof(int64_t) + sizeof(Node *)))

struct Inner
{
	Node	node;
	int64_t sum[INNER_MAX];
	Node   *child[INNER_MAX];
};

typedef struct Run
{
	int64_t units;
	Stamp  *stamp;
} Run;

#define LEAF_MAX ((NODE_BYTES - sizeof(Node) - 2 * sizeof(void *)) / sizeof(Run))

typedef struct Leaf
{
	Node		 node;
	struct Leaf *prev;
	struct Leaf *next;
	Run			 runs[LEAF_MAX];
} Leaf;

struct Blame
{
	CollabAlloc alloc;
	OpStore		store;
	Node	   *root;
	Leaf	   *first;
	Leaf	   *hot;	   /* where the last edit was, NULL = unknown */
	int64_t		hot_start; /* its position */
	int64_t		length;
	int			height; /* 0: the root is a leaf */
};

/* Before run `index` (offset 0; it may be the end of the leaf) or inside it. */
typedef struct Place
{
	Leaf	*leaf;
	uint32_t index;
	int64_t	 offset;
} Place;

/* ---- life ---- */

CollabStatus
blame_create(CollabAlloc alloc, Blame **out)
{
	Blame *blame = alloc.alloc(alloc.ctx, sizeof(Blame));
	Leaf  *leaf;

	if (blame == NULL)
		return COLLAB_NOMEM;
	memset(blame, 0, sizeof(*blame));
	blame->alloc = alloc;
	opstore_init(&blame->store, alloc, NULL, 0);
	leaf = opstore_alloc(&blame->store, NODE_BYTES);
	if (leaf == NULL)
	{
		blame_free(blame);
		return COLLAB_NOMEM;
	}
	memset(leaf, 0, offsetof(Leaf, runs));
	blame->root = &leaf->node;
	blame->first = leaf;
	*out = blame;
	return COLLAB_OK;
}

void
blame_free(Blame *blame)
{
	if (blame == NULL)
		return;
	opstore_free(&blame->store);
	blame->alloc.free(blame->alloc.ctx, blame);
}

int64_t
blame_length(const Blame *blame)
{
	return blame->length;
}

size_t
blame_memory(const Blame *blame)
{
	return sizeof(Blame) + blame->store.arena.used;
}

/* ---- finding places ---- */

/* Where a leaf starts is not stored: only where the edits are is it asked for again and again. */
static Leaf *
find_leaf(Blame *blame, int64_t position)
{
	Node   *node = blame->root;
	int64_t start = 0;
	int		level;

	if (blame->hot != NULL && position >= blame->hot_start)
	{
		const Node *hot = &blame->hot->node;
		int64_t		sum = hot->parent != NULL ? hot->parent->sum[hot->slot] : blame->length;

		if (position <= blame->hot_start + sum)
			return blame->hot;
	}
	for (level = blame->height; level > 0; level--)
	{
		Inner	*inner = (Inner *) node;
		uint32_t i = 0;

		while (i + 1 < inner->node.count && position > start + inner->sum[i])
			start += inner->sum[i++];
		node = inner->child[i];
	}
	blame->hot = (Leaf *) node;
	blame->hot_start = start;
	return blame->hot;
}

/* Behind what stands before the position: at the end of a leaf rather than at the start of the next. */
static Place
find_place(Blame *blame, int64_t position)
{
	Place place = {find_leaf(blame, position), 0, 0};

	place.offset = position - blame->hot_start;
	while (place.index < place.leaf->node.count && place.offset >= place.leaf->runs[place.index].units)
		place.offset -= place.leaf->runs[place.index++].units;
	return place;
}

/* ---- nodes ---- */

static void
add_units(Blame *blame, Node *node, int64_t units)
{
	for (; node->parent != NULL; node = &node->parent->node)
		node->parent->sum[node->slot] += units;
	blame->length += units;
}

static void
number_children(Inner *inner, uint32_t from)
{
	for (; from < inner->node.count; from++)
	{
		inner->child[from]->parent = inner;
		inner->child[from]->slot = (uint16_t) from;
	}
}

/* Moves the entries of `from` from index `at` on behind those of `to`. Returns the units that moved. */
static int64_t
move_entries(Node *to, Node *from, uint32_t at, bool leaves)
{
	uint32_t count = from->count - at;
	int64_t	 moved = 0;
	uint32_t i;

	if (leaves)
	{
		Run *runs = ((Leaf *) to)->runs + to->count;

		memcpy(runs, ((Leaf *) from)->runs + at, count * sizeof(Run));
		for (i = 0; i < count; i++)
			moved += runs[i].units;
	}
	else
	{
		Inner *target = (Inner *) to;
		Inner *source = (Inner *) from;

		memcpy(target->child + to->count, source->child + at, count * sizeof(Node *));
		memcpy(target->sum + to->count, source->sum + at, count * sizeof(int64_t));
		for (i = 0; i < count; i++)
			moved += source->sum[at + i];
	}
	to->count = (uint16_t) (to->count + count);
	from->count = (uint16_t) at;
	if (!leaves)
		number_children((Inner *) to, to->count - count);
	return moved;
}

static void
insert_child(Inner *inner, uint32_t at, Node *child)
{
	uint32_t behind = inner->node.count - at;

	memmove(inner->child + at + 1, inner->child + at, behind * sizeof(Node *));
	memmove(inner->sum + at + 1, inner->sum + at, behind * sizeof(int64_t));
	inner->child[at] = child;
	inner->sum[at] = 0;
	inner->node.count++;
	number_children(inner, at);
}

static bool
add_root(Blame *blame)
{
	Inner *root = opstore_alloc(&blame->store, NODE_BYTES);

	if (root == NULL)
		return false;
	memset(root, 0, sizeof(Node));
	insert_child(root, 0, blame->root);
	root->sum[0] = blame->length;
	blame->root = &root->node;
	blame->height++;
	return true;
}

/* Moves the entries of a node from `at` on to a new right neighbour. */
static bool
split_node(Blame *blame, Node *node, uint32_t at, bool leaves)
{
	Node   *right;
	int64_t moved;

	if (node->parent == NULL && !add_root(blame))
		return false;
	if (node->parent->node.count == INNER_MAX && !split_node(blame, &node->parent->node, INNER_MAX / 2, false))
		return false;
	right = opstore_alloc(&blame->store, NODE_BYTES);
	if (right == NULL)
		return false;
	memset(right, 0, sizeof(Node));
	insert_child(node->parent, node->slot + 1U, right);
	moved = move_entries(right, node, at, leaves);
	node->parent->sum[node->slot] -= moved;
	right->parent->sum[right->slot] = moved;
	if (leaves)
	{
		Leaf *leaf = (Leaf *) node;
		Leaf *added = (Leaf *) right;

		added->prev = leaf;
		added->next = leaf->next;
		if (leaf->next != NULL)
			leaf->next->prev = added;
		leaf->next = added;
	}
	return true;
}

/* Takes a node without entries out of its parent and frees it. */
static void
drop_node(Blame *blame, Node *node, bool leaf)
{
	Inner	*parent = node->parent;
	uint32_t behind = parent->node.count - node->slot - 1U;

	if (leaf)
	{
		Leaf *gone = (Leaf *) node;

		if (gone->prev != NULL)
			gone->prev->next = gone->next;
		else
			blame->first = gone->next;
		if (gone->next != NULL)
			gone->next->prev = gone->prev;
	}
	memmove(parent->child + node->slot, parent->child + node->slot + 1, behind * sizeof(Node *));
	memmove(parent->sum + node->slot, parent->sum + node->slot + 1, behind * sizeof(int64_t));
	parent->node.count--;
	number_children(parent, node->slot);
	opstore_release(&blame->store, node, NODE_BYTES);
}

static Run *
remove_runs(Leaf *leaf, uint32_t from, uint32_t to)
{
	memmove(leaf->runs + from, leaf->runs + to, (leaf->node.count - to) * sizeof(Run));
	leaf->node.count = (uint16_t) (leaf->node.count - (to - from));
	return leaf->runs + from;
}

/* Run `index` and the one before it become one if they have the same stamp. */
static void
join_runs(Leaf *leaf, uint32_t index)
{
	Run *run = leaf->runs + index;

	if (index == 0 || index >= leaf->node.count || run[-1].stamp != run->stamp)
		return;
	run[-1].units += run->units;
	run->stamp->runs--;
	(void) remove_runs(leaf, index, index + 1);
}

/* The node's right neighbour moves into it where both together are small. */
static bool
merge_right(Blame *blame, Node *node, bool leaves)
{
	Inner	*parent = node->parent;
	uint32_t count = node->count;
	uint32_t max = leaves ? LEAF_MAX : INNER_MAX;
	Node	*right;

	if (node->slot + 1U >= parent->node.count)
		return false;
	right = parent->child[node->slot + 1];
	if (count + right->count > MERGE_LIMIT(max))
		return false;
	parent->sum[node->slot] += move_entries(node, right, 0, leaves);
	if (leaves)
		join_runs((Leaf *) node, count);
	drop_node(blame, right, leaves);
	return true;
}

static bool
is_only_leaf(const Leaf *leaf)
{
	return leaf->prev == NULL && leaf->next == NULL;
}

/* After something was removed from a leaf: keeps nodes filled, so that memory follows the content. */
static void
tidy(Blame *blame, Node *node)
{
	bool leaves = true;

	blame->hot = NULL;
	while (node->parent != NULL)
	{
		Node *parent = &node->parent->node;

		if (node->count == 0 && !(leaves && is_only_leaf((const Leaf *) node)))
			drop_node(blame, node, leaves);
		else if (!merge_right(blame, node, leaves) && node->slot > 0)
			(void) merge_right(blame, node->parent->child[node->slot - 1], leaves);
		node = parent;
		leaves = false;
	}
	while (blame->height > 0 && blame->root->count == 1)
	{
		Inner *old = (Inner *) blame->root;

		blame->root = old->child[0];
		blame->root->parent = NULL;
		blame->root->slot = 0;
		blame->height--;
		opstore_release(&blame->store, old, NODE_BYTES);
	}
}

/* ---- edits ---- */

static void
drop_stamp(Blame *blame, Stamp *stamp)
{
	if (--stamp->runs == 0)
		opstore_release(&blame->store, stamp, sizeof(Stamp));
}

/* Makes room for `more` runs at the place, which moves with them. */
static bool
make_room(Blame *blame, Place *place, uint32_t more)
{
	Leaf	*leaf = place->leaf;
	uint32_t at = LEAF_MAX / 2;

	if (leaf->node.count + more <= LEAF_MAX)
		return true;
	/* who writes at the end of the document leaves full leaves behind */
	if (place->index == leaf->node.count && leaf->next == NULL)
		at = leaf->node.count;
	if (!split_node(blame, &leaf->node, at, true))
		return false;
	if (place->index >= at)
	{
		blame->hot_start += leaf->node.parent->sum[leaf->node.slot];
		place->leaf = blame->hot = leaf->next;
		place->index -= at;
	}
	return true;
}

static bool
insert_units(Blame *blame, int64_t position, int64_t units, Stamp *stamp)
{
	Place	 place = find_place(blame, position);
	uint32_t more = place.offset > 0 ? 2 : 1;
	Run		*run;

	/* several inserts of one change in one place */
	if (place.offset == 0 && place.index > 0 && place.leaf->runs[place.index - 1].stamp == stamp)
	{
		place.leaf->runs[place.index - 1].units += units;
		add_units(blame, &place.leaf->node, units);
		return true;
	}
	if (!make_room(blame, &place, more))
		return false;
	run = place.leaf->runs + place.index;
	memmove(run + more, run, (place.leaf->node.count - place.index) * sizeof(Run));
	place.leaf->node.count = (uint16_t) (place.leaf->node.count + more);
	if (more == 2)
	{
		run->units = place.offset;
		run[2].units -= place.offset;
		run->stamp = run[2].stamp;
		run->stamp->runs++;
		run++;
	}
	run->units = units;
	run->stamp = stamp;
	stamp->runs++;
	add_units(blame, &place.leaf->node, units);
	return true;
}

/* Removes up to `units` behind the position, as far as they stand in one leaf. Returns how many those were. */
static int64_t
remove_from_leaf(Blame *blame, int64_t position, int64_t units)
{
	Place	 place = find_place(blame, position);
	Leaf	*leaf = place.leaf;
	int64_t	 left = units;
	uint32_t i;

	/* what stands behind the end of a leaf is the next one's */
	if (place.index == leaf->node.count)
	{
		blame->hot_start = position;
		leaf = blame->hot = leaf->next;
		place.index = 0;
	}
	if (place.offset > 0)
	{
		Run	   *run = leaf->runs + place.index++;
		int64_t behind = run->units - place.offset;
		int64_t taken = behind < left ? behind : left;

		run->units -= taken;
		left -= taken;
	}
	for (i = place.index; i < leaf->node.count && left >= leaf->runs[i].units; i++)
	{
		left -= leaf->runs[i].units;
		drop_stamp(blame, leaf->runs[i].stamp);
	}
	if (left > 0 && i < leaf->node.count)
	{
		leaf->runs[i].units -= left;
		left = 0;
	}
	add_units(blame, &leaf->node, left - units);
	if (i > place.index)
	{
		(void) remove_runs(leaf, place.index, i);
		join_runs(leaf, place.index);
		if (leaf->node.count < LEAF_MAX / 2)
			tidy(blame, &leaf->node);
	}
	return units - left;
}

/* The hold keeps the stamp alive while its change is at work; a change that inserts nothing has none. */
static Stamp *
hold_stamp(Blame *blame, const BlameStamp *value)
{
	Stamp *stamp = opstore_alloc(&blame->store, sizeof(Stamp));

	if (stamp != NULL)
	{
		stamp->value = *value;
		stamp->runs = 1;
	}
	return stamp;
}

CollabStatus
blame_apply(Blame *blame, const Delta *change, const BlameStamp *value, CollabError *err)
{
	int64_t	 position = 0;
	Stamp	*stamp = NULL;
	uint32_t i;

	if (delta_base_length(change) > blame->length)
		return collab_fail(err, COLLAB_RANGE, -1, "change reaches past the end of the document");
	if (delta_length_change(change) > DELTA_MAX_UNITS - blame->length)
		return collab_fail(err, COLLAB_LIMIT, -1, "document becomes too long");

	for (i = 0; i < change->count; i++)
	{
		const DeltaOp *op = &change->ops[i];
		int64_t		   left = op->units;

		if (op->kind == DELTA_DELETE)
		{
			while (left > 0)
				left -= remove_from_leaf(blame, position, left);
			continue;
		}
		if (delta_op_is_insert(op))
		{
			if (stamp == NULL)
				stamp = hold_stamp(blame, value);
			if (stamp == NULL || !insert_units(blame, position, op->units, stamp))
				return delta_nomem(err);
		}
		position += op->units;
	}
	if (stamp != NULL)
		drop_stamp(blame, stamp);
	return COLLAB_OK;
}

/* ---- results ---- */

void
blame_start(const Blame *blame, BlameCursor *cursor)
{
	cursor->leaf = blame->first;
	cursor->index = 0;
}

/* The run at the cursor, NULL at the end. */
static const Run *
current_run(BlameCursor *cursor)
{
	const Leaf *leaf = cursor->leaf;

	while (leaf != NULL && cursor->index == leaf->node.count)
	{
		cursor->leaf = leaf = leaf->next;
		cursor->index = 0;
	}
	return leaf != NULL ? leaf->runs + cursor->index : NULL;
}

bool
blame_next(BlameCursor *cursor, BlameRun *out)
{
	const Run	*run = current_run(cursor);
	const Stamp *stamp;

	if (run == NULL)
		return false;
	stamp = run->stamp;
	out->stamp = stamp->value;
	out->units = 0;
	for (; run != NULL && run->stamp == stamp; run = current_run(cursor))
	{
		out->units += run->units;
		cursor->index++;
	}
	return true;
}

/* ---- self-check ---- */

/* Units below a node, or -1 where something is wrong. `last` is the leaf before it, `*runs` counts them. */
static int64_t
check_node(const Node *node, int height, const Leaf **last, uint64_t *runs)
{
	int64_t	 units = 0;
	uint32_t i;

	if (height == 0)
	{
		const Leaf *leaf = (const Leaf *) node;

		if (leaf->prev != *last || (*last != NULL && (*last)->next != leaf) || node->count > LEAF_MAX)
			return -1;
		*last = leaf;
		*runs += node->count;
		for (i = 0; i < node->count; i++)
		{
			const Run *run = leaf->runs + i;

			if (run->units <= 0 || run->stamp->runs == 0 || (i > 0 && run[-1].stamp == run->stamp))
				return -1;
			units += run->units;
		}
		return units;
	}
	for (i = 0; i < node->count; i++)
	{
		const Inner *inner = (const Inner *) node;
		const Node	*child = inner->child[i];

		if (child->parent != inner || child->slot != i || child->count == 0 ||
			check_node(child, height - 1, last, runs) != inner->sum[i])
			return -1;
		units += inner->sum[i];
	}
	return node->count > 0 && node->count <= INNER_MAX ? units : -1;
}

bool
blame_valid(const Blame *blame)
{
	const Leaf *last = NULL;
	const Leaf *leaf;
	uint64_t	runs = 0;
	uint64_t	seen = 0;

	if (blame->root->parent != NULL || check_node(blame->root, blame->height, &last, &runs) != blame->length)
		return false;
	for (leaf = blame->first; leaf != NULL; leaf = leaf->next)
		seen += leaf->node.count;
	return last->next == NULL && seen == runs;
}

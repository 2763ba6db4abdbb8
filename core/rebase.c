/* rebase.c - pending pieces carried over events, each transformed in place. */
#include "rebase.h"

#include <string.h>

#include "optree.h"

/*
 * One piece of a few ops, which is what most messages hold, needs no memory but that of the Rebase
 * itself.
 */
#define OWN_BYTES 512

/* An event may divide an op of a piece, and put a retain before it. */
#define MORE_OPS 2

/*
 * A deque in an array: pieces [first, count) are left; those popped or dropped keep their memory
 * until the end.
 */
struct Rebase
{
	CollabAlloc alloc;
	OpStore		store;
	OpTree	   *pieces;
	uint32_t	first;
	uint32_t	count;
	uint32_t	created;
	bool		broken;	 /* an event ended half-way */
	Arena		scratch; /* of one event */
	OpTree		only;	 /* a list of one */
	uint64_t	own[OWN_BYTES / sizeof(uint64_t)];
};

/* One event on its way through one piece. */
typedef struct Carry
{
	OpTree		 *piece;
	Arena		 *arena;
	bool		  event_first;
	DeltaBuilder *out;	   /* the event as it is behind the piece; NULL: not wanted */
	int64_t		  reached; /* up to this new position of the piece `out` is written */
	CollabError	 *err;
} Carry;

/* ---- life ---- */

CollabStatus
rebase_create(CollabAlloc alloc, const Delta *pieces, uint32_t count, Rebase **out)
{
	Rebase *rebase = alloc.alloc(alloc.ctx, sizeof(Rebase));
	bool	done = true;

	if (rebase == NULL)
		return COLLAB_NOMEM;
	memset(rebase, 0, offsetof(Rebase, own));
	rebase->alloc = alloc;
	opstore_init(&rebase->store, alloc, rebase->own, sizeof(rebase->own));
	arena_init(&rebase->scratch, alloc);
	rebase->pieces = &rebase->only;
	if (count > 1)
	{
		rebase->pieces = opstore_alloc(&rebase->store, count * sizeof(OpTree));
		done = rebase->pieces != NULL;
	}
	for (; done && rebase->count < count; rebase->count++)
		done = optree_load(&rebase->pieces[rebase->count], &rebase->store, &pieces[rebase->count], MORE_OPS);
	if (!done)
	{
		rebase_free(rebase);
		return COLLAB_NOMEM;
	}
	rebase->created = count;
	*out = rebase;
	return COLLAB_OK;
}

void
rebase_free(Rebase *rebase)
{
	if (rebase == NULL)
		return;
	opstore_free(&rebase->store);
	arena_free(&rebase->scratch);
	rebase->alloc.free(rebase->alloc.ctx, rebase);
}

uint32_t
rebase_count(const Rebase *rebase)
{
	return rebase->count - rebase->first;
}

void
rebase_pop(Rebase *rebase)
{
	if (rebase->first < rebase->count)
		rebase->first++;
}

void
rebase_truncate(Rebase *rebase, uint32_t i)
{
	if (i < rebase_count(rebase))
		rebase->count = rebase->first + i;
}

CollabStatus
rebase_piece(const Rebase *rebase, uint32_t i, Arena *arena, Delta *out)
{
	return rebase->broken ? COLLAB_NOMEM : optree_delta(&rebase->pieces[rebase->first + i], arena, out);
}

bool
rebase_valid(const Rebase *rebase)
{
	uint64_t held = 0;
	uint32_t i;

	for (i = 0; i < rebase->created; i++)
		if (!optree_valid(&rebase->pieces[i], &held))
			return false;
	return !rebase->broken && rebase->first <= rebase->count && rebase->count <= rebase->created &&
		   opstore_holds(&rebase->store) == held;
}

/* ---- the event behind the piece ---- */

static bool
push(Carry *carry, const DeltaOp *op)
{
	if (carry->out->count == carry->out->capacity && !delta_builder_grow(carry->out))
		return false;
	delta_builder_push(carry->out, op);
	return true;
}

/* What the piece retains or inserts up to a new position of it, the event retains. */
static bool
retain_to(Carry *carry, int64_t position)
{
	DeltaOp op = {.kind = DELTA_RETAIN, .units = position - carry->reached};

	carry->reached = position;
	return op.units == 0 || push(carry, &op);
}

/* ---- the three things an event can do to a piece, at a base position of it ---- */

/*
 * What the event inserts, the piece retains: before or behind what the piece inserts there, but
 * before what it deletes there. Behind the end of the piece nothing has to be retained.
 */
static bool
carry_insert(Carry *carry, int64_t position, const DeltaOp *op)
{
	OpTree *piece = carry->piece;
	int64_t beyond = position - piece->sum[OPTREE_BASE];
	OpPlace place;

	if (beyond > 0)
		place.at[OPTREE_NEW] = piece->sum[OPTREE_NEW] + beyond;
	else
		optree_seek(piece, OPTREE_BASE, position, !carry->event_first, &place);
	if (carry->out != NULL)
	{
		if (!retain_to(carry, place.at[OPTREE_NEW]) || !push(carry, op))
			return false;
		carry->reached += op->units;
	}
	if (beyond > 0 || (beyond == 0 && place.at[OPTREE_NEW] == piece->sum[OPTREE_NEW]))
		return true;
	return optree_put_units(piece, &place, DELTA_RETAIN, op->units);
}

/* The next item that stands for units of the piece's base: inserts are stepped over. NULL at the end. */
static const OpItem *
next_of_base(OpTree *piece, OpPlace *place)
{
	const OpItem *item;

	for (;;)
	{
		if (place->index == place->leaf->node.count)
		{
			if (!optree_next_leaf(piece, place))
				return NULL;
			continue;
		}
		item = optree_item(place->leaf, place->index);
		if (!optree_is_insert(item))
			return item;
		optree_skip(place, item->units - place->offset);
	}
}

/*
 * What the event deletes is no longer there to be retained or deleted by the piece; what it inserts
 * there stays.
 */
static bool
carry_delete(Carry *carry, int64_t position, int64_t units)
{
	OpTree *piece = carry->piece;
	int64_t left = piece->sum[OPTREE_BASE] - position;
	DeltaOp deletion = {.kind = DELTA_DELETE};
	OpPlace place;

	left = left < 0 ? 0 : left < units ? left : units;
	units -= left;
	if (left > 0)
	{
		/* behind what is inserted there, however much that is */
		optree_seek(piece, OPTREE_BASE, position, true, &place);
		while (left > 0)
		{
			const OpItem *item = next_of_base(piece, &place);
			int64_t		  cut;

			if (item == NULL)
				break;
			cut = item->units - place.offset;
			if (cut > left)
				cut = left;
			if (carry->out != NULL && item->kind != DELTA_DELETE)
			{
				deletion.units = cut;
				if (!retain_to(carry, place.at[OPTREE_NEW]) || !push(carry, &deletion))
					return false;
			}
			optree_cut(piece, &place, cut);
			left -= cut;
		}
		optree_settle(piece, place.leaf);
		if (!optree_mend(piece, position))
			return false;
	}
	if (carry->out != NULL && units > 0)
	{
		int64_t beyond = position - piece->sum[OPTREE_BASE];

		deletion.units = units;
		return retain_to(carry, piece->sum[OPTREE_NEW] + beyond) && push(carry, &deletion);
	}
	return true;
}

/*
 * One item of the piece (from the place on, `*units` long) meets an event that formats it or
 * changes it as an embed.
 */
static CollabStatus
carry_format_item(Carry *carry, OpPlace *place, int64_t *units, const DeltaOp *op)
{
	OpTree		*piece = carry->piece;
	AttrSet		*set = NULL;
	DeltaOp		 ours;
	DeltaOp		 ours_after;
	DeltaOp		 theirs = *op;
	bool		 both_embeds;
	bool		 changed;
	CollabStatus status;

	optree_op(place->leaf, place->text, optree_item(place->leaf, place->index), &ours);
	ours_after = ours;
	both_embeds = op->kind == DELTA_RETAIN_EMBED && ours.kind == DELTA_RETAIN_EMBED;
	status = attrs_transform(carry->arena, op->attrs, ours.attrs, carry->event_first, &ours_after.attrs,
							 carry->err);
	if (status == COLLAB_OK && both_embeds)
		status = delta_embed_transform(carry->arena, op, &ours, carry->event_first, &ours_after, carry->err);
	if (status == COLLAB_OK && carry->out != NULL)
		status = attrs_transform(carry->arena, ours.attrs, op->attrs, !carry->event_first, &theirs.attrs,
								 carry->err);
	if (status == COLLAB_OK && carry->out != NULL && both_embeds)
		status = delta_embed_transform(carry->arena, &ours, op, !carry->event_first, &theirs, carry->err);
	if (status != COLLAB_OK)
		return status;

	/* attributes can only become fewer */
	changed = both_embeds || ours_after.attrs.bytes != ours.attrs.bytes;
	if (changed &&
		(!opstore_intern(piece->store, ours_after.attrs, &set) || !optree_isolate(piece, place, units)))
		return delta_nomem(carry->err);
	if (both_embeds && !optree_set_embed(piece, place, &ours_after))
		return delta_nomem(carry->err);
	theirs.units = *units;
	if (carry->out != NULL && (!retain_to(carry, place->at[OPTREE_NEW]) || !push(carry, &theirs)))
		return delta_nomem(carry->err);
	carry->reached += *units;
	if (changed)
		optree_set_attrs(piece, place, set);
	else
	{
		/* the one before may have become like it */
		optree_join(piece, place);
		optree_skip(place, *units);
	}
	return COLLAB_OK;
}

/* Where both set an attribute, the first one's value wins; embed changes meet embed changes. */
static CollabStatus
carry_format(Carry *carry, int64_t position, const DeltaOp *op)
{
	OpTree		*piece = carry->piece;
	int64_t		 left = piece->sum[OPTREE_BASE] - position;
	int64_t		 units = op->units;
	CollabStatus status;
	OpPlace		 place;

	/*
	 * an event that comes second changes nothing in the piece; nor is there anything to be seen if
	 * nobody asks for it
	 */
	if (carry->out == NULL && !carry->event_first && op->kind == DELTA_RETAIN)
		return COLLAB_OK;
	left = left < 0 ? 0 : left < units ? left : units;
	units -= left;
	if (left > 0)
	{
		/* behind what is inserted there, however much that is */
		optree_seek(piece, OPTREE_BASE, position, true, &place);
		while (left > 0)
		{
			const OpItem *item = next_of_base(piece, &place);
			int64_t		  step;

			if (item == NULL)
				break;
			step = item->units - place.offset;
			if (step > left)
				step = left;
			if (item->kind == DELTA_DELETE)
				optree_skip(&place, step);
			else
			{
				status = carry_format_item(carry, &place, &step, op);
				if (status != COLLAB_OK)
					return status;
			}
			left -= step;
		}
		optree_join(piece, &place);
		optree_settle(piece, place.leaf);
	}
	if (carry->out != NULL && units > 0)
	{
		DeltaOp rest = *op;
		int64_t beyond = position + op->units - units - piece->sum[OPTREE_BASE];

		rest.units = units;
		if (!retain_to(carry, piece->sum[OPTREE_NEW] + beyond) || !push(carry, &rest))
			return delta_nomem(carry->err);
		carry->reached += units;
	}
	return COLLAB_OK;
}

/* ---- one event, one piece ---- */

static CollabStatus
carry_event(Carry *carry, const Delta *event)
{
	CollabStatus status = COLLAB_OK;
	int64_t		 position =
		0; /* in the base of the piece as it is so far: with what the event inserted, without what it deleted */
	uint32_t i;

	for (i = 0; i < event->count && status == COLLAB_OK; i++)
	{
		const DeltaOp *op = &event->ops[i];

		switch (op->kind)
		{
			case DELTA_DELETE:
				if (!carry_delete(carry, position, op->units))
					status = delta_nomem(carry->err);
				break;
			case DELTA_INSERT:
			case DELTA_INSERT_EMBED:
				if (!carry_insert(carry, position, op))
					status = delta_nomem(carry->err);
				position += op->units;
				break;
			default:
				if (!delta_op_is_plain_retain(op))
					status = carry_format(carry, position, op);
				position += op->units;
				break;
		}
	}
	optree_chop(carry->piece);
	return status;
}

/* The event as it comes out last points into memory of this event only: the caller gets a copy. */
static CollabStatus
copy_out(Arena *arena, const Delta *delta, Delta *out)
{
	uint32_t i;

	out->count = delta->count;
	out->ops = arena_array(arena, delta->count, sizeof(DeltaOp));
	if (out->ops == NULL)
		return COLLAB_NOMEM;
	for (i = 0; i < delta->count; i++)
	{
		DeltaOp *op = &out->ops[i];

		*op = delta->ops[i];
		if (op->attrs.bytes > 0)
		{
			uint8_t *attrs = arena_alloc(arena, op->attrs.bytes);

			if (attrs == NULL)
				return COLLAB_NOMEM;
			memcpy(attrs, op->attrs.data, op->attrs.bytes);
			op->attrs.data = attrs;
		}
		if (op->kind >= DELTA_INSERT)
		{
			char *data = arena_alloc(arena, op->bytes);

			if (data == NULL)
				return COLLAB_NOMEM;
			memcpy(data, op->data, op->bytes);
			op->data = data;
		}
	}
	return COLLAB_OK;
}

CollabStatus
rebase_event(Rebase *rebase, Arena *arena, const Delta *event, bool event_first, Delta *carried,
			 CollabError *err)
{
	Delta		 moving = *event;
	CollabStatus status = COLLAB_OK;
	uint32_t	 i;

	if (rebase->broken)
		return delta_nomem(err);
	arena_reset(&rebase->scratch);
	rebase->broken = true;
	for (i = rebase->first; i < rebase->count && status == COLLAB_OK && moving.count > 0; i++)
	{
		DeltaBuilder builder;
		Carry		 carry = {
				   .piece = &rebase->pieces[i], .arena = &rebase->scratch, .event_first = event_first, .err = err};

		if (i + 1 < rebase->count || carried != NULL)
		{
			status = delta_builder_init(&builder, &rebase->scratch, (uint64_t) moving.count * 2 + 2, err);
			carry.out = &builder;
		}
		if (status == COLLAB_OK)
			status = carry_event(&carry, &moving);
		if (status == COLLAB_OK && carry.out != NULL)
			status = delta_builder_finish(&builder, &moving, err);
		if (status == COLLAB_OK && optree_too_long(carry.piece))
			status = collab_fail(err, COLLAB_LIMIT, -1, "the rebased change has more than 2^53 - 1 units");
	}
	if (status == COLLAB_OK && carried != NULL)
	{
		status = copy_out(arena, &moving, carried);
		if (status != COLLAB_OK)
			return collab_fail(err, status, -1, "out of memory");
	}
	rebase->broken = status != COLLAB_OK;
	return status;
}

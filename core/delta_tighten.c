/* delta_tighten.c - tighten: a change without what makes no difference to the document that it is made on. */
#include "delta_internal.h"

/*
 * Changes that come out of the algebra say more than they do: bold taken from what is not bold, a text
 * deleted and put in again. Stretches of the change that only insert and delete are compared with what
 * they delete; retains lose the attributes that are there already.
 */
typedef struct Tightener
{
	DeltaBuilder builder;
	DeltaIter	 base;
	CollabError *err;
} Tightener;

static CollabStatus
take_base(Tightener *t, int64_t units, DeltaOp *piece)
{
	if (!delta_iter_take(&t->base, units, piece))
		return collab_fail(t->err, COLLAB_SURROGATE, -1, "the change cuts a surrogate pair");
	return delta_builder_grow(&t->builder) ? COLLAB_OK : delta_nomem(t->err);
}

/* ---- formatting ---- */

static CollabStatus
tighten_attrs(Tightener *t, DeltaAttrs base, DeltaAttrs *attrs)
{
	DeltaAttrs	 after;
	DeltaAttrs	 tight;
	bool		 exact;
	CollabStatus status;

	if (attrs->bytes == 0)
		return COLLAB_OK;
	status = attrs_compose(t->builder.arena, base, *attrs, false, &after, t->err);
	if (status == COLLAB_OK)
		status = attrs_diff(t->builder.arena, base, after, &tight, &exact, t->err);
	if (status == COLLAB_OK && exact)
		*attrs = tight;
	return status;
}

/* An embed change that gives the embed that is there becomes a retain. */
static CollabStatus
tighten_embed(Tightener *t, const DeltaOp *base, DeltaOp *op)
{
	DeltaOp		 after = *base;
	CollabStatus status = delta_embed_compose(t->builder.arena, base, op, &after, t->err);

	if (status == COLLAB_OK && after.bytes == base->bytes && memcmp(after.data, base->data, base->bytes) == 0)
	{
		op->kind = DELTA_RETAIN;
		op->data = NULL;
		op->bytes = 0;
	}
	return status;
}

static CollabStatus
tighten_retain(Tightener *t, const DeltaOp *op)
{
	int64_t left = op->units;

	while (left > 0)
	{
		int64_t		 units = left < t->base.cur.units ? left : t->base.cur.units;
		DeltaOp		 tight = *op;
		DeltaOp		 piece;
		CollabStatus status = take_base(t, units, &piece);

		tight.units = units;
		if (status == COLLAB_OK && op->kind == DELTA_RETAIN_EMBED)
			status = tighten_embed(t, &piece, &tight);
		if (status == COLLAB_OK)
			status = tighten_attrs(t, piece.attrs, &tight.attrs);
		if (status != COLLAB_OK)
			return status;
		delta_builder_push(&t->builder, &tight);
		left -= units;
	}
	return COLLAB_OK;
}

/* ---- text ---- */

/* What stands in the base where the change deletes. */
static CollabStatus
collect_deleted(Tightener *t, int64_t units, Delta *out)
{
	DeltaBuilder deleted;
	CollabStatus status = delta_builder_init(&deleted, t->builder.arena, 8, t->err);

	while (status == COLLAB_OK && units > 0)
	{
		int64_t step = units < t->base.cur.units ? units : t->base.cur.units;
		DeltaOp piece;

		status = take_base(t, step, &piece);
		if (status == COLLAB_OK && !delta_builder_grow(&deleted))
			status = delta_nomem(t->err);
		if (status == COLLAB_OK)
			delta_builder_push(&deleted, &piece);
		units -= step;
	}
	return status == COLLAB_OK ? delta_builder_finish(&deleted, out, t->err) : status;
}

/* `inserted`: ops that put something in, where `units` of the base are deleted. */
static CollabStatus
tighten_replacement(Tightener *t, const Delta *inserted, int64_t units)
{
	Delta		 deleted;
	Delta		 diff;
	DeltaIter	 iter;
	CollabStatus status = collect_deleted(t, units, &deleted);

	if (status == COLLAB_OK)
		status = delta_diff(t->builder.arena, &deleted, inserted, &diff, t->err);
	if (status != COLLAB_OK)
		return status;
	delta_iter_init(&iter, &diff);
	for (; !delta_iter_done(&iter); delta_iter_advance(&iter))
	{
		if (!delta_builder_grow(&t->builder))
			return delta_nomem(t->err);
		delta_builder_push(&t->builder, &iter.cur);
	}
	if (!delta_builder_grow(&t->builder))
		return delta_nomem(t->err);
	if (units > delta_base_length(&diff))
		delta_builder_retain(&t->builder, units - delta_base_length(&diff), (DeltaAttrs){NULL, 0});
	return COLLAB_OK;
}

/* Inserts from op `i` on, and the delete behind them if there is one. *next: the first op behind all that. */
static CollabStatus
tighten_inserts(Tightener *t, const Delta *change, uint32_t i, uint32_t *next)
{
	Delta	 inserted = {change->ops + i, 0};
	uint32_t end = i;

	while (end < change->count && delta_op_is_insert(&change->ops[end]))
		end++;
	inserted.count = end - i;
	*next = end;
	if (end < change->count && change->ops[end].kind == DELTA_DELETE)
	{
		*next = end + 1;
		return tighten_replacement(t, &inserted, change->ops[end].units);
	}
	for (; i < end; i++)
	{
		if (!delta_builder_grow(&t->builder))
			return delta_nomem(t->err);
		delta_builder_push(&t->builder, &change->ops[i]);
	}
	return COLLAB_OK;
}

static CollabStatus
tighten_delete(Tightener *t, int64_t units)
{
	if (!delta_builder_grow(&t->builder))
		return delta_nomem(t->err);
	delta_builder_delete(&t->builder, units);
	while (units > 0)
	{
		int64_t		 step = units < t->base.cur.units ? units : t->base.cur.units;
		DeltaOp		 piece;
		CollabStatus status = take_base(t, step, &piece);

		if (status != COLLAB_OK)
			return status;
		units -= step;
	}
	return COLLAB_OK;
}

CollabStatus
delta_tighten(Arena *arena, const Delta *change, const Delta *base, Delta *out, CollabError *err)
{
	Tightener	 t;
	CollabStatus status;
	uint32_t	 i = 0;

	if (!delta_is_document(base))
		return collab_fail(err, COLLAB_MISMATCH, -1, "a change can be tightened only over a document");
	if (delta_base_length(change) > delta_length(base))
		return collab_fail(err, COLLAB_RANGE, -1,
						   "the change reaches past the end of the document (length %lld)",
						   (long long) delta_length(base));
	t.err = err;
	status = delta_builder_init(&t.builder, arena, (uint64_t) change->count + 8, err);
	delta_iter_init(&t.base, base);
	while (status == COLLAB_OK && i < change->count)
	{
		const DeltaOp *op = &change->ops[i];

		if (delta_op_is_insert(op))
			status = tighten_inserts(&t, change, i, &i);
		else if (op->kind == DELTA_DELETE)
		{
			status = tighten_delete(&t, op->units);
			i++;
		}
		else
		{
			status = tighten_retain(&t, op);
			i++;
		}
	}
	return status == COLLAB_OK ? delta_builder_finish(&t.builder, out, err) : status;
}

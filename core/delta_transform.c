/* delta_transform.c - transform: a change (or position) rewritten to follow a concurrent change. */
#include "delta_internal.h"

/* Both retain the same units: what b's retain becomes. */
static CollabStatus
transform_retain(Arena *arena, const DeltaOp *x, const DeltaOp *y, bool a_first, DeltaOp *out,
				 CollabError *err)
{
	*out = *y;
	if (x->kind == DELTA_RETAIN_EMBED && y->kind == DELTA_RETAIN_EMBED)
	{
		CollabStatus status = delta_embed_transform(arena, x, y, a_first, out, err);

		if (status != COLLAB_OK)
			return status;
	}
	return attrs_transform(arena, x->attrs, y->attrs, a_first, &out->attrs, err);
}

/*
 *	a inserts (and a_first, or b does not)	-> step over it
 *	b inserts								-> b's insert
 *	a deletes								-> nothing: b's retain or delete of it has lost its target
 *	b deletes								-> b's delete
 *	both retain								-> b's retain, without what a_first takes from its attributes
 *
 * Every turn uses up an op of a or of b and appends at most one. What a has behind the end of b could
 * only become a trailing plain retain.
 */
static CollabStatus
transform_ops(DeltaBuilder *builder, DeltaIter *a, DeltaIter *b, bool a_first, CollabError *err)
{
	static const DeltaAttrs none = {NULL, 0};

	while (!delta_iter_done(b))
	{
		DeltaOp x;
		DeltaOp y;
		DeltaOp op;
		int64_t units;

		if (delta_iter_done(a))
		{
			delta_builder_push_rest(builder, b);
			break;
		}
		if (delta_op_is_insert(&a->cur) && (a_first || !delta_op_is_insert(&b->cur)))
		{
			delta_builder_retain(builder, a->cur.units, none);
			delta_iter_advance(a);
			continue;
		}
		if (delta_op_is_insert(&b->cur))
		{
			delta_builder_push(builder, &b->cur);
			delta_iter_advance(b);
			continue;
		}
		units = a->cur.units < b->cur.units ? a->cur.units : b->cur.units;
		(void) delta_iter_take(a, units, &x); /* no text: nothing to cut */
		(void) delta_iter_take(b, units, &y);
		if (x.kind == DELTA_DELETE)
			continue;
		if (y.kind == DELTA_DELETE || (x.attrs.bytes == 0 && x.kind == DELTA_RETAIN))
			delta_builder_push(builder, &y);
		else
		{
			CollabStatus status = transform_retain(builder->arena, &x, &y, a_first, &op, err);

			if (status != COLLAB_OK)
				return status;
			delta_builder_push(builder, &op);
		}
	}
	return COLLAB_OK;
}

CollabStatus
delta_transform(Arena *arena, const Delta *a, const Delta *b, bool a_first, Delta *out, CollabError *err)
{
	DeltaBuilder builder;
	DeltaIter	 iter_a;
	DeltaIter	 iter_b;
	CollabStatus status;

	status = delta_builder_init(&builder, arena, (uint64_t) a->count + b->count, err);
	if (status != COLLAB_OK)
		return status;
	delta_iter_init(&iter_a, a);
	delta_iter_init(&iter_b, b);
	status = transform_ops(&builder, &iter_a, &iter_b, a_first, err);
	if (status != COLLAB_OK)
		return status;
	return delta_builder_finish(&builder, out, err);
}

int64_t
delta_transform_position(const Delta *delta, int64_t index, bool priority)
{
	int64_t	 offset = 0;
	uint32_t i;

	for (i = 0; i < delta->count && offset <= index; i++)
	{
		const DeltaOp *op = &delta->ops[i];

		if (op->kind == DELTA_DELETE)
		{
			index -= op->units < index - offset ? op->units : index - offset;
			continue;
		}
		if (delta_op_is_insert(op) && (offset < index || !priority))
			index += op->units;
		offset += op->units;
	}
	return index;
}

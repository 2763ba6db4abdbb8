/* delta_invert.c - invert: the change that undoes a change of a document. */
#include "delta_internal.h"

/* What undoes one retain with attributes, or embed change, over a piece of the base. */
static CollabStatus
invert_retain(DeltaBuilder *builder, const DeltaOp *op, const DeltaOp *base, CollabError *err)
{
	DeltaOp		 undo = {.kind = DELTA_RETAIN, .units = base->units};
	CollabStatus status = COLLAB_OK;

	if (op->kind == DELTA_RETAIN_EMBED)
	{
		undo.kind = DELTA_RETAIN_EMBED;
		status = delta_embed_invert(builder->arena, op, base, &undo, err);
	}
	if (status == COLLAB_OK)
		status = attrs_invert(builder->arena, op->attrs, base->attrs, &undo.attrs, err);
	if (status == COLLAB_OK)
		delta_builder_push(builder, &undo);
	return status;
}

/* A delete or a retain with attributes meets `units` of the base, piece by piece. */
static CollabStatus
invert_over_base(DeltaBuilder *builder, const DeltaOp *op, DeltaIter *base, CollabError *err)
{
	int64_t left = op->units;

	while (left > 0)
	{
		int64_t		 units = left < base->cur.units ? left : base->cur.units;
		DeltaOp		 piece;
		CollabStatus status = COLLAB_OK;

		if (!delta_iter_take(base, units, &piece))
			return collab_fail(err, COLLAB_SURROGATE, -1, "the change cuts a surrogate pair");
		if (!delta_builder_grow(builder))
			return delta_nomem(err);
		if (op->kind == DELTA_DELETE)
			delta_builder_push(builder, &piece);
		else
			status = invert_retain(builder, op, &piece, err);
		if (status != COLLAB_OK)
			return status;
		left -= units;
	}
	return COLLAB_OK;
}

/* A plain retain: the base stays as it is there. */
static bool
skip_base(DeltaIter *base, int64_t units)
{
	while (units > 0)
	{
		int64_t step = units < base->cur.units ? units : base->cur.units;

		if (!delta_iter_skip(base, step))
			return false;
		units -= step;
	}
	return true;
}

CollabStatus
delta_invert(Arena *arena, const Delta *change, const Delta *base, Delta *out, CollabError *err)
{
	DeltaBuilder builder;
	DeltaIter	 iter;
	CollabStatus status;
	uint32_t	 i;

	if (!delta_is_document(base))
		return collab_fail(err, COLLAB_MISMATCH, -1, "a change can be inverted only over a document");
	if (delta_base_length(change) > delta_length(base))
		return collab_fail(err, COLLAB_RANGE, -1,
						   "the change reaches past the end of the document (length %lld)",
						   (long long) delta_length(base));
	status = delta_builder_init(&builder, arena, (uint64_t) change->count + 8, err);
	if (status != COLLAB_OK)
		return status;
	delta_iter_init(&iter, base);
	for (i = 0; i < change->count; i++)
	{
		const DeltaOp *op = &change->ops[i];

		if (!delta_builder_grow(&builder))
			return delta_nomem(err);
		if (delta_op_is_insert(op))
			delta_builder_delete(&builder, op->units);
		else if (delta_op_is_plain_retain(op))
		{
			delta_builder_retain(&builder, op->units, op->attrs);
			if (!skip_base(&iter, op->units))
				return collab_fail(err, COLLAB_SURROGATE, -1, "the change cuts a surrogate pair");
		}
		else
		{
			status = invert_over_base(&builder, op, &iter, err);
			if (status != COLLAB_OK)
				return status;
		}
	}
	return delta_builder_finish(&builder, out, err);
}

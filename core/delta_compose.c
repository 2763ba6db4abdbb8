/* delta_compose.c - compose: one change (or document), then another, as one. */
#include "delta_internal.h"

/* b found the end of a. That is an error if a is a document: there is nothing behind its end. */
static CollabStatus
check_end(const Delta *a, bool a_is_change, CollabError *err)
{
	if (a_is_change || a->count == 0 || !delta_is_document(a))
		return COLLAB_OK;
	return collab_fail(err, COLLAB_RANGE, -1, "the change reaches past the end of the document (length %lld)",
					   (long long) delta_length(a));
}

static CollabStatus
cut_pair(CollabError *err)
{
	return collab_fail(err, COLLAB_SURROGATE, -1, "the change cuts a surrogate pair");
}

/* What x becomes under the retain y, both of the same length. */
static CollabStatus
compose_retain(Arena *arena, const DeltaOp *x, const DeltaOp *y, DeltaOp *out, CollabError *err)
{
	CollabStatus status;

	*out = *x;
	if (y->kind == DELTA_RETAIN_EMBED)
	{
		if (x->kind == DELTA_RETAIN)
			*out = *y;
		else
		{
			status = delta_embed_compose(arena, x, y, out, err);
			if (status != COLLAB_OK)
				return status;
		}
	}
	return attrs_compose(arena, x->attrs, y->attrs, x->kind == DELTA_RETAIN, &out->attrs, err);
}

/*
 *	b inserts				-> b's insert
 *	a deletes				-> a's delete
 *	b retains				-> a's op, with b's attributes over it
 *	b deletes				-> a retained: the delete; a inserted: nothing
 *
 * Every turn of the loop uses up an op of a or of b and appends at most one, so |a| + |b| ops are room
 * enough.
 */
static CollabStatus
compose_ops(const Delta *delta_a, bool a_is_change, DeltaBuilder *builder, DeltaIter *a, DeltaIter *b,
			CollabError *err)
{
	while (!delta_iter_done(b))
	{
		DeltaOp x;
		DeltaOp y;
		DeltaOp op;
		int64_t units;

		if (delta_op_is_insert(&b->cur))
		{
			delta_builder_push(builder, &b->cur);
			delta_iter_advance(b);
			continue;
		}
		if (delta_iter_done(a))
		{
			/*
			 * b is canonical: a retain or delete here is no trailing plain retain, it is meant for
			 * something
			 */
			CollabStatus status = check_end(delta_a, a_is_change, err);

			if (status == COLLAB_OK)
				delta_builder_push_rest(builder, b);
			return status;
		}
		if (a->cur.kind == DELTA_DELETE)
		{
			delta_builder_push(builder, &a->cur);
			delta_iter_advance(a);
			continue;
		}
		units = a->cur.units < b->cur.units ? a->cur.units : b->cur.units;
		if (!delta_iter_take(a, units, &x))
			return cut_pair(err);
		(void) delta_iter_take(b, units, &y); /* no text: nothing to cut */
		if (y.kind == DELTA_DELETE)
		{
			if (!delta_op_is_insert(&x))
				delta_builder_push(builder, &y);
			continue;
		}
		if (y.kind == DELTA_RETAIN && y.attrs.bytes == 0)
			delta_builder_push(builder, &x);
		else
		{
			CollabStatus status = compose_retain(builder->arena, &x, &y, &op, err);

			if (status != COLLAB_OK)
				return status;
			delta_builder_push(builder, &op);
		}
	}
	delta_builder_push_rest(builder, a);
	return COLLAB_OK;
}

static CollabStatus
compose(Arena *arena, const Delta *a, bool a_is_change, const Delta *b, Delta *out, CollabError *err)
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
	status = compose_ops(a, a_is_change, &builder, &iter_a, &iter_b, err);
	if (status != COLLAB_OK)
		return status;
	return delta_builder_finish(&builder, out, err);
}

CollabStatus
delta_compose(Arena *arena, const Delta *a, const Delta *b, Delta *out, CollabError *err)
{
	return compose(arena, a, false, b, out, err);
}

CollabStatus
delta_compose_changes(Arena *arena, const Delta *a, const Delta *b, Delta *out, CollabError *err)
{
	return compose(arena, a, true, b, out, err);
}

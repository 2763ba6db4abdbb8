/* delta_builder.c - cutting ops, and collecting ops into canonical form. */
#include "delta_internal.h"

bool
delta_op_cut_text(DeltaOp *op, int64_t units, DeltaOp *head)
{
	size_t bytes = op->ascii ? (size_t) units : utf8_offset(op->data, op->bytes, units);

	if (bytes == UTF8_INSIDE_PAIR)
		return false;
	*head = *op;
	head->bytes = (uint32_t) bytes;
	head->units = units;
	head->ascii = head->bytes == units;
	op->data += bytes;
	op->bytes -= (uint32_t) bytes;
	op->units -= units;
	op->ascii = op->bytes == op->units;
	return true;
}

CollabStatus
delta_builder_init(DeltaBuilder *builder, Arena *arena, uint64_t capacity, CollabError *err)
{
	if (capacity > UINT32_MAX)
		return collab_fail(err, COLLAB_LIMIT, -1, "too many ops");
	builder->arena = arena;
	builder->ops = arena_array(arena, (size_t) capacity, sizeof(DeltaOp));
	builder->count = 0;
	builder->capacity = (uint32_t) capacity;
	builder->joined = 0;
	builder->units = 0;
	return builder->ops == NULL ? delta_nomem(err) : COLLAB_OK;
}

bool
delta_builder_grow(DeltaBuilder *builder)
{
	uint32_t capacity;
	DeltaOp *ops;

	if (builder->count < builder->capacity)
		return true;
	if (builder->capacity == UINT32_MAX)
		return false;
	capacity = builder->capacity < 8				? 8
			   : builder->capacity > UINT32_MAX / 2 ? UINT32_MAX
													: builder->capacity * 2;
	ops = arena_array(builder->arena, capacity, sizeof(DeltaOp));
	if (ops == NULL)
		return false;
	if (builder->count > 0)
		memcpy(ops, builder->ops, builder->count * sizeof(DeltaOp));
	builder->ops = ops;
	builder->capacity = capacity;
	return true;
}

void
delta_builder_push_rest(DeltaBuilder *builder, DeltaIter *iter)
{
	size_t left;
	size_t i;

	/*
	 * Neighbours of a canonical Delta do not merge with each other. So as soon as one op stands at the
	 * end of the result as it came, the others can follow as they are; a delete at the end still lets
	 * inserts pass in front of it.
	 */
	while (!delta_iter_done(iter))
	{
		DeltaOp op = iter->cur;

		delta_iter_advance(iter);
		delta_builder_push(builder, &op);
		if (builder->ops[builder->count - 1].kind == op.kind && op.kind != DELTA_DELETE)
			break;
	}
	if (delta_iter_done(iter))
		return;
	builder->ops[builder->count++] = iter->cur;
	builder->units += iter->cur.units;
	left = (size_t) (iter->end - iter->next);
	for (i = 0; i < left; i++)
		builder->units += iter->next[i].units;
	memcpy(builder->ops + builder->count, iter->next, left * sizeof(DeltaOp));
	builder->count += (uint32_t) left;
	iter->next = iter->end;
	iter->cur.units = 0;
}

/* Copies the pieces ops[first] ... ops[end - 1] of one text together into ops[first]. */
static CollabStatus
join_run(DeltaBuilder *builder, uint32_t first, uint32_t end, CollabError *err)
{
	DeltaOp *ops = builder->ops;
	DeltaOp	 whole = ops[first];
	uint64_t bytes = 0;
	char	*at;
	uint32_t i;

	for (i = first; i < end; i++)
		bytes += ops[i].bytes;
	if (bytes > UINT32_MAX)
		return collab_fail(err, COLLAB_LIMIT, first, "a text is too large");
	at = arena_alloc(builder->arena, (size_t) bytes);
	if (at == NULL)
		return delta_nomem(err);
	whole.data = at;
	whole.bytes = (uint32_t) bytes;
	whole.units = 0;
	for (i = first; i < end; i++)
	{
		memcpy(at, ops[i].data, ops[i].bytes);
		at += ops[i].bytes;
		whole.units += ops[i].units;
	}
	whole.ascii = whole.bytes == whole.units;
	ops[first] = whole;
	return COLLAB_OK;
}

static CollabStatus
join_pieces(DeltaBuilder *builder, CollabError *err)
{
	DeltaOp *ops = builder->ops;
	uint32_t kept = 0;
	uint32_t i = 0;

	while (i < builder->count)
	{
		uint32_t end = i + 1;

		while (end < builder->count && (ops[end].ascii & DELTA_JOINED) != 0)
			end++;
		if (end > i + 1)
		{
			CollabStatus status = join_run(builder, i, end, err);

			if (status != COLLAB_OK)
				return status;
		}
		ops[kept++] = ops[i];
		i = end;
	}
	builder->count = kept;
	builder->joined = 0;
	return COLLAB_OK;
}

CollabStatus
delta_builder_finish(DeltaBuilder *builder, Delta *out, CollabError *err)
{
	if (builder->count > 0 && delta_op_is_plain_retain(&builder->ops[builder->count - 1]))
		builder->units -= builder->ops[--builder->count].units;
	if (builder->units > DELTA_MAX_UNITS)
		return collab_fail(err, COLLAB_LIMIT, -1, "the lengths add up to more than 2^53 - 1");
	if (builder->joined > 0)
	{
		CollabStatus status = join_pieces(builder, err);

		if (status != COLLAB_OK)
			return status;
	}
	out->ops = builder->ops;
	out->count = builder->count;
	return COLLAB_OK;
}

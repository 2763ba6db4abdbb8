/* delta_internal.h - what the algebra's files share: cutting ops, collecting ops, nested Deltas. */
#ifndef COLLAB_DELTA_INTERNAL_H
#define COLLAB_DELTA_INTERNAL_H

#include "attrs.h"
#include "delta.h"
#include "utf8.h"

/* Beyond 2^53 - 1 JavaScript cannot count. The sum of all op lengths of a Delta stays within it. */
#define DELTA_MAX_UNITS ((int64_t) 9007199254740991)
/* Embed changes inside embed changes; what bounds every recursion over them. */
#define DELTA_MAX_NESTING 32

static inline bool
delta_op_is_insert(const DeltaOp *op)
{
	return op->kind == DELTA_INSERT || op->kind == DELTA_INSERT_EMBED;
}

static inline bool
delta_op_is_plain_retain(const DeltaOp *op)
{
	return op->kind == DELTA_RETAIN && op->attrs.bytes == 0;
}

static inline CollabStatus
delta_nomem(CollabError *err)
{
	return collab_fail(err, COLLAB_NOMEM, -1, "out of memory");
}

/* ---- reading ops piece by piece ---- */

typedef struct DeltaIter
{
	DeltaOp		   cur; /* what is left of the current op; units == 0: past the end */
	const DeltaOp *next;
	const DeltaOp *end;
} DeltaIter;

static inline void
delta_iter_advance(DeltaIter *iter)
{
	if (iter->next == iter->end)
		iter->cur.units = 0;
	else
		iter->cur = *iter->next++;
}

static inline void
delta_iter_init(DeltaIter *iter, const Delta *delta)
{
	iter->next = delta->ops;
	iter->end = delta->count == 0 ? delta->ops : delta->ops + delta->count;
	delta_iter_advance(iter);
}

static inline bool
delta_iter_done(const DeltaIter *iter)
{
	return iter->cur.units == 0;
}

/*
 * Splits text op `op` at a unit offset inside it: `head` gets the front, `op` keeps the rest. False:
 * that cuts a pair.
 */
bool delta_op_cut_text(DeltaOp *op, int64_t units, DeltaOp *head);

/* Takes the next `units` (1 ... cur.units) of the current op. False: that cuts a surrogate pair. */
static inline bool
delta_iter_take(DeltaIter *iter, int64_t units, DeltaOp *out)
{
	if (units == iter->cur.units)
	{
		*out = iter->cur;
		delta_iter_advance(iter);
		return true;
	}
	if (iter->cur.kind == DELTA_INSERT)
		return delta_op_cut_text(&iter->cur, units, out);
	*out = iter->cur;
	out->units = units;
	iter->cur.units -= units;
	return true;
}

/* The same without looking at what is taken. */
static inline bool
delta_iter_skip(DeltaIter *iter, int64_t units)
{
	DeltaOp ignored;

	return delta_iter_take(iter, units, &ignored);
}

/* ---- writing the binary form piece by piece ---- */

/* Once at the start; then for every op what comes before its text or embed, of which op->bytes bytes follow. */
void delta_encode_begin(Buf *out);
void delta_encode_head(const DeltaOp *op, Buf *out);

#define DELTA_VERSION 1 /* the first byte */
/* What stands before the attributes; at most DELTA_HEAD_BYTES. Returns the end. */
#define DELTA_HEAD_BYTES (1 + 2 * VARINT_MAX_BYTES)
uint8_t *delta_put_head(uint8_t *at, const DeltaOp *op);

/* ---- collecting ops ---- */

/*
 * Collects ops and brings them into canonical form on the way (quill-delta's push). Texts that merge
 * stay separate pieces until the end, when every run of pieces is copied once: merging n neighbours is
 * linear.
 */
typedef struct DeltaBuilder
{
	Arena	*arena;
	DeltaOp *ops;
	uint32_t count;
	uint32_t capacity;
	uint32_t joined; /* pieces that continue the op before them */
	int64_t	 units;	 /* sum of all op lengths */
} DeltaBuilder;

/* Marks such a piece in DeltaOp.ascii; never seen outside the builder. */
#define DELTA_JOINED 2

CollabStatus delta_builder_init(DeltaBuilder *builder, Arena *arena, uint64_t capacity,
								CollabError *err) COLLAB_MUST_CHECK;
bool		 delta_builder_grow(DeltaBuilder *builder) COLLAB_MUST_CHECK;
/* Copies texts that merged, drops a trailing plain retain, checks the total length. */
CollabStatus delta_builder_finish(DeltaBuilder *builder, Delta *out, CollabError *err) COLLAB_MUST_CHECK;
/* Appends all ops that are left; the builder must have room for them. */
void delta_builder_push_rest(DeltaBuilder *builder, DeltaIter *iter);

/* Merges `op` into the last op or appends it; there is room and the last op is no delete. */
static inline void
delta_builder_append(DeltaBuilder *builder, const DeltaOp *op)
{
	if (builder->count > 0)
	{
		DeltaOp *last = &builder->ops[builder->count - 1];

		if (last->kind == op->kind && attrs_equal(last->attrs, op->attrs))
		{
			if (op->kind == DELTA_RETAIN)
			{
				last->units += op->units;
				return;
			}
			if (op->kind == DELTA_INSERT)
			{
				if (last->data + last->bytes == op->data && op->bytes <= UINT32_MAX - last->bytes)
				{
					last->bytes += op->bytes;
					last->units += op->units;
					last->ascii &= op->ascii | DELTA_JOINED;
					return;
				}
				builder->ops[builder->count] = *op;
				builder->ops[builder->count++].ascii |= DELTA_JOINED;
				builder->joined++;
				return;
			}
		}
	}
	builder->ops[builder->count++] = *op;
}

/* Room for one more op must be there: capacity given at init, or delta_builder_grow. */
static inline void
delta_builder_push(DeltaBuilder *builder, const DeltaOp *op)
{
	builder->units += op->units;
	if (builder->count > 0 && builder->ops[builder->count - 1].kind == DELTA_DELETE)
	{
		DeltaOp *last = &builder->ops[builder->count - 1];

		if (op->kind == DELTA_DELETE)
		{
			last->units += op->units;
			return;
		}
		if (delta_op_is_insert(op))
		{
			/*
			 * "delete, then insert here" and "insert, then delete" are one change: the insert goes in
			 * front
			 */
			DeltaOp deletion = *last;

			builder->count--;
			delta_builder_append(builder, op);
			builder->ops[builder->count++] = deletion;
			return;
		}
	}
	else if (op->kind != DELTA_DELETE)
	{
		delta_builder_append(builder, op);
		return;
	}
	builder->ops[builder->count++] = *op;
}

static inline void
delta_builder_retain(DeltaBuilder *builder, int64_t units, DeltaAttrs attrs)
{
	DeltaOp op = {.kind = DELTA_RETAIN, .units = units, .attrs = attrs};

	delta_builder_push(builder, &op);
}

static inline void
delta_builder_delete(DeltaBuilder *builder, int64_t units)
{
	DeltaOp op = {.kind = DELTA_DELETE, .units = units};

	delta_builder_push(builder, &op);
}

/* ---- embed changes: {"delta":[ops]} applied to an insert embed {"delta":[ops]} ---- */

/*
 * Each sets out->data and out->bytes (canonical JSON in the arena) and leaves the other fields alone.
 * `a` of compose is an insert embed or an embed change, `base` of invert an insert embed; all others are
 * embed changes. An insert embed that is not exactly {"delta":[valid ops]} is COLLAB_MISMATCH. They
 * recurse at most DELTA_MAX_NESTING deep.
 */
CollabStatus delta_embed_compose(Arena *arena, const DeltaOp *a, const DeltaOp *b, DeltaOp *out,
								 CollabError *err) COLLAB_MUST_CHECK;
CollabStatus delta_embed_transform(Arena *arena, const DeltaOp *a, const DeltaOp *b, bool a_first,
								   DeltaOp *out, CollabError *err) COLLAB_MUST_CHECK;
CollabStatus delta_embed_invert(Arena *arena, const DeltaOp *change, const DeltaOp *base, DeltaOp *out,
								CollabError *err) COLLAB_MUST_CHECK;
/*
 * Whether `base` (an insert embed) can take `change`: what delta_embed_compose would say, without the
 * result.
 */
CollabStatus delta_embed_check(Arena *scratch, const DeltaOp *base, const DeltaOp *change,
							   CollabError *err) COLLAB_MUST_CHECK;

#endif

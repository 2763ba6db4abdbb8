/* delta_codec.c - the binary form of Deltas: what is stored in rows and sent in binary. */
#include "delta_text.h"

/*
 *	delta	:= version (1 byte, now 1), op*				nothing at all behind it: the empty Delta
 *	op		:= head (1 byte), [size], [attributes], payload
 *
 *	head	   7   6   5   4 | 3 | 2   1   0
 *				short size   |att|   kind		kind: DeltaKind; att: attributes follow
 *
 *	size		units of a delete or retain; bytes of a text (UTF-8), embed or embed change (JSON).
 *				1 ... 15 stands in the head, and no varint follows; otherwise the head has 0 and a
 *				varint (> 15) follows.
 *	attributes	varint bytes (> 0), entries as in attrs.h
 *	payload		nothing; the text; the canonical JSON
 *
 *	retain 1234, insert "x"		01	01 d2 09  12 78
 *								 |	 |  +- varint 1234
 *								 |	 +- kind 1, size does not fit
 *								 +- version		12: kind 2, size 1; 78: x
 *
 * Unit counts of text are not stored: checking the UTF-8 counts them. Every Delta has exactly one binary
 * form, so equal values are equal bytes; decode refuses everything else (sizes not in the shortest form,
 * ops that should have been merged ...).
 */
#define HAS_ATTRIBUTES 0x08
#define KIND_MASK 0x07
#define MAX_SHORT 15

static bool
kind_has_payload(uint8_t kind)
{
	return kind != DELTA_DELETE && kind != DELTA_RETAIN;
}

uint8_t *
delta_put_head(uint8_t *at, const DeltaOp *op)
{
	uint64_t size = kind_has_payload(op->kind) ? op->bytes : (uint64_t) op->units;
	uint8_t	 head = op->kind;

	if (op->attrs.bytes > 0)
		head |= HAS_ATTRIBUTES;
	if (size <= MAX_SHORT)
		*at++ = (uint8_t) (head | size << 4);
	else
	{
		*at++ = head;
		at = varint_put(at, size);
	}
	return op->attrs.bytes > 0 ? varint_put(at, op->attrs.bytes) : at;
}

void
delta_encode_begin(Buf *out)
{
	buf_char(out, DELTA_VERSION);
}

void
delta_encode_head(const DeltaOp *op, Buf *out)
{
	uint8_t head[DELTA_HEAD_BYTES];

	buf_bytes(out, head, (size_t) (delta_put_head(head, op) - head));
	buf_bytes(out, op->attrs.data, op->attrs.bytes);
}

void
delta_encode(const Delta *delta, Buf *out)
{
	uint32_t i;

	buf_char(out, DELTA_VERSION);
	for (i = 0; i < delta->count; i++)
	{
		const DeltaOp *op = &delta->ops[i];
		uint8_t		   head[DELTA_HEAD_BYTES];
		size_t		   head_bytes = (size_t) (delta_put_head(head, op) - head);
		size_t		   payload = kind_has_payload(op->kind) ? op->bytes : 0;
		char		  *at = buf_grow(out, head_bytes + op->attrs.bytes + payload);

		if (at == NULL)
			return;
		memcpy(at, head, head_bytes);
		at += head_bytes;
		if (op->attrs.bytes > 0)
			memcpy(at, op->attrs.data, op->attrs.bytes);
		if (payload > 0)
			memcpy(at + op->attrs.bytes, op->data, payload);
		out->size += head_bytes + op->attrs.bytes + payload;
	}
}

/* ---- decoding ---- */

/* Takes the op at *at apart and moves behind it; looks at sizes only. NULL, or what is wrong. */
static const char *
split_op(const uint8_t **at, const uint8_t *end, DeltaOp *op)
{
	const uint8_t *p = *at;
	uint8_t		   head = *p++;
	uint64_t	   size = head >> 4;
	uint64_t	   attr_bytes = 0;

	op->kind = head & KIND_MASK;
	if (op->kind > DELTA_RETAIN_EMBED)
		return "unknown kind of op";
	if (size == 0 && (!varint_get(&p, end, &size) || size <= MAX_SHORT))
		return "invalid size";
	op->attrs.data = NULL;
	op->attrs.bytes = 0;
	if ((head & HAS_ATTRIBUTES) != 0)
	{
		if (op->kind == DELTA_DELETE)
			return "a delete with attributes";
		if (!varint_get(&p, end, &attr_bytes) || attr_bytes == 0 || attr_bytes > (uint64_t) (end - p) ||
			attr_bytes > UINT32_MAX)
			return "invalid size of attributes";
		op->attrs.data = p;
		op->attrs.bytes = (uint32_t) attr_bytes;
		p += attr_bytes;
	}
	op->ascii = 0;
	op->data = NULL;
	op->bytes = 0;
	op->units = 1;
	if (kind_has_payload(op->kind))
	{
		if (size > (uint64_t) (end - p) || size > UINT32_MAX)
			return "invalid size";
		op->data = (const char *) p;
		op->bytes = (uint32_t) size;
		p += size;
	}
	else
	{
		if (size > (uint64_t) DELTA_MAX_UNITS)
			return "a length beyond 2^53 - 1";
		op->units = (int64_t) size;
	}
	*at = p;
	return NULL;
}

/* Checks what split_op did not look at, and counts units. */
static const char *
check_op(Arena *arena, DeltaOp *op, const DeltaOp *before)
{
	if (op->attrs.bytes > 0 && !attrs_check(op->attrs, before == NULL ? NULL : &before->attrs))
		return "invalid attributes";
	switch (op->kind)
	{
		case DELTA_INSERT:
			if (!utf8_check(op->data, op->bytes, &op->units))
				return "invalid UTF-8";
			op->ascii = op->bytes == op->units;
			break;
		case DELTA_INSERT_EMBED:
			if (!delta_embed_value_check(op->data, op->bytes))
				return "an embed that is not canonical JSON";
			break;
		case DELTA_RETAIN_EMBED:
			if (delta_embed_change_check(arena, op->data, op->bytes) != COLLAB_OK)
				return "an embed change that is not canonical";
			break;
	}
	return before == NULL ? NULL : delta_neighbour_fault(before, op);
}

static CollabStatus
corrupt(CollabError *err, int64_t where, const char *what)
{
	return collab_fail(err, COLLAB_CORRUPT, where, "invalid binary Delta: %s at byte %lld", what,
					   (long long) where);
}

/* Counts the ops: then they are allocated exactly, whatever the bytes claim. */
static CollabStatus
count_ops(const uint8_t *data, size_t bytes, uint32_t *count, CollabError *err)
{
	const uint8_t *at = data + 1;
	const uint8_t *end = data + bytes;

	*count = 0;
	while (at < end)
	{
		const uint8_t *start = at;
		DeltaOp		   op;
		const char	  *fault = split_op(&at, end, &op);

		if (fault != NULL)
			return corrupt(err, start - data, fault);
		if (++*count == UINT32_MAX)
			return corrupt(err, start - data, "too many ops");
	}
	return COLLAB_OK;
}

CollabStatus
delta_decode(Arena *arena, const uint8_t *data, size_t bytes, Delta *out, CollabError *err)
{
	const uint8_t *at;
	int64_t		   units = 0;
	uint32_t	   count;
	uint32_t	   i;
	DeltaOp		  *ops;
	CollabStatus   status;

	if (bytes == 0 || data[0] != DELTA_VERSION)
		return corrupt(err, 0, "unknown version");
	status = count_ops(data, bytes, &count, err);
	if (status != COLLAB_OK)
		return status;
	ops = arena_array(arena, count, sizeof(DeltaOp));
	if (ops == NULL)
		return delta_nomem(err);
	at = data + 1;
	for (i = 0; i < count; i++)
	{
		const uint8_t *start = at;
		const char	  *fault;

		(void) split_op(&at, data + bytes, &ops[i]);
		fault = check_op(arena, &ops[i], i > 0 ? &ops[i - 1] : NULL);
		if (fault != NULL)
			return corrupt(err, start - data, fault);
		units += ops[i].units;
		if (units > DELTA_MAX_UNITS)
			return corrupt(err, start - data, "lengths beyond 2^53 - 1");
	}
	if (count > 0 && delta_op_is_plain_retain(&ops[count - 1]))
		return corrupt(err, (int64_t) bytes, "a retain at the end");
	out->ops = ops;
	out->count = count;
	return COLLAB_OK;
}

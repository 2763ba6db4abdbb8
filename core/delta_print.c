/* delta_print.c - Deltas as canonical JSON. */
#include "delta_text.h"

static void
print_action(const DeltaOp *op, Buf *out)
{
	switch (op->kind)
	{
		case DELTA_DELETE:
			buf_bytes(out, "\"delete\":", 9);
			buf_i64(out, op->units);
			break;
		case DELTA_RETAIN:
			buf_bytes(out, "\"retain\":", 9);
			buf_i64(out, op->units);
			break;
		case DELTA_RETAIN_EMBED:
			buf_bytes(out, "\"retain\":", 9);
			buf_bytes(out, op->data, op->bytes);
			break;
		case DELTA_INSERT:
			buf_bytes(out, "\"insert\":", 9);
			buf_json_string(out, op->data, op->bytes);
			break;
		case DELTA_INSERT_EMBED:
			buf_bytes(out, "\"insert\":", 9);
			buf_bytes(out, op->data, op->bytes);
			break;
	}
}

/*
 * At the top the action goes first, which is how people read and write ops. Inside of embeds the keys
 * ascend: there the ops are part of a JSON value, whose canonical form knows nothing of Deltas.
 */
static void
print_op(const DeltaOp *op, bool keys_ascend, Buf *out)
{
	buf_char(out, '{');
	if (op->attrs.bytes > 0 && keys_ascend)
	{
		buf_bytes(out, "\"attributes\":", 13);
		attrs_print(op->attrs, out);
		buf_char(out, ',');
	}
	print_action(op, out);
	if (op->attrs.bytes > 0 && !keys_ascend)
	{
		buf_bytes(out, ",\"attributes\":", 14);
		attrs_print(op->attrs, out);
	}
	buf_char(out, '}');
}

static void
print_ops(const Delta *delta, bool keys_ascend, Buf *out)
{
	uint32_t i;

	buf_char(out, '[');
	for (i = 0; i < delta->count; i++)
	{
		if (i > 0)
			buf_char(out, ',');
		print_op(&delta->ops[i], keys_ascend, out);
	}
	buf_char(out, ']');
}

void
delta_print(const Delta *delta, Buf *out)
{
	buf_bytes(out, "{\"ops\":", 7);
	print_ops(delta, false, out);
	buf_char(out, '}');
}

void
delta_print_nested(const Delta *delta, Buf *out)
{
	print_ops(delta, true, out);
}

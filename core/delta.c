/* delta.c - measures of Deltas, limits, and the check of the canonical form. */
#include "delta_internal.h"

#include "delta_text.h"

const DeltaLimits delta_limits_none = {0, 0, 0, 0, 0, 0};
const DeltaLimits delta_limits_default = {16, 10000, 64, 4096, 65536, INT64_C(4) * 1024 * 1024};

int64_t
delta_length(const Delta *delta)
{
	int64_t	 units = 0;
	uint32_t i;

	for (i = 0; i < delta->count; i++)
		units += delta->ops[i].units;
	return units;
}

int64_t
delta_base_length(const Delta *delta)
{
	int64_t	 units = 0;
	uint32_t i;

	for (i = 0; i < delta->count; i++)
		if (!delta_op_is_insert(&delta->ops[i]))
			units += delta->ops[i].units;
	return units;
}

int64_t
delta_length_change(const Delta *delta)
{
	int64_t	 units = 0;
	uint32_t i;

	for (i = 0; i < delta->count; i++)
	{
		const DeltaOp *op = &delta->ops[i];

		if (delta_op_is_insert(op))
			units += op->units;
		else if (op->kind == DELTA_DELETE)
			units -= op->units;
	}
	return units;
}

bool
delta_is_document(const Delta *delta)
{
	uint32_t i;

	for (i = 0; i < delta->count; i++)
		if (!delta_op_is_insert(&delta->ops[i]))
			return false;
	return true;
}

bool
delta_has_pairs(const Delta *delta)
{
	uint32_t i;

	for (i = 0; i < delta->count; i++)
	{
		const DeltaOp *op = &delta->ops[i];

		if (op->kind == DELTA_INSERT && !op->ascii && utf8_has_pair(op->data, op->bytes))
			return true;
	}
	return false;
}

bool
delta_equal(const Delta *a, const Delta *b)
{
	uint32_t i;

	if (a->count != b->count)
		return false;
	for (i = 0; i < a->count; i++)
	{
		const DeltaOp *x = &a->ops[i];
		const DeltaOp *y = &b->ops[i];

		if (x->kind != y->kind || x->units != y->units || !attrs_equal(x->attrs, y->attrs))
			return false;
		if (x->kind == DELTA_DELETE || x->kind == DELTA_RETAIN)
			continue;
		if (x->bytes != y->bytes || memcmp(x->data, y->data, x->bytes) != 0)
			return false;
	}
	return true;
}

void
delta_text(const Delta *delta, const char *embed, Buf *out)
{
	uint32_t i;

	for (i = 0; i < delta->count; i++)
	{
		const DeltaOp *op = &delta->ops[i];

		if (op->kind == DELTA_INSERT)
			buf_bytes(out, op->data, op->bytes);
		else if (op->kind == DELTA_INSERT_EMBED && embed != NULL)
			buf_str(out, embed);
	}
}

const char *
delta_neighbour_fault(const DeltaOp *before, const DeltaOp *op)
{
	if (before->kind == DELTA_DELETE && op->kind == DELTA_DELETE)
		return "neighbouring deletes";
	if (before->kind == DELTA_DELETE && delta_op_is_insert(op))
		return "an insert behind a delete";
	if (before->kind == op->kind && (op->kind == DELTA_INSERT || op->kind == DELTA_RETAIN) &&
		attrs_equal(before->attrs, op->attrs))
		return "neighbours that belong together";
	return NULL;
}

static bool
embed_change_valid(const DeltaOp *op)
{
	Arena		 scratch;
	CollabStatus status;

	arena_init(&scratch, collab_malloc_alloc);
	status = delta_embed_change_check(&scratch, op->data, op->bytes);
	arena_free(&scratch);
	return status == COLLAB_OK;
}

/* What belongs to one op alone. */
static bool
op_valid(const DeltaOp *op)
{
	int64_t units;

	if (op->units <= 0 || op->units > DELTA_MAX_UNITS)
		return false;
	if (op->attrs.bytes > 0 && (op->kind == DELTA_DELETE || !attrs_check(op->attrs, NULL)))
		return false;
	switch (op->kind)
	{
		case DELTA_DELETE:
		case DELTA_RETAIN:
			return true;
		case DELTA_INSERT:
			return utf8_check(op->data, op->bytes, &units) && units == op->units &&
				   op->ascii == (op->bytes == op->units);
		case DELTA_INSERT_EMBED:
			return op->units == 1 && delta_embed_value_check(op->data, op->bytes);
		case DELTA_RETAIN_EMBED:
			return op->units == 1 && embed_change_valid(op);
		default:
			return false;
	}
}

bool
delta_valid(const Delta *delta)
{
	int64_t	 units = 0;
	uint32_t i;

	for (i = 0; i < delta->count; i++)
	{
		const DeltaOp *op = &delta->ops[i];

		if (!op_valid(op) || (i > 0 && delta_neighbour_fault(op - 1, op) != NULL))
			return false;
		units += op->units;
		if (units > DELTA_MAX_UNITS)
			return false;
	}
	return delta->count == 0 || !delta_op_is_plain_retain(&delta->ops[delta->count - 1]);
}

/* Levels of containers in a valid JSON text. */
static int
json_depth(const char *json, size_t bytes)
{
	const char *end = json + bytes;
	bool		inside = false; /* a string */
	int			depth = 0;
	int			deepest = 0;

	for (; json < end; json++)
	{
		if (inside)
		{
			if (*json == '\\')
				json++;
			else if (*json == '"')
				inside = false;
		}
		else if (*json == '"')
			inside = true;
		else if (*json == '{' || *json == '[')
		{
			if (++depth > deepest)
				deepest = depth;
		}
		else if (*json == '}' || *json == ']')
			depth--;
	}
	return deepest;
}

static CollabStatus
check_op_limits(const DeltaOp *op, uint32_t index, const DeltaLimits *limits, CollabError *err)
{
	/* levels around the values in {"ops":[{"attributes":{...}}]} */
	const int	around_embed = 3;
	const int	around_attribute = 4;
	AttrsCursor cursor = attrs_begin(op->attrs);
	AttrsEntry	entry;
	int			depth = around_embed;
	bool		embed = op->kind == DELTA_INSERT_EMBED || op->kind == DELTA_RETAIN_EMBED;

	if (limits->max_attr_bytes != 0 && op->attrs.bytes > limits->max_attr_bytes)
		return collab_fail(err, COLLAB_LIMIT, index, "op %u: attributes of more than %u bytes", index,
						   limits->max_attr_bytes);
	if (limits->max_attributes != 0 && attrs_count(op->attrs) > limits->max_attributes)
		return collab_fail(err, COLLAB_LIMIT, index, "op %u: more than %u attributes", index,
						   limits->max_attributes);
	if (embed && limits->max_embed_bytes != 0 && op->bytes > limits->max_embed_bytes)
		return collab_fail(err, COLLAB_LIMIT, index, "op %u: an embed of more than %u bytes", index,
						   limits->max_embed_bytes);
	if (limits->max_depth == 0)
		return COLLAB_OK;
	if (embed)
		depth = around_embed + json_depth(op->data, op->bytes);
	while (attrs_next(&cursor, &entry))
	{
		int deeper = around_attribute + json_depth(entry.value, entry.value_bytes);

		if (deeper > depth)
			depth = deeper;
	}
	if (depth > limits->max_depth)
		return collab_fail(err, COLLAB_LIMIT, index, "op %u: nested deeper than %d levels", index,
						   limits->max_depth);
	return COLLAB_OK;
}

CollabStatus
delta_check_limits(const Delta *delta, const DeltaLimits *limits, CollabError *err)
{
	int64_t	 inserted = 0;
	uint32_t i;

	if (limits->max_ops != 0 && delta->count > limits->max_ops)
		return collab_fail(err, COLLAB_LIMIT, limits->max_ops, "more than %u ops", limits->max_ops);
	for (i = 0; i < delta->count; i++)
	{
		CollabStatus status = check_op_limits(&delta->ops[i], i, limits, err);

		if (status != COLLAB_OK)
			return status;
		if (delta_op_is_insert(&delta->ops[i]))
			inserted += delta->ops[i].units;
		if (limits->max_units != 0 && inserted > limits->max_units)
			return collab_fail(err, COLLAB_LIMIT, i, "op %u: more than %lld units are inserted", i,
							   (long long) limits->max_units);
	}
	return COLLAB_OK;
}

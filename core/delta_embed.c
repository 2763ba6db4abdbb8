/* delta_embed.c - embed changes: {"delta":[ops]} composed, transformed and inverted as Deltas. */
#include "delta_text.h"

/* {"ops":[{"insert": value}]}: levels around an embed. */
#define LEVELS_AROUND_EMBED 3

bool
delta_embed_value_check(const char *json, size_t bytes)
{
	if (bytes == 0 || json[0] == '"' || json[0] == 'n')
		return false;
	return json_is_canonical(json, bytes, JSON_MAX_DEPTH - LEVELS_AROUND_EMBED);
}

CollabStatus
delta_embed_change_check(Arena *scratch, const char *json, size_t bytes)
{
	DeltaParser	 parser;
	CollabStatus status;
	DeltaOp		 op;

	delta_parser_init(&parser, scratch, json, bytes, &delta_limits_none, NULL);
	parser.r.max_depth -= LEVELS_AROUND_EMBED;
	status = delta_parse_embed_change(&parser, &op);
	if (status == COLLAB_OK && (op.bytes != bytes || memcmp(op.data, json, bytes) != 0))
		status = COLLAB_CORRUPT;
	return status;
}

/*
 * The Delta inside an embed or embed change. Embed changes hold one for sure; insert embeds may hold
 * anything.
 */
static CollabStatus
open_embed(Arena *arena, const DeltaOp *op, Delta *out, CollabError *err)
{
	CollabError	 inner;
	DeltaParser	 parser;
	JsonString	 key;
	CollabStatus status;

	delta_parser_init(&parser, arena, op->data, op->bytes, &delta_limits_none, &inner);
	if (json_peek(&parser.r) != JSON_OBJECT || !json_object_begin(&parser.r) ||
		!json_object_next(&parser.r, &key) || !json_string_is(&key, "delta") ||
		json_peek(&parser.r) != JSON_ARRAY)
		return collab_fail(err, COLLAB_MISMATCH, -1,
						   "an embed change meets an embed that is not of type \"delta\"");
	status = delta_parse_ops(&parser, out);
	if (status == COLLAB_NOMEM)
		return delta_nomem(err);
	if (status != COLLAB_OK)
		return collab_fail(err, COLLAB_MISMATCH, -1,
						   "an embed change meets an embed without a valid Delta: %s", inner.message);
	if (json_object_next(&parser.r, &key))
		return collab_fail(err, COLLAB_MISMATCH, -1,
						   "an embed change meets an embed with more than \"delta\"");
	return COLLAB_OK;
}

static CollabStatus
open_both(Arena *arena, const DeltaOp *a, const DeltaOp *b, Delta *delta_a, Delta *delta_b, CollabError *err)
{
	CollabStatus status = open_embed(arena, a, delta_a, err);

	return status != COLLAB_OK ? status : open_embed(arena, b, delta_b, err);
}

/* Writes a result as {"delta":[ops]}. */
static CollabStatus
close_embed(Arena *arena, const Delta *delta, DeltaOp *out, CollabError *err)
{
	Buf buf;

	buf_init(&buf, arena_as_alloc(arena));
	buf_str(&buf, "{\"delta\":");
	delta_print_nested(delta, &buf);
	buf_char(&buf, '}');
	if (buf.failed)
		return delta_nomem(err);
	if (buf.size > UINT32_MAX)
		return collab_fail(err, COLLAB_LIMIT, -1, "an embed is too large");
	out->data = buf.data;
	out->bytes = (uint32_t) buf.size;
	return COLLAB_OK;
}

CollabStatus
delta_embed_compose(Arena *arena, const DeltaOp *a, const DeltaOp *b, DeltaOp *out, CollabError *err)
{
	Delta		 delta_a;
	Delta		 delta_b;
	Delta		 result;
	CollabStatus status = open_both(arena, a, b, &delta_a, &delta_b, err);

	if (status == COLLAB_OK && a->kind == DELTA_INSERT_EMBED && delta_a.count == 0 &&
		delta_base_length(&delta_b) > 0)
		status = collab_fail(err, COLLAB_RANGE, -1,
							 "an embed change reaches past the end of its embed (length 0)");
	if (status == COLLAB_OK && a->kind == DELTA_INSERT_EMBED)
		status = delta_compose(arena, &delta_a, &delta_b, &result, err);
	else if (status == COLLAB_OK)
		status = delta_compose_changes(arena, &delta_a, &delta_b, &result, err);
	return status != COLLAB_OK ? status : close_embed(arena, &result, out, err);
}

CollabStatus
delta_embed_transform(Arena *arena, const DeltaOp *a, const DeltaOp *b, bool a_first, DeltaOp *out,
					  CollabError *err)
{
	Delta		 delta_a;
	Delta		 delta_b;
	Delta		 result;
	CollabStatus status = open_both(arena, a, b, &delta_a, &delta_b, err);

	if (status == COLLAB_OK)
		status = delta_transform(arena, &delta_a, &delta_b, a_first, &result, err);
	return status != COLLAB_OK ? status : close_embed(arena, &result, out, err);
}

CollabStatus
delta_embed_invert(Arena *arena, const DeltaOp *change, const DeltaOp *base, DeltaOp *out, CollabError *err)
{
	Delta		 delta_change;
	Delta		 delta_base;
	Delta		 result;
	CollabStatus status = open_both(arena, change, base, &delta_change, &delta_base, err);

	if (status == COLLAB_OK)
		status = delta_invert(arena, &delta_change, &delta_base, &result, err);
	return status != COLLAB_OK ? status : close_embed(arena, &result, out, err);
}

CollabStatus
delta_embed_check(Arena *scratch, const DeltaOp *base, const DeltaOp *change, CollabError *err)
{
	DeltaOp ignored;

	return delta_embed_compose(scratch, base, change, &ignored, err);
}

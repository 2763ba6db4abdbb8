/* delta_parse.c - Deltas from JSON: hostile input in, canonical form out, errors with the op they are about. */
#include "delta_text.h"

#include <stdarg.h>
#include <stdio.h>

/* How much of an unknown key goes into a message. */
#define SHOWN_KEY_BYTES 40

/* ---- failures ---- */

CollabStatus
delta_parse_fail(DeltaParser *parser, CollabStatus status, const char *fmt, ...)
{
	char	where[64 + 16 * DELTA_MAX_NESTING];
	char	what[COLLAB_ERROR_MESSAGE_MAX];
	size_t	size;
	va_list args;
	int		i;

	size = (size_t) snprintf(where, sizeof(where), "op %u", parser->path[0]);
	for (i = 1; i <= parser->nesting; i++)
		size += (size_t) snprintf(where + size, sizeof(where) - size, " > %u", parser->path[i]);
	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	return collab_fail(parser->err, status, parser->path[0], "%s: %s", where, what);
}

CollabStatus
delta_parse_json_failed(DeltaParser *parser)
{
	if (parser->err != NULL)
		*parser->err = parser->r.error;
	return parser->r.error.status;
}

static CollabStatus
wrong(DeltaParser *parser, const char *what)
{
	return delta_parse_fail(parser, COLLAB_INVALID, "%s", what);
}

/* ---- values of ops ---- */

void
delta_parser_init(DeltaParser *parser, Arena *arena, const char *json, size_t bytes,
				  const DeltaLimits *limits, CollabError *err)
{
	parser->arena = arena;
	json_init(&parser->r, json, bytes, limits->max_depth);
	json_scratch_init(&parser->scratch, arena);
	buf_init(&parser->work, arena_as_alloc(arena));
	parser->limits = limits;
	parser->err = err;
	parser->inserted = 0;
	parser->nesting = 0;
	parser->path[0] = 0;
}

const char *
delta_parse_keep(DeltaParser *parser)
{
	char *kept = arena_alloc(parser->arena, parser->work.size);

	if (kept != NULL && parser->work.size > 0)
		memcpy(kept, parser->work.data, parser->work.size);
	return kept;
}

/* A count of `name`: an integer from 1 to 2^53 - 1. */
static CollabStatus
parse_count(DeltaParser *parser, const char *name, int64_t *out)
{
	JsonNumber number;

	if (json_peek(&parser->r) == JSON_NUMBER)
	{
		if (!json_digits(&parser->r, &number))
			return delta_parse_json_failed(parser);
		if (json_number_integer(&number, out) && *out > 0)
			return COLLAB_OK;
	}
	else if (json_failed(&parser->r))
		return delta_parse_json_failed(parser);
	return delta_parse_fail(parser, COLLAB_INVALID, "\"%s\" must be a positive integer up to 2^53 - 1", name);
}

/* Text stays where it is unless it has escapes. */
static CollabStatus
parse_text(DeltaParser *parser, DeltaOp *op)
{
	JsonString string;
	size_t	   bytes;

	if (!json_read_string(&parser->r, &string))
		return delta_parse_json_failed(parser);
	op->kind = DELTA_INSERT;
	op->data = string.data;
	bytes = string.bytes;
	if (string.escaped)
	{
		char *plain = arena_alloc(parser->arena, bytes);

		if (plain == NULL)
			return delta_nomem(parser->err);
		bytes = json_unescape_to(&string, plain);
		arena_trim(parser->arena, plain, string.bytes, bytes);
		op->data = plain;
	}
	if (bytes > UINT32_MAX)
		return delta_parse_fail(parser, COLLAB_LIMIT, "a text is too large");
	op->bytes = (uint32_t) bytes;
	op->units = string.ascii && !string.escaped ? (int64_t) bytes : utf8_units(op->data, bytes);
	op->ascii = op->bytes == op->units;
	return COLLAB_OK;
}

/* What was written into parser->work becomes the data of an embed or embed change. */
static CollabStatus
keep_embed(DeltaParser *parser, DeltaKind kind, DeltaOp *op)
{
	size_t	 bytes = parser->work.size;
	uint32_t limit = parser->limits->max_embed_bytes;

	if (parser->work.failed)
		return delta_nomem(parser->err);
	if (bytes > (limit != 0 ? limit : UINT32_MAX))
		return delta_parse_fail(parser, COLLAB_LIMIT, "an embed of more than %u bytes",
								limit != 0 ? limit : UINT32_MAX);
	op->kind = (uint8_t) kind;
	op->units = 1;
	op->bytes = (uint32_t) bytes;
	op->data = delta_parse_keep(parser);
	return op->data == NULL ? delta_nomem(parser->err) : COLLAB_OK;
}

CollabStatus
delta_parse_embed(DeltaParser *parser, DeltaOp *op)
{
	buf_clear(&parser->work);
	parser->scratch.count = 0;
	if (!json_canonical_with(&parser->r, &parser->scratch, &parser->work))
		return delta_parse_json_failed(parser);
	return keep_embed(parser, DELTA_INSERT_EMBED, op);
}

CollabStatus
delta_parse_embed_change(DeltaParser *parser, DeltaOp *op)
{
	static const char *const shape = "an object in \"retain\" must be {\"delta\": [ops]}";
	JsonReader				*r = &parser->r;
	JsonString				 key;
	Delta					 nested;
	CollabStatus			 status;

	if (!json_object_begin(r))
		return delta_parse_json_failed(parser);
	if (!json_object_next(r, &key))
		return json_failed(r) ? delta_parse_json_failed(parser) : wrong(parser, shape);
	if (!json_string_is(&key, "delta"))
		return delta_parse_fail(
			parser, COLLAB_MISMATCH, "no handler for embed changes of type \"%.*s\"",
			(int) utf8_floor(key.data, key.bytes < SHOWN_KEY_BYTES ? key.bytes : SHOWN_KEY_BYTES), key.data);
	if (json_peek(r) != JSON_ARRAY)
		return json_failed(r) ? delta_parse_json_failed(parser) : wrong(parser, shape);
	if (parser->nesting == DELTA_MAX_NESTING)
		return delta_parse_fail(parser, COLLAB_LIMIT, "more than %d embed changes inside each other",
								DELTA_MAX_NESTING);
	parser->nesting++;
	status = delta_parse_ops(parser, &nested);
	if (status != COLLAB_OK)
		return status;
	parser->nesting--;
	if (json_object_next(r, &key))
		return wrong(parser, shape);
	if (json_failed(r))
		return delta_parse_json_failed(parser);
	buf_clear(&parser->work);
	buf_str(&parser->work, "{\"delta\":");
	delta_print_nested(&nested, &parser->work);
	buf_char(&parser->work, '}');
	return keep_embed(parser, DELTA_RETAIN_EMBED, op);
}

static CollabStatus
parse_insert(DeltaParser *parser, DeltaOp *op)
{
	switch (json_peek(&parser->r))
	{
		case JSON_STRING:
			return parse_text(parser, op);
		case JSON_NULL:
			return wrong(parser, "\"insert\" must be a text or an embed, not null");
		default:
			return delta_parse_embed(parser, op);
	}
}

static CollabStatus
parse_retain(DeltaParser *parser, DeltaOp *op)
{
	if (json_peek(&parser->r) == JSON_OBJECT)
		return delta_parse_embed_change(parser, op);
	op->kind = DELTA_RETAIN;
	return parse_count(parser, "retain", &op->units);
}

static CollabStatus
parse_attributes(DeltaParser *parser, DeltaOp *op)
{
	switch (json_peek(&parser->r))
	{
		case JSON_OBJECT:
			return attrs_parse(parser, &op->attrs);
		case JSON_NULL:
			return json_read_null(&parser->r) ? COLLAB_OK : delta_parse_json_failed(parser);
		case JSON_END:
			(void) json_skip(&parser->r, NULL);
			return delta_parse_json_failed(parser);
		default:
			return wrong(parser, "\"attributes\" must be an object");
	}
}

/* ---- ops ---- */

enum
{
	KEY_INSERT = 1,
	KEY_RETAIN = 2,
	KEY_DELETE = 4,
	KEY_ATTRIBUTES = 8,
	KEY_UNKNOWN = 0
};

static int
op_key(const JsonString *key)
{
	/* no literal is compared that cannot match: one look at the length and one comparison */
	if (!key->escaped && key->bytes != 6)
		return key->bytes == 10 && memcmp(key->data, "attributes", 10) == 0 ? KEY_ATTRIBUTES : KEY_UNKNOWN;
	if (json_string_is(key, "insert"))
		return KEY_INSERT;
	if (json_string_is(key, "retain"))
		return KEY_RETAIN;
	if (json_string_is(key, "delete"))
		return KEY_DELETE;
	return json_string_is(key, "attributes") ? KEY_ATTRIBUTES : KEY_UNKNOWN;
}

static CollabStatus
unknown_key(DeltaParser *parser, const JsonString *key)
{
	size_t shown = key->bytes < SHOWN_KEY_BYTES ? key->bytes : SHOWN_KEY_BYTES;

	return delta_parse_fail(parser, COLLAB_INVALID, "unknown key \"%.*s\"",
							(int) utf8_floor(key->data, shown), key->data);
}

/* Checks which keys an op has: exactly one action. */
static CollabStatus
check_keys(DeltaParser *parser, int seen, int key)
{
	int actions = seen & (KEY_INSERT | KEY_RETAIN | KEY_DELETE);

	if ((seen & key) != 0)
		return wrong(parser, "a key is given twice");
	if (key != KEY_ATTRIBUTES && actions != 0)
		return wrong(parser, "only one of \"insert\", \"retain\" and \"delete\" can be given");
	return COLLAB_OK;
}

static CollabStatus
parse_op(DeltaParser *parser, DeltaOp *op)
{
	JsonReader	*r = &parser->r;
	CollabStatus status;
	JsonString	 key;
	int			 seen = 0;

	memset(op, 0, sizeof(*op));
	if (json_peek(r) != JSON_OBJECT && json_peek(r) != JSON_END)
		return wrong(parser, "must be an object");
	if (!json_object_begin(r))
		return delta_parse_json_failed(parser);
	while (json_object_next(r, &key))
	{
		int which = op_key(&key);

		status = which == KEY_UNKNOWN ? unknown_key(parser, &key) : check_keys(parser, seen, which);
		if (status != COLLAB_OK)
			return status;
		seen |= which;
		switch (which)
		{
			case KEY_INSERT:
				status = parse_insert(parser, op);
				break;
			case KEY_RETAIN:
				status = parse_retain(parser, op);
				break;
			case KEY_DELETE:
				op->kind = DELTA_DELETE;
				status = parse_count(parser, "delete", &op->units);
				break;
			default:
				status = parse_attributes(parser, op);
		}
		if (status != COLLAB_OK)
			return status;
	}
	if (json_failed(r))
		return delta_parse_json_failed(parser);
	if ((seen & ~KEY_ATTRIBUTES) == 0)
		return wrong(parser, "needs one of \"insert\", \"retain\" and \"delete\"");
	if (op->kind == DELTA_DELETE && op->attrs.bytes > 0)
		return wrong(parser, "a \"delete\" cannot have attributes");
	return COLLAB_OK;
}

/* Adds a parsed op to the result, within the limits. */
static CollabStatus
add_op(DeltaParser *parser, DeltaBuilder *builder, const DeltaOp *op)
{
	const DeltaLimits *limits = parser->limits;

	if (op->units == 0) /* {"insert":""} */
		return COLLAB_OK;
	if (parser->nesting == 0 && delta_op_is_insert(op))
	{
		parser->inserted += op->units;
		if (limits->max_units != 0 && parser->inserted > limits->max_units)
			return delta_parse_fail(parser, COLLAB_LIMIT, "more than %lld units are inserted",
									(long long) limits->max_units);
	}
	if (!delta_builder_grow(builder))
		return delta_nomem(parser->err);
	delta_builder_push(builder, op);
	if (builder->units > DELTA_MAX_UNITS)
		return delta_parse_fail(parser, COLLAB_INVALID, "the lengths add up to more than 2^53 - 1");
	return COLLAB_OK;
}

CollabStatus
delta_parse_ops(DeltaParser *parser, Delta *out)
{
	uint32_t	 limit = parser->limits->max_ops;
	uint32_t	 index = 0;
	DeltaBuilder builder;
	CollabStatus status;

	status = delta_builder_init(&builder, parser->arena, 4, parser->err);
	if (status != COLLAB_OK)
		return status;
	if (!json_array_begin(&parser->r))
		return delta_parse_json_failed(parser);
	while (json_array_next(&parser->r))
	{
		DeltaOp op;

		parser->path[parser->nesting] = index;
		if (index == (limit != 0 ? limit : UINT32_MAX))
			return collab_fail(parser->err, COLLAB_LIMIT, index, "more than %u ops", index);
		status = parse_op(parser, &op);
		if (status == COLLAB_OK)
			status = add_op(parser, &builder, &op);
		if (status != COLLAB_OK)
			return status;
		index++;
	}
	if (json_failed(&parser->r))
		return delta_parse_json_failed(parser);
	return delta_builder_finish(&builder, out, parser->err);
}

/* ---- the whole ---- */

/* {"type":"insert","pos":5,"content":"X"} and {"type":"delete","pos":5,"length":2} */
typedef struct Shorthand
{
	JsonString type;
	DeltaOp	   op; /* content and attributes; or the length to delete */
	int64_t	   pos;
	bool	   has_type;
	bool	   has_pos;
	bool	   has_content;
	bool	   has_length;
	bool	   has_attributes;
} Shorthand;

static CollabStatus
shorthand_fail(DeltaParser *parser, const char *what)
{
	return collab_fail(parser->err, COLLAB_INVALID, -1, "%s", what);
}

static CollabStatus
parse_shorthand_key(DeltaParser *parser, const JsonString *key, Shorthand *s)
{
	static const char *const twice = "a key is given twice";
	JsonReader				*r = &parser->r;

	if (json_string_is(key, "type"))
	{
		if (s->has_type)
			return shorthand_fail(parser, twice);
		s->has_type = true;
		return json_read_string(r, &s->type) ? COLLAB_OK : delta_parse_json_failed(parser);
	}
	if (json_string_is(key, "pos"))
	{
		if (s->has_pos)
			return shorthand_fail(parser, twice);
		s->has_pos = true;
		if (!json_read_int(r, &s->pos))
			return delta_parse_json_failed(parser);
		return s->pos >= 0 ? COLLAB_OK : shorthand_fail(parser, "\"pos\" must not be negative");
	}
	if (json_string_is(key, "content"))
	{
		if (s->has_content || s->has_length)
			return shorthand_fail(parser, twice);
		s->has_content = true;
		if (json_peek(r) != JSON_STRING && json_peek(r) != JSON_END)
			return shorthand_fail(parser, "\"content\" must be a text");
		return parse_text(parser, &s->op);
	}
	if (json_string_is(key, "length"))
	{
		if (s->has_content || s->has_length)
			return shorthand_fail(parser, twice);
		s->has_length = true;
		return parse_count(parser, "length", &s->op.units);
	}
	if (json_string_is(key, "attributes"))
	{
		if (s->has_attributes)
			return shorthand_fail(parser, twice);
		s->has_attributes = true;
		return parse_attributes(parser, &s->op);
	}
	return shorthand_fail(
		parser,
		"expected {\"ops\": [...]}, an array of ops, or {\"type\": \"insert\" or \"delete\", \"pos\": ...}");
}

static CollabStatus
build_shorthand(DeltaParser *parser, const Shorthand *s, Delta *out)
{
	static const DeltaAttrs none = {NULL, 0};
	DeltaOp					op = s->op;
	DeltaBuilder			builder;
	CollabStatus			status;

	if (!s->has_type || !(json_string_is(&s->type, "insert") || json_string_is(&s->type, "delete")))
		return shorthand_fail(parser, "\"type\" must be \"insert\" or \"delete\"");
	if (!s->has_pos)
		return shorthand_fail(parser, "\"pos\" is missing");
	if (json_string_is(&s->type, "insert"))
	{
		if (!s->has_content)
			return shorthand_fail(parser, "\"content\" is missing");
	}
	else
	{
		if (!s->has_length)
			return shorthand_fail(parser, "\"length\" is missing");
		op.kind = DELTA_DELETE;
		if (op.attrs.bytes > 0)
			return shorthand_fail(parser, "a deletion cannot have attributes");
	}
	status = delta_builder_init(&builder, parser->arena, 2, parser->err);
	if (status != COLLAB_OK)
		return status;
	if (s->pos > 0)
		delta_builder_retain(&builder, s->pos, none);
	status = add_op(parser, &builder, &op);
	if (status != COLLAB_OK)
		return status;
	return delta_builder_finish(&builder, out, parser->err);
}

/*
 * Depth is counted as in {"ops":[...]}, whatever form came in: what was accepted once must be accepted
 * when it comes back as it was printed.
 */
static CollabStatus
parse_object(DeltaParser *parser, Delta *out)
{
	JsonReader	*r = &parser->r;
	bool		 has_ops = false;
	bool		 has_shorthand = false;
	CollabStatus status;
	Shorthand	 s;
	JsonString	 key;

	memset(&s, 0, sizeof(s));
	if (!json_object_begin(r))
		return delta_parse_json_failed(parser);
	while (json_object_next(r, &key))
	{
		if (json_string_is(&key, "ops"))
		{
			if (has_ops)
				return shorthand_fail(parser, "\"ops\" is given twice");
			if (has_shorthand)
				return shorthand_fail(parser, "\"ops\" stands alone");
			has_ops = true;
			if (json_peek(r) != JSON_ARRAY && json_peek(r) != JSON_END)
				return shorthand_fail(parser, "\"ops\" must be an array");
			status = delta_parse_ops(parser, out);
		}
		else
		{
			if (has_ops)
				return shorthand_fail(parser, "\"ops\" stands alone");
			if (!has_shorthand)
				r->max_depth -= 2;
			has_shorthand = true;
			status = parse_shorthand_key(parser, &key, &s);
		}
		if (status != COLLAB_OK)
			return status;
	}
	if (json_failed(r))
		return delta_parse_json_failed(parser);
	if (has_ops)
		return COLLAB_OK;
	if (!has_shorthand)
		return shorthand_fail(parser, "\"ops\" is missing");
	return build_shorthand(parser, &s, out);
}

CollabStatus
delta_parse(Arena *arena, const char *json, size_t bytes, const DeltaLimits *limits, Delta *out,
			CollabError *err)
{
	DeltaParser	 parser;
	CollabStatus status;

	delta_parser_init(&parser, arena, json, bytes, limits, err);
	switch (json_peek(&parser.r))
	{
		case JSON_ARRAY:
			parser.r.max_depth--;
			status = delta_parse_ops(&parser, out);
			break;
		case JSON_OBJECT:
			status = parse_object(&parser, out);
			break;
		case JSON_END:
			(void) json_skip(&parser.r, NULL);
			return delta_parse_json_failed(&parser);
		default:
			return collab_fail(err, COLLAB_INVALID, 0, "a Delta is {\"ops\": [...]} or an array of ops");
	}
	if (status == COLLAB_OK && !json_end(&parser.r))
		return delta_parse_json_failed(&parser);
	return status;
}

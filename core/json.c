/* json.c - the pull reader: walks hostile JSON in place, checks what it passes, remembers the first failure. */
#include "json_internal.h"

#include <string.h>

#include "hex.h"
#include "utf8.h"

#define ONES UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

void
json_init(JsonReader *r, const char *text, size_t bytes, int max_depth)
{
	r->text = text;
	r->at = text;
	r->end = bytes == 0 ? text : text + bytes; /* NULL is fine for nothing */
	r->depth = 0;
	r->max_depth = max_depth > 0 && max_depth < JSON_MAX_DEPTH ? max_depth : JSON_MAX_DEPTH;
	r->first = false;
	r->error.status = COLLAB_OK;
	r->error.where = -1;
	r->error.message[0] = '\0';
}

bool
json_failed(const JsonReader *r)
{
	return r->error.status != COLLAB_OK;
}

/* Fails at a given place. A failed reader stands at the end, so that nothing more can be read from it. */
static bool
fail_at(JsonReader *r, CollabStatus status, const char *at, const char *message)
{
	if (r->error.status == COLLAB_OK)
	{
		(void) collab_fail(&r->error, status, at - r->text, "%s at byte %lld", message,
						   (long long) (at - r->text));
		r->at = r->end;
	}
	return false;
}

bool
json_fail(JsonReader *r, CollabStatus status, const char *message)
{
	return fail_at(r, status, r->at, message);
}

/* Something else stands here than may stand here. */
static bool
unexpected(JsonReader *r, const char *message)
{
	return json_fail(r, COLLAB_SYNTAX, r->at == r->end ? "unexpected end of JSON" : message);
}

static inline void
skip_space(JsonReader *r)
{
	while (r->at < r->end && (unsigned char) *r->at <= ' ')
	{
		char c = *r->at;

		if (c != ' ' && c != '\n' && c != '\t' && c != '\r')
			return;
		r->at++;
	}
}

/* ---- strings ---- */

/* The four hex digits at `at`, -1 if they are not there. */
static int
hex_unit(const char *at, const char *end)
{
	int unit = 0;
	int i;

	if (end - at < 4)
		return -1;
	for (i = 0; i < 4; i++)
	{
		int digit = hex_digit(at[i]);

		if (digit < 0)
			return -1;
		unit = unit * 16 + digit;
	}
	return unit;
}

static inline bool
is_high_surrogate(int unit)
{
	return unit >= 0xD800 && unit < 0xDC00;
}

static inline bool
is_low_surrogate(int unit)
{
	return unit >= 0xDC00 && unit < 0xE000;
}

/* Checks the escape at `at` (a backslash); returns what follows it, or NULL after a failure. */
static const char *
check_escape(JsonReader *r, const char *at)
{
	int unit;

	if (r->end - at < 2)
	{
		fail_at(r, COLLAB_SYNTAX, r->end, "unexpected end of JSON");
		return NULL;
	}
	switch (at[1])
	{
		case '"':
		case '\\':
		case '/':
		case 'b':
		case 'f':
		case 'n':
		case 'r':
		case 't':
			return at + 2;
		case 'u':
			break;
		default:
			fail_at(r, COLLAB_SYNTAX, at, "invalid escape sequence");
			return NULL;
	}
	unit = hex_unit(at + 2, r->end);
	if (unit < 0)
	{
		fail_at(r, COLLAB_SYNTAX, at, "invalid escape sequence");
		return NULL;
	}
	if (unit == 0)
	{
		fail_at(r, COLLAB_INVALID, at, "U+0000 is not allowed");
		return NULL;
	}
	if (is_high_surrogate(unit))
	{
		if (r->end - at >= 12 && at[6] == '\\' && at[7] == 'u' && is_low_surrogate(hex_unit(at + 8, r->end)))
			return at + 12;
		fail_at(r, COLLAB_SURROGATE, at, "lone surrogate");
		return NULL;
	}
	if (is_low_surrogate(unit))
	{
		fail_at(r, COLLAB_SURROGATE, at, "lone surrogate");
		return NULL;
	}
	return at + 6;
}

/* Walks over a run of bytes above 0x7F; returns what follows it, or NULL after a failure. */
static const char *
check_non_ascii(JsonReader *r, const char *at)
{
	const char *start = at;
	int64_t		units;

	while (at < r->end && (unsigned char) *at >= 0x80)
		at++;
	if (!utf8_check(start, (size_t) (at - start), &units))
	{
		fail_at(r, COLLAB_SYNTAX, start, "invalid UTF-8");
		return NULL;
	}
	return at;
}

/* The string at the reader's position, which is known to be a quote. */
static bool
read_string(JsonReader *r, JsonString *out)
{
	const char *at = r->at + 1;
	const char *end = r->end;

	out->data = at;
	out->escaped = false;
	out->ascii = true;
	while (at < end)
	{
		unsigned char c = (unsigned char) *at;

		if (c == '"')
		{
			out->bytes = (size_t) (at - out->data);
			r->at = at + 1;
			return true;
		}
		if (c == '\\')
		{
			at = check_escape(r, at);
			if (at == NULL)
				return false;
			out->escaped = true;
			continue;
		}
		if (c >= 0x80)
		{
			at = check_non_ascii(r, at);
			if (at == NULL)
				return false;
			out->ascii = false;
			continue;
		}
		if (c < ' ')
			return fail_at(r, COLLAB_SYNTAX, at, "control character in a string");
		at++;
		for (; end - at >= 8; at += 8)
		{
			uint64_t word;

			memcpy(&word, at, sizeof(word));
			/* the high bit of some byte is set if one is a quote, a backslash, below a space, or not ASCII */
			if ((((word ^ (ONES * '"')) - ONES) | ((word ^ (ONES * '\\')) - ONES) | (word - ONES * ' ') | word) &
				HIGHS)
				break;
		}
	}
	return fail_at(r, COLLAB_SYNTAX, end, "unexpected end of JSON");
}

/* Decodes the (checked) escape at *at into at most four bytes and moves *at behind it. */
static unsigned
decode_escape(const char **at, char *to)
{
	const char *p = *at;
	uint32_t	code;

	*at = p + 2;
	switch (p[1])
	{
		case 'b':
			*to = '\b';
			return 1;
		case 'f':
			*to = '\f';
			return 1;
		case 'n':
			*to = '\n';
			return 1;
		case 'r':
			*to = '\r';
			return 1;
		case 't':
			*to = '\t';
			return 1;
		case 'u':
			break;
		default:
			*to = p[1];
			return 1;
	}
	code = (uint32_t) hex_unit(p + 2, p + 6);
	*at = p + 6;
	if (code < 0x80)
	{
		to[0] = (char) code;
		return 1;
	}
	if (code < 0x800)
	{
		to[0] = (char) (0xC0 | code >> 6);
		to[1] = (char) (0x80 | (code & 0x3F));
		return 2;
	}
	if (!is_high_surrogate((int) code))
	{
		to[0] = (char) (0xE0 | code >> 12);
		to[1] = (char) (0x80 | (code >> 6 & 0x3F));
		to[2] = (char) (0x80 | (code & 0x3F));
		return 3;
	}
	code = 0x10000 + ((code - 0xD800) << 10) + ((uint32_t) hex_unit(p + 8, p + 12) - 0xDC00);
	*at = p + 12;
	to[0] = (char) (0xF0 | code >> 18);
	to[1] = (char) (0x80 | (code >> 12 & 0x3F));
	to[2] = (char) (0x80 | (code >> 6 & 0x3F));
	to[3] = (char) (0x80 | (code & 0x3F));
	return 4;
}

size_t
json_unescape_to(const JsonString *s, char *to)
{
	const char *at = s->data;
	const char *end = s->data + s->bytes;
	char	   *start = to;

	while (at < end)
	{
		const char *escape = s->escaped ? memchr(at, '\\', (size_t) (end - at)) : NULL;
		size_t		run = (size_t) ((escape != NULL ? escape : end) - at);

		memcpy(to, at, run);
		to += run;
		at += run;
		if (escape != NULL)
			to += decode_escape(&at, to);
	}
	return (size_t) (to - start);
}

void
json_unescape(const JsonString *s, Buf *out)
{
	char *to = buf_grow(out, s->bytes);

	if (to != NULL)
		out->size += json_unescape_to(s, to);
}

bool
json_string_is(const JsonString *s, const char *literal)
{
	size_t		bytes = strlen(literal);
	const char *at = s->data;
	const char *end = s->data + s->bytes;
	size_t		done = 0;

	if (!s->escaped)
		return s->bytes == bytes && memcmp(s->data, literal, bytes) == 0;
	while (at < end)
	{
		char	 piece[4];
		unsigned size = 1;

		if (*at == '\\')
			size = decode_escape(&at, piece);
		else
			piece[0] = *at++;
		if (size > bytes - done || memcmp(literal + done, piece, size) != 0)
			return false;
		done += size;
	}
	return done == bytes;
}

/* ---- values ---- */

JsonType
json_peek(JsonReader *r)
{
	skip_space(r);
	if (r->at == r->end)
		return JSON_END;
	switch (*r->at)
	{
		case '"':
			return JSON_STRING;
		case '{':
			return JSON_OBJECT;
		case '[':
			return JSON_ARRAY;
		case 'n':
			return JSON_NULL;
		case 't':
			return JSON_TRUE;
		case 'f':
			return JSON_FALSE;
		case '-':
			return JSON_NUMBER;
		default:
			if (*r->at >= '0' && *r->at <= '9')
				return JSON_NUMBER;
			(void) unexpected(r, "expected a JSON value");
			return JSON_END;
	}
}

/* Asks for a type; a value of another one is valid JSON, but not what the reader's user can take. */
static bool
expect(JsonReader *r, JsonType type, const char *message)
{
	JsonType found = json_peek(r);

	if (found == type)
		return true;
	if (found == JSON_END)
		return unexpected(r, "expected a JSON value");
	return json_fail(r, COLLAB_INVALID, message);
}

static bool
enter(JsonReader *r)
{
	if (r->depth == r->max_depth)
		return json_fail(r, COLLAB_LIMIT, "JSON is nested too deeply");
	r->depth++;
	r->at++;
	r->first = true;
	return true;
}

static bool
leave(JsonReader *r)
{
	r->depth--;
	r->at++;
	r->first = false; /* of the container around it: this was an element */
	return false;
}

bool
json_object_begin(JsonReader *r)
{
	return expect(r, JSON_OBJECT, "expected an object") && enter(r);
}

bool
json_object_next(JsonReader *r, JsonString *key)
{
	skip_space(r);
	if (r->at == r->end)
		return unexpected(r, "");
	if (*r->at == '}')
		return leave(r);
	if (!r->first)
	{
		if (*r->at != ',')
			return unexpected(r, "expected \",\" or \"}\"");
		r->at++;
		skip_space(r);
	}
	if (r->at == r->end || *r->at != '"')
		return unexpected(r, "expected a key");
	if (!read_string(r, key))
		return false;
	skip_space(r);
	if (r->at == r->end || *r->at != ':')
		return unexpected(r, "expected \":\"");
	r->at++;
	r->first = false;
	return true;
}

bool
json_array_begin(JsonReader *r)
{
	return expect(r, JSON_ARRAY, "expected an array") && enter(r);
}

bool
json_array_next(JsonReader *r)
{
	skip_space(r);
	if (r->at == r->end)
		return unexpected(r, "");
	if (*r->at == ']')
		return leave(r);
	if (!r->first)
	{
		if (*r->at != ',')
			return unexpected(r, "expected \",\" or \"]\"");
		r->at++;
	}
	r->first = false;
	return true;
}

static bool
literal(JsonReader *r, const char *word, size_t bytes)
{
	if ((size_t) (r->end - r->at) < bytes || memcmp(r->at, word, bytes) != 0)
		return json_fail(r, COLLAB_SYNTAX, "expected a JSON value");
	r->at += bytes;
	return true;
}

bool
json_read_null(JsonReader *r)
{
	return expect(r, JSON_NULL, "expected null") && literal(r, "null", 4);
}

bool
json_read_bool(JsonReader *r, bool *out)
{
	JsonType type = json_peek(r);

	*out = type == JSON_TRUE;
	if (type == JSON_TRUE)
		return literal(r, "true", 4);
	return expect(r, JSON_FALSE, "expected true or false") && literal(r, "false", 5);
}

bool
json_digits(JsonReader *r, JsonNumber *number)
{
	if (!expect(r, JSON_NUMBER, "expected a number"))
		return false;
	if (!json_number_scan(&r->at, r->end, number))
		return unexpected(r, "invalid number");
	return true;
}

bool
json_read_int(JsonReader *r, int64_t *out)
{
	const char *start;
	JsonNumber	number;

	skip_space(r);
	start = r->at;
	if (!json_digits(r, &number))
		return false;
	if (!json_number_integer(&number, out))
		return fail_at(r, COLLAB_INVALID, start, "expected an integer between -(2^53 - 1) and 2^53 - 1");
	return true;
}

bool
json_read_double(JsonReader *r, double *out)
{
	const char *start;
	JsonNumber	number;

	skip_space(r);
	start = r->at;
	if (!json_digits(r, &number))
		return false;
	if (!json_number_double(&number, out))
		return fail_at(r, COLLAB_INVALID, start, "number out of range");
	return true;
}

bool
json_read_string(JsonReader *r, JsonString *out)
{
	return expect(r, JSON_STRING, "expected a string") && read_string(r, out);
}

/* A value that is no container. */
static bool
skip_scalar(JsonReader *r, JsonType type)
{
	JsonString string;
	JsonNumber number;

	switch (type)
	{
		case JSON_STRING:
			return read_string(r, &string);
		case JSON_NUMBER:
			return json_digits(r, &number);
		case JSON_NULL:
			return literal(r, "null", 4);
		case JSON_TRUE:
			return literal(r, "true", 4);
		case JSON_FALSE:
			return literal(r, "false", 5);
		default:
			return unexpected(r, "expected a JSON value");
	}
}

bool
json_skip(JsonReader *r, JsonSpan *span)
{
	uint64_t	objects[JSON_MAX_DEPTH / 64] = {0}; /* one bit per depth: an object, not an array */
	int			base = r->depth;
	const char *start;

	skip_space(r);
	start = r->at;
	for (;;)
	{
		JsonType type = json_peek(r);

		if (type == JSON_OBJECT || type == JSON_ARRAY)
		{
			uint64_t *word = &objects[r->depth / 64];
			uint64_t  bit = UINT64_C(1) << (r->depth % 64);

			if (!enter(r))
				return false;
			*word = type == JSON_OBJECT ? *word | bit : *word & ~bit;
		}
		else if (!skip_scalar(r, type))
			return false;

		/* on to the next value, out of all containers that end here */
		while (r->depth > base)
		{
			int		   depth = r->depth - 1;
			JsonString key;

			if (objects[depth / 64] >> (depth % 64) & 1 ? json_object_next(r, &key) : json_array_next(r))
				break;
			if (json_failed(r))
				return false;
		}
		if (r->depth == base)
			break;
	}
	if (span != NULL)
	{
		span->data = start;
		span->bytes = (size_t) (r->at - start);
	}
	return true;
}

bool
json_end(JsonReader *r)
{
	if (json_failed(r))
		return false;
	skip_space(r);
	if (r->at != r->end)
		return json_fail(r, COLLAB_SYNTAX, "unexpected text behind the JSON value");
	return true;
}

/* json_check.c - is a text canonical JSON? One walk without memory, for binary input from anybody. */
#include "json_internal.h"

#include <string.h>

/*
 * Canonical means: every scalar stands as the canonical writer would print it, keys ascend strictly, and
 * there is no white space. The reader skips white space, so the last is checked by adding up
 * the bytes of all tokens.
 */
typedef struct CanonicalWalk
{
	JsonReader r;
	size_t	   tokens; /* bytes of all tokens passed */
	int		   depth;
	bool	   objects[JSON_MAX_DEPTH + 1]; /* by depth: an object, not an array */
	JsonString keys[JSON_MAX_DEPTH + 1];	/* by depth: the last key; data NULL: none yet */
} CanonicalWalk;

/* Takes the next byte of a string, escapes resolved. Canonical escapes are single bytes below 0x80. */
static unsigned char
next_byte(const char **at)
{
	const char *p = *at;
	JsonString	escape = {p, 2, true, true};
	char		plain[6];

	if (*p != '\\')
	{
		*at = p + 1;
		return (unsigned char) *p;
	}
	if (p[1] == 'u')
		escape.bytes = 6;
	(void) json_unescape_to(&escape, plain);
	*at = p + escape.bytes;
	return (unsigned char) plain[0];
}

static bool
key_ascends(const JsonString *before, const JsonString *key)
{
	const char *a = before->data;
	const char *b = key->data;
	const char *a_end = a + before->bytes;
	const char *b_end = b + key->bytes;

	if (!before->escaped && !key->escaped)
	{
		size_t common = before->bytes < key->bytes ? before->bytes : key->bytes;
		int	   order = memcmp(a, b, common);

		return order < 0 || (order == 0 && before->bytes < key->bytes);
	}
	while (a < a_end && b < b_end)
	{
		unsigned char x = next_byte(&a);
		unsigned char y = next_byte(&b);

		if (x != y)
			return x < y;
	}
	return a == a_end && b < b_end;
}

/* Only what JSON.stringify escapes, as it escapes it. */
static bool
string_is_canonical(const JsonString *s)
{
	const char *at = s->data;
	const char *end = s->data + s->bytes;

	if (!s->escaped)
		return true;
	while ((at = memchr(at, '\\', (size_t) (end - at))) != NULL)
	{
		if (at[1] == 'u')
		{
			if (at[2] != '0' || at[3] != '0' || at[4] > '1' || (at[5] >= 'A' && at[5] <= 'F'))
				return false;
			if (at[4] == '0' && at[5] != '\0' && strchr("89acd", at[5]) != NULL)
				return false;
			at += 6;
		}
		else if (at[1] == '/')
			return false;
		else
			at += 2;
		if (at == end)
			break;
	}
	return true;
}

static bool
number_is_canonical(const char *text, size_t bytes, const JsonNumber *number)
{
	char   printed[JSON_NUMBER_SIZE];
	double value;

	if (number->integer_digits <= 15 && number->integer_digits + number->negative == bytes)
		return number->integer[0] != '0' || !number->negative;
	return json_number_double(number, &value) && json_number_print(value, printed) == bytes &&
		   memcmp(printed, text, bytes) == 0;
}

static bool
check_scalar(CanonicalWalk *walk, JsonType type)
{
	JsonReader *r = &walk->r;
	const char *start = r->at;
	JsonString	string;
	JsonNumber	number;
	bool		ok;

	switch (type)
	{
		case JSON_STRING:
			ok = json_read_string(r, &string) && string_is_canonical(&string);
			break;
		case JSON_NUMBER:
			ok = json_digits(r, &number) && number_is_canonical(start, (size_t) (r->at - start), &number);
			break;
		default:
			ok = json_skip(r, NULL);
	}
	walk->tokens += (size_t) (r->at - start);
	return ok;
}

/*
 * Moves on to the next element of the innermost container; *more is false where it ended (or the walk
 * failed).
 */
static bool
check_next(CanonicalWalk *walk, bool *more)
{
	JsonReader *r = &walk->r;
	bool		first = r->first;
	JsonString	key;
	JsonString *before = &walk->keys[walk->depth];

	*more = walk->objects[walk->depth] ? json_object_next(r, &key) : json_array_next(r);
	if (!*more)
		return !json_failed(r);
	walk->tokens += first ? 0 : 1;
	if (!walk->objects[walk->depth])
		return true;
	walk->tokens += key.bytes + 3;
	if (!string_is_canonical(&key) || (before->data != NULL && !key_ascends(before, &key)))
		return false;
	*before = key;
	return true;
}

static bool
check_all(CanonicalWalk *walk)
{
	JsonReader *r = &walk->r;

	for (;;)
	{
		JsonType type = json_peek(r);
		bool	 more = false;

		if (type == JSON_OBJECT || type == JSON_ARRAY)
		{
			if (!(type == JSON_OBJECT ? json_object_begin(r) : json_array_begin(r)))
				return false;
			walk->depth++;
			walk->objects[walk->depth] = type == JSON_OBJECT;
			walk->keys[walk->depth].data = NULL;
			walk->tokens += 2;
		}
		else if (!check_scalar(walk, type))
			return false;
		while (walk->depth > 0 && !more)
		{
			if (!check_next(walk, &more))
				return false;
			if (!more)
				walk->depth--;
		}
		if (!more)
			return true;
	}
}

/* Most values are true, false, or short strings without anything special in them. */
static bool
is_simple(const char *json, size_t bytes)
{
	size_t i;

	if (bytes == 4)
	{
		if (memcmp(json, "true", 4) == 0 || memcmp(json, "null", 4) == 0)
			return true;
	}
	else if (bytes == 5 && memcmp(json, "false", 5) == 0)
		return true;
	if (bytes < 2 || bytes > 64 || json[0] != '"' || json[bytes - 1] != '"')
		return false;
	for (i = 1; i < bytes - 1; i++)
	{
		unsigned char c = (unsigned char) json[i];

		if (c < ' ' || c >= 0x80 || c == '"' || c == '\\')
			return false;
	}
	return true;
}

bool
json_is_canonical(const char *json, size_t bytes, int max_depth)
{
	CanonicalWalk walk;

	if (is_simple(json, bytes))
		return true;
	json_init(&walk.r, json, bytes, max_depth);
	walk.tokens = 0;
	walk.depth = 0;
	return check_all(&walk) && walk.tokens == bytes && walk.r.at == walk.r.end;
}

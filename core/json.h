/* json.h - a single-pass pull reader for hostile JSON (RFC 8259): for Deltas and for the proxy's envelope. */
#ifndef COLLAB_JSON_H
#define COLLAB_JSON_H

#include <stdbool.h>

#include "buf.h"

/*
 * The reader walks the text in place, allocates nothing, checks UTF-8, rejects lone surrogates, U+0000
 * and nesting deeper than max_depth, and never recurses. Typical use:
 *
 *	json_object_begin(&r);
 *	while (json_object_next(&r, &key))
 *		if (json_string_is(&key, "clock")) json_read_int(&r, &clock); else json_skip(&r, NULL);
 *	if (json_failed(&r)) ... r.error
 *
 * Every element that is announced by _next must be read or skipped before the next one. Duplicate keys
 * come as they stand: who stores what he reads lets the last win. Failures: COLLAB_SYNTAX (not JSON, not
 * UTF-8), COLLAB_SURROGATE (a lone one, as an escape), COLLAB_INVALID (U+0000, a number that does not
 * fit, another type than asked for), COLLAB_LIMIT (depth); error.where is the byte offset.
 */
#define JSON_MAX_DEPTH 512

typedef struct JsonReader
{
	const char *text;
	const char *at;
	const char *end;
	int			depth;
	int			max_depth;
	bool		first; /* no element of the innermost container was read yet */
	CollabError error; /* COLLAB_OK until the first failure; then all calls only return false */
} JsonReader;

typedef enum JsonType
{
	JSON_END,
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
} JsonType;

/*
 * A string as it stands in the text, quotes excluded; `escaped` = it holds backslashes and must be
 * unescaped.
 */
typedef struct JsonString
{
	const char *data;
	size_t		bytes;
	bool		escaped;
	bool		ascii; /* nothing but ASCII between the quotes (escapes may stand for more) */
} JsonString;

/* A complete value as it stands in the text (validated, surrounding white space excluded). */
typedef struct JsonSpan
{
	const char *data;
	size_t		bytes;
} JsonSpan;

/* max_depth is capped at JSON_MAX_DEPTH; 0 = that cap. */
void	 json_init(JsonReader *r, const char *text, size_t bytes, int max_depth);
bool	 json_failed(const JsonReader *r);
JsonType json_peek(JsonReader *r);
bool	 json_object_begin(JsonReader *r);
bool	 json_object_next(JsonReader *r, JsonString *key); /* false at the closing brace or on failure */
bool	 json_array_begin(JsonReader *r);
bool	 json_array_next(JsonReader *r); /* false at the closing bracket or on failure */
bool	 json_read_null(JsonReader *r);
bool	 json_read_bool(JsonReader *r, bool *out);
bool	 json_read_int(JsonReader *r, int64_t *out); /* within +-(2^53 - 1); 1e3 is 1000 */
bool	 json_read_double(JsonReader *r, double *out);
bool	 json_read_string(JsonReader *r, JsonString *out);
bool	 json_skip(JsonReader *r, JsonSpan *span); /* any value; span may be NULL */
bool	 json_end(JsonReader *r);				   /* nothing but white space may follow */

/* Compares an (unescaped) string with a literal. */
bool json_string_is(const JsonString *s, const char *literal);
/* Appends the unescaped UTF-8 of a string. */
void json_unescape(const JsonString *s, Buf *out);
/* Unescapes into `to`, which has room for s->bytes; returns the bytes written, never more than s->bytes. */
size_t json_unescape_to(const JsonString *s, char *to);
/*
 * Appends the canonical form of the next value: object keys sorted by bytes (of duplicates the last
 * wins), numbers as ECMAScript prints them, no white space. Equal JSON values (deep equality, numbers as
 * IEEE doubles) give equal bytes.
 */
bool json_canonical(JsonReader *r, Arena *scratch, Buf *out);

#endif

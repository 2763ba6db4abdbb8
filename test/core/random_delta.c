/* random_delta.c - random documents and changes, shared by the property tests and the fuzzers. */
#include "random_delta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Everything is first written as JSON and then parsed, so what comes out is canonical by the parser's own
 * work, and merging of neighbours, moving of inserts in front of deletes and so on get exercised on the way.
 */

const RandomProfile random_plain = {6, false, false, false};
const RandomProfile random_rich = {6, true, true, true};
const RandomProfile random_large = {400, true, true, true};

#define MAX_NESTING 2

/* Bits of a unit of a document. */
#define UNIT_SECOND_HALF 1 /* the unit is the second half of a surrogate pair */
#define UNIT_NESTED 2	   /* the unit is an embed of type `delta` */

typedef struct Units
{
	int64_t			length;
	uint8_t		   *flags;	/* length + 1 of them, the last is 0 */
	const DeltaOp **embeds; /* of each unit, or NULL */
} Units;

static void write_change(Random *random, Arena *arena, const RandomProfile *profile, const Delta *document,
						 Buf *out, int nesting);
static void write_document(Random *random, const RandomProfile *profile, Buf *out, int nesting);

static void *
must_alloc(Arena *arena, size_t count, size_t size)
{
	void *result = arena_array(arena, count, size);

	if (result == NULL)
	{
		fprintf(stderr, "random_delta: out of memory\n");
		exit(2);
	}
	return result;
}

void
random_seed(Random *random, uint64_t seed)
{
	random->state = seed;
	random->bytes = NULL;
	random->left = 0;
}

void
random_from_bytes(Random *random, const uint8_t *bytes, size_t size)
{
	random->state = 0;
	random->bytes = bytes != NULL ? bytes : (const uint8_t *) "";
	random->left = bytes != NULL ? size : 0;
}

/* SplitMix64, the public-domain generator of Steele, Lea and Flood: any seed will do, neighbouring seeds are unrelated. */
static uint64_t
random_next(Random *random)
{
	uint64_t z = (random->state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint32_t
random_below(Random *random, uint32_t bound)
{
	uint32_t value = 0;

	if (random->bytes == NULL)
		return (uint32_t) (((random_next(random) >> 32) * bound) >> 32);
	if (random->left > 0)
	{
		value = *random->bytes++;
		random->left--;
		if (bound > 256 && random->left > 0)
		{
			value = value << 8 | *random->bytes++;
			random->left--;
		}
	}
	return value % bound;
}

bool
random_chance(Random *random, uint32_t percent)
{
	return random_below(random, 100) >= 100 - percent;
}

Delta
must_parse(Arena *arena, const char *json, size_t bytes)
{
	Delta		delta;
	CollabError error = {COLLAB_OK, -1, ""};

	if (delta_parse(arena, json, bytes, &delta_limits_none, &delta, &error) != COLLAB_OK)
	{
		fprintf(stderr, "a test's own JSON was refused: %s: %.*s\n", error.message, (int) bytes, json);
		abort();
	}
	return delta;
}

const char *
show(Arena *arena, const Delta *delta)
{
	Buf	  buf;
	char *copy;

	buf_init(&buf, collab_malloc_alloc);
	delta_print(delta, &buf);
	copy = must_alloc(arena, buf.size + 1, 1);
	if (buf.size > 0)
		memcpy(copy, buf.data, buf.size);
	copy[buf.size] = '\0';
	buf_free(&buf);
	return copy;
}

/* Copies the JSON into the arena (the Delta may point into it) and parses it. */
static Delta
parse_buf(Arena *arena, Buf *buf)
{
	char *copy = must_alloc(arena, buf->size + 1, 1);
	Delta delta;

	memcpy(copy, buf->data, buf->size);
	copy[buf->size] = '\0';
	delta = must_parse(arena, copy, buf->size);
	buf_free(buf);
	return delta;
}

static void
write_text(Random *random, const RandomProfile *profile, Buf *out)
{
	static const char *const plain[] = {"a", "b", "c", "d", "e", "f", " ", "\\n", "Z", "x", "\\\"", "\\\\"};
	static const char *const wide[] = {"\\u00e9", "\xc3\xa4", "\xe6\xbc\xa2", "e\xcc\x81",
									   "\\u2028", "\\t",	  "\\u0001",	  "\xef\xbf\xbd"};
	static const char *const pairs[] = {"\xf0\x9f\x98\x80", "\\ud83d\\ude80", "\xf0\x9d\x95\x8f",
										"\xf4\x8f\xbf\xbf", "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7"};
	uint32_t				 count = 1 + random_below(random, random_chance(random, 4) ? 40 : 5);

	buf_char(out, '"');
	while (count-- > 0)
	{
		uint32_t kind = random_below(random, 12);

		if (kind == 11 && profile->pairs)
			buf_str(out, pairs[random_below(random, 5)]);
		else if (kind == 10)
			buf_str(out, wide[random_below(random, 8)]);
		else
			buf_str(out, plain[random_below(random, 12)]);
	}
	buf_char(out, '"');
}

/*
 * Few keys with few values, so that two sides often set the same one. Nulls, which remove, belong into retains; quill-delta also
 * accepts and keeps them in inserts, but then neither the invert law nor the diff law holds, so they are left to the oracle.
 */
static void
write_attributes(Random *random, const RandomProfile *profile, bool nulls, Buf *out)
{
	static const char *const keys[] = {"\"bold\"", "\"color\"", "\"a\"", "\"link\"", "\"\\u00e9\""};
	static const char *const values[] = {"true",
										 "\"red\"",
										 "1",
										 "\"blue\"",
										 "{\"href\":\"x\"}",
										 "{\"b\":[1,{\"c\":null}],\"a\":\"\\ud83d\\ude00\"}",
										 "1.5e300",
										 "\"\"",
										 "[]",
										 "0.1",
										 "false"};
	uint32_t				 count;
	uint32_t				 first;
	uint32_t				 i;

	if (!profile->attributes || !random_chance(random, 45))
		return;
	count = 1 + random_below(random, random_chance(random, 20) ? 4 : 1);
	first = random_below(random, 5);
	buf_str(out, ",\"attributes\":{");
	for (i = 0; i < count; i++)
	{
		if (i > 0)
			buf_char(out, ',');
		buf_str(out, keys[(first + i) % 5]);
		buf_char(out, ':');
		if (nulls && random_chance(random, 35))
			buf_str(out, "null");
		else
			buf_str(out, values[random_below(random, random_chance(random, 70) ? 3 : 11)]);
	}
	buf_char(out, '}');
}

/*
 * An embed is any JSON to the parser, which leaves it as it is: the nested document has to be written in
 * canonical form, or the first change would make it canonical and its inverse would not bring the old form back.
 */
static void
write_nested_document(Random *random, const RandomProfile *profile, Buf *out, int nesting)
{
	Buf	  raw;
	Buf	  text;
	Arena arena;
	Delta document;

	buf_init(&raw, collab_malloc_alloc);
	buf_init(&text, collab_malloc_alloc);
	arena_init(&arena, collab_malloc_alloc);
	write_document(random, profile, &raw, nesting + 1);
	document = must_parse(&arena, raw.data, raw.size);
	delta_print(&document, &text);
	/* {"ops":[...]} becomes {"delta":[...]} */
	buf_str(out, "{\"delta\":");
	buf_bytes(out, text.data + 7, text.size - 7);
	arena_free(&arena);
	buf_free(&text);
	buf_free(&raw);
}

static void
write_embed(Random *random, const RandomProfile *profile, Buf *out, int nesting)
{
	static const char *const embeds[] = {
		"{\"image\":\"a.png\"}", "{\"image\":{\"w\":1,\"h\":[2]}}", "true", "7", "[1,\"x\"]", "{}",
		"{\"video\":null}"};

	if (nesting < MAX_NESTING && random_chance(random, 50))
		write_nested_document(random, profile, out, nesting);
	else
		buf_str(out, embeds[random_below(random, 7)]);
}

static void
write_insert(Random *random, const RandomProfile *profile, Buf *out, int nesting)
{
	buf_str(out, "{\"insert\":");
	if (profile->embeds && random_chance(random, 20))
		write_embed(random, profile, out, nesting);
	else
		write_text(random, profile, out);
	write_attributes(random, profile, false, out);
	buf_char(out, '}');
}

static void
write_document(Random *random, const RandomProfile *profile, Buf *out, int nesting)
{
	uint32_t count = random_below(random, (nesting > 0 ? 3 : profile->max_ops) + 1);
	uint32_t i;

	buf_char(out, '[');
	for (i = 0; i < count; i++)
	{
		if (i > 0)
			buf_char(out, ',');
		write_insert(random, profile, out, nesting);
	}
	buf_char(out, ']');
}

static Units
units_of(Arena *arena, const Delta *document)
{
	Units	 units;
	int64_t	 at = 0;
	uint32_t i;

	units.length = delta_length(document);
	units.flags = must_alloc(arena, (size_t) units.length + 1, 1);
	units.embeds = must_alloc(arena, (size_t) units.length + 1, sizeof(DeltaOp *));
	memset(units.flags, 0, (size_t) units.length + 1);
	memset(units.embeds, 0, ((size_t) units.length + 1) * sizeof(DeltaOp *));
	for (i = 0; i < document->count; i++)
	{
		const DeltaOp *op = &document->ops[i];
		uint32_t	   byte;

		if (op->kind == DELTA_INSERT_EMBED)
		{
			if (op->bytes > 9 && memcmp(op->data, "{\"delta\":", 9) == 0)
			{
				units.flags[at] = UNIT_NESTED;
				units.embeds[at] = op;
			}
			at++;
			continue;
		}
		for (byte = 0; byte < op->bytes; byte++)
		{
			uint8_t c = (uint8_t) op->data[byte];

			if ((c & 0xc0) == 0x80)
				continue;
			at++;
			if (c >= 0xf0)
				units.flags[at++] = UNIT_SECOND_HALF;
		}
	}
	return units;
}

/* The change of a nested document as an array of ops: {"delta":[...]} without its wrapping is a Delta of its own. */
static void
write_nested_change(Random *random, Arena *arena, const RandomProfile *profile, const DeltaOp *embed,
					Buf *out, int nesting)
{
	Delta inner = must_parse(arena, embed->data + 9, embed->bytes - 10);

	buf_str(out, "{\"delta\":");
	write_change(random, arena, profile, &inner, out, nesting + 1);
	buf_char(out, '}');
}

static void
write_count(Random *random, const Units *units, int64_t *at, Buf *out)
{
	uint32_t most = random_chance(random, 10) ? 30 + (uint32_t) units->length : 5;
	int64_t	 to = *at + 1 + random_below(random, most);

	if (to > units->length)
		to = units->length;
	if (units->flags[to] & UNIT_SECOND_HALF)
		to++;
	buf_i64(out, to - *at);
	*at = to;
}

static void
write_change(Random *random, Arena *arena, const RandomProfile *profile, const Delta *document, Buf *out,
			 int nesting)
{
	Units units = units_of(arena, document);
	/* Onto a large document mostly small changes, as people make them. */
	bool	 small = nesting > 0 || (profile->max_ops > 100 && random_chance(random, 80));
	uint32_t count = random_below(random, (small ? 4 : profile->max_ops * 2) + 1);
	int64_t	 at = 0;
	uint32_t i;

	buf_char(out, '[');
	for (i = 0; i < count; i++)
	{
		uint32_t kind = random_below(random, 4);

		if (i > 0)
			buf_char(out, ',');
		if (kind == 0 || at == units.length)
			write_insert(random, profile, out, nesting);
		else if (kind == 1)
		{
			buf_str(out, "{\"delete\":");
			write_count(random, &units, &at, out);
			buf_char(out, '}');
		}
		else
		{
			buf_str(out, "{\"retain\":");
			if ((units.flags[at] & UNIT_NESTED) && random_chance(random, 60))
				write_nested_change(random, arena, profile, units.embeds[at++], out, nesting);
			else
				write_count(random, &units, &at, out);
			write_attributes(random, profile, true, out);
			buf_char(out, '}');
		}
	}
	buf_char(out, ']');
}

Delta
random_document(Random *random, Arena *arena, const RandomProfile *profile)
{
	Buf buf;

	buf_init(&buf, collab_malloc_alloc);
	write_document(random, profile, &buf, 0);
	return parse_buf(arena, &buf);
}

Delta
random_change(Random *random, Arena *arena, const RandomProfile *profile, const Delta *document)
{
	Buf buf;

	buf_init(&buf, collab_malloc_alloc);
	write_change(random, arena, profile, document, &buf, 0);
	return parse_buf(arena, &buf);
}

Delta
random_loose_change(Random *random, Arena *arena, const RandomProfile *profile)
{
	uint32_t count = random_below(random, profile->max_ops + 1);
	uint32_t i;
	Buf		 buf;

	buf_init(&buf, collab_malloc_alloc);
	buf_char(&buf, '[');
	for (i = 0; i < count; i++)
	{
		if (i > 0)
			buf_char(&buf, ',');
		switch (random_below(random, 3))
		{
			case 0:
				write_insert(random, profile, &buf, 0);
				break;
			case 1:
				buf_str(&buf, "{\"delete\":");
				buf_u64(&buf, 1 + random_below(random, 6));
				buf_char(&buf, '}');
				break;
			default:
				buf_str(&buf, "{\"retain\":");
				buf_u64(&buf, 1 + random_below(random, 6));
				write_attributes(random, profile, true, &buf);
				buf_char(&buf, '}');
				break;
		}
	}
	buf_char(&buf, ']');
	return parse_buf(arena, &buf);
}

int64_t
random_position(Random *random, const Delta *document)
{
	int64_t length = delta_length(document);
	int64_t at = random_below(random, (uint32_t) length + 1);
	Arena	scratch;
	Units	units;

	arena_init(&scratch, collab_malloc_alloc);
	units = units_of(&scratch, document);
	if (units.flags[at] & UNIT_SECOND_HALF)
		at--;
	arena_free(&scratch);
	return at;
}

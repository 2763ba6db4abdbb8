/* edits.c - random changes anywhere in large documents, for the tests of the editable sequences. */
#include "edits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
must_alloc(Arena *arena, size_t size)
{
	void *result = arena_alloc(arena, size);

	if (result == NULL)
		abort();
	return result;
}

uint64_t
test_seed(const char *name, uint64_t otherwise)
{
	const char *given = getenv("FUZZ_SEED");
	uint64_t	seed = given != NULL ? strtoull(given, NULL, 10) : otherwise;

	printf("%s: FUZZ_SEED=%" PRIu64 "\n", name, seed);
	return seed;
}

Delta
must_compose(Arena *arena, const Delta *document, const Delta *change)
{
	CollabError error = {COLLAB_OK, -1, ""};
	Delta		result;

	if (delta_compose(arena, document, change, &result, &error) != COLLAB_OK)
	{
		fprintf(stderr, "compose failed: %s\n", error.message);
		abort();
	}
	return result;
}

Delta
copy_delta(Arena *arena, const Delta *delta)
{
	Delta	 copy;
	uint8_t *bytes;
	Buf		 buf;

	buf_init(&buf, collab_malloc_alloc);
	delta_encode(delta, &buf);
	bytes = must_alloc(arena, buf.size);
	memcpy(bytes, buf.data, buf.size);
	if (delta_decode(arena, bytes, buf.size, &copy, NULL) != COLLAB_OK)
		abort();
	buf_free(&buf);
	return copy;
}

const char *
random_text(Random *random, Arena *arena, bool wide, size_t bytes, size_t *size)
{
	static const char *const characters[] = {"a", "b", "\n", "\xc3\xa4", "\xe6\xbc\xa2", "\xf0\x9f\x98\x80"};
	char					*text = must_alloc(arena, bytes + 4);
	size_t					 at = 0;

	while (at < bytes)
	{
		const char *character = characters[random_below(random, wide ? 6 : 3)];

		memcpy(text + at, character, strlen(character));
		at += strlen(character);
	}
	*size = at;
	return text;
}

/* A position at or behind `from` that cuts no pair. */
static int64_t
position_behind(Random *random, Arena *arena, const Delta *document, int64_t from)
{
	Delta rest;

	if (delta_slice(arena, document, from, -1, &rest, NULL) != COLLAB_OK)
		abort();
	return from + random_position(random, &rest);
}

static void
write_attributes(Random *random, const RandomProfile *profile, Buf *out)
{
	static const char *const attributes[] = {"{\"bold\":true}", "{\"bold\":null}",
											 "{\"color\":\"red\",\"a\":1}", "{\"color\":null}"};

	if (profile->attributes)
	{
		buf_str(out, ",\"attributes\":");
		buf_str(out, attributes[random_below(random, 4)]);
	}
}

static void
write_count(Buf *out, const char *key, int64_t count)
{
	buf_str(out, "{\"");
	buf_str(out, key);
	buf_str(out, "\":");
	buf_i64(out, count);
}

/* One long thing at `position`. */
static Delta
large_edit(Random *random, Arena *arena, const RandomProfile *profile, const Delta *document, int64_t position)
{
	int64_t end = position_behind(random, arena, document, position);
	char   *json;
	Delta	delta;
	Buf		buf;

	buf_init(&buf, collab_malloc_alloc);
	buf_char(&buf, '[');
	if (position > 0)
	{
		write_count(&buf, "retain", position);
		buf_str(&buf, "},");
	}
	/* mostly grow */
	if (end == position || random_chance(random, 60))
	{
		size_t		size;
		const char *text = random_text(random, arena, profile->pairs, 1 + random_below(random, 3000), &size);

		buf_str(&buf, "{\"insert\":");
		buf_json_string(&buf, text, size);
		if (random_chance(random, 50))
			write_attributes(random, profile, &buf);
	}
	else if (!profile->attributes || random_chance(random, 50))
		write_count(&buf, "delete", end - position);
	else
	{
		write_count(&buf, "retain", end - position);
		write_attributes(random, profile, &buf);
	}
	buf_str(&buf, "}]");
	json = must_alloc(arena, buf.size);
	memcpy(json, buf.data, buf.size);
	delta = must_parse(arena, json, buf.size);
	buf_free(&buf);
	return delta;
}

Delta
random_edit(Random *random, Arena *arena, const RandomProfile *profile, const Delta *document)
{
	int64_t position = random_chance(random, 20) ? 0 : random_position(random, document);
	Delta	rest;
	Delta	change;
	Delta	moved;

	if (random_chance(random, 12))
		return large_edit(random, arena, profile, document, position);
	if (delta_slice(arena, document, position, position + 200, &rest, NULL) != COLLAB_OK &&
		delta_slice(arena, document, position, -1, &rest, NULL) != COLLAB_OK)
		abort();
	change = random_change(random, arena, profile, &rest);
	if (position == 0 || change.count == 0)
		return change;
	moved.ops = must_alloc(arena, (change.count + 1) * sizeof(DeltaOp));
	moved.count = 0;
	if (change.ops[0].kind != DELTA_RETAIN || change.ops[0].attrs.bytes > 0)
	{
		memset(&moved.ops[0], 0, sizeof(DeltaOp));
		moved.ops[0].kind = DELTA_RETAIN;
		moved.count = 1;
	}
	memcpy(moved.ops + moved.count, change.ops, change.count * sizeof(DeltaOp));
	moved.count += change.count;
	moved.ops[0].units += position;
	return moved;
}

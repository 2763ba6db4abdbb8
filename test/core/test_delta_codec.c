/* test_delta_codec.c - the binary form: its bytes, one form per value, and what must not decode. */
#include "helpers.h"

static CollabStatus
decode(Arena *arena, const char *bytes, size_t size, CollabError *err)
{
	uint8_t		*exact = (uint8_t *) exact_copy(bytes, size);
	Delta		 delta;
	CollabStatus status = delta_decode(arena, exact, size, &delta, err);

	if (status == COLLAB_OK)
	{
		Buf buf;

		/* what decodes is canonical, and has just these bytes */
		assert_true(delta_valid(&delta));
		buf_init(&buf, collab_malloc_alloc);
		delta_encode(&delta, &buf);
		assert_int_equal(buf.size, size);
		assert_memory_equal(buf.data, bytes, size);
		buf_free(&buf);
	}
	free(exact);
	return status;
}

static const char *const samples[] = {
	"[]",
	"[{\"insert\":\"x\"}]",
	"[{\"retain\":1234},{\"insert\":\"x\"}]",
	"[{\"retain\":15},{\"delete\":16}]",
	"[{\"retain\":16},{\"delete\":15}]",
	"[{\"retain\":9007199254740990},{\"delete\":1}]",
	"[{\"insert\":\"0123456789abcde\"},{\"insert\":\"0123456789abcdef\",\"attributes\":{\"bold\":true}}]",
	"[{\"insert\":\"a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"}]",
	"[{\"insert\":{\"image\":\"x.png\"},\"attributes\":{\"alt\":\"y\",\"n\":null}}]",
	"[{\"insert\":7},{\"insert\":false},{\"insert\":[1,{\"a\":null}]}]",
	"[{\"retain\":{\"delta\":[{\"retain\":1,\"attributes\":{\"b\":null}},{\"insert\":\"x\"}]},\"attributes\":{\"c\":1}},{\"insert\":\"y\"}]",
	"[{\"retain\":1,\"attributes\":{\"\":null,\"\\n\":{\"z\":[0.5,1e+21]},\"!\":\"\\u0001\"}}]",
	"[{\"insert\":\"a\",\"attributes\":{\"b\":1}},{\"insert\":\"b\",\"attributes\":{\"b\":2}},{\"insert\":\"c\"},{\"delete\":300}]",
};

static void
test_bytes(void **state)
{
	static const struct
	{
		const char *json;
		const char *bytes;
		size_t		size;
	} cases[] = {
		{"[]", "\x01", 1},
		{"[{\"insert\":\"x\"}]", "\x01\x12x", 3},
		{"[{\"retain\":1234},{\"insert\":\"x\"}]", "\x01\x01\xd2\x09\x12x", 6},
		{"[{\"retain\":15},{\"delete\":16}]", "\x01\xf1\x00\x10", 4},
		{"[{\"insert\":\"x\",\"attributes\":{\"b\":1}}]",
		 "\x01\x1a\x04\x01"
		 "b\x01"
		 "1x",
		 8},
		{"[{\"insert\":[]}]", "\x01\x23[]", 4},
		{"[{\"retain\":{\"delta\":[]}}]", "\x01\xc4{\"delta\":[]}", 14},
		{"[{\"retain\":9007199254740991,\"attributes\":{\"\":0}}]",
		 "\x01\x09\xff\xff\xff\xff\xff\xff\xff\x0f\x03\x00\x01"
		 "0",
		 14},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		Delta		delta = delta_of(*state, cases[i].json);
		Buf			buf;
		CollabError err;

		buf_init(&buf, collab_malloc_alloc);
		delta_encode(&delta, &buf);
		assert_int_equal(buf.size, cases[i].size);
		assert_memory_equal(buf.data, cases[i].bytes, cases[i].size);
		assert_status(decode(*state, cases[i].bytes, cases[i].size, &err), COLLAB_OK);
		buf_free(&buf);
	}
}

static void
test_round_trip(void **state)
{
	size_t i;

	for (i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
	{
		Delta		delta = delta_of(*state, samples[i]), back;
		CollabError err;
		Buf			buf;

		buf_init(&buf, collab_malloc_alloc);
		delta_encode(&delta, &buf);
		assert_status(delta_decode(*state, (uint8_t *) buf.data, buf.size, &back, &err), COLLAB_OK);
		assert_true(delta_equal(&delta, &back));
		assert_true(delta_valid(&back));
		buf_free(&buf);
	}
}

/*
 * Every prefix and every change of a single byte: refused, or a valid Delta of exactly these bytes
 * (decode() checks).
 */
static void
test_mutations(void **state)
{
	Arena *arena = *state;
	int	   accepted = 0, refused = 0;
	size_t i, at;
	int	   byte;

	for (i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
	{
		Delta		delta = delta_of(arena, samples[i]);
		CollabError err;
		Buf			buf;

		buf_init(&buf, collab_malloc_alloc);
		delta_encode(&delta, &buf);
		for (at = 0; at < buf.size; at++)
		{
			char original = buf.data[at];

			(void) decode(arena, buf.data, at, &err);
			for (byte = 0; byte < 256; byte++)
			{
				buf.data[at] = (char) byte;
				if (decode(arena, buf.data, buf.size, &err) == COLLAB_OK)
					accepted++;
				else
				{
					assert_status(err.status, COLLAB_CORRUPT);
					assert_true(err.where >= 0 && err.where <= (int64_t) buf.size);
					refused++;
				}
			}
			buf.data[at] = original;
		}
		buf_free(&buf);
		arena_reset(arena);
	}
	assert_true(accepted > 1000 && refused > 10000);
}

static void
test_hostile(void **state)
{
	static const struct
	{
		const char *what;
		const char *bytes;
		size_t		size;
	} cases[] = {
		{"nothing", "", 0},
		{"version 0", "\x00", 1},
		{"version 2", "\x02\x12x", 3},
		{"unknown kind", "\x01\x15", 2},
		{"size is missing", "\x01\x01", 2},
		{"size 0", "\x01\x01\x00", 3},
		{"size in a varint that fits the head", "\x01\x00\x0f", 3},
		{"size not in its shortest form", "\x01\x00\x90\x00", 4},
		{"endless varint", "\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 13},
		{"beyond 2^53 - 1", "\x01\x00\x80\x80\x80\x80\x80\x80\x80\x10", 10},
		{"sum beyond 2^53 - 1",
		 "\x01\x09\xff\xff\xff\xff\xff\xff\xff\x0f\x03\x00\x01"
		 "0\x10",
		 15},
		{"text past the end", "\x01\x22x", 3},
		{"large text past the end", "\x01\x02\xff\xff\xff\xff\xff\xff\xff\x0f", 10},
		{"delete with attributes",
		 "\x01\x18\x04\x01"
		 "b\x01"
		 "1",
		 7},
		{"attributes of size 0", "\x01\x19\x00", 3},
		{"attributes past the end",
		 "\x01\x19\x05\x01"
		 "b\x01"
		 "1",
		 7},
		{"attributes that end early",
		 "\x01\x19\x03\x01"
		 "b\x01",
		 6},
		{"retain at the end", "\x01\x11", 2},
		{"two deletes", "\x01\x10\x10", 3},
		{"two retains", "\x01\x11\x11\x10", 4},
		{"two texts", "\x01\x12x\x12y", 5},
		{"insert behind a delete", "\x01\x10\x12x", 4},
		{"embed behind a delete", "\x01\x10\x23[]", 5},
		{"invalid UTF-8", "\x01\x12\xff", 3},
		{"half a character", "\x01\x12\xc3", 3},
		{"a surrogate", "\x01\x32\xed\xa0\x80", 5},
		{"U+0000", "\x01\x12\x00", 3},
		{"text as an embed", "\x01\x33\"a\"", 5},
		{"null as an embed", "\x01\x43null", 6},
		{"embed that is no JSON", "\x01\x13x", 3},
		{"embed that is not canonical", "\x01\x33[ ]", 5},
		{"embed change of another type", "\x01\xa4{\"image\":1}", 13},
		{"embed change that is not canonical",
		 "\x01\x04\x1f{\"delta\":[{\"insert\":\"a\"},{\"insert\":\"b\"}]}", 43},
		{"number as an embed change",
		 "\x01\x14"
		 "1",
		 3},
	};
	size_t i;
	Delta  none;

	assert_status(delta_decode(*state, NULL, 0, &none, NULL), COLLAB_CORRUPT);
	assert_status(delta_parse(*state, NULL, 0, &delta_limits_none, &none, NULL), COLLAB_SYNTAX);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		CollabError err = {COLLAB_OK, -1, ""};

		if (decode(*state, cases[i].bytes, cases[i].size, &err) != COLLAB_CORRUPT)
			fail_msg("%s: %s", cases[i].what, collab_status_name(err.status));
		assert_true(strlen(err.message) > 0);
		assert_status(
			delta_decode(*state, (const uint8_t *) cases[i].bytes, cases[i].size, &(Delta){NULL, 0}, NULL),
			COLLAB_CORRUPT);
	}
}

/* Memory follows the bytes that are there, not the sizes they claim. */
static void
test_memory(void **state)
{
	Arena	   *arena = *state;
	CollabError err;
	char	   *many = malloc(100001);
	int			i;

	assert_status(decode(arena, "\x01\x02\xff\xff\xff\xff\x0f", 7, &err), COLLAB_CORRUPT);
	assert_int_equal(arena->used, 0);
	many[0] = 1;
	memset(many + 1, 0x10, 100000); /* deletes that should have been merged: refused at the second */
	assert_status(decode(arena, many, 100001, &err), COLLAB_CORRUPT);
	assert_int_equal(err.where, 2);
	for (i = 0; i < 50000; i++) /* embeds of one byte */
		memcpy(many + 1 + 2 * i,
			   "\x13"
			   "1",
			   2);
	assert_status(decode(arena, many, 100001, &err), COLLAB_OK);
	free(many);
}

/* Embed and attribute values as deep as a printed Delta can be read back, no deeper. */
static void
test_depth(void **state)
{
	int levels;

	for (levels = 505; levels <= 513; levels++)
	{
		Buf			buf;
		CollabError err;
		int			i;

		buf_init(&buf, collab_malloc_alloc);
		buf_bytes(&buf, "\x01\x03", 2);
		buf_char(&buf, (char) (0x80 | ((2 * levels) & 0x7F)));
		buf_char(&buf, (char) ((2 * levels) >> 7));
		for (i = 0; i < levels; i++)
			buf_char(&buf, '[');
		for (i = 0; i < levels; i++)
			buf_char(&buf, ']');
		assert_status(decode(*state, buf.data, buf.size, &err), levels <= 509 ? COLLAB_OK : COLLAB_CORRUPT);
		buf_free(&buf);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		arena_test(test_bytes),	  arena_test(test_round_trip), arena_test(test_mutations),
		arena_test(test_hostile), arena_test(test_memory),	   arena_test(test_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_attrs.c - attributes: the algebra of quill-delta's AttributeMap, and their canonical bytes. */
#include "helpers.h"

#include "../../core/attrs.h"
#include "../../core/delta_text.h"

/* The attributes of a JSON object, by way of an op. */
static DeltaAttrs
attrs_of(Arena *arena, const char *json)
{
	char  text[512];
	Delta delta;

	snprintf(text, sizeof(text), "[{\"insert\":\"x\",\"attributes\":%s}]", json);
	delta = delta_of(arena, memcpy(arena_alloc(arena, strlen(text) + 1), text, strlen(text) + 1));
	return delta.ops[0].attrs;
}

static void
assert_attrs(DeltaAttrs attrs, const char *expected)
{
	Buf buf;

	buf_init(&buf, collab_malloc_alloc);
	attrs_print(attrs, &buf);
	buf_char(&buf, '\0');
	assert_string_equal(buf.data, expected);
	buf_free(&buf);
	assert_true(attrs_check(attrs, NULL));
	assert_int_equal(attrs.bytes == 0, strcmp(expected, "{}") == 0);
}

static void
assert_compose(Arena *arena, const char *a, const char *b, bool keep_null, const char *expected)
{
	DeltaAttrs result;

	assert_status(attrs_compose(arena, attrs_of(arena, a), attrs_of(arena, b), keep_null, &result, NULL),
				  COLLAB_OK);
	assert_attrs(result, expected);
}

static void
test_compose(void **state)
{
	Arena *arena = *state;

	assert_compose(arena, "{}", "{}", false, "{}");
	assert_compose(arena, "{\"bold\":true,\"color\":\"red\"}", "{}", false,
				   "{\"bold\":true,\"color\":\"red\"}");
	assert_compose(arena, "{}", "{\"bold\":true,\"color\":\"red\"}", false,
				   "{\"bold\":true,\"color\":\"red\"}");
	assert_compose(arena, "{\"bold\":true,\"color\":\"red\"}", "{\"italic\":true}", false,
				   "{\"bold\":true,\"color\":\"red\",\"italic\":true}");
	assert_compose(arena, "{\"bold\":true,\"color\":\"red\"}", "{\"color\":\"blue\",\"bold\":false}", false,
				   "{\"bold\":false,\"color\":\"blue\"}");
	assert_compose(arena, "{\"bold\":true,\"color\":\"red\"}", "{\"bold\":null}", false,
				   "{\"color\":\"red\"}");
	assert_compose(arena, "{\"bold\":true,\"color\":\"red\"}", "{\"bold\":null}", true,
				   "{\"bold\":null,\"color\":\"red\"}");
	assert_compose(arena, "{\"bold\":true,\"color\":\"red\"}", "{\"bold\":null,\"color\":null}", false, "{}");
	assert_compose(arena, "{\"bold\":true,\"color\":\"red\"}", "{\"italic\":null}", false,
				   "{\"bold\":true,\"color\":\"red\"}");
	assert_compose(arena, "{}", "{\"italic\":null}", false, "{}");
	assert_compose(arena, "{}", "{\"italic\":null}", true, "{\"italic\":null}");
	assert_compose(arena, "{\"x\":null}", "{\"y\":1}", false,
				   "{\"x\":null,\"y\":1}"); /* a null that a has stays */
	assert_compose(arena, "{\"o\":{\"a\":1,\"b\":2}}", "{\"o\":{\"a\":3}}", false,
				   "{\"o\":{\"a\":3}}"); /* replaced, not merged */
	assert_compose(arena, "{\"ab\":1,\"b\":2}", "{\"a\":0,\"abc\":3,\"c\":4}", false,
				   "{\"a\":0,\"ab\":1,\"abc\":3,\"b\":2,\"c\":4}");
}

static void
assert_transform(Arena *arena, const char *a, const char *b, bool a_first, const char *expected)
{
	DeltaAttrs result;

	assert_status(attrs_transform(arena, attrs_of(arena, a), attrs_of(arena, b), a_first, &result, NULL),
				  COLLAB_OK);
	assert_attrs(result, expected);
}

static void
test_transform(void **state)
{
	Arena *arena = *state;

	assert_transform(arena, "{}", "{\"a\":1}", true, "{\"a\":1}");
	assert_transform(arena, "{\"a\":1}", "{}", true, "{}");
	assert_transform(arena, "{\"bold\":true,\"color\":\"red\",\"font\":null}",
					 "{\"color\":\"blue\",\"font\":\"serif\",\"italic\":true}", true, "{\"italic\":true}");
	assert_transform(arena, "{\"bold\":true,\"color\":\"red\"}", "{\"color\":\"blue\",\"italic\":true}",
					 false, "{\"color\":\"blue\",\"italic\":true}");
	assert_transform(arena, "{\"a\":1}", "{\"a\":2}", true, "{}");
}

static void
assert_invert(Arena *arena, const char *attrs, const char *base, const char *expected)
{
	DeltaAttrs result;

	assert_status(attrs_invert(arena, attrs_of(arena, attrs), attrs_of(arena, base), &result, NULL),
				  COLLAB_OK);
	assert_attrs(result, expected);
}

static void
test_invert(void **state)
{
	Arena *arena = *state;

	assert_invert(arena, "{}", "{\"bold\":true}", "{}");
	assert_invert(arena, "{\"bold\":true}", "{}", "{\"bold\":null}");
	assert_invert(arena, "{\"bold\":null}", "{\"bold\":true}", "{\"bold\":true}");
	assert_invert(arena, "{\"bold\":true}", "{\"italic\":true}", "{\"bold\":null}");
	assert_invert(arena, "{\"color\":\"red\"}", "{\"color\":\"blue\"}", "{\"color\":\"blue\"}");
	assert_invert(arena, "{\"color\":\"red\"}", "{\"color\":\"red\"}", "{}");
	assert_invert(arena, "{\"a\":1,\"b\":true,\"c\":\"red\",\"d\":null}", "{\"d\":2,\"c\":\"blue\",\"e\":5}",
				  "{\"a\":null,\"b\":null,\"c\":\"blue\",\"d\":2}");
	assert_invert(arena, "{\"k\":null}", "{}", "{\"k\":null}");
	assert_invert(arena, "{\"m\":{\"a\":1}}", "{\"m\":{\"a\":1}}",
				  "{\"m\":{\"a\":1}}"); /* ===: objects are never identical */
	assert_invert(arena, "{\"m\":[]}", "{\"m\":[]}", "{\"m\":[]}");
	assert_invert(arena, "{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1}", "{}",
				  "{\"a\":null,\"b\":null,\"c\":null,\"d\":null,\"e\":null}"); /* grows */
}

static void
assert_diff(Arena *arena, const char *a, const char *b, const char *expected, bool expected_exact)
{
	DeltaAttrs result, applied;
	bool	   exact;

	assert_status(attrs_diff(arena, attrs_of(arena, a), attrs_of(arena, b), &result, &exact, NULL), COLLAB_OK);
	assert_attrs(result, expected);
	assert_int_equal(exact, expected_exact);
	assert_status(attrs_compose(arena, attrs_of(arena, a), result, false, &applied, NULL), COLLAB_OK);
	assert_int_equal(attrs_equal(applied, attrs_of(arena, b)), exact);
}

static void
test_diff(void **state)
{
	Arena *arena = *state;

	assert_diff(arena, "{}", "{\"bold\":true}", "{\"bold\":true}", true);
	assert_diff(arena, "{\"bold\":true}", "{}", "{\"bold\":null}", true);
	assert_diff(arena, "{\"bold\":true,\"color\":\"red\"}", "{\"bold\":true,\"color\":\"red\"}", "{}", true);
	assert_diff(arena, "{\"bold\":true,\"color\":\"red\"}", "{\"bold\":true,\"color\":\"blue\"}",
				"{\"color\":\"blue\"}", true);
	assert_diff(arena, "{\"a\":{\"x\":[1]}}", "{\"a\":{\"x\":[1]},\"b\":1}", "{\"b\":1}", true);
	assert_diff(arena, "{\"k\":null}", "{}", "{\"k\":null}", true);
	assert_diff(arena, "{\"k\":null,\"l\":1}", "{\"k\":null}", "{\"l\":null}", true);
	assert_diff(arena, "{}", "{\"k\":null}", "{\"k\":null}", false);
	assert_diff(arena, "{\"k\":1}", "{\"k\":null,\"z\":1}", "{\"k\":null,\"z\":1}", false);
	assert_diff(arena, "{\"a\":1,\"b\":1,\"c\":1,\"d\":1}", "{\"e\":1}",
				"{\"a\":null,\"b\":null,\"c\":null,\"d\":null,\"e\":1}", true);
}

/* Equal maps are equal bytes, whatever they looked like. */
static void
test_equality(void **state)
{
	Arena *arena = *state;

	assert_true(attrs_equal(attrs_of(arena, "{\"a\":{\"y\":1,\"x\":2.0},\"b\":[1,2]}"),
							attrs_of(arena, "{ \"b\":[1e0,2], \"a\":{\"x\":2,\"y\":1} }")));
	assert_true(attrs_equal(attrs_of(arena, "{\"a\":0}"), attrs_of(arena, "{\"a\":-0.0}")));
	assert_true(attrs_equal(attrs_of(arena, "{\"\\u0061\":\"\\/\"}"), attrs_of(arena, "{\"a\":\"/\"}")));
	assert_false(attrs_equal(attrs_of(arena, "{\"a\":[1,2]}"), attrs_of(arena, "{\"a\":[2,1]}")));
	assert_false(attrs_equal(attrs_of(arena, "{\"a\":null}"), attrs_of(arena, "{}")));
	assert_false(attrs_equal(attrs_of(arena, "{\"a\":1}"), attrs_of(arena, "{\"a\":\"1\"}")));
	assert_false(attrs_equal(attrs_of(arena, "{\"a\":1}"), attrs_of(arena, "{\"b\":1}")));
}

/* Values and keys of every size around the steps of a varint. */
static void
test_long_entries(void **state)
{
	static const int sizes[] = {0, 1, 126, 127, 128, 129, 16382, 16383, 16384, 16385, 70000};
	Arena			*arena = *state;
	size_t			 i, j;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		for (j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++)
		{
			Buf			json, printed;
			AttrsCursor cursor;
			AttrsEntry	entry;
			Delta		delta;
			int			n;

			buf_init(&json, collab_malloc_alloc);
			buf_init(&printed, collab_malloc_alloc);
			buf_str(&json, "[{\"insert\":\"x\",\"attributes\":{\"~\":1,\"");
			for (n = 0; n < sizes[i]; n++)
				buf_char(&json, 'k');
			buf_str(&json, "\":\"");
			for (n = 0; n < sizes[j]; n++)
				buf_char(&json, 'v');
			buf_str(&json, "\"}}]");
			assert_status(delta_parse(arena, json.data, json.size, &delta_limits_none, &delta, NULL),
						  COLLAB_OK);
			assert_true(delta_valid(&delta));
			assert_int_equal(attrs_count(delta.ops[0].attrs), 2);
			cursor = attrs_begin(delta.ops[0].attrs);
			assert_true(attrs_next(&cursor, &entry));
			assert_int_equal(entry.key_bytes, sizes[i]);
			assert_int_equal(entry.value_bytes, sizes[j] + 2);
			assert_true(attrs_next(&cursor, &entry));
			assert_int_equal(entry.key[0], '~');
			assert_false(attrs_next(&cursor, &entry));
			buf_free(&json);
			buf_free(&printed);
			arena_reset(arena);
		}
	}
}

static bool
check(const char *bytes, size_t size)
{
	uint8_t	  *exact = (uint8_t *) exact_copy(bytes, size);
	DeltaAttrs attrs = {exact, (uint32_t) size};
	bool	   ok = attrs_check(attrs, NULL);

	free(exact);
	return ok;
}

static void
test_hostile_bytes(void **state)
{
	(void) state;
	assert_true(check("\1a\1"
					  "1",
					  4));
	assert_true(check("\0\1"
					  "1",
					  3));
	assert_true(check("\1a\1"
					  "1"
					  "\1b\4null",
					  11));
	assert_false(check("\1a\1", 3)); /* value is missing */
	assert_false(check("\1a", 2));	 /* size is missing */
	assert_false(check("\1", 1));	 /* key is missing */
	assert_false(check("\2a\1"
					   "1",
					   4)); /* key reaches into the value */
	assert_false(check("\1a\2"
					   "1",
					   4)); /* value reaches past the end */
	assert_false(check("\x81\0a\1"
					   "1",
					   5)); /* size not in its shortest form */
	assert_false(check("\1a\1"
					   "x",
					   4)); /* no JSON */
	assert_false(check("\1a\2"
					   " 1",
					   5));			 /* not canonical */
	assert_false(check("\1a\0", 3)); /* nothing */
	assert_false(check("\1\xff\1"
					   "1",
					   4)); /* no UTF-8 */
	assert_false(check("\1\0\1"
					   "1",
					   4)); /* U+0000 */
	assert_false(check("\1b\1"
					   "1\1a\1"
					   "1",
					   8)); /* descending */
	assert_false(check("\1a\1"
					   "1\1a\1"
					   "1",
					   8)); /* twice */
	assert_false(check("\xff\xff\xff\xff\xff\xff\xff\xff\xff\1a", 11));
	assert_false(check("\xff\xff\xff\xff\xff\xff\xff\x7f"
					   "a",
					   9));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		arena_test(test_compose),
		arena_test(test_transform),
		arena_test(test_invert),
		arena_test(test_diff),
		arena_test(test_equality),
		arena_test(test_long_entries),
		cmocka_unit_test(test_hostile_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

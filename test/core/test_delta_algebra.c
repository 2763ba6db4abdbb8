/* test_delta_algebra.c - compose, transform, invert, positions, slices and measures, case by case. */
#include "helpers.h"

static void
assert_compose(Arena *arena, const char *a, const char *b, const char *expected)
{
	Delta		x = delta_of(arena, a), y = delta_of(arena, b), result;
	CollabError err = {COLLAB_OK, -1, ""};

	if (delta_compose(arena, &x, &y, &result, &err) != COLLAB_OK)
		fail_msg("%s o %s: %s", a, b, err.message);
	assert_ops(arena, &result, expected);
}

static void
refuse_compose(Arena *arena, const char *a, const char *b, CollabStatus expected)
{
	Delta		x = delta_of(arena, a), y = delta_of(arena, b), result;
	CollabError err = {COLLAB_OK, -1, ""};

	assert_status(delta_compose(arena, &x, &y, &result, &err), expected);
	assert_status(err.status, expected);
	assert_status(delta_compose(arena, &x, &y, &result, NULL), expected);
}

/* quill-delta's own examples. */
static void
test_compose(void **state)
{
	Arena *arena = *state;

	assert_compose(arena, "[{\"insert\":\"A\"}]", "[{\"insert\":\"B\"}]", "[{\"insert\":\"BA\"}]");
	assert_compose(arena, "[{\"insert\":\"A\"}]",
				   "[{\"retain\":1,\"attributes\":{\"bold\":true,\"color\":\"red\",\"font\":null}}]",
				   "[{\"insert\":\"A\",\"attributes\":{\"bold\":true,\"color\":\"red\"}}]");
	assert_compose(arena, "[{\"insert\":\"A\"}]", "[{\"delete\":1}]", "[]");
	assert_compose(arena, "[{\"delete\":1}]", "[{\"insert\":\"B\"}]", "[{\"insert\":\"B\"},{\"delete\":1}]");
	assert_compose(arena, "[{\"delete\":1}]", "[{\"retain\":1,\"attributes\":{\"bold\":true}}]",
				   "[{\"delete\":1},{\"retain\":1,\"attributes\":{\"bold\":true}}]");
	assert_compose(arena, "[{\"delete\":1}]", "[{\"delete\":1}]", "[{\"delete\":2}]");
	assert_compose(arena, "[{\"retain\":1,\"attributes\":{\"color\":\"blue\"}}]", "[{\"insert\":\"B\"}]",
				   "[{\"insert\":\"B\"},{\"retain\":1,\"attributes\":{\"color\":\"blue\"}}]");
	assert_compose(arena, "[{\"retain\":1,\"attributes\":{\"color\":\"blue\"}}]",
				   "[{\"retain\":1,\"attributes\":{\"bold\":true,\"color\":\"red\",\"font\":null}}]",
				   "[{\"retain\":1,\"attributes\":{\"bold\":true,\"color\":\"red\",\"font\":null}}]");
	assert_compose(arena, "[{\"retain\":1,\"attributes\":{\"color\":\"blue\"}}]", "[{\"delete\":1}]",
				   "[{\"delete\":1}]");
	assert_compose(arena, "[{\"insert\":\"Hello\"}]", "[{\"retain\":3},{\"insert\":\"X\"}]",
				   "[{\"insert\":\"HelXlo\"}]");
	assert_compose(arena, "[{\"insert\":\"Hello\"}]", "[{\"retain\":3},{\"insert\":\"X\"},{\"delete\":1}]",
				   "[{\"insert\":\"HelXo\"}]");
	assert_compose(arena, "[{\"insert\":{\"src\":\"i\"},\"attributes\":{\"width\":\"300\"}}]",
				   "[{\"retain\":1,\"attributes\":{\"height\":\"200\"}}]",
				   "[{\"insert\":{\"src\":\"i\"},\"attributes\":{\"height\":\"200\",\"width\":\"300\"}}]");
	assert_compose(arena, "[{\"insert\":\"A\",\"attributes\":{\"bold\":true}}]",
				   "[{\"retain\":1,\"attributes\":{\"bold\":null}}]", "[{\"insert\":\"A\"}]");
	assert_compose(arena, "[{\"insert\":\"A\",\"attributes\":{\"bold\":true}},{\"insert\":\"B\"}]",
				   "[{\"retain\":1,\"attributes\":{\"bold\":null}}]", "[{\"insert\":\"AB\"}]");
	assert_compose(
		arena,
		"[{\"insert\":\"A\",\"attributes\":{\"b\":1}},{\"insert\":\"B\"},{\"insert\":\"C\",\"attributes\":{\"b\":1}},{\"insert\":\"D\",\"attributes\":{\"i\":1}}]",
		"[{\"retain\":1},{\"delete\":1},{\"insert\":\"E\",\"attributes\":{\"b\":1}}]",
		"[{\"insert\":\"AEC\",\"attributes\":{\"b\":1}},{\"insert\":\"D\",\"attributes\":{\"i\":1}}]");
	assert_compose(
		arena, "[{\"delete\":5},{\"retain\":1,\"attributes\":{\"b\":1}}]",
		"[{\"insert\":\"x\"},{\"retain\":1},{\"insert\":\"y\"}]",
		"[{\"insert\":\"x\"},{\"delete\":5},{\"retain\":1,\"attributes\":{\"b\":1}},{\"insert\":\"y\"}]");
}

static void
test_compose_ends(void **state)
{
	Arena *arena = *state;

	assert_compose(arena, "[]", "[{\"retain\":5},{\"insert\":\"x\"}]", "[{\"retain\":5},{\"insert\":\"x\"}]");
	assert_compose(arena, "[{\"insert\":\"abc\"}]", "[]", "[{\"insert\":\"abc\"}]");
	assert_compose(arena, "[{\"insert\":\"abc\"}]", "[{\"retain\":3},{\"insert\":\"d\"}]",
				   "[{\"insert\":\"abcd\"}]");
	assert_compose(arena, "[{\"insert\":\"abc\"},{\"delete\":1}]", "[{\"retain\":9},{\"insert\":\"d\"}]",
				   "[{\"insert\":\"abc\"},{\"delete\":1},{\"retain\":6},{\"insert\":\"d\"}]");
	refuse_compose(arena, "[{\"insert\":\"abc\"}]", "[{\"retain\":4},{\"insert\":\"d\"}]", COLLAB_RANGE);
	refuse_compose(arena, "[{\"insert\":\"abc\"}]", "[{\"delete\":4}]", COLLAB_RANGE);
	refuse_compose(arena, "[{\"insert\":\"abc\"}]", "[{\"retain\":4,\"attributes\":{\"b\":1}}]", COLLAB_RANGE);
	refuse_compose(arena, "[{\"retain\":9007199254740990},{\"insert\":\"x\"}]", "[{\"insert\":\"yz\"}]",
				   COLLAB_LIMIT);
	refuse_compose(arena, "[{\"delete\":9007199254740991}]", "[{\"delete\":1}]", COLLAB_LIMIT);
}

static void
test_pairs(void **state)
{
	static const char text[] = "[{\"insert\":\"a\xf0\x9f\x98\x80"
							   "b\"}]";
	Arena			 *arena = *state;

	refuse_compose(arena, text, "[{\"retain\":2},{\"insert\":\"x\"}]", COLLAB_SURROGATE);
	refuse_compose(arena, text, "[{\"retain\":1},{\"delete\":1}]", COLLAB_SURROGATE);
	refuse_compose(arena, text, "[{\"retain\":2},{\"delete\":1}]", COLLAB_SURROGATE);
	refuse_compose(arena, text, "[{\"retain\":2,\"attributes\":{\"b\":1}}]", COLLAB_SURROGATE);
	assert_compose(arena, text, "[{\"retain\":1},{\"delete\":2}]", "[{\"insert\":\"ab\"}]");
	assert_compose(arena, text, "[{\"retain\":3},{\"insert\":\"x\"}]",
				   "[{\"insert\":\"a\xf0\x9f\x98\x80xb\"}]");
	assert_compose(
		arena, text, "[{\"retain\":1},{\"retain\":2,\"attributes\":{\"b\":1}}]",
		"[{\"insert\":\"a\"},{\"insert\":\"\xf0\x9f\x98\x80\",\"attributes\":{\"b\":1}},{\"insert\":\"b\"}]");
}

/* Merging n neighbours copies each byte once: 20,000 pieces of a text are no 20,000 copies of it. */
static void
test_many_pieces(void **state)
{
	Arena	   *arena = *state;
	Buf			a, b;
	Delta		x, y, result;
	CollabError err;
	int			i;

	buf_init(&a, collab_malloc_alloc);
	buf_init(&b, collab_malloc_alloc);
	buf_char(&a, '[');
	buf_char(&b, '[');
	for (i = 0; i < 20000; i++)
	{
		buf_str(&a, i == 0 ? "" : ",");
		buf_str(&a, i % 2 ? "{\"insert\":\"0123456789\",\"attributes\":{\"b\":1}}"
						  : "{\"insert\":\"0123456789\"}");
	}
	buf_str(&b, "{\"retain\":200000,\"attributes\":{\"b\":null}}]");
	buf_char(&a, ']');
	assert_status(delta_parse(arena, a.data, a.size, &delta_limits_none, &x, &err), COLLAB_OK);
	assert_status(delta_parse(arena, b.data, b.size, &delta_limits_none, &y, &err), COLLAB_OK);
	assert_status(delta_compose(arena, &x, &y, &result, &err), COLLAB_OK);
	assert_int_equal(result.count, 1);
	assert_int_equal(result.ops[0].bytes, 200000);
	assert_true(arena->used < 16 * 1024 * 1024);
	buf_free(&a);
	buf_free(&b);
}

static void
assert_transform(Arena *arena, const char *a, const char *b, const char *a_first, const char *b_first)
{
	Delta		x = delta_of(arena, a), y = delta_of(arena, b), result;
	CollabError err = {COLLAB_OK, -1, ""};

	assert_status(delta_transform(arena, &x, &y, true, &result, &err), COLLAB_OK);
	assert_ops(arena, &result, a_first);
	assert_status(delta_transform(arena, &x, &y, false, &result, &err), COLLAB_OK);
	assert_ops(arena, &result, b_first);
}

static void
test_transform(void **state)
{
	Arena *arena = *state;

	assert_transform(arena, "[{\"insert\":\"A\"}]", "[{\"insert\":\"B\"}]",
					 "[{\"retain\":1},{\"insert\":\"B\"}]", "[{\"insert\":\"B\"}]");
	assert_transform(arena, "[{\"insert\":\"A\"}]", "[{\"retain\":1,\"attributes\":{\"b\":1}}]",
					 "[{\"retain\":1},{\"retain\":1,\"attributes\":{\"b\":1}}]",
					 "[{\"retain\":1},{\"retain\":1,\"attributes\":{\"b\":1}}]");
	assert_transform(arena, "[{\"insert\":\"A\"}]", "[{\"delete\":1}]", "[{\"retain\":1},{\"delete\":1}]",
					 "[{\"retain\":1},{\"delete\":1}]");
	assert_transform(arena, "[{\"delete\":1}]", "[{\"insert\":\"B\"}]", "[{\"insert\":\"B\"}]",
					 "[{\"insert\":\"B\"}]");
	assert_transform(arena, "[{\"delete\":1}]", "[{\"retain\":1,\"attributes\":{\"b\":1}}]", "[]", "[]");
	assert_transform(arena, "[{\"delete\":1}]", "[{\"delete\":1}]", "[]", "[]");
	assert_transform(arena, "[{\"retain\":1,\"attributes\":{\"color\":\"blue\"}}]",
					 "[{\"retain\":1,\"attributes\":{\"bold\":true,\"color\":\"red\"}}]",
					 "[{\"retain\":1,\"attributes\":{\"bold\":true}}]",
					 "[{\"retain\":1,\"attributes\":{\"bold\":true,\"color\":\"red\"}}]");
	assert_transform(arena, "[{\"retain\":1,\"attributes\":{\"color\":\"blue\"}}]",
					 "[{\"retain\":1,\"attributes\":{\"color\":\"red\"}},{\"insert\":\"x\"}]",
					 "[{\"retain\":1},{\"insert\":\"x\"}]",
					 "[{\"retain\":1,\"attributes\":{\"color\":\"red\"}},{\"insert\":\"x\"}]");
	assert_transform(arena, "[{\"retain\":2},{\"insert\":\"si\"},{\"delete\":5}]",
					 "[{\"retain\":1},{\"insert\":\"e\"},{\"delete\":5},{\"retain\":1},{\"insert\":\"ow\"}]",
					 "[{\"retain\":1},{\"insert\":\"e\"},{\"delete\":1},{\"retain\":2},{\"insert\":\"ow\"}]",
					 "[{\"retain\":1},{\"insert\":\"e\"},{\"delete\":1},{\"retain\":2},{\"insert\":\"ow\"}]");
	assert_transform(arena, "[{\"retain\":3},{\"insert\":\"aa\"}]", "[{\"retain\":5},{\"insert\":\"bb\"}]",
					 "[{\"retain\":7},{\"insert\":\"bb\"}]", "[{\"retain\":7},{\"insert\":\"bb\"}]");
	assert_transform(arena, "[]", "[{\"delete\":2},{\"retain\":3,\"attributes\":{\"b\":1}}]",
					 "[{\"delete\":2},{\"retain\":3,\"attributes\":{\"b\":1}}]",
					 "[{\"delete\":2},{\"retain\":3,\"attributes\":{\"b\":1}}]");
	/* what a deleted lets b's texts meet */
	assert_transform(arena, "[{\"delete\":3}]",
					 "[{\"insert\":\"a\"},{\"retain\":3},{\"insert\":\"b\"},{\"delete\":1}]",
					 "[{\"insert\":\"ab\"},{\"delete\":1}]", "[{\"insert\":\"ab\"},{\"delete\":1}]");
}

static void
test_transform_limits(void **state)
{
	Arena *arena = *state;
	Delta  a = delta_of(arena, "[{\"insert\":\"xy\"}]"),
		  b = delta_of(arena, "[{\"delete\":9007199254740990}]"), result;
	CollabError err;

	assert_status(delta_transform(arena, &a, &b, true, &result, &err), COLLAB_LIMIT);
	assert_status(delta_transform(arena, &b, &a, true, &result, &err), COLLAB_OK);
}

static void
test_transform_position(void **state)
{
	static const struct
	{
		const char *delta;
		int64_t		index, priority, without;
	} cases[] = {
		{"[{\"insert\":\"A\"}]", 2, 3, 3},
		{"[{\"retain\":2},{\"insert\":\"A\"}]", 1, 1, 1},
		{"[{\"insert\":\"A\"}]", 0, 0, 1},
		{"[{\"retain\":2},{\"insert\":\"A\"}]", 2, 2, 3},
		{"[{\"delete\":2}]", 4, 2, 2},
		{"[{\"retain\":4},{\"delete\":2}]", 2, 2, 2},
		{"[{\"retain\":2},{\"delete\":4}]", 4, 2, 2},
		{"[{\"retain\":2},{\"insert\":\"A\"},{\"delete\":2}]", 4, 3, 3},
		{"[{\"insert\":\"A\"},{\"retain\":2},{\"insert\":\"BC\"}]", 2, 3, 5},
		{"[{\"retain\":2},{\"delete\":5}]", 4, 2, 2},
		{"[]", 7, 7, 7},
		{"[{\"insert\":{\"image\":1}}]", 0, 0, 1},
		{"[{\"insert\":\"\xf0\x9f\x98\x80\"}]", 1, 3, 3},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		Delta delta = delta_of(*state, cases[i].delta);

		assert_int_equal(delta_transform_position(&delta, cases[i].index, true), cases[i].priority);
		assert_int_equal(delta_transform_position(&delta, cases[i].index, false), cases[i].without);
	}
}

static void
assert_tighten(Arena *arena, const char *change, const char *base, const char *expected)
{
	Delta		x = delta_of(arena, change), y = delta_of(arena, base), tight;
	CollabError err = {COLLAB_OK, -1, ""};

	if (delta_tighten(arena, &x, &y, &tight, &err) != COLLAB_OK)
		fail_msg("%s over %s: %s", change, base, err.message);
	assert_ops(arena, &tight, expected);
}

static void
test_tighten(void **state)
{
	Arena *arena = *state;
	Delta  x, y, tight;

	assert_tighten(arena, "[]", "[{\"insert\":\"abc\"}]", "[]");
	assert_tighten(arena, "[{\"insert\":\"ac\"},{\"delete\":3}]", "[{\"insert\":\"abcd\"}]",
				   "[{\"retain\":1},{\"delete\":1}]");
	assert_tighten(arena, "[{\"insert\":\"abc\"},{\"delete\":3},{\"retain\":1},{\"delete\":1}]",
				   "[{\"insert\":\"abcde\"}]", "[{\"retain\":4},{\"delete\":1}]");
	assert_tighten(arena, "[{\"retain\":3,\"attributes\":{\"b\":null}}]", "[{\"insert\":\"abc\"}]", "[]");
	assert_tighten(arena, "[{\"retain\":3,\"attributes\":{\"b\":1,\"i\":1}}]",
				   "[{\"insert\":\"a\"},{\"insert\":\"bc\",\"attributes\":{\"b\":1}}]",
				   "[{\"retain\":1,\"attributes\":{\"b\":1,\"i\":1}},{\"retain\":2,\"attributes\":{\"i\":1}}]");
	assert_tighten(arena, "[{\"insert\":\"ab\",\"attributes\":{\"b\":1}},{\"delete\":2}]",
				   "[{\"insert\":\"ab\"}]", "[{\"retain\":2,\"attributes\":{\"b\":1}}]");
	assert_tighten(arena, "[{\"retain\":{\"delta\":[{\"insert\":\"x\"},{\"delete\":1}]}}]",
				   "[{\"insert\":{\"delta\":[{\"insert\":\"x\"}]}}]", "[]");
	assert_tighten(arena, "[{\"retain\":1},{\"insert\":\"\xf0\x9f\x98\x80\"},{\"delete\":2}]",
				   "[{\"insert\":\"a\xf0\x9f\x98\x80\"}]", "[]");

	x = delta_of(arena, "[{\"delete\":4}]");
	y = delta_of(arena, "[{\"insert\":\"abc\"}]");
	assert_status(delta_tighten(arena, &x, &y, &tight, NULL), COLLAB_RANGE);
	assert_status(delta_tighten(arena, &x, &x, &tight, NULL), COLLAB_MISMATCH);
	x = delta_of(arena, "[{\"retain\":1},{\"delete\":1}]");
	y = delta_of(arena, "[{\"insert\":\"\xf0\x9f\x98\x80\"}]");
	assert_status(delta_tighten(arena, &x, &y, &tight, NULL), COLLAB_SURROGATE);
}

static void
assert_invert(Arena *arena, const char *change, const char *base, const char *expected)
{
	Delta		x = delta_of(arena, change), y = delta_of(arena, base), after, inverse, back;
	CollabError err = {COLLAB_OK, -1, ""};

	if (delta_invert(arena, &x, &y, &inverse, &err) != COLLAB_OK)
		fail_msg("%s over %s: %s", change, base, err.message);
	assert_ops(arena, &inverse, expected);
	assert_status(delta_compose(arena, &y, &x, &after, &err), COLLAB_OK);
	assert_status(delta_compose(arena, &after, &inverse, &back, &err), COLLAB_OK);
	assert_true(delta_equal(&back, &y));
}

static void
test_invert(void **state)
{
	Arena	   *arena = *state;
	Delta		change, base, out;
	CollabError err;

	assert_invert(arena, "[{\"retain\":2},{\"insert\":\"A\"}]", "[{\"insert\":\"123456\"}]",
				  "[{\"retain\":2},{\"delete\":1}]");
	assert_invert(arena, "[{\"retain\":2},{\"delete\":3}]", "[{\"insert\":\"123456\"}]",
				  "[{\"retain\":2},{\"insert\":\"345\"}]");
	assert_invert(arena, "[{\"retain\":2},{\"retain\":3,\"attributes\":{\"bold\":true}}]",
				  "[{\"insert\":\"123456\"}]",
				  "[{\"retain\":2},{\"retain\":3,\"attributes\":{\"bold\":null}}]");
	assert_invert(arena, "[{\"retain\":2},{\"delete\":3}]",
				  "[{\"insert\":\"123\",\"attributes\":{\"b\":1}},{\"insert\":\"456\"}]",
				  "[{\"retain\":2},{\"insert\":\"3\",\"attributes\":{\"b\":1}},{\"insert\":\"45\"}]");
	assert_invert(
		arena, "[{\"retain\":4,\"attributes\":{\"i\":1}},{\"insert\":\"x\"},{\"delete\":1}]",
		"[{\"insert\":\"12\",\"attributes\":{\"i\":1}},{\"insert\":\"3\"},{\"insert\":{\"e\":1},\"attributes\":{\"i\":2}},{\"insert\":\"9\"}]",
		"[{\"retain\":2},{\"retain\":1,\"attributes\":{\"i\":null}},{\"retain\":1,\"attributes\":{\"i\":2}},{\"insert\":\"9\"},{\"delete\":1}]");
	assert_invert(arena, "[{\"insert\":0},{\"insert\":false}]", "[]", "[{\"delete\":2}]");

	change = delta_of(arena, "[{\"delete\":2}]");
	base = delta_of(arena, "[{\"insert\":\"a\"}]");
	assert_status(delta_invert(arena, &change, &base, &out, &err), COLLAB_RANGE);
	base = delta_of(arena, "[{\"insert\":\"a\"},{\"retain\":1},{\"insert\":\"b\"}]");
	assert_status(delta_invert(arena, &change, &base, &out, &err), COLLAB_MISMATCH);
	base = delta_of(arena, "[{\"insert\":\"a\xf0\x9f\x98\x80\"}]");
	assert_status(delta_invert(arena, &change, &base, &out, &err), COLLAB_SURROGATE);
	change = delta_of(arena, "[{\"retain\":2},{\"insert\":\"x\"}]");
	assert_status(delta_invert(arena, &change, &base, &out, &err), COLLAB_SURROGATE);
}

/* quill-delta's tests of embeds, with its `delta` handler. */
static void
test_embed_changes(void **state)
{
	Arena	   *arena = *state;
	CollabError err;
	Delta		a, b, out;

	assert_compose(arena, "[{\"insert\":{\"delta\":[{\"insert\":\"a\"}]}}]",
				   "[{\"retain\":{\"delta\":[{\"insert\":\"b\"}]}}]",
				   "[{\"insert\":{\"delta\":[{\"insert\":\"ba\"}]}}]");
	assert_compose(arena, "[{\"retain\":{\"delta\":[{\"insert\":\"a\"}]}}]",
				   "[{\"retain\":{\"delta\":[{\"insert\":\"b\"}]}}]",
				   "[{\"retain\":{\"delta\":[{\"insert\":\"ba\"}]}}]");
	assert_compose(arena, "[{\"retain\":1,\"attributes\":{\"b\":1}}]",
				   "[{\"retain\":{\"delta\":[{\"insert\":\"b\"}]},\"attributes\":{\"c\":null}}]",
				   "[{\"retain\":{\"delta\":[{\"insert\":\"b\"}]},\"attributes\":{\"b\":1,\"c\":null}}]");
	assert_compose(arena, "[{\"retain\":{\"delta\":[{\"insert\":\"a\"}]},\"attributes\":{\"b\":1}}]",
				   "[{\"retain\":1,\"attributes\":{\"b\":null,\"c\":1}}]",
				   "[{\"retain\":{\"delta\":[{\"insert\":\"a\"}]},\"attributes\":{\"c\":1}}]");
	assert_compose(arena, "[{\"retain\":{\"delta\":[{\"insert\":\"a\"}]}}]", "[{\"delete\":1}]",
				   "[{\"delete\":1}]");
	assert_compose(arena, "[{\"retain\":{\"delta\":[{\"insert\":\"a\"}]}}]",
				   "[{\"retain\":{\"delta\":[{\"delete\":1}]}}]", "[{\"retain\":{\"delta\":[]}}]");
	assert_compose(arena, "[{\"retain\":{\"delta\":[{\"insert\":\"a\"}]}}]",
				   "[{\"retain\":{\"delta\":[{\"retain\":3},{\"insert\":\"x\"}]}}]",
				   "[{\"retain\":{\"delta\":[{\"insert\":\"a\"},{\"retain\":2},{\"insert\":\"x\"}]}}]");
	assert_compose(
		arena,
		"[{\"insert\":{\"delta\":[{\"insert\":{\"delta\":[{\"insert\":\"a\",\"attributes\":{\"z\":1,\"y\":2}}]}}]}}]",
		"[{\"retain\":{\"delta\":[{\"retain\":{\"delta\":[{\"retain\":1,\"attributes\":{\"z\":null}},{\"insert\":\"b\"}]}}]}}]",
		"[{\"insert\":{\"delta\":[{\"insert\":{\"delta\":[{\"attributes\":{\"y\":2},\"insert\":\"a\"},{\"insert\":\"b\"}]}}]}}]");
	refuse_compose(arena, "[{\"insert\":{\"delta\":[{\"insert\":\"a\"}]}}]",
				   "[{\"retain\":{\"delta\":[{\"delete\":2}]}}]", COLLAB_RANGE);
	refuse_compose(arena, "[{\"insert\":{\"delta\":[]}}]", "[{\"retain\":{\"delta\":[{\"delete\":1}]}}]",
				   COLLAB_RANGE);
	refuse_compose(arena, "[{\"insert\":{\"image\":1}}]", "[{\"retain\":{\"delta\":[]}}]", COLLAB_MISMATCH);
	refuse_compose(arena, "[{\"insert\":{\"delta\":5}}]", "[{\"retain\":{\"delta\":[]}}]", COLLAB_MISMATCH);
	refuse_compose(arena, "[{\"insert\":{\"delta\":[],\"x\":1}}]", "[{\"retain\":{\"delta\":[]}}]",
				   COLLAB_MISMATCH);
	refuse_compose(arena, "[{\"insert\":{\"delta\":[{\"foo\":1}]}}]", "[{\"retain\":{\"delta\":[]}}]",
				   COLLAB_MISMATCH);
	refuse_compose(arena, "[{\"insert\":[]}]", "[{\"retain\":{\"delta\":[]}}]", COLLAB_MISMATCH);
	refuse_compose(arena, "[{\"insert\":7}]", "[{\"retain\":{\"delta\":[]}}]", COLLAB_MISMATCH);
	refuse_compose(arena, "[{\"insert\":\"a\"}]", "[{\"retain\":{\"delta\":[]}}]", COLLAB_MISMATCH);

	assert_transform(arena, "[{\"retain\":{\"delta\":[{\"insert\":\"a\"}]}}]",
					 "[{\"retain\":{\"delta\":[{\"insert\":\"b\"}]}}]",
					 "[{\"retain\":{\"delta\":[{\"retain\":1},{\"insert\":\"b\"}]}}]",
					 "[{\"retain\":{\"delta\":[{\"insert\":\"b\"}]}}]");
	assert_transform(arena, "[{\"retain\":1,\"attributes\":{\"a\":1}}]",
					 "[{\"retain\":{\"delta\":[{\"insert\":\"b\"}]},\"attributes\":{\"a\":2}}]",
					 "[{\"retain\":{\"delta\":[{\"insert\":\"b\"}]}}]",
					 "[{\"retain\":{\"delta\":[{\"insert\":\"b\"}]},\"attributes\":{\"a\":2}}]");
	assert_transform(arena, "[{\"retain\":{\"delta\":[{\"insert\":\"a\"}]}}]",
					 "[{\"retain\":1,\"attributes\":{\"a\":2}}]", "[{\"retain\":1,\"attributes\":{\"a\":2}}]",
					 "[{\"retain\":1,\"attributes\":{\"a\":2}}]");
	assert_transform(arena, "[{\"delete\":1}]", "[{\"retain\":{\"delta\":[{\"insert\":\"b\"}]}}]", "[]", "[]");

	assert_invert(arena, "[{\"retain\":{\"delta\":[{\"insert\":\"b\"}]},\"attributes\":{\"x\":1}}]",
				  "[{\"insert\":{\"delta\":[{\"insert\":\"a\"}]},\"attributes\":{\"x\":2}}]",
				  "[{\"retain\":{\"delta\":[{\"delete\":1}]},\"attributes\":{\"x\":2}}]");
	a = delta_of(arena, "[{\"retain\":{\"delta\":[]}}]");
	b = delta_of(arena, "[{\"insert\":\"x\"}]");
	assert_status(delta_invert(arena, &a, &b, &out, &err), COLLAB_MISMATCH);
}

static void
assert_slice(Arena *arena, const char *json, int64_t from, int64_t to, const char *expected)
{
	Delta		delta = delta_of(arena, json), result;
	CollabError err;

	assert_status(delta_slice(arena, &delta, from, to, &result, &err), COLLAB_OK);
	assert_ops(arena, &result, expected);
}

static void
test_slice(void **state)
{
	static const char doc[] =
		"[{\"insert\":\"0123\",\"attributes\":{\"b\":1}},{\"insert\":\"4567\"},{\"insert\":{\"e\":1}}]";
	Arena	   *arena = *state;
	Delta		delta, result;
	CollabError err;

	assert_slice(arena, doc, 0, -1, doc);
	assert_slice(arena, doc, 2, -1,
				 "[{\"insert\":\"23\",\"attributes\":{\"b\":1}},{\"insert\":\"4567\"},{\"insert\":{\"e\":1}}]");
	assert_slice(arena, doc, 0, 2, "[{\"insert\":\"01\",\"attributes\":{\"b\":1}}]");
	assert_slice(arena, doc, 3, 5, "[{\"insert\":\"3\",\"attributes\":{\"b\":1}},{\"insert\":\"4\"}]");
	assert_slice(arena, doc, 8, 9, "[{\"insert\":{\"e\":1}}]");
	assert_slice(arena, doc, 9, 20, "[]");
	assert_slice(arena, doc, 5, 5, "[]");
	assert_slice(arena, doc, 6, 2, "[]");
	assert_slice(arena, "[{\"retain\":5},{\"insert\":\"x\"},{\"delete\":3}]", 2, 7,
				 "[{\"retain\":3},{\"insert\":\"x\"},{\"delete\":1}]");
	assert_slice(arena, "[{\"retain\":5},{\"insert\":\"x\"}]", 1, 3, "[]");
	assert_slice(arena,
				 "[{\"insert\":\"a\xf0\x9f\x98\x80"
				 "b\"}]",
				 1, 3, "[{\"insert\":\"\xf0\x9f\x98\x80\"}]");
	delta = delta_of(arena, "[{\"insert\":\"a\xf0\x9f\x98\x80"
							"b\"}]");
	assert_status(delta_slice(arena, &delta, 2, 4, &result, &err), COLLAB_SURROGATE);
	assert_status(delta_slice(arena, &delta, 0, 2, &result, &err), COLLAB_SURROGATE);
}

static void
test_measures(void **state)
{
	Arena *arena = *state;
	Delta  change = delta_of(
		 arena,
		 "[{\"retain\":3},{\"insert\":\"a\xf0\x9f\x98\x80\"},{\"insert\":{\"e\":1}},{\"delete\":2},{\"retain\":{\"delta\":[]}}]");
	Delta doc = delta_of(arena, "[{\"insert\":\"a\xc3\xa9\"},{\"insert\":{\"e\":1}},{\"insert\":\"b\"}]");
	Delta empty = delta_of(arena, "[]");
	Buf	  text;

	assert_int_equal(delta_length(&change), 10);
	assert_int_equal(delta_base_length(&change), 6);
	assert_int_equal(delta_length_change(&change), 2);
	assert_false(delta_is_document(&change));
	assert_true(delta_has_pairs(&change));
	assert_int_equal(delta_length(&doc), 4);
	assert_int_equal(delta_base_length(&doc), 0);
	assert_true(delta_is_document(&doc));
	assert_false(delta_has_pairs(&doc));
	assert_true(delta_is_document(&empty));
	assert_true(delta_equal(&doc, &doc));
	assert_false(delta_equal(&doc, &change));
	assert_false(delta_equal(&doc, &empty));

	buf_init(&text, collab_malloc_alloc);
	delta_text(&doc, NULL, &text);
	assert_buf(&text, "a\xc3\xa9"
					  "b");
	buf_clear(&text);
	delta_text(&doc, "\xef\xbf\xbc", &text);
	assert_buf(&text, "a\xc3\xa9\xef\xbf\xbc"
					  "b");
	buf_clear(&text);
	delta_text(&change, "*", &text);
	assert_buf(&text, "a\xf0\x9f\x98\x80*");
	buf_free(&text);
}

/* Each promise of the canonical form, broken on purpose: delta_valid must see it. */
static void
test_valid_sees(void **state)
{
	Arena *arena = *state;
	Delta  good = delta_of(
		 arena,
		 "[{\"insert\":\"a\"},{\"insert\":\"b\",\"attributes\":{\"k\":1}},{\"insert\":[]},{\"retain\":2,\"attributes\":{\"k\":1}},{\"delete\":3}]");
	int broken;

	for (broken = 0; broken < 14; broken++)
	{
		DeltaOp	   ops[6];
		Delta	   bad = {ops, 5};
		DeltaAttrs none = {NULL, 0};

		memcpy(ops, good.ops, sizeof(DeltaOp) * 5);
		switch (broken)
		{
			case 0:
				ops[0].units = 0;
				break;
			case 1:
				ops[0].units = 2;
				break;
			case 2:
				ops[0].ascii = 0;
				break;
			case 3:
				ops[0].data = "\xff";
				break;
			case 4:
				ops[1].attrs = none;
				break;
			case 5:
				ops[2].data = "\"\"";
				break;
			case 6:
				ops[2].units = 2;
				break;
			case 7:
				bad.count = 4, ops[3].attrs = none;
				break;
			case 8:
				ops[4].attrs = ops[1].attrs;
				break;
			case 9:
				ops[3] = ops[4];
				break;
			case 10:
				ops[5] = ops[0], bad.count = 6;
				break;
			case 11:
				ops[4].units = INT64_C(9007199254740991);
				break;
			case 12:
				ops[1].attrs.bytes--;
				break;
			case 13:
				ops[0].kind = 9;
				break;
		}
		if (delta_valid(&bad))
			fail_msg("fault %d passes", broken);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		arena_test(test_compose),
		arena_test(test_compose_ends),
		arena_test(test_pairs),
		arena_test(test_many_pieces),
		arena_test(test_transform),
		arena_test(test_transform_limits),
		arena_test(test_transform_position),
		arena_test(test_invert),
		arena_test(test_tighten),
		arena_test(test_embed_changes),
		arena_test(test_slice),
		arena_test(test_measures),
		arena_test(test_valid_sees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

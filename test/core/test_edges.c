/* test_edges.c - the edge cases of Delta semantics as a table: what quill-delta gives, or why the engine refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "properties.h"

/*
 * '-' parses a; 'o' composes a o b; 'T' is transform(a, b, true), 't' transform(a, b, false); 'i' inverts a over the
 * document b. The expected text starts with '!' where the engine refuses: "!surrogate", or "!" for any parse error.
 */
typedef struct Edge
{
	char		what;
	const char *a;
	const char *b;
	const char *expected;
} Edge;

static const Edge edges[] = {
	/* ---- what is accepted, and in which form it is kept ---- */
	{'-', "{\"ops\":[]}", NULL, "[]"},
	{'-', "[]", NULL, "[]"},
	{'-', " { \"ops\" : [ { \"insert\" : \"a\" } ] } ", NULL, "[{\"insert\":\"a\"}]"},
	{'-', "{\"type\":\"insert\",\"pos\":5,\"content\":\"X\"}", NULL, "[{\"retain\":5},{\"insert\":\"X\"}]"},
	{'-', "{\"type\":\"insert\",\"pos\":0,\"content\":\"X\"}", NULL, "[{\"insert\":\"X\"}]"},
	{'-', "{\"type\":\"delete\",\"pos\":5,\"length\":2}", NULL, "[{\"retain\":5},{\"delete\":2}]"},
	{'-', "{\"length\":2,\"pos\":0,\"type\":\"delete\"}", NULL, "[{\"delete\":2}]"},
	{'-', "[{\"insert\":\"a\"},{\"insert\":\"b\"}]", NULL, "[{\"insert\":\"ab\"}]"},
	{'-', "[{\"insert\":\"a\",\"attributes\":{}},{\"insert\":\"b\",\"attributes\":null}]", NULL,
	 "[{\"insert\":\"ab\"}]"},
	{'-',
	 "[{\"attributes\":{\"b\":1,\"a\":2},\"insert\":\"x\"},{\"insert\":\"y\",\"attributes\":{\"a\":2.0,\"b\":1e0}}]",
	 NULL, "[{\"insert\":\"xy\",\"attributes\":{\"a\":2,\"b\":1}}]"},
	{'-', "[{\"retain\":1},{\"retain\":2},{\"delete\":1},{\"delete\":2}]", NULL,
	 "[{\"retain\":3},{\"delete\":3}]"},
	{'-', "[{\"delete\":1},{\"insert\":\"a\"},{\"delete\":1},{\"insert\":\"b\"}]", NULL,
	 "[{\"insert\":\"ab\"},{\"delete\":2}]"},
	{'-', "[{\"insert\":\"a\"},{\"retain\":3}]", NULL, "[{\"insert\":\"a\"}]"},
	{'-', "[{\"retain\":3,\"attributes\":{}}]", NULL, "[]"},
	{'-', "[{\"retain\":1e3},{\"delete\":10E-1}]", NULL, "[{\"retain\":1000},{\"delete\":1}]"},
	{'-', "[{\"retain\":9007199254740991},{\"insert\":\"\"}]", NULL, "[]"},
	{'-', "[{\"insert\":1},{\"insert\":1},{\"insert\":true},{\"insert\":[]},{\"insert\":{}}]", NULL,
	 "[{\"insert\":1},{\"insert\":1},{\"insert\":true},{\"insert\":[]},{\"insert\":{}}]"},
	{'-', "[{\"insert\":0},{\"insert\":false}]", NULL, "[{\"insert\":0},{\"insert\":false}]"},
	{'-', "[{\"insert\":\"a\",\"attributes\":{\"b\":null}}]", NULL,
	 "[{\"insert\":\"a\",\"attributes\":{\"b\":null}}]"},
	{'-', "[{\"insert\":\"\\ud83d\\ude00\\u00e9\\/\\u0041\"}]", NULL,
	 "[{\"insert\":\"\xf0\x9f\x98\x80\xc3\xa9/A\"}]"},
	{'-', "[{\"insert\":{\"b\":-0,\"a\":100000000000000000000000,\"c\":0.1e-6}}]", NULL,
	 "[{\"insert\":{\"a\":1e+23,\"b\":0,\"c\":1e-7}}]"},
	{'-', "[{\"insert\":\"a\",\"attributes\":{\"k\":1,\"k\":2}}]", NULL,
	 "[{\"insert\":\"a\",\"attributes\":{\"k\":2}}]"},
	{'-', "[{\"insert\":{\"k\":1,\"a\":0,\"k\":{\"z\":1,\"z\":2}}}]", NULL,
	 "[{\"insert\":{\"a\":0,\"k\":{\"z\":2}}}]"},
	{'-', "[{\"insert\":\"\\u0001\\u001f\\u007f\\u2028\"}]", NULL,
	 "[{\"insert\":\"\\u0001\\u001f\x7f\xe2\x80\xa8\"}]"},

	/* ---- what quill-delta takes and the engine refuses ---- */
	{'-', "[{\"retain\":0},{\"insert\":\"Z\"}]", NULL, "!invalid"},
	{'-', "[{\"delete\":0}]", NULL, "!invalid"},
	{'-', "[{\"retain\":-1}]", NULL, "!invalid"},
	{'-', "[{\"retain\":1.5}]", NULL, "!invalid"},
	{'-', "[{\"retain\":\"2\"}]", NULL, "!invalid"},
	{'-', "[{\"retain\":9007199254740992}]", NULL, "!"},
	{'-', "[{\"delete\":18446744073709551617}]", NULL, "!"},
	{'-', "[{\"delete\":1e400}]", NULL, "!"},
	{'-', "[{\"retain\":9007199254740991},{\"delete\":9007199254740991}]", NULL, "!"},
	{'-', "[{\"foo\":1}]", NULL, "!invalid"},
	{'-', "[{}]", NULL, "!invalid"},
	{'-', "[{\"attributes\":{\"a\":1}}]", NULL, "!invalid"},
	{'-', "[{\"delete\":1,\"insert\":\"Z\"}]", NULL, "!invalid"},
	{'-', "[{\"retain\":1,\"insert\":\"Z\"}]", NULL, "!invalid"},
	{'-', "[{\"insert\":\"a\",\"insert\":\"b\"}]", NULL, "!invalid"},
	{'-', "[{\"insert\":null}]", NULL, "!invalid"},
	{'-', "[{\"retain\":null}]", NULL, "!invalid"},
	{'-', "[{\"retain\":true}]", NULL, "!invalid"},
	{'-', "[{\"insert\":\"a\",\"attributes\":[]}]", NULL, "!invalid"},
	{'-', "[{\"insert\":\"a\",\"attributes\":\"bold\"}]", NULL, "!invalid"},
	{'-', "[null]", NULL, "!invalid"},
	{'-', "[[]]", NULL, "!invalid"},
	{'-', "null", NULL, "!invalid"},
	{'-', "{}", NULL, "!invalid"},
	{'-', "{\"ops\":{}}", NULL, "!invalid"},
	{'-', "{\"ops\":[],\"x\":1}", NULL, "!invalid"},
	{'-', "{\"type\":\"insert\",\"pos\":-1,\"content\":\"X\"}", NULL, "!invalid"},
	{'-', "{\"type\":\"replace\",\"pos\":1,\"content\":\"X\"}", NULL, "!invalid"},
	{'-', "{\"type\":\"delete\",\"pos\":1,\"length\":0}", NULL, "!invalid"},
	{'-', "[{\"retain\":{\"image\":1}}]", NULL, "!"},
	{'-', "[{\"retain\":{\"delta\":[],\"x\":1}}]", NULL, "!"},
	{'-', "[{\"retain\":{\"delta\":[{\"delete\":0}]}}]", NULL, "!"},

	/* ---- what is not JSON, or not text ---- */
	{'-', "", NULL, "!syntax"},
	{'-', "[", NULL, "!syntax"},
	{'-', "[{\"insert\":\"a\"}]]", NULL, "!syntax"},
	{'-', "[{\"insert\":\"a\"},]", NULL, "!syntax"},
	{'-', "[{\"insert\":\"a}]", NULL, "!syntax"},
	{'-', "[{\"insert\":\"a\nb\"}]", NULL, "!syntax"},
	{'-', "[{\"insert\":\"\\x\"}]", NULL, "!syntax"},
	{'-', "[{'insert':'a'}]", NULL, "!syntax"},
	{'-', "[{\"retain\":01}]", NULL, "!syntax"},
	{'-', "[{\"retain\":NaN}]", NULL, "!syntax"},
	{'-', "[{\"insert\":\"\xff\"}]", NULL, "!syntax"},
	{'-', "[{\"insert\":\"\xc0\x80\"}]", NULL, "!syntax"},
	{'-', "[{\"insert\":\"\xed\xa0\xbd\"}]", NULL, "!"},
	{'-', "[{\"insert\":\"\\u0000\"}]", NULL, "!"},
	{'-', "[{\"insert\":\"\\ud83d\"}]", NULL, "!surrogate"},
	{'-', "[{\"insert\":\"\\ud83dx\"}]", NULL, "!surrogate"},
	{'-', "[{\"insert\":\"\\ude00\\ud83d\"}]", NULL, "!surrogate"},
	/* Two halves in two ops are two lone surrogates, even if they would become a pair by merging. */
	{'-', "[{\"insert\":\"\\ud83d\"},{\"insert\":\"\\ude00\"}]", NULL, "!surrogate"},
	{'-', "[{\"insert\":{\"k\":\"\\ud83d\"}}]", NULL, "!surrogate"},
	{'-', "[{\"insert\":\"a\",\"attributes\":{\"\\udc00\":1}}]", NULL, "!surrogate"},

	/* ---- compose ---- */
	{'o', "[]", "[]", "[]"},
	{'o', "[{\"insert\":\"A\"}]", "[{\"insert\":\"B\"}]", "[{\"insert\":\"BA\"}]"},
	{'o', "[{\"insert\":\"abc\"}]", "[{\"retain\":1},{\"delete\":1}]", "[{\"insert\":\"ac\"}]"},
	{'o', "[{\"insert\":\"abc\"}]", "[{\"delete\":3}]", "[]"},
	{'o', "[{\"insert\":\"A\"}]", "[{\"retain\":1,\"attributes\":{\"bold\":true,\"font\":null}}]",
	 "[{\"insert\":\"A\",\"attributes\":{\"bold\":true}}]"},
	{'o', "[{\"insert\":\"A\",\"attributes\":{\"bold\":true}}]",
	 "[{\"retain\":1,\"attributes\":{\"bold\":null}}]", "[{\"insert\":\"A\"}]"},
	{'o', "[{\"retain\":1,\"attributes\":{\"color\":\"blue\"}}]",
	 "[{\"retain\":1,\"attributes\":{\"bold\":null}}]",
	 "[{\"retain\":1,\"attributes\":{\"bold\":null,\"color\":\"blue\"}}]"},
	/* Values are replaced whole, and a null that already is on an insert stays. */
	{'o', "[{\"insert\":\"A\",\"attributes\":{\"m\":{\"a\":1},\"x\":null}}]",
	 "[{\"retain\":1,\"attributes\":{\"m\":{\"b\":2}}}]",
	 "[{\"insert\":\"A\",\"attributes\":{\"m\":{\"b\":2},\"x\":null}}]"},
	{'o', "[{\"delete\":1}]", "[{\"insert\":\"B\"}]", "[{\"insert\":\"B\"},{\"delete\":1}]"},
	{'o', "[{\"delete\":1}]", "[{\"delete\":1}]", "[{\"delete\":2}]"},
	{'o', "[{\"delete\":1}]", "[{\"retain\":1,\"attributes\":{\"b\":1}}]",
	 "[{\"delete\":1},{\"retain\":1,\"attributes\":{\"b\":1}}]"},
	{'o', "[{\"retain\":1},{\"insert\":\"x\"}]", "[{\"retain\":5},{\"insert\":\"Z\"},{\"delete\":2}]",
	 "[{\"retain\":1},{\"insert\":\"x\"},{\"retain\":3},{\"insert\":\"Z\"},{\"delete\":2}]"},
	{'o', "[{\"insert\":\"a\"},{\"insert\":{\"i\":1}},{\"insert\":\"b\"}]", "[{\"retain\":1},{\"delete\":1}]",
	 "[{\"insert\":\"ab\"}]"},
	{'o', "[{\"insert\":1},{\"insert\":2}]", "[{\"retain\":1},{\"insert\":3}]",
	 "[{\"insert\":1},{\"insert\":3},{\"insert\":2}]"},
	{'o', "[{\"insert\":\"ab\",\"attributes\":{\"b\":1}}]", "[{\"retain\":1,\"attributes\":{\"b\":null}}]",
	 "[{\"insert\":\"a\"},{\"insert\":\"b\",\"attributes\":{\"b\":1}}]"},
	{'o', "[{\"insert\":{\"delta\":[{\"insert\":\"a\"}]}}]",
	 "[{\"retain\":{\"delta\":[{\"insert\":\"b\"}]}}]", "[{\"insert\":{\"delta\":[{\"insert\":\"ba\"}]}}]"},
	{'o', "[{\"retain\":{\"delta\":[{\"insert\":\"a\"},{\"delete\":1}]}}]",
	 "[{\"retain\":{\"delta\":[{\"insert\":\"b\"}]}}]",
	 "[{\"retain\":{\"delta\":[{\"insert\":\"ba\"},{\"delete\":1}]}}]"},
	{'o', "[{\"retain\":{\"delta\":[{\"insert\":\"a\"}]}}]", "[{\"delete\":1}]", "[{\"delete\":1}]"},
	/* inside of an embed change inserts alone are a change, not a document: there is something behind them */
	{'o', "[{\"retain\":{\"delta\":[{\"insert\":\"x\"}]}}]", "[{\"retain\":{\"delta\":[{\"delete\":3}]}}]",
	 "[{\"retain\":{\"delta\":[{\"delete\":2}]}}]"},
	{'o', "[{\"insert\":{\"delta\":[]},\"attributes\":{\"a\":1}}]",
	 "[{\"retain\":{\"delta\":[]},\"attributes\":{\"a\":null}}]", "[{\"insert\":{\"delta\":[]}}]"},
	/* over a change of an embed quill-delta drops the nulls that it keeps over a retain */
	{'o', "[{\"retain\":{\"delta\":[]},\"attributes\":{\"a\":1}}]",
	 "[{\"retain\":1,\"attributes\":{\"a\":null}}]", "[{\"retain\":{\"delta\":[]}}]"},
	/* past the end of a document, and through a pair */
	{'o', "[{\"insert\":\"abc\"}]", "[{\"retain\":5},{\"insert\":\"Z\"},{\"delete\":2}]", "!range"},
	{'o', "[{\"insert\":\"abc\"}]", "[{\"delete\":4}]", "!range"},
	{'o', "[{\"insert\":\"abc\"}]", "[{\"retain\":9007199254740990},{\"delete\":1}]", "!range"},
	/* the empty Delta is a change that changes nothing */
	{'o', "[]", "[{\"retain\":1},{\"delete\":1}]", "[{\"retain\":1},{\"delete\":1}]"},
	{'o', "[{\"insert\":{\"delta\":[]}}]", "[{\"retain\":{\"delta\":[{\"delete\":1}]}}]", "!range"},
	{'o',
	 "[{\"insert\":\"a\xf0\x9f\x98\x80"
	 "b\"}]",
	 "[{\"retain\":2},{\"insert\":\"Z\"}]", "!surrogate"},
	{'o',
	 "[{\"insert\":\"a\xf0\x9f\x98\x80"
	 "b\"}]",
	 "[{\"retain\":2},{\"delete\":1}]", "!surrogate"},
	{'o',
	 "[{\"insert\":\"a\xf0\x9f\x98\x80"
	 "b\"}]",
	 "[{\"delete\":2}]", "!surrogate"},
	{'o',
	 "[{\"insert\":\"a\xf0\x9f\x98\x80"
	 "b\"}]",
	 "[{\"retain\":2,\"attributes\":{\"b\":1}}]", "!surrogate"},
	{'o',
	 "[{\"insert\":\"a\xf0\x9f\x98\x80"
	 "b\"}]",
	 "[{\"retain\":1},{\"delete\":2}]", "[{\"insert\":\"ab\"}]"},
	{'o',
	 "[{\"insert\":\"a\xf0\x9f\x98\x80"
	 "b\"}]",
	 "[{\"retain\":3},{\"insert\":\"\xc3\xa9\"}]",
	 "[{\"insert\":\"a\xf0\x9f\x98\x80\xc3\xa9"
	 "b\"}]"},
	/* a change of an embed that is none, or of another type */
	{'o', "[{\"insert\":\"a\"}]", "[{\"retain\":{\"delta\":[]}}]", "!mismatch"},
	{'o', "[{\"insert\":{\"image\":1}}]", "[{\"retain\":{\"delta\":[]}}]", "!mismatch"},
	{'o', "[{\"insert\":{\"delta\":1}}]", "[{\"retain\":{\"delta\":[]}}]", "!mismatch"},
	{'o', "[{\"insert\":{\"delta\":[{\"insert\":\"a\"}]}}]", "[{\"retain\":{\"delta\":[{\"delete\":2}]}}]",
	 "!range"},

	/* ---- transform ---- */
	{'T', "[{\"insert\":\"A\"}]", "[{\"insert\":\"B\"}]", "[{\"retain\":1},{\"insert\":\"B\"}]"},
	{'t', "[{\"insert\":\"A\"}]", "[{\"insert\":\"B\"}]", "[{\"insert\":\"B\"}]"},
	{'T', "[{\"retain\":1,\"attributes\":{\"color\":\"blue\"}}]",
	 "[{\"retain\":1,\"attributes\":{\"bold\":true,\"color\":\"red\"}}]",
	 "[{\"retain\":1,\"attributes\":{\"bold\":true}}]"},
	{'t', "[{\"retain\":1,\"attributes\":{\"color\":\"blue\"}}]",
	 "[{\"retain\":1,\"attributes\":{\"bold\":true,\"color\":\"red\"}}]",
	 "[{\"retain\":1,\"attributes\":{\"bold\":true,\"color\":\"red\"}}]"},
	/* a null counts as mentioning the key */
	{'T', "[{\"retain\":1,\"attributes\":{\"color\":null}}]",
	 "[{\"retain\":1,\"attributes\":{\"color\":\"red\"}}]", "[]"},
	{'T', "[{\"delete\":2}]", "[{\"delete\":3}]", "[{\"delete\":1}]"},
	{'T', "[{\"delete\":5}]", "[{\"retain\":2},{\"insert\":\"x\"}]", "[{\"insert\":\"x\"}]"},
	{'T', "[{\"retain\":2},{\"insert\":\"si\"},{\"delete\":5}]",
	 "[{\"retain\":1},{\"insert\":\"e\"},{\"delete\":5},{\"retain\":1},{\"insert\":\"ow\"}]",
	 "[{\"retain\":1},{\"insert\":\"e\"},{\"delete\":1},{\"retain\":2},{\"insert\":\"ow\"}]"},
	{'t', "[{\"retain\":3},{\"insert\":\"aa\"}]", "[{\"retain\":3},{\"insert\":\"bb\"}]",
	 "[{\"retain\":3},{\"insert\":\"bb\"}]"},
	{'T', "[{\"insert\":\"A\"}]", "[]", "[]"},
	{'T', "[]", "[{\"retain\":9},{\"delete\":1}]", "[{\"retain\":9},{\"delete\":1}]"},
	{'T', "[{\"retain\":{\"delta\":[{\"insert\":\"a\"}]}}]", "[{\"retain\":{\"delta\":[{\"insert\":\"b\"}]}}]",
	 "[{\"retain\":{\"delta\":[{\"retain\":1},{\"insert\":\"b\"}]}}]"},
	{'t', "[{\"retain\":{\"delta\":[{\"insert\":\"a\"}]}}]",
	 "[{\"retain\":{\"delta\":[{\"insert\":\"b\"}]}}]", "[{\"retain\":{\"delta\":[{\"insert\":\"b\"}]}}]"},
	{'T', "[{\"delete\":1}]", "[{\"retain\":{\"delta\":[{\"insert\":\"b\"}]}}]", "[]"},
	/* two inserts that the event's deletion brings together become neighbours and merge */
	{'T', "[{\"retain\":1},{\"delete\":1}]",
	 "[{\"retain\":1},{\"insert\":\"x\"},{\"retain\":1},{\"insert\":\"y\"}]",
	 "[{\"retain\":1},{\"insert\":\"xy\"}]"},

	/* ---- invert ---- */
	{'i', "[{\"retain\":2},{\"insert\":\"A\"}]", "[{\"insert\":\"1234\"}]", "[{\"retain\":2},{\"delete\":1}]"},
	{'i', "[{\"retain\":2},{\"delete\":2}]", "[{\"insert\":\"1234\",\"attributes\":{\"b\":1}}]",
	 "[{\"retain\":2},{\"insert\":\"34\",\"attributes\":{\"b\":1}}]"},
	{'i', "[{\"retain\":2,\"attributes\":{\"b\":1}}]",
	 "[{\"insert\":\"1\"},{\"insert\":\"2\",\"attributes\":{\"b\":2}}]",
	 "[{\"retain\":1,\"attributes\":{\"b\":null}},{\"retain\":1,\"attributes\":{\"b\":2}}]"},
	{'i', "[{\"retain\":1,\"attributes\":{\"b\":1}}]", "[{\"insert\":\"1\",\"attributes\":{\"b\":1}}]", "[]"},
	/* JavaScript's === never finds two objects identical: the entry stays, and does no harm */
	{'i', "[{\"retain\":1,\"attributes\":{\"m\":{\"a\":1}}}]",
	 "[{\"insert\":\"1\",\"attributes\":{\"m\":{\"a\":1}}}]",
	 "[{\"retain\":1,\"attributes\":{\"m\":{\"a\":1}}}]"},
	{'i', "[{\"insert\":0},{\"insert\":false}]", "[]", "[{\"delete\":2}]"},
	{'i', "[{\"retain\":{\"delta\":[{\"insert\":\"b\"}]}}]",
	 "[{\"insert\":{\"delta\":[{\"insert\":\"a\"}]}}]", "[{\"retain\":{\"delta\":[{\"delete\":1}]}}]"},
	{'i', "[{\"delete\":5}]", "[{\"insert\":\"1234\"}]", "!range"},
	{'i', "[{\"delete\":1}]", "[{\"insert\":\"\xf0\x9f\x98\x80\"}]", "!surrogate"},
	{'i', "[{\"delete\":1}]", "[{\"retain\":1,\"attributes\":{\"a\":1}}]", "!mismatch"},
};

static CollabStatus
parse(Arena *arena, const char *json, Delta *delta, CollabError *error)
{
	return delta_parse(arena, json, strlen(json), &delta_limits_none, delta, error);
}

static CollabStatus
work(Arena *arena, const Edge *edge, Delta *out, CollabError *error)
{
	Delta		 a, b;
	CollabStatus status = parse(arena, edge->a, &a, error);

	if (edge->what == '-')
	{
		*out = a;
		return status;
	}
	assert_int_equal(status, COLLAB_OK);
	assert_int_equal(parse(arena, edge->b, &b, error), COLLAB_OK);
	switch (edge->what)
	{
		case 'o':
			return delta_compose(arena, &a, &b, out, error);
		case 'T':
			return delta_transform(arena, &a, &b, true, out, error);
		case 't':
			return delta_transform(arena, &a, &b, false, out, error);
		case 'i':
			return delta_invert(arena, &a, &b, out, error);
		default:
			fail_msg("unknown work '%c'", edge->what);
			return COLLAB_INVALID;
	}
}

/* One test for each group of the table, so that a failure names it; every row of the group is looked at. */
static void
run_group(void **state)
{
	char   what = *(const char *) *state;
	int	   wrong = 0;
	int	   rows = 0;
	Arena  arena;
	size_t i;

	arena_init(&arena, collab_malloc_alloc);
	for (i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
	{
		const Edge	*edge = &edges[i];
		CollabError	 error = {COLLAB_OK, -1, ""};
		CollabStatus status;
		char		 got[512];
		Delta		 out;
		bool		 good;

		if (edge->what != what)
			continue;
		rows++;
		status = work(&arena, edge, &out, &error);
		if (status == COLLAB_OK)
		{
			snprintf(got, sizeof(got), "%s", show(&arena, &out));
			/* {"ops":X} against X */
			good = edge->expected[0] != '!' && strlen(got) == strlen(edge->expected) + 8 &&
				   strncmp(got + 7, edge->expected, strlen(edge->expected)) == 0 &&
				   canonical_fault(&out) == NULL;
		}
		else
		{
			snprintf(got, sizeof(got), "!%s (%s)", collab_status_name(status), error.message);
			good = edge->expected[0] == '!' && error.status == status && error.message[0] != '\0' &&
				   (edge->expected[1] == '\0' || strcmp(edge->expected + 1, collab_status_name(status)) == 0);
		}
		if (!good)
		{
			print_error("%c %s %s\n  wanted %s\n  got    %s\n", edge->what, edge->a,
						edge->b != NULL ? edge->b : "", edge->expected, got);
			wrong++;
		}
	}
	arena_free(&arena);
	assert_true(rows > 0);
	assert_int_equal(wrong, 0);
}

typedef struct PositionEdge
{
	const char *change;
	int64_t		index;
	bool		priority;
	int64_t		expected;
} PositionEdge;

static void
test_positions(void **state)
{
	static const PositionEdge table[] = {
		{"[{\"insert\":\"A\"}]", 0, true, 0},
		{"[{\"insert\":\"A\"}]", 0, false, 1},
		{"[{\"insert\":\"A\"}]", 1, true, 2},
		{"[{\"insert\":\"\xf0\x9f\x98\x80\"}]", 2, true, 4},
		{"[{\"retain\":2},{\"delete\":5}]", 4, false, 2},
		{"[{\"delete\":2}]", 4, false, 2},
		{"[{\"retain\":4},{\"delete\":2}]", 2, false, 2},
		{"[{\"delete\":9}]", 3, false, 0},
		{"[{\"retain\":2},{\"insert\":\"A\"},{\"delete\":2}]", 4, false, 3},
		{"[{\"retain\":2},{\"insert\":{\"i\":1}}]", 2, false, 3},
		{"[]", 7, false, 7},
		{"[{\"retain\":9007199254740990},{\"delete\":1}]", 5, false, 5},
	};
	Arena  arena;
	size_t i;

	(void) state;
	arena_init(&arena, collab_malloc_alloc);
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
	{
		Delta	change = must_parse(&arena, table[i].change, strlen(table[i].change));
		int64_t got = delta_transform_position(&change, table[i].index, table[i].priority);

		if (got != table[i].expected)
			fail_msg("%s at %d: %d, not %d", table[i].change, (int) table[i].index, (int) got,
					 (int) table[i].expected);
	}
	arena_free(&arena);
}

/* Nesting is bounded by max_depth, or by what protects the process: it never recurses without end. */
static void
test_deep_nesting(void **state)
{
	static const int depths[] = {10, 20, 1000, 200000};
	size_t			 i;

	(void) state;
	for (i = 0; i < sizeof(depths) / sizeof(depths[0]); i++)
	{
		Arena		 arena;
		CollabError	 error = {COLLAB_OK, -1, ""};
		CollabStatus status, strict;
		Delta		 delta;
		Buf			 json;
		int			 n;

		arena_init(&arena, collab_malloc_alloc);
		buf_init(&json, collab_malloc_alloc);
		buf_str(&json, "[{\"insert\":");
		for (n = 0; n < depths[i]; n++)
			buf_char(&json, '[');
		for (n = 0; n < depths[i]; n++)
			buf_char(&json, ']');
		buf_str(&json, "}]");
		status = delta_parse(&arena, json.data, json.size, &delta_limits_none, &delta, &error);
		strict = delta_parse(&arena, json.data, json.size, &delta_limits_default, &delta, &error);
		assert_true(status == COLLAB_OK || status == COLLAB_LIMIT);
		assert_int_equal(strict, depths[i] > 16 ? COLLAB_LIMIT : COLLAB_OK);
		if (depths[i] > 100000)
			assert_int_equal(status, COLLAB_LIMIT);
		buf_free(&json);
		arena_free(&arena);
	}
}

int
main(void)
{
	static const char		kinds[] = "-oTti";
	const struct CMUnitTest tests[] = {
		{"parse", run_group, NULL, NULL, (void *) &kinds[0]},
		{"compose", run_group, NULL, NULL, (void *) &kinds[1]},
		{"transform, a first", run_group, NULL, NULL, (void *) &kinds[2]},
		{"transform, b first", run_group, NULL, NULL, (void *) &kinds[3]},
		{"invert", run_group, NULL, NULL, (void *) &kinds[4]},
		cmocka_unit_test(test_positions),
		cmocka_unit_test(test_deep_nesting),
	};

	return cmocka_run_group_tests_name("edges", tests, NULL, NULL);
}

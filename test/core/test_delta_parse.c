/* test_delta_parse.c - Deltas from JSON: messages, limits, sizes; and back. */
#include "helpers.h"

static CollabStatus
parse(Arena *arena, const char *json, const DeltaLimits *limits, CollabError *err)
{
	char		*exact = exact_copy(json, strlen(json));
	Delta		 delta;
	CollabStatus status;

	err->status = COLLAB_OK;
	err->where = -1;
	err->message[0] = '\0';
	status = delta_parse(arena, exact, strlen(json), limits, &delta, err);
	assert_status(err->status, status);
	if (status == COLLAB_OK)
		assert_true(delta_valid(&delta));
	free(exact);
	return status;
}

/* What people get to read. */
static void
test_messages(void **state)
{
	static const struct
	{
		const char	*json;
		CollabStatus status;
		int64_t		 where;
		const char	*message;
	} cases[] = {
		{"[{\"insert\":\"a\"},{\"retain\":0}]", COLLAB_INVALID, 1,
		 "op 1: \"retain\" must be a positive integer up to 2^53 - 1"},
		{"[{\"delete\":-3}]", COLLAB_INVALID, 0, "op 0: \"delete\" must be a positive integer up to 2^53 - 1"},
		{"[{\"delete\":1.5}]", COLLAB_INVALID, 0, "op 0: \"delete\" must be a positive integer up to 2^53 - 1"},
		{"[{\"retain\":\"2\"}]", COLLAB_INVALID, 0,
		 "op 0: \"retain\" must be a positive integer up to 2^53 - 1"},
		{"[{\"retain\":1e999}]", COLLAB_INVALID, 0,
		 "op 0: \"retain\" must be a positive integer up to 2^53 - 1"},
		{"[{\"foo\":1}]", COLLAB_INVALID, 0, "op 0: unknown key \"foo\""},
		{"[{\"insert\":\"a\",\"f\\u006fo\":1}]", COLLAB_INVALID, 0, "op 0: unknown key \"f\\u006fo\""},
		{"[{\"insert\":\"a\",\"delete\":1}]", COLLAB_INVALID, 0,
		 "op 0: only one of \"insert\", \"retain\" and \"delete\" can be given"},
		{"[{\"insert\":\"a\",\"insert\":\"b\"}]", COLLAB_INVALID, 0, "op 0: a key is given twice"},
		{"[{\"insert\":\"a\",\"attributes\":{},\"attributes\":{}}]", COLLAB_INVALID, 0,
		 "op 0: a key is given twice"},
		{"[{\"attributes\":{\"a\":1}}]", COLLAB_INVALID, 0,
		 "op 0: needs one of \"insert\", \"retain\" and \"delete\""},
		{"[{}]", COLLAB_INVALID, 0, "op 0: needs one of \"insert\", \"retain\" and \"delete\""},
		{"[1]", COLLAB_INVALID, 0, "op 0: must be an object"},
		{"[{\"insert\":null}]", COLLAB_INVALID, 0, "op 0: \"insert\" must be a text or an embed, not null"},
		{"[{\"insert\":\"a\",\"attributes\":[]}]", COLLAB_INVALID, 0, "op 0: \"attributes\" must be an object"},
		{"[{\"delete\":1,\"attributes\":{\"a\":1}}]", COLLAB_INVALID, 0,
		 "op 0: a \"delete\" cannot have attributes"},
		{"[{\"retain\":{\"image\":1}}]", COLLAB_MISMATCH, 0,
		 "op 0: no handler for embed changes of type \"image\""},
		{"[{\"retain\":{}}]", COLLAB_INVALID, 0, "op 0: an object in \"retain\" must be {\"delta\": [ops]}"},
		{"[{\"retain\":{\"delta\":{}}}]", COLLAB_INVALID, 0,
		 "op 0: an object in \"retain\" must be {\"delta\": [ops]}"},
		{"[{\"retain\":{\"delta\":[],\"x\":1}}]", COLLAB_INVALID, 0,
		 "op 0: an object in \"retain\" must be {\"delta\": [ops]}"},
		{"[{\"insert\":\"a\"},{\"retain\":{\"delta\":[{\"retain\":1},{\"retain\":{\"delta\":[{\"delete\":0}]}}]}}]",
		 COLLAB_INVALID, 1, "op 1 > 1 > 0: \"delete\" must be a positive integer up to 2^53 - 1"},
		{"[{\"retain\":9007199254740991,\"attributes\":{\"a\":1}},{\"delete\":1}]", COLLAB_INVALID, 1,
		 "op 1: the lengths add up to more than 2^53 - 1"},
		{"{\"ops\":{}}", COLLAB_INVALID, -1, "\"ops\" must be an array"},
		{"{\"ops\":[],\"ops\":[]}", COLLAB_INVALID, -1, "\"ops\" is given twice"},
		{"{\"ops\":[],\"x\":1}", COLLAB_INVALID, -1, "\"ops\" stands alone"},
		{"{\"pos\":1,\"ops\":[]}", COLLAB_INVALID, -1, "\"ops\" stands alone"},
		{"{}", COLLAB_INVALID, -1, "\"ops\" is missing"},
		{"1", COLLAB_INVALID, 0, "a Delta is {\"ops\": [...]} or an array of ops"},
		{"{\"type\":\"insert\",\"content\":\"x\"}", COLLAB_INVALID, -1, "\"pos\" is missing"},
		{"{\"type\":\"insert\",\"pos\":-1,\"content\":\"x\"}", COLLAB_INVALID, -1,
		 "\"pos\" must not be negative"},
		{"{\"type\":\"insert\",\"pos\":1}", COLLAB_INVALID, -1, "\"content\" is missing"},
		{"{\"type\":\"insert\",\"pos\":1,\"content\":{\"a\":1}}", COLLAB_INVALID, -1,
		 "\"content\" must be a text"},
		{"{\"type\":\"delete\",\"pos\":1}", COLLAB_INVALID, -1, "\"length\" is missing"},
		{"{\"type\":\"move\",\"pos\":1,\"length\":1}", COLLAB_INVALID, -1,
		 "\"type\" must be \"insert\" or \"delete\""},
		{"{\"pos\":1,\"length\":1}", COLLAB_INVALID, -1, "\"type\" must be \"insert\" or \"delete\""},
		{"[{\"insert\":\"a\"}", COLLAB_SYNTAX, 15, "unexpected end of JSON at byte 15"},
		{"[{\"insert\":\"a\"},]", COLLAB_SYNTAX, 16, "expected a JSON value at byte 16"},
		{"[] []", COLLAB_SYNTAX, 3, "unexpected text behind the JSON value at byte 3"},
		{"", COLLAB_SYNTAX, 0, "unexpected end of JSON at byte 0"},
		{"[{\"insert\":\"\\ud800\"}]", COLLAB_SURROGATE, 12, "lone surrogate at byte 12"},
		{"[{\"insert\":\"\\u0000\"}]", COLLAB_INVALID, 12, "U+0000 is not allowed at byte 12"},
		{"[{\"insert\":\"a\",\"attributes\":{\"k\":\"\\u0000\"}}]", COLLAB_INVALID, 34,
		 "U+0000 is not allowed at byte 34"},
		{"[{\"insert\":{\"n\":1e400}}]", COLLAB_INVALID, 21, "number out of range at byte 21"},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		CollabError err;

		if (parse(*state, cases[i].json, &delta_limits_none, &err) != cases[i].status)
			fail_msg("%s is %s: %s", cases[i].json, collab_status_name(err.status), err.message);
		assert_string_equal(err.message, cases[i].message);
		if (err.where != cases[i].where)
			fail_msg("%s: where is %d", cases[i].json, (int) err.where);
		assert_status(delta_parse(*state, cases[i].json, strlen(cases[i].json), &delta_limits_none,
								  &(Delta){NULL, 0}, NULL),
					  cases[i].status);
	}
}

static void
test_limits(void **state)
{
	static const DeltaLimits limits = {6, 3, 2, 12, 14, 5};
	static const struct
	{
		const char *json;
		const char *message; /* NULL: within the limits */
	} cases[] = {
		{"[{\"retain\":1},{\"insert\":\"a\"},{\"delete\":1}]", NULL},
		{"[{\"retain\":1},{\"insert\":\"a\"},{\"delete\":1},{\"retain\":1,\"attributes\":{\"a\":1}}]",
		 "more than 3 ops"},
		{"[{\"insert\":\"abcde\"}]", NULL},
		{"[{\"insert\":\"abcdef\"}]", "op 0: more than 5 units are inserted"},
		{"[{\"insert\":\"a\xf0\x9f\x98\x80\"},{\"retain\":1},{\"insert\":\"bcd\"}]",
		 "op 2: more than 5 units are inserted"},
		{"[{\"insert\":\"x\",\"attributes\":{\"a\":1,\"b\":2}}]", NULL},
		{"[{\"insert\":\"x\",\"attributes\":{\"a\":1,\"b\":2,\"c\":3}}]", "op 0: more than 2 attributes"},
		{"[{\"insert\":\"x\",\"attributes\":{\"a\":\"1234567\"}}]", NULL},
		{"[{\"insert\":\"x\",\"attributes\":{\"a\":\"12345678\"}}]", "op 0: attributes of more than 12 bytes"},
		{"[{\"insert\":{\"a\":\"123456\"}}]", NULL},
		{"[{\"insert\":{\"a\":\"1234567\"}}]", "op 0: an embed of more than 14 bytes"},
		{"[{\"retain\":{\"delta\":[]}}]", NULL},
		{"[{\"insert\":[[[0]]]}]", NULL},
		{"[{\"insert\":[[[[0]]]]}]", "nested too deeply"},
		{"{\"ops\":[{\"insert\":[[[0]]]}]}", NULL},
		{"{\"ops\":[{\"insert\":[[[[0]]]]}]}", "nested too deeply"},
		{"[{\"insert\":\"x\",\"attributes\":{\"a\":[[0]]}}]", NULL},
		{"[{\"insert\":\"x\",\"attributes\":{\"a\":[[[]]]}}]", "nested too deeply"},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		CollabError	 err;
		CollabStatus status = parse(*state, cases[i].json, &limits, &err);
		Delta		 delta;

		if (status != (cases[i].message == NULL ? COLLAB_OK : COLLAB_LIMIT))
			fail_msg("%s is %s: %s", cases[i].json, collab_status_name(status), err.message);
		if (cases[i].message != NULL && strstr(err.message, cases[i].message) == NULL)
			fail_msg("%s: %s", cases[i].json, err.message);

		/* and the same of a Delta that came in without limits */
		delta = delta_of(*state, cases[i].json);
		assert_status(delta_check_limits(&delta, &limits, &err), status);
		assert_status(delta_check_limits(&delta, &delta_limits_none, &err), COLLAB_OK);
		assert_status(delta_check_limits(&delta, &delta_limits_default, &err), COLLAB_OK);
	}
}

/* Limits stop a parse early: they bound its time and memory, not only what comes out. */
static void
test_limits_bound_the_work(void **state)
{
	Arena	   *arena = *state;
	CollabError err;
	Delta		delta;
	Buf			json;
	int			i;

	buf_init(&json, collab_malloc_alloc);
	buf_str(&json, "[{\"insert\":\"x\",\"attributes\":{");
	for (i = 0; i < 100000; i++)
	{
		char member[32];

		sprintf(member, "%s\"k%d\":%d", i > 0 ? "," : "", i, i);
		buf_str(&json, member);
	}
	buf_str(&json, "}}]");
	assert_status(delta_parse(arena, json.data, json.size, &delta_limits_default, &delta, &err), COLLAB_LIMIT);
	assert_true(arena->used <= 64 * 1024);
	assert_status(delta_parse(arena, json.data, json.size, &delta_limits_none, &delta, &err), COLLAB_OK);
	assert_true(delta_valid(&delta));
	assert_true(arena->used <= 64 * 1024 * 1024);

	buf_clear(&json);
	buf_char(&json, '[');
	for (i = 0; i < 100000; i++)
		buf_str(&json, i == 0 ? "{\"insert\":\"x\"}" : ",{\"insert\":\"x\"}");
	buf_char(&json, ']');
	assert_status(delta_parse(arena, json.data, json.size, &delta_limits_default, &delta, &err), COLLAB_LIMIT);
	assert_status(delta_parse(arena, json.data, json.size, &delta_limits_none, &delta, &err), COLLAB_OK);
	assert_int_equal(delta.count, 1);
	assert_int_equal(delta.ops[0].units, 100000);
	buf_free(&json);
}

/* Embed changes inside each other: as deep as allowed, and no deeper. */
static void
test_nesting(void **state)
{
	int levels;

	for (levels = 30; levels <= 34; levels++)
	{
		char		json[2048] = "";
		CollabError err;
		int			i;

		strcat(json, "[");
		for (i = 0; i < levels; i++)
			strcat(json, "{\"retain\":{\"delta\":[");
		strcat(json, "{\"insert\":\"x\"}");
		for (i = 0; i < levels; i++)
			strcat(json, "]}}");
		strcat(json, "]");
		assert_status(parse(*state, json, &delta_limits_none, &err), levels <= 32 ? COLLAB_OK : COLLAB_LIMIT);
	}
}

/* What was accepted once is accepted as it was printed, in whatever form and as deep as it came. */
static void
test_depth_survives_printing(void **state)
{
	static const char *const forms[][2] = {
		{"[{\"insert\":", "}]"},
		{"{\"ops\":[{\"insert\":", "}]}"},
		{"[{\"insert\":\"x\",\"attributes\":{\"a\":", "}}]"},
		{"{\"type\":\"insert\",\"pos\":0,\"content\":\"x\",\"attributes\":{\"a\":", "}}"},
	};
	Arena *arena = *state;
	size_t form;
	int	   levels;

	for (form = 0; form < sizeof(forms) / sizeof(forms[0]); form++)
	{
		int accepted = 0;

		for (levels = 500; levels <= 515; levels++)
		{
			Buf			json, again;
			CollabError err;
			Delta		delta, reread;
			int			i;

			buf_init(&json, collab_malloc_alloc);
			buf_init(&again, collab_malloc_alloc);
			buf_str(&json, forms[form][0]);
			for (i = 0; i < levels; i++)
				buf_char(&json, '[');
			for (i = 0; i < levels; i++)
				buf_char(&json, ']');
			buf_str(&json, forms[form][1]);
			if (delta_parse(arena, json.data, json.size, &delta_limits_none, &delta, &err) == COLLAB_OK)
			{
				accepted++;
				delta_print(&delta, &again);
				assert_status(delta_parse(arena, again.data, again.size, &delta_limits_none, &reread, &err),
							  COLLAB_OK);
				assert_true(delta_equal(&delta, &reread));
				buf_clear(&again);
				delta_encode(&delta, &again);
				assert_status(delta_decode(arena, (uint8_t *) again.data, again.size, &reread, &err),
							  COLLAB_OK);
			}
			else
				assert_status(err.status, COLLAB_LIMIT);
			buf_free(&json);
			buf_free(&again);
		}
		assert_true(accepted > 0 && accepted < 16);
	}
}

static void
test_round_trip(void **state)
{
	static const char *const same[] = {
		"[]",
		"[{\"insert\":\"a\"}]",
		"[{\"retain\":9007199254740990},{\"insert\":\"a\"}]",
		"[{\"insert\":\"\\\"\\\\\\n\\u0001\"}]",
		"[{\"retain\":5},{\"insert\":\"Hello\",\"attributes\":{\"bold\":true,\"color\":\"red\"}},{\"delete\":2}]",
		"[{\"insert\":{\"image\":\"x.png\"},\"attributes\":{\"alt\":\"y\"}}]",
		"[{\"insert\":7},{\"insert\":false},{\"insert\":[1,{\"a\":null}]}]",
		"[{\"retain\":{\"delta\":[{\"attributes\":{\"b\":null},\"retain\":1},{\"insert\":\"x\"}]},\"attributes\":{\"c\":1}}]",
		"[{\"retain\":1,\"attributes\":{\"\":null,\"\\n\":{},\"!\":0.5}}]",
		"[{\"insert\":\"\xf0\x9f\x98\x80\xe2\x82\xac\"}]",
		"[{\"retain\":{\"delta\":[]}}]",
	};
	size_t i;

	for (i = 0; i < sizeof(same) / sizeof(same[0]); i++)
	{
		Delta delta = delta_of(*state, same[i]);

		assert_ops(*state, &delta, same[i]);
	}
}

/* Text without escapes is not copied; with escapes it is. */
static void
test_zero_copy(void **state)
{
	static const char json[] = "[{\"insert\":\"plain\"},{\"retain\":1},{\"insert\":\"esc\\u0061ped\"}]";
	Delta			  delta = delta_of(*state, json);

	assert_ptr_equal(delta.ops[0].data, json + 12);
	assert_int_equal(delta.ops[2].units, 7);
	assert_memory_equal(delta.ops[2].data, "escaped", 7);
	assert_int_equal(delta.ops[2].ascii, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		arena_test(test_messages),
		arena_test(test_limits),
		arena_test(test_limits_bound_the_work),
		arena_test(test_nesting),
		arena_test(test_depth_survives_printing),
		arena_test(test_round_trip),
		arena_test(test_zero_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

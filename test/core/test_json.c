/* test_json.c - the pull reader, numbers, and canonical JSON. */
#include "helpers.h"

#include <locale.h>
#include <math.h>

#include "../../core/json_internal.h"

/* The status of skipping one value that is the whole text. */
static CollabStatus
skip_status(const char *json, size_t bytes, int max_depth)
{
	char	  *exact = exact_copy(json, bytes);
	JsonReader r;
	JsonSpan   span;

	json_init(&r, exact, bytes, max_depth);
	if (json_skip(&r, &span))
		(void) json_end(&r);
	if (r.error.status != COLLAB_OK)
	{
		assert_true(r.error.where >= 0 && r.error.where <= (int64_t) bytes);
		assert_true(strlen(r.error.message) > 0);
		assert_int_equal(json_peek(&r), JSON_END); /* nothing more comes from a reader that has failed */
	}
	free(exact);
	return r.error.status;
}

static void
test_syntax(void **state)
{
	static const char *const good[] = {
		"{}",
		"[]",
		"\"\"",
		"0",
		"-0",
		"1.5e-3",
		"1E+2",
		"true",
		"false",
		"null",
		" [ 1 , { \"a\" : [ ] } ] ",
		"\t\r\n1\n",
		"{\"a\":1,\"a\":2}",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\"",
		"[[],[[]],{\"\":{}}]",
		"\"\x7f\"",
	};
	static const char *const bad[] = {
		"",
		" ",
		"{",
		"}",
		"[",
		"]",
		"[1",
		"[1,",
		"[1,]",
		"[,1]",
		"[1 2]",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{,}",
		"{a:1}",
		"{\"a\" 1}",
		"{1:2}",
		"[1}",
		"{\"a\":1]",
		"01",
		"-",
		"+1",
		"1.",
		".5",
		"1e",
		"1e+",
		"0x10",
		"1_0",
		"NaN",
		"Infinity",
		"-Infinity",
		"tru",
		"truex",
		"nul",
		"fals",
		"True",
		"\"",
		"\"\\\"",
		"\"\\x\"",
		"\"\\u12\"",
		"\"\\u12g4\"",
		"\"a\nb\"",
		"\"\t\"",
		"'a'",
		"1 2",
		"{} {}",
		"[] ]",
		"/**/1",
		"\xef\xbb\xbf{}",
		"\"\xff\"",
		"\"\xed\xa0\x80\"",
		"\"\xc0\xaf\"",
		"\xc3\xa9",
		"[\"a\" \"b\"]",
	};
	size_t i;

	(void) state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (skip_status(good[i], strlen(good[i]), 0) != COLLAB_OK)
			fail_msg("%s is refused", good[i]);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (skip_status(bad[i], strlen(bad[i]), 0) != COLLAB_SYNTAX)
			fail_msg("%s is %s", bad[i], collab_status_name(skip_status(bad[i], strlen(bad[i]), 0)));
	assert_status(skip_status("[1\0]", 4, 0), COLLAB_SYNTAX);
}

static void
test_forbidden_characters(void **state)
{
	static const char *const lone[] = {
		"\"\\ud800\"",		  "\"\\udc00\"",		"\"\\ud800\\ud800\"",  "\"\\ud800x\"",
		"\"\\ud800\\u0041\"", "\"\\udc00\\ud800\"", "\"\\ud83d\\\\de00\"", "{\"\\ud800\":1}",
	};
	size_t i;

	(void) state;
	for (i = 0; i < sizeof(lone) / sizeof(lone[0]); i++)
		assert_status(skip_status(lone[i], strlen(lone[i]), 0), COLLAB_SURROGATE);
	assert_status(skip_status("\"\\u0000\"", 8, 0), COLLAB_INVALID);
	assert_status(skip_status("\"a\0b\"", 5, 0), COLLAB_SYNTAX);
	assert_status(skip_status("\"\\ud83d", 7, 0), COLLAB_SURROGATE);
}

static void
test_depth(void **state)
{
	enum
	{
		LEVELS = 1000000
	};
	char *deep = malloc(LEVELS);

	(void) state;
	assert_status(skip_status("[[[]]]", 6, 3), COLLAB_OK);
	assert_status(skip_status("[[[]]]", 6, 2), COLLAB_LIMIT);
	assert_status(skip_status("{\"a\":{\"b\":{}}}", 14, 2), COLLAB_LIMIT);
	memset(deep, '[', LEVELS);
	assert_status(skip_status(deep, LEVELS, 0), COLLAB_LIMIT);
	assert_status(skip_status(deep, LEVELS, INT32_MAX), COLLAB_LIMIT);
	memset(deep, '[', JSON_MAX_DEPTH);
	memset(deep + JSON_MAX_DEPTH, ']', JSON_MAX_DEPTH);
	assert_status(skip_status(deep, 2 * JSON_MAX_DEPTH, 0), COLLAB_OK);
	free(deep);
}

/* Mixed containers of all depths: the skipper must remember which bracket closes which. */
static void
test_mixed_nesting(void **state)
{
	unsigned seed = 7;
	int		 round;

	(void) state;
	for (round = 0; round < 500; round++)
	{
		char   text[4096];
		char   closing[300];
		size_t size = 0;
		int	   depth = round % 300, i;

		for (i = 0; i < depth; i++)
		{
			bool object = ((seed = seed * 1103515245 + 12345) >> 16 & 1) != 0;

			closing[i] = object ? '}' : ']';
			size += (size_t) sprintf(text + size, object ? "{\"k\":" : "[1,");
		}
		text[size++] = '0';
		for (i = depth - 1; i >= 0; i--)
			text[size++] = closing[i];
		assert_status(skip_status(text, size, 0), COLLAB_OK);
		if (depth > 0)
		{
			i = (int) (size - 1 - (seed >> 8) % (unsigned) depth);
			text[i] = text[i] == ']' ? '}' : ']';
			assert_status(skip_status(text, size, 0), COLLAB_SYNTAX);
		}
	}
}

static void
test_walking(void **state)
{
	static const char json[] =
		" {\"skip\":[1,{\"x\":[]}], \"n\" : -12 ,\"s\":\"a\\u0062c\",\"t\":true,\"f\":false,\"z\":null,\"d\":2.5,\"l\":[1,[2],3]} ";
	JsonReader r;
	JsonString key, string;
	int64_t	   n = 0, sum = 0, one;
	double	   d = 0;
	bool	   t = false, f = true;
	int		   keys = 0;

	(void) state;
	json_init(&r, json, sizeof(json) - 1, 4);
	assert_true(json_object_begin(&r));
	while (json_object_next(&r, &key))
	{
		keys++;
		if (json_string_is(&key, "n"))
			assert_true(json_read_int(&r, &n));
		else if (json_string_is(&key, "s"))
			assert_true(json_read_string(&r, &string));
		else if (json_string_is(&key, "t"))
			assert_true(json_read_bool(&r, &t));
		else if (json_string_is(&key, "f"))
			assert_true(json_read_bool(&r, &f));
		else if (json_string_is(&key, "z"))
			assert_true(json_read_null(&r));
		else if (json_string_is(&key, "d"))
			assert_true(json_read_double(&r, &d));
		else if (json_string_is(&key, "l"))
		{
			assert_true(json_array_begin(&r));
			while (json_array_next(&r))
			{
				if (json_peek(&r) == JSON_ARRAY)
				{
					assert_true(json_array_begin(&r) && json_array_next(&r) && json_read_int(&r, &one));
					assert_false(json_array_next(&r));
				}
				else
					assert_true(json_read_int(&r, &one));
				sum += one;
			}
		}
		else
			assert_true(json_skip(&r, NULL));
	}
	assert_true(json_end(&r));
	assert_false(json_failed(&r));
	assert_int_equal(keys, 8);
	assert_int_equal(n, -12);
	assert_int_equal(sum, 6);
	assert_true(t && !f && d == 2.5);
	assert_true(string.escaped);
	assert_true(json_string_is(&string, "abc"));
	assert_false(json_string_is(&string, "ab"));
	assert_false(json_string_is(&string, "abcd"));
}

/* Another type than asked for is no syntax error; what was wrong first is what is remembered. */
static void
test_wrong_types(void **state)
{
	JsonReader r;
	int64_t	   n;
	JsonString s;

	(void) state;
	json_init(&r, "\"x\"", 3, 0);
	assert_false(json_read_int(&r, &n));
	assert_status(r.error.status, COLLAB_INVALID);
	assert_false(json_read_string(&r, &s));
	assert_false(json_skip(&r, NULL));
	assert_false(json_end(&r));
	assert_status(r.error.status, COLLAB_INVALID);
	json_init(&r, "{}", 2, 0);
	assert_false(json_array_begin(&r));
	assert_status(r.error.status, COLLAB_INVALID);
	json_init(&r, "[}", 2, 0);
	assert_true(json_array_begin(&r));
	assert_true(json_array_next(&r));
	assert_false(json_read_int(&r, &n));
	assert_status(r.error.status, COLLAB_SYNTAX);
}

static void
test_unescape(void **state)
{
	static const char json[] = "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\\ud83d\\ude00\\uFFFF!\"";
	JsonReader		  r;
	JsonString		  s;
	Buf				  buf;

	(void) state;
	buf_init(&buf, collab_malloc_alloc);
	json_init(&r, json, sizeof(json) - 1, 0);
	assert_true(json_read_string(&r, &s));
	json_unescape(&s, &buf);
	assert_buf(&buf, "\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbf!");
	buf_free(&buf);
}

static void
test_integers(void **state)
{
	static const struct
	{
		const char *json;
		int64_t		value; /* INT64_MIN: refused */
	} cases[] = {
		{"0", 0},
		{"-0", 0},
		{"1", 1},
		{"-1", -1},
		{"9007199254740991", INT64_C(9007199254740991)},
		{"-9007199254740991", -INT64_C(9007199254740991)},
		{"9007199254740992", INT64_MIN},
		{"-9007199254740992", INT64_MIN},
		{"10000000000000000", INT64_MIN},
		{"99999999999999999999", INT64_MIN},
		{"18446744073709551617", INT64_MIN},
		{"1e3", 1000},
		{"1.0", 1},
		{"1.50", INT64_MIN},
		{"10e-1", 1},
		{"1e-1", INT64_MIN},
		{"0.000e99999", 0},
		{"9007199254740991.0", INT64_C(9007199254740991)},
		{"9007199254740991.1", INT64_MIN},
		{"1e15", INT64_C(1000000000000000)},
		{"1e16", INT64_MIN},
		{"1e999999999999", INT64_MIN},
		{"1e-999999999999", INT64_MIN},
		{"0.1e1", 1},
		{"123.456e3", 123456},
		{"9007199254740991000e-3", INT64_C(9007199254740991)},
		{"1.00000000000000000000000000001", INT64_MIN},
	};
	size_t i;

	(void) state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		JsonReader r;
		int64_t	   value = 42;

		json_init(&r, cases[i].json, strlen(cases[i].json), 0);
		if (json_read_int(&r, &value) != (cases[i].value != INT64_MIN))
			fail_msg("%s", cases[i].json);
		if (cases[i].value != INT64_MIN)
			assert_int_equal(value, cases[i].value);
		else
			assert_status(r.error.status, COLLAB_INVALID);
	}
}

/* What node prints for JSON.stringify(JSON.parse(x)). */
static const char *const numbers[][2] = {
	{"0", "0"},
	{"-0", "0"},
	{"-0.0e5", "0"},
	{"1e0", "1"},
	{"1e+0", "1"},
	{"123456789012345", "123456789012345"},
	{"9007199254740993", "9007199254740992"},
	{"12345678901234567890", "12345678901234567000"},
	{"1e21", "1e+21"},
	{"1e20", "100000000000000000000"},
	{"123456789012345678901", "123456789012345680000"},
	{"1.0", "1"},
	{"0.1", "0.1"},
	{"0.10", "0.1"},
	{"1e-6", "0.000001"},
	{"1e-7", "1e-7"},
	{"1.5e-7", "1.5e-7"},
	{"0.30000000000000004", "0.30000000000000004"},
	{"0.3", "0.3"},
	{"5e-324", "5e-324"},
	{"2e-324", "0"},
	{"3e-324", "5e-324"},
	{"2.2250738585072011e-308", "2.225073858507201e-308"},
	{"2.2250738585072014e-308", "2.2250738585072014e-308"},
	{"1.7976931348623157e308", "1.7976931348623157e+308"},
	{"4.35", "4.35"},
	{"100.5", "100.5"},
	{"-1.25e2", "-125"},
	{"9.5367431640625e-7", "9.5367431640625e-7"},
	{"5.684341886080802e-14", "5.684341886080802e-14"},
	{"9007199254740992", "9007199254740992"},
	{"1.2345678901234567e-300", "1.2345678901234568e-300"},
	{"179769313486231570000000000000000000000", "1.7976931348623156e+38"},
	{"0.1000000000000000055511151231257827021181583404541015625", "0.1"},
	{"1e23", "1e+23"},
	{"8.41e21", "8.41e+21"},
	{"2.5e-310", "2.5e-310"},
};

static void
test_numbers(void **state)
{
	Arena *arena = *state;
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
	{
		JsonReader r;
		Buf		   buf;

		buf_init(&buf, collab_malloc_alloc);
		json_init(&r, numbers[i][0], strlen(numbers[i][0]), 0);
		assert_true(json_canonical(&r, arena, &buf));
		buf_char(&buf, '\0');
		assert_string_equal(buf.data, numbers[i][1]);
		assert_true(json_is_canonical(numbers[i][1], strlen(numbers[i][1]), 0));
		if (strcmp(numbers[i][0], numbers[i][1]) != 0)
			assert_false(json_is_canonical(numbers[i][0], strlen(numbers[i][0]), 0));
		buf_free(&buf);
	}
}

static void
test_numbers_in_another_locale(void **state)
{
	static const char *const locales[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
	size_t					 i;

	for (i = 0; i < sizeof(locales) / sizeof(locales[0]); i++)
		if (setlocale(LC_ALL, locales[i]) != NULL)
		{
			test_numbers(state);
			setlocale(LC_ALL, "C");
			return;
		}
	print_message("skipped: no locale with a decimal comma is installed\n");
	skip();
}

/* Every double reads back as itself; the text is the shortest that does. */
static void
test_random_doubles(void **state)
{
	uint64_t bits = UINT64_C(88172645463325252);
	int		 i;

	(void) state;
	for (i = 0; i < 20000; i++)
	{
		char		text[JSON_NUMBER_SIZE + 1];
		const char *at = text;
		JsonNumber	number;
		double		value, back;
		size_t		bytes;

		bits ^= bits << 13;
		bits ^= bits >> 7;
		bits ^= bits << 17;
		memcpy(&value, &bits, sizeof(value));
		if (i % 4 == 0)
			value = ldexp(1, (int) (bits % 2000) - 1050);
		if (!isfinite(value))
			continue;
		bytes = json_number_print(value, text);
		assert_true(bytes < JSON_NUMBER_SIZE);
		text[bytes] = '\0';
		assert_true(json_number_scan(&at, text + bytes, &number));
		assert_ptr_equal(at, text + bytes);
		assert_true(json_number_double(&number, &back));
		if (back != value || strtod(text, NULL) != value)
			fail_msg("%s is not %.17g", text, value);
	}
}

static void
test_out_of_range(void **state)
{
	JsonReader r;
	double	   d;
	char	   long_one[2000];

	(void) state;
	json_init(&r, "1e309", 5, 0);
	assert_false(json_read_double(&r, &d));
	assert_status(r.error.status, COLLAB_INVALID);
	json_init(&r, "-1e999999999", 12, 0);
	assert_false(json_read_double(&r, &d));
	memset(long_one, '9',
		   sizeof(long_one)); /* 2,000 digits are more than a double can hold, behind a point they are not */
	json_init(&r, long_one, sizeof(long_one), 0);
	assert_false(json_read_double(&r, &d));
	long_one[1] = '.';
	json_init(&r, long_one, sizeof(long_one), 0);
	assert_true(json_read_double(&r, &d));
	assert_true(d == 10.0);
	/* halfway between 1 and the next double, and a little more, far behind */
	memset(long_one, '0', sizeof(long_one));
	memcpy(long_one, "1.00000000000000011102230246251565404236316680908203125", 55);
	json_init(&r, long_one, 1500, 0);
	assert_true(json_read_double(&r, &d) && d == 1.0);
	long_one[1499] = '1';
	json_init(&r, long_one, 1500, 0);
	assert_true(json_read_double(&r, &d) && d > 1.0);
}

static void
assert_canonical(Arena *arena, const char *json, const char *expected)
{
	char	  *exact = exact_copy(json, strlen(json));
	JsonReader r;
	Buf		   buf;

	buf_init(&buf, collab_malloc_alloc);
	json_init(&r, exact, strlen(json), 0);
	if (!json_canonical(&r, arena, &buf) || !json_end(&r))
		fail_msg("%s: %s", json, r.error.message);
	buf_char(&buf, '\0');
	assert_string_equal(buf.data, expected);
	assert_true(json_is_canonical(expected, strlen(expected), 0));
	assert_int_equal(json_is_canonical(exact, strlen(json), 0), strcmp(json, expected) == 0);
	buf_free(&buf);
	free(exact);
}

static void
test_canonical(void **state)
{
	Arena *arena = *state;

	assert_canonical(arena, " { } ", "{}");
	assert_canonical(arena, "[ ]", "[]");
	assert_canonical(arena, "[1, \"a\" ,true,null]", "[1,\"a\",true,null]");
	assert_canonical(arena, "{\"b\":1,\"a\":2}", "{\"a\":2,\"b\":1}");
	assert_canonical(arena, "{\"a\":1,\"b\":2}", "{\"a\":1,\"b\":2}");
	assert_canonical(arena, "{\"a\":1,\"a\":2,\"a\":3}", "{\"a\":3}");
	assert_canonical(arena, "{\"b\":1,\"a\":2,\"b\":3,\"a\":4}", "{\"a\":4,\"b\":3}");
	assert_canonical(arena, "{\"b\":{\"d\":[{\"f\":1,\"e\":2}],\"c\":0},\"a\":{}}",
					 "{\"a\":{},\"b\":{\"c\":0,\"d\":[{\"e\":2,\"f\":1}]}}");
	assert_canonical(arena, "{\"10\":1,\"9\":2,\"\":3}", "{\"\":3,\"10\":1,\"9\":2}");
	assert_canonical(arena, "{\"\\u0061\":1,\"a\":2}", "{\"a\":2}");
	assert_canonical(arena, "{\"\\u00e9\":1,\"z\":2}", "{\"z\":2,\"\xc3\xa9\":1}");
	assert_canonical(arena, "{\"!\":1,\"\\n\":2,\"\\\"\":3}",
					 "{\"\\n\":2,\"!\":1,\"\\\"\":3}"); /* by the keys, not by their escapes */
	assert_canonical(arena, "{\"ab\":1,\"a\":2,\"abc\":3}", "{\"a\":2,\"ab\":1,\"abc\":3}");
	assert_canonical(arena, "\"\\/\\u0041\\u001F\\u000a\\u007f\"", "\"/A\\u001f\\n\x7f\"");
	assert_canonical(arena, "[1.0,{\"x\":1e2}]", "[1,{\"x\":100}]");
	assert_canonical(arena, "{\"z\":{\"y\":{\"x\":{\"b\":1,\"a\":[]}}},\"a\":[[[{\"q\":1,\"p\":2}]]]}",
					 "{\"a\":[[[{\"p\":2,\"q\":1}]]],\"z\":{\"y\":{\"x\":{\"a\":[],\"b\":1}}}}");
}

static void
test_not_canonical(void **state)
{
	static const char *const bad[] = {
		"",
		" 1",
		"1 ",
		"[1, 2]",
		"{\"a\": 1}",
		"{\"a\":1 }",
		"[ ]",
		"{\"b\":1,\"a\":1}",
		"{\"a\":1,\"a\":1}",
		"1.0",
		"1e2",
		"-0",
		"01",
		"\"\\/\"",
		"\"\\u0041\"",
		"\"\\u000a\"",
		"\"\\u001F\"",
		"\"\\u0008\"",
		"\"\\u0022\"",
		"[",
		"{\"a\"}",
		"\"a",
		"1}",
		"[]]",
		"\"\\ud83d\\ude00\"",
		"tru",
		"{\"\\u0061\":1}",
		"{\"\\\"\":1,\"!\":2}",
		"nulll",
		"falsy",
		"\"\xff\"",
		"\"\x01\"",
	};
	size_t i;

	(void) state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		char *exact = exact_copy(bad[i], strlen(bad[i]));

		if (json_is_canonical(exact, strlen(bad[i]), 0))
			fail_msg("%s passes for canonical", bad[i]);
		free(exact);
	}
	assert_true(json_is_canonical("[[1]]", 5, 2));
	assert_false(json_is_canonical("[[1]]", 5, 1));
}

/*
 * An object of 100,000 keys in the worst order takes n log n, not n^2; the same nested takes its depth
 * times its size.
 */
static void
test_many_keys(void **state)
{
	enum
	{
		KEYS = 100000
	};
	Arena	  *arena = *state;
	Buf		   json, canonical;
	JsonReader r;
	int		   i;

	buf_init(&json, collab_malloc_alloc);
	buf_init(&canonical, collab_malloc_alloc);
	buf_char(&json, '{');
	for (i = 0; i < KEYS; i++)
	{
		char member[40];

		sprintf(member, "%s\"k%06d\":%d", i > 0 ? "," : "", (i * 7919) % KEYS, i);
		buf_str(&json, member);
	}
	buf_char(&json, '}');
	json_init(&r, json.data, json.size, 0);
	assert_true(json_canonical(&r, arena, &canonical));
	assert_true(json_is_canonical(canonical.data, canonical.size, 0));
	assert_int_equal(canonical.size, json.size);
	assert_memory_equal(canonical.data, "{\"k000000\":0,\"k000001\":", 23);
	assert_true(arena->used < 64 * 1024 * 1024);
	buf_free(&json);
	buf_free(&canonical);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_forbidden_characters),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_mixed_nesting),
		cmocka_unit_test(test_walking),
		cmocka_unit_test(test_wrong_types),
		cmocka_unit_test(test_unescape),
		cmocka_unit_test(test_integers),
		arena_test(test_numbers),
		arena_test(test_numbers_in_another_locale),
		cmocka_unit_test(test_random_doubles),
		cmocka_unit_test(test_out_of_range),
		arena_test(test_canonical),
		cmocka_unit_test(test_not_canonical),
		arena_test(test_many_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_buf.c - the byte buffer, and UTF-16 positions over UTF-8. */
#include "helpers.h"

#include "../../core/utf8.h"

static void
test_printing(void **state)
{
	Buf buf;

	(void) state;
	buf_init(&buf, collab_malloc_alloc);
	buf_str(&buf, "a");
	buf_bytes(&buf, "", 0);
	buf_char(&buf, ' ');
	buf_u64(&buf, 0);
	buf_char(&buf, ' ');
	buf_u64(&buf, UINT64_MAX);
	buf_char(&buf, ' ');
	buf_i64(&buf, INT64_MIN);
	buf_char(&buf, ' ');
	buf_i64(&buf, INT64_MAX);
	buf_char(&buf, ' ');
	buf_hex64(&buf, UINT64_C(0x00AB0123456789EF));
	assert_buf(&buf, "a 0 18446744073709551615 -9223372036854775808 9223372036854775807 00ab0123456789ef");
	buf_clear(&buf);
	assert_int_equal(buf.size, 0);
	buf_free(&buf);
	buf_free(&buf);
}

static void
test_json_string(void **state)
{
	Buf	 buf;
	char all[64];
	int	 special, at;
	char expected[80];

	(void) state;
	buf_init(&buf, collab_malloc_alloc);
	buf_json_string(&buf, "\"\\/\b\f\n\r\t\x01\x1f\x7f\xc3\xa9\xf0\x9f\x98\x80", 17);
	assert_buf(&buf, "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\xc3\xa9\xf0\x9f\x98\x80\"");

	/* wherever in a word the special byte stands */
	for (at = 0; at < 40; at++)
	{
		for (special = 1; special < 256; special++)
		{
			memset(all, 'x', 40);
			all[at] = (char) special;
			buf_clear(&buf);
			buf_json_string(&buf, all, 40);
			if (special >= ' ' && special != '"' && special != '\\')
				snprintf(expected, sizeof(expected), "\"%.40s\"", all);
			else
			{
				static const char shorts[] = "\b\t\n\f\r\"\\", letters[] = "btnfr\"\\";
				const char		 *found = strchr(shorts, special);
				char			  escape[8];

				if (found != NULL)
					snprintf(escape, sizeof(escape), "\\%c", letters[found - shorts]);
				else
					snprintf(escape, sizeof(escape), "\\u%04x", (unsigned) special);
				snprintf(expected, sizeof(expected), "\"%.*s%s%.*s\"", at, all, escape, 39 - at, all + at + 1);
			}
			assert_buf(&buf, expected);
		}
	}
	buf_free(&buf);
}

static void *
never(void *ctx, size_t size)
{
	(void) size;
	return --*(int *) ctx < 0 ? NULL : malloc(size);
}

static void
give_back(void *ctx, void *ptr)
{
	(void) ctx;
	free(ptr);
}

static void
test_failure_sticks(void **state)
{
	int			left = 1;
	CollabAlloc alloc = {never, give_back, &left};
	Buf			buf;
	size_t		size;

	(void) state;
	buf_init(&buf, alloc);
	while (!buf.failed)
		buf_str(&buf, "0123456789");
	size = buf.size;
	assert_true(size >= 60);
	buf_char(&buf, 'x'); /* there would be room */
	buf_u64(&buf, 1);
	buf_json_string(&buf, "x", 1);
	assert_null(buf_grow(&buf, 0));
	assert_int_equal(buf.size, size);
	assert_null(buf_grow(&buf, SIZE_MAX));
	buf_clear(&buf);
	buf_char(&buf, 'x');
	assert_buf(&buf, "x");
	buf_free(&buf);
}

static void
test_reserve(void **state)
{
	Buf buf;
	int i;

	(void) state;
	buf_init_reserve(&buf, collab_malloc_alloc, 24);
	for (i = 0; i < 1000; i++)
	{
		buf_str(&buf, "xy");
		memset(buf.data - 24, 0xEE, 24); /* ours to write to */
	}
	assert_int_equal(buf.size, 2000);
	for (i = 0; i < 2000; i++)
		assert_int_equal(buf.data[i], "xy"[i % 2]);
	buf_free(&buf);
}

/* ---- UTF-8 ---- */

/* Texts with their units, every kind of character at every place of a word. */
static const char *const pieces[] = {
	"a",   "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf",
	"\x7f"};
static const int piece_units[] = {1, 1, 1, 2, 1, 1, 2, 1};

static void
test_positions(void **state)
{
	unsigned seed = 1;
	int		 round;

	(void) state;
	for (round = 0; round < 2000; round++)
	{
		char	text[200];
		size_t	starts[64];
		int		units_at[64];
		size_t	bytes = 0;
		int		units = 0, count = round % 50, i;
		bool	pair = false;
		int64_t counted;
		char   *exact;

		for (i = 0; i < count; i++)
		{
			unsigned which = (seed = seed * 1103515245 + 12345) >> 16 & 7;

			if (round % 3 == 0)
				which = which < 6 ? 0 : which;
			starts[i] = bytes;
			units_at[i] = units;
			memcpy(text + bytes, pieces[which], strlen(pieces[which]));
			bytes += strlen(pieces[which]);
			units += piece_units[which];
			pair = pair || piece_units[which] == 2;
		}
		starts[count] = bytes;
		units_at[count] = units;
		exact = exact_copy(text, bytes);
		assert_true(utf8_check(exact, bytes, &counted));
		assert_int_equal(counted, units);
		assert_int_equal(utf8_units(exact, bytes), units);
		assert_int_equal(utf8_has_pair(exact, bytes), pair);
		for (i = 0; i <= count; i++)
		{
			size_t cut;

			assert_int_equal(utf8_offset(exact, bytes, units_at[i]), starts[i]);
			if (i < count && units_at[i + 1] - units_at[i] == 2)
				assert_int_equal(utf8_offset(exact, bytes, units_at[i] + 1), UTF8_INSIDE_PAIR);
			for (cut = starts[i]; i < count && cut < starts[i + 1]; cut++)
				assert_int_equal(utf8_floor(exact, cut), starts[i]);
		}
		free(exact);
	}
}

static void
test_malformed(void **state)
{
	static const char *const bad[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xc3",
		"\xc3(",
		"\xe0\x80\x80",
		"\xe0\x9f\xbf",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xe2\x82",
		"\xe2(\xa1",
		"\xe2\x82(",
		"\xf0\x80\x80\x80",
		"\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xf0\x9f\x98",
		"\xf0(\x8c\xbc",
		"\xf0\x90(\xbc",
		"\xf0\x90\x8c(",
		"\xfe",
		"\xff",
	};
	size_t	i, before;
	int64_t units;

	(void) state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		for (before = 0; before < 20; before++)
		{
			char   text[64];
			size_t bytes = before + strlen(bad[i]);
			char  *exact;

			memset(text, 'x', before);
			memcpy(text + before, bad[i], strlen(bad[i]));
			exact = exact_copy(text, bytes);
			if (utf8_check(exact, bytes, &units))
				fail_msg("malformed text %zu is accepted behind %zu bytes", i, before);
			free(exact);
		}
	}
	assert_false(utf8_check("a\0b", 3, &units));
	assert_false(utf8_check("abcdefg\0hijklmnopq", 18, &units));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_printing),	   cmocka_unit_test(test_json_string),
		cmocka_unit_test(test_failure_sticks), cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_positions),	   cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

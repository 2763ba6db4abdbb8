/* test_render.c - documents as HTML and Markdown: formats, what is left out, addresses, bounds. Text itself: test/oracle/render.mjs. */
#include "../../core/html.h"
#include "../../core/markdown.h"
#include "helpers.h"
#include "render_check.h"

typedef CollabStatus (*Renderer)(Arena *scratch, const Delta *document, size_t limit, Buf *out,
								 CollabError *err);

static const char *
rendered(Arena *arena, Renderer renderer, const char *json)
{
	CollabError err = {COLLAB_OK, -1, ""};
	Delta		document = delta_of(arena, json);
	Buf			buf;
	char	   *text;

	buf_init(&buf, collab_malloc_alloc);
	if (renderer(arena, &document, 0, &buf, &err) != COLLAB_OK)
		fail_msg("%s: %s", json, err.message);
	text = arena_alloc(arena, buf.size + 1);
	assert_non_null(text);
	if (buf.size > 0)
		memcpy(text, buf.data, buf.size);
	text[buf.size] = '\0';
	if (renderer == html_render)
	{
		const char *fault = render_html_fault(text, buf.size);

		if (fault != NULL)
			fail_msg("%s: %s: %s", json, fault, text);
	}
	buf_free(&buf);
	return text;
}

#define assert_html(state, json, expected)                                                                   \
	assert_string_equal(rendered(*(state), html_render, json), expected)
#define assert_markdown(state, json, expected)                                                               \
	assert_string_equal(rendered(*(state), markdown_render, json), expected)

/* ---- HTML ---- */

static void
test_html_lines(void **state)
{
	assert_html(state, "[]", "");
	assert_html(state, "[{\"insert\":\"a\"}]", "<p>a</p>\n");
	assert_html(state, "[{\"insert\":\"a\\n\"}]", "<p>a</p>\n");
	assert_html(state, "[{\"insert\":\"a\\n\\nb\"}]", "<p>a</p>\n<p><br></p>\n<p>b</p>\n");
	assert_html(state, "[{\"insert\":\"\\n\"}]", "<p><br></p>\n");
	assert_html(state, "[{\"insert\":\"a\"},{\"insert\":\"\\n\",\"attributes\":{\"header\":3}}]",
				"<h3>a</h3>\n");
	assert_html(state, "[{\"insert\":\"a\\nb\"},{\"insert\":\"\\n\",\"attributes\":{\"blockquote\":true}}]",
				"<p>a</p>\n<blockquote>\n<p>b</p>\n</blockquote>\n");
	assert_html(state, "[{\"insert\":\"\\n\\n\",\"attributes\":{\"code-block\":\"js\"}}]",
				"<pre><code class=\"language-js\">\n\n</code></pre>\n");
	assert_html(state, "[{\"insert\":\"a  b\\n\"}]", "<p style=\"white-space:pre-wrap\">a  b</p>\n");
	/* code wins over lists, these over headings, these over quotes */
	assert_html(state,
				"[{\"insert\":\"\\n\",\"attributes\":{\"code-block\":true,\"list\":\"bullet\",\"header\":1}}]",
				"<pre><code>\n</code></pre>\n");
	assert_html(state, "[{\"insert\":\"\\n\",\"attributes\":{\"list\":\"bullet\",\"header\":1}}]",
				"<ul>\n<li></li>\n</ul>\n");
	assert_html(state, "[{\"insert\":\"\\n\",\"attributes\":{\"blockquote\":true,\"header\":1}}]",
				"<h1><br></h1>\n");
}

#define ITEM(text, list, indent)                                                                             \
	"{\"insert\":\"" text "\"},{\"insert\":\"\\n\",\"attributes\":{\"list\":\"" list "\",\"indent\":" indent \
	"}}"

static void
test_html_lists(void **state)
{
	assert_html(state, "[" ITEM("a", "bullet", "0") "," ITEM("b", "bullet", "0") "]",
				"<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n");
	assert_html(state, "[" ITEM("a", "bullet", "0") "," ITEM("b", "ordered", "0") "]",
				"<ul>\n<li>a</li>\n</ul>\n<ol>\n<li>b</li>\n</ol>\n");
	assert_html(state,
				"[" ITEM("a", "ordered", "0") "," ITEM("b", "bullet", "3") "," ITEM("c", "ordered", "0") "]",
				"<ol>\n<li>a<ul>\n<li>b</li>\n</ul>\n</li>\n<li>c</li>\n</ol>\n");
	/* an item further to the left than the first one begins another list */
	assert_html(state, "[" ITEM("a", "bullet", "2") "," ITEM("b", "bullet", "1") "]",
				"<ul>\n<li>a</li>\n</ul>\n<ul>\n<li>b</li>\n</ul>\n");
	assert_html(state, "[" ITEM("a", "checked", "0") "," ITEM("b", "unchecked", "0") "]",
				"<ul>\n<li><input type=\"checkbox\" disabled checked>a</li>\n"
				"<li><input type=\"checkbox\" disabled>b</li>\n</ul>\n");
}

static void
test_html_escapes(void **state)
{
	assert_html(state, "[{\"insert\":\"<&>\\\"'\\r\\t\"}]",
				"<p style=\"white-space:pre-wrap\">&lt;&amp;&gt;&quot;&#39;&#13;\t</p>\n");
	assert_html(state, "[{\"insert\":{\"formula\":\"</span>\"}},{\"insert\":{\"\\\"><b>\":1}},{\"insert\":7}]",
				"<p><span data-embed=\"formula\">&lt;/span&gt;</span><span data-embed=\"other\"></span>"
				"<span data-embed=\"other\"></span></p>\n");
	assert_html(
		state,
		"[{\"insert\":{\"image\":\"/i\"},\"attributes\":{\"alt\":\"\\\"><\",\"width\":\"1\\\"\",\"height\":7}}]",
		"<p><img src=\"/i\" alt=\"&quot;&gt;&lt;\" height=\"7\"></p>\n");
}

/* Each is the value of an attribute, and what becomes of it: a style, or NULL where it is left out. */
static void
test_html_styles(void **state)
{
	static const char *const cases[][3] = {
		{"color", "\"red\"", "color:red"},
		{"color", "\"#fff\"", "color:#fff"},
		{"color", "\"rgba(1, 2, 3, .5)\"", "color:rgba(1, 2, 3, .5)"},
		{"background", "\"#12345678\"", "background-color:#12345678"},
		{"color", "\"#12345\"", NULL},
		{"color", "\"red;x:y\"", NULL},
		{"color", "\"url(x)\"", NULL},
		{"color", "\"rgb(1;2)\"", NULL},
		{"color", "\"rgb(1\"", NULL},
		{"color", "\"red\\\"\"", NULL},
		{"color", "\"\\u0072ed\\u0001\"", NULL},
		{"color", "1", NULL},
		{"color", "\"\"", NULL},
		{"color", "\"abcdefghijklmnopqrstuvwxyz\"", NULL},
		{"font", "\"Times New Roman\"", "font-family:Times New Roman"},
		{"font", "\"a;b\"", NULL},
		{"font", "\"1a\"", NULL},
		{"font", "\"a  b\"", NULL},
		{"font", "\"a \"", NULL},
		{"size", "\"large\"", "font-size:1.5em"},
		{"size", "\"12.5px\"", "font-size:12.5px"},
		{"size", "\"100%\"", "font-size:100%"},
		{"size", "\"12\"", NULL},
		{"size", "\"12.px\"", NULL},
		{"size", "\"99999px\"", NULL},
		{"size", "\"12px;x:y\"", NULL},
		{"size", "12", NULL},
	};
	char   json[200];
	char   expected[200];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		snprintf(json, sizeof(json), "[{\"insert\":\"x\",\"attributes\":{\"%s\":%s}}]", cases[i][0],
				 cases[i][1]);
		if (cases[i][2] == NULL)
			snprintf(expected, sizeof(expected), "<p>x</p>\n");
		else
			snprintf(expected, sizeof(expected), "<p><span style=\"%s\">x</span></p>\n", cases[i][2]);
		assert_html(state, json, expected);
	}
}

static void
test_html_other_values(void **state)
{
	/* what JavaScript takes for false, and what is no format */
	assert_html(
		state,
		"[{\"insert\":\"x\",\"attributes\":{\"bold\":false,\"italic\":null,\"underline\":0,\"strike\":\"\",\"code\":false,"
		"\"script\":\"x\",\"onclick\":\"alert(1)\",\"style\":\"x\"}}]",
		"<p>x</p>\n");
	assert_html(state, "[{\"insert\":\"x\",\"attributes\":{\"bold\":1,\"italic\":\"no\",\"strike\":[]}}]",
				"<p><strong><em><s>x</s></em></strong></p>\n");
	assert_html(
		state,
		"[{\"insert\":\"\\n\",\"attributes\":{\"header\":7,\"list\":\"x\",\"align\":\"center;\",\"indent\":-1,\"direction\":1}}]",
		"<p><br></p>\n");
	assert_html(
		state,
		"[{\"insert\":\"\\n\",\"attributes\":{\"align\":\"right\",\"indent\":99,\"direction\":\"rtl\"}}]",
		"<p dir=\"rtl\" style=\"text-align:right;padding-right:24em\"><br></p>\n");
	assert_html(state, "[{\"insert\":\"\\n\",\"attributes\":{\"code-block\":\"x\\\"y\"}}]",
				"<pre><code>\n</code></pre>\n");
}

/* ---- addresses ---- */

typedef struct UrlCase
{
	const char *json; /* the inside of a JSON string */
	const char *link; /* what is written, NULL: nothing */
	const char *image;
} UrlCase;

static void
test_urls(void **state)
{
	static const UrlCase cases[] = {
		{"https://example.com/", "https://example.com/", "https://example.com/"},
		{"HtTpS://example.com", "HtTpS://example.com", "HtTpS://example.com"},
		{"http://a/?b=1&c=2#d", "http://a/?b=1&amp;c=2#d", "http://a/?b=1&amp;c=2#d"},
		{" https://a/b c\\\"'<>`(\\\\)\\t\\n ", "https://a/b%20c%22%27%3C%3E%60%28%5C%29",
		 "https://a/b%20c%22%27%3C%3E%60%28%5C%29"},
		{"https://\\u00e9", "https://\xC3\xA9", "https://\xC3\xA9"},
		{"mailto:a@b", "mailto:a@b", NULL},
		{"/a", "/a", "/a"},
		{"./a", "./a", "./a"},
		{"#a", "#a", "#a"},
		{"?a", "?a", "?a"},
		{"data:image/png;base64,AAAA", NULL, "data:image/png;base64,AAAA"},
		{"data:image/png;base64,AA\\\"A", NULL, NULL},
		{"data:image/png;base64,", NULL, NULL},
		{"data:image/svg+xml;base64,AAAA", NULL, NULL},
		{"data:text/html;base64,AAAA", NULL, NULL},
		{"javascript:alert(1)", NULL, NULL},
		{"JAVASCRIPT:alert(1)", NULL, NULL},
		{"java\\tscript:alert(1)", NULL, NULL},
		{"\\u0001 javascript:alert(1)", NULL, NULL},
		{"javascript&colon;alert(1)", NULL, NULL},
		{"javascript&#58;alert(1)", NULL, NULL},
		{"ht tps://a", NULL, NULL},
		{"//a", NULL, NULL},
		{"/\\\\a", NULL, NULL},
		{"/\\t/a", NULL, NULL},
		{"a.example", NULL, NULL},
		{"https://", NULL, NULL},
		{"http://", NULL, NULL},
		{"https:a", NULL, NULL},
		{"mailto:", NULL, NULL},
		{"file:///a", NULL, NULL},
		{"vbscript:a", NULL, NULL},
		{"", NULL, NULL},
		{" ", NULL, NULL},
	};
	char   json[200];
	char   expected[300];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		snprintf(json, sizeof(json), "[{\"insert\":\"x\",\"attributes\":{\"link\":\"%s\"}}]", cases[i].json);
		if (cases[i].link == NULL)
			snprintf(expected, sizeof(expected), "<p>x</p>\n");
		else
			snprintf(expected, sizeof(expected),
					 "<p><a href=\"%s\" rel=\"noopener noreferrer nofollow\">x</a></p>\n", cases[i].link);
		assert_html(state, json, expected);

		snprintf(json, sizeof(json), "[{\"insert\":{\"image\":\"%s\"}}]", cases[i].json);
		if (cases[i].image == NULL)
			snprintf(expected, sizeof(expected), "<p><span data-embed=\"image\"></span></p>\n");
		else
			snprintf(expected, sizeof(expected), "<p><img src=\"%s\" alt=\"\"></p>\n", cases[i].image);
		assert_html(state, json, expected);
	}
}

static void
test_no_link_in_link(void **state)
{
	assert_html(
		state, "[{\"insert\":{\"video\":\"/v\"},\"attributes\":{\"link\":\"/l\",\"bold\":true}}]",
		"<p><strong><a href=\"/v\" rel=\"noopener noreferrer nofollow\" data-embed=\"video\">/v</a></strong></p>\n");
	assert_markdown(state, "[{\"insert\":{\"video\":\"/v\"},\"attributes\":{\"link\":\"/l\"}}]", "[/v](/l)\n");
	assert_markdown(state, "[{\"insert\":{\"video\":\"/v\"}}]", "[/v](/v)\n");
}

/* ---- Markdown ---- */

static void
test_markdown_blocks(void **state)
{
	assert_markdown(state, "[]", "");
	assert_markdown(state, "[{\"insert\":\"a\\n\\nb\\n\"}]", "a\n\nb\n");
	assert_markdown(state, "[{\"insert\":\"a\"},{\"insert\":\"\\n\",\"attributes\":{\"header\":2}}]",
					"## a\n");
	assert_markdown(
		state,
		"[{\"insert\":\"a\"},{\"insert\":\"\\n\",\"attributes\":{\"blockquote\":true}},{\"insert\":\"b\"},"
		"{\"insert\":\"\\n\",\"attributes\":{\"blockquote\":true}}]",
		"> a\n>\n> b\n");
	assert_markdown(
		state,
		"[{\"insert\":\"a```\"},{\"insert\":\"\\n\",\"attributes\":{\"code-block\":\"c\"}},{\"insert\":\"b\\n\"}]",
		"````c\na```\n````\n\nb\n");
	assert_markdown(state, "[{\"insert\":\"1. a\\n- b\\n+ c\\n# d\\n---\\n  e \\n#\\n>\"}]",
					"1\\. a\n\n\\- b\n\n\\+ c\n\n\\# d\n\n\\---\n\n&#32; e&#32;\n\n\\#\n\n&gt;\n");
}

static void
test_markdown_lists(void **state)
{
	assert_markdown(state,
					"[" ITEM("a", "ordered", "0") "," ITEM("b", "ordered", "0") "," ITEM(
						"c", "bullet", "1") "," ITEM("d", "checked", "5") "," ITEM("e", "ordered", "0") "]",
					"1. a\n2. b\n   - c\n     - [x] d\n3. e\n");
	/* two lists in a row, and one that an empty line ends */
	assert_markdown(state,
					"[" ITEM("a", "bullet", "0") "," ITEM("b", "ordered", "0") ",{\"insert\":\"\\n\"}," ITEM(
						"c", "ordered", "0") "]",
					"- a\n\n1) b\n\n1. c\n");
	/* an empty item below text would make a heading of that */
	assert_markdown(state,
					"[" ITEM("a", "bullet",
							 "0") ",{\"insert\":\"\\n\",\"attributes\":{\"list\":\"bullet\",\"indent\":1}}]",
					"- a\n\n  -\n");
}

static void
test_markdown_marks(void **state)
{
	assert_markdown(
		state, "[{\"insert\":\"a\"},{\"insert\":\"bc\",\"attributes\":{\"bold\":true}},{\"insert\":\"d\"}]",
		"a**bc**d\n");
	assert_markdown(
		state, "[{\"insert\":\"a\"},{\"insert\":\"bc\",\"attributes\":{\"italic\":true}},{\"insert\":\"d\"}]",
		"&#97;_bc_&#100;\n");
	assert_markdown(
		state, "[{\"insert\":\"a \"},{\"insert\":\" b \",\"attributes\":{\"bold\":true}},{\"insert\":\"c\"}]",
		"a **&#32;b&#32;**&#99;\n");
	assert_markdown(
		state,
		"[{\"insert\":\"a\",\"attributes\":{\"bold\":true,\"italic\":true}},{\"insert\":\"b\",\"attributes\":{\"italic\":true}}]",
		"**_a_**_b_\n");
	assert_markdown(
		state,
		"[{\"insert\":\"`\",\"attributes\":{\"code\":true}},{\"insert\":\" \",\"attributes\":{\"code\":true,\"color\":\"red\"}}]",
		"`` ` ``&#32;\n");
	/* an embed that Markdown knows nothing of leaves no empty marks behind */
	assert_markdown(state, "[{\"insert\":{\"x\":1},\"attributes\":{\"bold\":true}}]", "");
	assert_markdown(state, "[{\"insert\":\"a!\"},{\"insert\":\"b\",\"attributes\":{\"link\":\"/\"}}]",
					"a&#33;[b](/)\n");
	assert_markdown(state, "[{\"insert\":{\"image\":\"/i\"},\"attributes\":{\"alt\":\"a]\\n(b\"}}]",
					"![a\\]&#10;(b](/i)\n");
}

/* ---- bounds ---- */

static void
test_refusals(void **state)
{
	Renderer const renderers[] = {html_render, markdown_render};
	CollabError	   err;
	Delta change = delta_of(*state, "[{\"insert\":\"a\"},{\"retain\":1,\"attributes\":{\"bold\":true}}]");
	Delta document = delta_of(*state, "[{\"insert\":\"aaaaaaaaaaaaaaaaaaaa\\nb\\n\"}]");
	Buf	  buf;
	int	  i;

	for (i = 0; i < 2; i++)
	{
		buf_init(&buf, collab_malloc_alloc);
		assert_status(renderers[i](*state, &change, 0, &buf, &err), COLLAB_MISMATCH);
		assert_int_equal(buf.size, 0);
		assert_status(renderers[i](*state, &document, 10, &buf, &err), COLLAB_LIMIT);
		buf_clear(&buf);
		assert_status(renderers[i](*state, &document, 100, &buf, &err), COLLAB_OK);
		buf_free(&buf);
	}
}

/* An allocator that stops giving after some calls, as a backend's does when its query is cancelled. */
static void *
counting_alloc(void *ctx, size_t size)
{
	int *left = ctx;

	return (*left)-- > 0 ? malloc(size) : NULL;
}

static void
counting_free(void *ctx, void *ptr)
{
	(void) ctx;
	free(ptr);
}

/* A megabyte of lines asks many times, though its buffer has grown long before. */
static void
test_asks_while_it_writes(void **state)
{
	Renderer const renderers[] = {html_render, markdown_render};
	Buf			   json;
	Delta		   document;
	int			   i;

	buf_init(&json, collab_malloc_alloc);
	buf_str(&json, "[{\"insert\":\"");
	for (i = 0; i < 250000; i++)
		buf_str(&json, "a\\n");
	buf_str(&json, "\"}]");
	buf_char(&json, '\0');
	document = delta_of(*state, json.data);
	for (i = 0; i < 2; i++)
	{
		int			left = 40;
		CollabAlloc alloc = {counting_alloc, counting_free, &left};
		CollabError err;
		Buf			out;

		buf_init(&out, alloc);
		assert_non_null(buf_grow(&out, 4 * 1024 * 1024));
		assert_status(renderers[i](*state, &document, 0, &out, &err), COLLAB_NOMEM);
		buf_free(&out);
	}
	buf_free(&json);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		arena_test(test_html_lines),		arena_test(test_html_lists),
		arena_test(test_html_escapes),		arena_test(test_html_styles),
		arena_test(test_html_other_values), arena_test(test_urls),
		arena_test(test_no_link_in_link),	arena_test(test_markdown_blocks),
		arena_test(test_markdown_lists),	arena_test(test_markdown_marks),
		arena_test(test_refusals),			arena_test(test_asks_while_it_writes),
	};

	return cmocka_run_group_tests_name("render", tests, NULL, NULL);
}

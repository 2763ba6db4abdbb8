/* render_check.c - a small strict reader of the HTML that we write, and documents to write it of. */
#include "render_check.h"

#include <stdbool.h>
#include <string.h>

#include "random_delta.h"

#define MAX_OPEN 64

typedef struct Reader
{
	const char *at;
	const char *end;
	const char *open[MAX_OPEN]; /* names in `names` */
	int			depth;
	bool		in_link;
} Reader;

static const char *const names[] = {"p",  "h1",	 "h2",		   "h3",   "h4",   "h5",	 "h6",	"ul",
									"ol", "li",	 "blockquote", "pre",  "code", "strong", "em",	"u",
									"s",  "sub", "sup",		   "span", "a",	   "br",	 "img", "input"};
static const char *const attributes[] = {"href",  "rel",	  "data-embed", "src",	 "alt",
										 "width", "height",	  "dir",		"style", "class",
										 "type",  "disabled", "checked"};

static bool
starts(const Reader *r, const char *text)
{
	return (size_t) (r->end - r->at) >= strlen(text) && memcmp(r->at, text, strlen(text)) == 0;
}

/* The longest name of a list that stands here and is followed by none of a name's characters. */
static const char *
take_name(Reader *r, const char *const *list, size_t count)
{
	size_t size = 0;
	size_t i;

	while (r->at + size < r->end && (r->at[size] == '-' || (r->at[size] >= 'a' && r->at[size] <= 'z') ||
									 (r->at[size] >= '0' && r->at[size] <= '9')))
		size++;
	for (i = 0; i < count; i++)
		if (strlen(list[i]) == size && memcmp(r->at, list[i], size) == 0)
		{
			r->at += size;
			return list[i];
		}
	return NULL;
}

static bool
is_void(const char *name)
{
	return strcmp(name, "br") == 0 || strcmp(name, "img") == 0 || strcmp(name, "input") == 0;
}

static bool
is_safe_address(const char *value, size_t size)
{
	static const char *const heads[] = {"http://", "https://", "mailto:", "data:image/", "/", "./",
										"../",	   "#",		   "?"};
	size_t					 i;
	size_t					 k;

	for (i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
	{
		for (k = 0; k < size && heads[i][k] != '\0'; k++)
			if ((value[k] >= 'A' && value[k] <= 'Z' ? value[k] + 32 : value[k]) != heads[i][k])
				break;
		if (heads[i][k] == '\0')
			return !(size > 1 && value[0] == '/' && (value[1] == '/' || value[1] == '\\'));
	}
	return false;
}

/* What follows an ampersand must be one of our entities. */
static bool
is_entity(const Reader *r)
{
	return starts(r, "&amp;") || starts(r, "&lt;") || starts(r, "&gt;") || starts(r, "&quot;") ||
		   starts(r, "&#39;") || starts(r, "&#13;");
}

static const char *
read_value(Reader *r, const char *attribute)
{
	const char *value;
	size_t		size;

	if (!starts(r, "=\""))
		return strcmp(attribute, "disabled") == 0 || strcmp(attribute, "checked") == 0
				   ? NULL
				   : "an attribute without quotes";
	r->at += 2;
	for (value = r->at; r->at < r->end && *r->at != '"'; r->at++)
		if (*r->at == '<' || *r->at == '>' || *r->at == '\'' || (*r->at == '&' && !is_entity(r)))
			return "an attribute with a raw character";
	if (r->at == r->end)
		return "an attribute without end";
	size = (size_t) (r->at++ - value);
	if ((strcmp(attribute, "href") == 0 || strcmp(attribute, "src") == 0) && !is_safe_address(value, size))
		return "an unsafe address";
	if (strcmp(attribute, "style") == 0 &&
		(memchr(value, '&', size) != NULL || memchr(value, '\\', size) != NULL))
		return "a style with a strange character";
	return NULL;
}

static const char *
open_tag(Reader *r)
{
	const char *name;

	r->at++;
	name = take_name(r, names, sizeof(names) / sizeof(names[0]));
	if (name == NULL)
		return "a strange tag";
	while (r->at < r->end && *r->at == ' ')
	{
		const char *attribute;
		const char *fault;

		r->at++;
		attribute = take_name(r, attributes, sizeof(attributes) / sizeof(attributes[0]));
		if (attribute == NULL)
			return "a strange attribute";
		fault = read_value(r, attribute);
		if (fault != NULL)
			return fault;
	}
	if (r->at == r->end || *r->at++ != '>')
		return "a tag without end";
	if (is_void(name))
		return NULL;
	if (strcmp(name, "a") == 0)
	{
		if (r->in_link)
			return "a link in a link";
		r->in_link = true;
	}
	if (r->depth == MAX_OPEN)
		return "too deep";
	r->open[r->depth++] = name;
	return NULL;
}

static const char *
close_tag(Reader *r)
{
	const char *name;

	r->at += 2;
	name = take_name(r, names, sizeof(names) / sizeof(names[0]));
	if (name == NULL || r->at == r->end || *r->at++ != '>')
		return "a strange end tag";
	if (r->depth == 0 || r->open[--r->depth] != name)
		return "an end tag without start";
	if (strcmp(name, "a") == 0)
		r->in_link = false;
	return NULL;
}

const char *
render_html_fault(const char *html, size_t bytes)
{
	Reader		r = {html, bytes == 0 ? html : html + bytes, {NULL}, 0, false};
	const char *fault = NULL;

	while (fault == NULL && r.at < r.end)
	{
		if (starts(&r, "</"))
			fault = close_tag(&r);
		else if (*r.at == '<')
			fault = open_tag(&r);
		else if (*r.at == '>' || *r.at == '"' || *r.at == '\'' || *r.at == '\r' ||
				 (*r.at == '&' && !is_entity(&r)))
			fault = "a raw character";
		else if (r.depth == 0 && *r.at != '\n')
			fault = "text outside of blocks";
		else
			r.at++;
	}
	if (fault == NULL && r.depth > 0)
		fault = "a tag that stays open";
	return fault;
}

/* ---- documents ---- */

static const char *const keys[] = {"bold", "italic", "underline",  "strike",	"code",		  "script",
								   "link", "color",	 "background", "font",		"size",		  "header",
								   "list", "indent", "align",	   "direction", "blockquote", "code-block",
								   "alt",  "width",	 "x\\\"><"};
static const char *const values[] = {"true",
									 "1",
									 "2",
									 "8",
									 "null",
									 "\"bullet\"",
									 "\"ordered\"",
									 "\"checked\"",
									 "\"sub\"",
									 "\"center\"",
									 "\"rtl\"",
									 "\"red\"",
									 "\"#fff\"",
									 "\"rgb(1,2,3)\"",
									 "\"serif\"",
									 "\"large\"",
									 "\"1.5em\"",
									 "\"https://a/?b&c\"",
									 "\"/p\"",
									 "\"mailto:a\"",
									 "\"javascript:alert(1)\"",
									 "\"java\\tscript:x\"",
									 "\" //x\"",
									 "\"\\\"><script>\"",
									 "\"red;x:url(y)\"",
									 "[]",
									 "{\"a\":1}",
									 "\"c++\"",
									 "\"data:image/png;base64,AAAA\"",
									 "\"data:text/html,x\"",
									 "\"x' y\"",
									 "\"\\\\\"",
									 "\"12px;\"",
									 "-1",
									 "1.5"};
static const char *const texts[] = {"a",
									"b1",
									" ",
									"\\t",
									"\\n",
									"\\n\\n",
									"*",
									"**",
									"_",
									"~~",
									"`",
									"```",
									"[x](y)",
									"<b>",
									"&amp;",
									"\\\"",
									"'",
									"\\\\",
									"#",
									"1.",
									"-",
									">",
									"!",
									"\\r",
									"\\u0001",
									"\xC2\x85",
									"\xC3\xA9",
									"\xE2\x80\xA8",
									"\xEF\xBF\xBF",
									"\xF0\x9F\x98\x80",
									"$",
									"="};

#define PICK(random, list) (list)[random_below(random, (uint32_t) (sizeof(list) / sizeof((list)[0])))]

static void
write_attributes(Random *random, Buf *out)
{
	uint32_t count = random_below(random, 5);
	uint32_t i;

	if (count == 0)
		return;
	buf_str(out, ",\"attributes\":{");
	for (i = 0; i < count; i++)
	{
		buf_str(out, i > 0 ? ",\"" : "\"");
		buf_str(out, PICK(random, keys));
		buf_str(out, "\":");
		buf_str(out, PICK(random, values));
	}
	buf_char(out, '}');
}

static void
write_insert(Random *random, Buf *out)
{
	static const char *const embeds[] = {"image", "video", "formula", "other", "<\\\""};
	uint32_t				 count = 1 + random_below(random, 6);

	if (random_below(random, 6) == 5)
	{
		buf_str(out, "{\"");
		buf_str(out, PICK(random, embeds));
		buf_str(out, "\":");
		buf_str(out, PICK(random, values));
		buf_char(out, '}');
		return;
	}
	buf_char(out, '"');
	while (count-- > 0)
		buf_str(out, PICK(random, texts));
	buf_char(out, '"');
}

Delta
render_random_document(Arena *arena, const uint8_t *bytes, size_t size)
{
	Random random;
	Buf	   json;
	Delta  document;
	char  *copy;
	int	   count = 0;

	random_from_bytes(&random, bytes, size);
	buf_init(&json, collab_malloc_alloc);
	buf_char(&json, '[');
	while (random.left > 0)
	{
		buf_str(&json, count++ > 0 ? ",{\"insert\":" : "{\"insert\":");
		write_insert(&random, &json);
		write_attributes(&random, &json);
		buf_char(&json, '}');
	}
	buf_char(&json, ']');
	copy = arena_alloc(arena, json.size);
	if (copy == NULL || json.failed)
		return must_parse(arena, "[]", 2);
	memcpy(copy, json.data, json.size);
	document = must_parse(arena, copy, json.size);
	buf_free(&json);
	return document;
}

/* render_value.c - values of attributes and embeds, which anybody may have written: taken only where they are harmless. */
#include <string.h>

#include "json.h"
#include "render.h"

/* Longer addresses are nobody's honest work; images carry themselves in theirs. */
#define MAX_LINK_BYTES 2048

static inline bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static inline char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char) (c + ('a' - 'A')) : c;
}

bool
render_is_true(const char *json, uint32_t bytes)
{
	switch (bytes)
	{
		case 1:
			return json[0] != '0';
		case 2:
			return json[0] != '"';
		case 4:
			return json[0] != 'n';
		case 5:
			return json[0] != 'f';
	}
	return true;
}

/* ---- strings ---- */

bool
render_plain_string(const char *json, uint32_t bytes, uint32_t max, RenderSpan *out)
{
	if (bytes < 3 || json[0] != '"' || bytes - 2 > max || memchr(json, '\\', bytes) != NULL)
		return false;
	out->data = json + 1;
	out->bytes = bytes - 2;
	return true;
}

bool
render_is_string(const char *json, uint32_t bytes, const char *literal)
{
	size_t size = strlen(literal);

	return bytes == size + 2 && json[0] == '"' && memcmp(json + 1, literal, size) == 0;
}

bool
render_string(const char *json, uint32_t bytes, uint32_t max, Buf *out)
{
	JsonReader r;
	JsonString string;

	if (bytes < 2 || json[0] != '"' || bytes - 2 > max)
		return false;
	json_init(&r, json, bytes, 1);
	if (!json_read_string(&r, &string))
		return false;
	json_unescape(&string, out);
	return !out->failed;
}

/* ---- numbers, colours, names ---- */

bool
render_small_number(const char *json, uint32_t bytes, int *out, RenderSpan *digits)
{
	RenderSpan span;
	uint32_t   i;

	span.data = json;
	span.bytes = bytes;
	if (bytes > 0 && json[0] == '"' && !render_plain_string(json, bytes, 5, &span))
		return false;
	if (span.bytes < 1 || span.bytes > 5)
		return false;
	*out = 0;
	for (i = 0; i < span.bytes; i++)
	{
		if (!is_digit(span.data[i]))
			return false;
		*out = *out * 10 + (span.data[i] - '0');
	}
	*digits = span;
	return true;
}

/* rgb(1, 2, 3), rgba(...), hsl(...), hsla(...): numbers, percents, commas and spaces between the parentheses. */
static bool
is_color_function(RenderSpan span)
{
	static const char *const names[] = {"rgb(", "rgba(", "hsl(", "hsla("};
	uint32_t				 start = 0;
	uint32_t				 i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span.bytes > strlen(names[i]) && memcmp(span.data, names[i], strlen(names[i])) == 0)
			start = (uint32_t) strlen(names[i]);
	if (start == 0 || span.data[span.bytes - 1] != ')')
		return false;
	for (i = start; i < span.bytes - 1; i++)
		if (!is_digit(span.data[i]) && strchr(" .,%", span.data[i]) == NULL)
			return false;
	return true;
}

bool
render_color(const char *json, uint32_t bytes, RenderSpan *out)
{
	RenderSpan span;
	uint32_t   i;

	if (!render_plain_string(json, bytes, 40, &span))
		return false;
	if (span.data[0] == '#')
	{
		if (span.bytes != 4 && span.bytes != 5 && span.bytes != 7 && span.bytes != 9)
			return false;
		for (i = 1; i < span.bytes; i++)
			if (!is_hex(span.data[i]))
				return false;
	}
	else if (!is_color_function(span))
		for (i = 0; i < span.bytes; i++)
			if (!is_letter(span.data[i]) || span.bytes > 24)
				return false;
	*out = span;
	return true;
}

/* A name of CSS that needs no quotes: letters, then letters, digits, hyphens and single spaces. */
bool
render_font(const char *json, uint32_t bytes, RenderSpan *out)
{
	RenderSpan span;
	uint32_t   i;

	if (!render_plain_string(json, bytes, 40, &span))
		return false;
	for (i = 0; i < span.bytes; i++)
	{
		char c = span.data[i];
		bool begins = i == 0 || span.data[i - 1] == ' ';

		if (!is_letter(c) && (begins || (!is_digit(c) && c != '-' && c != ' ')))
			return false;
	}
	if (span.data[span.bytes - 1] == ' ')
		return false;
	*out = span;
	return true;
}

/* Quill's names, or a length with up to four digits and as many behind the point. */
bool
render_size(const char *json, uint32_t bytes, RenderSpan *out)
{
	static const char *const names[][2] = {{"small", "0.75em"}, {"large", "1.5em"}, {"huge", "2.5em"}};
	static const char *const units[] = {"px", "pt", "em", "rem", "%"};
	RenderSpan				 span;
	uint32_t				 whole = 0;
	uint32_t				 at;
	size_t					 i;

	if (!render_plain_string(json, bytes, 12, &span))
		return false;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (render_is_string(json, bytes, names[i][0]))
		{
			out->data = names[i][1];
			out->bytes = (uint32_t) strlen(names[i][1]);
			return true;
		}
	while (whole < span.bytes && is_digit(span.data[whole]))
		whole++;
	at = whole;
	if (whole < 1 || whole > 4)
		return false;
	if (at + 1 < span.bytes && span.data[at] == '.' && is_digit(span.data[at + 1]))
		for (at++; at < span.bytes && is_digit(span.data[at]);)
			at++;
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (span.bytes - at == strlen(units[i]) && memcmp(span.data + at, units[i], span.bytes - at) == 0)
		{
			*out = span;
			return true;
		}
	return false;
}

bool
render_language(const char *json, uint32_t bytes, RenderSpan *out)
{
	RenderSpan span;
	uint32_t   i;

	if (!render_plain_string(json, bytes, 32, &span))
		return false;
	for (i = 0; i < span.bytes; i++)
		if (!is_letter(span.data[i]) && !is_digit(span.data[i]) && strchr("+-#.", span.data[i]) == NULL)
			return false;
	*out = span;
	return true;
}

/* ---- addresses ---- */

/* Cuts off what browsers cut off: spaces at both ends, control characters anywhere. */
static void
clean_url(Buf *url)
{
	size_t from = 0;
	size_t size = 0;
	size_t i;

	for (i = 0; i < url->size; i++)
		if ((unsigned char) url->data[i] >= ' ' && url->data[i] != 0x7F)
			url->data[size++] = url->data[i];
	while (size > 0 && url->data[size - 1] == ' ')
		size--;
	while (from < size && url->data[from] == ' ')
		from++;
	if (from > 0)
		memmove(url->data, url->data + from, size - from);
	url->size = size - from;
}

static bool
begins(const char *url, size_t bytes, const char *prefix)
{
	size_t size = strlen(prefix);
	size_t i;

	if (bytes < size)
		return false;
	for (i = 0; i < size; i++)
		if (lower(url[i]) != prefix[i])
			return false;
	return true;
}

/* A path on the same server. Two slashes, or what browsers take for them, would name another one. */
static bool
is_path(const char *url, size_t bytes)
{
	if (begins(url, bytes, "#") || begins(url, bytes, "?") || begins(url, bytes, "./") ||
		begins(url, bytes, "../"))
		return true;
	return begins(url, bytes, "/") && !(bytes > 1 && (url[1] == '/' || url[1] == '\\'));
}

/* Pictures made of pixels; SVG may hold scripts. */
static bool
is_data_image(const char *url, size_t bytes)
{
	static const char *const heads[] = {"data:image/png;base64,", "data:image/jpeg;base64,",
										"data:image/gif;base64,", "data:image/webp;base64,"};
	size_t					 start = 0;
	size_t					 i;

	for (i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		if (begins(url, bytes, heads[i]))
			start = strlen(heads[i]);
	if (start == 0 || start == bytes)
		return false;
	for (i = start; i < bytes; i++)
		if (!is_letter(url[i]) && !is_digit(url[i]) && url[i] != '+' && url[i] != '/' && url[i] != '=')
			return false;
	return true;
}

static bool
may_be_followed(const char *url, size_t bytes, RenderUrlUse use)
{
	if (use == RENDER_URL_IMAGE && is_data_image(url, bytes))
		return true;
	if (bytes > MAX_LINK_BYTES)
		return false;
	if (use == RENDER_URL_LINK && begins(url, bytes, "mailto:") && bytes > 7)
		return true;
	if (begins(url, bytes, "https://") || begins(url, bytes, "http://"))
		return bytes > (lower(url[4]) == 's' ? 8 : 7);
	return is_path(url, bytes);
}

static void
write_url(const char *url, size_t bytes, Buf *out)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t			  i;

	for (i = 0; i < bytes; i++)
	{
		char c = url[i];

		if (is_letter(c) || is_digit(c) || (unsigned char) c >= 0x80 ||
			strchr("-._~:/?#[]@!$&*+,;=%", c) != NULL)
			buf_char(out, c);
		else
		{
			char escape[3] = {'%', digits[(unsigned char) c >> 4], digits[c & 15]};

			buf_bytes(out, escape, sizeof(escape));
		}
	}
}

bool
render_url(const char *json, uint32_t bytes, RenderUrlUse use, Buf *work, Buf *out)
{
	buf_clear(work);
	if (!render_string(json, bytes, UINT32_MAX, work))
		return false;
	clean_url(work);
	if (!may_be_followed(work->data, work->size, use))
		return false;
	write_url(work->data, work->size, out);
	return true;
}

/* http_head.c - the head of an HTTP/1.1 request: text to HttpCall. Knows no sockets. */
#include "http_head.h"

#include <stdlib.h>
#include <string.h>

#include "percent.h"

#define MAX_FIELDS 100
#define MAX_LINE 8192 /* of the request line that decides who serves it */

/* What is left of the head. */
typedef struct Cursor
{
	const char *at;
	const char *end;
} Cursor;

/* A piece of it. */
typedef struct Span
{
	const char *data;
	size_t		bytes;
} Span;

size_t
http_head_length(const char *text, size_t bytes)
{
	const char *end = bytes > 0 ? memmem(text, bytes, "\r\n\r\n", 4) : NULL;

	return end != NULL ? (size_t) (end - text) + 4 : 0;
}

static bool
span_is(const Span *span, const char *word)
{
	return span->bytes == strlen(word) && strncasecmp(span->data, word, span->bytes) == 0;
}

/* The next line without its end; a lone CR or LF in it is for the caller to find. */
static bool
next_line(Cursor *cursor, Span *line)
{
	const char *end = memmem(cursor->at, (size_t) (cursor->end - cursor->at), "\r\n", 2);

	if (end == NULL)
		return false;
	line->data = cursor->at;
	line->bytes = (size_t) (end - cursor->at);
	cursor->at = end + 2;
	return true;
}

/* ---- the request line ---- */

static HttpMethod
method_of(const Span *name)
{
	static const struct
	{
		const char *name;
		HttpMethod	method;
	} methods[] = {
		{"GET", HTTP_GET}, {"HEAD", HTTP_HEAD},		{"POST", HTTP_POST},
		{"PUT", HTTP_PUT}, {"DELETE", HTTP_DELETE}, {"OPTIONS", HTTP_OPTIONS},
	};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
	{
		if (name->bytes == strlen(methods[i].name) && memcmp(name->data, methods[i].name, name->bytes) == 0)
			return methods[i].method;
	}
	return HTTP_OTHER;
}

static int
read_path(HttpCall *call, Span path, const char **reason)
{
	char   *decoded = util_alloc(path.bytes + 1);
	int64_t bytes = percent_decode(path.data, path.bytes, false, decoded);
	int		status = 0;

	if (bytes < 0)
	{
		*reason = "a broken escape or a NUL in the path";
		status = 400;
	}
	else if (bytes >= HTTP_MAX_PATH)
	{
		*reason = "the path is too long";
		status = 414;
	}
	else
	{
		memcpy(call->path, decoded, (size_t) bytes);
		call->path[bytes] = '\0';
	}
	free(decoded);
	return status;
}

static int
read_query(HttpCall *call, Span query, const char **reason)
{
	char *decoded = util_alloc(query.bytes + 1);
	int	  status = 0;

	while (query.bytes > 0 && status == 0)
	{
		const char *and = memchr(query.data, '&', query.bytes);
		Span	part = {query.data, and != NULL ? (size_t) (and-query.data) : query.bytes};
		int64_t bytes = percent_decode(part.data, part.bytes, true, decoded);
		size_t	skip = part.bytes + (and != NULL ? 1 : 0);

		if (bytes < 0)
		{
			*reason = "a broken escape or a NUL in the query";
			status = 400;
		}
		else if (bytes > 0 && !http_call_add_param(call, decoded, (size_t) bytes))
		{
			*reason = "too many query parameters";
			status = 400;
		}
		query.data += skip;
		query.bytes -= skip;
	}
	http_call_params_done(call);
	free(decoded);
	return status;
}

static bool
is_token(const Span *name)
{
	for (size_t i = 0; i < name->bytes; i++)
	{
		char c = name->data[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			  (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL)))
			return false;
	}
	return name->bytes > 0;
}

/* METHOD SP /path?query SP HTTP/1.x */
static int
read_request_line(HttpCall *call, const Span *line, const char **reason)
{
	const char *end = line->data + line->bytes;
	const char *space = memchr(line->data, ' ', line->bytes);
	const char *last = memrchr(line->data, ' ', line->bytes);
	const char *question;
	Span		method;
	Span		target;
	int			status;

	*reason = "this is not HTTP/1";
	if (space == NULL || last == space || end - last != 9 || memcmp(last, " HTTP/1.", 8) != 0 ||
		(last[8] != '0' && last[8] != '1'))
		return 400;
	call->close = last[8] == '0';
	method.data = line->data;
	method.bytes = (size_t) (space - line->data);
	if (!is_token(&method))
		return 400;
	call->method = method_of(&method);
	target.data = space + 1;
	target.bytes = (size_t) (last - space - 1);
	if (target.bytes == 0 || target.data[0] != '/')
		return 400;
	*reason = "the address holds what has to be escaped";
	for (size_t i = 0; i < target.bytes; i++)
	{
		if (target.data[i] <= 0x20 || target.data[i] == 0x7f)
			return 400;
	}
	question = memchr(target.data, '?', target.bytes);
	if (question != NULL)
	{
		Span query = {question + 1, (size_t) (last - question - 1)};

		target.bytes = (size_t) (question - target.data);
		status = read_query(call, query, reason);
		if (status != 0)
			return status;
	}
	return read_path(call, target, reason);
}

/* ---- the fields ---- */

static bool
is_text(const Span *value)
{
	for (size_t i = 0; i < value->bytes; i++)
	{
		unsigned char c = (unsigned char) value->data[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

static void
trim(Span *value)
{
	while (value->bytes > 0 && (value->data[0] == ' ' || value->data[0] == '\t'))
	{
		value->data++;
		value->bytes--;
	}
	while (value->bytes > 0 && (value->data[value->bytes - 1] == ' ' || value->data[value->bytes - 1] == '\t'))
		value->bytes--;
}

/* Whether a comma-separated list has a word. */
static bool
lists(Span list, const char *word)
{
	while (list.bytes > 0)
	{
		const char *comma = memchr(list.data, ',', list.bytes);
		Span		item = {list.data, comma != NULL ? (size_t) (comma - list.data) : list.bytes};
		size_t		skip = item.bytes + (comma != NULL ? 1 : 0);

		trim(&item);
		if (span_is(&item, word))
			return true;
		list.data += skip;
		list.bytes -= skip;
	}
	return false;
}

/* Several lines of one name are one list. */
static void
keep_field(HttpCall *call, HttpField field, const Span *value)
{
	Buf joined;

	buf_init(&joined, util_buffer_alloc);
	if (call->fields[field] != NULL)
	{
		buf_str(&joined, call->fields[field]);
		buf_str(&joined, ", ");
	}
	buf_bytes(&joined, value->data, value->bytes);
	http_call_set_field(call, field, joined.size > 0 ? joined.data : "", joined.size);
	buf_free(&joined);
}

/* What frames the message, as it is read. */
typedef struct Framing
{
	int	 hosts;
	int	 lengths;
	bool encoded; /* Transfer-Encoding */
} Framing;

static int
read_field(HttpCall *call, const Span *name, const Span *value, Framing *framing, const char **reason)
{
	static const char *const names[HTTP_FIELD_COUNT] = {
		[HTTP_ACCEPT] = "accept",
		[HTTP_CONTENT_TYPE] = "content-type",
		[HTTP_CONTENT_ENCODING] = "content-encoding",
		[HTTP_IF_MATCH] = "if-match",
		[HTTP_IF_NONE_MATCH] = "if-none-match",
		[HTTP_LAST_EVENT_ID] = "last-event-id",
		[HTTP_ORIGIN] = "origin",
		[HTTP_FORWARDED_FOR] = "x-forwarded-for",
		[HTTP_REQUEST_METHOD] = "access-control-request-method",
	};

	if (span_is(name, "host"))
		framing->hosts++;
	else if (span_is(name, "transfer-encoding"))
		framing->encoded = true;
	else if (span_is(name, "content-length"))
	{
		int64_t bytes;

		framing->lengths++;
		*reason = "malformed Content-Length";
		if ((value->bytes > 1 && value->data[0] == '0') ||
			!util_parse_decimal(value->data, value->bytes, INT64_MAX / 2, &bytes))
			return 400;
		call->body_bytes = (size_t) bytes;
	}
	else if (span_is(name, "connection"))
	{
		if (lists(*value, "close"))
			call->close = true;
		else if (lists(*value, "keep-alive"))
			call->close = false;
	}
	/* whoever wants another protocol would not understand a second answer in this one */
	else if (span_is(name, "upgrade"))
		call->close = true;
	else if (span_is(name, "expect"))
		call->expects = lists(*value, "100-continue");
	for (int i = 0; i < HTTP_FIELD_COUNT; i++)
	{
		if (span_is(name, names[i]))
			keep_field(call, (HttpField) i, value);
	}
	return 0;
}

static int
read_fields(HttpCall *call, Cursor *cursor, const char **reason)
{
	Framing framing = {0, 0, false};
	Span	line;
	int		count = 0;

	while (next_line(cursor, &line) && line.bytes > 0)
	{
		const char *colon = memchr(line.data, ':', line.bytes);
		Span		name = {line.data, colon != NULL ? (size_t) (colon - line.data) : 0};
		Span		value;
		int			status;

		*reason = "a malformed header field";
		if (!is_token(&name))
			return 400;
		value.data = colon + 1;
		value.bytes = line.bytes - name.bytes - 1;
		trim(&value);
		if (!is_text(&value))
			return 400;
		*reason = "too many header fields";
		if (++count > MAX_FIELDS)
			return 431;
		status = read_field(call, &name, &value, &framing, reason);
		if (status != 0)
			return status;
	}
	*reason = "a request has one Host";
	if (framing.hosts != 1 && !(framing.hosts == 0 && call->close))
		return 400;
	*reason = "a request has one Content-Length, and no Transfer-Encoding beside it";
	if (framing.lengths > 1 || (framing.lengths > 0 && framing.encoded))
		return 400;
	*reason = "a body needs a Content-Length; Transfer-Encoding is not read";
	return framing.encoded ? 411 : 0;
}

int
http_head_read(HttpCall *call, const char *text, size_t bytes, const char **reason)
{
	Cursor cursor = {text, text + bytes};
	Span   line;
	int	   status;

	if (!next_line(&cursor, &line))
		return 400;
	status = read_request_line(call, &line, reason);
	if (status == 0)
		status = read_fields(call, &cursor, reason);
	if (status != 0)
		call->body_bytes = 0;
	return status;
}

/* ---- who serves it ---- */

int
http_head_is_socket(const char *text, size_t bytes)
{
	static const char head[] = "GET /v1/docs/";
	const char		 *end = memchr(text, '\n', bytes < MAX_LINE ? bytes : MAX_LINE);
	const char		 *path;
	size_t			  path_bytes;

	if (bytes < sizeof(head) - 1 || memcmp(text, head, sizeof(head) - 1) != 0)
		return memcmp(text, head, bytes < sizeof(head) - 1 ? bytes : sizeof(head) - 1) != 0 ? 0 : -1;
	if (end == NULL)
		return bytes < MAX_LINE ? -1 : 0;
	path = text + 4;
	for (path_bytes = 0; path + path_bytes < end && strchr(" ?\r", path[path_bytes]) == NULL;)
		path_bytes++;
	return path_bytes > 3 && memcmp(path + path_bytes - 3, "/ws", 3) == 0 ? 1 : 0;
}

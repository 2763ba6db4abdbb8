/* http_answer.c - the head of an HTTP answer. */
#include "http_answer.h"

#include <string.h>
#include <time.h>

static const struct
{
	int			status;
	const char *reason;
} reasons[] = {
	{200, "OK"},
	{201, "Created"},
	{204, "No Content"},
	{304, "Not Modified"},
	{400, "Bad Request"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{406, "Not Acceptable"},
	{408, "Request Timeout"},
	{409, "Conflict"},
	{410, "Gone"},
	{411, "Length Required"},
	{412, "Precondition Failed"},
	{413, "Content Too Large"},
	{414, "URI Too Long"},
	{415, "Unsupported Media Type"},
	{422, "Unprocessable Content"},
	{426, "Upgrade Required"},
	{429, "Too Many Requests"},
	{431, "Request Header Fields Too Large"},
	{500, "Internal Server Error"},
	{501, "Not Implemented"},
	{503, "Service Unavailable"},
	{504, "Gateway Timeout"},
};

const char *
http_answer_reason(int status)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
	{
		if (reasons[i].status == status)
			return reasons[i].reason;
	}
	return "Unknown";
}

/* name: with its colon */
static void
line(Buf *head, const char *name, const char *value)
{
	buf_str(head, name);
	buf_char(head, ' ');
	buf_str(head, value);
	buf_str(head, "\r\n");
}

/* Caches count from it. */
static const char *
date_now(void)
{
	static char	  text[40];
	static time_t of;
	time_t		  now = time(NULL);
	struct tm	  tm;

	if (now != of)
	{
		gmtime_r(&now, &tm);
		strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		of = now;
	}
	return text;
}

/* What a browser may do with it: with a page of ours what that needs, with a document nothing but show it. */
static const char *
policy_of(const HttpCall *call)
{
	bool html = call->type != NULL && strncmp(call->type, "text/html", 9) == 0;

	if (call->route == NULL && call->status == 200)
		return "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
			   "font-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; "
			   "frame-ancestors 'none'";
	if (html)
		return "default-src 'none'; img-src https: data:; style-src 'unsafe-inline'; base-uri 'none'; "
			   "form-action 'none'; frame-ancestors 'none'; sandbox";
	return "default-src 'none'; frame-ancestors 'none'; sandbox";
}

/* It ends with the connection. */
static bool
is_stream(const HttpCall *call)
{
	return call->type != NULL && strcmp(call->type, "text/event-stream") == 0;
}

void
http_answer_head(HttpCall *call)
{
	Buf *head = &call->head;

	buf_str(head, "HTTP/1.1 ");
	buf_i64(head, call->status);
	buf_char(head, ' ');
	buf_str(head, http_answer_reason(call->status));
	buf_str(head, "\r\n");
	line(head, "date:", date_now());
	if (call->type != NULL)
		line(head, "content-type:", call->type);
	for (int i = 0; i < call->header_count; i++)
		line(head, call->headers[i].name, call->headers[i].value);
	line(head, "x-content-type-options:", "nosniff");
	line(head, "referrer-policy:", "no-referrer");
	if (call->status != 304)
		line(head, "content-security-policy:", policy_of(call));
	if (call->close)
		line(head, "connection:", "close");
	if (call->status != 204 && call->status != 304 && !is_stream(call))
	{
		buf_str(head, "content-length: ");
		buf_u64(head, call->answer.size);
		buf_str(head, "\r\n");
	}
	buf_str(head, "\r\n");
	if (call->method == HTTP_HEAD || call->type == NULL)
		buf_free(&call->answer);
}

/* ws_http.c - HTTP that libwebsockets has read: handshakes, and everything where connections are encrypted. */
#include "ws_http.h"

#include <stdio.h>
#include <string.h>

#include "http.h"
#include "http_answer.h"
#include "http_head.h"
#include "rest.h"
#include "ws_internal.h"

#define MAX_FIELD_BYTES 4096 /* of a request header that is passed on */

/* A short text answer, after which the connection is closed: what follows on it is not trusted to be understood. */
int
ws_http_refuse(WsConn *conn, int status, const char *text, const char *name, const char *value)
{
	unsigned char *out = conn->ws->out + LWS_PRE;
	int			   bytes;

	bytes = snprintf(
		(char *) out, TX_BYTES,
		"HTTP/1.1 %d %s\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: %zu\r\n"
		"cache-control: no-store\r\nx-content-type-options: nosniff\r\n%s%s%s%sconnection: close\r\n\r\n%s\n",
		status, http_answer_reason(status), strlen(text) + 1, name != NULL ? name : "",
		name != NULL ? " " : "", name != NULL ? value : "", name != NULL ? "\r\n" : "", text);
	lws_write(conn->wsi, out, (size_t) bytes, LWS_WRITE_HTTP_FINAL);
	return -1;
}

/* Whether the request announces a body; none of ours has one. Anything but a plain 0 counts, -5 as well. */
bool
ws_http_has_body(struct lws *wsi)
{
	char length[24];
	int	 bytes = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH);

	if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0)
		return true;
	if (bytes == 0)
		return false;
	return lws_hdr_copy(wsi, length, sizeof(length), WSI_TOKEN_HTTP_CONTENT_LENGTH) != 1 || length[0] != '0';
}

/* False: over a limit. */
bool
ws_http_identify(WsConn *conn)
{
	char *header = (char *) conn->ws->out;
	int	  bytes = lws_hdr_copy(conn->wsi, header, TX_BYTES, WSI_TOKEN_X_FORWARDED_FOR);

	return visitor_identify(&conn->ws->book, &conn->visitor, header, bytes > 0 ? (size_t) bytes : 0);
}

/* ---- a request over an encrypted connection, as http_conn.c would have read it ---- */

static const struct
{
	enum lws_token_indexes token;
	const char			  *name;
} methods[] = {
	{WSI_TOKEN_GET_URI, "GET"},		{WSI_TOKEN_HEAD_URI, "HEAD"},	  {WSI_TOKEN_POST_URI, "POST"},
	{WSI_TOKEN_PUT_URI, "PUT"},		{WSI_TOKEN_DELETE_URI, "DELETE"}, {WSI_TOKEN_OPTIONS_URI, "OPTIONS"},
	{WSI_TOKEN_PATCH_URI, "PATCH"},
};

static const struct
{
	enum lws_token_indexes token;
	const char			  *name;
} fields[] = {
	{WSI_TOKEN_HOST, "host"},
	{WSI_TOKEN_HTTP_ACCEPT, "accept"},
	{WSI_TOKEN_HTTP_CONTENT_LENGTH, "content-length"},
	{WSI_TOKEN_HTTP_CONTENT_TYPE, "content-type"},
	{WSI_TOKEN_HTTP_CONTENT_ENCODING, "content-encoding"},
	{WSI_TOKEN_HTTP_TRANSFER_ENCODING, "transfer-encoding"},
	{WSI_TOKEN_HTTP_IF_MATCH, "if-match"},
	{WSI_TOKEN_HTTP_IF_NONE_MATCH, "if-none-match"},
	{WSI_TOKEN_ORIGIN, "origin"},
	{WSI_TOKEN_X_FORWARDED_FOR, "x-forwarded-for"},
};

/* Those that libwebsockets has no token for. */
static const char *const more_fields[] = {"last-event-id:", "access-control-request-method:"};

/* What was decoded is encoded again, all but `keep`. */
static void
encode(Buf *out, const char *text, size_t bytes, char keep)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < bytes; i++)
	{
		unsigned char c = (unsigned char) text[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
			c == '.' || c == '_' || c == '~' || c == '@' || (c == (unsigned char) keep && keep != '\0'))
			buf_char(out, (char) c);
		else
		{
			buf_char(out, '%');
			buf_char(out, digits[c >> 4]);
			buf_char(out, digits[c & 15]);
		}
	}
}

static bool
put_request_line(WsConn *conn, Buf *head)
{
	struct lws *wsi = conn->wsi;
	char	   *text = (char *) conn->ws->out;
	size_t		i = 0;
	int			bytes;

	while (i < sizeof(methods) / sizeof(methods[0]) && lws_hdr_total_length(wsi, methods[i].token) <= 0)
		i++;
	if (i == sizeof(methods) / sizeof(methods[0]))
		return false;
	buf_str(head, methods[i].name);
	buf_char(head, ' ');
	bytes = lws_hdr_copy(wsi, text, TX_BYTES, methods[i].token);
	if (bytes <= 0)
		return false;
	encode(head, text, (size_t) bytes, '/');
	for (int arg = 0; (bytes = lws_hdr_copy_fragment(wsi, text, TX_BYTES, WSI_TOKEN_HTTP_URI_ARGS, arg)) > 0;
		 arg++)
	{
		buf_char(head, arg == 0 ? '?' : '&');
		encode(head, text, (size_t) bytes, '=');
	}
	buf_str(head, " HTTP/1.1\r\n");
	return true;
}

static bool
put_field(Buf *head, const char *name, size_t name_bytes, const char *value, int bytes)
{
	if (bytes < 0)
		return false;
	buf_bytes(head, name, name_bytes);
	buf_str(head, ": ");
	buf_bytes(head, value, (size_t) bytes);
	buf_str(head, "\r\n");
	return true;
}

/* False: something in it is too long. */
static bool
put_fields(WsConn *conn, Buf *head)
{
	struct lws *wsi = conn->wsi;
	char		value[MAX_FIELD_BYTES];

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
	{
		if (lws_hdr_total_length(wsi, fields[i].token) > 0 &&
			!put_field(head, fields[i].name, strlen(fields[i].name), value,
					   lws_hdr_copy(wsi, value, sizeof(value), fields[i].token)))
			return false;
	}
	for (size_t i = 0; i < sizeof(more_fields) / sizeof(more_fields[0]); i++)
	{
		int name_bytes = (int) strlen(more_fields[i]);

		if (lws_hdr_custom_length(wsi, more_fields[i], name_bytes) > 0 &&
			!put_field(head, more_fields[i], (size_t) name_bytes - 1, value,
					   lws_hdr_custom_copy(wsi, value, sizeof(value), more_fields[i], name_bytes)))
			return false;
	}
	/* one request to a connection: libwebsockets 4.1 spins on what comes behind some of them */
	buf_str(head, "connection: close\r\n\r\n");
	return true;
}

int
ws_http_request(WsConn *conn)
{
	Buf head;
	int result = 0;

	if (!ws_http_identify(conn))
		return ws_http_refuse(conn, 503, "too many connections", "retry-after:", "5");
	if (conn->ws->tls == NULL)
		return ws_http_refuse(conn, 426, "this is the address of a WebSocket", "upgrade:", "websocket");
	if (conn->http != NULL)
		return -1;
	buf_init(&head, util_buffer_alloc);
	if (put_request_line(conn, &head) && put_fields(conn, &head))
	{
		conn->http = http_conn_inside(&conn->ws->door, conn, &conn->visitor);
		http_conn_request(conn->http, head.data, head.size);
	}
	else
		result = ws_http_refuse(conn, 400, "malformed request", NULL, NULL);
	buf_free(&head);
	return result;
}

int
ws_http_body(WsConn *conn, const char *data, size_t bytes)
{
	if (conn->http != NULL)
		http_conn_feed(conn->http, data, bytes);
	/* more may lie in the TLS library, of which no event of the socket would tell: one that it can be written to makes libwebsockets look */
	lws_callback_on_writable(conn->wsi);
	return 0;
}

int
ws_http_writable(WsConn *conn)
{
	unsigned char *out = conn->ws->out + LWS_PRE;
	size_t		   bytes;
	bool		   last;

	if (conn->http == NULL)
		return 0;
	if (lws_partial_buffered(conn->wsi))
	{
		lws_callback_on_writable(conn->wsi);
		return 0;
	}
	bytes = http_conn_fill(conn->http, (char *) out, TX_BYTES, &last);
	if (bytes > 0 && lws_write(conn->wsi, out, bytes, last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < 0)
		return -1;
	if (last && !lws_partial_buffered(conn->wsi))
		return -1;
	if (bytes > 0 || last)
		lws_callback_on_writable(conn->wsi);
	return 0;
}

void
ws_http_wants_to_write(WsConn *conn)
{
	lws_callback_on_writable(conn->wsi);
}

void
ws_http_hang_up(WsConn *conn)
{
	lws_set_timeout(conn->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
}

/* ws_client.c - RFC 6455 client side, as little of it as a load generator needs. */
#include "ws_client.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_CHUNK 65536
#define WS_TEXT 1
#define WS_BINARY 2

/* What one read brings; a connection keeps memory of its own only for a frame that is incomplete. */
static char shared[READ_CHUNK];

static void
on_closed(uv_handle_t *handle)
{
	WsClient *ws = handle->data;

	free(ws->in);
	ws->in = NULL;
}

static void
fail(WsClient *ws, int code, const char *why)
{
	if (ws->closed)
		return;
	ws->closed = true;
	ws->handlers->close(ws, code, why);
	uv_close((uv_handle_t *) &ws->tcp, on_closed);
}

void
ws_close(WsClient *ws)
{
	if (ws->closed)
		return;
	ws->closed = true;
	uv_close((uv_handle_t *) &ws->tcp, on_closed);
}

static void
on_written(uv_write_t *req, int status)
{
	(void) status; /* a broken socket reports itself to the reader */
	free(req);
}

/* Most frames leave in one try-write; only the rest is queued. */
static void
write_bytes(WsClient *ws, const char *bytes, size_t size)
{
	uv_buf_t	buf = uv_buf_init((char *) bytes, (unsigned) size);
	int			n = uv_try_write((uv_stream_t *) &ws->tcp, &buf, 1);
	uv_write_t *req;

	if (n < 0)
		n = 0;
	if ((size_t) n == size)
		return;
	req = malloc(sizeof *req + size - (size_t) n);
	if (req == NULL)
		abort();
	memcpy(req + 1, bytes + n, size - (size_t) n);
	buf = uv_buf_init((char *) (req + 1), (unsigned) (size - (size_t) n));
	if (uv_write(req, (uv_stream_t *) &ws->tcp, &buf, 1, on_written) != 0)
		free(req);
}

static void
send_frame(WsClient *ws, int opcode, const char *payload, size_t bytes)
{
	static const char mask[4] = {0x37, 0x7a, 0x21, 0x3d};
	char			  small[1024];
	char			 *frame = small;
	size_t			  header = 2;
	size_t			  i;

	if (ws->closed)
		return;
	if (bytes + 14 > sizeof small && (frame = malloc(bytes + 14)) == NULL)
		abort();
	frame[0] = (char) (0x80 | opcode);
	if (bytes < 126)
		frame[1] = (char) (0x80 | bytes);
	else if (bytes < 65536)
	{
		frame[1] = (char) (0x80 | 126);
		frame[2] = (char) (bytes >> 8);
		frame[3] = (char) bytes;
		header = 4;
	}
	else
	{
		frame[1] = (char) (0x80 | 127);
		for (i = 0; i < 8; i++)
			frame[2 + i] = (char) (bytes >> (56 - 8 * i));
		header = 10;
	}
	/* Not masked with zero, which some servers would not bother to unmask. */
	memcpy(frame + header, mask, 4);
	for (i = 0; i < bytes; i++)
		frame[header + 4 + i] = (char) (payload[i] ^ mask[i & 3]);
	write_bytes(ws, frame, header + 4 + bytes);
	if (frame != small)
		free(frame);
}

/* Consumes the HTTP answer; returns the bytes used, 0 = incomplete. */
static size_t
take_upgrade(WsClient *ws, const char *data, size_t bytes)
{
	const char *end = memmem(data, bytes, "\r\n\r\n", 4);

	if (end == NULL)
		return 0;
	if (bytes < 12 || memcmp(data, "HTTP/1.1 101", 12) != 0)
	{
		fail(ws, 0, "the server did not upgrade");
		return 0;
	}
	ws->upgraded = true;
	ws->handlers->open(ws);
	return (size_t) (end - data) + 4;
}

/* Consumes one frame; returns the bytes used, 0 = incomplete. */
static size_t
take_frame(WsClient *ws, const char *data, size_t left)
{
	const uint8_t *p = (const uint8_t *) data;
	size_t		   header = 2;
	uint64_t	   length;
	int			   i;

	if (left < 2)
		return 0;
	length = p[1] & 0x7f;
	if (length == 126)
		header = 4;
	else if (length == 127)
		header = 10;
	if (left < header)
		return 0;
	if (header > 2)
	{
		length = 0;
		for (i = 2; i < (int) header; i++)
			length = length << 8 | p[i];
	}
	if (left - header < length)
		return 0;
	ws->frames_in++;
	if ((p[0] & 0x0f) == 8)
		fail(ws, length >= 2 ? p[header] << 8 | p[header + 1] : 1005, "closed by the server");
	else if (p[0] == (0x80 | WS_TEXT) || p[0] == (0x80 | WS_BINARY))
		ws->handlers->message(ws, (const char *) p + header, (size_t) length);
	else if ((p[0] & 0x0f) == 9)
		send_frame(ws, 10, (const char *) p + header, (size_t) length); /* pong */
	else if ((p[0] & 0x0f) == 0)
		; /* the rest of a message that was not looked at */
	else if ((p[0] & 0x0f) < 8 && !ws->skip_fragmented)
		fail(ws, 0, "a fragmented frame");
	return header + (size_t) length;
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	(void) handle;
	(void) suggested;
	*buf = uv_buf_init(shared, sizeof shared);
}

/* Appends to what is left of the last read. */
static void
keep(WsClient *ws, const char *data, size_t bytes)
{
	if (ws->in_capacity - ws->in_size < bytes)
	{
		ws->in_capacity = ws->in_size + bytes + READ_CHUNK;
		ws->in = realloc(ws->in, ws->in_capacity);
		if (ws->in == NULL)
			abort();
	}
	memcpy(ws->in + ws->in_size, data, bytes);
	ws->in_size += bytes;
}

/* Consumes what is complete of `bytes` bytes; returns how many that were. */
static size_t
take(WsClient *ws, const char *data, size_t bytes)
{
	size_t at = 0;
	size_t used;

	if (!ws->upgraded)
		at = take_upgrade(ws, data, bytes);
	while (ws->upgraded && !ws->closed && (used = take_frame(ws, data + at, bytes - at)) > 0)
		at += used;
	return at;
}

static void
on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	WsClient *ws = stream->data;
	size_t	  used;

	if (n < 0)
	{
		fail(ws, 1006, uv_strerror((int) n));
		return;
	}
	ws->bytes_in += (uint64_t) n;
	if (ws->in_size == 0)
	{
		used = take(ws, buf->base, (size_t) n);
		if (!ws->closed && used < (size_t) n)
			keep(ws, buf->base + used, (size_t) n - used);
		return;
	}
	keep(ws, buf->base, (size_t) n);
	used = take(ws, ws->in, ws->in_size);
	if (ws->closed)
		return;
	memmove(ws->in, ws->in + used, ws->in_size - used);
	ws->in_size -= used;
	if (ws->in_size == 0)
	{
		free(ws->in);
		ws->in = NULL;
		ws->in_capacity = 0;
	}
}

static void
on_connect(uv_connect_t *req, int status)
{
	WsClient *ws = req->data;
	char	  request[1024];
	int		  n;

	if (status != 0)
	{
		fail(ws, 0, uv_strerror(status));
		return;
	}
	uv_tcp_nodelay(&ws->tcp, 1);
	n = snprintf(request, sizeof request,
				 "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
				 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\n\r\n",
				 ws->path, ws->host);
	uv_read_start((uv_stream_t *) &ws->tcp, on_alloc, on_read);
	write_bytes(ws, request, (size_t) n);
}

/* A port is chosen when connecting, so that an address has one for every peer instead of one for all. */
static int
bind_source(uv_tcp_t *tcp, const struct sockaddr *source)
{
	int		   one = 1;
	uv_os_fd_t fd;
	int		   rc = uv_fileno((uv_handle_t *) tcp, &fd);

	if (rc == 0 && setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one) != 0)
		rc = -errno;
	return rc == 0 ? uv_tcp_bind(tcp, source, 0) : rc;
}

int
ws_connect(WsClient *ws, uv_loop_t *loop, const struct sockaddr *addr, const char *host, const char *path,
		   const WsHandlers *handlers, void *user)
{
	return ws_connect_from(ws, loop, NULL, addr, host, path, handlers, user);
}

int
ws_connect_from(WsClient *ws, uv_loop_t *loop, const struct sockaddr *source, const struct sockaddr *addr,
				const char *host, const char *path, const WsHandlers *handlers, void *user)
{
	int rc;

	memset(ws, 0, sizeof *ws);
	ws->handlers = handlers;
	ws->user = user;
	ws->path = path;
	ws->host = host;
	rc = uv_tcp_init_ex(loop, &ws->tcp, addr->sa_family);
	if (rc != 0)
		return rc;
	ws->tcp.data = ws;
	if (source != NULL && (rc = bind_source(&ws->tcp, source)) != 0)
	{
		ws->closed = true;
		uv_close((uv_handle_t *) &ws->tcp, on_closed);
		return rc;
	}
	ws->connect.data = ws;
	return uv_tcp_connect(&ws->connect, &ws->tcp, addr, on_connect);
}

void
ws_send(WsClient *ws, const char *text, size_t bytes)
{
	send_frame(ws, WS_TEXT, text, bytes);
}

void
ws_send_binary(WsClient *ws, const void *payload, size_t bytes)
{
	send_frame(ws, WS_BINARY, payload, bytes);
}

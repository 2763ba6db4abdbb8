/* ws.c - sockets: the listener, the HTTP and WebSocket connections on it. The only door to libwebsockets. */
#include "ws.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "http.h"
#include "log.h"
#include "memory.h"
#include "rate.h"
#include "room.h"
#include "ws_head.h"
#include "ws_http.h"
#include "ws_internal.h"

#define RX_BYTES 256	   /* per connection; longer frames come in pieces */
#define HEADER_BYTES 16384 /* of a handshake */
#define REFUSE_MARGIN 256  /* beyond the limit so many more are told 503, others just closed */
#define HANDSHAKE_SECONDS 5
#define CLOSE_SECONDS 3 /* for the peer to take what is queued, and the close frame */
#define SEND_BUFFER_BYTES 131072
#define TCP_TIMEOUT_MS 15000

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len);

static const struct lws_protocols protocols[] = {
	{"collab.v1", on_event, 0, RX_BYTES, 0, NULL, TX_BYTES},
	{NULL, NULL, 0, 0, 0, NULL, 0},
};

/* No pings of its own, no validity time-outs: those timers live in one sorted list. Ours are in the wheel. */
static const lws_retry_bo_t no_idle_policy;

/* ---- output ---- */

void
ws_wake(WsConn *conn, bool crowd)
{
	if (!conn->blocked)
		outbox_add(&conn->ws->outbox, &conn->out, crowd);
}

/* Ends it in so many seconds, but not from here. */
static void
kill_in(WsConn *conn, int seconds)
{
	if (conn->wsi == NULL)
		http_conn_stream_end_in(conn->http, (uint64_t) seconds * 1000);
	else
		lws_set_timeout(conn->wsi, PENDING_TIMEOUT_USER_REASON_BASE,
						seconds > 0 ? seconds : LWS_TO_KILL_ASYNC);
}

static bool
is_blocked(const WsConn *conn)
{
	return conn->wsi == NULL ? http_conn_stream_blocked(conn->http) : lws_partial_buffered(conn->wsi) != 0;
}

static void
want_to_write(WsConn *conn)
{
	if (conn->wsi != NULL)
		lws_callback_on_writable(conn->wsi);
	/* a stream tells by itself when it can take more; what it could take at once comes in the next turn */
	else if (!is_blocked(conn))
		outbox_add(&conn->ws->outbox, &conn->out, true);
}

/* The frames in ws->out, as events. */
static void
write_stream(WsConn *conn, size_t bytes)
{
	const Client *client = conn->client;
	Buf			  text;

	buf_init(&text, util_buffer_alloc);
	sse_frames(&conn->sse, (const char *) conn->ws->out + LWS_PRE, bytes, &text);
	/* nothing of what the position stands for is still to be written */
	if (client->state == CLIENT_LIVE && client->position == client->room->version && client->queue.count == 0)
		sse_position(&conn->sse, client->position, client->room->event, &text);
	http_conn_stream(conn->http, text.data, text.size);
	buf_free(&text);
	/* what it was sent is all that is ever heard of it */
	conn->client->last_received = proxy_now(conn->ws->proxy);
}

/* False: the socket is dead, and libwebsockets was told. */
static bool
write_raw(WsConn *conn, size_t bytes)
{
	if (conn->wsi == NULL)
	{
		write_stream(conn, bytes);
		return true;
	}
	metrics_add(METRIC_SENT_BYTES, bytes);
	if (lws_write(conn->wsi, conn->ws->out + LWS_PRE, bytes, LWS_WRITE_RAW) >= 0)
		return true;
	kill_in(conn, 0);
	return false;
}

/*
 * The close frame is ours too. libwebsockets sends one when a callback returns -1, but as Debian builds it (with _DEBUG) it
 * calls its close function a second time at once under libuv, which ends the connection before that frame has left.
 */
static void free_conn(WsConn *conn);

/* The end of a stream, and of who fills it. */
static void
end_stream(WsConn *conn)
{
	HttpConn *http = conn->http;
	Buf		  text;

	buf_init(&text, util_buffer_alloc);
	sse_close(conn->close_code, conn->close_reason, &text);
	http_conn_stream(http, text.data, text.size);
	buf_free(&text);
	free_conn(conn);
	http_conn_stream_end(http);
}

static void
send_close(WsConn *conn)
{
	unsigned char *out = conn->ws->out + LWS_PRE;
	size_t		   reason = strlen(conn->close_reason);

	if (conn->wsi == NULL)
	{
		end_stream(conn);
		return;
	}
	out[0] = 0x88;
	out[1] = (unsigned char) (2 + reason);
	out[2] = (unsigned char) (conn->close_code >> 8);
	out[3] = (unsigned char) conn->close_code;
	memcpy(out + 4, conn->close_reason, reason);
	conn->close_sent = true;
	write_raw(conn, 4 + reason);
}

/*
 * Writes what the client has, one write of complete frames. Straight from here rather than from the writable callback: a
 * socket that has taken everything so far takes this as well, and asking first would cost two system calls. What the kernel
 * does not take is kept by libwebsockets, at most this one write, and nothing follows before it is gone.
 */
static void
flush(WsConn *conn)
{
	size_t bytes;

	if (!conn->established || conn->close_sent)
		return;
	if (is_blocked(conn))
	{
		want_to_write(conn);
		return;
	}
	conn->blocked = false;
	bytes = client_fill(conn->client, (char *) conn->ws->out + LWS_PRE, TX_BYTES);
	if (bytes > 0)
	{
		if (!write_raw(conn, bytes))
			return;
		conn->blocked = is_blocked(conn);
		client_written(conn->client, !conn->blocked);
	}
	if (conn->blocked || client_has_output(conn->client))
		want_to_write(conn);
	else if (conn->close_code != 0)
	{
		send_close(conn);
		return;
	}
	if (client_may_go(conn->client))
		client_go(conn->client);
}

void
ws_answer(Ws *ws)
{
	http_door_turn_end(&ws->door);
}

bool
ws_turn_end(Ws *ws)
{
	OutboxEntry *entry;

	outbox_begin(&ws->outbox);
	while ((entry = outbox_take(&ws->outbox)) != NULL)
		flush(container_of(entry, WsConn, out));
	return outbox_end(&ws->outbox);
}

static MetricId
close_metric(int code)
{
	switch (code)
	{
		case 1001:
			return METRIC_CLOSES_1001;
		case 4400:
			return METRIC_CLOSES_4400;
		case 4404:
			return METRIC_CLOSES_4404;
		case 4408:
			return METRIC_CLOSES_4408;
		case 4409:
			return METRIC_CLOSES_4409;
		default:
			return METRIC_CLOSES_OTHER;
	}
}

void
ws_close(WsConn *conn, int code, const char *reason)
{
	if (conn->close_code != 0)
		return;
	metrics_add(close_metric(code), 1);
	conn->close_code = code;
	snprintf(conn->close_reason, sizeof(conn->close_reason), "%s", reason);
	/* whoever does not read does not see the close frame either */
	kill_in(conn, CLOSE_SECONDS);
	ws_wake(conn, false);
}

/* ---- input ---- */

static int
on_receive(WsConn *conn, const char *data, size_t bytes)
{
	struct lws *wsi = conn->wsi;
	size_t		left = lws_remaining_packet_payload(wsi);

	metrics_add(METRIC_RECEIVED_BYTES, bytes);
	if (conn->close_code != 0)
		return 0;
	if (lws_frame_is_binary(wsi))
		client_receive_binary(conn->client);
	else
		client_receive(conn->client, data, bytes, left == 0, left == 0 && lws_is_final_fragment(wsi), left);
	return 0;
}

/* ---- the handshake ---- */

/* The value of a query parameter; NULL when it is absent, too long or holds a NUL. */
static const char *
query_value(struct lws *wsi, const char *name, char *buffer, size_t size, size_t *bytes)
{
	size_t name_bytes = strlen(name);
	int	   n;

	for (int i = 0; (n = lws_hdr_copy_fragment(wsi, buffer, (int) size, WSI_TOKEN_HTTP_URI_ARGS, i)) >= 0; i++)
	{
		if ((size_t) n > name_bytes && memcmp(buffer, name, name_bytes) == 0 && buffer[name_bytes] == '=')
		{
			*bytes = (size_t) n - name_bytes - 1;
			return strlen(buffer) == (size_t) n ? buffer + name_bytes + 1 : NULL;
		}
	}
	return NULL;
}

static bool
header_is(struct lws *wsi, enum lws_token_indexes token, const char *value)
{
	char buffer[32];

	return lws_hdr_total_length(wsi, token) == (int) strlen(value) &&
		   lws_hdr_copy(wsi, buffer, sizeof(buffer), token) == (int) strlen(value) &&
		   strcmp(buffer, value) == 0;
}

/* Decides before the upgrade. 0: go on; otherwise the answer was written. */
static int
on_upgrade(WsConn *conn, const char *protocol)
{
	struct lws *wsi = conn->wsi;
	const char *fault;
	int64_t		wait;
	char		path[512];
	char		query[1024];
	const char *doc_id;
	const char *user;
	size_t		doc_id_bytes;
	size_t		user_bytes = 0;
	char		doc[129];
	int			bytes;

	if (!ws_http_identify(conn))
		return ws_http_refuse(conn, 503, "too many connections", "retry-after:", "5");
	if (protocol == NULL || strcasecmp(protocol, "websocket") != 0)
		return ws_http_refuse(conn, 400, "the only upgrade is websocket", NULL, NULL);
	if (lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) == 0 || ws_http_has_body(wsi))
		return ws_http_refuse(conn, 400, "a WebSocket starts with a GET", NULL, NULL);
	if (!header_is(wsi, WSI_TOKEN_VERSION, "13"))
		return ws_http_refuse(conn, 426, "WebSocket version 13 is needed", "sec-websocket-version:", "13");
	fault = ws_head_fault(wsi);
	if (fault != NULL)
		return ws_http_refuse(conn, 400, fault, NULL, NULL);
	bytes = lws_hdr_copy(wsi, path, sizeof(path), WSI_TOKEN_GET_URI);
	if (bytes <= 0 || strlen(path) != (size_t) bytes ||
		!http_parse_socket_path(path, (size_t) bytes, &doc_id, &doc_id_bytes))
		return ws_http_refuse(conn, 404, "not found", NULL, NULL);
	if (!util_valid_doc_id(doc_id, doc_id_bytes))
		return ws_http_refuse(conn, 400, "malformed document id", NULL, NULL);
	user = query_value(wsi, "user", query, sizeof(query), &user_bytes);
	if (user == NULL || !util_valid_user(user, user_bytes))
		return ws_http_refuse(conn, 400, "malformed or missing user", NULL, NULL);
	wait = rate_connection(conn->ws->proxy, user, user_bytes);
	if (wait > 0)
	{
		char seconds[24];

		snprintf(seconds, sizeof(seconds), "%lld", (long long) (wait + 999) / 1000);
		return ws_http_refuse(conn, 429, "more than open_rate connections a second of this user",
							  "retry-after:", seconds);
	}
	memcpy(doc, doc_id, doc_id_bytes);
	doc[doc_id_bytes] = '\0';
	conn->client = client_create(conn->ws->proxy, conn, doc, user, user_bytes);
	return 0;
}

/* ---- life of a connection ---- */

static void
free_conn(WsConn *conn)
{
	if (conn->client != NULL)
		client_destroy(conn->client);
	list_remove(&conn->all);
	outbox_remove(&conn->ws->outbox, &conn->out);
	/* whoever fills a stream is no connection by itself */
	if (conn->wsi != NULL || conn->http == NULL)
		visitor_leave(&conn->ws->book, &conn->visitor);
	if (conn->wsi != NULL && conn->http != NULL)
		http_conn_gone(conn->http);
	free(conn);
}

/* The library made a context for encrypted connections; non-zero: it cannot be used. */
static int
on_tls_context(Ws *ws, SSL_CTX *context)
{
	const Config *config = &ws->proxy->config;
	char		  problem[TLS_PROBLEM_BYTES];
	char		  quoted[TLS_PROBLEM_BYTES * 2];

	if (!tls_set_up(context, config->tls_certificate, config->tls_key, problem))
	{
		log_line(LOG_ERROR, "cannot encrypt connections", "reason=%s",
				 log_quote(quoted, sizeof(quoted), problem));
		return -1;
	}
	ws->tls = context;
	return 0;
}

/* Translates, nothing else. */
static int
on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	WsConn *conn = lws_get_opaque_user_data(wsi);

	if (reason == LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS)
		return on_tls_context(lws_context_user(lws_get_context(wsi)), user);
	if (conn == NULL)
		return reason == LWS_CALLBACK_RAW_ADOPT ? -1 : 0;
	switch (reason)
	{
		case LWS_CALLBACK_HTTP:
			return ws_http_request(conn);
		case LWS_CALLBACK_HTTP_BODY:
			return ws_http_body(conn, in, len);
		case LWS_CALLBACK_HTTP_WRITEABLE:
			return ws_http_writable(conn);
		case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
			if (on_upgrade(conn, in) == 0)
				return 0;
			if (!conn->visitor.refused)
				metrics_add(METRIC_CONNECTIONS_REJECTED, 1);
			return -1;
		case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
			return conn->client != NULL ? 0 : -1;
		case LWS_CALLBACK_ESTABLISHED:
			conn->established = true;
			metrics_observe(HISTOGRAM_HANDSHAKE, visitor_age(&conn->visitor), 1);
			client_established(conn->client);
			return 0;
		case LWS_CALLBACK_RECEIVE:
			return on_receive(conn, in, len);
		case LWS_CALLBACK_SERVER_WRITEABLE:
			flush(conn);
			return 0;
		case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
			return conn->close_sent ? -1 : 0; /* the answer to ours, or to be answered by the library */
		case LWS_CALLBACK_RAW_ADOPT:		  /* CONNECT would become a pipe */
			return -1;
		case LWS_CALLBACK_WSI_DESTROY:
			lws_set_opaque_user_data(wsi, NULL);
			free_conn(conn);
			return 0;
		default:
			return 0;
	}
}

/* ---- the listener ---- */

/* The socket is for a WebSocket: libwebsockets reads its handshake. */
static void
adopt(Ws *ws, int fd, const Visitor *visitor)
{
	WsConn *conn = util_alloc_zero(sizeof(*conn));

	conn->ws = ws;
	conn->visitor = *visitor;
	list_append(&ws->all, &conn->all);
	outbox_entry_init(&conn->out);
	conn->wsi = lws_adopt_socket_vhost(ws->vhost, fd);
	if (conn->wsi == NULL)
	{
		free_conn(conn); /* the descriptor was closed */
		return;
	}
	lws_set_opaque_user_data(conn->wsi, conn);
}

/* The client of a stream opens the document by itself. A random site: nothing of the stream is its own. */
static WsConn *
on_follow(void *ctx, HttpConn *http, const HttpCall *call, int64_t version, uint64_t event)
{
	Ws	   *ws = ctx;
	WsConn *conn = util_alloc_zero(sizeof(*conn));
	Buf		open;

	conn->ws = ws;
	conn->http = http;
	conn->sse.version = version;
	list_append(&ws->all, &conn->all);
	outbox_entry_init(&conn->out);
	conn->client = client_create(ws->proxy, conn, call->doc_id, call->user, strlen(call->user));
	conn->established = true;
	client_established(conn->client);
	buf_init(&open, util_buffer_alloc);
	buf_str(&open, "{\"type\":\"open\",\"site\":");
	buf_i64(&open, (int64_t) (util_random() % (uint64_t) WIRE_MAX_INTEGER) + 1);
	if (version >= 0)
	{
		/* as if something were pending: then missed events come one by one, and never composed */
		buf_str(&open, ",\"pending\":1,\"last_version\":");
		buf_i64(&open, version);
		buf_str(&open, ",\"last_event\":\"");
		buf_hex64(&open, event);
		buf_char(&open, '"');
	}
	buf_char(&open, '}');
	client_receive(conn->client, open.data, open.size, true, true, 0);
	buf_free(&open);
	return conn;
}

static void
on_upgrade_from_door(void *ctx, int fd, const Visitor *visitor)
{
	adopt(ctx, fd, visitor);
}

static void
take(void *ctx, int fd, const struct sockaddr_storage *address)
{
	Ws	   *ws = ctx;
	int		one = 1;
	int		send_buffer = SEND_BUFFER_BYTES;
	int		timeout = TCP_TIMEOUT_MS;
	int		bytes;
	Visitor visitor;

	if (limits_open(ws->book.limits) >= ws->proxy->config.max_connections + REFUSE_MARGIN)
	{
		close(fd);
		metrics_add(METRIC_CONNECTIONS_REFUSED, 1);
		metrics_add(METRIC_LIMITED_CONNECTIONS, 1);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof(send_buffer));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout));
	visitor_enter(&ws->book, address, &visitor);
	/* what is encrypted is libwebsockets' business from the first byte on */
	if (ws->tls != NULL || http_conn_peek(fd, &bytes) == 1)
		adopt(ws, fd, &visitor);
	else
		http_conn_create(&ws->door, fd, &visitor);
}

static int64_t
count_open(const void *ctx)
{
	return limits_open(((const Ws *) ctx)->book.limits);
}

void
ws_listen(Ws *ws)
{
	accept_start(ws->accept);
}

void
ws_stop_listening(Ws *ws)
{
	accept_stop(ws->accept);
}

bool
ws_full(const Ws *ws)
{
	return limits_open(ws->book.limits) >= ws->proxy->config.max_connections || accept_starved(ws->accept);
}

/* ---- life of the whole ---- */

static void
on_library_log(int level, const char *line)
{
	char text[256];
	char quoted[300];

	snprintf(text, sizeof(text), "%s", line);
	text[strcspn(text, "\n")] = '\0';
	log_line(level == LLL_ERR ? LOG_WARNING : LOG_DEBUG, "libwebsockets", "text=%s",
			 log_quote(quoted, sizeof(quoted), text));
}

Ws *
ws_create(Proxy *proxy, int listen_fd)
{
	struct lws_context_creation_info info;
	Ws								*ws = util_alloc_zero(sizeof(*ws));
	const char						*problem;

	ws->proxy = proxy;
	list_init(&ws->all);
	http_door_init(&ws->door, proxy, &ws->book);
	ws->door.upgrade = on_upgrade_from_door;
	ws->door.follow = on_follow;
	ws->door.writable = flush;
	ws->door.gone = free_conn;
	ws->door.ctx = ws;
	lws_set_log_level(LLL_ERR | LLL_WARN, on_library_log);
	lws_set_allocator(memory_for_websockets);
	ws->loops[0] = &proxy->loop;
	memset(&info, 0, sizeof(info));
	info.port = CONTEXT_PORT_NO_LISTEN_SERVER;
	info.protocols = protocols;
	/* not VALIDATE_UTF8: its close frame would not leave (see send_close), and the JSON reader looks at every byte anyway */
	info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_LIBUV |
				   LWS_SERVER_OPTION_UV_NO_SIGSEGV_SIGFPE_SPIN;
	info.foreign_loops = ws->loops;
	info.retry_and_idle_policy = &no_idle_policy;
	info.max_http_header_data = HEADER_BYTES;
	info.timeout_secs = HANDSHAKE_SECONDS;
	info.timeout_secs_ah_idle = HANDSHAKE_SECONDS;
	info.keepalive_timeout = HANDSHAKE_SECONDS;
	info.gid = info.uid = (int) -1;
	info.vhost_name = "collab";
	info.user = ws;
	if (proxy->config.tls_certificate[0] != '\0')
	{
		info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX;
		info.alpn = "http/1.1";
	}
	ws->context = lws_create_context(&info);
	if (ws->context != NULL)
		ws->vhost = lws_create_vhost(ws->context, &info);
	if (ws->vhost == NULL)
	{
		log_line(LOG_ERROR,
				 "cannot start libwebsockets (is its libuv plugin, libwebsockets-evlib-uv, installed?)", NULL);
		if (ws->context != NULL)
			lws_context_destroy(ws->context);
		close(listen_fd);
		free(ws);
		return NULL;
	}
	/* the settings were checked */
	if (!address_set_parse(proxy->config.trusted_proxies, &ws->book.trusted, &problem))
		log_line(LOG_ERROR, "trusted_proxies is not valid", "reason=\"%s\"", problem);
	outbox_init(&ws->outbox, &proxy->loop);
	ws->book.limits = limits_create(proxy->config.max_connections, proxy->config.max_connections_per_ip);
	ws->out = util_alloc(LWS_PRE + TX_BYTES);
	ws->accept = accept_create(proxy, listen_fd, take, count_open, ws);
	return ws;
}

/* Those that were sent away stand behind those that were not. */
void
ws_send_away(Ws *ws, int64_t count, int64_t spread_ms)
{
	count -= http_door_send_away(&ws->door, count);
	for (; count > 0 && !list_empty(&ws->all); count--)
	{
		WsConn *conn = container_of(ws->all.next, WsConn, all);

		if (conn->sent_away)
			return;
		conn->sent_away = true;
		list_remove(&conn->all);
		list_append(&ws->all, &conn->all);
		if (conn->established)
			client_leave(conn->client, (int64_t) (util_random() % (uint64_t) (spread_ms + 1)));
		else
			kill_in(conn, 0);
	}
}

void
ws_limits_changed(Ws *ws)
{
	limits_change(ws->book.limits, ws->proxy->config.max_connections,
				  ws->proxy->config.max_connections_per_ip);
}

void
ws_certificate_changed(Ws *ws)
{
	const Config *config = &ws->proxy->config;
	char		  problem[TLS_PROBLEM_BYTES];
	char		  quoted[TLS_PROBLEM_BYTES * 2];

	if (ws->tls == NULL)
		return;
	if (!tls_renew(ws->tls, config->tls_certificate, config->tls_key, problem))
		log_line(LOG_ERROR, "the certificate stays the old one", "reason=%s",
				 log_quote(quoted, sizeof(quoted), problem));
}

void
ws_close_all(Ws *ws, int code, const char *reason)
{
	List *node;

	http_door_close_all(&ws->door);
	list_each(node, &ws->all)
	{
		WsConn *conn = container_of(node, WsConn, all);

		if (conn->established)
			client_close(conn->client, code, reason);
		else
			kill_in(conn, 0);
	}
}

void
ws_shutdown(Ws *ws)
{
	ws_stop_listening(ws);
	http_door_close_all(&ws->door);
	outbox_close(&ws->outbox);
	lws_context_destroy(ws->context);
}

void
ws_free(Ws *ws)
{
	/* on a loop of ours the first call only begins it, and nobody but us knows when the handles are closed */
	lws_context_destroy(ws->context);
	accept_free(ws->accept);
	limits_free(ws->book.limits);
	free(ws->out);
	free(ws);
}

int64_t
ws_valid_until(const Ws *ws)
{
	return ws->tls != NULL ? tls_valid_until(ws->tls) : 0;
}

int64_t
ws_connections(const Ws *ws)
{
	return limits_open(ws->book.limits);
}

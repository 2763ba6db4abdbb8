/* http_conn.c - one TCP connection that speaks HTTP/1.1: requests are read one after the other, answers written in pieces. */
#include "http_conn.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "http.h"
#include "http_answer.h"
#include "http_head.h"
#include "problem.h"
#include "rest.h"
#include "ws_http.h"

#define HEAD_MS 5000		 /* for a head to arrive */
#define IDLE_MS 15000		 /* between two requests */
#define LINGER_MS 2000		 /* for a client to notice that it is not listened to */
#define LINGER_BYTES 8388608 /* of what it sends meanwhile */
#define BODY_TIMEOUTS 3		 /* timeout_ms that a body may take to arrive */
#define STALL_TIMEOUTS 3	 /* timeout_ms that an answer may wait without any progress */
#define READ_BYTES 65536	 /* of a body at once */

typedef enum ConnState
{
	CONN_HEAD,	  /* a request has to come, or is half here */
	CONN_BODY,	  /* its body is half here */
	CONN_WORKING, /* it is being answered; what comes meanwhile stays in the kernel */
	CONN_WRITING, /* the answer is on its way */
	CONN_STREAM,  /* it is being answered without an end */
	CONN_LINGER,  /* all is said; what the client sends is thrown away until it stops */
	CONN_CLOSED
} ConnState;

struct HttpConn
{
	HttpDoor  *door;
	int		   fd;
	uv_poll_t  poll;
	int		   events;
	List	   all;
	List	   dirty;
	WsConn	  *outer; /* NULL: fd is the socket */
	Visitor	   own;	  /* of it */
	Visitor	  *visitor;
	ConnState  state;
	bool	   leaving;
	bool	   low_water; /* SO_RCVLOWAT is not 1 */
	Buf		   in;		  /* received, not read yet */
	size_t	   discarded;
	HttpCall  *call;
	WsConn	  *follower; /* who fills the stream */
	WheelTimer timer;
};

static void on_poll(uv_poll_t *handle, int status, int events);
static void on_timer(WheelTimer *timer);

/* ---- life ---- */

void
http_door_init(HttpDoor *door, Proxy *proxy, VisitorBook *book)
{
	door->proxy = proxy;
	door->book = book;
	list_init(&door->all);
	list_init(&door->dirty);
}

static void
watch(HttpConn *conn, int events)
{
	if (conn->outer != NULL || events == conn->events)
		return;
	conn->events = events;
	if (events == 0)
		uv_poll_stop(&conn->poll);
	else
		uv_poll_start(&conn->poll, events, on_poll);
}

void
http_conn_create(HttpDoor *door, int fd, const Visitor *visitor)
{
	HttpConn *conn = util_alloc_zero(sizeof(*conn));

	conn->door = door;
	conn->fd = fd;
	conn->own = *visitor;
	conn->visitor = &conn->own;
	list_init(&conn->dirty);
	list_append(&door->all, &conn->all);
	buf_init(&conn->in, util_buffer_alloc);
	wheel_timer_init(&conn->timer, on_timer);
	if (uv_poll_init(&door->proxy->loop, &conn->poll, fd) != 0)
	{
		list_remove(&conn->all);
		close(fd);
		visitor_leave(door->book, conn->visitor);
		free(conn);
		return;
	}
	conn->poll.data = conn;
	wheel_set(&door->proxy->wheel, &conn->timer, HEAD_MS);
	watch(conn, UV_READABLE);
}

static void
on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

/* Lets go of everything but the socket. */
static void
detach(HttpConn *conn)
{
	conn->state = CONN_CLOSED;
	wheel_cancel(&conn->door->proxy->wheel, &conn->timer);
	list_remove(&conn->all);
	list_remove(&conn->dirty);
	if (conn->follower != NULL)
		conn->door->gone(conn->follower);
	conn->follower = NULL;
	if (conn->call != NULL)
		http_call_abandon(conn->call);
	conn->call = NULL;
	buf_free(&conn->in);
}

static void
close_conn(HttpConn *conn)
{
	if (conn->state == CONN_CLOSED)
		return;
	if (conn->outer != NULL)
	{
		ws_http_hang_up(conn->outer);
		return;
	}
	detach(conn);
	uv_poll_stop(&conn->poll);
	uv_close((uv_handle_t *) &conn->poll, on_closed);
	close(conn->fd);
	visitor_leave(conn->door->book, conn->visitor);
}

static void
hand_over(HttpConn *conn)
{
	int one = 1;

	if (conn->low_water)
		setsockopt(conn->fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one));
	detach(conn);
	uv_poll_stop(&conn->poll);
	uv_close((uv_handle_t *) &conn->poll, on_closed);
	conn->door->upgrade(conn->door->ctx, conn->fd, conn->visitor);
}

/* ---- writing ---- */

static void begin_requests(HttpConn *conn);

static void
wake(HttpConn *conn)
{
	if (list_empty(&conn->dirty))
		list_append(&conn->door->dirty, &conn->dirty);
}

/* There was progress; whoever takes nothing from now on is given up. */
static void
expect_progress(HttpConn *conn)
{
	Proxy *proxy = conn->door->proxy;

	wheel_set(&proxy->wheel, &conn->timer, (uint64_t) (STALL_TIMEOUTS * proxy->config.timeout_ms));
}

void
http_conn_answer(HttpConn *conn)
{
	HttpCall *call = conn->call;

	if (conn->state == CONN_BODY || conn->leaving)
		call->close = true;
	conn->state = CONN_WRITING;
	rest_count(call);
	http_answer_head(call);
	expect_progress(conn);
	wake(conn);
}

/* The end of what we say. Closing at once would reset the connection if the client is still sending, and take the answer from it. */
static void
linger(HttpConn *conn)
{
	conn->state = CONN_LINGER;
	shutdown(conn->fd, SHUT_WR);
	wheel_set(&conn->door->proxy->wheel, &conn->timer, LINGER_MS);
	watch(conn, UV_READABLE);
}

/* The answer is out. */
static void
finish(HttpConn *conn)
{
	HttpCall *call = conn->call;
	bool	  end = call->close;

	conn->call = NULL;
	http_call_abandon(call);
	if (end)
	{
		linger(conn);
		return;
	}
	conn->state = CONN_HEAD;
	wheel_set(&conn->door->proxy->wheel, &conn->timer, conn->in.size > 0 ? HEAD_MS : IDLE_MS);
	watch(conn, UV_READABLE);
	begin_requests(conn);
}

static void
flush(HttpConn *conn)
{
	HttpCall	*call = conn->call;
	struct iovec parts[2];
	int			 count = 0;
	size_t		 head_left = call->sent < call->head.size ? call->head.size - call->sent : 0;
	size_t		 body_sent = call->sent - (call->head.size - head_left);
	ssize_t		 written;

	if (head_left > 0)
		parts[count++] = (struct iovec){call->head.data + call->sent, head_left};
	if (call->answer.size > body_sent)
		parts[count++] = (struct iovec){call->answer.data + body_sent, call->answer.size - body_sent};
	if (count > 0)
	{
		written = writev(conn->fd, parts, count);
		if (written < 0 && errno != EAGAIN && errno != EINTR)
		{
			close_conn(conn);
			return;
		}
		if (written > 0)
		{
			call->sent += (size_t) written;
			metrics_add(METRIC_SENT_BYTES, (uint64_t) written);
			expect_progress(conn);
		}
	}
	if (call->sent == call->head.size + call->answer.size)
		finish(conn);
	else
		watch(conn, UV_WRITABLE);
}

void
http_door_turn_end(HttpDoor *door)
{
	while (!list_empty(&door->dirty))
	{
		HttpConn *conn = container_of(door->dirty.next, HttpConn, dirty);

		list_remove(&conn->dirty);
		if (conn->state != CONN_WRITING)
			continue;
		if (conn->outer != NULL)
			ws_http_wants_to_write(conn->outer);
		else
			flush(conn);
	}
}

/* ---- streams ---- */

/* What is left of it stands in the head's buffer. */
static void
push_stream(HttpConn *conn)
{
	HttpCall *call = conn->call;
	ssize_t	  written = 0;

	if (call->sent < call->head.size)
		written = send(conn->fd, call->head.data + call->sent, call->head.size - call->sent, MSG_NOSIGNAL);
	if (written < 0 && errno != EAGAIN && errno != EINTR)
	{
		/* not from here: whoever fills the stream goes with it */
		wheel_set(&conn->door->proxy->wheel, &conn->timer, 0);
		return;
	}
	if (written > 0)
	{
		call->sent += (size_t) written;
		metrics_add(METRIC_SENT_BYTES, (uint64_t) written);
	}
	if (call->sent == call->head.size)
	{
		buf_clear(&call->head);
		call->sent = 0;
	}
	watch(conn, call->head.size > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

static void
on_stream_writable(HttpConn *conn)
{
	push_stream(conn);
	if (conn->call->head.size > 0)
		return;
	if (conn->follower != NULL)
		conn->door->writable(conn->follower);
	else
		linger(conn);
}

bool
http_conn_follow(HttpConn *conn, int64_t version, uint64_t event)
{
	HttpCall *call = conn->call;

	if (conn->outer != NULL)
		return false;
	wheel_cancel(&conn->door->proxy->wheel, &call->deadline);
	call->status = 200;
	call->type = "text/event-stream";
	call->close = true;
	http_call_header(call, "cache-control:", "no-store");
	http_call_header(call, "x-accel-buffering:", "no");
	rest_count(call);
	http_answer_head(call);
	conn->state = CONN_STREAM;
	conn->follower = conn->door->follow(conn->door->ctx, conn, call, version, event);
	push_stream(conn);
	return true;
}

void
http_conn_stream(HttpConn *conn, const char *text, size_t bytes)
{
	buf_bytes(&conn->call->head, text, bytes);
	push_stream(conn);
}

bool
http_conn_stream_blocked(const HttpConn *conn)
{
	return conn->call->head.size > 0;
}

void
http_conn_stream_end_in(HttpConn *conn, uint64_t ms)
{
	wheel_set(&conn->door->proxy->wheel, &conn->timer, ms);
}

void
http_conn_stream_end(HttpConn *conn)
{
	conn->follower = NULL;
	if (conn->call->head.size == 0)
		linger(conn);
	else
		http_conn_stream_end_in(conn, LINGER_MS);
}

/* ---- requests ---- */

static void
serve_page(HttpCall *call)
{
	HttpReply reply;

	if (call->method != HTTP_GET && call->method != HTTP_HEAD)
	{
		http_call_header(call, "allow:", "GET, HEAD");
		problem(call, 405, NULL, "only GET and HEAD");
		return;
	}
	http_get(call->proxy, call->path, strlen(call->path), &reply);
	buf_free(&call->answer);
	call->answer = reply.body;
	http_call_header(call, "cache-control:", "%s", reply.cache);
	http_call_answer(call, reply.status, reply.type);
}

/* Whether the body is worth waiting for; otherwise the call was answered. */
static bool
check_body(HttpCall *call)
{
	const Config *config = &call->proxy->config;
	bool		  takes = call->method == HTTP_POST || call->method == HTTP_PUT;
	size_t		  bytes = call->body_bytes;

	call->body_bytes = 0;
	if (bytes > 0 && !takes)
		problem(call, 400, NULL, "a request without a body is expected");
	else if (bytes > (size_t) config->max_body_bytes)
		problem(call, 413, NULL, "the body is larger than max_body_bytes, %lld",
				(long long) config->max_body_bytes);
	else if (bytes > 0 && http_call_held_bytes() + bytes > (size_t) config->max_answer_bytes)
		problem(call, 503, "53300", "too many requests are under way");
	else
	{
		call->body_bytes = bytes;
		http_call_count(call);
		return true;
	}
	return false;
}

static void
run(HttpConn *conn)
{
	conn->state = CONN_WORKING;
	watch(conn, 0);
	wheel_cancel(&conn->door->proxy->wheel, &conn->timer);
	rest_run(conn->call);
}

/* Moves what is here of the body from the buffer. */
static void
take_body(HttpConn *conn)
{
	HttpCall *call = conn->call;
	size_t	  bytes = call->body_bytes - call->body.size;

	if (bytes > conn->in.size)
		bytes = conn->in.size;
	if (bytes > 0)
	{
		buf_bytes(&call->body, conn->in.data, bytes);
		conn->in.size -= bytes;
		memmove(conn->in.data, conn->in.data + bytes, conn->in.size);
	}
	if (call->body.size == call->body_bytes)
		run(conn);
}

static void
wait_for_body(HttpConn *conn)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	HttpCall		 *call = conn->call;

	conn->state = CONN_BODY;
	wheel_set(&conn->door->proxy->wheel, &conn->timer,
			  (uint64_t) (BODY_TIMEOUTS * conn->door->proxy->config.timeout_ms));
	/* nothing else was written on this socket, so this fits */
	if (call->expects && conn->outer == NULL && conn->in.size == 0 &&
		send(conn->fd, go_on, sizeof(go_on) - 1, MSG_NOSIGNAL) < 0)
		call->close = true;
	take_body(conn);
}

/* False: over a limit. */
static bool
identify(HttpConn *conn, HttpCall *call)
{
	const char *forwarded = call->fields[HTTP_FORWARDED_FOR];

	if (!visitor_identify(conn->door->book, conn->visitor, forwarded,
						  forwarded != NULL ? strlen(forwarded) : 0))
		return false;
	call->peer = limits_peer_id(conn->visitor->claim);
	return true;
}

/* The head of a request, `bytes` of the buffer. */
static void
begin(HttpConn *conn, size_t bytes)
{
	HttpCall   *call = http_call_create(conn->door->proxy, conn);
	const char *reason = "";
	int			status = http_head_read(call, conn->in.data, bytes, &reason);

	conn->call = call;
	conn->in.size -= bytes;
	memmove(conn->in.data, conn->in.data + bytes, conn->in.size);
	conn->state = CONN_WORKING;
	watch(conn, 0);
	if (!identify(conn, call))
	{
		call->close = true;
		http_call_header(call, "retry-after:", "5");
		problem(call, 503, "53300", "too many connections");
	}
	else if (status != 0)
	{
		call->close = true;
		problem(call, status, NULL, "%s", reason);
	}
	else if (call->body_bytes > 0 && !rest_is_path(call->path))
	{
		call->close = true;
		problem(call, 400, NULL, "a request without a body is expected");
	}
	else if (call->body_bytes > 0)
	{
		conn->state = CONN_BODY;
		if (check_body(call) && rest_begin(call))
		{
			watch(conn, UV_READABLE);
			wait_for_body(conn);
		}
	}
	else if (!rest_is_path(call->path))
		serve_page(call);
	else if (rest_begin(call))
		run(conn);
}

/* Begins what is in the buffer, one after the other: the next waits until this one is answered. */
static void
begin_requests(HttpConn *conn)
{
	size_t bytes;
	size_t blank = 0;

	while (blank + 2 <= conn->in.size && memcmp(conn->in.data + blank, "\r\n", 2) == 0)
		blank += 2;
	conn->in.size -= blank;
	if (blank > 0)
		memmove(conn->in.data, conn->in.data + blank, conn->in.size);
	bytes = http_head_length(conn->in.data, conn->in.size);
	if (bytes > 0)
		begin(conn, bytes);
	else if (conn->in.size >= HTTP_HEAD_MAX)
	{
		conn->call = http_call_create(conn->door->proxy, conn);
		conn->call->close = true;
		conn->state = CONN_WORKING;
		problem(conn->call, 431, NULL, "the head of a request has at most %d bytes", HTTP_HEAD_MAX);
	}
	else if (conn->in.size == 0)
		buf_free(&conn->in);
}

/* ---- reading ---- */

int
http_conn_peek(int fd, int *bytes)
{
	char	line[8192];
	ssize_t n = recv(fd, line, sizeof(line), MSG_PEEK);

	*bytes = n > 0 ? (int) n : 0;
	if (n > 0)
		return http_head_is_socket(line, (size_t) n);
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? -1 : -2;
}

/* Whether nothing comes behind what is in the kernel. */
static bool
has_ended(int fd)
{
	struct pollfd look = {fd, POLLRDHUP, 0};

	return poll(&look, 1, 0) > 0;
}

/* The first bytes of a request are in the kernel. True: it is ours, and may be read. */
static bool
is_ours(HttpConn *conn)
{
	int bytes;
	int kind = http_conn_peek(conn->fd, &bytes);

	if (kind == 0)
	{
		bytes = 1;
		if (conn->low_water)
			setsockopt(conn->fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes));
		conn->low_water = false;
		return true;
	}
	if (kind == 1)
		hand_over(conn);
	/* of half a line, the end wakes us whatever we wait for, again and again */
	else if (kind == -2 || (bytes > 0 && has_ended(conn->fd)))
		close_conn(conn);
	else if (bytes > 0)
	{
		/* its first line is not all there: wake up for more than there is */
		bytes++;
		conn->low_water = true;
		setsockopt(conn->fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes));
	}
	return false;
}

/* Reads into a buffer, at most `most`. False: nothing came, and the connection may have ended with it. */
static bool
receive(HttpConn *conn, Buf *into, size_t most)
{
	char   *to = buf_grow(into, most);
	ssize_t n = recv(conn->fd, to, most, 0);

	if (n > 0)
	{
		into->size += (size_t) n;
		metrics_add(METRIC_RECEIVED_BYTES, (uint64_t) n);
		return true;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		close_conn(conn);
	return false;
}

static void
read_head(HttpConn *conn)
{
	bool first = conn->in.size == 0;

	if (first && !is_ours(conn))
		return;
	if (!receive(conn, &conn->in, HTTP_HEAD_MAX - conn->in.size))
		return;
	if (first)
		wheel_set(&conn->door->proxy->wheel, &conn->timer, HEAD_MS);
	begin_requests(conn);
}

static void
read_body(HttpConn *conn)
{
	HttpCall *call = conn->call;
	size_t	  left = call->body_bytes - call->body.size;

	if (receive(conn, &call->body, left < READ_BYTES ? left : READ_BYTES) &&
		call->body.size == call->body_bytes)
		run(conn);
}

static void
discard(HttpConn *conn)
{
	char	waste[16384];
	ssize_t n = recv(conn->fd, waste, sizeof(waste), 0);

	if (n > 0)
		conn->discarded += (size_t) n;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) || conn->discarded > LINGER_BYTES)
		close_conn(conn);
}

static void
on_poll(uv_poll_t *handle, int status, int events)
{
	HttpConn *conn = handle->data;

	if (status < 0)
		close_conn(conn);
	else if (conn->state == CONN_WRITING && (events & UV_WRITABLE))
		flush(conn);
	else if (conn->state == CONN_STREAM && (events & UV_WRITABLE))
		on_stream_writable(conn);
	else if (events & UV_READABLE)
	{
		if (conn->state == CONN_HEAD)
			read_head(conn);
		else if (conn->state == CONN_BODY)
			read_body(conn);
		else if (conn->state == CONN_LINGER || conn->state == CONN_STREAM)
			discard(conn);
	}
}

/* ---- inside of an encrypted connection ---- */

HttpConn *
http_conn_inside(HttpDoor *door, WsConn *outer, Visitor *visitor)
{
	HttpConn *conn = util_alloc_zero(sizeof(*conn));

	conn->door = door;
	conn->fd = -1;
	conn->outer = outer;
	conn->visitor = visitor;
	list_init(&conn->dirty);
	list_append(&door->all, &conn->all);
	buf_init(&conn->in, util_buffer_alloc);
	wheel_timer_init(&conn->timer, on_timer);
	return conn;
}

void
http_conn_request(HttpConn *conn, const char *head, size_t bytes)
{
	buf_bytes(&conn->in, head, bytes);
	begin(conn, bytes);
}

void
http_conn_feed(HttpConn *conn, const char *data, size_t bytes)
{
	metrics_add(METRIC_RECEIVED_BYTES, bytes);
	if (conn->state != CONN_BODY)
		return;
	buf_bytes(&conn->in, data, bytes);
	take_body(conn);
}

size_t
http_conn_fill(HttpConn *conn, char *out, size_t capacity, bool *last)
{
	HttpCall *call = conn->call;
	size_t	  used = 0;

	*last = false;
	if (conn->state != CONN_WRITING)
		return 0;
	while (used < capacity && call->sent < call->head.size + call->answer.size)
	{
		bool	   in_head = call->sent < call->head.size;
		const Buf *from = in_head ? &call->head : &call->answer;
		size_t	   at = in_head ? call->sent : call->sent - call->head.size;
		size_t	   part = from->size - at < capacity - used ? from->size - at : capacity - used;

		memcpy(out + used, from->data + at, part);
		used += part;
		call->sent += part;
	}
	*last = call->sent == call->head.size + call->answer.size;
	if (used > 0)
		expect_progress(conn);
	metrics_add(METRIC_SENT_BYTES, used);
	return used;
}

void
http_conn_gone(HttpConn *conn)
{
	detach(conn);
	free(conn);
}

/* ---- time ---- */

static void
on_timer(WheelTimer *timer)
{
	HttpConn *conn = container_of(timer, HttpConn, timer);

	if (conn->state == CONN_BODY)
		problem(conn->call, 408, NULL, "the body did not arrive in time");
	else if (conn->state == CONN_HEAD && conn->in.size > 0)
	{
		conn->call = http_call_create(conn->door->proxy, conn);
		conn->call->close = true;
		problem(conn->call, 408, NULL, "the head of the request did not arrive in time");
	}
	else
		close_conn(conn);
}

void
http_conn_timed_out(HttpCall *call)
{
	problem(call, 504, "57014",
			"no answer within rest_timeout_ms; what was to be written may have been or not");
}

/* ---- the end ---- */

int64_t
http_door_send_away(HttpDoor *door, int64_t count)
{
	int64_t looked_at = 0;

	for (; looked_at < count && !list_empty(&door->all); looked_at++)
	{
		HttpConn *conn = container_of(door->all.next, HttpConn, all);

		if (conn->leaving)
			break;
		conn->leaving = true;
		list_remove(&conn->all);
		list_append(&door->all, &conn->all);
		/* a follower is told to go elsewhere like any client */
		if (conn->call == NULL)
			close_conn(conn);
		else
			conn->call->close = true;
	}
	return looked_at;
}

void
http_door_close_all(HttpDoor *door)
{
	List *node;
	List *after;

	list_each_safe(node, after, &door->all) close_conn(container_of(node, HttpConn, all));
}

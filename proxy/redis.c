/* redis.c - one asynchronous connection to Redis that keeps itself alive: the only file that knows hiredis. */
#include "redis.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "log.h"
#include "metrics.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_LAST_MS 5000
#define WATCH_MS 200
#define PING_MS 5000
#define KEEPALIVE_SECONDS 10
#define MAX_PENDING 65536 /* commands without an answer; beyond it the server is as good as away */
#define READ_BYTES 65536
#define KEPT_BYTES (256 * 1024)

typedef enum Stage
{
	STAGE_RESOLVING,
	STAGE_CONNECTING,
	STAGE_GREETING, /* AUTH, SELECT and PING are in flight */
	STAGE_UP,
	STAGE_CLOSED
} Stage;

/* A command that waits for its answer. */
typedef struct Pending
{
	RedisDone done;
	void	 *ctx;
	uint64_t  sent; /* milliseconds of the loop */
} Pending;

/*
 * One attempt, from its start until libuv has let go of everything that belongs to it. libuv closes handles later than one would like: so
 * it is memory of its own, and a new attempt does not wait for it.
 */
typedef struct RedisLink
{
	Redis *redis; /* NULL: given up */
	Stage  state;
	union
	{
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t	tcp;
		uv_pipe_t	pipe;
	} socket;
	bool			 has_socket;
	uv_getaddrinfo_t resolve;
	uv_connect_t	 connect;
	uv_write_t		 write;
	bool			 resolving;
	bool			 writing;
	redisReader		*reader;
	Buf				 out;		/* commands to be written */
	Buf				 on_way;	/* what libuv writes */
	Pending			*pending;	/* a ring */
	size_t			 capacity;	/* a power of two */
	size_t			 first;		/* counts up */
	size_t			 end;		/* counts up */
	uint64_t		 heard;		/* when the last answer came */
	uint64_t		 pinged;	/* when the last PING was sent */
	bool			 ping_open; /* of a connection that subscribes, where PINGs are not in the ring */
	bool			 overdue;	/* an answer was, at the last look */
} RedisLink;

struct Redis
{
	uv_loop_t		 *loop;
	Wheel			 *wheel;
	const RedisSetup *setup;
	const RedisHooks *hooks;
	void			 *ctx;
	RedisLink		 *link;	 /* NULL: none */
	WheelTimer		  timer; /* the next attempt, the end of this one, or the next look at it */
	uint64_t		  backoff_ms;
	char			 *last_complaint; /* the same failure is logged once */
	bool			  was_up;		  /* once at least */
	unsigned int	  attempts;
	char			  inbox[READ_BYTES];
};

static void attempt(Redis *redis);

/* ---- the end of a connection ---- */

static void
free_link_if_idle(RedisLink *link)
{
	if (link->has_socket || link->resolving || link->redis != NULL)
		return;
	if (link->reader != NULL)
		redisReaderFree(link->reader);
	buf_free(&link->out);
	buf_free(&link->on_way);
	free(link->pending);
	free(link);
}

static void
on_closed(uv_handle_t *handle)
{
	RedisLink *link = handle->data;

	link->has_socket = false;
	free_link_if_idle(link);
}

/* Lets go of it; libuv does so later. Whoever waits for an answer learns that none will come. */
static void
abandon(RedisLink *link)
{
	link->redis = NULL;
	link->state = STAGE_CLOSED;
	while (link->first != link->end)
	{
		Pending *pending = &link->pending[link->first++ & (link->capacity - 1)];

		if (pending->done != NULL)
			pending->done(pending->ctx, NULL);
	}
	if (link->resolving)
		uv_cancel((uv_req_t *) &link->resolve);
	if (link->has_socket)
		uv_close(&link->socket.handle, on_closed);
	else
		free_link_if_idle(link);
}

/* The same line again and again helps nobody. */
static void
complain(Redis *redis, const char *what, const char *reason)
{
	char quoted[256];

	if (redis->last_complaint != NULL && strcmp(redis->last_complaint, reason) == 0)
		return;
	free(redis->last_complaint);
	redis->last_complaint = util_strdup(reason);
	log_line(LOG_WARNING, what, "connection=%s reason=%s", redis->setup->label,
			 log_quote(quoted, sizeof(quoted), reason));
}

/* The one way out of a connection. The next attempt comes after a random part of a pause: proxies do not come back in step. */
static void
drop(Redis *redis, const char *reason)
{
	RedisLink *link = redis->link;
	bool	   was_up = link->state == STAGE_UP;

	redis->link = NULL;
	if (was_up)
		redis->backoff_ms = BACKOFF_FIRST_MS;
	else
		metrics_add(METRIC_REDIS_FAILURES, 1);
	complain(redis,
			 was_up ? "the connection to Redis was lost: all goes on without"
					: "cannot reach Redis: all goes on without",
			 reason);
	wheel_set(redis->wheel, &redis->timer, redis->backoff_ms / 2 + util_random() % redis->backoff_ms);
	redis->backoff_ms = redis->backoff_ms * 2 > BACKOFF_LAST_MS ? BACKOFF_LAST_MS : redis->backoff_ms * 2;
	abandon(link);
	if (was_up)
		redis->hooks->down(redis->ctx);
}

/* ---- writing ---- */

static void on_written(uv_write_t *request, int status);

/* Empties it. What was needed for one large command is not kept for ever. */
static void
clear(Buf *buf)
{
	if (buf->capacity > KEPT_BYTES)
	{
		buf_free(buf);
		buf_init(buf, util_buffer_alloc);
	}
	buf_clear(buf);
}

static void
add_pending(RedisLink *link, RedisDone done, void *ctx)
{
	Pending *pending;

	if (link->end - link->first == link->capacity)
	{
		size_t	 capacity = link->capacity == 0 ? 64 : link->capacity * 2;
		Pending *ring = util_alloc(capacity * sizeof(*ring));

		for (size_t i = link->first; i != link->end; i++)
			ring[i & (capacity - 1)] = link->pending[i & (link->capacity - 1)];
		free(link->pending);
		link->pending = ring;
		link->capacity = capacity;
	}
	pending = &link->pending[link->end++ & (link->capacity - 1)];
	pending->done = done;
	pending->ctx = ctx;
	pending->sent = uv_now(link->redis->loop);
}

/* RESP: the number of words, then each with its length. */
static void
add_command(Buf *out, int count, const char *const *words, const size_t *bytes)
{
	buf_char(out, '*');
	buf_u64(out, (uint64_t) count);
	for (int i = 0; i < count; i++)
	{
		buf_bytes(out, "\r\n$", 3);
		buf_u64(out, bytes[i]);
		buf_bytes(out, "\r\n", 2);
		buf_bytes(out, words[i], bytes[i]);
	}
	buf_bytes(out, "\r\n", 2);
}

static size_t
unwritten(const RedisLink *link)
{
	return link->out.size + link->on_way.size;
}

void
redis_flush(Redis *redis)
{
	RedisLink *link = redis->link;
	Buf		   full;
	uv_buf_t   piece;
	int		   written;

	if (link == NULL || link->state < STAGE_GREETING || link->writing || link->out.size == 0)
		return;
	piece = uv_buf_init(link->out.data, (unsigned int) link->out.size);
	written = uv_try_write(&link->socket.stream, &piece, 1);
	if (written == (int) link->out.size)
	{
		clear(&link->out);
		return;
	}
	if (written > 0)
	{
		link->out.size -= (size_t) written;
		memmove(link->out.data, link->out.data + written, link->out.size);
	}
	full = link->out;
	link->out = link->on_way;
	link->on_way = full;
	piece = uv_buf_init(link->on_way.data, (unsigned int) link->on_way.size);
	link->write.data = link;
	link->writing = uv_write(&link->write, &link->socket.stream, &piece, 1, on_written) == 0;
	if (!link->writing)
		drop(redis, "cannot write");
}

static void
on_written(uv_write_t *request, int status)
{
	RedisLink *link = request->data;

	link->writing = false;
	clear(&link->on_way);
	if (link->redis == NULL)
		return;
	if (status != 0)
		drop(link->redis, uv_strerror(status));
	else
		redis_flush(link->redis);
}

static bool
may_send(const Redis *redis, size_t bytes)
{
	const RedisLink *link = redis->link;

	return link != NULL && link->state == STAGE_UP && unwritten(link) + bytes <= redis->setup->buffer_bytes &&
		   link->end - link->first < MAX_PENDING;
}

bool
redis_send(Redis *redis, int count, const char *const *words, const size_t *bytes, RedisDone done, void *ctx)
{
	size_t total = 0;

	for (int i = 0; i < count; i++)
		total += bytes[i];
	if (!may_send(redis, total))
		return false;
	add_command(&redis->link->out, count, words, bytes);
	if (redis->hooks->message == NULL)
		add_pending(redis->link, done, ctx);
	return true;
}

/* ---- reading ---- */

static void
on_greeting(void *ctx, const RedisReply *answer)
{
	Redis *redis = ctx;
	char   reason[64] = "login refused: ";

	if (answer == NULL || redis->link == NULL || !redis_is_error(answer))
		return;
	/* the code only: what follows it may repeat what was sent, and that was a password */
	strncat(reason, answer->str, strcspn(answer->str, " \r\n") < 32 ? strcspn(answer->str, " \r\n") : 32);
	drop(redis, reason);
}

static void
on_greeted(void *ctx, const RedisReply *answer)
{
	Redis *redis = ctx;

	if (answer == NULL || redis->link == NULL)
		return;
	if (redis_is_error(answer))
	{
		on_greeting(ctx, answer);
		return;
	}
	redis->link->state = STAGE_UP;
	redis->backoff_ms = BACKOFF_FIRST_MS;
	free(redis->last_complaint);
	redis->last_complaint = NULL;
	if (redis->was_up)
		metrics_add(METRIC_REDIS_RECONNECTS, 1);
	redis->was_up = true;
	log_line(LOG_INFO, "connected to Redis", "connection=%s", redis->setup->label);
	wheel_set(redis->wheel, &redis->timer, WATCH_MS);
	redis->hooks->up(redis->ctx);
}

/* What comes unasked where we subscribe: an array whose first element says what it is. */
static void
on_push(Redis *redis, const redisReply *answer)
{
	const char *kind;
	const char *channel;
	const char *data;
	size_t		kind_bytes = 0;
	size_t		channel_bytes = 0;
	size_t		bytes = 0;

	redis->link->ping_open = false; /* whatever it is, the connection lives */
	if (redis_count(answer) < 2)
	{
		if (redis_is_error(answer))
			drop(redis, "a subscription was refused");
		return;
	}
	kind = redis_string(redis_element(answer, 0), &kind_bytes);
	channel = redis_string(redis_element(answer, 1), &channel_bytes);
	if (kind == NULL || channel == NULL)
		return;
	if (kind_bytes == 9 && memcmp(kind, "subscribe", 9) == 0)
		redis->hooks->subscribed(redis->ctx, channel, channel_bytes);
	else if (kind_bytes == 7 && memcmp(kind, "message", 7) == 0 && redis_count(answer) == 3 &&
			 (data = redis_string(redis_element(answer, 2), &bytes)) != NULL)
		redis->hooks->message(redis->ctx, channel, channel_bytes, data, bytes);
}

static void
on_answer(RedisLink *link, const redisReply *answer)
{
	Pending pending;

	link->heard = uv_now(link->redis->loop);
	if (link->first == link->end)
	{
		if (link->redis->hooks->message != NULL && link->state == STAGE_UP)
			on_push(link->redis, answer);
		else
			drop(link->redis, "an answer to no question");
		return;
	}
	pending = link->pending[link->first++ & (link->capacity - 1)];
	if (redis_is_error(answer))
		metrics_add(METRIC_REDIS_ERRORS, 1);
	if (pending.done != NULL)
		pending.done(pending.ctx, answer);
}

/* Every answer that is complete. Each of them may end the connection. */
static void
read_answers(RedisLink *link)
{
	while (link->redis != NULL)
	{
		void *answer = NULL;

		if (redisReaderGetReply(link->reader, &answer) != REDIS_OK)
		{
			drop(link->redis, "what came is not Redis' protocol");
			return;
		}
		if (answer == NULL)
			break;
		on_answer(link, answer);
		freeReplyObject(answer);
	}
	if (link->redis != NULL && link->reader->len > link->redis->setup->buffer_bytes + READ_BYTES)
		drop(link->redis, "an answer is larger than redis_buffer_bytes");
}

static void
on_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	RedisLink *link = handle->data;

	(void) suggested;
	*buffer = link->redis == NULL ? uv_buf_init(NULL, 0) : uv_buf_init(link->redis->inbox, READ_BYTES);
}

static void
on_read(uv_stream_t *stream, ssize_t bytes, const uv_buf_t *buffer)
{
	RedisLink *link = stream->data;

	if (link->redis == NULL || bytes == 0)
		return;
	if (bytes < 0)
	{
		drop(link->redis, uv_strerror((int) bytes));
		return;
	}
	/* read_answers() may drop the link, which libuv frees not before this callback is over */
	if (redisReaderFeed(link->reader, buffer->base, (size_t) bytes) != REDIS_OK)
		drop(link->redis, "out of memory");
	else
		read_answers(link);
}

/* ---- watching ---- */

static void
ping(Redis *redis)
{
	static const char *const words[] = {"PING"};
	static const size_t		 bytes[] = {4};
	RedisLink				*link = redis->link;

	link->pinged = uv_now(redis->loop);
	add_command(&link->out, 1, words, bytes);
	if (redis->hooks->message != NULL)
		link->ping_open = true;
	else
		add_pending(link, NULL, NULL);
	redis_flush(redis);
}

/* Since when an answer is due; 0: none is. */
static uint64_t
waits_since(const RedisLink *link)
{
	if (link->ping_open)
		return link->pinged;
	return link->first == link->end ? 0 : link->pending[link->first & (link->capacity - 1)].sent;
}

static void
on_timer(WheelTimer *timer)
{
	Redis	*redis = container_of(timer, Redis, timer);
	uint64_t now = uv_now(redis->loop);
	uint64_t since;

	if (redis->link == NULL)
	{
		attempt(redis);
		return;
	}
	if (redis->link->state != STAGE_UP)
	{
		drop(redis, "no answer in time");
		return;
	}
	/* a server that sends other answers is slow, not away; one that is so slow is no use either */
	since = waits_since(redis->link);
	if (since == 0 || now - since <= (uint64_t) redis->setup->timeout_ms)
		redis->link->overdue = false;
	else if (redis->link->overdue)
	{
		drop(redis, "no answer in time");
		return;
	}
	else /* once more: perhaps it was us who slept, and the answer is waiting to be read */
		redis->link->overdue = true;
	if (now - redis->link->pinged >= PING_MS)
		ping(redis);
	if (redis->link != NULL)
		wheel_set(redis->wheel, &redis->timer, WATCH_MS);
}

/* ---- connecting ---- */

static void
greet(RedisLink *link)
{
	Redis			   *redis = link->redis;
	const RedisAddress *address = redis->setup->address;
	char				number[16];
	const char		   *words[3] = {"AUTH"};
	size_t				bytes[3] = {4};
	int					count = 1;

	link->state = STAGE_GREETING;
	link->pinged = uv_now(redis->loop);
	if (address->user != NULL)
		words[count++] = address->user;
	if (address->password != NULL)
		words[count++] = address->password;
	for (int i = 1; i < count; i++)
		bytes[i] = strlen(words[i]);
	if (count > 1)
	{
		add_command(&link->out, count, words, bytes);
		add_pending(link, on_greeting, redis);
	}
	if (address->database != 0)
	{
		words[0] = "SELECT";
		words[1] = number;
		bytes[0] = 6;
		bytes[1] = (size_t) snprintf(number, sizeof(number), "%d", address->database);
		add_command(&link->out, 2, words, bytes);
		add_pending(link, on_greeting, redis);
	}
	words[0] = "PING";
	bytes[0] = 4;
	add_command(&link->out, 1, words, bytes);
	add_pending(link, on_greeted, redis);
	redis_flush(redis);
}

static void
on_connect(uv_connect_t *request, int status)
{
	RedisLink *link = request->data;

	if (link->redis == NULL)
		return;
	if (status == 0)
		status = uv_read_start(&link->socket.stream, on_buffer, on_read);
	if (status != 0)
	{
		drop(link->redis, uv_strerror(status));
		return;
	}
	greet(link);
}

/* The handle is there; from now on the link is freed when that is closed. */
static void
connect_tcp(RedisLink *link, const struct sockaddr *address)
{
	int status;

	link->state = STAGE_CONNECTING;
	uv_tcp_init(link->redis->loop, &link->socket.tcp);
	link->has_socket = true;
	link->socket.handle.data = link;
	uv_tcp_nodelay(&link->socket.tcp, 1);
	uv_tcp_keepalive(&link->socket.tcp, 1, KEEPALIVE_SECONDS);
	link->connect.data = link;
	status = uv_tcp_connect(&link->connect, &link->socket.tcp, address, on_connect);
	if (status != 0)
		drop(link->redis, uv_strerror(status));
}

static void
connect_unix(RedisLink *link)
{
	link->state = STAGE_CONNECTING;
	uv_pipe_init(link->redis->loop, &link->socket.pipe, 0);
	link->has_socket = true;
	link->socket.handle.data = link;
	link->connect.data = link;
	uv_pipe_connect(&link->connect, &link->socket.pipe, link->redis->setup->address->path, on_connect);
}

/* A name may have several addresses, of which some lead nowhere: each attempt takes the next. */
static const struct addrinfo *
choose_address(Redis *redis, const struct addrinfo *found)
{
	const struct addrinfo *chosen = found;
	unsigned int		   count = 0;

	for (const struct addrinfo *next = found; next != NULL; next = next->ai_next)
		count++;
	for (unsigned int i = redis->attempts++ % count; i > 0; i--)
		chosen = chosen->ai_next;
	return chosen;
}

static void
on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
	RedisLink *link = request->data;

	link->resolving = false;
	if (link->redis == NULL)
		free_link_if_idle(link);
	else if (status != 0)
		drop(link->redis, uv_strerror(status));
	else
		connect_tcp(link, choose_address(link->redis, found)->ai_addr);
	uv_freeaddrinfo(found);
}

static void
attempt(Redis *redis)
{
	RedisLink		  *link = util_alloc_zero(sizeof(*link));
	struct sockaddr_in v4;
	struct addrinfo	   hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
	char			   port[8];
	int				   status;

	buf_init(&link->out, util_buffer_alloc);
	buf_init(&link->on_way, util_buffer_alloc);
	link->redis = redis;
	link->reader = redisReaderCreate();
	redis->link = link;
	wheel_set(redis->wheel, &redis->timer, (uint64_t) redis->setup->timeout_ms);
	if (link->reader == NULL)
	{
		drop(redis, "out of memory");
		return;
	}
	if (redis->setup->address->host == NULL)
	{
		connect_unix(link);
		return;
	}
	if (uv_ip4_addr(redis->setup->address->host, redis->setup->address->port, &v4) == 0)
	{
		connect_tcp(link, (const struct sockaddr *) &v4);
		return;
	}
	snprintf(port, sizeof(port), "%d", redis->setup->address->port);
	link->resolve.data = link;
	status =
		uv_getaddrinfo(redis->loop, &link->resolve, on_resolved, redis->setup->address->host, port, &hints);
	link->resolving = status == 0;
	if (status != 0)
		drop(redis, uv_strerror(status));
}

/* ---- life ---- */

Redis *
redis_create(uv_loop_t *loop, Wheel *wheel, const RedisSetup *setup, const RedisHooks *hooks, void *ctx)
{
	Redis *redis = util_alloc_zero(sizeof(*redis));

	redis->loop = loop;
	redis->wheel = wheel;
	redis->setup = setup;
	redis->hooks = hooks;
	redis->ctx = ctx;
	redis->backoff_ms = BACKOFF_FIRST_MS;
	wheel_timer_init(&redis->timer, on_timer);
	attempt(redis);
	return redis;
}

void
redis_stop(Redis *redis)
{
	wheel_cancel(redis->wheel, &redis->timer);
	if (redis->link != NULL)
	{
		RedisLink *link = redis->link;

		redis->link = NULL;
		abandon(link);
	}
}

void
redis_destroy(Redis *redis)
{
	free(redis->last_complaint);
	free(redis);
}

bool
redis_is_up(const Redis *redis)
{
	return redis->link != NULL && redis->link->state == STAGE_UP;
}

/* ---- answers ---- */

bool
redis_is_error(const RedisReply *answer)
{
	return answer != NULL && answer->type == REDIS_REPLY_ERROR;
}

const char *
redis_string(const RedisReply *answer, size_t *bytes)
{
	if (answer == NULL || answer->type != REDIS_REPLY_STRING)
		return NULL;
	*bytes = (size_t) answer->len;
	return answer->str;
}

size_t
redis_count(const RedisReply *answer)
{
	return answer != NULL && answer->type == REDIS_REPLY_ARRAY ? answer->elements : 0;
}

const RedisReply *
redis_element(const RedisReply *answer, size_t index)
{
	return answer->element[index];
}

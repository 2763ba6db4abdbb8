/* client.c - one WebSocket: its handshake, what it sends, what it is sent. */
#include "client.h"

#include <stdlib.h>
#include <string.h>

#include "crowd.h"
#include "lane.h"
#include "loader.h"
#include "log.h"
#include "presence.h"
#include "rate.h"
#include "room.h"

#define RETRY_DRAIN_MS 1000
#define RETRY_BUSY_MS 500
#define STALL_TIMEOUTS 2 /* timeout_ms that output may wait without any progress */

static void on_timer(WheelTimer *timer);
static void set_timer(Client *client);

/* ---- life ---- */

/* `text` as a JSON string. */
static char *
to_json(Proxy *proxy, const char *text, size_t bytes)
{
	buf_clear(&proxy->scratch);
	buf_json_string(&proxy->scratch, text, bytes);
	return util_strndup(proxy->scratch.data, proxy->scratch.size);
}

static char *
append_text(char *at, const char *text, size_t bytes)
{
	memcpy(at, text, bytes);
	at[bytes] = '\0';
	return at + bytes + 1;
}

/* One piece of memory with what it will need as long as it lives: there are many, and most do nothing. */
Client *
client_create(Proxy *proxy, WsConn *conn, const char *doc_id, const char *user, size_t user_bytes)
{
	Buf	   *json = &proxy->scratch;
	size_t	doc_bytes = strlen(doc_id);
	Client *client;
	char   *at;

	buf_clear(json);
	buf_json_string(json, user, user_bytes);
	client = util_alloc_zero(sizeof(*client) + user_bytes + json->size + doc_bytes + 3);
	client->user = client->texts;
	at = append_text(client->texts, user, user_bytes);
	client->user_json = at;
	at = append_text(at, json->data, json->size);
	client->doc_id = at;
	append_text(at, doc_id, doc_bytes);
	client->proxy = proxy;
	client->conn = conn;
	client->state = CLIENT_CONNECTED;
	client->session = util_random();
	client->position = -1;
	list_init(&client->member);
	wheel_timer_init(&client->timer, on_timer);
	proxy->client_count++;
	return client;
}

void
client_established(Client *client)
{
	metrics_add(METRIC_CONNECTIONS_UPGRADED, 1);
	client->last_received = client->last_sent = client->unopened_since = proxy_now(client->proxy);
	set_timer(client);
}

/* Takes the client out of everything that could still want to tell it something about the document. */
static void
leave_document(Client *client)
{
	if (client->opening != NULL)
		loader_cancel(client);
	if (client->in_flight != NULL)
		client->in_flight->client = NULL;
	client->in_flight = NULL;
	assembly_free(client->assembly);
	client->assembly = NULL;
	frame_unref(client->late_error);
	client->late_error = NULL;
	if (client->room != NULL)
		room_leave(client->room, client);
	client->room = NULL;
	client->position = -1;
}

static void
detach(Client *client)
{
	wheel_cancel(&client->proxy->wheel, &client->timer);
	leave_document(client);
	client->heartbeat_due = false;
	client->state = CLIENT_CLOSED;
}

void
client_destroy(Client *client)
{
	detach(client);
	client->proxy->client_count--;
	frame_queue_free(&client->queue);
	free(client->name_json);
	free(client->color_json);
	free(client);
}

void
client_close(Client *client, int close_code, const char *reason)
{
	if (client->state == CLIENT_CLOSED)
		return;
	log_line(LOG_DEBUG, "closing a connection", "session=%016llx code=%d reason=\"%s\"",
			 (unsigned long long) client->session, close_code, reason);
	frame_queue_clear(&client->queue);
	detach(client);
	ws_close(client->conn, close_code, reason);
}

void
client_fail(Client *client, const char *code, const char *message, int close_code)
{
	if (client->state == CLIENT_CLOSED)
		return;
	client_error(client, code, message, 0, 0);
	detach(client);
	ws_close(client->conn, close_code, message);
}

/* What it sent and what it was not told yet is settled when it opens again, as on a new connection. */
void
client_fall_behind(Client *client)
{
	metrics_add(METRIC_RESYNC_BEHIND, 1);
	if (client->state == CLIENT_LIVE)
		metrics_add(METRIC_SLOW_RESYNC, 1);
	leave_document(client);
	frame_queue_cut(&client->queue);
	client->state = CLIENT_CONNECTED;
	client->behind = true;
	client->unopened_since = proxy_now(client->proxy);
	client->last_clock = client->committed = 0;
	client->has_cursor = client->cursor_changed = false;
	buf_clear(&client->proxy->scratch);
	wire_resync(&client->proxy->scratch);
	client_send_scratch(client, false);
}

/* ---- sent elsewhere ---- */

void
client_tell_database(Client *client)
{
	if (client->state == CLIENT_CLOSED)
		return;
	client->heartbeat_due = true;
	client_wake(client, false);
}

void
client_leave(Client *client, int64_t retry_ms)
{
	if (client->state == CLIENT_CLOSED || client->leaving)
		return;
	client->leaving = true;
	buf_clear(&client->proxy->scratch);
	wire_drain(&client->proxy->scratch, retry_ms);
	client_send_scratch(client, false);
}

/* What it has in flight is waited for, and that the stream tells it so; who does not read is not waited for. */
bool
client_may_go(const Client *client)
{
	if (!client->leaving || client->state == CLIENT_CLOSED)
		return false;
	if (client->in_flight != NULL || (client->state == CLIENT_LIVE && client->position < client->committed))
		return false;
	return client->stalled_since != 0 || !client_has_output(client);
}

void
client_go(Client *client)
{
	detach(client);
	ws_close(client->conn, 1001, CLIENT_GOODBYE);
}

/* A leaving client may have nothing more to be told: then this is what gets it closed. */
static void
settle(Client *client)
{
	client->in_flight = NULL;
	if (client->leaving)
		client_wake(client, false);
}

/*
 * A silent client is sent a heartbeat after this time. A little more than heartbeat_ms, so that who keeps that rhythm itself is
 * just answered; and a little different for each client, so that those whom a stall of the process brought into step fall out of it.
 */
static uint64_t
beat_after(const Client *client)
{
	uint64_t heartbeat = (uint64_t) client->proxy->config.heartbeat_ms;

	return heartbeat + heartbeat / 16 + client->session % (heartbeat / 16 + 1);
}

static uint64_t
left_of(uint64_t limit, uint64_t since, uint64_t now)
{
	return now - since >= limit ? 0 : limit - (now - since);
}

/*
 * The next moment at which something can be due. A client that was heard or written to meanwhile just has its timer moved on when
 * it fires, so that traffic costs the wheel nothing.
 */
static void
set_timer(Client *client)
{
	const Config *config = &client->proxy->config;
	uint64_t	  now = proxy_now(client->proxy);
	uint64_t	  timeout = (uint64_t) config->timeout_ms;
	uint64_t	  left[] = {
			 left_of(timeout, client->last_received, now),
			 left_of(beat_after(client), client->last_sent, now),
		 client->state == CLIENT_CONNECTED ? left_of(timeout, client->unopened_since, now) : UINT64_MAX,
		 client->stalled_since != 0 ? left_of(STALL_TIMEOUTS * timeout, client->stalled_since, now)
										: UINT64_MAX,
		 client->assembly != NULL ? left_of((uint64_t) config->message_timeout_ms, client->assembly->since, now)
									  : UINT64_MAX,
	 };
	uint64_t next = left[0];

	for (size_t i = 1; i < sizeof(left) / sizeof(left[0]); i++)
		next = left[i] < next ? left[i] : next;
	wheel_set(&client->proxy->wheel, &client->timer, next);
}

static void
on_timer(WheelTimer *timer)
{
	Client		 *client = container_of(timer, Client, timer);
	const Config *config = &client->proxy->config;
	uint64_t	  now = proxy_now(client->proxy);
	uint64_t	  timeout = (uint64_t) config->timeout_ms;

	if (now - client->last_received >= timeout)
	{
		client_close(client, 4408, "no heartbeat");
		return;
	}
	if (client->state == CLIENT_CONNECTED && now - client->unopened_since >= timeout)
	{
		if (client->behind)
			metrics_add(METRIC_SLOW_CLOSED, 1);
		client_close(client, client->behind ? 4408 : 4400, client->behind ? "too slow" : "no open");
		return;
	}
	if (client->stalled_since != 0 && now - client->stalled_since >= STALL_TIMEOUTS * timeout)
	{
		metrics_add(METRIC_SLOW_CLOSED, 1);
		client_close(client, 4408, "too slow");
		return;
	}
	if (client->assembly != NULL && now - client->assembly->since >= (uint64_t) config->message_timeout_ms)
	{
		client_close(client, 4408, "a message took too long");
		return;
	}
	if (now - client->last_sent >= beat_after(client))
	{
		client->heartbeat_due = true;
		client->last_sent = now; /* or will be, or it is stalled: the next one is due as long after this one */
		client_wake(client, false);
	}
	set_timer(client);
}

/* ---- what it is sent ---- */

void
client_wake(Client *client, bool answers)
{
	ws_wake(client->conn, !answers && client->room != NULL && crowd_is(client->room));
}

void
client_send(Client *client, Frame *frame)
{
	bool too_slow = frame->counted && client->queue.counted > (size_t) client->proxy->config.max_output_bytes;

	if (client->state == CLIENT_CLOSED)
	{
		frame_unref(frame);
		return;
	}
	/* what was there before this one counts: a single long message (presence) is no fault of the reader's */
	frame_queue_push(&client->queue, frame);
	metrics_add(METRIC_OUT_OTHER, 1);
	if (too_slow && client->state != CLIENT_CONNECTED)
		client_fall_behind(client);
	else if (too_slow)
	{
		metrics_add(METRIC_SLOW_CLOSED, 1);
		client_close(client, 4408, "too slow");
	}
	else
		client_wake(client, false);
}

void
client_send_scratch(Client *client, bool counted)
{
	client_send(client, frame_create(&client->proxy->scratch, counted));
}

void
client_error(Client *client, const char *code, const char *message, int64_t clock, int64_t retry_ms)
{
	Buf *out = &client->proxy->scratch;

	buf_clear(out);
	wire_error(out, code, message, strlen(message), clock, retry_ms);
	client_send_scratch(client, true);
}

void
client_go_live(Client *client)
{
	client->state = CLIENT_LIVE;
	client->heartbeat_due |= client->proxy->outage.away;
	presence_join(client->room, client);
	client_wake(client, false);
}

void
client_open_failed(Client *client, const char *code, const char *message, int64_t retry_ms)
{
	client_error(client, code, message, 0, retry_ms);
	if (client->state != CLIENT_OPENING)
		return;
	room_leave(client->room, client);
	client->room = NULL;
	client->position = -1;
	client->state = CLIENT_CONNECTED;
	client->unopened_since = proxy_now(client->proxy);
}

static bool
error_ready(const Client *client)
{
	return client->late_error != NULL && client->position >= client->late_after;
}

bool
client_has_output(const Client *client)
{
	return client->queue.count > 0 || client->heartbeat_due || error_ready(client) ||
		   (client->state == CLIENT_LIVE && room_has_more(client->room, client));
}

/* Version 0 is true of any socket that was not brought to a version yet. */
static size_t
fill_heartbeat(Client *client, char *out, size_t capacity)
{
	Buf	  *text = &client->proxy->scratch;
	size_t used;

	buf_clear(text);
	wire_heartbeat(text, client->state == CLIENT_LIVE ? client->position : 0, client->proxy->outage.away);
	if (text->size + FRAME_HEADER_MAX > capacity)
		return 0;
	used = frame_header(out, text->size, true, true);
	memcpy(out + used, text->data, text->size);
	client->heartbeat_due = false;
	metrics_add(METRIC_OUT_HEARTBEAT, 1);
	return used + text->size;
}

size_t
client_fill(Client *client, char *out, size_t capacity)
{
	size_t used = 0;

	for (;;)
	{
		if (client->behind && client->queue.count > 0)
			client->unopened_since = proxy_now(client->proxy);
		used += frame_queue_fill(&client->queue, out + used, capacity - used);
		if (client->queue.count > 0)
			return used;
		/* an event too large for `out` is moved to the queue */
		if (client->state == CLIENT_LIVE)
			used += room_stream(client->room, client, out + used, capacity - used);
		if (client->queue.count == 0 && error_ready(client))
		{
			frame_queue_push(&client->queue, client->late_error);
			client->late_error = NULL;
		}
		if (client->queue.count == 0)
			break;
	}
	if (client->heartbeat_due && (client->state != CLIENT_LIVE || !room_has_more(client->room, client)))
		used += fill_heartbeat(client, out + used, capacity - used);
	return used;
}

void
client_written(Client *client, bool all)
{
	uint64_t now = proxy_now(client->proxy);

	client->last_sent = now;
	/* what went before was taken, or there would have been no write */
	client->stalled_since = all ? 0 : now;
}

/* ---- operations ---- */

void
client_op_finished(Client *client, int64_t committed)
{
	if (committed > client->committed)
		client->committed = committed;
	settle(client);
}

void
client_op_acknowledged(Client *client, int64_t clock)
{
	Message *message = client->in_flight;

	if (message == NULL || clock < message->clock + message->count - 1)
		return;
	message->client = NULL;
	settle(client);
}

void
client_op_refused(Client *client, int64_t clock, int64_t after, const char *code, const char *message,
				  size_t message_bytes)
{
	Buf *out = &client->proxy->scratch;

	if (client->state != CLIENT_LIVE)
		return;
	buf_clear(out);
	wire_error(out, code, message, message_bytes, clock, 0);
	if (client->position >= after)
	{
		client_send_scratch(client, true);
		return;
	}
	/* the pieces before it are committed: their acknowledgement goes first */
	frame_unref(client->late_error);
	client->late_error = frame_create(out, true);
	client->late_after = after;
}

void
client_op_retry(Client *client, const Message *message, const char *code, const char *text, int64_t retry_ms)
{
	client_error(client, code, text, message->clock, retry_ms);
}

static void
on_op(Client *client, const WireMessage *message)
{
	Proxy  *proxy = client->proxy;
	int64_t count = proxy->parser.piece_count;
	int64_t last = message->clock + count - 1;
	/* what became of a piece that was sent before was or will be said in its own place: then no clock */
	int64_t		refused = message->clock > client->last_clock ? message->clock : 0;
	int64_t		wait;
	const char *code;

	if (last > client->last_clock)
		client->last_clock = last;
	if (client->state != CLIENT_LIVE)
	{
		metrics_add(METRIC_OPS_REFUSED, (uint64_t) count);
		client_error(client, "OT008", "an op before the answer to open was complete", refused, 0);
		return;
	}
	if (client->in_flight != NULL)
	{
		metrics_add(METRIC_OPS_REFUSED, (uint64_t) count);
		client_error(client, "OT008", "another op of this connection is in flight", refused, 0);
		return;
	}
	if (client->leaving)
	{
		metrics_add(METRIC_OPS_RETRY, (uint64_t) count);
		client_error(client, "57P01", "the server is going away", message->clock, RETRY_DRAIN_MS);
		return;
	}
	wait = rate_operations(proxy, client->user, count);
	if (wait > 0)
	{
		metrics_add(METRIC_OPS_RETRY, (uint64_t) count);
		client_error(client, "OT009", "more than op_rate operations a second", message->clock, wait);
		return;
	}
	if (!lanes_submit(proxy->lanes, client, message, &proxy->parser, &code))
	{
		metrics_add(METRIC_OPS_RETRY, (uint64_t) count);
		client_error(client, code, "too many operations wait for the database", message->clock,
					 RETRY_BUSY_MS + (int64_t) (util_random() % RETRY_BUSY_MS));
	}
}

/* ---- the other messages ---- */

static char *
optional_json(Proxy *proxy, const JsonString *text)
{
	Buf	  plain;
	char *json;

	if (text->data == NULL || text->bytes == 0)
		return NULL;
	buf_init(&plain, util_buffer_alloc);
	json_unescape(text, &plain);
	json = to_json(proxy, plain.data, plain.size);
	buf_free(&plain);
	return json;
}

static void
on_open(Client *client, const WireMessage *message)
{
	Proxy *proxy = client->proxy;

	if (client->state != CLIENT_CONNECTED)
	{
		client_error(client, "OT008", "open comes exactly once", 0, 0);
		return;
	}
	free(client->name_json);
	free(client->color_json);
	client->name_json = optional_json(proxy, &message->name);
	client->color_json = optional_json(proxy, &message->color);
	client->site = message->site;
	/* others have been told that it left */
	if (client->behind)
		client->session = util_random();
	client->behind = false;
	client->state = CLIENT_OPENING;
	client->room = rooms_enter(proxy->rooms, client->doc_id);
	room_join(client->room, client);
	loader_open(proxy->loader, client, message);
	if (proxy->outage.away)
		client_tell_database(client);
}

static void
on_cursor(Client *client, const WireMessage *message)
{
	if (client->state == CLIENT_LIVE)
		presence_cursor(client->room, client, message);
	else
		client_error(client, "OT008", "a cursor before the answer to open was complete", 0, 0);
}

/* The message could not be understood. An op is refused by its clock where that is known and new. */
static void
on_malformed(Client *client, const char *code, const char *text)
{
	const WireError *error = &client->proxy->parser.error;
	int64_t			 clock = 0;

	if (error->is_op && error->has_clock && error->clock > client->last_clock && client->state == CLIENT_LIVE)
		clock = client->last_clock = error->clock;
	client_error(client, code, text, clock, 0);
}

static void
on_message(Client *client, const char *text, size_t bytes)
{
	Proxy	   *proxy = client->proxy;
	WireMessage message;

	if (!wire_parse(&proxy->parser, text, bytes, &message))
	{
		char reason[sizeof(proxy->parser.error.message)];

		metrics_add(METRIC_IN_MALFORMED, 1);
		if (!util_valid_utf8(text, bytes))
		{
			client_fail(client, "OT008", "a text message that is not UTF-8", 1007);
			return;
		}
		memcpy(reason, proxy->parser.error.message, sizeof(reason));
		on_malformed(client, proxy->parser.error.code, reason);
		return;
	}
	/* sent before it knew */
	if (client->behind && (message.type == WIRE_OP || message.type == WIRE_CURSOR))
		return;
	if (client->state == CLIENT_CONNECTED && !client->behind && message.type != WIRE_OPEN)
	{
		client_fail(client, "OT008", "the first message must be open", 4400);
		return;
	}
	switch (message.type)
	{
		case WIRE_OPEN:
			metrics_add(METRIC_IN_OPEN, 1);
			on_open(client, &message);
			break;
		case WIRE_OP:
			metrics_add(METRIC_IN_OP, 1);
			on_op(client, &message);
			break;
		case WIRE_CURSOR:
			metrics_add(METRIC_IN_CURSOR, 1);
			on_cursor(client, &message);
			break;
		case WIRE_HEARTBEAT:
			metrics_add(METRIC_IN_HEARTBEAT, 1);
			client->heartbeat_due = true;
			client_wake(client, false);
			break;
	}
}

/* ---- assembling messages ---- */

static void
on_too_large(Client *client, const Buf *text)
{
	Proxy	   *proxy = client->proxy;
	WireMessage ignored;

	metrics_add(METRIC_LIMITED_MESSAGE, 1);
	/* what was kept of it may tell the clock */
	if (wire_parse(&proxy->parser, text->data, text->size, &ignored))
		proxy->parser.error.is_op = false;
	on_malformed(client, "OT005", "the message is larger than max_message_bytes");
}

/* The message is over, in one way or another. */
static void
on_assembled(Client *client, AssemblyState state)
{
	Assembly *assembly = client->assembly;

	client->assembly = NULL;
	switch (state)
	{
		case ASSEMBLY_INCOMPLETE:
			break;
		case ASSEMBLY_COMPLETE:
			on_message(client, assembly->text.data, assembly->text.size);
			break;
		case ASSEMBLY_TOO_LARGE:
			on_too_large(client, &assembly->text);
			break;
		case ASSEMBLY_ENDLESS:
			metrics_add(METRIC_LIMITED_MESSAGE, 1);
			client_fail(client, "OT005", "the message is larger than max_message_bytes", 1009);
			break;
		case ASSEMBLY_TOO_MANY_CUTS:
			client_fail(client, "OT008", "the message is cut into too many frames", 4400);
			break;
	}
	assembly_free(assembly);
}

void
client_receive(Client *client, const char *data, size_t bytes, bool frame_end, bool last, uint64_t declared)
{
	AssemblyState state;

	if (client->state == CLIENT_CLOSED)
		return;
	client->last_received = proxy_now(client->proxy);
	if (last && client->assembly == NULL)
	{
		on_message(client, data, bytes);
		return;
	}
	if (client->assembly == NULL)
	{
		client->assembly = assembly_begin(client->last_received);
		set_timer(client);
	}
	state = assembly_add(client->assembly, &client->proxy->config, data, bytes, frame_end, last, declared);
	if (state != ASSEMBLY_INCOMPLETE)
		on_assembled(client, state);
}

void
client_receive_binary(Client *client)
{
	client_fail(client, "OT008", "binary frames are not part of collab.v1", 4400);
}

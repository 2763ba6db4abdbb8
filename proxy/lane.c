/* lane.c - operations on their way to a commit: what waits while one batch commits is the next batch. */
#include "lane.h"

#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "listener.h"
#include "log.h"
#include "pg.h"
#include "polls.h"
#include "room.h"

#define RETRY_MS 250
#define BUSY_CODE "55P03" /* lock_not_available */
#define ISOLATE_AFTER 2	  /* lost connections, until a message gets a statement of its own */

/* One database connection. A document always takes the same lane, so its operations stay in order. */
typedef struct Lane
{
	Lanes	*lanes;
	Pg		*pg;
	PgSetup	 setup;
	bool	 waits;	  /* a retry lane: one message at a time, and it may wait for the lock */
	List	 waiting; /* Message.node */
	List	 alone;	  /* those that get a statement of their own */
	size_t	 waiting_bytes;
	int		 waiting_count;
	int		 in_flight_count;
	uint64_t answered; /* when a batch was committed last, ms of the loop's clock; 0: never */
	bool	 untold;   /* batches were sent since the last question about their times */
	Poll	 times;
} Lane;

struct Lanes
{
	Proxy	*proxy;
	Lane	*lanes;
	int		 lane_count;
	Lane	*retry_lanes;
	int		 retry_count;
	PgParams params;
};

/* What one statement carries. */
typedef struct Batch
{
	Lane	*lane;
	uint64_t sent; /* by proxy_clock() */
	int		 count;
	Message *messages[];
} Batch;

static const PgStatement statements[] = {
	{"submit",
	 "SELECT message, piece, status, version, event, at, op, code, detail FROM collab.submit_batch("
	 "$1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::integer[], $8::bytea[], "
	 "$9::boolean)"},
};

enum
{
	COLUMN_MESSAGE,
	COLUMN_PIECE,
	COLUMN_STATUS,
	COLUMN_VERSION,
	COLUMN_EVENT,
	COLUMN_AT,
	COLUMN_OP,
	COLUMN_CODE,
	COLUMN_DETAIL
};

/* What it commits says nothing of what came before it, and that may be less than it was. */
static void
on_up(void *ctx)
{
	const Lane *lane = ctx;
	List	   *node;

	list_each(node, rooms_all(lane->lanes->proxy->rooms)) room_doubt(container_of(node, Room, all));
}

static void
on_down(void *ctx)
{
	(void) ctx;
}

static const PgHooks hooks = {on_up, on_down, NULL};

/* ---- messages ---- */

static Lane *
lane_of(Lane *lanes, int count, const Room *room)
{
	/* not the low bits alone: they choose the partition, and with it the backend's caches */
	return &lanes[((uint64_t) room->key >> 32) % (uint64_t) count];
}

static Message *
message_create(Room *room, const char *user, int64_t site, const WireMessage *op, const WireParser *parser)
{
	uint32_t count = parser->piece_count;
	size_t	 user_bytes = strlen(user);
	size_t	 bytes = user_bytes;
	Message *message;
	char	*p;

	for (uint32_t i = 0; i < count; i++)
		bytes += parser->pieces[i].bytes;
	message = util_alloc(sizeof(*message) + count * sizeof(MessagePiece) + bytes);
	memset(message, 0, sizeof(*message));
	list_init(&message->node);
	message->room = room;
	message->site = site;
	message->clock = op->clock;
	message->base_version = op->base_version;
	message->base_event = op->base_event;
	message->count = count;
	message->user_bytes = (uint32_t) user_bytes;
	message->bytes = bytes;
	message->arrived = proxy_clock(room->proxy);
	message->pieces = (MessagePiece *) (void *) (message + 1);
	message->data = p = (char *) (message->pieces + count);
	memcpy(p, user, user_bytes);
	p += user_bytes;
	for (uint32_t i = 0; i < count; i++)
	{
		message->pieces[i].offset = (uint32_t) (p - message->data);
		message->pieces[i].bytes = (uint32_t) parser->pieces[i].bytes;
		memcpy(p, parser->pieces[i].data, parser->pieces[i].bytes);
		p += parser->pieces[i].bytes;
	}
	room_hold(message->room);
	return message;
}

static void
message_free(Message *message)
{
	Room *room = message->room;

	list_remove(&message->node);
	free(message);
	room_unhold(room);
}

/* The database has said its last word on it. */
static void
message_finish(Message *message)
{
	if (message->client != NULL)
		client_op_finished(message->client, message->committed);
	if (message->caller != NULL)
		message->caller->finished(message->caller_ctx);
	message_free(message);
}

static void
enqueue(Lane *lane, List *list, Message *message, bool first)
{
	if (first)
		list_prepend(list, &message->node);
	else
		list_append(list, &message->node);
	lane->waiting_bytes += message->bytes;
	lane->waiting_count++;
}

/* Whether there is room for one more in the lane of a document. */
static bool
takes_more(Lanes *lanes, const Lane *lane, const char **code)
{
	if (lane->waiting_bytes > (size_t) lanes->proxy->config.max_waiting_bytes)
	{
		*code = pg_is_up(lane->pg) ? "53300" : "08006";
		metrics_add(METRIC_LIMITED_WAITING, 1);
		return false;
	}
	return true;
}

bool
lanes_submit(Lanes *lanes, Client *client, const WireMessage *op, const WireParser *parser, const char **code)
{
	Lane *lane = lane_of(lanes->lanes, lanes->lane_count, client->room);

	if (!takes_more(lanes, lane, code))
		return false;
	client->in_flight = message_create(client->room, client->user, client->site, op, parser);
	client->in_flight->client = client;
	enqueue(lane, &lane->waiting, client->in_flight, false);
	return true;
}

bool
lanes_call(Lanes *lanes, Room *room, const char *user, const WireMessage *op, const WireParser *parser,
		   const LaneCaller *caller, void *ctx, const char **code)
{
	Lane	*lane = lane_of(lanes->lanes, lanes->lane_count, room);
	Message *message;

	if (!takes_more(lanes, lane, code))
		return false;
	message = message_create(room, user, op->site, op, parser);
	message->caller = caller;
	message->caller_ctx = ctx;
	enqueue(lane, &lane->waiting, message, false);
	return true;
}

/* ---- the answer ---- */

/*
 * Errors that say nothing about the message itself but about the server: a lost lock, no disk, a failover, an extension that is
 * just being replaced, a grant that is missing. The same message may do better later, and nobody's text is given up for it.
 */
static bool
is_transient(const char *sqlstate)
{
	static const char *const classes[] = {"08", "25", "26", "3F", "40", "42", "53", "55", "57", "58"};

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
	{
		if (strncmp(sqlstate, classes[i], strlen(classes[i])) == 0)
			return true;
	}
	return false;
}

static void
say_retry(Message *message, const char *code, const char *text)
{
	metrics_add(METRIC_OPS_RETRY, message->count);
	if (message->client != NULL)
		client_op_retry(message->client, message, code, text, RETRY_MS + (int64_t) (util_random() % RETRY_MS));
	if (message->caller != NULL)
		message->caller->retry(message->caller_ctx, code, text);
}

static void
on_committed(const PgResult *result, int row, Message *message)
{
	PgBytes	  op = pg_bytes(result, row, COLUMN_OP);
	WireEvent event;

	event.version = pg_int8(result, row, COLUMN_VERSION);
	event.event = (uint64_t) pg_int8(result, row, COLUMN_EVENT);
	event.site = message->site;
	event.clock = message->clock + pg_int4(result, row, COLUMN_PIECE);
	event.user = message->data;
	event.user_bytes = message->user_bytes;
	event.op = op.data;
	event.op_bytes = op.bytes;
	event.at = pg_int8(result, row, COLUMN_AT);
	message->committed = event.version;
	metrics_add(METRIC_OPS_COMMITTED, 1);
	if (message->caller != NULL)
		message->caller->committed(message->caller_ctx, event.version, event.event, false);
	if (message->life == message->room->life)
		room_committed(message->room, &event, message->sent_at);
	else
		room_want(message->room, event.version); /* perhaps of another history */
}

static void
on_refused(Proxy *proxy, const PgResult *result, int row, Message *message)
{
	PgBytes code = pg_bytes(result, row, COLUMN_CODE);
	PgBytes detail = pg_bytes(result, row, COLUMN_DETAIL);
	char	sqlstate[6] = "XX000";

	if (code.bytes == 5)
		memcpy(sqlstate, code.data, 5);
	/* with it all that follow it in its message */
	metrics_add(METRIC_OPS_REFUSED, message->count - (uint32_t) pg_int4(result, row, COLUMN_PIECE));
	/* a base that the history does not have: perhaps the room does not know the history either */
	if (strcmp(sqlstate, "OT001") == 0 || strcmp(sqlstate, "OT004") == 0 || strcmp(sqlstate, "OT010") == 0)
		listener_check(proxy->listener, message->room);
	if (message->client != NULL)
		client_op_refused(message->client, message->clock + pg_int4(result, row, COLUMN_PIECE),
						  message->committed, sqlstate, detail.data, detail.bytes);
	if (message->caller != NULL)
		message->caller->refused(message->caller_ctx, message->clock + pg_int4(result, row, COLUMN_PIECE),
								 sqlstate, detail.data, detail.bytes);
}

static bool
status_is(PgBytes status, const char *text)
{
	return status.bytes == strlen(text) && memcmp(status.data, text, status.bytes) == 0;
}

static void
on_row(Batch *batch, const PgResult *result, int row)
{
	int32_t	 index = pg_int4(result, row, COLUMN_MESSAGE);
	PgBytes	 status = pg_bytes(result, row, COLUMN_STATUS);
	Message *message;

	if (index < 0 || index >= batch->count)
		return;
	message = batch->messages[index];
	message->answered = true;
	if (status_is(status, "ok"))
		on_committed(result, row, message);
	else if (status_is(status, "duplicate"))
	{
		/* applied earlier: its place in the stream acknowledges it */
		message->committed = pg_int8(result, row, COLUMN_VERSION);
		metrics_add(METRIC_OPS_DUPLICATE, 1);
		if (message->caller != NULL)
			message->caller->committed(message->caller_ctx, message->committed,
									   (uint64_t) pg_int8(result, row, COLUMN_EVENT), true);
		room_want(message->room, message->committed);
	}
	else if (status_is(status, "error"))
		on_refused(batch->lane->lanes->proxy, result, row, message);
	else if (status_is(status, "retry"))
		message->to_retry = true;
}

/* A message that waits for a lock may do so for long: hints do not wait with it. */
static void
answered(Lane *lane, Message *message)
{
	if (!lane->waits)
		room_answered(message->room);
}

/*
 * A document that stays locked would take the retry lane for lock_timeout_ms once for each of its messages: those that wait
 * behind the one that gave up come again as well, and other documents get their turn.
 */
static void
give_up_document(Lane *lane, const Room *room)
{
	List *node;
	List *after;

	list_each_safe(node, after, &lane->waiting)
	{
		Message *message = container_of(node, Message, node);

		if (message->room != room)
			continue;
		list_remove(&message->node);
		lane->waiting_bytes -= message->bytes;
		lane->waiting_count--;
		say_retry(message, BUSY_CODE, "the document is busy");
		message_finish(message);
	}
}

static void
on_rows(Batch *batch, const PgResult *result)
{
	Lanes *lanes = batch->lane->lanes;

	for (int row = 0; row < pg_rows(result); row++)
		on_row(batch, result, row);
	for (int i = 0; i < batch->count; i++)
	{
		Message *message = batch->messages[i];

		answered(batch->lane, message);
		if (message->to_retry && !batch->lane->waits)
		{
			Lane *lane = lane_of(lanes->retry_lanes, lanes->retry_count, message->room);

			message->to_retry = message->answered = false;
			enqueue(lane, &lane->waiting, message, false);
			continue;
		}
		if (message->to_retry || !message->answered)
		{
			say_retry(message, BUSY_CODE, "the document is busy");
			if (batch->lane->waits)
				give_up_document(batch->lane, message->room);
		}
		else if (message->committed > 0)
			metrics_observe(HISTOGRAM_OP_COMMIT, proxy_clock(lanes->proxy) - message->arrived, 1);
		message_finish(message);
	}
}

/* The statement failed, nothing of it happened. One message may have spoilt it for the others: each tries alone. */
static void
on_error(Batch *batch, const PgResult *result)
{
	const char *sqlstate = pg_sqlstate(result);
	char		quoted[256];
	Message	   *message = batch->messages[0];

	metrics_add(METRIC_DB_ERRORS, 1);
	if (batch->count > 1)
	{
		log_line(LOG_WARNING, "a batch failed", "messages=%d code=%s", batch->count, sqlstate);
		for (int i = batch->count - 1; i >= 0; i--)
		{
			answered(batch->lane, batch->messages[i]);
			enqueue(batch->lane, &batch->lane->alone, batch->messages[i], true);
		}
		return;
	}
	answered(batch->lane, message);
	if (is_transient(sqlstate))
	{
		say_retry(message, sqlstate, pg_message(result));
		if (batch->lane->waits && strcmp(sqlstate, BUSY_CODE) == 0)
			give_up_document(batch->lane, message->room);
	}
	else
	{
		log_line(LOG_WARNING, "an operation failed", "doc=%s code=%s text=%s", message->room->doc_id,
				 sqlstate, log_quote(quoted, sizeof(quoted), pg_message(result)));
		metrics_add(METRIC_OPS_REFUSED, message->count);
		if (message->client != NULL)
			client_op_refused(message->client, message->clock, message->committed, sqlstate,
							  pg_message(result), strlen(pg_message(result)));
		if (message->caller != NULL)
			message->caller->refused(message->caller_ctx, message->clock, sqlstate, pg_message(result),
									 strlen(pg_message(result)));
	}
	message_finish(message);
}

/* Nobody knows what became of them: they are submitted again, which is harmless, before anything newer. */
static void
on_lost(Batch *batch)
{
	for (int i = batch->count - 1; i >= 0; i--)
	{
		Message *message = batch->messages[i];

		answered(batch->lane, message);
		message->lost++;
		enqueue(batch->lane, message->lost >= ISOLATE_AFTER ? &batch->lane->alone : &batch->lane->waiting,
				message, true);
	}
}

static void
on_answer(void *ctx, PgOutcome outcome, const PgResult *result)
{
	Batch *batch = ctx;
	Lane  *lane = batch->lane;

	lane->in_flight_count -= batch->count;
	if (outcome != PG_LOST)
		metrics_observe(HISTOGRAM_BATCH, proxy_clock(lane->lanes->proxy) - batch->sent, 1);
	if (outcome == PG_ROWS)
	{
		lane->answered = proxy_now(lane->lanes->proxy);
		on_rows(batch, result);
	}
	else if (outcome == PG_ERROR)
		on_error(batch, result);
	else
		on_lost(batch);
	free(batch);
}

/* ---- sending ---- */

/* The nine parameters; arrays run over messages, the last one flat over all pieces. */
static void
build_params(PgParams *params, const Batch *batch)
{
	pg_params_clear(params);
	pg_array_begin(params, PG_TYPE_TEXT);
	for (int i = 0; i < batch->count; i++)
		pg_array_bytes(params, batch->messages[i]->room->doc_id, strlen(batch->messages[i]->room->doc_id));
	pg_array_end(params);
	pg_array_begin(params, PG_TYPE_TEXT);
	for (int i = 0; i < batch->count; i++)
		pg_array_bytes(params, batch->messages[i]->data, batch->messages[i]->user_bytes);
	pg_array_end(params);
	pg_array_begin(params, PG_TYPE_INT8);
	for (int i = 0; i < batch->count; i++)
		pg_array_int8(params, batch->messages[i]->site);
	pg_array_end(params);
	pg_array_begin(params, PG_TYPE_INT8);
	for (int i = 0; i < batch->count; i++)
		pg_array_int8(params, batch->messages[i]->clock);
	pg_array_end(params);
	pg_array_begin(params, PG_TYPE_INT8);
	for (int i = 0; i < batch->count; i++)
		pg_array_int8(params, batch->messages[i]->base_version);
	pg_array_end(params);
	pg_array_begin(params, PG_TYPE_INT8);
	for (int i = 0; i < batch->count; i++)
		pg_array_int8(params, (int64_t) batch->messages[i]->base_event);
	pg_array_end(params);
	pg_array_begin(params, PG_TYPE_INT4);
	for (int i = 0; i < batch->count; i++)
		pg_array_int4(params, (int32_t) batch->messages[i]->count);
	pg_array_end(params);
	pg_array_begin(params, PG_TYPE_BYTEA);
	for (int i = 0; i < batch->count; i++)
	{
		const Message *message = batch->messages[i];

		for (uint32_t k = 0; k < message->count; k++)
			pg_array_bytes(params, message->data + message->pieces[k].offset, message->pieces[k].bytes);
	}
	pg_array_end(params);
	pg_param_bool(params, batch->lane->waits);
}

/* Takes what goes into the next statement off its list: a lone message, or as many as fit. */
static Batch *
take_batch(Lane *lane)
{
	const Config *config = &lane->lanes->proxy->config;
	List		 *from = list_empty(&lane->alone) ? &lane->waiting : &lane->alone;
	int			  most = from == &lane->alone || lane->waits ? 1 : (int) config->max_batch;
	size_t		  bytes = 0;
	int			  count = 0;
	Batch		 *batch;
	List		 *node;

	list_each(node, from)
	{
		const Message *message = container_of(node, Message, node);

		if (count == most || (count > 0 && bytes + message->bytes > (size_t) config->max_batch_bytes))
			break;
		bytes += message->bytes;
		count++;
	}
	batch = util_alloc(sizeof(*batch) + (size_t) count * sizeof(batch->messages[0]));
	batch->lane = lane;
	batch->count = count;
	for (int i = 0; i < count; i++)
	{
		batch->messages[i] = container_of(from->next, Message, node);
		list_remove(from->next);
	}
	lane->waiting_bytes -= bytes;
	lane->waiting_count -= count;
	return batch;
}

static void
pump(Lane *lane)
{
	int depth = lane->waits ? 1 : (int) lane->lanes->proxy->config.lane_depth;

	while (pg_is_up(lane->pg) && pg_in_flight(lane->pg) < depth &&
		   !(list_empty(&lane->waiting) && list_empty(&lane->alone)))
	{
		Batch *batch = take_batch(lane);

		build_params(&lane->lanes->params, batch);
		batch->sent = proxy_clock(lane->lanes->proxy);
		for (int i = 0; i < batch->count; i++)
		{
			metrics_observe(HISTOGRAM_OP_WAIT, batch->sent - batch->messages[i]->arrived, 1);
			batch->messages[i]->life = batch->messages[i]->room->life;
			batch->messages[i]->sent_at = batch->messages[i]->room->version;
			if (!lane->waits)
				room_sent(batch->messages[i]->room);
		}
		if (!pg_send(lane->pg, 0, &lane->lanes->params, on_answer, batch))
		{
			on_lost(batch);
			free(batch);
			continue;
		}
		metrics_add(METRIC_BATCHES, 1);
		lane->untold = true;
		lane->in_flight_count += batch->count;
	}
	if (lane->untold && poll_ask(&lane->times, lane->pg, proxy_now(lane->lanes->proxy)))
		lane->untold = false;
}

void
lanes_turn_end(Lanes *lanes)
{
	for (int i = 0; i < lanes->lane_count; i++)
		pump(&lanes->lanes[i]);
	for (int i = 0; i < lanes->retry_count; i++)
		pump(&lanes->retry_lanes[i]);
}

/* ---- life ---- */

static Lane *
create_lanes(Lanes *lanes, int count, bool waits)
{
	Proxy *proxy = lanes->proxy;
	Lane  *array = util_alloc_zero((size_t) count * sizeof(*array));

	for (int i = 0; i < count; i++)
	{
		Lane *lane = &array[i];

		lane->lanes = lanes;
		lane->waits = waits;
		lane->times.kind = &poll_transform_times;
		list_init(&lane->waiting);
		list_init(&lane->alone);
		lane->setup.label = waits ? "retry" : "lane";
		lane->setup.conninfo = proxy->config.database;
		lane->setup.statements = statements;
		lane->setup.statement_count = 1;
		lane->setup.lock_timeout_ms = waits ? proxy->config.lock_timeout_ms : 0;
		lane->setup.statement_timeout_ms = proxy->config.statement_timeout_ms;
		lane->setup.connect_timeout_ms = proxy->config.connect_timeout_ms;
		lane->setup.answer_timeout_ms = proxy->config.answer_timeout_ms;
		lane->setup.must_write = true;
		lane->pg = pg_create(&proxy->loop, &proxy->wheel, &lane->setup, &hooks, lane);
	}
	return array;
}

Lanes *
lanes_create(Proxy *proxy)
{
	Lanes *lanes = util_alloc_zero(sizeof(*lanes));

	lanes->proxy = proxy;
	lanes->lane_count = (int) proxy->config.lanes;
	lanes->retry_count = (int) proxy->config.retry_lanes;
	pg_params_init(&lanes->params);
	lanes->lanes = create_lanes(lanes, lanes->lane_count, false);
	lanes->retry_lanes = create_lanes(lanes, lanes->retry_count, true);
	return lanes;
}

static void
destroy_lane(Lane *lane)
{
	List *lists[] = {&lane->waiting, &lane->alone};

	pg_destroy(lane->pg);
	for (int i = 0; i < 2; i++)
	{
		while (!list_empty(lists[i]))
			message_finish(container_of(lists[i]->next, Message, node));
	}
}

void
lanes_destroy(Lanes *lanes)
{
	for (int i = 0; i < lanes->lane_count; i++)
		destroy_lane(&lanes->lanes[i]);
	for (int i = 0; i < lanes->retry_count; i++)
		destroy_lane(&lanes->retry_lanes[i]);
	pg_params_free(&lanes->params);
	free(lanes->lanes);
	free(lanes->retry_lanes);
	free(lanes);
}

static bool
lane_idle(const Lane *lane)
{
	return pg_in_flight(lane->pg) == 0 && list_empty(&lane->waiting) && list_empty(&lane->alone);
}

bool
lanes_idle(const Lanes *lanes)
{
	bool idle = true;

	for (int i = 0; i < lanes->lane_count; i++)
		idle &= lane_idle(&lanes->lanes[i]);
	for (int i = 0; i < lanes->retry_count; i++)
		idle &= lane_idle(&lanes->retry_lanes[i]);
	return idle;
}

int
lanes_connections_up(const Lanes *lanes, bool retry)
{
	const Lane *lane = retry ? lanes->retry_lanes : lanes->lanes;
	int			count = retry ? lanes->retry_count : lanes->lane_count;
	int			up = 0;

	for (int i = 0; i < count; i++)
		up += pg_is_up(lane[i].pg) ? 1 : 0;
	return up;
}

bool
lanes_up(const Lanes *lanes)
{
	return lanes_connections_up(lanes, false) == lanes->lane_count &&
		   lanes_connections_up(lanes, true) == lanes->retry_count;
}

static void
add_load(LanesLoad *load, const Lane *lanes, int count)
{
	for (int i = 0; i < count; i++)
	{
		load->waiting += (uint64_t) lanes[i].waiting_count;
		load->waiting_bytes += lanes[i].waiting_bytes;
		load->in_flight += (uint64_t) lanes[i].in_flight_count;
	}
}

void
lanes_load(const Lanes *lanes, LanesLoad *load)
{
	memset(load, 0, sizeof(*load));
	add_load(load, lanes->lanes, lanes->lane_count);
	add_load(load, lanes->retry_lanes, lanes->retry_count);
}

/* A lane that is stuck says something of the database only when none of the others gets on. */
bool
lanes_take(const Lanes *lanes, uint64_t slow_ms)
{
	bool stuck = false;
	bool up = false;

	for (int i = 0; i < lanes->lane_count; i++)
	{
		const Lane *lane = &lanes->lanes[i];

		if (!pg_is_up(lane->pg))
			continue;
		up = true;
		if (pg_owed_ms(lane->pg) > slow_ms)
			stuck = true;
		else if (pg_in_flight(lane->pg) > 0 ||
				 (lane->answered > 0 && proxy_now(lanes->proxy) < lane->answered + slow_ms))
			return true;
	}
	return up && !stuck;
}

bool
lanes_durable(const Lanes *lanes)
{
	bool durable = true;

	for (int i = 0; i < lanes->lane_count; i++)
		durable &= pg_is_durable(lanes->lanes[i].pg);
	for (int i = 0; i < lanes->retry_count; i++)
		durable &= pg_is_durable(lanes->retry_lanes[i].pg);
	return durable;
}

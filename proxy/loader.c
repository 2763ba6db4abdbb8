/* loader.c - answers `open`: from the room's ring where that reaches back far enough, else from the database. */
#include "loader.h"

#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "log.h"
#include "pg.h"
#include "room.h"

#define RETRY_MS 1000
#define EVENTS_PER_FRAME_BYTES 65536

struct OpenRequest
{
	List	 node; /* in loader->waiting */
	Loader	*loader;
	Client	*client; /* NULL: gone */
	Room	*room;	 /* held */
	bool	 has_position;
	int64_t	 last_version;
	uint64_t last_event;
	int64_t	 pending;
	bool	 sent;	  /* in flight */
	int64_t	 sent_at; /* the room's version then */
	int64_t	 head;	  /* the version of the welcome that went out; -1: not yet */
	uint64_t arrived; /* by proxy_clock() */
};

struct Loader
{
	Proxy	*proxy;
	PgSetup	 setup;
	Pg	   **readers;
	int		 reader_count;
	List	 waiting; /* OpenRequest.node */
	PgParams params;
};

static const PgStatement statements[] = {
	{"open_document",
	 "SELECT kind, version, event, site, clock, author, at, op, reason, head FROM collab.open_document("
	 "$1::text, $2::text, $3::bigint, $4::bigint, $5::bigint, $6::integer, $7::integer)"},
};

enum
{
	COLUMN_KIND,
	COLUMN_VERSION,
	COLUMN_EVENT,
	COLUMN_SITE,
	COLUMN_CLOCK,
	COLUMN_AUTHOR,
	COLUMN_AT,
	COLUMN_OP,
	COLUMN_REASON,
	COLUMN_HEAD
};

static void
on_change(void *ctx)
{
	(void) ctx;
}

static const PgHooks hooks = {on_change, on_change, NULL};

/* ---- requests ---- */

static void
free_request(OpenRequest *request)
{
	Room *room = request->room;

	list_remove(&request->node);
	if (request->client != NULL)
		request->client->opening = NULL;
	free(request);
	room_unhold(room);
}

static void
requeue(OpenRequest *request)
{
	request->sent = false;
	list_prepend(&request->loader->waiting, &request->node);
}

void
loader_cancel(Client *client)
{
	OpenRequest *request = client->opening;

	client->opening = NULL;
	request->client = NULL;
	if (!request->sent)
		free_request(request);
}

/* ---- answers ---- */

static void
send_welcome(Client *client, int64_t version)
{
	const Config *config = &client->proxy->config;
	WireWelcome	  welcome;

	welcome.doc_id = client->doc_id;
	welcome.session = client->session;
	welcome.user_json = client->user_json;
	welcome.version = version;
	welcome.heartbeat_ms = config->heartbeat_ms;
	welcome.timeout_ms = config->timeout_ms;
	welcome.max_message_bytes = config->max_message_bytes;
	buf_clear(&client->proxy->scratch);
	wire_welcome(&client->proxy->scratch, &welcome);
	client_send_scratch(client, false);
}

static void
events_begin(Buf *out)
{
	buf_clear(out);
	buf_bytes(out, WIRE_EVENTS_HEAD, sizeof(WIRE_EVENTS_HEAD) - 1);
}

static void
events_end(Client *client)
{
	Buf *out = &client->proxy->scratch;

	buf_bytes(out, WIRE_EVENTS_TAIL, sizeof(WIRE_EVENTS_TAIL) - 1);
	client_send_scratch(client, false);
}

/* A further event: behind a comma, or in a new frame when this one is full. */
static void
events_separate(Client *client, int *in_frame)
{
	Buf *out = &client->proxy->scratch;

	if (*in_frame > 0 && out->size > EVENTS_PER_FRAME_BYTES)
	{
		events_end(client);
		events_begin(out);
		*in_frame = 0;
	}
	if ((*in_frame)++ > 0)
		buf_char(out, ',');
}

/* The whole answer out of the ring. */
static void
answer_from_ring(Client *client, int64_t last_version)
{
	Room *room = client->room;
	Buf	 *out = &client->proxy->scratch;
	int	  in_frame = 0;

	send_welcome(client, room->version);
	events_begin(out);
	for (int64_t version = last_version + 1; version <= room->version; version++)
	{
		const RingEvent *event = room_event(room, version);

		events_separate(client, &in_frame);
		buf_bytes(out, event->text, event->bytes);
	}
	events_end(client);
	room_place(room, client, room->version);
	client_go_live(client);
}

static void
answer_snapshot(OpenRequest *request, const PgResult *result)
{
	Client *client = request->client;
	Buf	   *out = &client->proxy->scratch;
	int64_t version = pg_int8(result, 0, COLUMN_VERSION);
	PgBytes content = pg_bytes(result, 0, COLUMN_OP);
	char	reason[6] = "";

	if (!pg_null(result, 0, COLUMN_REASON) && pg_bytes(result, 0, COLUMN_REASON).bytes == 5)
		memcpy(reason, pg_bytes(result, 0, COLUMN_REASON).data, 5);
	if (reason[0] != '\0')
		metrics_add(strcmp(reason, "OT002") == 0 ? METRIC_RESYNC_OT002 : METRIC_RESYNC_OT010, 1);
	send_welcome(client, version);
	buf_clear(out);
	wire_snapshot(out, version, (uint64_t) pg_int8(result, 0, COLUMN_EVENT), pg_int8(result, 0, COLUMN_CLOCK),
				  reason[0] != '\0' ? reason : NULL, content.data, content.bytes);
	client_send_scratch(client, false);
	room_place(client->room, client, version);
	client_go_live(client);
}

static void
row_to_event(const PgResult *result, int row, WireEvent *event)
{
	PgBytes user = pg_bytes(result, row, COLUMN_AUTHOR);
	PgBytes op = pg_bytes(result, row, COLUMN_OP);

	event->version = pg_int8(result, row, COLUMN_VERSION);
	event->event = (uint64_t) pg_int8(result, row, COLUMN_EVENT);
	event->site = pg_int8(result, row, COLUMN_SITE);
	event->clock = pg_int8(result, row, COLUMN_CLOCK);
	event->user = user.data;
	event->user_bytes = user.bytes;
	event->op = op.data;
	event->op_bytes = op.bytes;
	event->at = pg_int8(result, row, COLUMN_AT);
}

/* One page of missed events. Returns true when the client has all up to the version of its welcome. */
static bool
answer_events(OpenRequest *request, const PgResult *result)
{
	Client *client = request->client;
	Buf	   *out = &client->proxy->scratch;
	int		in_frame = 0;

	events_begin(out);
	for (int row = 0; row < pg_rows(result); row++)
	{
		WireEvent event;

		row_to_event(result, row, &event);
		if (event.version > request->head)
			break;
		events_separate(client, &in_frame);
		wire_event(out, &event);
		request->last_version = event.version;
		request->last_event = event.event;
	}
	events_end(client);
	return request->last_version >= request->head;
}

/* Where the answer places the client: the head, and its event id where the answer tells it. */
static void
answer_position(const PgResult *result, bool events, int64_t *version, uint64_t *event)
{
	int last = pg_rows(result) - 1;

	*version = pg_int8(result, 0, events ? COLUMN_HEAD : COLUMN_VERSION);
	*event = 0;
	if (pg_int8(result, last, COLUMN_VERSION) == *version)
		*event = (uint64_t) pg_int8(result, last, COLUMN_EVENT);
}

static void
observe_open(const OpenRequest *request)
{
	metrics_observe(HISTOGRAM_OPEN, proxy_clock(request->loader->proxy) - request->arrived, 1);
}

static void
answer(OpenRequest *request, const PgResult *result)
{
	Client *client = request->client;
	PgBytes kind = pg_bytes(result, 0, COLUMN_KIND);
	bool	events = kind.bytes == 5 && memcmp(kind.data, "event", 5) == 0;
	bool	snapshot = kind.bytes == 8 && memcmp(kind.data, "snapshot", 8) == 0;

	if (request->head < 0)
	{
		int64_t	 version;
		uint64_t event;

		answer_position(result, events, &version, &event);
		/* an answer older than the ring reaches is of no use: ask again, the ring is held from now on */
		if (!room_observe(client->room, client, version, event, request->sent_at))
		{
			room_place(client->room, client, client->room->version);
			requeue(request);
			return;
		}
		if (snapshot)
		{
			answer_snapshot(request, result);
			observe_open(request);
			free_request(request);
			return;
		}
		request->head = version;
		room_place(client->room, client, version);
		send_welcome(client, version);
	}
	else if (!events || client->position != request->head)
	{
		/* the history that was being sent page by page is gone, or the room has heard of another meanwhile */
		client_close(client, 4409, "open again");
		return;
	}
	if (!events)
	{
		events_begin(&client->proxy->scratch);
		events_end(client);
	}
	else if (!answer_events(request, result))
	{
		/* behind the others: a long history is no reason for them to wait */
		request->sent = false;
		list_append(&request->loader->waiting, &request->node);
		return;
	}
	else
		room_learn(client->room, request->last_version, request->last_event);
	observe_open(request);
	free_request(request);
	client_go_live(client);
}

static void
on_error(OpenRequest *request, const PgResult *result)
{
	Client	   *client = request->client;
	const char *sqlstate = pg_sqlstate(result);
	char		quoted[256];

	metrics_add(METRIC_DB_ERRORS, 1);
	if (strcmp(sqlstate, "OT004") == 0)
	{
		client_fail(client, "OT004", "no such document", 4404);
		return;
	}
	log_line(LOG_WARNING, "an open failed", "doc=%s code=%s text=%s", client->doc_id, sqlstate,
			 log_quote(quoted, sizeof(quoted), pg_message(result)));
	if (request->head >= 0)
	{
		client_close(client, 4409, "open again");
		return;
	}
	free_request(request);
	client_open_failed(client, sqlstate, pg_message(result), strncmp(sqlstate, "OT", 2) == 0 ? 0 : RETRY_MS);
}

static void
on_answer(void *ctx, PgOutcome outcome, const PgResult *result)
{
	OpenRequest *request = ctx;

	request->sent = false;
	if (request->client == NULL)
		free_request(request);
	else if (outcome == PG_LOST)
		requeue(request);
	else if (outcome == PG_ERROR)
		on_error(request, result);
	else if (pg_rows(result) > 0)
		answer(request, result);
	else
		client_fail(request->client, "XX000", "the database gave no answer", 4409);
}

/* ---- asking ---- */

static bool
send_request(Loader *loader, Pg *reader, OpenRequest *request)
{
	PgParams	 *params = &loader->params;
	const Client *client = request->client;

	pg_params_clear(params);
	pg_param_bytes(params, client->doc_id, strlen(client->doc_id));
	pg_param_bytes(params, client->user, strlen(client->user));
	pg_param_int8(params, client->site);
	if (request->has_position)
	{
		pg_param_int8(params, request->last_version);
		pg_param_int8(params, (int64_t) request->last_event);
	}
	else
	{
		pg_param_null(params);
		pg_param_null(params);
	}
	pg_param_int4(params, request->pending > INT32_MAX ? INT32_MAX : (int32_t) request->pending);
	pg_param_int4(params, (int32_t) loader->proxy->config.max_events);
	request->sent_at = request->room->version;
	return pg_send(reader, 0, params, on_answer, request);
}

static Pg *
free_reader(Loader *loader)
{
	for (int i = 0; i < loader->reader_count; i++)
	{
		if (pg_is_up(loader->readers[i]) && pg_in_flight(loader->readers[i]) == 0)
			return loader->readers[i];
	}
	return NULL;
}

void
loader_turn_end(Loader *loader)
{
	const Config *config = &loader->proxy->config;
	List		 *node;
	List		 *after;

	list_each_safe(node, after, &loader->waiting)
	{
		OpenRequest *request = container_of(node, OpenRequest, node);
		Pg			*reader;

		/* answers that nobody reads are given up in time; until then the others wait, which is better than no memory */
		if (frame_uncounted_bytes() > (size_t) config->max_answer_bytes)
			break;
		/* the next page waits until the client has taken the last one */
		if (request->client->queue.bytes > (size_t) config->max_output_bytes)
			continue;
		reader = free_reader(loader);
		if (reader == NULL)
			break;
		list_remove(&request->node);
		request->sent = send_request(loader, reader, request);
		if (!request->sent)
			requeue(request);
	}
}

void
loader_open(Loader *loader, Client *client, const WireMessage *open)
{
	OpenRequest *request;

	if (open->has_position && room_knows(client->room, open->last_version, open->last_event))
	{
		answer_from_ring(client, open->last_version);
		metrics_observe(HISTOGRAM_OPEN, 0, 1);
		return;
	}
	request = util_alloc_zero(sizeof(*request));
	request->loader = loader;
	request->client = client;
	request->room = client->room;
	request->has_position = open->has_position;
	request->last_version = open->last_version;
	request->last_event = open->last_event;
	request->pending = open->pending;
	request->head = -1;
	request->arrived = proxy_clock(loader->proxy);
	room_hold(request->room);
	client->opening = request;
	list_append(&loader->waiting, &request->node);
}

/* ---- life ---- */

Loader *
loader_create(Proxy *proxy)
{
	Loader *loader = util_alloc_zero(sizeof(*loader));

	loader->proxy = proxy;
	loader->setup.label = "reader";
	loader->setup.conninfo = proxy->config.database;
	loader->setup.statements = statements;
	loader->setup.statement_count = 1;
	loader->setup.statement_timeout_ms = proxy->config.statement_timeout_ms;
	loader->setup.connect_timeout_ms = proxy->config.connect_timeout_ms;
	loader->setup.must_write = true; /* a standby may lag behind what was acknowledged */
	loader->reader_count = (int) proxy->config.readers;
	loader->readers = util_alloc_zero((size_t) loader->reader_count * sizeof(*loader->readers));
	list_init(&loader->waiting);
	pg_params_init(&loader->params);
	for (int i = 0; i < loader->reader_count; i++)
		loader->readers[i] = pg_create(&proxy->loop, &proxy->wheel, &loader->setup, &hooks, loader);
	return loader;
}

void
loader_destroy(Loader *loader)
{
	for (int i = 0; i < loader->reader_count; i++)
		pg_destroy(loader->readers[i]);
	while (!list_empty(&loader->waiting))
		free_request(container_of(loader->waiting.next, OpenRequest, node));
	pg_params_free(&loader->params);
	free(loader->readers);
	free(loader);
}

int
loader_connections_up(const Loader *loader)
{
	int up = 0;

	for (int i = 0; i < loader->reader_count; i++)
		up += pg_is_up(loader->readers[i]) ? 1 : 0;
	return up;
}

bool
loader_up(const Loader *loader)
{
	return loader_connections_up(loader) == loader->reader_count;
}

uint64_t
loader_waiting(const Loader *loader)
{
	const List *node;
	uint64_t	waiting = 0;

	list_each(node, &loader->waiting) waiting++;
	return waiting;
}

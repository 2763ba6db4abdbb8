/* load_answer.c - the answer to `open`, as frames: from memory, or from what the database said. */
#include "load.h"

#include <string.h>

#include "cache.h"
#include "log.h"

#define RETRY_MS 1000
#define EVENTS_PER_FRAME_BYTES 65536

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
observe_open(Loader *loader, uint64_t arrived)
{
	metrics_observe(HISTOGRAM_OPEN, proxy_clock(loader->proxy) - arrived, 1);
}

void
load_finish(OpenRequest *request, MetricId source)
{
	Client *client = request->client;

	metrics_add(source, 1);
	observe_open(request->load->loader, request->arrived);
	load_forget(request);
	client_go_live(client);
}

static void
events_begin(Buf *out)
{
	buf_clear(out);
	buf_bytes(out, WIRE_EVENTS_HEAD, sizeof(WIRE_EVENTS_HEAD) - 1);
}

static Frame *
events_end(Buf *out)
{
	buf_bytes(out, WIRE_EVENTS_TAIL, sizeof(WIRE_EVENTS_TAIL) - 1);
	return frame_create(out, false);
}

/* The events of the ring behind a version, made once for all who come from there. */
static Frame *
ring_events(Loader *loader, Room *room, int64_t after)
{
	const Answer *kept = answers_events(room, after);
	Buf			 *out = &loader->proxy->scratch;
	Frame		 *frame;

	if (kept != NULL)
		return frame_ref(kept->frame);
	events_begin(out);
	for (int64_t version = after + 1; version <= room->version; version++)
	{
		const RingEvent *event = room_event(room, version);

		if (version > after + 1)
			buf_char(out, ',');
		buf_bytes(out, event->text, event->bytes);
	}
	frame = events_end(out);
	if (after < room->version)
		answers_keep(loader->answers, room, after, room->version, frame);
	return frame;
}

/* The whole answer out of the ring, where that has the client's position. */
static bool
answer_from_ring(Loader *loader, Client *client, int64_t last_version, uint64_t last_event)
{
	Room *room = client->room;

	if (!room_knows(room, last_version, last_event))
		return false;
	send_welcome(client, room->version);
	client_send(client, ring_events(loader, room, last_version));
	room_place(room, client, room->version);
	return true;
}

/* The snapshot, and what the stream has beyond it, up to what the room knows now. */
static void
send_snapshot(Client *client, int64_t version, Frame *frame)
{
	Room *room = client->room;

	send_welcome(client, version > room->version ? version : room->version);
	client_send(client, frame_ref(frame));
	room_place(room, client, version);
}

bool
load_answer_from_memory(Loader *loader, Client *client, const Load *load)
{
	const Answer *kept;

	if (load->has_position)
		return answer_from_ring(loader, client, load->last_version, load->last_event);
	kept = load->pending ? NULL : answers_snapshot(client->room);
	if (kept == NULL || room_has_own_since(client->room, client, kept->version))
		return false;
	send_snapshot(client, kept->version, kept->frame);
	return true;
}

static void
count_resync(const char *reason)
{
	if (reason != NULL)
		metrics_add(strcmp(reason, "OT002") == 0 ? METRIC_RESYNC_OT002 : METRIC_RESYNC_OT010, 1);
}

/* For other proxies, and for this one when it has forgotten. */
static void
write_cached(Room *room, const PgResult *result)
{
	PgBytes		  content = pg_bytes(result, 0, COLUMN_OP);
	CacheSnapshot snapshot = {pg_int8(result, 0, COLUMN_VERSION), (uint64_t) pg_int8(result, 0, COLUMN_EVENT),
							  content.data, content.bytes};

	cache_write_snapshot(room, &snapshot);
}

static void
answer_snapshot(Load *load, const PgResult *result)
{
	Buf		   *out = &load->loader->proxy->scratch;
	int64_t		version = pg_int8(result, 0, COLUMN_VERSION);
	PgBytes		content = pg_bytes(result, 0, COLUMN_OP);
	char		code[6] = "";
	const char *reason = NULL;
	bool		personal; /* the clock in it is that of the asker */
	Frame	   *frame;
	List	   *node;
	List	   *after;

	if (!pg_null(result, 0, COLUMN_REASON) && pg_bytes(result, 0, COLUMN_REASON).bytes == 5)
		reason = memcpy(code, pg_bytes(result, 0, COLUMN_REASON).data, 5);
	personal = load->pending || reason != NULL;
	buf_clear(out);
	wire_snapshot(out, version, (uint64_t) pg_int8(result, 0, COLUMN_EVENT), pg_int8(result, 0, COLUMN_CLOCK),
				  reason, content.data, content.bytes);
	frame = frame_create(out, false);
	if (!personal)
	{
		answers_keep(load->loader->answers, load->room, -1, version, frame);
		if (load->looked)
			write_cached(load->room, result);
	}
	list_each_safe(node, after, &load->requests)
	{
		OpenRequest *request = container_of(node, OpenRequest, node);
		Client		*client = request->client;

		if ((personal && request != load->asker) ||
			(request->late && room_has_own_since(load->room, client, version)))
		{
			load_ask_alone(request);
			continue;
		}
		count_resync(reason);
		send_snapshot(client, version, frame);
		load_finish(request, METRIC_OPENS_DATABASE);
	}
	frame_unref(frame);
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

/* To all who wait; the bytes are theirs together. */
static void
send_shared(Load *load, Frame *frame)
{
	List *node;
	List *after;

	list_each_safe(node, after, &load->requests)
		client_send(container_of(node, OpenRequest, node)->client, frame_ref(frame));
	frame_unref(frame);
}

void
load_backfill(Room *room, const PgResult *result)
{
	for (int row = pg_rows(result) - 1; row >= 0; row--)
	{
		WireEvent event;

		row_to_event(result, row, &event);
		if (room_event(room, event.version) == NULL && !room_backfill(room, &event))
			break;
	}
}

/* One page of missed events. Returns true when that is all up to the version of the welcome. */
static bool
answer_events(Load *load, const PgResult *result)
{
	Buf *out = &load->loader->proxy->scratch;
	int	 in_frame = 0;

	events_begin(out);
	for (int row = 0; row < pg_rows(result); row++)
	{
		WireEvent event;

		row_to_event(result, row, &event);
		if (event.version > load->head)
			break;
		if (in_frame > 0 && out->size > EVENTS_PER_FRAME_BYTES)
		{
			send_shared(load, events_end(out));
			events_begin(out);
			in_frame = 0;
		}
		if (in_frame++ > 0)
			buf_char(out, ',');
		wire_event(out, &event);
		load->last_version = event.version;
		load->last_event = event.event;
	}
	send_shared(load, events_end(out));
	return load->last_version >= load->head;
}

void
load_position(const PgResult *result, bool events, int64_t *version, uint64_t *event)
{
	int last = pg_rows(result) - 1;

	*version = pg_int8(result, 0, events ? COLUMN_HEAD : COLUMN_VERSION);
	*event = 0;
	if (pg_int8(result, last, COLUMN_VERSION) == *version)
		*event = (uint64_t) pg_int8(result, last, COLUMN_EVENT);
}

bool
load_is_kind(const PgResult *result, const char *kind)
{
	PgBytes text = pg_bytes(result, 0, COLUMN_KIND);

	return text.bytes == strlen(kind) && memcmp(text.data, kind, text.bytes) == 0;
}

/* The first answer: says where those who wait will be. False: it is too old, or it was all that there is to say. */
static bool
answer_first(Load *load, const PgResult *result)
{
	Room	*room = load->room;
	List	*node;
	int64_t	 version;
	uint64_t event;
	bool	 usable;

	load_position(result, load_is_kind(result, "event"), &version, &event);
	/* an answer older than the ring reaches is of no use: ask again, the ring is held from now on */
	usable = room_observe(room, version, event, load->sent_at);
	if (usable && load_is_kind(result, "snapshot"))
	{
		answer_snapshot(load, result);
		return false;
	}
	list_each(node, &load->requests)
	{
		Client *client = container_of(node, OpenRequest, node)->client;

		room_place(room, client, usable ? version : room->version);
		if (usable)
			send_welcome(client, version);
	}
	if (usable)
		load->head = version;
	return usable;
}

/* The history that was being sent page by page is gone, or the room has heard of another meanwhile. */
static void
drop_strangers(Load *load, bool everybody)
{
	List *node;
	List *after;

	list_each_safe(node, after, &load->requests)
	{
		Client *client = container_of(node, OpenRequest, node)->client;

		if (everybody || client->position != load->head)
			client_close(client, 4409, "open again");
	}
}

void
load_answer(Load *load, const PgResult *result)
{
	Buf	 *out = &load->loader->proxy->scratch;
	bool  events = load_is_kind(result, "event");
	List *node;
	List *after;

	if (load->head >= 0)
		drop_strangers(load, !events);
	else if (!answer_first(load, result))
		return;
	if (list_empty(&load->requests))
		return;
	if (!events)
	{
		events_begin(out);
		send_shared(load, events_end(out));
	}
	else if (!answer_events(load, result))
		return;
	else
	{
		room_learn(load->room, load->last_version, load->last_event);
		load_backfill(load->room, result);
	}
	list_each_safe(node, after, &load->requests)
		load_finish(container_of(node, OpenRequest, node), METRIC_OPENS_DATABASE);
}

void
load_refuse(Load *load, const PgResult *result)
{
	const char *sqlstate = pg_sqlstate(result);
	char		quoted[256];
	List	   *node;
	List	   *after;

	metrics_add(METRIC_DB_ERRORS, 1);
	if (strcmp(sqlstate, "OT004") != 0)
		log_line(LOG_WARNING, "an open failed", "doc=%s code=%s text=%s%s", load->room->doc_id, sqlstate,
				 log_quote(quoted, sizeof(quoted), pg_message(result)),
				 strcmp(sqlstate, "42501") == 0 ? " advice=\"run deploy/roles.sql in this database\"" : "");
	list_each_safe(node, after, &load->requests)
	{
		OpenRequest *request = container_of(node, OpenRequest, node);
		Client		*client = request->client;

		if (strcmp(sqlstate, "OT004") == 0)
			client_fail(client, "OT004", "no such document", 4404);
		else if (load->head >= 0)
			client_close(client, 4409, "open again");
		else
		{
			load_forget(request);
			client_open_failed(client, sqlstate, pg_message(result),
							   strncmp(sqlstate, "OT", 2) == 0 ? 0 : RETRY_MS);
		}
	}
}

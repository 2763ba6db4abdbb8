/* loader.c - answers `open`: from the room's ring where that reaches back far enough, else from the database. */
#include "loader.h"

#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "cache.h"
#include "client.h"
#include "log.h"
#include "pg.h"
#include "room.h"

#define RETRY_MS 1000
#define EVENTS_PER_FRAME_BYTES 65536
#define STALE_EVENTS 100 /* a snapshot in Redis further behind is not worth reading again */

typedef struct Load Load;

/* One client that waits for the answer to its `open`. */
struct OpenRequest
{
	List	 node; /* in load->requests */
	Load	*load;
	Client	*client;
	bool	 late; /* came when the question was on its way already */
	int64_t	 pending;
	uint64_t arrived; /* by proxy_clock() */
};

/*
 * What the database is asked, once for all clients of the room that stand at the same place. The answer depends on the document
 * alone, with one exception: a client with pieces in its hands, or from another history, is told which of its own clocks are in
 * the snapshot. Who needs that asks alone. (A rule about who may read what would be a second exception, and belongs into
 * find_load().)
 */
struct Load
{
	List		 node; /* in loader->waiting, or loader->sent */
	List		 in_room;
	Loader		*loader;
	Room		*room; /* held */
	List		 requests;
	OpenRequest *asker; /* whose clock is asked for; NULL: gone */
	bool		 alone;
	bool		 has_position;
	int64_t		 last_version;
	uint64_t	 last_event;
	bool		 pending; /* they hold pieces: then events only */
	bool		 busy;	  /* on its way, or being answered: stays, whoever leaves */
	bool		 looked;  /* whether there is a snapshot in Redis */
	Frame		*cached;  /* that, until the database has said whether it is of this history; NULL: none */
	int64_t		 sent_at; /* the room's version then */
	int64_t		 head;	  /* the version of the welcome that went out; -1: not yet */
};

struct Loader
{
	Proxy	*proxy;
	PgSetup	 setup;
	Pg	   **readers;
	int		 reader_count;
	List	 waiting; /* Load.node */
	List	 sent;
	Answers *answers;
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

/* ---- who waits for what ---- */

static void
free_load(Load *load)
{
	Room *room = load->room;

	list_remove(&load->node);
	list_remove(&load->in_room);
	frame_unref(load->cached);
	free(load);
	room_unhold(room);
}

/* What nobody waits for any more is not asked. */
static void
free_request(OpenRequest *request)
{
	Load *load = request->load;

	list_remove(&request->node);
	if (load->asker == request)
		load->asker = NULL;
	request->client->opening = NULL;
	free(request);
	if (list_empty(&load->requests) && !load->busy)
		free_load(load);
}

void
loader_cancel(Client *client)
{
	free_request(client->opening);
}

static Load *
create_load(Loader *loader, Room *room)
{
	Load *load = util_alloc_zero(sizeof(*load));

	load->loader = loader;
	load->room = room;
	load->head = -1;
	list_init(&load->requests);
	list_append(&room->loads, &load->in_room);
	list_append(&loader->waiting, &load->node);
	room_hold(room);
	return load;
}

/* The same question as `load`, for some of those who wait for that. */
static Load *
copy_load(const Load *load)
{
	Load *copy = create_load(load->loader, load->room);

	copy->has_position = load->has_position;
	copy->last_version = load->last_version;
	copy->last_event = load->last_event;
	copy->pending = load->pending;
	copy->alone = load->alone;
	copy->head = load->head;
	return copy;
}

static void
requeue(Load *load)
{
	load->busy = false;
	list_remove(&load->node);
	/* behind the others when it has got something: a long history is no reason for them to wait */
	if (load->head < 0)
		list_prepend(&load->loader->waiting, &load->node);
	else
		list_append(&load->loader->waiting, &load->node);
}

static void
move_request(OpenRequest *request, Load *load)
{
	list_remove(&request->node);
	if (request->load->asker == request)
		request->load->asker = NULL;
	request->load = load;
	request->late = false;
	list_append(&load->requests, &request->node);
}

/* Its question is about this client and nobody else. */
static void
ask_alone(OpenRequest *request)
{
	Load *load = copy_load(request->load);

	load->alone = true;
	move_request(request, load);
	requeue(load); /* in front: it has waited already */
}

/* What is asked, or about to be, for somebody who stands where this client does. */
static Load *
find_load(Room *room, const WireMessage *open)
{
	List *node;

	list_each(node, &room->loads)
	{
		Load *load = container_of(node, Load, in_room);

		if (load->alone || load->head >= 0 || load->has_position != open->has_position ||
			load->pending != (open->pending > 0))
			continue;
		if (!load->has_position ||
			(load->last_version == open->last_version && load->last_event == open->last_event))
			return load;
	}
	return NULL;
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
observe_open(Loader *loader, uint64_t arrived)
{
	metrics_observe(HISTOGRAM_OPEN, proxy_clock(loader->proxy) - arrived, 1);
}

static void
finish(OpenRequest *request, MetricId source)
{
	Client *client = request->client;

	metrics_add(source, 1);
	observe_open(request->load->loader, request->arrived);
	free_request(request);
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

/*
 * Without the database. A snapshot that was read for somebody else is not for a client that would meet events of its own behind it:
 * it has nothing pending that those could be.
 */
static bool
answer_from_memory(Loader *loader, Client *client, const Load *load)
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
			ask_alone(request);
			continue;
		}
		count_resync(reason);
		send_snapshot(client, version, frame);
		finish(request, METRIC_OPENS_DATABASE);
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

/* The end of the missed events also is what those will lack who stood only a little behind. */
static void
backfill(Room *room, const PgResult *result)
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

static bool
is_kind(const PgResult *result, const char *kind)
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

	answer_position(result, is_kind(result, "event"), &version, &event);
	/* an answer older than the ring reaches is of no use: ask again, the ring is held from now on */
	usable = room_observe(room, version, event, load->sent_at);
	if (usable && is_kind(result, "snapshot"))
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

static void
answer(Load *load, const PgResult *result)
{
	Buf	 *out = &load->loader->proxy->scratch;
	bool  events = is_kind(result, "event");
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
		backfill(load->room, result);
	}
	list_each_safe(node, after, &load->requests)
		finish(container_of(node, OpenRequest, node), METRIC_OPENS_DATABASE);
}

static void
on_error(Load *load, const PgResult *result)
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
			free_request(request);
			client_open_failed(client, sqlstate, pg_message(result),
							   strncmp(sqlstate, "OT", 2) == 0 ? 0 : RETRY_MS);
		}
	}
}

/* ---- a snapshot out of Redis ---- */

/*
 * It stands in for the position of a client that has none: the database then says whether that is in the history, and what came after it,
 * which is less work than a snapshot. A room that knows the position already needs not even that.
 */
static void
on_cached(void *ctx, const CacheSnapshot *snapshot)
{
	Load  *load = ctx;
	Room  *room = load->room;
	Buf	  *out = &load->loader->proxy->scratch;
	Frame *frame;

	if (list_empty(&load->requests))
	{
		free_load(load);
		return;
	}
	requeue(load);
	if (snapshot->content == NULL)
		return;
	buf_clear(out);
	wire_snapshot(out, snapshot->version, snapshot->event, 0, NULL, snapshot->content, snapshot->bytes);
	frame = frame_create(out, false);
	/* those that lie here for what is not asked yet must not be what it waits for */
	if (frame_uncounted_bytes() > (size_t) load->loader->proxy->config.max_answer_bytes)
	{
		frame_unref(frame);
		return;
	}
	if (room_knows(room, snapshot->version, snapshot->event))
	{
		answers_keep(load->loader->answers, room, -1, snapshot->version, frame);
		frame_unref(frame);
		return;
	}
	load->cached = frame;
	load->last_version = snapshot->version;
	load->last_event = snapshot->event;
}

/* Whether the answer is worth waiting for. */
static bool
look_into_cache(Loader *loader, Load *load)
{
	if (load->looked || load->has_position || load->pending || load->alone ||
		loader->proxy->config.snapshot_ms == 0)
		return false;
	load->looked = true;
	if (!cache_read_snapshot(load->room, on_cached, load))
		return false;
	load->busy = true;
	list_remove(&load->node);
	list_append(&loader->sent, &load->node);
	return true;
}

/*
 * The database's answer to the position of the snapshot. Where that is in the history and the room has all that came after it, it is
 * kept for all who wait, who are answered from memory then; otherwise they are asked for without it. One that is far behind has had its time.
 */
static void
answer_cached(Load *load, const PgResult *result)
{
	Room	*room = load->room;
	Frame	*frame = load->cached;
	int64_t	 behind;
	int64_t	 version;
	uint64_t event;

	load->cached = NULL;
	answer_position(result, is_kind(result, "event"), &version, &event);
	behind = version - load->last_version;
	if (is_kind(result, "snapshot") || !room_observe(room, version, event, load->sent_at))
		cache_drop_snapshot(room);
	else
	{
		if (is_kind(result, "event"))
			backfill(room, result);
		if (room_reaches(room, load->last_version))
			answers_keep(load->loader->answers, room, -1, load->last_version, frame);
		if (behind > STALE_EVENTS || !room_reaches(room, load->last_version))
			cache_drop_snapshot(room);
	}
	frame_unref(frame);
}

/* ---- what the database said ---- */

static void
on_answer(void *ctx, PgOutcome outcome, const PgResult *result)
{
	Load *load = ctx;
	List *node;
	List *after;

	if (outcome == PG_ERROR)
		on_error(load, result);
	/* an answer that nobody waits for any more moves no room on: who is left in it is led by its events */
	else if (list_empty(&load->requests))
		;
	else if (outcome == PG_ROWS && pg_rows(result) > 0 && load->cached != NULL)
		answer_cached(load, result);
	else if (outcome == PG_ROWS && pg_rows(result) > 0)
		answer(load, result);
	else if (outcome == PG_ROWS)
	{
		list_each_safe(node, after, &load->requests) client_fail(
			container_of(node, OpenRequest, node)->client, "XX000", "the database gave no answer", 4409);
	}
	if (list_empty(&load->requests))
		free_load(load);
	else
		requeue(load);
}

/* ---- asking ---- */

static bool
send_load(Loader *loader, Pg *reader, Load *load)
{
	PgParams	 *params = &loader->params;
	const Client *client;
	int64_t		  pending;
	List		 *node;

	load->asker = container_of(load->requests.next, OpenRequest, node);
	client = load->asker->client;
	pending = load->asker->pending;
	pg_params_clear(params);
	pg_param_bytes(params, client->doc_id, strlen(client->doc_id));
	pg_param_bytes(params, client->user, strlen(client->user));
	pg_param_int8(params, client->site);
	if (load->has_position || load->cached != NULL)
	{
		pg_param_int8(params, load->last_version);
		pg_param_int8(params, (int64_t) load->last_event);
	}
	else
	{
		pg_param_null(params);
		pg_param_null(params);
	}
	pg_param_int4(params, pending > INT32_MAX ? INT32_MAX : (int32_t) pending);
	pg_param_int4(params, (int32_t) loader->proxy->config.max_events);
	if (!pg_send(reader, 0, params, on_answer, load))
		return false;
	metrics_add(METRIC_OPEN_QUERIES, 1);
	load->busy = true;
	load->sent_at = load->room->version;
	list_remove(&load->node);
	list_append(&loader->sent, &load->node);
	list_each(node, &load->requests) container_of(node, OpenRequest, node)->late = false;
	return true;
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

/* What came into the room meanwhile may be all that some need. False: nobody is left to ask for. */
static bool
still_needed(Loader *loader, Load *load)
{
	List *node;
	List *after;

	if (load->head >= 0 || load->alone)
		return true;
	load->busy = true;
	list_each_safe(node, after, &load->requests)
	{
		OpenRequest *request = container_of(node, OpenRequest, node);

		if (answer_from_memory(loader, request->client, load))
			finish(request, METRIC_OPENS_MEMORY);
	}
	load->busy = false;
	if (!list_empty(&load->requests))
		return true;
	free_load(load);
	return false;
}

static bool
is_slow(const OpenRequest *request)
{
	return request->client->queue.bytes > (size_t) request->client->proxy->config.max_output_bytes;
}

/* The next page waits until the last one was taken, and who reads fast does not wait for the others. False: nobody is ready. */
static bool
readers_ready(Load *load)
{
	Load *slow = NULL;
	bool  ready = false;
	List *node;
	List *after;

	if (load->head < 0)
		return true;
	list_each(node, &load->requests) ready = ready || !is_slow(container_of(node, OpenRequest, node));
	if (!ready)
		return false;
	list_each_safe(node, after, &load->requests)
	{
		OpenRequest *request = container_of(node, OpenRequest, node);

		if (!is_slow(request))
			continue;
		if (slow == NULL)
			slow = copy_load(load);
		move_request(request, slow);
	}
	return true;
}

void
loader_turn_end(Loader *loader)
{
	List *node;
	List *after;

	answers_shed(loader->answers);
	list_each_safe(node, after, &loader->waiting)
	{
		Load *load = container_of(node, Load, node);
		Pg	 *reader;

		/* answers that nobody reads are given up in time; until then the others wait, which is better than no memory */
		if (frame_uncounted_bytes() > (size_t) loader->proxy->config.max_answer_bytes)
			break;
		reader = free_reader(loader);
		if (reader == NULL)
			break;
		if (readers_ready(load) && still_needed(loader, load) && !look_into_cache(loader, load) &&
			!send_load(loader, reader, load))
			break;
	}
}

void
loader_open(Loader *loader, Client *client, const WireMessage *open)
{
	Load		*load = find_load(client->room, open);
	OpenRequest *request = util_alloc_zero(sizeof(*request));

	if (load == NULL)
	{
		load = create_load(loader, client->room);
		load->has_position = open->has_position;
		load->last_version = open->last_version;
		load->last_event = open->last_event;
		load->pending = open->pending > 0;
		/* the clock in a snapshot is about its pieces */
		load->alone = load->pending && !load->has_position;
	}
	request->load = load;
	request->client = client;
	request->late = load->busy;
	request->pending = open->pending;
	request->arrived = proxy_clock(loader->proxy);
	client->opening = request;
	list_append(&load->requests, &request->node);
	if (!load->alone && answer_from_memory(loader, client, load))
		finish(request, METRIC_OPENS_MEMORY);
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
	loader->setup.answer_timeout_ms = proxy->config.answer_timeout_ms;
	loader->setup.must_write = true; /* a standby may lag behind what was acknowledged */
	loader->reader_count = (int) proxy->config.readers;
	loader->readers = util_alloc_zero((size_t) loader->reader_count * sizeof(*loader->readers));
	list_init(&loader->waiting);
	list_init(&loader->sent);
	loader->answers = answers_create(proxy);
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
	{
		Load *load = container_of(loader->waiting.next, Load, node);

		free_request(container_of(load->requests.next, OpenRequest, node)); /* and the load with its last one */
	}
	answers_destroy(loader->answers);
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
	const List *request;
	uint64_t	waiting = 0;

	list_each(node, &loader->waiting)
	{
		const Load *load = container_of(node, Load, node);

		list_each(request, &load->requests) waiting++;
	}
	return waiting;
}

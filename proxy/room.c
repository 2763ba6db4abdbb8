/* room.c - one open document: who is there, its recent events, and the one ordered stream to everybody. */
#include "room.h"

#include <stdlib.h>
#include <string.h>

#include "bus.h"
#include "cache.h"
#include "listener.h"
#include "log.h"
#include "presence.h"

#define FIRST_RING 16
#define EVENTS_HEAD_BYTES (sizeof(WIRE_EVENTS_HEAD) - 1)
#define EVENTS_TAIL_BYTES (sizeof(WIRE_EVENTS_TAIL) - 1)

/* One process, one number: memory of the events of all rooms. */
static size_t ring_memory;

static void reset(Room *room);

size_t
room_ring_memory(void)
{
	return ring_memory;
}

void
room_init_content(Room *room)
{
	room->version = -1;
	list_init(&room->members);
	list_init(&room->woken);
	list_init(&room->fetch);
	list_init(&room->check);
	list_init(&room->loads);
	presence_init(room);
	bus_open(room);
}

void
room_free_content(Room *room)
{
	bus_close(room);
	listener_forget(room);
	presence_free(room);
	reset(room);
	free(room->ring);
}

/* ---- members ---- */

void
room_hold(Room *room)
{
	room->holds++;
}

void
room_unhold(Room *room)
{
	room->holds--;
	rooms_free_if_idle(room);
}

void
room_join(Room *room, Client *client)
{
	list_append(&room->members, &client->member);
	room->member_count++;
	/* holds the ring from here on until the answer says where the client stands */
	client->position = room->version;
	if (room->member_count == 1 || client->position < room->slowest)
		room->slowest = client->position;
}

void
room_leave(Room *room, Client *client)
{
	list_remove(&client->member);
	room->member_count--;
	if (client->state == CLIENT_LIVE)
		presence_leave(room, client);
	rooms_free_if_idle(room);
}

void
room_place(Room *room, Client *client, int64_t version)
{
	client->position = version;
	if (version < room->slowest)
		room->slowest = version;
}

/* ---- the ring ---- */

static int64_t
first_version(const Room *room)
{
	return room->version - room->ring_count + 1;
}

const RingEvent *
room_event(const Room *room, int64_t version)
{
	if (version > room->version || version < first_version(room))
		return NULL;
	return room->ring[version & (room->ring_capacity - 1)];
}

bool
room_knows(const Room *room, int64_t version, uint64_t event)
{
	const RingEvent *known;

	if (room->version < 0)
		return false;
	if (version == room->version)
		return room->event != 0 && event == room->event;
	known = room_event(room, version);
	return known != NULL && known->event == event;
}

static bool
is_own(const RingEvent *event, const Client *client)
{
	return event->site == client->site && strlen(client->user) == event->user_bytes &&
		   memcmp(event->text + event->bytes, client->user, event->user_bytes) == 0;
}

bool
room_reaches(const Room *room, int64_t version)
{
	return version <= room->version && version + 1 >= first_version(room);
}

bool
room_has_own_since(const Room *room, const Client *client, int64_t version)
{
	const RingEvent *event;

	while ((event = room_event(room, ++version)) != NULL)
	{
		if (is_own(event, client))
			return true;
	}
	return false;
}

/* Bytes of the stream that a member at `position` still has to get. */
static uint64_t
bytes_behind(const Room *room, int64_t position)
{
	const RingEvent *next = room_event(room, position + 1);

	return next == NULL ? 0 : room->ring_end - (next->end - next->bytes);
}

static size_t
memory_of(const RingEvent *event)
{
	return sizeof(*event) + event->bytes + event->user_bytes;
}

static void
drop_first(Room *room)
{
	RingEvent **slot = &room->ring[first_version(room) & (room->ring_capacity - 1)];

	ring_memory -= memory_of(*slot);
	free(*slot);
	*slot = NULL;
	room->ring_count--;
}

static int64_t
find_slowest(const Room *room)
{
	int64_t slowest = room->version;
	List   *node;

	list_each(node, &room->members)
	{
		const Client *client = container_of(node, Client, member);

		if (client->position >= 0 && client->position < slowest)
			slowest = client->position;
	}
	return slowest;
}

/* Whoever is further behind than a socket's queue may be long is dropped from the stream; the room stays healthy. */
static void
drop_laggards(Room *room)
{
	List *node;
	List *after;

	list_each_safe(node, after, &room->members)
	{
		Client *client = container_of(node, Client, member);

		if (client->position >= 0 &&
			bytes_behind(room, client->position) > (uint64_t) room->proxy->config.max_output_bytes)
			client_fall_behind(client);
	}
}

/* Drops what is beyond the limits, except what a member has still to get. */
static void
trim(Room *room)
{
	const Config *config = &room->proxy->config;

	room_hold(room);
	while (
		room->ring_count > config->ring_events ||
		(room->ring_count > 1 && bytes_behind(room, first_version(room) - 1) > (uint64_t) config->ring_bytes))
	{
		int64_t first = first_version(room);

		if (room->slowest < first)
			room->slowest = find_slowest(room);
		if (room->slowest < first)
		{
			if (bytes_behind(room, room->slowest) <= (uint64_t) config->max_output_bytes)
				break;
			drop_laggards(room);
			room->slowest = find_slowest(room);
			continue;
		}
		drop_first(room);
	}
	room->holds--; /* the caller goes on with the room */
}

static void
resize_ring(Room *room, int64_t capacity)
{
	RingEvent **ring = util_alloc_zero((size_t) capacity * sizeof(*ring));

	for (int64_t v = first_version(room); v <= room->version; v++)
		ring[v & (capacity - 1)] = room->ring[v & (room->ring_capacity - 1)];
	free(room->ring);
	room->ring = ring;
	room->ring_capacity = capacity;
}

static void
grow_ring(Room *room)
{
	resize_ring(room, room->ring_capacity == 0 ? FIRST_RING : room->ring_capacity * 2);
}

void
room_age(Room *room)
{
	if (room->slowest < room->ring_old)
		room->slowest = find_slowest(room);
	while (room->ring_count > 0 && first_version(room) <= room->ring_old &&
		   first_version(room) <= room->slowest)
		drop_first(room);
	room->ring_old = room->version;
	if (room->ring_count == 0)
	{
		free(room->ring);
		room->ring = NULL;
		room->ring_capacity = 0;
	}
	else if (room->ring_capacity > FIRST_RING && room->ring_count <= room->ring_capacity / 4)
		resize_ring(room, room->ring_capacity / 2);
}

static RingEvent *
make_event(Room *room, const WireEvent *event)
{
	Buf		  *text = &room->proxy->scratch;
	RingEvent *entry;

	buf_clear(text);
	wire_event(text, event);
	entry = util_alloc(sizeof(*entry) + text->size + event->user_bytes);
	entry->version = event->version;
	entry->event = event->event;
	entry->site = event->site;
	entry->clock = event->clock;
	entry->bytes = (uint32_t) text->size;
	entry->user_bytes = (uint32_t) event->user_bytes;
	memcpy(entry->text, text->data, text->size);
	memcpy(entry->text + text->size, event->user, event->user_bytes);
	return entry;
}

/* The next version. */
static void
append(Room *room, const WireEvent *event)
{
	RingEvent *entry = make_event(room, event);

	entry->end = room->ring_end += entry->bytes;
	if (room->ring_count == room->ring_capacity)
		grow_ring(room);
	room->version = event->version;
	room->event = event->event;
	room->ring[room->version & (room->ring_capacity - 1)] = entry;
	room->ring_count++;
	ring_memory += memory_of(entry);
	rooms_wake(room);
	trim(room);
}

bool
room_backfill(Room *room, const WireEvent *event)
{
	const Config	*config = &room->proxy->config;
	const RingEvent *first = room_event(room, first_version(room));
	RingEvent		*entry;

	if (event->version != first_version(room) - 1 || room->ring_count >= config->ring_events)
		return false;
	entry = make_event(room, event);
	entry->end = first == NULL ? room->ring_end : first->end - first->bytes;
	if (room->ring_end - (entry->end - entry->bytes) > (uint64_t) config->ring_bytes)
	{
		free(entry);
		return false;
	}
	if (room->ring_count == room->ring_capacity)
		grow_ring(room);
	room->ring[entry->version & (room->ring_capacity - 1)] = entry;
	room->ring_count++;
	ring_memory += memory_of(entry);
	return true;
}

/* Forgets all of the document. */
static void
reset(Room *room)
{
	answers_forget(room);
	while (room->ring_count > 0)
		drop_first(room);
	room->version = -1;
	room->ring_old = 0;
	room->event = 0;
	room->target = 0;
	room->life++;
	room->doubted = false;
	bus_reset(room);
}

/* ---- what happens to the document ---- */

/* Another history than the one that was sent out (a failover lost its tail, a restore): everybody opens again. */
static void
history_changed(Room *room)
{
	List *node;
	List *after;

	log_line(LOG_WARNING, "the history of a document is not the one that was sent out: closing its sockets",
			 "doc=%s version=%lld members=%d", room->doc_id, (long long) room->version, room->member_count);
	reset(room);
	room_hold(room);
	list_each_safe(node, after, &room->members)
	{
		Client *client = container_of(node, Client, member);

		if (client->state == CLIENT_LIVE)
		{
			metrics_add(METRIC_RESYNC_HISTORY, 1);
			client_close(client, 4409, "open again");
		}
		else
			client->position = -1;
	}
	room->holds--;
}

void
room_dropped(Room *room)
{
	List *node;
	List *after;

	reset(room);
	cache_forget(room);
	room_hold(room);
	list_each_safe(node, after, &room->members)
	{
		Client *client = container_of(node, Client, member);

		/* who is still opening is told by the answer, or opens again if part of that was sent */
		if (client->state == CLIENT_LIVE)
			client_fail(client, "OT004", "no such document", 4404);
		else
			client->position = -1;
	}
	room->holds--;
}

void
room_want(Room *room, int64_t version)
{
	if (version > room->target)
		room->target = version;
	if (room->version >= 0 && room->target > room->version)
		listener_fetch(room->proxy->listener, room);
}

void
room_want_soon(Room *room, int64_t version)
{
	if (version > room->target)
		room->target = version;
	if (!bus_waits(room))
		room_want(room, room->target);
}

void
room_hint(Room *room, int64_t version)
{
	if (room->busy == 0)
		room_want(room, version);
	else if (version > room->target)
		room->target = version;
}

void
room_sent(Room *room)
{
	room->busy++;
}

void
room_answered(Room *room)
{
	if (--room->busy == 0)
		room_want_soon(room, room->target);
}

/* What is committed comes after all that was known when it was sent, or the database has lost some of that and grown again. */
void
room_committed(Room *room, const WireEvent *event, int64_t sent_at)
{
	if (event->version <= sent_at)
	{
		history_changed(room);
		room_want(room, event->version);
	}
	else if (room->version >= 0 && !room->doubted && event->version == room->version + 1)
	{
		uint64_t previous = room->event;

		append(room, event);
		bus_committed(room, previous, event);
		bus_advanced(room);
	}
	else if (event->version > room->version)
	{
		bus_committed_early(room, event);
		if (room->doubted)
			room_want(room, event->version);
		else
			room_want_soon(room, event->version);
	}
}

void
room_doubt(Room *room)
{
	if (room->version < 0)
		return;
	room->life++;
	room->doubted = true;
	listener_check(room->proxy->listener, room);
}

void
room_append(Room *room, const WireEvent *event)
{
	append(room, event);
}

/*
 * Whether what the database says, (version, event) at a time when the room was at sent_at, is another history than the room's:
 * another event at a version that the room knows (0: nobody knows it yet), or a head below what was committed before. A
 * sent_at above the room's version is from before the room forgot everything, and proves nothing.
 */
static bool
contradicts(const Room *room, int64_t version, uint64_t event, int64_t sent_at)
{
	const RingEvent *known = room_event(room, version);
	uint64_t		 ours = known != NULL ? known->event : version == room->version ? room->event : 0;

	if (ours != 0 && event != 0 && ours != event)
		return true;
	return version < sent_at && sent_at <= room->version;
}

void
room_learn(Room *room, int64_t version, uint64_t event)
{
	if (version == room->version && room->event == 0)
		room->event = event;
}

/* The database has the version, and as far as is known here it is the same. */
static void
confirm(Room *room, int64_t version, uint64_t event)
{
	room_learn(room, version, event);
	if (version == room->version)
		room->doubted = false;
}

void
room_fetched(Room *room, const WireEvent *event)
{
	if (room->version < 0)
		return;
	if (event->version == room->version + 1)
	{
		append(room, event);
		bus_advanced(room);
	}
	/* a gap: what comes next was deleted, because the room lagged behind for longer than history is kept */
	else if (event->version > room->version || contradicts(room, event->version, event->event, 0))
		history_changed(room);
	else
		confirm(room, event->version, event->event);
}

bool
room_observe(Room *room, int64_t version, uint64_t event, int64_t sent_at)
{
	if (room->version >= 0 && contradicts(room, version, event, sent_at))
		history_changed(room);
	if (room->version < 0 || (room->member_count == 1 && version > room->version))
	{
		int64_t target = room->target;

		reset(room);
		room->version = version;
		room->event = event;
		bus_advanced(room);
		cache_warm(room);
		room_want(room, target);
		return true;
	}
	room_learn(room, version, event);
	if (version > room->version)
		room_want(room, version);
	return version + 1 >= first_version(room);
}

void
room_check(Room *room, int64_t version, uint64_t event, int64_t sent_at)
{
	if (room->version < 0)
		return;
	if (contradicts(room, version, event, sent_at))
	{
		history_changed(room);
		return;
	}
	confirm(room, version, event);
	room_want(room, version);
}

/* ---- the stream of one member ---- */

bool
room_has_more(const Room *room, const Client *client)
{
	return client->position < room->version;
}

/* The client's own pieces from its position on, in one ack as long as clocks and versions count up together. */
static size_t
stream_ack(Room *room, Client *client, char *out, size_t capacity)
{
	const RingEvent *first = room_event(room, client->position + 1);
	const RingEvent *last = first;
	int64_t			 count = 1;
	Buf				*text = &room->proxy->scratch;
	size_t			 used;

	for (;;)
	{
		const RingEvent *next = room_event(room, first->version + count);

		if (next == NULL || next->clock != first->clock + count || !is_own(next, client))
			break;
		last = next;
		count++;
	}
	buf_clear(text);
	wire_ack(text, first->clock, first->version, last->event, count);
	if (text->size + FRAME_HEADER_MAX > capacity)
		return 0;
	used = frame_header(out, text->size, true, true);
	memcpy(out + used, text->data, text->size);
	client->position = last->version;
	metrics_add(METRIC_OUT_ACK, 1);
	client_op_acknowledged(client, last->clock);
	return used + text->size;
}

/* One event that fits into no write: it goes out in fragments, through the queue. */
static void
queue_large_event(Room *room, Client *client, const RingEvent *event)
{
	Buf *text = &room->proxy->scratch;

	buf_clear(text);
	buf_bytes(text, WIRE_EVENTS_HEAD, EVENTS_HEAD_BYTES);
	buf_bytes(text, event->text, event->bytes);
	buf_bytes(text, WIRE_EVENTS_TAIL, EVENTS_TAIL_BYTES);
	frame_queue_push(&client->queue, frame_create(text, true));
	metrics_add(METRIC_OUT_EVENTS, 1);
	metrics_add(METRIC_EVENTS_DELIVERED, 1);
	client->position = event->version;
}

/* As many foreign events as fit, in one message. */
static size_t
stream_events(Room *room, Client *client, char *out, size_t capacity)
{
	size_t			 payload = EVENTS_HEAD_BYTES + EVENTS_TAIL_BYTES;
	int64_t			 from = client->position + 1;
	int64_t			 to = from;
	const RingEvent *event;
	char			*p;

	for (; (event = room_event(room, to)) != NULL && !is_own(event, client); to++)
	{
		size_t size = event->bytes + (to > from ? 1 : 0);

		if (payload + size + FRAME_HEADER_MAX > capacity)
			break;
		payload += size;
	}
	if (to == from)
		return 0;
	p = out + frame_header(out, payload, true, true);
	memcpy(p, WIRE_EVENTS_HEAD, EVENTS_HEAD_BYTES);
	p += EVENTS_HEAD_BYTES;
	for (int64_t v = from; v < to; v++)
	{
		event = room_event(room, v);
		if (v > from)
			*p++ = ',';
		memcpy(p, event->text, event->bytes);
		p += event->bytes;
	}
	memcpy(p, WIRE_EVENTS_TAIL, EVENTS_TAIL_BYTES);
	p += EVENTS_TAIL_BYTES;
	metrics_add(METRIC_OUT_EVENTS, 1);
	metrics_add(METRIC_EVENTS_DELIVERED, (uint64_t) (to - from));
	client->position = to - 1;
	return (size_t) (p - out);
}

size_t
room_stream(Room *room, Client *client, char *out, size_t capacity)
{
	size_t used = 0;

	while (room_has_more(room, client))
	{
		const RingEvent *event = room_event(room, client->position + 1);
		size_t			 part;

		part = is_own(event, client) ? stream_ack(room, client, out + used, capacity - used)
									 : stream_events(room, client, out + used, capacity - used);
		if (part == 0 && used == 0 && !is_own(event, client))
			queue_large_event(room, client, event);
		if (part == 0)
			break;
		used += part;
	}
	return used;
}

/* bus.c - what proxies tell each other over Redis: the events that they committed, and presence. */
#include "bus.h"

#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "early.h"
#include "exchange.h"
#include "event_record.h"
#include "hash.h"
#include "listener.h"
#include "log.h"
#include "redis.h"
#include "room.h"
#include "seal.h"

#define GRACE_MS 20 /* a version committed before one of ours is on its way; then the database is asked */
#define MAX_RECORDS_BYTES (256 * 1024) /* of one message, unless one event is larger */
#define MAX_CHANNELS 256			   /* of one SUBSCRIBE */
#define SENDER_BYTES 16

struct Bus
{
	Proxy		*proxy;
	RedisAddress address;
	RedisSetup	 publisher_setup;
	RedisSetup	 subscriber_setup;
	Redis		*publisher;
	Redis		*subscriber;
	Seal		*seal;
	List		 subscribe; /* BusRoom.subscribe */
	List		 publish;	/* BusRoom.publish */
	Buf			 channel;
	Buf			 message;
	char		 sender[SENDER_BYTES];
	bool		 was_up;
};

/* ---- names ---- */

/* The channel of a document: {prefix}doc:{id}. In a buffer that the next call uses again. */
static void
channel_of(Bus *bus, const char *doc_id)
{
	buf_clear(&bus->channel);
	buf_str(&bus->channel, bus->proxy->config.redis_prefix);
	buf_bytes(&bus->channel, "doc:", 4);
	buf_str(&bus->channel, doc_id);
}

/* The channel of presence: {prefix}presence. */
static bool
is_presence(const Bus *bus, const char *channel, size_t bytes)
{
	size_t prefix_bytes = strlen(bus->proxy->config.redis_prefix);

	return bytes == prefix_bytes + 8 && memcmp(channel, bus->proxy->config.redis_prefix, prefix_bytes) == 0 &&
		   memcmp(channel + prefix_bytes, "presence", 8) == 0;
}

/* The open room that a channel belongs to, or NULL. */
static Room *
room_of(const Bus *bus, const char *channel, size_t bytes)
{
	const char *prefix = bus->proxy->config.redis_prefix;
	size_t		prefix_bytes = strlen(prefix);
	Room	   *room;

	if (bytes < prefix_bytes + 5 || memcmp(channel, prefix, prefix_bytes) != 0 ||
		memcmp(channel + prefix_bytes, "doc:", 4) != 0)
		return NULL;
	channel += prefix_bytes + 4;
	bytes -= prefix_bytes + 4;
	if (!util_valid_doc_id(channel, bytes))
		return NULL;
	room = rooms_find(bus->proxy->rooms, collab_doc_key(channel, bytes));
	while (room != NULL && (strlen(room->doc_id) != bytes || memcmp(room->doc_id, channel, bytes) != 0))
		room = rooms_find_next(room);
	return room;
}

/* ---- timers ---- */

static void
on_grace(WheelTimer *timer)
{
	Room *room = container_of(timer, BusRoom, grace)->room;

	room_want(room, room->target);
}

static void
on_members(WheelTimer *timer)
{
	cache_write_members(container_of(timer, BusRoom, members)->room);
}

bool
bus_waits(Room *room)
{
	BusRoom *state = room->bus;

	if (state == NULL || !state->live || room->target <= room->version)
		return false;
	if (!wheel_is_set(&state->grace))
		wheel_set(&room->proxy->wheel, &state->grace, GRACE_MS);
	return true;
}

/* ---- what others say ---- */

/* An event of another proxy. */
static void
take_event(Room *room, uint64_t previous, const WireEvent *event)
{
	const RingEvent *known;

	if (event->version == room->version + 1 && room->version >= 0 && room->event != 0 &&
		previous == room->event)
	{
		metrics_add(METRIC_BUS_EVENTS_NEXT, 1);
		room_append(room, event);
		bus_advanced(room);
		return;
	}
	if (event->version > room->version)
	{
		metrics_add(METRIC_BUS_EVENTS_EARLY, 1);
		early_keep(room->bus, false, previous, event);
		if (room->version >= 0 && event->version == room->version + 1)
		{
			/* it does not continue what is known here, or that is not known well enough */
			metrics_add(METRIC_BUS_EVENTS_STRANGE, 1);
			listener_check(room->proxy->listener, room);
		}
		room_want_soon(room, event->version);
		return;
	}
	known = room_event(room, event->version);
	metrics_add(METRIC_BUS_EVENTS_KNOWN, 1);
	if (known != NULL && known->event != event->event)
	{
		metrics_add(METRIC_BUS_EVENTS_STRANGE, 1);
		listener_check(room->proxy->listener, room);
	}
}

/* A batch of presence: <sender>\n<seal><batch>. */
static void
on_presence(Bus *bus, const char *data, size_t bytes)
{
	if (bytes > SEAL_BYTES && seal_is_good(bus->seal, 'p', "", data + SEAL_BYTES, bytes - SEAL_BYTES, data))
	{
		metrics_add(METRIC_BUS_USED, 1);
		exchange_received(bus->proxy->exchange, data + SEAL_BYTES, bytes - SEAL_BYTES);
	}
	else
		metrics_add(METRIC_BUS_REJECTED, 1);
}

/* Of a document: <sender>\n, then records. */
static void
on_records(Bus *bus, Room *room, const char *data, size_t bytes)
{
	RecordStatus status;
	uint64_t	 previous;
	WireEvent	 event;

	room_hold(room);
	while ((status = event_record_read(bus->seal, room->doc_id, &data, &bytes, &previous, &event)) ==
		   RECORD_GOOD)
		take_event(room, previous, &event);
	metrics_add(status == RECORD_END ? METRIC_BUS_USED : METRIC_BUS_REJECTED, 1);
	room_unhold(room);
}

static void
on_message(void *ctx, const char *channel, size_t channel_bytes, const char *data, size_t bytes)
{
	Bus	 *bus = ctx;
	bool  presence = is_presence(bus, channel, channel_bytes);
	Room *room = presence ? NULL : room_of(bus, channel, channel_bytes);

	if (room == NULL && !presence)
	{
		/* on its way when the room was closed; should an UNSUBSCRIBE have been lost, it is made up for here */
		const char	*words[] = {"UNSUBSCRIBE", channel};
		const size_t sizes[] = {11, channel_bytes};

		metrics_add(METRIC_BUS_UNKNOWN, 1);
		(void) !redis_send(bus->subscriber, 2, words, sizes, NULL, NULL);
		return;
	}
	if (bytes <= SENDER_BYTES + 1 || data[SENDER_BYTES] != '\n')
	{
		metrics_add(METRIC_BUS_REJECTED, 1);
		return;
	}
	/* our own; or who could tell whose: there is no key yet, and with it comes a look at everything */
	if (memcmp(data, bus->sender, SENDER_BYTES) == 0 || !seal_has_key(bus->seal))
		return;
	data += SENDER_BYTES + 1;
	bytes -= SENDER_BYTES + 1;
	if (presence)
		on_presence(bus, data, bytes);
	else
		on_records(bus, room, data, bytes);
}

/* ---- what we say ---- */

static void
publish(BusRoom *state)
{
	Bus		   *bus = state->room->proxy->bus;
	const char *words[3] = {"PUBLISH"};
	size_t		bytes[3] = {7};

	list_remove(&state->publish);
	channel_of(bus, state->room->doc_id);
	buf_clear(&bus->message);
	buf_bytes(&bus->message, bus->sender, SENDER_BYTES);
	buf_char(&bus->message, '\n');
	buf_bytes(&bus->message, state->records.data, state->records.size);
	words[1] = bus->channel.data;
	words[2] = bus->message.data;
	bytes[1] = bus->channel.size;
	bytes[2] = bus->message.size;
	metrics_add(
		redis_send(bus->publisher, 3, words, bytes, NULL, NULL) ? METRIC_BUS_SENT : METRIC_BUS_DROPPED, 1);
	if (redis_is_up(bus->publisher))
		cache_add_operations(state->room, state->records.data,
							 (const CacheRecord *) (void *) state->marks.data,
							 state->marks.size / sizeof(CacheRecord));
	buf_free(&state->records);
	buf_free(&state->marks);
	buf_init(&state->records, util_buffer_alloc);
	buf_init(&state->marks, util_buffer_alloc);
}

void
bus_committed(Room *room, uint64_t previous, const WireEvent *event)
{
	BusRoom	   *state = room->bus;
	Bus		   *bus = room->proxy->bus;
	CacheRecord mark;

	if (state == NULL || !redis_is_up(bus->publisher))
		return;
	if (!event_record_write(bus->seal, room->doc_id, previous, event, &state->records))
		return;
	mark.version = event->version;
	mark.end = state->records.size;
	buf_bytes(&state->marks, &mark, sizeof(mark));
	if (list_empty(&state->publish))
		list_append(&bus->publish, &state->publish);
	if (state->records.size > MAX_RECORDS_BYTES)
		publish(state);
}

/* A batch of presence, the same for all documents. */
static bool
publish_presence(void *ctx, const char *batch, size_t batch_bytes)
{
	Bus		   *bus = ctx;
	const char *words[3] = {"PUBLISH"};
	size_t		bytes[3] = {7};
	char		signature[SEAL_BYTES];

	buf_clear(&bus->message);
	buf_bytes(&bus->message, bus->sender, SENDER_BYTES);
	buf_char(&bus->message, '\n');
	if (!redis_is_up(bus->publisher) || !seal_sign(bus->seal, 'p', "", batch, batch_bytes, signature))
		return false;
	buf_bytes(&bus->message, signature, SEAL_BYTES);
	buf_bytes(&bus->message, batch, batch_bytes);
	buf_clear(&bus->channel);
	buf_str(&bus->channel, bus->proxy->config.redis_prefix);
	buf_str(&bus->channel, "presence");
	words[1] = bus->channel.data;
	bytes[1] = bus->channel.size;
	words[2] = bus->message.data;
	bytes[2] = bus->message.size;
	if (!redis_send(bus->publisher, 3, words, bytes, NULL, NULL))
	{
		metrics_add(METRIC_BUS_DROPPED, 1);
		return false;
	}
	metrics_add(METRIC_BUS_SENT, 1);
	return true;
}

/* ---- channels ---- */

/* One SUBSCRIBE for many rooms. False: not now. */
static bool
subscribe_some(Bus *bus)
{
	const char *words[MAX_CHANNELS + 1] = {"SUBSCRIBE"};
	size_t		bytes[MAX_CHANNELS + 1] = {9};
	size_t		offsets[MAX_CHANNELS + 1];
	int			count = 0;
	bool		sent;
	List	   *node;

	buf_clear(&bus->message);
	list_each(node, &bus->subscribe)
	{
		if (count == MAX_CHANNELS)
			break;
		count++;
		channel_of(bus, container_of(node, BusRoom, subscribe)->room->doc_id);
		offsets[count] = bus->message.size;
		bytes[count] = bus->channel.size;
		buf_bytes(&bus->message, bus->channel.data, bus->channel.size);
	}
	for (int i = 1; i <= count; i++)
		words[i] = bus->message.data + offsets[i];
	sent = redis_send(bus->subscriber, count + 1, words, bytes, NULL, NULL);
	for (; sent && count > 0; count--)
	{
		container_of(bus->subscribe.next, BusRoom, subscribe)->subscribed = true;
		list_remove(bus->subscribe.next);
	}
	return sent;
}

static void
on_subscribed(void *ctx, const char *channel, size_t bytes)
{
	const Bus *bus = ctx;
	Room	  *room;

	if (is_presence(bus, channel, bytes))
	{
		exchange_up(bus->proxy->exchange);
		return;
	}
	room = room_of(bus, channel, bytes);
	if (room == NULL)
		return;
	room->bus->live = true;
	if (room->bus->missed)
		listener_check(room->proxy->listener, room);
	room->bus->missed = false;
}

void
bus_open(Room *room)
{
	Bus		*bus = room->proxy->bus;
	BusRoom *state;

	if (bus == NULL)
		return;
	state = util_alloc_zero(sizeof(*state));
	state->room = room;
	list_init(&state->subscribe);
	list_init(&state->publish);
	list_init(&state->early);
	buf_init(&state->records, util_buffer_alloc);
	buf_init(&state->marks, util_buffer_alloc);
	wheel_timer_init(&state->grace, on_grace);
	wheel_timer_init(&state->members, on_members);
	list_append(&bus->subscribe, &state->subscribe);
	room->bus = state;
}

void
bus_close(Room *room)
{
	Bus		*bus = room->proxy->bus;
	BusRoom *state = room->bus;

	if (state == NULL)
		return;
	if (!list_empty(&state->publish))
		publish(state);
	if (state->subscribed)
	{
		const char *words[2] = {"UNSUBSCRIBE"};
		size_t		bytes[2] = {11};

		channel_of(bus, room->doc_id);
		words[1] = bus->channel.data;
		bytes[1] = bus->channel.size;
		(void) !redis_send(bus->subscriber, 2, words, bytes, NULL, NULL); /* if not, on_message() does */
	}
	early_clear(state);
	wheel_cancel(&room->proxy->wheel, &state->grace);
	wheel_cancel(&room->proxy->wheel, &state->members);
	list_remove(&state->subscribe);
	buf_free(&state->records);
	buf_free(&state->marks);
	free(state);
	room->bus = NULL;
}

/* ---- the connections ---- */

/* A new connection knows of no subscription. */
static void
on_subscriber_up(void *ctx)
{
	Bus		   *bus = ctx;
	const char *words[2] = {"SUBSCRIBE"};
	size_t		bytes[2] = {9};
	List	   *node;

	buf_clear(&bus->channel);
	buf_str(&bus->channel, bus->proxy->config.redis_prefix);
	buf_str(&bus->channel, "presence");
	words[1] = bus->channel.data;
	bytes[1] = bus->channel.size;
	(void) !redis_send(bus->subscriber, 2, words, bytes, NULL, NULL); /* it is the first */
	list_each(node, rooms_all(bus->proxy->rooms))
	{
		BusRoom *state = container_of(node, Room, all)->bus;

		if (list_empty(&state->subscribe))
			list_append(&bus->subscribe, &state->subscribe);
		state->missed |= bus->was_up;
	}
	bus->was_up = true;
}

static void
on_subscriber_down(void *ctx)
{
	Bus	 *bus = ctx;
	List *node;

	list_each(node, rooms_all(bus->proxy->rooms))
	{
		BusRoom *state = container_of(node, Room, all)->bus;

		state->live = state->subscribed = false;
		state->missed = true;
	}
}

static void
on_publisher(void *ctx)
{
	(void) ctx;
}

static const ExchangeTransport presence_transport = {"redis", publish_presence};
static const RedisHooks subscriber_hooks = {on_subscriber_up, on_subscriber_down, on_message, on_subscribed};
static const RedisHooks publisher_hooks = {on_publisher, on_publisher, NULL, NULL};

void
bus_turn_end(Bus *bus)
{
	if (bus == NULL)
		return;
	while (!list_empty(&bus->publish))
		publish(container_of(bus->publish.next, BusRoom, publish));
	while (!list_empty(&bus->subscribe) && redis_is_up(bus->subscriber) && subscribe_some(bus))
		;
	redis_flush(bus->publisher);
	redis_flush(bus->subscriber);
}

bool
bus_up(const Bus *bus)
{
	return bus != NULL && redis_is_up(bus->publisher) && redis_is_up(bus->subscriber) &&
		   seal_has_key(bus->seal);
}

Redis *
bus_redis(Bus *bus)
{
	return bus->publisher;
}

Seal *
bus_seal(Bus *bus)
{
	return bus->seal;
}

void
bus_set_key(Bus *bus, const char *key, size_t bytes)
{
	if (bus == NULL)
		return;
	seal_set_key(bus->seal, key, bytes);
	exchange_up(bus->proxy->exchange);
}

/* ---- life ---- */

static void
set_up(const Bus *bus, RedisSetup *setup, const char *label)
{
	setup->label = label;
	setup->address = &bus->address;
	setup->timeout_ms = bus->proxy->config.redis_timeout_ms;
	setup->buffer_bytes = (size_t) bus->proxy->config.redis_buffer_bytes;
}

Bus *
bus_create(Proxy *proxy)
{
	static const char digits[] = "0123456789abcdef";
	Bus				 *bus;
	const char		 *problem;
	uint64_t		  id = util_random();

	if (proxy->config.redis_url[0] == '\0')
		return NULL;
	bus = util_alloc_zero(sizeof(*bus));
	bus->proxy = proxy;
	if (!redis_address_parse(proxy->config.redis_url, &bus->address, &problem))
	{
		/* the settings were checked with the same function */
		log_line(LOG_ERROR, "redis_url is not valid: all goes on without Redis", NULL);
		free(bus);
		return NULL;
	}
	for (int i = 0; i < SENDER_BYTES; i++)
		bus->sender[i] = digits[id >> (60 - 4 * i) & 15];
	bus->seal = seal_create();
	list_init(&bus->subscribe);
	list_init(&bus->publish);
	buf_init(&bus->channel, util_buffer_alloc);
	buf_init(&bus->message, util_buffer_alloc);
	set_up(bus, &bus->publisher_setup, "publisher");
	set_up(bus, &bus->subscriber_setup, "subscriber");
	exchange_attach(proxy->exchange, &presence_transport, bus);
	bus->publisher = redis_create(&proxy->loop, &proxy->wheel, &bus->publisher_setup, &publisher_hooks, bus);
	bus->subscriber =
		redis_create(&proxy->loop, &proxy->wheel, &bus->subscriber_setup, &subscriber_hooks, bus);
	return bus;
}

void
bus_stop(Bus *bus)
{
	if (bus == NULL)
		return;
	redis_flush(bus->publisher);
	redis_stop(bus->publisher);
	redis_stop(bus->subscriber);
}

void
bus_destroy(Bus *bus)
{
	if (bus == NULL)
		return;
	redis_destroy(bus->publisher);
	redis_destroy(bus->subscriber);
	seal_destroy(bus->seal);
	buf_free(&bus->channel);
	buf_free(&bus->message);
	redis_address_free(&bus->address);
	free(bus);
}

/* exchange.c - what a proxy tells the other proxies of its members and their cursors, and hears of theirs. */
#include "exchange.h"

#include <stdlib.h>
#include <string.h>

#include "exchange_wire.h"
#include "log.h"
#include "remote.h"
#include "room.h"

/*
 * A room is told of only as far as somebody may want to know. Its first member asks all others for theirs and names itself;
 * whoever has members there answers with all of them. From then on the room is shared, and joins, leaves and cursors go out
 * as they come. Every few seconds each proxy repeats for every room how many members it has and the sum of their sessions:
 * who counts otherwise asks again. So whatever a transport loses comes back within seconds.
 */
#define TICK_MS 100
#define DIGEST_MS 4000	   /* all rooms once; a member is given up after EXCHANGE_EXPIRY_MS */
#define SWEEP_MS 1000	   /* and a part of the digests: together, lest they alone make a batch every time */
#define ASKS_PER_TICK 1000 /* rooms, when all of them have to ask */
#define STATE_BYTES_PER_TICK (256 * 1024) /* of answers; the rest waits for the next tick */
#define MAX_PEERS 1000

struct Exchange
{
	Proxy	*proxy;
	uint64_t id;
	int		 transport_count;
	struct
	{
		const ExchangeTransport *transport;
		void					*ctx;
	} transports[EXCHANGE_TRANSPORTS];

	/* out */
	Buf		   batch;
	uint64_t   number;	 /* of that batch */
	bool	   has_room; /* it names a document, and what follows is about */
	int64_t	   room_key; /* this one */
	uint64_t   flushed;	 /* when the last batch went out */
	uint64_t   bytes_out;
	bool	   hello_due;
	WheelTimer flush_timer;
	WheelTimer tick_timer;
	List	   states;	  /* Room.state: rooms whose members were asked for */
	int64_t	   asks_left; /* rooms that still have to ask, after the others were away */
	int64_t	   credit;	  /* rooms times milliseconds that digests are behind */

	/* in */
	List		peers;
	int			peer_count;
	RemoteTable remotes;
	uint64_t	swept;
};

/* ---- batches out ---- */

static void
flush(Exchange *exchange)
{
	if (exchange->batch.size == 0)
		return;
	for (int i = 0; i < exchange->transport_count; i++)
	{
		bool sent = exchange->transports[i].transport->publish(exchange->transports[i].ctx,
															   exchange->batch.data, exchange->batch.size);

		metrics_add(sent ? METRIC_EXCHANGE_OUT : METRIC_EXCHANGE_UNSENT, 1);
		if (sent)
			metrics_add(METRIC_EXCHANGE_OUT_BYTES, exchange->batch.size);
	}
	exchange->bytes_out += exchange->batch.size;
	buf_clear(&exchange->batch);
	exchange->has_room = false;
	exchange->flushed = proxy_now(exchange->proxy);
	wheel_cancel(&exchange->proxy->wheel, &exchange->flush_timer);
}

static void
on_flush(WheelTimer *timer)
{
	flush(container_of(timer, Exchange, flush_timer));
}

/* Soon, but not sooner than presence_ms after the last time. */
static void
schedule_flush(Exchange *exchange)
{
	uint64_t now = proxy_now(exchange->proxy);
	uint64_t next = exchange->flushed + (uint64_t) exchange->proxy->config.presence_ms;

	if (!wheel_is_set(&exchange->flush_timer))
		wheel_set(&exchange->proxy->wheel, &exchange->flush_timer, next > now ? next - now : 0);
}

/* room: NULL for what is about none. */
static void
put(Exchange *exchange, const Room *room, const ExchangeRecord *record)
{
	if (exchange->batch.size + 2 * EXCHANGE_RECORD_BYTES > EXCHANGE_BATCH_BYTES)
		flush(exchange);
	if (exchange->batch.size == 0)
		exchange_put_head(&exchange->batch, exchange->id, ++exchange->number);
	if (room != NULL && (!exchange->has_room || exchange->room_key != room->key))
	{
		const ExchangeRecord about = {.kind = EXCHANGE_ROOM, .key = room->key};

		exchange_put(&exchange->batch, &about);
		exchange->has_room = true;
		exchange->room_key = room->key;
	}
	exchange_put(&exchange->batch, record);
	schedule_flush(exchange);
}

static void
put_kind(Exchange *exchange, const Room *room, ExchangeKind kind)
{
	const ExchangeRecord record = {.kind = kind};

	put(exchange, room, &record);
}

/* target: of this proxy, 0: of all. */
static void
put_ask(Exchange *exchange, const Room *room, uint64_t target)
{
	const ExchangeRecord record = {.kind = EXCHANGE_ASK, .target = target};

	put(exchange, room, &record);
}

static ExchangeText
text_of(const char *json)
{
	ExchangeText text = {json, json == NULL ? 0 : strlen(json)};

	return text;
}

static void
put_member(Exchange *exchange, const Room *room, const Client *client)
{
	ExchangeRecord record = {.kind = EXCHANGE_MEMBER,
							 .session = client->session,
							 .has_cursor = client->has_cursor,
							 .cursor = client->cursor};

	record.user = text_of(client->user_json);
	record.name = text_of(client->name_json);
	record.color = text_of(client->color_json);
	put(exchange, room, &record);
}

static void
put_cursor(Exchange *exchange, const Room *room, const Client *client)
{
	const ExchangeRecord record = {
		.kind = EXCHANGE_CURSOR, .session = client->session, .cursor = client->cursor};

	put(exchange, room, &record);
}

static void
put_state(Exchange *exchange, const Room *room)
{
	List *node;

	put_kind(exchange, room, EXCHANGE_STATE);
	list_each(node, &room->members)
	{
		const Client *client = container_of(node, Client, member);

		if (client->announced)
			put_member(exchange, room, client);
	}
	put_kind(exchange, room, EXCHANGE_STATE_END);
}

/* Cursors go along with it, in case one was lost. */
static void
put_digest(Exchange *exchange, const Room *room)
{
	ExchangeRecord digest = {.kind = EXCHANGE_DIGEST};
	List		  *node;

	list_each(node, &room->members)
	{
		const Client *client = container_of(node, Client, member);

		if (!client->announced)
			continue;
		digest.count++;
		digest.sum += client->session;
		if (room->remote_count > 0 && client->has_cursor)
			put_cursor(exchange, room, client);
	}
	put(exchange, room, &digest);
}

/* ---- what happens here ---- */

static bool
is_alone(const Exchange *exchange)
{
	return exchange->peer_count == 0 || exchange->transport_count == 0;
}

void
exchange_join(Room *room, const Client *client)
{
	Exchange *exchange = room->proxy->exchange;

	room->present++;
	if (is_alone(exchange) || (room->present > 1 && room->remote_count == 0))
		return;
	if (room->present == 1)
		put_ask(exchange, room, 0);
	put_member(exchange, room, client);
}

void
exchange_leave_room(Room *room, const Client *client)
{
	Exchange			*exchange = room->proxy->exchange;
	const ExchangeRecord record = {.kind = EXCHANGE_LEAVE, .session = client->session};

	room->present--;
	/* of the first one the others may know although none of them has answered yet */
	if (!is_alone(exchange) && (room->present == 0 || room->remote_count > 0))
		put(exchange, room, &record);
	/* who is left may see those elsewhere already, and is about to take the place */
	if (room->present == 0 && room->member_count == 0)
		exchange_forget(room);
}

void
exchange_cursor(Room *room, const Client *client)
{
	if (room->remote_count > 0)
		put_cursor(room->proxy->exchange, room, client);
}

void
exchange_forget(Room *room)
{
	remote_forget_room(&room->proxy->exchange->remotes, room);
	list_remove(&room->state);
}

/* ---- what repeats ---- */

static void
owe_state(Exchange *exchange, Room *room)
{
	if (list_empty(&room->state))
		list_append(&exchange->states, &room->state);
}

/* A large answer leaves in several batches; what is left over after so many bytes waits. */
static void
pay_states(Exchange *exchange)
{
	uint64_t end = exchange->bytes_out + STATE_BYTES_PER_TICK;

	while (!list_empty(&exchange->states) && exchange->bytes_out < end)
	{
		Room *room = container_of(exchange->states.next, Room, state);

		list_remove(&room->state);
		put_state(exchange, room);
	}
}

/* The next rooms of the table, which is turned by as many: each of them comes by once in DIGEST_MS. */
static void
pay_digests(Exchange *exchange, uint64_t elapsed)
{
	List   *rooms = rooms_all(exchange->proxy->rooms);
	int64_t all = rooms_count(exchange->proxy->rooms);
	int64_t due;

	exchange->credit += all * (int64_t) elapsed;
	due = exchange->credit / DIGEST_MS;
	exchange->credit %= DIGEST_MS;
	if (exchange->asks_left > 0 && due < ASKS_PER_TICK)
		due = ASKS_PER_TICK;
	for (int64_t i = 0; i < due && i < all; i++)
	{
		Room *room = container_of(rooms->next, Room, all);

		list_remove(&room->all);
		list_append(rooms, &room->all);
		if (room->present > 0 && exchange->asks_left > 0)
			put_ask(exchange, room, 0);
		if (room->present > 0)
			put_digest(exchange, room);
		if (exchange->asks_left > 0)
			exchange->asks_left--;
	}
}

static void
drop_members(Exchange *exchange, Peer *peer)
{
	while (!list_empty(&peer->members))
		remote_remove(&exchange->remotes, container_of(peer->members.next, Remote, of_peer));
}

static void
sweep(Exchange *exchange, uint64_t now)
{
	List *node;
	List *after;

	list_each_safe(node, after, &exchange->peers)
	{
		Peer *peer = container_of(node, Peer, node);
		List *inner;
		List *next;

		list_each_safe(inner, next, &peer->members)
		{
			Remote *remote = container_of(inner, Remote, of_peer);

			if (now - remote->refreshed >= EXCHANGE_EXPIRY_MS)
				remote_remove(&exchange->remotes, remote);
		}
		if (now - peer->heard < EXCHANGE_EXPIRY_MS)
			continue;
		log_line(LOG_DEBUG, "another proxy is gone", "proxy=%016llx", (unsigned long long) peer->id);
		drop_members(exchange, peer);
		list_remove(&peer->node);
		free(peer);
		exchange->peer_count--;
	}
}

static void
on_tick(WheelTimer *timer)
{
	Exchange *exchange = container_of(timer, Exchange, tick_timer);
	uint64_t  now = proxy_now(exchange->proxy);
	uint64_t  elapsed = now - exchange->swept;

	wheel_set(&exchange->proxy->wheel, timer, TICK_MS);
	if (exchange->hello_due || now - exchange->flushed >= DIGEST_MS)
		put_kind(exchange, NULL, EXCHANGE_HELLO);
	exchange->hello_due = false;
	if (!is_alone(exchange))
		pay_states(exchange);
	if (elapsed < SWEEP_MS && exchange->asks_left == 0)
		return;
	exchange->swept = now;
	sweep(exchange, now);
	if (!is_alone(exchange))
		pay_digests(exchange, elapsed);
	metrics_set(METRIC_REMOTE_MEMBERS, exchange->remotes.count);
	metrics_set(METRIC_EXCHANGE_PEERS, (uint64_t) exchange->peer_count);
}

/* ---- batches in ---- */

static Peer *
find_peer(const Exchange *exchange, uint64_t id)
{
	List *node;

	list_each(node, &exchange->peers)
	{
		Peer *peer = container_of(node, Peer, node);

		if (peer->id == id)
			return peer;
	}
	return NULL;
}

/* It is answered at once, so that it knows us; after having been alone all rooms ask. */
static Peer *
meet_peer(Exchange *exchange, uint64_t id)
{
	Peer *peer;

	if (exchange->peer_count >= MAX_PEERS)
		return NULL;
	peer = util_alloc_zero(sizeof(*peer));
	peer->id = id;
	list_init(&peer->members);
	list_append(&exchange->peers, &peer->node);
	log_line(LOG_DEBUG, "another proxy is there", "proxy=%016llx", (unsigned long long) id);
	if (exchange->peer_count++ == 0)
		exchange->asks_left = rooms_count(exchange->proxy->rooms);
	exchange->hello_due = true;
	return peer;
}

/* The room as it is of interest here. Of ids with the same key only one exists, so only one has members. */
static Room *
find_room(const Exchange *exchange, int64_t key)
{
	Room *room = rooms_find(exchange->proxy->rooms, key);

	while (room != NULL && room->present == 0)
		room = rooms_find_next(room);
	return room;
}

static bool
is_own_session(const Room *room, uint64_t session)
{
	List *node;

	list_each(node, &room->members)
	{
		if (container_of(node, Client, member)->session == session)
			return true;
	}
	return false;
}

/* Sessions are random: who names one that is somebody else's already is not believed. */
static void
on_member(Exchange *exchange, Peer *peer, Room *room, const ExchangeRecord *record)
{
	Remote *remote = remote_find(&exchange->remotes, record->session);

	if (remote == NULL && is_own_session(room, record->session))
		return;
	if (remote == NULL)
	{
		remote = remote_add(&exchange->remotes, peer, room, record, peer->heard);
		/* from now on it is told of what happens here; what had happened before it should know as well */
		if (remote != NULL && room->remote_count == 1)
			owe_state(exchange, room);
	}
	if (remote == NULL || remote->peer != peer || remote->room != room)
		return;
	remote->stale = false;
	remote->refreshed = peer->heard;
	if (record->has_cursor)
		remote_set_cursor(remote, &record->cursor);
}

static void
on_digest(Exchange *exchange, Peer *peer, Room *room, const ExchangeRecord *record)
{
	uint64_t count;
	uint64_t sum;

	remote_digest(room, peer, &count, &sum);
	if (count == record->count && sum == record->sum)
		remote_refresh(room, peer, peer->heard);
	else
		put_ask(exchange, room, peer->id);
}

/* Of a member that is known: LEAVE and CURSOR. */
static void
on_session(Exchange *exchange, const Peer *peer, const Room *room, const ExchangeRecord *record)
{
	Remote *remote = remote_find(&exchange->remotes, record->session);

	if (remote == NULL || remote->peer != peer || remote->room != room)
		return;
	if (record->kind == EXCHANGE_LEAVE)
		remote_remove(&exchange->remotes, remote);
	else
		remote_set_cursor(remote, &record->cursor);
}

static void
on_room_record(Exchange *exchange, Peer *peer, Room *room, const ExchangeRecord *record)
{
	switch (record->kind)
	{
		case EXCHANGE_ASK:
			if (record->target == 0 || record->target == exchange->id)
				owe_state(exchange, room);
			break;
		case EXCHANGE_STATE:
			remote_mark_stale(room, peer);
			break;
		case EXCHANGE_STATE_END:
			remote_drop_stale(&exchange->remotes, room, peer);
			break;
		case EXCHANGE_MEMBER:
			on_member(exchange, peer, room, record);
			break;
		case EXCHANGE_LEAVE:
		case EXCHANGE_CURSOR:
			on_session(exchange, peer, room, record);
			break;
		case EXCHANGE_DIGEST:
			on_digest(exchange, peer, room, record);
			break;
		default:
			break;
	}
}

void
exchange_received(Exchange *exchange, const char *batch, size_t bytes)
{
	ExchangeReader reader;
	ExchangeRecord record;
	Peer		  *peer;
	Room		  *room = NULL;

	if (!exchange_read_head(&reader, batch, bytes))
	{
		metrics_add(METRIC_EXCHANGE_MALFORMED, 1);
		return;
	}
	if (reader.sender == exchange->id)
		return;
	peer = find_peer(exchange, reader.sender);
	if (peer == NULL)
		peer = meet_peer(exchange, reader.sender);
	if (peer == NULL || reader.number <= peer->number)
		return;
	metrics_add(METRIC_EXCHANGE_IN, 1);
	metrics_add(METRIC_EXCHANGE_IN_BYTES, bytes);
	peer->number = reader.number;
	peer->heard = proxy_now(exchange->proxy);
	while (exchange_read(&reader, &record))
	{
		if (record.kind == EXCHANGE_ROOM)
			room = find_room(exchange, record.key);
		else if (record.kind == EXCHANGE_BYE)
			drop_members(exchange, peer);
		else if (room != NULL)
			on_room_record(exchange, peer, room, &record);
	}
	if (reader.failed)
		metrics_add(METRIC_EXCHANGE_MALFORMED, 1);
}

/* ---- transports ---- */

void
exchange_attach(Exchange *exchange, const ExchangeTransport *transport, void *ctx)
{
	exchange->transports[exchange->transport_count].transport = transport;
	exchange->transports[exchange->transport_count].ctx = ctx;
	exchange->transport_count++;
}

void
exchange_up(Exchange *exchange)
{
	exchange->hello_due = true;
	exchange->asks_left = rooms_count(exchange->proxy->rooms);
}

/* ---- life ---- */

Exchange *
exchange_create(Proxy *proxy)
{
	Exchange *exchange = util_alloc_zero(sizeof(*exchange));

	exchange->proxy = proxy;
	exchange->id = util_random();
	buf_init(&exchange->batch, util_buffer_alloc);
	list_init(&exchange->states);
	list_init(&exchange->peers);
	wheel_timer_init(&exchange->flush_timer, on_flush);
	wheel_timer_init(&exchange->tick_timer, on_tick);
	wheel_set(&proxy->wheel, &exchange->tick_timer, TICK_MS);
	return exchange;
}

void
exchange_leave(Exchange *exchange)
{
	put_kind(exchange, NULL, EXCHANGE_BYE);
	flush(exchange);
	exchange->transport_count = 0;
}

void
exchange_destroy(Exchange *exchange)
{
	wheel_cancel(&exchange->proxy->wheel, &exchange->flush_timer);
	wheel_cancel(&exchange->proxy->wheel, &exchange->tick_timer);
	while (!list_empty(&exchange->peers))
	{
		Peer *peer = container_of(exchange->peers.next, Peer, node);

		drop_members(exchange, peer);
		list_remove(&peer->node);
		free(peer);
	}
	remote_free(&exchange->remotes);
	buf_free(&exchange->batch);
	free(exchange);
}

uint64_t
exchange_id(const Exchange *exchange)
{
	return exchange->id;
}

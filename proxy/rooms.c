/* rooms.c - the table of open documents. */
#include "rooms.h"

#include <stdlib.h>
#include <string.h>

#include "crowd.h"
#include "hash.h"
#include "room.h"

#define FIRST_BUCKETS 64

struct RoomTable
{
	Proxy	   *proxy;
	Room	  **buckets;
	size_t		bucket_count; /* a power of two */
	int64_t		count;
	List		all;
	List		woken;
	uint64_t	woken_since; /* by proxy_clock(): when the first event of this turn came */
	uint64_t	woken_count; /* documents that got events in this turn */
	uv_timer_t *timer;		 /* for crowds that are to be written to later */
	WheelTimer	age;
};

/* ---- the table ---- */

/* What was typed a while ago is read from the database by those who come back so late. */
static void
on_age(WheelTimer *timer)
{
	RoomTable *table = container_of(timer, RoomTable, age);
	List	  *node;

	list_each(node, &table->all) room_age(container_of(node, Room, all));
	wheel_set(&table->proxy->wheel, timer, (uint64_t) table->proxy->config.ring_ms);
}

RoomTable *
rooms_create(Proxy *proxy)
{
	RoomTable *table = util_alloc_zero(sizeof(*table));

	table->proxy = proxy;
	table->bucket_count = FIRST_BUCKETS;
	table->buckets = util_alloc_zero(table->bucket_count * sizeof(*table->buckets));
	list_init(&table->all);
	list_init(&table->woken);
	table->timer = util_alloc(sizeof(*table->timer));
	uv_timer_init(&proxy->loop, table->timer);
	wheel_timer_init(&table->age, on_age);
	wheel_set(&proxy->wheel, &table->age, (uint64_t) proxy->config.ring_ms);
	return table;
}

int64_t
rooms_count(const RoomTable *table)
{
	return table->count;
}

List *
rooms_all(RoomTable *table)
{
	return &table->all;
}

/* The key is a hash already. */
static Room **
bucket_of(RoomTable *table, int64_t key)
{
	return &table->buckets[(uint64_t) key & (table->bucket_count - 1)];
}

static void
grow(RoomTable *table)
{
	List *node;

	free(table->buckets);
	table->bucket_count *= 2;
	table->buckets = util_alloc_zero(table->bucket_count * sizeof(*table->buckets));
	list_each(node, &table->all)
	{
		Room  *room = container_of(node, Room, all);
		Room **bucket = bucket_of(table, room->key);

		room->next = *bucket;
		*bucket = room;
	}
}

Room *
rooms_find(RoomTable *table, int64_t key)
{
	Room *room = *bucket_of(table, key);

	while (room != NULL && room->key != key)
		room = room->next;
	return room;
}

Room *
rooms_find_next(Room *room)
{
	int64_t key = room->key;

	do
		room = room->next;
	while (room != NULL && room->key != key);
	return room;
}

Room *
rooms_enter(RoomTable *table, const char *doc_id)
{
	int64_t key = collab_doc_key(doc_id, strlen(doc_id));
	Room   *room;
	Room  **bucket;

	/* two ids with one key cannot both exist in the database, but both can be asked for */
	for (room = *bucket_of(table, key); room != NULL; room = room->next)
	{
		if (room->key == key && strcmp(room->doc_id, doc_id) == 0)
			return room;
	}
	if ((size_t) table->count >= table->bucket_count)
		grow(table);
	room = util_alloc_zero(sizeof(*room));
	room->proxy = table->proxy;
	room->doc_id = util_strdup(doc_id);
	room->key = key;
	room_init_content(room);
	bucket = bucket_of(table, key);
	room->next = *bucket;
	*bucket = room;
	list_append(&table->all, &room->all);
	table->count++;
	return room;
}

static void
free_room(Room *room)
{
	RoomTable *table = room->proxy->rooms;
	Room	 **at = bucket_of(table, room->key);

	while (*at != room)
		at = &(*at)->next;
	*at = room->next;
	list_remove(&room->all);
	list_remove(&room->woken);
	table->count--;
	room_free_content(room);
	free(room->doc_id);
	free(room);
}

void
rooms_free_if_idle(Room *room)
{
	if (room->member_count == 0 && room->holds == 0)
		free_room(room);
}

static void
free_handle(uv_handle_t *handle)
{
	free(handle);
}

void
rooms_destroy(RoomTable *table)
{
	uv_close((uv_handle_t *) table->timer, free_handle);
	wheel_cancel(&table->proxy->wheel, &table->age);
	while (!list_empty(&table->all))
		free_room(container_of(table->all.next, Room, all));
	free(table->buckets);
	free(table);
}

void
rooms_wake(Room *room)
{
	RoomTable *table = room->proxy->rooms;

	if (!list_empty(&room->woken))
		return;
	list_append(&table->woken, &room->woken);
	if (table->woken_count++ == 0)
		table->woken_since = proxy_clock(room->proxy);
}

void
rooms_written(RoomTable *table)
{
	if (table->woken_count > 0)
		metrics_observe(HISTOGRAM_FANOUT, proxy_clock(table->proxy) - table->woken_since, table->woken_count);
	table->woken_count = 0;
}

/* The turn itself is what was waited for. */
static void
on_timer(uv_timer_t *timer)
{
	(void) timer;
}

static void
wake_members(const Room *room, bool all)
{
	List *node;

	list_each(node, &room->members)
	{
		Client *client = container_of(node, Client, member);
		bool	answers = client->in_flight != NULL;

		if (client->state == CLIENT_LIVE && (all || answers))
			client_wake(client, answers);
	}
}

static void
spread(RoomTable *table, Room *room)
{
	wake_members(room, true);
	room->spread_at = proxy_now(table->proxy);
	room->spread_end = room->ring_end;
	if (room->spread_due != 0)
		metrics_observe(HISTOGRAM_FANOUT, proxy_clock(table->proxy) - room->spread_due, 1);
	room->spread_due = 0;
}

/* Whoever waits for an answer gets it, the others later. */
static void
postpone(RoomTable *table, Room *room)
{
	if (room->answered_to != room->version)
		wake_members(room, false);
	room->answered_to = room->version;
	if (room->spread_due != 0)
		return;
	room->spread_due = proxy_clock(table->proxy);
	table->woken_count--; /* it counts when it is spread */
}

void
rooms_turn_end(RoomTable *table)
{
	List	 later;
	uint64_t next = 0;

	list_init(&later);
	while (!list_empty(&table->woken))
	{
		Room	*room = container_of(table->woken.next, Room, woken);
		uint64_t wait = crowd_wait(room, proxy_now(table->proxy));

		list_remove(&room->woken);
		if (wait == 0)
		{
			spread(table, room);
			continue;
		}
		postpone(table, room);
		list_append(&later, &room->woken);
		next = next == 0 || wait < next ? wait : next;
	}
	if (next == 0)
		return;
	table->woken = later;
	table->woken.next->prev = table->woken.prev->next = &table->woken;
	uv_timer_start(table->timer, on_timer, next, 0);
}

/* listener.c - hears of commits by others, fetches what a room lacks, and compares the rooms with the database. */
#include "listener.h"

#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "bus.h"
#include "log.h"
#include "pg.h"
#include "polls.h"
#include "room.h"

#define MAX_ROOMS 1000 /* per query */
#define FIRST_KEY_BYTES 16
#define REST_FACTOR 5 /* times the duration of a query that found nothing, until the next one of its kind */
#define REST_MIN_MS 40
#define REST_MAX_MS 250
#define SECONDS_TO_2000 INT64_C(946684800) /* from 1970 */

/*
 * One query of a kind at a time: what gathers meanwhile goes together. After one that found nothing new there is a rest: anybody
 * can make up hints, as many as he likes, and must not be able to keep the database busy with them.
 */
typedef struct Turn
{
	bool	 busy;
	uint64_t sent;	/* microseconds */
	uint64_t after; /* milliseconds: no sooner the next one */
} Turn;

struct Listener
{
	Proxy	  *proxy;
	Pg		  *pg;
	PgSetup	   setup;
	PgParams   params;
	WheelTimer timer; /* the periodic comparison */
	List	   fetch; /* Room.fetch */
	List	   check; /* Room.check */
	Turn	   fetching;
	Turn	   checking;
	WheelTimer rested; /* ends a rest */
	Poll	   numbers;
	bool	   check_everything; /* at the end of the turn: one payload may say `*` thousands of times */
};

/* The rooms that one query is about; each is held. */
typedef struct Query
{
	Listener *listener;
	int		  count;
	Room	 *rooms[];
} Query;

enum
{
	STATEMENT_FETCH,
	STATEMENT_HEADS,
	STATEMENT_BUS_KEY
};

static const PgStatement statements[] = {
	{"fetch_events",
	 "SELECT key, version, event, site, clock, author, at, op FROM collab.fetch_events($1::bigint[], $2::bigint[], "
	 "$3::integer)"},
	{"heads", "SELECT key, version, event FROM collab.heads($1::bigint[])"},
	{"bus_key", "SELECT collab.bus_key()"}, /* where there is a bus */
};

static void
log_failure(const char *what, const PgResult *result)
{
	char quoted[256];

	metrics_add(METRIC_DB_ERRORS, 1);
	log_line(LOG_WARNING, what, "code=%s text=%s", pg_sqlstate(result),
			 log_quote(quoted, sizeof(quoted), pg_message(result)));
}

/* ---- what the rooms ask for ---- */

void
listener_fetch(Listener *listener, Room *room)
{
	if (!room->fetching && list_empty(&room->fetch))
		list_append(&listener->fetch, &room->fetch);
}

void
listener_check(Listener *listener, Room *room)
{
	if (list_empty(&room->check))
		list_append(&listener->check, &room->check);
}

void
listener_forget(Room *room)
{
	list_remove(&room->fetch);
	list_remove(&room->check);
}

static void
check_all(Listener *listener)
{
	List *node;

	list_each(node, rooms_all(listener->proxy->rooms)) listener_check(listener, container_of(node, Room, all));
}

static void
on_timer(WheelTimer *timer)
{
	Listener *listener = container_of(timer, Listener, timer);

	check_all(listener);
	wheel_set(&listener->proxy->wheel, timer, (uint64_t) listener->proxy->config.heads_check_ms);
}

/* ---- hints ---- */

/* One word of a payload: `key:version`, or `*`. Nobody vouches for it: at worst it makes us look. */
static void
on_hint(Listener *listener, const char *word, size_t bytes)
{
	uint64_t key;
	int64_t	 version;
	bool	 known;
	Room	*room;

	if (bytes == 1 && word[0] == '*')
	{
		metrics_add(METRIC_HINTS_DROPPED, 1);
		listener->check_everything = true;
		return;
	}
	if (bytes < FIRST_KEY_BYTES + 2 || word[FIRST_KEY_BYTES] != ':' ||
		!util_parse_hex64(word, FIRST_KEY_BYTES, &key))
	{
		metrics_add(METRIC_HINTS_MALFORMED, 1);
		return;
	}
	known = util_parse_decimal(word + FIRST_KEY_BYTES + 1, bytes - FIRST_KEY_BYTES - 1, INT64_MAX, &version);
	room = rooms_find(listener->proxy->rooms, (int64_t) key);
	metrics_add(room != NULL ? METRIC_HINTS_USED : METRIC_HINTS_UNKNOWN, 1);
	for (; room != NULL; room = rooms_find_next(room))
	{
		if (known)
			room_hint(room, version);
		else
			listener_check(listener, room);
	}
}

static void
on_notify(void *ctx, const char *payload)
{
	Listener *listener = ctx;

	while (*payload != '\0')
	{
		size_t bytes = strcspn(payload, " ");

		if (bytes > 0)
			on_hint(listener, payload, bytes);
		payload += bytes;
		if (*payload == ' ')
			payload++;
	}
}

/* What proxies seal their messages with. Another server, perhaps one that was promoted, has another. */
static void
on_bus_key(void *ctx, PgOutcome outcome, const PgResult *result)
{
	Listener *listener = ctx;

	if (outcome == PG_ROWS && pg_rows(result) == 1)
		bus_set_key(listener->proxy->bus, pg_bytes(result, 0, 0).data, pg_bytes(result, 0, 0).bytes);
	else if (outcome == PG_ERROR)
		log_failure("cannot read the key of the bus: all goes on without Redis", result);
}

/* Hints were lost while there was no connection. */
static void
on_up(void *ctx)
{
	Listener *listener = ctx;

	check_all(listener);
	if (listener->proxy->bus == NULL)
		return;
	pg_params_clear(&listener->params);
	(void) !pg_send(listener->pg, STATEMENT_BUS_KEY, &listener->params, on_bus_key, listener);
}

static void
on_down(void *ctx)
{
	(void) ctx;
}

static const PgHooks hooks = {on_up, on_down, on_notify};

/* ---- queries ---- */

static void
turn_begin(Turn *turn)
{
	turn->busy = true;
	turn->sent = uv_hrtime() / 1000;
}

static void
turn_over(const Listener *listener, Turn *turn, bool found)
{
	uint64_t rest = (uv_hrtime() / 1000 - turn->sent) * REST_FACTOR / 1000;

	turn->busy = false;
	if (rest < REST_MIN_MS)
		rest = REST_MIN_MS;
	turn->after = found ? 0 : proxy_now(listener->proxy) + (rest < REST_MAX_MS ? rest : REST_MAX_MS);
}

/* Whether the next query of a kind may go now. If not yet, the loop comes by again. */
static bool
turn_free(Listener *listener, const Turn *turn)
{
	uint64_t now = proxy_now(listener->proxy);

	if (turn->busy)
		return false;
	if (turn->after <= now)
		return true;
	if (!wheel_is_set(&listener->rested))
		wheel_set(&listener->proxy->wheel, &listener->rested, turn->after - now);
	return false;
}

/* The end of this turn of the loop does the rest. */
static void
on_rested(WheelTimer *timer)
{
	(void) timer;
}

static Query *
take_rooms(Listener *listener, List *list, size_t node_offset, int most)
{
	Query *query = util_alloc(sizeof(*query) + MAX_ROOMS * sizeof(query->rooms[0]));

	query->listener = listener;
	query->count = 0;
	while (query->count < most && !list_empty(list))
	{
		Room *room = (Room *) (void *) ((char *) list->next - node_offset);

		list_remove(list->next);
		if (room->version < 0)
			continue;
		room_hold(room);
		query->rooms[query->count++] = room;
	}
	return query;
}

static void
free_query(Query *query)
{
	for (int i = 0; i < query->count; i++)
		room_unhold(query->rooms[i]);
	free(query);
}

/*
 * The room that a row is about, of those that asked: another id may have the same key, but what exists has asked. Rows come in
 * the order of the keys; `at` is where the search goes on.
 */
static Room *
room_of_row(const Query *query, int64_t key, int *at)
{
	while (*at < query->count && query->rooms[*at]->key != key)
		(*at)++;
	return *at < query->count ? query->rooms[*at] : NULL;
}

static void
add_keys(PgParams *params, const Query *query)
{
	pg_array_begin(params, PG_TYPE_INT8);
	for (int i = 0; i < query->count; i++)
		pg_array_int8(params, query->rooms[i]->key);
	pg_array_end(params);
}

/* Microseconds since 2000-01-01 UTC, as the database counts. */
static int64_t
wall_clock(void)
{
	struct timeval now;

	gettimeofday(&now, NULL);
	return ((int64_t) now.tv_sec - SECONDS_TO_2000) * 1000000 + now.tv_usec;
}

/* An event that was committed elsewhere is here. */
static void
note_arrival(const WireEvent *event, int64_t now)
{
	metrics_add(METRIC_EVENTS_FETCHED, 1);
	metrics_observe(HISTOGRAM_HINT_LAG, now > event->at ? (uint64_t) (now - event->at) : 0, 1);
}

static void
on_events(void *ctx, PgOutcome outcome, const PgResult *result)
{
	Query	 *query = ctx;
	Listener *listener = query->listener;
	int		  rows = outcome == PG_ROWS ? pg_rows(result) : 0;
	int		  at = 0;
	int64_t	  now = wall_clock();
	bool	  found = false;

	for (int i = 0; i < query->count; i++)
	{
		query->rooms[i]->fetching = false;
		query->rooms[i]->fetched_from = query->rooms[i]->version;
	}
	for (int row = 0; row < rows; row++)
	{
		Room	 *room = room_of_row(query, pg_int8(result, row, 0), &at);
		PgBytes	  user = pg_bytes(result, row, 5);
		PgBytes	  op = pg_bytes(result, row, 7);
		WireEvent event;

		if (room == NULL || room->life != room->fetch_life)
			continue;
		event.version = pg_int8(result, row, 1);
		event.event = (uint64_t) pg_int8(result, row, 2);
		event.site = pg_int8(result, row, 3);
		event.clock = pg_int8(result, row, 4);
		event.user = user.data;
		event.user_bytes = user.bytes;
		event.at = pg_int8(result, row, 6);
		event.op = op.data;
		event.op_bytes = op.bytes;
		if (event.version == room->version + 1)
			note_arrival(&event, now);
		room_fetched(room, &event);
	}
	for (int i = 0; i < query->count; i++)
	{
		Room *room = query->rooms[i];

		found = found || room->life != room->fetch_life || room->version > room->fetched_from;
		/* a version that does not come was a false hint; what is real will be found by the comparison */
		if (outcome == PG_ROWS && room->life == room->fetch_life && room->version <= room->fetched_from &&
			room->target > room->version)
			room->target = room->version;
		/* one room may have spoilt it for the others: each tries alone. Its own error would repeat: that is left to the next comparison */
		room->fetch_alone = outcome == PG_ERROR && query->count > 1;
		if (outcome != PG_ERROR || room->fetch_alone)
			room_want(room, room->target);
	}
	turn_over(listener, &listener->fetching, found);
	if (outcome == PG_ERROR)
		log_failure("cannot fetch events", result);
	free_query(query);
}

/* How many of the list go into one query: those in front of one that tries alone, or that. */
static int
fetch_together(const List *list)
{
	int	  count = 0;
	List *node;

	list_each(node, list)
	{
		if (count == MAX_ROOMS || container_of(node, Room, fetch)->fetch_alone)
			return count > 0 ? count : 1;
		count++;
	}
	return count;
}

/* From one version below the one that is known: its own event comes along, and proves that it is the same history. */
static void
send_fetch(Listener *listener)
{
	PgParams *params = &listener->params;
	Query	 *query =
		take_rooms(listener, &listener->fetch, offsetof(Room, fetch), fetch_together(&listener->fetch));

	if (query->count == 0)
	{
		free_query(query);
		return;
	}
	pg_params_clear(params);
	add_keys(params, query);
	pg_array_begin(params, PG_TYPE_INT8);
	for (int i = 0; i < query->count; i++)
		pg_array_int8(params, query->rooms[i]->version > 0 ? query->rooms[i]->version - 1 : 0);
	pg_array_end(params);
	pg_param_int4(params, (int32_t) listener->proxy->config.max_events + 1);
	turn_begin(&listener->fetching);
	for (int i = 0; i < query->count; i++)
	{
		query->rooms[i]->fetching = true;
		query->rooms[i]->fetch_life = query->rooms[i]->life;
	}
	if (!pg_send(listener->pg, STATEMENT_FETCH, params, on_events, query))
		on_events(query, PG_LOST, NULL);
}

static void
on_heads(void *ctx, PgOutcome outcome, const PgResult *result)
{
	Query	 *query = ctx;
	Listener *listener = query->listener;
	int		  rows = outcome == PG_ROWS ? pg_rows(result) : 0;
	int		  at = 0;
	bool	  found = false;

	for (int row = 0; row < rows; row++)
	{
		Room   *room = room_of_row(query, pg_int8(result, row, 0), &at);
		int64_t version = pg_int8(result, row, 1);

		if (room == NULL)
			continue;
		at++; /* one row for each key */
		room->head_seen = true;
		if (room->life != room->check_life)
			continue;
		found = found || version > room->version;
		room_check(room, version, (uint64_t) pg_int8(result, row, 2), room->checked_version);
	}
	for (int i = 0; i < query->count && outcome == PG_ROWS; i++)
	{
		Room *room = query->rooms[i];

		if (!room->head_seen && room->life == room->check_life)
			room_dropped(room);
		found = found || room->life != room->check_life;
	}
	turn_over(listener, &listener->checking, found);
	if (outcome == PG_ERROR)
		log_failure("cannot compare with the database", result);
	free_query(query);
}

static void
send_check(Listener *listener)
{
	PgParams *params = &listener->params;
	Query	 *query = take_rooms(listener, &listener->check, offsetof(Room, check), MAX_ROOMS);

	if (query->count == 0)
	{
		free_query(query);
		return;
	}
	pg_params_clear(params);
	add_keys(params, query);
	turn_begin(&listener->checking);
	for (int i = 0; i < query->count; i++)
	{
		query->rooms[i]->checked_version = query->rooms[i]->version;
		query->rooms[i]->check_life = query->rooms[i]->life;
		query->rooms[i]->head_seen = false;
	}
	if (!pg_send(listener->pg, STATEMENT_HEADS, params, on_heads, query))
		on_heads(query, PG_LOST, NULL);
}

void
listener_turn_end(Listener *listener)
{
	if (listener->check_everything)
		check_all(listener);
	listener->check_everything = false;
	if (!pg_is_up(listener->pg))
		return;
	(void) poll_ask(&listener->numbers, listener->pg, proxy_now(listener->proxy));
	if (!list_empty(&listener->fetch) && turn_free(listener, &listener->fetching))
		send_fetch(listener);
	if (pg_is_up(listener->pg) && !list_empty(&listener->check) && turn_free(listener, &listener->checking))
		send_check(listener);
}

/* ---- life ---- */

Listener *
listener_create(Proxy *proxy)
{
	Listener *listener = util_alloc_zero(sizeof(*listener));

	listener->proxy = proxy;
	listener->numbers.kind = &poll_database;
	listener->setup.label = "listener";
	listener->setup.conninfo = proxy->config.database;
	listener->setup.statements = statements;
	listener->setup.statement_count = proxy->bus != NULL ? 3 : 2;
	listener->setup.listen_sql = "LISTEN collab";
	listener->setup.statement_timeout_ms = proxy->config.statement_timeout_ms;
	listener->setup.connect_timeout_ms = proxy->config.connect_timeout_ms;
	listener->setup.answer_timeout_ms = proxy->config.answer_timeout_ms;
	listener->setup.pings = true;
	listener->setup.must_write = true;
	list_init(&listener->fetch);
	list_init(&listener->check);
	pg_params_init(&listener->params);
	wheel_timer_init(&listener->timer, on_timer);
	wheel_timer_init(&listener->rested, on_rested);
	wheel_set(&proxy->wheel, &listener->timer, (uint64_t) proxy->config.heads_check_ms);
	listener->pg = pg_create(&proxy->loop, &proxy->wheel, &listener->setup, &hooks, listener);
	return listener;
}

void
listener_destroy(Listener *listener)
{
	wheel_cancel(&listener->proxy->wheel, &listener->timer);
	wheel_cancel(&listener->proxy->wheel, &listener->rested);
	pg_destroy(listener->pg);
	pg_params_free(&listener->params);
	free(listener);
}

bool
listener_up(const Listener *listener)
{
	return pg_is_up(listener->pg);
}

bool
listener_idle(const Listener *listener)
{
	return !listener->fetching.busy && list_empty(&listener->fetch);
}

Pg *
listener_pg(Listener *listener)
{
	return listener->pg;
}

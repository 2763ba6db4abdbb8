/* cache.c - what proxies leave in Redis: the snapshot of a document, its last operations, and who is there. */
#include "cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bus.h"
#include "redis.h"
#include "room.h"

#define LIFE_SECONDS "3600"
#define LIFE_MS (3600 * 1000)
#define MAX_OPERATIONS 1000
#define MAX_RECORD_BYTES 8192 /* a larger event is not kept: the chain begins anew behind it */
#define MAX_WARM 512		  /* times MAX_RECORD_BYTES is less than any redis_buffer_bytes */
#define RECORDS_PER_COMMAND 64
#define MAX_SNAPSHOT_BYTES (4 * 1024 * 1024)
#define PATIENCE_MS 100 /* with Redis, before the database is asked */
#define KIND 's'
#define MEMBERS_SOON_MS 500
#define MEMBERS_MS 5000
#define MEMBER_LIFE_SECONDS "10"
#define MEMBER_LIFE 10
#define MAX_HEAD 128
#define LAST_BYTE "4194431" /* of such a snapshot and its head, at most */

#define WORD(literal) literal, sizeof(literal) - 1

/* The words of one command. */
typedef struct Command
{
	int			count;
	const char *words[2 + 2 * RECORDS_PER_COMMAND];
	size_t		bytes[2 + 2 * RECORDS_PER_COMMAND];
} Command;

static void
add(Command *command, const char *word, size_t bytes)
{
	command->words[command->count] = word;
	command->bytes[command->count++] = bytes;
}

/* Begins a command about a key: {prefix}doc:{id}:{suffix}. The key lies in *name. */
static void
begin(Command *command, Room *room, Buf *name, const char *verb, const char *suffix)
{
	command->count = 0;
	add(command, verb, strlen(verb));
	buf_clear(name);
	buf_str(name, room->proxy->config.redis_prefix);
	buf_bytes(name, "doc:", 4);
	buf_str(name, room->doc_id);
	buf_str(name, suffix);
	add(command, name->data, name->size);
}

/* Whatever becomes of it. */
static void
say(Room *room, const Command *command)
{
	(void) !redis_send(bus_redis(room->proxy->bus), command->count, command->words, command->bytes, NULL,
					   NULL);
}

/* ---- operations ---- */

/* At least once in a minute of work: more often would cost more than a little less of an hour. */
static void
prolong(Room *room, Buf *name)
{
	Command	 command;
	uint64_t now = proxy_now(room->proxy);

	if (room->bus->prolonged != 0 && now - room->bus->prolonged < 60000)
		return;
	room->bus->prolonged = now;
	begin(&command, room, name, "EXPIRE", ":operations");
	add(&command, WORD(LIFE_SECONDS));
	say(room, &command);
}

void
cache_add_operations(Room *room, const char *data, const CacheRecord *records, size_t count)
{
	char	scores[RECORDS_PER_COMMAND][24];
	Command command;
	Buf		name;
	size_t	start = 0;
	size_t	next = 0;

	buf_init(&name, util_buffer_alloc);
	while (next < count)
	{
		begin(&command, room, &name, "ZADD", ":operations");
		for (int i = 0; i < RECORDS_PER_COMMAND && next < count; start = records[next++].end)
		{
			if (records[next].end - start > MAX_RECORD_BYTES)
				continue;
			add(&command, scores[i],
				(size_t) snprintf(scores[i], sizeof(scores[i]), "%lld", (long long) records[next].version));
			add(&command, data + start, records[next].end - start);
			i++;
		}
		if (command.count > 2)
			say(room, &command);
	}
	begin(&command, room, &name, "ZREMRANGEBYRANK", ":operations");
	add(&command, WORD("0"));
	add(&command, WORD("-1001"));
	say(room, &command);
	prolong(room, &name);
	buf_free(&name);
}

/*
 * Newest first. From the event that the room is at, each names the one in front of it, so all of them are of the history that the
 * database has.
 */
static void
backfill(Room *room, const RedisReply *answer)
{
	uint64_t wanted = room->event;
	size_t	 used = 0;

	for (size_t i = 0; i < redis_count(answer); i++)
	{
		size_t		bytes = 0;
		const char *data = redis_string(redis_element(answer, i), &bytes);
		uint64_t	previous;
		WireEvent	event;

		if (data == NULL || event_record_read(bus_seal(room->proxy->bus), room->doc_id, &data, &bytes,
											  &previous, &event) != RECORD_GOOD)
			continue;
		if (event.version > room->version || event.event != wanted)
			continue;
		wanted = previous;
		used++;
		if (room_event(room, event.version) == NULL && !room_backfill(room, &event))
			break;
	}
	metrics_add(used > 0 ? METRIC_CACHE_OPERATIONS_HIT : METRIC_CACHE_OPERATIONS_MISS, 1);
}

static void
on_operations(void *ctx, const RedisReply *answer)
{
	Room *room = ctx;

	/* a room that was emptied meanwhile is told its version anew, and asks again then */
	if (room->version >= 0 && room->event != 0)
		backfill(room, answer);
	room_unhold(room);
}

void
cache_warm(Room *room)
{
	Command command;
	Buf		name;
	char	last[24];

	if (!bus_up(room->proxy->bus) || room->event == 0)
		return;
	buf_init(&name, util_buffer_alloc);
	begin(&command, room, &name, "ZREVRANGE", ":operations");
	add(&command, WORD("0"));
	add(&command, last,
		(size_t) snprintf(last, sizeof(last), "%lld",
						  (long long) (room->proxy->config.ring_events < MAX_WARM
										   ? room->proxy->config.ring_events
										   : MAX_WARM) -
							  1));
	if (redis_send(bus_redis(room->proxy->bus), command.count, command.words, command.bytes, on_operations,
				   room))
		room_hold(room);
	buf_free(&name);
}

/* ---- snapshots ---- */

/* A question to Redis. Lives until Redis has answered; whoever asks is answered in time. */
typedef struct CacheRead
{
	WheelTimer patience;
	Room	  *room;
	CacheDone  done; /* NULL: was called */
	void	  *ctx;
} CacheRead;

static void
finish(CacheRead *read, const CacheSnapshot *snapshot)
{
	CacheDone done = read->done;

	if (done == NULL)
		return;
	read->done = NULL;
	wheel_cancel(&read->room->proxy->wheel, &read->patience);
	metrics_add(snapshot->content != NULL ? METRIC_CACHE_SNAPSHOT_HIT : METRIC_CACHE_SNAPSHOT_MISS, 1);
	done(read->ctx, snapshot);
}

static void
on_impatient(WheelTimer *timer)
{
	static const CacheSnapshot none;

	finish(container_of(timer, CacheRead, patience), &none);
}

/* <seal> <version> <event>\n<content> */
static bool
read_snapshot(Room *room, const char *data, size_t bytes, CacheSnapshot *snapshot)
{
	const char *at = data + SEAL_BYTES + 1;
	const char *line_end = bytes > SEAL_BYTES ? memchr(data, '\n', bytes < MAX_HEAD ? bytes : MAX_HEAD) : NULL;
	const char *blank;

	if (line_end == NULL || line_end - at < 18 || data[SEAL_BYTES] != ' ')
		return false;
	blank = line_end - 17;
	if (*blank != ' ' || !util_parse_decimal(at, (size_t) (blank - at), WIRE_MAX_INTEGER, &snapshot->version) ||
		!util_parse_hex64(blank + 1, 16, &snapshot->event) ||
		!seal_is_good(bus_seal(room->proxy->bus), KIND, room->doc_id, data + SEAL_BYTES, bytes - SEAL_BYTES,
					  data))
		return false;
	snapshot->content = line_end + 1;
	snapshot->bytes = bytes - (size_t) (line_end + 1 - data);
	return true;
}

static void
on_snapshot(void *ctx, const RedisReply *answer)
{
	CacheRead	 *read = ctx;
	CacheSnapshot snapshot = {0};
	size_t		  bytes = 0;
	const char	 *data = redis_string(answer, &bytes);

	if (read->done != NULL && data != NULL && !read_snapshot(read->room, data, bytes, &snapshot))
		memset(&snapshot, 0, sizeof(snapshot));
	finish(read, &snapshot);
	free(read);
}

bool
cache_read_snapshot(Room *room, CacheDone done, void *ctx)
{
	CacheRead *read;
	Command	   command;
	Buf		   name;
	bool	   sent;

	if (!bus_up(room->proxy->bus))
		return false;
	read = util_alloc_zero(sizeof(*read));
	read->room = room;
	read->done = done;
	read->ctx = ctx;
	wheel_timer_init(&read->patience, on_impatient);
	buf_init(&name, util_buffer_alloc);
	/* not GET: nobody knows what lies there */
	begin(&command, room, &name, "GETRANGE", ":snapshot");
	add(&command, WORD("0"));
	add(&command, WORD(LAST_BYTE));
	sent = redis_send(bus_redis(room->proxy->bus), command.count, command.words, command.bytes, on_snapshot,
					  read);
	buf_free(&name);
	if (sent)
		wheel_set(&room->proxy->wheel, &read->patience, PATIENCE_MS);
	else
		free(read);
	return sent;
}

void
cache_write_snapshot(Room *room, const CacheSnapshot *snapshot)
{
	Command command;
	Buf		name;
	Buf		text;
	Buf		value;
	char	signature[SEAL_BYTES];

	if (!bus_up(room->proxy->bus) || snapshot->bytes > MAX_SNAPSHOT_BYTES)
		return;
	buf_init(&name, util_buffer_alloc);
	buf_init(&text, util_buffer_alloc);
	buf_init(&value, util_buffer_alloc);
	buf_char(&text, ' ');
	buf_i64(&text, snapshot->version);
	buf_char(&text, ' ');
	buf_hex64(&text, snapshot->event);
	buf_char(&text, '\n');
	buf_bytes(&text, snapshot->content, snapshot->bytes);
	if (seal_sign(bus_seal(room->proxy->bus), KIND, room->doc_id, text.data, text.size, signature))
	{
		buf_bytes(&value, signature, SEAL_BYTES);
		buf_bytes(&value, text.data, text.size);
		begin(&command, room, &name, "SET", ":snapshot");
		add(&command, value.data, value.size);
		add(&command, WORD("EX"));
		add(&command, WORD(LIFE_SECONDS));
		say(room, &command);
	}
	buf_free(&name);
	buf_free(&text);
	buf_free(&value);
}

static void
drop(Room *room, const char *suffix)
{
	Command command;
	Buf		name;

	buf_init(&name, util_buffer_alloc);
	begin(&command, room, &name, "DEL", suffix);
	say(room, &command);
	buf_free(&name);
}

void
cache_drop_snapshot(Room *room)
{
	if (bus_up(room->proxy->bus))
		drop(room, ":snapshot");
}

/* ---- members ---- */

/* A member as the list names it. */
static void
write_member(Buf *out, const Client *client)
{
	buf_str(out, "{\"session\":\"");
	buf_hex64(out, client->session);
	buf_str(out, "\",\"user\":");
	buf_str(out, client->user_json);
	buf_char(out, '}');
}

/* One command for a part of them, from *node on. */
static void
write_some_members(Room *room, Buf *name, List **node, const char *now)
{
	Command command;
	Buf		texts;
	size_t	ends[RECORDS_PER_COMMAND];
	int		count = 0;

	buf_init(&texts, util_buffer_alloc);
	for (; *node != &room->members && count < RECORDS_PER_COMMAND; *node = (*node)->next)
	{
		const Client *client = container_of(*node, Client, member);

		if (client->state != CLIENT_LIVE)
			continue;
		write_member(&texts, client);
		ends[count++] = texts.size;
	}
	begin(&command, room, name, "ZADD", ":presence");
	for (int i = 0; i < count; i++)
	{
		size_t start = i == 0 ? 0 : ends[i - 1];

		add(&command, now, strlen(now));
		add(&command, texts.data + start, ends[i] - start);
	}
	if (count > 0)
		say(room, &command);
	buf_free(&texts);
}

void
cache_write_members(Room *room)
{
	Command command;
	Buf		name;
	List   *node = room->members.next;
	char	now[24];
	char	past[24];

	room->bus->members_soon = false;
	if (room->member_count > 0)
		wheel_set(&room->proxy->wheel, &room->bus->members, MEMBERS_MS);
	if (room->member_count == 0 || !redis_is_up(bus_redis(room->proxy->bus)))
		return;
	snprintf(now, sizeof(now), "%lld", (long long) time(NULL));
	snprintf(past, sizeof(past), "(%lld", (long long) time(NULL) - MEMBER_LIFE);
	buf_init(&name, util_buffer_alloc);
	while (node != &room->members)
		write_some_members(room, &name, &node, now);
	/* those of a proxy that is no more */
	begin(&command, room, &name, "ZREMRANGEBYSCORE", ":presence");
	add(&command, WORD("-inf"));
	add(&command, past, strlen(past));
	say(room, &command);
	begin(&command, room, &name, "EXPIRE", ":presence");
	add(&command, WORD(MEMBER_LIFE_SECONDS));
	say(room, &command);
	buf_free(&name);
}

void
cache_member_came(Room *room)
{
	if (room->bus == NULL || room->bus->members_soon)
		return;
	room->bus->members_soon = true;
	wheel_set(&room->proxy->wheel, &room->bus->members, MEMBERS_SOON_MS);
}

void
cache_member_left(Room *room, const Client *client)
{
	Command command;
	Buf		name;
	Buf		text;

	if (room->bus == NULL || !redis_is_up(bus_redis(room->proxy->bus)))
		return;
	buf_init(&name, util_buffer_alloc);
	buf_init(&text, util_buffer_alloc);
	write_member(&text, client);
	begin(&command, room, &name, "ZREM", ":presence");
	add(&command, text.data, text.size);
	say(room, &command);
	buf_free(&name);
	buf_free(&text);
}

/* ---- the end ---- */

void
cache_forget(Room *room)
{
	if (!bus_up(room->proxy->bus))
		return;
	drop(room, ":snapshot");
	drop(room, ":operations");
	drop(room, ":presence");
}

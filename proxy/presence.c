/* presence.c - who is in a room and where their cursors are. Never touches the database. */
#include "presence.h"

#include "cache.h"

#include "exchange.h"
#include "remote.h"

#define HEAD_LITERAL(out, text) buf_bytes(out, text, sizeof(text) - 1)

static void on_timer(WheelTimer *timer);

void
presence_init(Room *room)
{
	wheel_timer_init(&room->presence_timer, on_timer);
	buf_init(&room->leaves, util_buffer_alloc);
	list_init(&room->remotes);
	list_init(&room->state);
}

void
presence_free(Room *room)
{
	exchange_forget(room);
	wheel_cancel(&room->proxy->wheel, &room->presence_timer);
	buf_free(&room->leaves);
}

/* Sends soon, but not sooner than the interval after the last time. */
void
presence_changed(Room *room)
{
	uint64_t now = proxy_now(room->proxy);
	uint64_t next = room->presence_sent + (uint64_t) room->proxy->config.presence_ms;

	if (!wheel_is_set(&room->presence_timer))
		wheel_set(&room->proxy->wheel, &room->presence_timer, next > now ? next - now : 0);
}

void
presence_join(Room *room, Client *client)
{
	client->greeted = client->announced = client->fresh = false;
	presence_changed(room);
	cache_member_came(room);
}

void
presence_gone(Room *room, uint64_t session)
{
	if (room->leaves.size > 0)
		buf_char(&room->leaves, ',');
	wire_leave(&room->leaves, session);
	presence_changed(room);
}

void
presence_leave(Room *room, Client *client)
{
	cache_member_left(room, client);
	if (!client->announced)
		return;
	room->shown--;
	presence_gone(room, client->session);
	exchange_leave_room(room, client);
}

void
presence_cursor(Room *room, Client *client, const WireMessage *message)
{
	client->cursor.version = message->version;
	client->cursor.shown = message->has_cursor;
	client->cursor.position = message->position;
	client->cursor.has_selection = message->has_selection;
	client->cursor.selection[0] = message->selection[0];
	client->cursor.selection[1] = message->selection[1];
	client->has_cursor = true;
	client->cursor_changed = true;
	presence_changed(room);
}

/* ---- sending ---- */

static void
separate(Buf *out, const char *member, bool *first)
{
	if (*first)
	{
		HEAD_LITERAL(out, ",\"");
		buf_str(out, member);
		HEAD_LITERAL(out, "\":[");
	}
	else
		buf_char(out, ',');
	*first = false;
}

/*
 * Who is shown to the others: all, or as many as came first. In a crowd each list costs its length times its readers. The place of one who
 * leaves is taken by the next.
 */
static void
choose(Room *room)
{
	List *node;

	list_each(node, &room->members)
	{
		Client *client = container_of(node, Client, member);

		if (room->shown >= room->proxy->config.max_presence)
			return;
		if (client->state != CLIENT_LIVE || client->announced)
			continue;
		client->announced = client->fresh = true;
		room->shown++;
	}
}

/* Everybody, or who is new. False: nobody. */
static bool
add_joins(Buf *out, const Room *room, bool everything)
{
	bool  none = true;
	List *node;

	list_each(node, &room->members)
	{
		const Client *client = container_of(node, Client, member);

		if (client->state != CLIENT_LIVE || !(everything ? client->announced : client->fresh))
			continue;
		separate(out, "join", &none);
		wire_join(out, client->session, client->user_json, client->name_json, client->color_json);
	}
	list_each(node, &room->remotes)
	{
		const Remote *remote = container_of(node, Remote, in_room);

		if (!everything && remote->announced)
			continue;
		separate(out, "join", &none);
		wire_join(out, remote->session, remote->user_json, remote->name_json, remote->color_json);
	}
	if (!none)
		buf_char(out, ']');
	return !none;
}

/* Every cursor, or those that moved. False: none. */
static bool
add_cursors(Buf *out, const Room *room, bool everything)
{
	bool  none = true;
	List *node;

	list_each(node, &room->members)
	{
		const Client *client = container_of(node, Client, member);
		bool		  wanted = everything ? client->cursor.shown : client->cursor_changed || client->fresh;

		if (client->state != CLIENT_LIVE || !client->announced || !client->has_cursor || !wanted)
			continue;
		separate(out, "cursors", &none);
		wire_cursor(out, client->session, client->user_json, &client->cursor);
	}
	list_each(node, &room->remotes)
	{
		const Remote *remote = container_of(node, Remote, in_room);
		bool		  wanted = everything ? remote->cursor.shown : remote->cursor_changed;

		if (!remote->has_cursor || !wanted)
			continue;
		separate(out, "cursors", &none);
		wire_cursor(out, remote->session, remote->user_json, &remote->cursor);
	}
	if (!none)
		buf_char(out, ']');
	return !none;
}

void
presence_list(const Room *room, Buf *out)
{
	HEAD_LITERAL(out, WIRE_PRESENCE_HEAD);
	(void) add_joins(out, room, true);
	(void) add_cursors(out, room, true);
	HEAD_LITERAL(out, WIRE_PRESENCE_TAIL);
}

/* Everybody and every cursor, or what is new. NULL when that is nothing. */
static Frame *
build(Room *room, bool everything)
{
	Buf *out = &room->proxy->scratch;
	bool leaves = !everything && room->leaves.size > 0;
	bool joins;
	bool cursors;

	buf_clear(out);
	HEAD_LITERAL(out, WIRE_PRESENCE_HEAD);
	joins = add_joins(out, room, everything);
	if (leaves)
	{
		HEAD_LITERAL(out, ",\"leave\":[");
		buf_bytes(out, room->leaves.data, room->leaves.size);
		buf_char(out, ']');
	}
	cursors = add_cursors(out, room, everything);
	if (room->shown >= room->proxy->config.max_presence && room->member_count > room->shown)
	{
		HEAD_LITERAL(out, ",\"others\":");
		buf_i64(out, room->member_count - room->shown);
	}
	HEAD_LITERAL(out, WIRE_PRESENCE_TAIL);
	if (!joins && !cursors && !leaves)
		return NULL;
	return frame_create(out, !everything); /* the first list belongs to the answer to `open` */
}

/* From now on everybody knows of it, other proxies included. */
static void
announce(Room *room)
{
	List *node;

	list_each(node, &room->members)
	{
		Client *client = container_of(node, Client, member);

		if (client->state != CLIENT_LIVE)
			continue;
		if (client->fresh)
			exchange_join(room, client);
		else if (client->announced && client->cursor_changed)
			exchange_cursor(room, client);
		client->fresh = client->cursor_changed = false;
	}
	list_each(node, &room->remotes)
	{
		Remote *remote = container_of(node, Remote, in_room);

		remote->announced = true;
		remote->cursor_changed = false;
	}
}

/* Those who came since the last time get the whole list, the others what is new. Both are built once for all. */
static void
on_timer(WheelTimer *timer)
{
	Room  *room = container_of(timer, Room, presence_timer);
	Frame *changes;
	Frame *everybody = NULL;
	List  *node;
	List  *after;

	choose(room);
	changes = build(room, false);
	room->presence_sent = proxy_now(room->proxy);
	buf_clear(&room->leaves);
	list_each(node, &room->members)
	{
		const Client *client = container_of(node, Client, member);

		if (client->state == CLIENT_LIVE && !client->greeted && everybody == NULL)
			everybody = build(room, true);
	}
	announce(room);
	room_hold(room);
	list_each_safe(node, after, &room->members)
	{
		Client *client = container_of(node, Client, member);
		Frame  *frame = client->greeted ? changes : everybody;

		if (client->state != CLIENT_LIVE || frame == NULL)
			continue;
		client->greeted = true;
		client_send(client, frame_ref(frame));
	}
	frame_unref(changes);
	frame_unref(everybody);
	room_unhold(room);
}

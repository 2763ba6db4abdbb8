/* presence.c - who is in a room and where their cursors are. Never touches the database. */
#include "presence.h"

#define HEAD_LITERAL(out, text) buf_bytes(out, text, sizeof(text) - 1)

static void on_timer(WheelTimer *timer);

void
presence_init(Room *room)
{
	wheel_timer_init(&room->presence_timer, on_timer);
	buf_init(&room->leaves, util_buffer_alloc);
}

void
presence_free(Room *room)
{
	wheel_cancel(&room->proxy->wheel, &room->presence_timer);
	buf_free(&room->leaves);
}

/* Sends soon, but not sooner than the interval after the last time. */
static void
schedule(Room *room)
{
	uint64_t now = proxy_now(room->proxy);
	uint64_t next = room->presence_sent + (uint64_t) room->proxy->config.presence_ms;

	if (!wheel_is_set(&room->presence_timer))
		wheel_set(&room->proxy->wheel, &room->presence_timer, next > now ? next - now : 0);
}

void
presence_join(Room *room, Client *client)
{
	client->greeted = false;
	client->announced = false;
	schedule(room);
}

void
presence_leave(Room *room, Client *client)
{
	if (!client->announced)
		return;
	if (room->leaves.size > 0)
		buf_char(&room->leaves, ',');
	wire_leave(&room->leaves, client->session);
	schedule(room);
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
	schedule(room);
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

/* Everybody and every cursor, or what is new. NULL when that is nothing. */
static Frame *
build(Room *room, bool everything)
{
	Buf	 *out = &room->proxy->scratch;
	List *node;
	bool  no_joins = true;
	bool  no_cursors = true;

	buf_clear(out);
	HEAD_LITERAL(out, WIRE_PRESENCE_HEAD);
	list_each(node, &room->members)
	{
		const Client *client = container_of(node, Client, member);

		if (client->state != CLIENT_LIVE || (!everything && client->announced))
			continue;
		separate(out, "join", &no_joins);
		wire_join(out, client->session, client->user_json, client->name_json, client->color_json);
	}
	if (!no_joins)
		buf_char(out, ']');
	if (!everything && room->leaves.size > 0)
	{
		HEAD_LITERAL(out, ",\"leave\":[");
		buf_bytes(out, room->leaves.data, room->leaves.size);
		buf_char(out, ']');
	}
	list_each(node, &room->members)
	{
		const Client *client = container_of(node, Client, member);
		bool		  wanted = everything ? client->cursor.shown : client->cursor_changed;

		if (client->state != CLIENT_LIVE || !client->has_cursor || !wanted)
			continue;
		separate(out, "cursors", &no_cursors);
		wire_cursor(out, client->session, client->user_json, &client->cursor);
	}
	if (!no_cursors)
		buf_char(out, ']');
	HEAD_LITERAL(out, WIRE_PRESENCE_TAIL);
	if (no_joins && no_cursors && (everything || room->leaves.size == 0))
		return NULL;
	return frame_create(out, !everything); /* the first list belongs to the answer to `open` */
}

/* Those who came since the last time get the whole list, the others what is new. Both are built once for all. */
static void
on_timer(WheelTimer *timer)
{
	Room  *room = container_of(timer, Room, presence_timer);
	Frame *changes = build(room, false);
	Frame *everybody = NULL;
	List  *node;
	List  *after;

	room->presence_sent = proxy_now(room->proxy);
	buf_clear(&room->leaves);
	list_each(node, &room->members)
	{
		Client *client = container_of(node, Client, member);

		if (client->state != CLIENT_LIVE)
			continue;
		client->announced = true;
		client->cursor_changed = false;
		if (!client->greeted && everybody == NULL)
			everybody = build(room, true);
	}
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

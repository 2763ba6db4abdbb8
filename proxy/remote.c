/* remote.c - members of other proxies as those have told of them, in a table by session. */
#include "remote.h"

#include <stdlib.h>
#include <string.h>

#include "presence.h"
#include "room.h"

#define FIRST_BUCKETS 64

void
remote_free(RemoteTable *table)
{
	free(table->buckets);
	table->buckets = NULL;
	table->bucket_count = table->count = 0;
}

/* ---- the table; sessions are random ---- */

static Remote **
bucket_of(const RemoteTable *table, uint64_t session)
{
	return &table->buckets[session & (table->bucket_count - 1)];
}

Remote *
remote_find(const RemoteTable *table, uint64_t session)
{
	Remote *remote = table->bucket_count == 0 ? NULL : *bucket_of(table, session);

	while (remote != NULL && remote->session != session)
		remote = remote->next;
	return remote;
}

static void
grow(RemoteTable *table)
{
	RemoteTable larger = {.bucket_count = table->bucket_count == 0 ? FIRST_BUCKETS : table->bucket_count * 2,
						  .count = table->count};

	larger.buckets = util_alloc_zero(larger.bucket_count * sizeof(*larger.buckets));
	for (size_t i = 0; i < table->bucket_count; i++)
	{
		while (table->buckets[i] != NULL)
		{
			Remote	*remote = table->buckets[i];
			Remote **bucket = bucket_of(&larger, remote->session);

			table->buckets[i] = remote->next;
			remote->next = *bucket;
			*bucket = remote;
		}
	}
	free(table->buckets);
	*table = larger;
}

/* ---- members ---- */

static const char *
keep_text(char **at, const ExchangeText *text)
{
	char *kept = *at;

	if (text->data == NULL)
		return NULL;
	memcpy(kept, text->data, text->bytes);
	kept[text->bytes] = '\0';
	*at += text->bytes + 1;
	return kept;
}

Remote *
remote_add(RemoteTable *table, Peer *peer, Room *room, const ExchangeRecord *record, uint64_t now)
{
	Remote	*remote;
	Remote **bucket;
	char	*texts;

	if (table->count >= REMOTE_MAX)
		return NULL;
	if (table->count >= table->bucket_count)
		grow(table);
	/* one piece of memory: there may be many of them */
	remote = util_alloc(sizeof(*remote) + record->user.bytes + record->name.bytes + record->color.bytes + 3);
	memset(remote, 0, sizeof(*remote));
	texts = (char *) (remote + 1);
	remote->user_json = keep_text(&texts, &record->user);
	remote->name_json = keep_text(&texts, &record->name);
	remote->color_json = keep_text(&texts, &record->color);
	remote->session = record->session;
	remote->peer = peer;
	remote->room = room;
	remote->refreshed = now;
	bucket = bucket_of(table, remote->session);
	remote->next = *bucket;
	*bucket = remote;
	table->count++;
	list_append(&room->remotes, &remote->in_room);
	list_append(&peer->members, &remote->of_peer);
	room->remote_count++;
	presence_changed(room);
	return remote;
}

static void
release(RemoteTable *table, Remote *remote)
{
	Remote **at = bucket_of(table, remote->session);

	while (*at != remote)
		at = &(*at)->next;
	*at = remote->next;
	table->count--;
	list_remove(&remote->in_room);
	list_remove(&remote->of_peer);
	remote->room->remote_count--;
	free(remote);
}

void
remote_remove(RemoteTable *table, Remote *remote)
{
	if (remote->announced)
		presence_gone(remote->room, remote->session);
	release(table, remote);
}

void
remote_set_cursor(Remote *remote, const WireCursor *cursor)
{
	const WireCursor *old = &remote->cursor;

	/* proxies repeat cursors, lest one that was lost stays where it was */
	if (remote->has_cursor && old->version == cursor->version && old->shown == cursor->shown &&
		old->position == cursor->position && old->has_selection == cursor->has_selection &&
		old->selection[0] == cursor->selection[0] && old->selection[1] == cursor->selection[1])
		return;
	remote->cursor = *cursor;
	remote->has_cursor = true;
	remote->cursor_changed = true;
	presence_changed(remote->room);
}

/* ---- the members of one peer in one room ---- */

void
remote_digest(const Room *room, const Peer *peer, uint64_t *count, uint64_t *sum)
{
	List *node;

	*count = *sum = 0;
	list_each(node, &room->remotes)
	{
		const Remote *remote = container_of(node, Remote, in_room);

		if (remote->peer != peer)
			continue;
		(*count)++;
		*sum += remote->session;
	}
}

void
remote_mark_stale(Room *room, const Peer *peer)
{
	List *node;

	list_each(node, &room->remotes)
	{
		Remote *remote = container_of(node, Remote, in_room);

		if (remote->peer == peer)
			remote->stale = true;
	}
}

void
remote_drop_stale(RemoteTable *table, Room *room, const Peer *peer)
{
	List *node;
	List *after;

	list_each_safe(node, after, &room->remotes)
	{
		Remote *remote = container_of(node, Remote, in_room);

		if (remote->peer == peer && remote->stale)
			remote_remove(table, remote);
	}
}

void
remote_refresh(Room *room, const Peer *peer, uint64_t now)
{
	List *node;

	list_each(node, &room->remotes)
	{
		Remote *remote = container_of(node, Remote, in_room);

		if (remote->peer == peer)
			remote->refreshed = now;
	}
}

void
remote_forget_room(RemoteTable *table, Room *room)
{
	while (!list_empty(&room->remotes))
		release(table, container_of(room->remotes.next, Remote, in_room));
}

/* presence.h - who is in a room and where their cursors are. Never touches the database. */
#ifndef COLLAB_PROXY_PRESENCE_H
#define COLLAB_PROXY_PRESENCE_H

#include "room.h"

void presence_init(Room *room);
void presence_free(Room *room);
void presence_join(Room *room, Client *client);
void presence_leave(Room *room, Client *client);
/* A member elsewhere came or moved its cursor; one that the members here know of left. */
void presence_changed(Room *room);
void presence_gone(Room *room, uint64_t session);
/* Everybody who is there with every cursor, as a presence message. */
void presence_list(const Room *room, Buf *out);
/* Only the latest cursor of a session goes out. */
void presence_cursor(Room *room, Client *client, const WireMessage *message);

#endif

/* rooms.h - the table of open documents. */
#ifndef COLLAB_PROXY_ROOMS_H
#define COLLAB_PROXY_ROOMS_H

#include "proxy.h"

RoomTable *rooms_create(Proxy *proxy);
void	   rooms_destroy(RoomTable *table);
int64_t	   rooms_count(const RoomTable *table);
/* All rooms, linked by Room.all. */
List *rooms_all(RoomTable *table);
Room *rooms_find(RoomTable *table, int64_t key);
/* The next one with the same key: anybody can find an id whose key is that of another. */
Room *rooms_find_next(Room *room);
/* The room of a document, made if need be; the caller joins or holds it. */
Room *rooms_enter(RoomTable *table, const char *doc_id);
/* Wakes the members of every room that got events. */
void rooms_turn_end(RoomTable *table);
/* What they were woken for is written. */
void rooms_written(RoomTable *table);
/* This room has something new for its members. */
void rooms_wake(Room *room);
/* Frees it when nobody is there and nothing is under way for it. */
void rooms_free_if_idle(Room *room);

#endif

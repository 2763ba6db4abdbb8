/* listener.h - hears of commits by others, fetches what a room lacks, and compares the rooms with the database. */
#ifndef COLLAB_PROXY_LISTENER_H
#define COLLAB_PROXY_LISTENER_H

#include "pg.h"
#include "proxy.h"

Listener *listener_create(Proxy *proxy);
void	  listener_destroy(Listener *listener);
/* Fetches the events behind room->version. */
void listener_fetch(Listener *listener, Room *room);
/* Compares the room with the head in the database. */
void listener_check(Listener *listener, Room *room);
/* The room is being freed. */
void listener_forget(Room *room);
void listener_turn_end(Listener *listener);
/* No room waits for events that are known to exist. */
bool listener_idle(const Listener *listener);
bool listener_up(const Listener *listener);
/* Its connection, for short statements of others. */
Pg *listener_pg(Listener *listener);

#endif

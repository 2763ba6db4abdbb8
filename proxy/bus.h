/* bus.h - what proxies tell each other over Redis: the events that they committed, and presence. */
#ifndef COLLAB_PROXY_BUS_H
#define COLLAB_PROXY_BUS_H

#include "proxy.h"

/*
 * Redis carries copies, never the truth. Each event is sealed with a key that only proxies of this database have, names the event in
 * front of it, and is taken only as the next version of the very history that the room is at; whatever does not fit makes the
 * room look into the database. Whoever can write to Redis can thus make things late, and nothing else.
 */

/* What the bus knows of a room. */
typedef struct BusRoom
{
	Room	  *room;
	List	   subscribe; /* in the bus's list of rooms to subscribe for */
	List	   publish;	  /* in its list of rooms with something to send */
	Buf		   records;	  /* that: sealed events, one after the other */
	Buf		   marks;	  /* CacheRecords: where each of them ends */
	List	   early;	  /* EarlyEvent.node, ascending: they came before those in front of them */
	size_t	   early_bytes;
	WheelTimer members;	  /* then the list of members in Redis is renewed */
	WheelTimer grace;	  /* then the versions that are missing are read from the database */
	uint64_t   prolonged; /* when the life of its operations in Redis was, by proxy_now() */
	bool	   members_soon;
	bool	   subscribed; /* on the connection at hand; not yet confirmed */
	bool	   live;	   /* confirmed */
	bool	   missed;	   /* while it was not, something may have come */
} BusRoom;

/* NULL: redis_url is not set. All that takes a Bus or a Room does nothing then. */
Bus *bus_create(Proxy *proxy);
/* Ends the connections; whoever waits for an answer of Redis is told that none will come. */
void bus_stop(Bus *bus);
/* When there are no rooms any more. */
void bus_destroy(Bus *bus);
/* What messages are sealed with, from the database; it changes when a standby was promoted. */
void bus_set_key(Bus *bus, const char *key, size_t bytes);
bool bus_up(const Bus *bus);
/* For the cache: the connection that does not subscribe, and what is sealed with. */
struct Redis *bus_redis(Bus *bus);
struct Seal	 *bus_seal(Bus *bus);
/* Sends what this turn has brought so far. */
void bus_turn_end(Bus *bus);

/* ---- called by rooms ---- */

void bus_open(Room *room);
void bus_close(Room *room);
/* Committed by this proxy, and taken by the room; previous: id of the event in front of it. */
void bus_committed(Room *room, uint64_t previous, const WireEvent *event);
/* Committed by this proxy, but the room lacks versions in front of it. Kept until they are here. */
void bus_committed_early(Room *room, const WireEvent *event);
/* The room has moved on: what was kept may fit now. */
void bus_advanced(Room *room);
/* All of the document was forgotten. */
void bus_reset(Room *room);
/* Whether versions that the room lacks will probably come by themselves. If they do not, room_want() is called a moment later. */
bool bus_waits(Room *room);

#endif

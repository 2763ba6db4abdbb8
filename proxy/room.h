/* room.h - one open document: who is there, its recent events, and the one ordered stream to everybody. */
#ifndef COLLAB_PROXY_ROOM_H
#define COLLAB_PROXY_ROOM_H

#include "answers.h"
#include "client.h"
#include "proxy.h"
#include "rooms.h"

/* An event as every socket gets it, serialised once. */
typedef struct RingEvent
{
	int64_t	 version;
	uint64_t event;
	int64_t	 site;
	int64_t	 clock;
	uint64_t end; /* bytes of all events of this room so far, this one included */
	uint32_t bytes;
	uint32_t user_bytes; /* the user's name stands behind the text */
	char	 text[];
} RingEvent;

struct Room
{
	Proxy  *proxy;
	Room   *next; /* in its bucket of the table */
	List	all;  /* in the list of all rooms */
	char   *doc_id;
	int64_t key;

	/*
	 * What this process knows of the document: `version` is the last one in the ring, `event` its id (0: not known yet); -1: nothing. Every
	 * member's position lies between the ring's first version - 1 and ... whatever it was told by `open`.
	 */
	int64_t		version;
	uint64_t	event;
	RingEvent **ring; /* version v is at v & (ring_capacity - 1) */
	int64_t		ring_capacity;
	int64_t		ring_count;
	uint64_t	ring_end;
	int64_t		ring_old; /* up to this version they have been here for ring_ms */
	int64_t		slowest;  /* no member's position is lower */
	uint32_t life; /* counts how often all of it was forgotten or doubted: older answers are about another history */
	bool doubted; /* the database was away: it may have come back without the last versions */

	List members;
	int	 member_count;
	int	 holds; /* messages and queries under way */
	List woken; /* in the table's list of rooms with something new */

	/* opening (loader) */
	List	loads;	  /* Load.in_room: what is asked for it */
	Answer *snapshot; /* kept for those who open it soon */
	Answer *replay;

	/* writing to a crowd (rooms) */
	uint64_t spread_at;	  /* when all were written to, ms of the loop's clock */
	uint64_t spread_end;  /* ring_end then */
	uint64_t spread_due;  /* since when somebody has to wait, by proxy_clock(); 0: nobody does */
	int64_t	 answered_to; /* the version up to which those who wait for an answer were written to */

	/* gap fetch (listener) */
	int64_t	 target; /* a version that is known to exist */
	int		 busy;	 /* batches under way whose answer will bring the next versions: hints wait for it */
	List	 fetch;	 /* in the listener's list */
	bool	 fetching;
	bool	 fetch_alone;  /* the last query failed, perhaps because of others */
	uint32_t fetch_life;   /* when the query was sent */
	int64_t	 fetched_from; /* the version before the last fetch */

	/* comparison with the database (listener) */
	List	 check;			  /* in the listener's list */
	uint32_t check_life;	  /* when the query was sent */
	int64_t	 checked_version; /* the same */
	bool	 head_seen;

	struct BusRoom *bus; /* NULL: there is no bus */

	/* presence */
	WheelTimer presence_timer;
	uint64_t   presence_sent;
	bool	   presence_changed;
	int64_t	   shown;  /* members that are announced */
	Buf		   leaves; /* sessions, as elements of `leave` */

	/* members of other proxies (exchange) */
	List remotes;
	int	 remote_count;
	int	 present; /* members here that others may know of */
	List state;	  /* in the exchange's list of rooms that were asked for theirs */
};

/* Called by the table when it makes and frees a room. */
void room_init_content(Room *room);
void room_free_content(Room *room);

/* Keeps a room in memory while something is under way for it. */
void room_hold(Room *room);
void room_unhold(Room *room);

void room_join(Room *room, Client *client);
void room_leave(Room *room, Client *client);
/* The client was brought to this version: the stream goes on from there. */
void room_place(Room *room, Client *client, int64_t version);

/* Every ring_ms: drops what was there at the last time already, except what a member has still to get. */
void room_age(Room *room);

/* Bytes that the recent events of all rooms hold. */
size_t room_ring_memory(void);

/* Committed by this proxy; sent_at: the room's version when it was sent. If it is not the next one, what lies between is fetched. */
void room_committed(Room *room, const WireEvent *event, int64_t sent_at);
/* The database was away. Nothing is put behind what is known here before it has shown that it has that, too. */
void room_doubt(Room *room);
/* Read from the database. */
void room_fetched(Room *room, const WireEvent *event);
/* The next version, from whatever source; nothing is checked. */
void room_append(Room *room, const WireEvent *event);
/* This version exists: fetch up to it. */
void room_want(Room *room, int64_t version);
/* The same, but what others tell over the bus may bring it before. */
void room_want_soon(Room *room, int64_t version);
/* The same from a hint, which as a rule is about a batch of our own whose answer is on its way. */
void room_hint(Room *room, int64_t version);
/* A message of this room was sent, was answered. */
void room_sent(Room *room);
void room_answered(Room *room);
/* An `open` found the head at (version, event); sent_at: the room's version when the query was sent. Returns false when the
 * answer is older than the ring reaches: ask again. */
bool room_observe(Room *room, int64_t version, uint64_t event, int64_t sent_at) MUST_CHECK;
/* The id of the event at this version, in case the room does not know it yet. */
void room_learn(Room *room, int64_t version, uint64_t event);
/* An event that lies just before the ring: whoever stands a little behind will find it here. False: no room for it. */
bool room_backfill(Room *room, const WireEvent *event);
/* Whether whoever stands at this version can be led on from here. */
bool room_reaches(const Room *room, int64_t version);
/* Whether an event of the client's own site came after this version. */
bool room_has_own_since(const Room *room, const Client *client, int64_t version);
/* Whether (version, event) is the head or lies in the ring. */
bool			 room_knows(const Room *room, int64_t version, uint64_t event);
const RingEvent *room_event(const Room *room, int64_t version);
/* The database answered (version, event) for the head; sent_at as above. */
void room_check(Room *room, int64_t version, uint64_t event, int64_t sent_at);
/* The document is gone: OT004 and 4404 for all. */
void room_dropped(Room *room);

/* The part of the stream that `client` lacks, as complete frames; moves its position. */
size_t room_stream(Room *room, Client *client, char *out, size_t capacity);
bool   room_has_more(const Room *room, const Client *client);

#endif

/* remote.h - members of other proxies as those have told of them, in a table by session. */
#ifndef COLLAB_PROXY_REMOTE_H
#define COLLAB_PROXY_REMOTE_H

#include "exchange_wire.h"
#include "proxy.h"

/* Another proxy. */
typedef struct Peer
{
	List	 node;
	uint64_t id;
	uint64_t number; /* of its last batch: what comes again, or late, is not looked at */
	uint64_t heard;	 /* when that came */
	List	 members;
} Peer;

typedef struct Remote
{
	List		   in_room; /* Room.remotes */
	List		   of_peer;
	struct Remote *next; /* in its bucket */
	Peer		  *peer;
	Room		  *room;
	uint64_t	   session;
	uint64_t	   refreshed; /* when its proxy told last that it is there */
	const char	  *user_json; /* behind the struct */
	const char	  *name_json; /* or NULL */
	const char	  *color_json;
	WireCursor	   cursor;
	bool		   has_cursor;
	bool		   cursor_changed;
	bool		   announced; /* the room's members know of it */
	bool		   stale;	  /* not (yet) named by the state that is coming in */
} Remote;

typedef struct RemoteTable
{
	Remote **buckets;
	size_t	 bucket_count; /* a power of two; 0: nothing was ever there */
	size_t	 count;
} RemoteTable;

/* Whatever other proxies say, memory is bounded. */
#define REMOTE_MAX 500000

void	remote_free(RemoteTable *table);
Remote *remote_find(const RemoteTable *table, uint64_t session);
/* `record`: a MEMBER with a session that is not in the table. NULL: the table is full. */
Remote *remote_add(RemoteTable *table, Peer *peer, Room *room, const ExchangeRecord *record, uint64_t now);
/* Tells the room's members as well. */
void remote_remove(RemoteTable *table, Remote *remote);
void remote_set_cursor(Remote *remote, const WireCursor *cursor);
/* How many members of a peer are in a room, and the sum of their sessions, which is the same in any order. */
void remote_digest(const Room *room, const Peer *peer, uint64_t *count, uint64_t *sum);
/* A peer's members in a room: all that `stale` says are stale are removed, or all are marked stale. */
void remote_mark_stale(Room *room, const Peer *peer);
void remote_drop_stale(RemoteTable *table, Room *room, const Peer *peer);
void remote_refresh(Room *room, const Peer *peer, uint64_t now);
/* Of a room whose last member here is gone, or which is being freed: nobody is told. */
void remote_forget_room(RemoteTable *table, Room *room);

#endif

/* cache.h - what proxies leave in Redis: the snapshot of a document, its last operations, and who is there. */
#ifndef COLLAB_PROXY_CACHE_H
#define COLLAB_PROXY_CACHE_H

#include "event_record.h"
#include "proxy.h"

/*
 * {prefix}doc:{id}:snapshot	a sealed snapshot, for an hour
 * {prefix}doc:{id}:operations	the last 1,000 events that proxies committed, as a sorted set: score = version; for an hour after the last
 * {prefix}doc:{id}:presence	who is there, for whoever looks: {"session":"...","user":"..."}, score = when that was last so, in Unix
 *							seconds; for 10 s after the last. Proxies tell each other of their members otherwise, and do not read it.
 *
 * Everything can be missing, old, of another history, or forged. What is not sealed by a proxy of this database is not looked at; the rest is
 * used only where the database has confirmed that (version, id of the event there) lies in the history that it has now.
 */

/* A sealed event: where it ends in the bytes that it stands in, and its version. */
typedef struct CacheRecord
{
	int64_t version;
	size_t	end;
} CacheRecord;

/* Adds operations; records stand one after the other in data. */
void cache_add_operations(Room *room, const char *data, const CacheRecord *records, size_t count);
/* The room has just been told its version by the database: fills its memory with what came before, so that others find it there. */
void cache_warm(Room *room);

typedef struct CacheSnapshot
{
	int64_t		version;
	uint64_t	event;
	const char *content; /* NULL: there is none */
	size_t		bytes;
} CacheSnapshot;

/* Called once, soon: Redis is not waited for long. */
typedef void (*CacheDone)(void *ctx, const CacheSnapshot *snapshot);

/* False: there is no use in asking; done is not called. The caller holds the room until done. */
bool cache_read_snapshot(Room *room, CacheDone done, void *ctx) MUST_CHECK;
void cache_write_snapshot(Room *room, const CacheSnapshot *snapshot);
/* It lags behind, or is of another history. */
void cache_drop_snapshot(Room *room);
/* A member came: the list in Redis is renewed soon, and from then on as often as heartbeats are due. */
void cache_member_came(Room *room);
void cache_member_left(Room *room, const Client *client);
/* Renews it. */
void cache_write_members(Room *room);

/* The document is gone. */
void cache_forget(Room *room);

#endif

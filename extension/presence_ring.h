/* presence_ring.h - what proxies tell each other of their members: a ring in shared memory that keeps nothing for long. */
#ifndef COLLAB_PRESENCE_RING_H
#define COLLAB_PRESENCE_RING_H

#include "postgres.h"

/* Of all databases of the server together. What is older than the last so many bytes or messages is overwritten. */
#define PRESENCE_RING_BYTES (2 * 1024 * 1024)
#define PRESENCE_RING_MESSAGES 16384

/* A message is never larger. */
#define PRESENCE_MESSAGE_MAX (64 * 1024)

/* One answer to who receives, unless its first message is larger. */
#define PRESENCE_RECEIVE_BYTES (256 * 1024)
#define PRESENCE_RECEIVE_MESSAGES 1024

/* What came since. The messages stand one behind the other. */
typedef struct PresenceTaken
{
	int64 next;	  /* where to go on */
	bool overrun; /* `since` is not in the ring: messages were missed, or it is of another life of the server */
	int	  count;
	int32 bytes[PRESENCE_RECEIVE_MESSAGES];
	char  data[PRESENCE_RECEIVE_BYTES];
} PresenceTaken;

/* Called by _PG_init. Where the library is preloaded: reserves shared memory. */
extern void presence_ring_init(void);

extern bool presence_ring_exists(void);

/* Adds a message for this database; wakes who waits for one. */
extern void presence_ring_send(int64 sender, const char *data, int32 bytes);

/*
 * Takes the messages of this database behind `since` that are not the receiver's own; waits for one for so many
 * milliseconds.
 */
extern void presence_ring_receive(int64 receiver, int64 since, int32 wait_ms, PresenceTaken *out);

#endif

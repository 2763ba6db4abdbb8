/* crowd.h - rooms with many members: how often they are written to. */
#ifndef COLLAB_PROXY_CROWD_H
#define COLLAB_PROXY_CROWD_H

#include "room.h"

/*
 * What a frame costs is the kernel's work of sending it, a few microseconds for each socket, whatever is in it. So in a crowd the events of
 * some milliseconds go out together, the more the larger it is, and one document leaves the loop to the others most of the time. Whoever waits
 * for an acknowledgement is written to at once.
 */
#define CROWD_MEMBERS 100 /* a room with more is one */
#define CROWD_PER_MS 50	  /* members for whom a millisecond is waited */
#define CROWD_PAUSE_MAX_MS 100
#define CROWD_BYTES 16384 /* of events that do not wait any longer */

static inline bool
crowd_is(const Room *room)
{
	return room->member_count > CROWD_MEMBERS;
}

/* Milliseconds until all members may be written to. */
static inline uint64_t
crowd_wait(const Room *room, uint64_t now)
{
	uint64_t pause = (uint64_t) room->member_count / CROWD_PER_MS;
	uint64_t due;

	if (!crowd_is(room) || room->ring_end - room->spread_end >= CROWD_BYTES)
		return 0;
	due = room->spread_at + (pause < CROWD_PAUSE_MAX_MS ? pause : CROWD_PAUSE_MAX_MS);
	return due > now ? due - now : 0;
}

#endif

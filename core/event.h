/* event.h - one edit as it is stored, whatever it is stored in: a row, a chunk, an object of the archive. */
#ifndef COLLAB_EVENT_H
#define COLLAB_EVENT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Event n turns version n-1 of its document into version n. `op` is the binary form of the change
 * (delta_codec.c), not NUL-terminated; whoever gives out an event says how long that lives.
 */
typedef struct CollabEvent
{
	int64_t		   doc; /* key of the document */
	int64_t		   version;
	int64_t		   site;
	int64_t		   clock;
	int64_t		   base_version;
	int64_t		   author;	   /* key of the user */
	int64_t		   length;	   /* of the document after this event, in UTF-16 code units */
	int64_t		   created_at; /* microseconds since 2000-01-01 UTC */
	bool		   astral;	   /* the document has held a surrogate pair by now */
	const uint8_t *op;
	uint32_t	   op_bytes;
} CollabEvent;

/*
 * What column events.checksum holds: the low half of XXH64 (seed 3) over doc, version, site, clock,
 * base_version, author, length and created_at as little-endian int64, astral as one byte, and op.
 */
uint32_t event_checksum(const CollabEvent *event);

/* The same in every column. */
bool event_equal(const CollabEvent *a, const CollabEvent *b);

#endif

/* event.c - events compared, and the checksum that stands beside every stored one. */
#include "event.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* doc, version, site, clock, base_version, author, length, created_at, astral */
#define FIXED_BYTES (8 * 8 + 1)

/* Seeds 0 to 2 are taken by hash.c. */
#define SEED_CHECKSUM 3

static unsigned char *
put_little_endian(unsigned char *at, int64_t value)
{
	uint64_t bits = (uint64_t) value;
	int		 i;

	for (i = 0; i < 8; i++)
		*at++ = (unsigned char) (bits >> (8 * i));
	return at;
}

/* Ops up to this size are hashed in one piece with the rest, which takes a third of the time. */
#define SMALL_OP 191

uint32_t
event_checksum(const CollabEvent *event)
{
	unsigned char  fixed[FIXED_BYTES + SMALL_OP];
	unsigned char *at = fixed;
	XXH64_state_t  state;

	at = put_little_endian(at, event->doc);
	at = put_little_endian(at, event->version);
	at = put_little_endian(at, event->site);
	at = put_little_endian(at, event->clock);
	at = put_little_endian(at, event->base_version);
	at = put_little_endian(at, event->author);
	at = put_little_endian(at, event->length);
	at = put_little_endian(at, event->created_at);
	*at++ = event->astral ? 1 : 0;
	if (event->op_bytes <= SMALL_OP)
	{
		if (event->op_bytes > 0)
			memcpy(at, event->op, event->op_bytes);
		return (uint32_t) XXH64(fixed, FIXED_BYTES + event->op_bytes, SEED_CHECKSUM);
	}

	(void) XXH64_reset(&state, SEED_CHECKSUM);
	(void) XXH64_update(&state, fixed, FIXED_BYTES);
	(void) XXH64_update(&state, event->op, event->op_bytes);
	return (uint32_t) XXH64_digest(&state);
}

bool
event_equal(const CollabEvent *a, const CollabEvent *b)
{
	return a->doc == b->doc && a->version == b->version && a->site == b->site && a->clock == b->clock &&
		   a->base_version == b->base_version && a->author == b->author && a->length == b->length &&
		   a->created_at == b->created_at && a->astral == b->astral && a->op_bytes == b->op_bytes &&
		   (a->op_bytes == 0 || memcmp(a->op, b->op, a->op_bytes) == 0);
}

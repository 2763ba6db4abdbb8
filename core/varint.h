/* varint.h - unsigned LEB128, least significant group first, always in the shortest form. */
#ifndef COLLAB_VARINT_H
#define COLLAB_VARINT_H

#include <stdbool.h>
#include <stdint.h>

#define VARINT_MAX_BYTES 8 /* 56 bits: everything up to 2^53 - 1 */

static inline unsigned
varint_bytes(uint64_t value)
{
	unsigned n = 1;

	while (value >= 0x80)
	{
		value >>= 7;
		n++;
	}
	return n;
}

static inline uint8_t *
varint_put(uint8_t *at, uint64_t value)
{
	while (value >= 0x80)
	{
		*at++ = (uint8_t) (value | 0x80);
		value >>= 7;
	}
	*at++ = (uint8_t) value;
	return at;
}

/* Hostile input: false at the end of the bytes, beyond 8 bytes, and for a form that is not the shortest. */
static inline bool
varint_get(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
	const uint8_t *p = *at;
	uint64_t	   v = 0;
	unsigned	   shift = 0;

	while (p < end && shift < 7 * VARINT_MAX_BYTES)
	{
		uint8_t byte = *p++;

		v |= (uint64_t) (byte & 0x7F) << shift;
		if (byte < 0x80)
		{
			*at = p;
			*value = v;
			return byte != 0 || shift == 0;
		}
		shift += 7;
	}
	return false;
}

/* Input that was checked before. */
static inline const uint8_t *
varint_read(const uint8_t *at, uint64_t *value)
{
	uint64_t v = *at & 0x7F;
	unsigned shift = 7;

	while (*at++ >= 0x80)
	{
		v |= (uint64_t) (*at & 0x7F) << shift;
		shift += 7;
	}
	*value = v;
	return at;
}

#endif

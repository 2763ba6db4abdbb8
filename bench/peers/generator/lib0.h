/* lib0.h - the few encodings of the Yjs world that the generator needs: numbers and byte strings. */
#ifndef BENCH_LIB0_H
#define BENCH_LIB0_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct Lib0Reader
{
	const uint8_t *at, *end;
	bool		   broken; /* something was cut off; everything read since is 0 */
} Lib0Reader;

static inline uint64_t
lib0_read(Lib0Reader *r)
{
	uint64_t value = 0;
	int		 shift;

	for (shift = 0; r->at < r->end && shift < 56; shift += 7)
	{
		uint8_t byte = *r->at++;

		value |= (uint64_t) (byte & 0x7f) << shift;
		if (byte < 0x80)
			return value;
	}
	r->broken = true;
	r->at = r->end;
	return 0;
}

/* The bytes of a string or byte array; *size of them. */
static inline const uint8_t *
lib0_read_bytes(Lib0Reader *r, size_t *size)
{
	uint64_t	   n = lib0_read(r);
	const uint8_t *bytes = r->at;

	if (n > (uint64_t) (r->end - r->at))
	{
		r->broken = true;
		n = 0;
	}
	r->at += n;
	*size = (size_t) n;
	return bytes;
}

/* The caller has room for 10 bytes. Returns where to go on. */
static inline uint8_t *
lib0_write(uint8_t *at, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*at++ = (uint8_t) (value | 0x80);
	*at++ = (uint8_t) value;
	return at;
}

static inline uint8_t *
lib0_write_bytes(uint8_t *at, const void *bytes, size_t size)
{
	at = lib0_write(at, size);
	memcpy(at, bytes, size);
	return at + size;
}

#endif

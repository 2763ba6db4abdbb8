/* utf8.c - UTF-8 checks, and byte offsets to UTF-16 unit offsets and back, eight bytes at a time. */
#include "utf8.h"

#include <string.h>

#define ONES UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

static inline uint64_t
load(const char *data)
{
	uint64_t word;

	memcpy(&word, data, sizeof(word));
	return word;
}

/* Adds up the eight bytes of a word, each at most 31. */
static inline unsigned
sum_bytes(uint64_t word)
{
	return (unsigned) ((word * ONES) >> 56);
}

/*
 * One per byte that begins a character, two where the character has four bytes: the units of what begins
 * in this word.
 */
static inline unsigned
word_units(uint64_t word)
{
	uint64_t high = word >> 7;
	uint64_t continuations = high & ~(word >> 6) & ONES;
	uint64_t pairs = high & (word >> 6) & (word >> 5) & (word >> 4) & ONES;

	return 8 - sum_bytes(continuations) + sum_bytes(pairs);
}

static inline bool
is_continuation(char c)
{
	return ((unsigned char) c & 0xC0) == 0x80;
}

/* Bytes of the well-formed character at `at`, 0 if there is none (table 3-7 of the Unicode standard). */
static unsigned
check_char(const unsigned char *at, size_t left)
{
	unsigned char lead = at[0];
	unsigned char low = 0x80;
	unsigned char high = 0xBF;
	unsigned	  bytes;
	unsigned	  i;

	if (lead < 0x80)
		return lead != 0;
	if (lead < 0xC2 || lead > 0xF4)
		return 0;
	bytes = utf8_char_bytes(lead);
	if (bytes > left)
		return 0;
	switch (lead)
	{
		case 0xE0:
			low = 0xA0;
			break;
		case 0xED:
			high = 0x9F;
			break;
		case 0xF0:
			low = 0x90;
			break;
		case 0xF4:
			high = 0x8F;
			break;
	}
	if (at[1] < low || at[1] > high)
		return 0;
	for (i = 2; i < bytes; i++)
		if (!is_continuation((char) at[i]))
			return 0;
	return bytes;
}

bool
utf8_check(const char *data, size_t bytes, int64_t *units)
{
	const char *at = data;
	const char *end = data + bytes;
	int64_t		count = 0;

	while (at < end)
	{
		unsigned size;

		if (end - at >= 8)
		{
			uint64_t word = load(at);

			/* eight bytes of ASCII, none of them zero */
			if (((word | (word - ONES)) & HIGHS) == 0)
			{
				at += 8;
				count += 8;
				continue;
			}
		}
		size = check_char((const unsigned char *) at, (size_t) (end - at));
		if (size == 0)
			return false;
		at += size;
		count += size == 4 ? 2 : 1;
	}
	*units = count;
	return true;
}

int64_t
utf8_units(const char *data, size_t bytes)
{
	const char *at = data;
	const char *end = data + bytes;
	int64_t		count = 0;

	for (; end - at >= 8; at += 8)
		count += word_units(load(at));
	for (; at < end; at++)
		if (!is_continuation(*at))
			count += (unsigned char) *at >= 0xF0 ? 2 : 1;
	return count;
}

size_t
utf8_offset(const char *data, size_t bytes, int64_t units)
{
	const char *at = data;
	const char *end = data + bytes;
	int64_t		count = 0;

	/* stay strictly in front of the target: then it begins behind the characters counted so far */
	for (; end - at >= 8; at += 8)
	{
		unsigned more = word_units(load(at));

		if (count + more >= units)
			break;
		count += more;
	}
	for (; at < end; at++)
	{
		if (is_continuation(*at))
			continue;
		if (count >= units)
			break;
		count += (unsigned char) *at >= 0xF0 ? 2 : 1;
	}
	return count > units ? UTF8_INSIDE_PAIR : (size_t) (at - data);
}

bool
utf8_has_pair(const char *data, size_t bytes)
{
	const char *at = data;
	const char *end = data + bytes;

	for (; end - at >= 8; at += 8)
	{
		uint64_t word = load(at);

		if (((word & (word << 1) & (word << 2) & (word << 3)) & HIGHS) != 0)
			return true;
	}
	for (; at < end; at++)
		if ((unsigned char) *at >= 0xF0)
			return true;
	return false;
}

size_t
utf8_floor(const char *data, size_t bytes)
{
	size_t back;

	for (back = 1; back <= 4 && back <= bytes; back++)
		if (!is_continuation(data[bytes - back]))
			return utf8_char_bytes((unsigned char) data[bytes - back]) > back ? bytes - back : bytes;
	return bytes;
}

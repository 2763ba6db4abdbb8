/* buf.c - the growing byte buffer, with the little printing that the hot paths need. */
#include "buf.h"

#include <string.h>

#define MIN_CAPACITY ((size_t) 64)
#define ONES UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

void
buf_init(Buf *buf, CollabAlloc alloc)
{
	buf_init_reserve(buf, alloc, 0);
}

void
buf_init_reserve(Buf *buf, CollabAlloc alloc, size_t reserve)
{
	buf->alloc = alloc;
	buf->data = NULL;
	buf->size = 0;
	buf->capacity = 0;
	buf->reserve = reserve;
	buf->failed = false;
}

void
buf_free(Buf *buf)
{
	if (buf->data != NULL)
		buf->alloc.free(buf->alloc.ctx, buf->data - buf->reserve);
	buf_init_reserve(buf, buf->alloc, buf->reserve);
}

void
buf_clear(Buf *buf)
{
	buf->size = 0;
	buf->failed = false;
}

/* At least doubles, so that appending stays linear. The old memory is freed last: alloc may longjmp. */
static bool
enlarge(Buf *buf, size_t extra)
{
	size_t capacity = buf->capacity < MIN_CAPACITY ? MIN_CAPACITY : buf->capacity;
	char  *memory;

	if (extra > SIZE_MAX / 4 - buf->size || buf->reserve > SIZE_MAX / 4)
		return false;
	while (capacity < buf->size + extra)
		capacity *= 2;
	memory = buf->alloc.alloc(buf->alloc.ctx, buf->reserve + capacity);
	if (memory == NULL)
		return false;
	if (buf->data != NULL)
	{
		memcpy(memory + buf->reserve, buf->data, buf->size);
		buf->alloc.free(buf->alloc.ctx, buf->data - buf->reserve);
	}
	buf->data = memory + buf->reserve;
	buf->capacity = capacity;
	return true;
}

char *
buf_grow(Buf *buf, size_t extra)
{
	if (buf->failed)
		return NULL;
	if (buf->data == NULL || extra > buf->capacity - buf->size)
	{
		if (!enlarge(buf, extra))
		{
			buf->failed = true;
			return NULL;
		}
	}
	return buf->data + buf->size;
}

void
buf_bytes(Buf *buf, const void *data, size_t size)
{
	char *at;

	if (size == 0)
		return;
	at = buf_grow(buf, size);
	if (at != NULL)
	{
		memcpy(at, data, size);
		buf->size += size;
	}
}

void
buf_str(Buf *buf, const char *nul_terminated)
{
	buf_bytes(buf, nul_terminated, strlen(nul_terminated));
}

void
buf_char(Buf *buf, char c)
{
	char *at = buf_grow(buf, 1);

	if (at != NULL)
	{
		*at = c;
		buf->size++;
	}
}

void
buf_u64(Buf *buf, uint64_t value)
{
	char  digits[20];
	char *at = digits + sizeof(digits);

	do
	{
		*--at = (char) ('0' + value % 10);
		value /= 10;
	} while (value != 0);
	buf_bytes(buf, at, (size_t) (digits + sizeof(digits) - at));
}

void
buf_i64(Buf *buf, int64_t value)
{
	if (value < 0)
	{
		buf_char(buf, '-');
		buf_u64(buf, 0 - (uint64_t) value);
	}
	else
		buf_u64(buf, (uint64_t) value);
}

void
buf_hex64(Buf *buf, uint64_t value)
{
	char *at = buf_grow(buf, 16);
	int	  i;

	if (at == NULL)
		return;
	for (i = 15; i >= 0; i--)
	{
		at[i] = "0123456789abcdef"[value & 15];
		value >>= 4;
	}
	buf->size += 16;
}

/* How many bytes from `at` on need no escape. */
static size_t
plain_run(const char *at, const char *end)
{
	const char *start = at;

	for (; end - at >= 8; at += 8)
	{
		uint64_t word;

		memcpy(&word, at, sizeof(word));
		/*
		 * the high bit of some byte is set if one is a quote, a backslash, below a space, or (harmless)
		 * not ASCII
		 */
		if ((((word ^ (ONES * '"')) - ONES) | ((word ^ (ONES * '\\')) - ONES) | (word - ONES * ' ') | word) &
			HIGHS)
			break;
	}
	while (at < end && (unsigned char) *at >= ' ' && *at != '"' && *at != '\\')
		at++;
	return (size_t) (at - start);
}

void
buf_json_string(Buf *buf, const char *utf8, size_t bytes)
{
	const char *at = utf8;
	const char *end = utf8 + bytes;

	buf_char(buf, '"');
	while (at < end)
	{
		size_t		  run = plain_run(at, end);
		char		  escape[6] = {'\\', 'u', '0', '0', 0, 0};
		size_t		  size = 2;
		unsigned char c;

		buf_bytes(buf, at, run);
		at += run;
		if (at == end)
			break;
		c = (unsigned char) *at++;
		switch (c)
		{
			case '"':
			case '\\':
				escape[1] = (char) c;
				break;
			case '\b':
				escape[1] = 'b';
				break;
			case '\t':
				escape[1] = 't';
				break;
			case '\n':
				escape[1] = 'n';
				break;
			case '\f':
				escape[1] = 'f';
				break;
			case '\r':
				escape[1] = 'r';
				break;
			default:
				escape[4] = (char) ('0' + (c >> 4));
				escape[5] = "0123456789abcdef"[c & 15];
				size = 6;
		}
		buf_bytes(buf, escape, size);
	}
	buf_char(buf, '"');
}

/* buf.h - a growing byte buffer: what printers and encoders write into. */
#ifndef COLLAB_BUF_H
#define COLLAB_BUF_H

#include <stdbool.h>

#include "arena.h"

/*
 * Memory comes from an allocator, not from an arena, so that a buffer can be kept and reused. A failed
 * append sets `failed` and is ignored from then on: writers append freely and look once at the end.
 */
typedef struct Buf
{
	CollabAlloc alloc;
	char	   *data;
	size_t		size;
	size_t		capacity;
	size_t		reserve; /* bytes kept free in front of data[0] (LWS_PRE in the proxy) */
	bool		failed;
} Buf;

void buf_init(Buf *buf, CollabAlloc alloc);
void buf_init_reserve(Buf *buf, CollabAlloc alloc, size_t reserve);
void buf_free(Buf *buf);
void buf_clear(Buf *buf); /* keeps the memory */
/*
 * Makes room for `extra` more bytes and returns where they go, or NULL (failed is set). Does not change
 * size.
 */
char *buf_grow(Buf *buf, size_t extra);
void  buf_bytes(Buf *buf, const void *data, size_t size);
void  buf_str(Buf *buf, const char *nul_terminated);
void  buf_char(Buf *buf, char c);
void  buf_u64(Buf *buf, uint64_t value);						/* decimal */
void  buf_i64(Buf *buf, int64_t value);							/* decimal */
void  buf_hex64(Buf *buf, uint64_t value);						/* 16 lower-case digits: event ids */
void buf_json_string(Buf *buf, const char *utf8, size_t bytes); /* quoted and escaped as JSON.stringify does */

#endif

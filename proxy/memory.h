/* memory.h - libraries get their memory where we get ours: what cannot be had ends the process, in order. */
#ifndef COLLAB_PROXY_MEMORY_H
#define COLLAB_PROXY_MEMORY_H

#include <stddef.h>

/*
 * libuv aborts without a word where it cannot grow its tables, libwebsockets has places that do not look. A process that ends
 * with a line in the log and status 70 loses nothing that was acknowledged, and its clients go on with another. libpq and
 * hiredis keep their own: they say NO where they have none, and their connection is made again.
 */

/* Before anything else: none of them may have memory yet. */
void memory_adopt(void);
/* realloc() for libwebsockets; size 0 frees. */
void *memory_for_websockets(void *ptr, size_t size, const char *reason);

#endif

/* heap.c - gives memory back to the system that those who have left do not need any more. */
#include "heap.h"

#include <malloc.h>

#define LARGE_BYTES (256 << 10) /* from here on, memory goes back to the system as soon as it is freed */
#define MANY 200				/* below that there is nothing worth the trouble */

static int64_t peak;

/*
 * One thread, one arena. By itself glibc raises the size from which memory is mapped on its own with every large piece that is
 * freed, up to 32 MB; from then on one large document can leave a hole in the heap that stays.
 */
void
heap_init(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
}

/* free() itself gives back only what lies at the end of the heap, and there somebody is always left. */
void
heap_watch(int64_t sockets)
{
	if (sockets > peak)
		peak = sockets;
	else if (peak >= MANY && sockets < peak / 2)
	{
		malloc_trim(0);
		peak = sockets;
	}
}

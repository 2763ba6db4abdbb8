/* heap.h - gives memory back to the system that those who have left do not need any more. */
#ifndef COLLAB_PROXY_HEAP_H
#define COLLAB_PROXY_HEAP_H

#include <stdint.h>

/* Once, before the first allocation of any size. */
void heap_init(void);
/* Now and then: how many sockets are open. */
void heap_watch(int64_t sockets);

#endif

/* memory.h - what memory the server's processes take, read from /proc. */
#ifndef BENCH_MEMORY_H
#define BENCH_MEMORY_H

#include <sys/types.h>

/*
 * Bytes of a process and its living children: their proportional set, so that memory that several share (PostgreSQL's
 * buffers, libraries) counts once. Needs the right to read it (the same user, or root); 0 where that is missing.
 */
double memory_family(pid_t pid);

#endif

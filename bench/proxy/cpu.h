/* cpu.h - CPU time of the server's processes, read from /proc. */
#ifndef BENCH_CPU_H
#define BENCH_CPU_H

#include <sys/types.h>

/* User + system seconds of a process, its own threads included; 0 when it is gone. */
double cpu_process(pid_t pid);
/* The same for a process and its living children, plus children it has already reaped: a PostgreSQL server. */
double cpu_family(pid_t pid);

#endif

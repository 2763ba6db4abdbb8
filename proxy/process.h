/* process.h - what the kernel knows of a process: CPU, memory, open files, age. */
#ifndef COLLAB_PROXY_PROCESS_H
#define COLLAB_PROXY_PROCESS_H

#include <sys/types.h>

#include "buf.h"
#include "util.h"

typedef struct ProcessFacts
{
	const char *worker; /* the value of the label: a number, or `supervisor` */
	double		cpu_seconds;
	double		resident_bytes;
	double		open_files;
	double		max_files;
	double		start_seconds; /* since 1970 */
} ProcessFacts;

/* False: there is no such process (any more). */
bool process_read(pid_t pid, ProcessFacts *facts) MUST_CHECK;
/* Appends the metrics process_* of all of them. */
void process_print(Buf *out, const ProcessFacts *facts, int count);

#endif

/* fault.h - places at which a test kills the process: nothing at all unless built with -DCOLLAB_FAULT_POINTS. */
#ifndef COLLAB_FAULT_H
#define COLLAB_FAULT_H

/*
 * The environment variable COLLAB_FAULT_FILE names a file that holds "<point> <pass>": the process that
 * comes to that point for the pass-th time removes the file and kills itself with SIGKILL, so that
 * nothing is cleaned up, nothing is flushed, and it happens once. Without the variable or the file
 * nothing happens. A file, not the variable itself, because the tests choose the next point while the
 * server runs.
 */
#ifdef COLLAB_FAULT_POINTS

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline void
fault_point(const char *name)
{
	static int	passes = 0;
	static char counted[64] = "";
	const char *path = getenv("COLLAB_FAULT_FILE");
	FILE	   *file = path == NULL ? NULL : fopen(path, "r");
	char		point[64] = "";
	int			pass = 0;
	int			fields;

	if (file == NULL)
		return;
	fields = fscanf(file, "%63s %d", point, &pass);
	fclose(file);
	if (fields != 2 || strcmp(point, name) != 0)
		return;

	if (strcmp(counted, name) != 0)
	{
		memcpy(counted, point, sizeof(counted));
		passes = 0;
	}
	if (++passes < pass || unlink(path) != 0)
		return;
	kill(getpid(), SIGKILL);
	pause();
}

#define FAULT_POINT(name) fault_point(name)
#else
#define FAULT_POINT(name) ((void) 0)
#endif

#endif

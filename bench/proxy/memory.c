/* memory.c - what memory the server's processes take, read from /proc. */
#include "memory.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double
memory_process(pid_t pid)
{
	char   path[64];
	char   line[256];
	double kilobytes = 0;
	FILE  *file;

	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int) pid);
	file = fopen(path, "r");
	if (file == NULL)
		return 0;
	while (fgets(line, sizeof line, file) != NULL)
		if (sscanf(line, "Pss: %lf", &kilobytes) == 1)
			break;
	fclose(file);
	return kilobytes * 1024;
}

static pid_t
parent_of(pid_t pid)
{
	char  path[64];
	char  line[1024];
	char *after = NULL;
	int	  parent = -1;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/stat", (int) pid);
	file = fopen(path, "r");
	if (file == NULL)
		return -1;
	/* the command name may hold spaces: fields are counted from its closing parenthesis */
	if (fgets(line, sizeof line, file) != NULL)
		after = strrchr(line, ')');
	fclose(file);
	return after != NULL && sscanf(after + 1, " %*c %d", &parent) == 1 ? parent : -1;
}

double
memory_family(pid_t pid)
{
	double		   total = memory_process(pid);
	DIR			  *proc = opendir("/proc");
	struct dirent *entry;

	if (proc == NULL)
		return total;
	while ((entry = readdir(proc)) != NULL)
		if (isdigit((unsigned char) entry->d_name[0]) && parent_of(atoi(entry->d_name)) == pid)
			total += memory_process(atoi(entry->d_name));
	closedir(proc);
	return total;
}

/* cpu.c - CPU time of the server's processes, read from /proc. */
#include "cpu.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct ProcStat
{
	pid_t		  parent;
	unsigned long user, system;
	long		  reaped_user, reaped_system;
} ProcStat;

static int
read_stat(pid_t pid, ProcStat *out)
{
	char  path[64];
	char  line[1024];
	char *after;
	FILE *file;
	int	  ok;

	snprintf(path, sizeof path, "/proc/%d/stat", (int) pid);
	file = fopen(path, "r");
	if (file == NULL)
		return 0;
	ok = fgets(line, sizeof line, file) != NULL;
	fclose(file);
	/* the command name may hold spaces: fields are counted from its closing parenthesis */
	after = ok ? strrchr(line, ')') : NULL;
	return after != NULL &&
		   sscanf(after + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld", &out->parent,
				  &out->user, &out->system, &out->reaped_user, &out->reaped_system) == 5;
}

static double
seconds(double ticks)
{
	return ticks / (double) sysconf(_SC_CLK_TCK);
}

double
cpu_process(pid_t pid)
{
	ProcStat st;

	return read_stat(pid, &st) ? seconds((double) (st.user + st.system)) : 0;
}

double
cpu_family(pid_t pid)
{
	ProcStat	   st;
	double		   total = 0;
	DIR			  *proc;
	struct dirent *entry;

	if (read_stat(pid, &st))
		total = (double) st.user + (double) st.system + (double) st.reaped_user + (double) st.reaped_system;
	proc = opendir("/proc");
	if (proc == NULL)
		return seconds(total);
	while ((entry = readdir(proc)) != NULL)
		if (isdigit((unsigned char) entry->d_name[0]) && read_stat(atoi(entry->d_name), &st) &&
			st.parent == pid)
			total += (double) st.user + (double) st.system;
	closedir(proc);
	return seconds(total);
}

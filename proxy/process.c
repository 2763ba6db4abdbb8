/* process.c - what the kernel knows of a process: CPU, memory, open files, age. */
#include "process.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "metrics.h"

/* The process's start in /proc/PID/stat counts from here: seconds since 1970. */
static double
boot_time(void)
{
	FILE	 *file = fopen("/proc/stat", "r");
	char	  line[256];
	long long seconds = 0;

	if (file == NULL)
		return 0;
	while (fgets(line, sizeof(line), file) != NULL)
	{
		if (sscanf(line, "btime %lld", &seconds) == 1)
			break;
	}
	fclose(file);
	return (double) seconds;
}

static bool
read_stat(pid_t pid, ProcessFacts *facts)
{
	char			   path[64];
	char			   line[1024];
	const char		  *after;
	unsigned long	   user = 0;
	unsigned long	   kernel = 0;
	unsigned long long start = 0;
	long			   pages = 0;
	const double	   tick = (double) sysconf(_SC_CLK_TCK);
	FILE			  *file;
	bool			   good;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);
	file = fopen(path, "r");
	if (file == NULL)
		return false;
	good = fgets(line, sizeof(line), file) != NULL;
	fclose(file);
	/* the name in parentheses may hold anything; utime is the 12th field after it */
	after = good ? strrchr(line, ')') : NULL;
	if (after == NULL ||
		sscanf(after + 1,
			   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d %llu %*u %ld",
			   &user, &kernel, &start, &pages) != 4)
		return false;
	facts->cpu_seconds = (double) (user + kernel) / tick;
	facts->resident_bytes = (double) pages * (double) sysconf(_SC_PAGESIZE);
	facts->start_seconds = boot_time() + (double) start / tick;
	return true;
}

static double
count_files(pid_t pid)
{
	char		path[64];
	struct stat st;
	DIR		   *dir;
	int			count = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int) pid);
	/* Linux tells since 6.2; before, somebody has to count */
	if (stat(path, &st) == 0 && st.st_size > 0)
		return (double) st.st_size;
	dir = opendir(path);
	if (dir == NULL)
		return 0;
	for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

static double
read_file_limit(pid_t pid)
{
	char   path[64];
	char   line[256];
	double limit = 0;
	FILE  *file;

	snprintf(path, sizeof(path), "/proc/%d/limits", (int) pid);
	file = fopen(path, "r");
	if (file == NULL)
		return 0;
	while (fgets(line, sizeof(line), file) != NULL)
	{
		if (sscanf(line, "Max open files %lf", &limit) == 1)
			break;
	}
	fclose(file);
	return limit;
}

bool
process_read(pid_t pid, ProcessFacts *facts)
{
	if (!read_stat(pid, facts))
		return false;
	facts->open_files = count_files(pid);
	facts->max_files = read_file_limit(pid);
	return true;
}

static void
print_fact(Buf *out, const ProcessFacts *facts, int count, size_t offset, const char *name, const char *type,
		   const char *help)
{
	metrics_head(out, name, type, help);
	for (int i = 0; i < count; i++)
	{
		char labels[64];

		snprintf(labels, sizeof(labels), "worker=\"%s\"", facts[i].worker);
		metrics_line(out, name, labels, *(const double *) (const void *) ((const char *) &facts[i] + offset));
	}
}

void
process_print(Buf *out, const ProcessFacts *facts, int count)
{
	print_fact(out, facts, count, offsetof(ProcessFacts, cpu_seconds), "process_cpu_seconds_total", "counter",
			   "CPU time of the process.");
	print_fact(out, facts, count, offsetof(ProcessFacts, resident_bytes), "process_resident_memory_bytes",
			   "gauge", "Memory of the process that is in use.");
	print_fact(out, facts, count, offsetof(ProcessFacts, open_files), "process_open_fds", "gauge",
			   "File descriptors that are open.");
	print_fact(out, facts, count, offsetof(ProcessFacts, max_files), "process_max_fds", "gauge",
			   "Most file descriptors that may be open.");
	print_fact(out, facts, count, offsetof(ProcessFacts, start_seconds), "process_start_time_seconds",
			   "gauge", "When the process was started, in seconds since 1970.");
}

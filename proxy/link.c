/* link.c - how a supervisor hands a worker its listening socket and its slot. */
#include "link.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "log.h"

/* Not COLLAB_: those are settings. */
#define VARIABLE "_COLLAB_WORKER"

/* What both sides must agree on. */
static uint64_t
slot_layout(void)
{
	return metrics_layout() ^ sizeof(Slot);
}

/* ---- the supervisor's side ---- */

Slot *
link_create_slots(int count, int *memory_fd)
{
	size_t bytes = (size_t) count * sizeof(Slot);
	void  *memory;

	*memory_fd = memfd_create("collab-slots", MFD_CLOEXEC);
	if (*memory_fd < 0 || ftruncate(*memory_fd, (off_t) bytes) != 0)
		return NULL;
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *memory_fd, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

void
link_free_slots(Slot *slots, int count)
{
	munmap(slots, (size_t) count * sizeof(Slot));
}

/* The service manager talks to the supervisor; a worker that answered would confuse it. */
static bool
is_ours_alone(const char *variable)
{
	static const char *const names[] = {"NOTIFY_SOCKET=", "WATCHDOG_USEC=", "WATCHDOG_PID=", VARIABLE "="};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		if (strncmp(variable, names[i], strlen(names[i])) == 0)
			return true;
	}
	return false;
}

char **
link_environment(char **env, int worker, int slot)
{
	size_t count = 0;
	size_t kept = 0;
	char **copy;
	char   own[128];

	while (env[count] != NULL)
		count++;
	copy = util_alloc((count + 2) * sizeof(*copy));
	for (size_t i = 0; i < count; i++)
	{
		if (!is_ours_alone(env[i]))
			copy[kept++] = util_strdup(env[i]);
	}
	snprintf(own, sizeof(own), VARIABLE "=%d %d %d %016llx", worker, slot, (int) getpid(),
			 (unsigned long long) slot_layout());
	copy[kept++] = util_strdup(own);
	copy[kept] = NULL;
	return copy;
}

void
link_free_environment(char **env)
{
	for (char **at = env; *at != NULL; at++)
		free(*at);
	free(env);
}

/* ---- the worker's side ---- */

static bool
map_slot(Link *link, int index)
{
	size_t bytes = (size_t) (index + 1) * sizeof(Slot);
	void  *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, LINK_MEMORY_FD, 0);

	close(LINK_MEMORY_FD);
	if (memory == MAP_FAILED)
		return false;
	link->slot = (Slot *) memory + index;
	return true;
}

LinkStatus
link_take(Link *link)
{
	const char		  *text = getenv(VARIABLE);
	int				   slot;
	int				   supervisor;
	unsigned long long layout;

	link->worker = -1;
	link->listen_fd = -1;
	link->slot = NULL;
	if (text == NULL)
		return LINK_NONE;
	if (sscanf(text, "%d %d %d %llx", &link->worker, &slot, &supervisor, &layout) != 4 ||
		layout != slot_layout())
	{
		log_line(LOG_ERROR,
				 "this program is not the one that its supervisor was started from: restart the service",
				 "version=" COLLAB_VERSION);
		return LINK_BAD;
	}
	unsetenv(VARIABLE);
	/* drains when the supervisor is gone; that may have happened already */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != supervisor || !map_slot(link, slot))
	{
		log_line(LOG_ERROR, "cannot take over from the supervisor", "reason=\"%s\"", strerror(errno));
		return LINK_BAD;
	}
	link->listen_fd = LINK_LISTEN_FD;
	return LINK_WORKER;
}

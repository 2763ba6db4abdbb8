/* link.h - how a supervisor hands a worker its listening socket and its slot. */
#ifndef COLLAB_PROXY_LINK_H
#define COLLAB_PROXY_LINK_H

#include "slot.h"

/* Where a worker finds what it was handed. */
#define LINK_LISTEN_FD 3
#define LINK_MEMORY_FD 4

/* What a worker knows of its supervisor. */
typedef struct Link
{
	int	  worker;	 /* its number, from 0; -1: there is no supervisor */
	int	  listen_fd; /* -1: none */
	Slot *slot;
} Link;

typedef enum LinkStatus
{
	LINK_NONE,	 /* nobody has started us in particular */
	LINK_WORKER, /* *link is filled */
	LINK_BAD	 /* started by a supervisor that we do not understand; the log says so */
} LinkStatus;

/* Takes over what the environment tells of; the process then ends when its supervisor does. */
LinkStatus link_take(Link *link) MUST_CHECK;

/* Memory for `count` slots that workers can map. NULL: there is none. */
Slot *link_create_slots(int count, int *memory_fd) MUST_CHECK;
void  link_free_slots(Slot *slots, int count);
/* The environment of a worker: `env` without what is the supervisor's alone. Free with link_free_environment(). */
char **link_environment(char **env, int worker, int slot);
void   link_free_environment(char **env);

#endif

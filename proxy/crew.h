/* crew.h - the processes of a supervisor: started, watched, started again, replaced. */
#ifndef COLLAB_PROXY_CREW_H
#define COLLAB_PROXY_CREW_H

#include <uv.h>

#include "config.h"
#include "overview.h"

typedef struct Crew Crew;

/* NULL after a message in the log. */
Crew *crew_create(uv_loop_t *loop, const Config *config) MUST_CHECK;
/* When no process runs any more and the loop has closed its handles. */
void crew_free(Crew *crew);

/* Starts what is to run and does not, kills what hangs. Call it often. */
void crew_tick(Crew *crew);
/* From now on nobody is started again. `leaving` is what workers then say to who asks whether they are ready. */
void crew_dismiss(Crew *crew);
void crew_signal(Crew *crew, int number);
/* Our hold on the listening sockets; workers have their own. */
void crew_close_sockets(Crew *crew);
int	 crew_running(const Crew *crew);
/* All workers serve. */
bool crew_serving(const Crew *crew);

typedef enum CrewStep
{
	CREW_BUSY,
	CREW_DONE,
	CREW_FAILED /* the new process did not come up: the old one goes on */
} CrewStep;

/* Replaces one worker: a new process joins in on the same socket, then the old one drains. Call it until it is not busy. */
CrewStep crew_replace(Crew *crew, int worker) MUST_CHECK;

/* Everything of an Overview but `draining`; valid until the loop goes on. */
void crew_overview(Crew *crew, Overview *overview);

#endif

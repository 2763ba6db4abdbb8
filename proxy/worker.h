/* worker.h - one process that serves clients: the start, the turn of the loop, and the end. */
#ifndef COLLAB_PROXY_WORKER_H
#define COLLAB_PROXY_WORKER_H

#include "config.h"
#include "link.h"

enum
{
	EXIT_CONFIG = 2,
	EXIT_LISTEN = 3
};

/* Serves until it is told to end; returns the exit status. A reload may change the settings meanwhile. */
int worker_run(Config *config, const Link *link);

#endif

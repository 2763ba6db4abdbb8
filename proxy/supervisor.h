/* supervisor.h - starts workers, watches over them, replaces them one by one, and ends them. */
#ifndef COLLAB_PROXY_SUPERVISOR_H
#define COLLAB_PROXY_SUPERVISOR_H

#include "config.h"

/* Runs config->workers workers until it is told to end; returns the exit status. */
int supervisor_run(Config *config);

#endif

/* listen.h - the public listening socket, one for each worker on the same port. */
#ifndef COLLAB_PROXY_LISTEN_H
#define COLLAB_PROXY_LISTEN_H

#include "config.h"

/*
 * A bound socket with SO_REUSEPORT, which does not listen yet: the kernel spreads connections over all sockets of a port that
 * do. -1 after a message in the log.
 */
int listen_open(const Config *config) MUST_CHECK;

#endif

/* accept.h - takes connections off the listening socket, no faster than they can be served. */
#ifndef COLLAB_PROXY_ACCEPT_H
#define COLLAB_PROXY_ACCEPT_H

#include <sys/socket.h>

#include "proxy.h"

typedef struct Accept Accept;

/* A new socket, non-blocking; the callee owns it. */
typedef void (*AcceptTake)(void *ctx, int fd, const struct sockaddr_storage *address);
/* How many sockets are open that were taken here. */
typedef int64_t (*AcceptCount)(const void *ctx);

/* Takes over the bound socket. */
Accept *accept_create(Proxy *proxy, int listen_fd, AcceptTake take, AcceptCount count, void *ctx) MUST_CHECK;
void	accept_start(Accept *accept);
/* Closes the socket: whoever waits in its queue goes elsewhere. Does nothing the second time. */
void accept_stop(Accept *accept);
/* After the loop has run on. */
void accept_free(Accept *accept);
/* No more descriptors: newcomers wait in the kernel's queue. */
bool accept_starved(const Accept *accept);

/* How many descriptors a process with this configuration keeps for everything that is no client, of `limit` in all. */
int64_t accept_reserve(const Config *config, int64_t limit);

#endif

/* rate.h - how much one user may ask for over sockets: operations, and connections. In this process. */
#ifndef COLLAB_PROXY_RATE_H
#define COLLAB_PROXY_RATE_H

#include "proxy.h"

Rate *rate_create(void);
void  rate_free(Rate *rate);
/*
 * Counts a message of `pieces` operations. Returns 0, or after how many ms the user may send it again. A message is never too large for this: it is
 * let through as soon as one piece would be, and the user waits for the others afterwards.
 */
int64_t rate_operations(Proxy *proxy, const char *user, int64_t pieces);
/* Counts a connection. Returns 0, or after how many ms the user may try again. */
int64_t rate_connection(Proxy *proxy, const char *user, size_t user_bytes);

#endif

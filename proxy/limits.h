/* limits.h - how many sockets may be open, in all and from one address. */
#ifndef COLLAB_PROXY_LIMITS_H
#define COLLAB_PROXY_LIMITS_H

#include <sys/socket.h>

#include "util.h"

typedef struct Limits	  Limits;
typedef struct LimitsPeer LimitsPeer; /* an address that has sockets open */

/* max_per_ip 0: no limit. */
Limits *limits_create(int64_t max_connections, int64_t max_per_ip);
/* From now on; nobody who is in is thrown out. */
void limits_change(Limits *limits, int64_t max_connections, int64_t max_per_ip);
void limits_free(Limits *limits);
/* Counts a new socket in; *allowed tells whether it is within the limits. Pair with limits_leave() in any case. */
LimitsPeer *limits_enter(Limits *limits, const struct sockaddr_storage *address, bool *allowed);
void		limits_leave(Limits *limits, LimitsPeer *peer);
int64_t		limits_open(const Limits *limits);

#endif

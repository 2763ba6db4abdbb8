/* limits.h - how many sockets may be open, in all and from one address. */
#ifndef COLLAB_PROXY_LIMITS_H
#define COLLAB_PROXY_LIMITS_H

#include "address.h"

typedef struct Limits	  Limits;
typedef struct LimitsPeer LimitsPeer; /* an address that has sockets open */

/* max_per_ip 0: no limit. */
Limits *limits_create(int64_t max_connections, int64_t max_per_ip);
/* From now on; nobody who is in is thrown out. */
void limits_change(Limits *limits, int64_t max_connections, int64_t max_per_ip);
void limits_free(Limits *limits);
/* Counts a new socket in; false: it is one too many. Pair with limits_leave() in any case. */
bool limits_enter(Limits *limits) MUST_CHECK;
void limits_leave(Limits *limits);
/* Counts a socket for its address; *allowed tells whether it is within the limit. Pair with limits_release() in any case. */
LimitsPeer *limits_claim(Limits *limits, const Address *address, bool *allowed);
/* NULL is nobody. */
void limits_release(Limits *limits, LimitsPeer *peer);
/* Stands for the address. */
uint64_t limits_peer_id(const LimitsPeer *peer);
int64_t	 limits_open(const Limits *limits);

#endif

/* visitor.h - who is on a connection, as far as limits count: its own address, or the one that a trusted balancer speaks for. */
#ifndef COLLAB_PROXY_VISITOR_H
#define COLLAB_PROXY_VISITOR_H

#include "address.h"
#include "limits.h"

typedef struct VisitorBook
{
	Limits	  *limits;
	AddressSet trusted; /* proxies whose X-Forwarded-For counts */
} VisitorBook;

typedef struct Visitor
{
	Address		peer;	 /* who connected: a client or a balancer */
	LimitsPeer *claim;	 /* what counts for the client's address; NULL: not known yet */
	uint64_t	entered; /* when, in microseconds of the monotonic clock */
	bool		refused; /* over a limit */
} Visitor;

/* Counts a new connection; pair with visitor_leave() in any case. */
void visitor_enter(VisitorBook *book, const struct sockaddr_storage *address, Visitor *out);
void visitor_leave(VisitorBook *book, Visitor *visitor);
/* Microseconds since visitor_enter(). */
uint64_t visitor_age(const Visitor *visitor);
/*
 * Counts the connection for its client's address. Behind a trusted balancer that is known with each request only (X-Forwarded-For, `bytes`
 * of it), and the next one on the same connection may be another client's. False: over the limit.
 */
bool visitor_identify(VisitorBook *book, Visitor *visitor, const char *forwarded, size_t bytes);

#endif

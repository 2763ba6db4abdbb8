/* visitor.c - who is on a connection, as far as limits count: its own address, or the one that a trusted balancer speaks for. */
#include "visitor.h"

#include <uv.h>

#include "metrics.h"

void
visitor_enter(VisitorBook *book, const struct sockaddr_storage *address, Visitor *out)
{
	bool allowed = limits_enter(book->limits);

	out->peer = address_of_socket(address);
	out->claim = NULL;
	out->entered = uv_hrtime() / 1000;
	if (!allowed)
		metrics_add(METRIC_LIMITED_CONNECTIONS, 1);
	else if (!address_set_has(&book->trusted, &out->peer))
	{
		out->claim = limits_claim(book->limits, &out->peer, &allowed);
		metrics_add(METRIC_LIMITED_PER_IP, allowed ? 0 : 1);
	}
	out->refused = !allowed;
	metrics_add(METRIC_CONNECTIONS_REFUSED, allowed ? 0 : 1);
}

void
visitor_leave(VisitorBook *book, Visitor *visitor)
{
	limits_release(book->limits, visitor->claim);
	limits_leave(book->limits);
}

uint64_t
visitor_age(const Visitor *visitor)
{
	return uv_hrtime() / 1000 - visitor->entered;
}

bool
visitor_identify(VisitorBook *book, Visitor *visitor, const char *forwarded, size_t bytes)
{
	bool	allowed;
	Address client;

	if (visitor->refused)
		return false;
	if (visitor->claim != NULL && !address_set_has(&book->trusted, &visitor->peer))
		return true;
	client = address_forwarded(&book->trusted, &visitor->peer, forwarded, bytes);
	limits_release(book->limits, visitor->claim);
	visitor->claim = limits_claim(book->limits, &client, &allowed);
	/* a balancer that asks how we are */
	allowed = allowed || address_set_has(&book->trusted, &client);
	if (!allowed)
	{
		visitor->refused = true;
		metrics_add(METRIC_CONNECTIONS_REFUSED, 1);
		metrics_add(METRIC_LIMITED_PER_IP, 1);
	}
	return allowed;
}

/* limits.c - how many sockets may be open, in all and from one address. */
#include "limits.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096

struct LimitsPeer
{
	LimitsPeer	 *next;
	uint32_t	  bucket;
	int64_t		  open;
	unsigned char address[16];
};

struct Limits
{
	int64_t		max_connections;
	int64_t		max_per_ip;
	int64_t		open;
	LimitsPeer *buckets[BUCKETS];
};

Limits *
limits_create(int64_t max_connections, int64_t max_per_ip)
{
	Limits *limits = util_alloc_zero(sizeof(*limits));

	limits->max_connections = max_connections;
	limits->max_per_ip = max_per_ip;
	return limits;
}

void
limits_change(Limits *limits, int64_t max_connections, int64_t max_per_ip)
{
	limits->max_connections = max_connections;
	limits->max_per_ip = max_per_ip;
}

void
limits_free(Limits *limits)
{
	if (limits == NULL)
		return;
	for (int i = 0; i < BUCKETS; i++)
	{
		while (limits->buckets[i] != NULL)
		{
			LimitsPeer *peer = limits->buckets[i];

			limits->buckets[i] = peer->next;
			free(peer);
		}
	}
	free(limits);
}

/* An IPv6 customer has a whole /64, so that counts as one address. */
static void
address_of(const struct sockaddr_storage *from, unsigned char *out)
{
	memset(out, 0, 16);
	if (from->ss_family == AF_INET)
		memcpy(out + 12, &((const struct sockaddr_in *) (const void *) from)->sin_addr, 4);
	else if (from->ss_family == AF_INET6)
		memcpy(out, &((const struct sockaddr_in6 *) (const void *) from)->sin6_addr, 8);
}

static uint32_t
bucket_of(const unsigned char *address)
{
	uint32_t hash = 2166136261u;

	for (int i = 0; i < 16; i++)
		hash = (hash ^ address[i]) * 16777619u;
	return (hash ^ hash >> 16) % BUCKETS;
}

LimitsPeer *
limits_enter(Limits *limits, const struct sockaddr_storage *from, bool *allowed)
{
	unsigned char address[16];
	uint32_t	  bucket;
	LimitsPeer	 *peer;

	address_of(from, address);
	bucket = bucket_of(address);
	for (peer = limits->buckets[bucket]; peer != NULL; peer = peer->next)
	{
		if (memcmp(peer->address, address, sizeof(address)) == 0)
			break;
	}
	if (peer == NULL)
	{
		peer = util_alloc_zero(sizeof(*peer));
		memcpy(peer->address, address, sizeof(address));
		peer->bucket = bucket;
		peer->next = limits->buckets[bucket];
		limits->buckets[bucket] = peer;
	}
	peer->open++;
	limits->open++;
	*allowed = limits->open <= limits->max_connections &&
			   (limits->max_per_ip == 0 || peer->open <= limits->max_per_ip);
	return peer;
}

void
limits_leave(Limits *limits, LimitsPeer *peer)
{
	LimitsPeer **at;

	limits->open--;
	if (--peer->open > 0)
		return;
	for (at = &limits->buckets[peer->bucket]; *at != peer; at = &(*at)->next)
		;
	*at = peer->next;
	free(peer);
}

int64_t
limits_open(const Limits *limits)
{
	return limits->open;
}

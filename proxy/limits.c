/* limits.c - how many sockets may be open, in all and from one address. */
#include "limits.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"

#define BUCKETS 4096

struct LimitsPeer
{
	LimitsPeer *next;
	uint32_t	bucket;
	int64_t		open;
	Address		address;
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
static Address
customer_of(const Address *address)
{
	static const unsigned char v4[12] = {[10] = 0xff, [11] = 0xff};
	Address					   customer = *address;

	if (memcmp(address->bytes, v4, sizeof(v4)) != 0)
		memset(customer.bytes + 8, 0, 8);
	return customer;
}

static uint32_t
bucket_of(const Address *address)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < sizeof(address->bytes); i++)
		hash = (hash ^ address->bytes[i]) * 16777619u;
	return (hash ^ hash >> 16) % BUCKETS;
}

bool
limits_enter(Limits *limits)
{
	return ++limits->open <= limits->max_connections;
}

void
limits_leave(Limits *limits)
{
	limits->open--;
}

LimitsPeer *
limits_claim(Limits *limits, const Address *address, bool *allowed)
{
	Address		customer = customer_of(address);
	uint32_t	bucket = bucket_of(&customer);
	LimitsPeer *peer;

	for (peer = limits->buckets[bucket]; peer != NULL; peer = peer->next)
	{
		if (memcmp(&peer->address, &customer, sizeof(customer)) == 0)
			break;
	}
	if (peer == NULL)
	{
		peer = util_alloc_zero(sizeof(*peer));
		peer->address = customer;
		peer->bucket = bucket;
		peer->next = limits->buckets[bucket];
		limits->buckets[bucket] = peer;
	}
	peer->open++;
	*allowed = limits->max_per_ip == 0 || peer->open <= limits->max_per_ip;
	return peer;
}

void
limits_release(Limits *limits, LimitsPeer *peer)
{
	LimitsPeer **at;

	if (peer == NULL || --peer->open > 0)
		return;
	for (at = &limits->buckets[peer->bucket]; *at != peer; at = &(*at)->next)
		;
	*at = peer->next;
	free(peer);
}

uint64_t
limits_peer_id(const LimitsPeer *peer)
{
	return (uint64_t) collab_user_key((const char *) peer->address.bytes, sizeof(peer->address.bytes));
}

int64_t
limits_open(const Limits *limits)
{
	return limits->open;
}

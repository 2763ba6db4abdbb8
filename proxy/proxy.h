/* proxy.h - the process: what all modules share. */
#ifndef COLLAB_PROXY_PROXY_H
#define COLLAB_PROXY_PROXY_H

#include <uv.h>

#include "config.h"
#include "outage.h"
#include "slot.h"
#include "util.h"
#include "wheel.h"
#include "wire.h"

typedef struct Client		Client; /* one WebSocket */
typedef struct Room			Room;	/* one open document */
typedef struct RoomTable	RoomTable;
typedef struct Lanes		Lanes;		/* the connections that commit */
typedef struct Loader		Loader;		/* the connections that answer `open` */
typedef struct Listener		Listener;	/* LISTEN, gap fetches, comparison with the heads */
typedef struct Exchange		Exchange;	/* presence of other proxies */
typedef struct ExchangePg	ExchangePg; /* its way through the database's memory */
typedef struct Bus			Bus;		/* Redis, where it is set */
typedef struct RestDb		RestDb;		/* the connections that answer HTTP requests */
typedef struct TokenBuckets TokenBuckets;
typedef struct Rate			Rate; /* of users over sockets */
typedef struct Ws			Ws;	  /* sockets */

/*
 * Everything runs on one loop in one thread. A turn of the loop reads from sockets and from the database, and what that caused
 * goes out once at its end (proxy_turn_end in main.c): first the batches to the database, which then works while the
 * frames are written.
 */
typedef struct Proxy
{
	uv_loop_t	  loop;
	Config		  config;
	Wheel		  wheel;
	WireParser	  parser;
	Buf			  scratch; /* for building one message; nobody keeps it across calls */
	Rate		 *rate;
	Ws			 *ws;
	RoomTable	 *rooms;
	Lanes		 *lanes;
	Loader		 *loader;
	Listener	 *listener;
	Bus			 *bus; /* NULL: none */
	Exchange	 *exchange;
	ExchangePg	 *exchange_pg;
	uint64_t	  clock; /* of proxy_clock(); 0: not looked at yet */
	int64_t		  client_count;
	Slot		 *slot;		/* where this process shows what it does */
	bool		  draining; /* SIGTERM came */
	Outage		  outage;	/* what clients were told of the database */
	RestDb		 *rest;
	TokenBuckets *buckets; /* of who asks over HTTP */
} Proxy;

static inline uint64_t
proxy_now(const Proxy *proxy)
{
	return uv_now(&proxy->loop);
}

/*
 * Microseconds, for durations. Looked up at most twice a turn of the loop, before and while things go out: what is measured
 * is at least that coarse anyway.
 */
static inline uint64_t
proxy_clock(Proxy *proxy)
{
	if (proxy->clock == 0)
		proxy->clock = uv_hrtime() / 1000;
	return proxy->clock;
}

/* All connections to the database are up. */
bool proxy_database_up(const Proxy *proxy);

#endif

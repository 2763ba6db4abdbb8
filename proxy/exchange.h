/* exchange.h - what a proxy tells the other proxies of its members and their cursors, and hears of theirs. */
#ifndef COLLAB_PROXY_EXCHANGE_H
#define COLLAB_PROXY_EXCHANGE_H

#include "proxy.h"

/*
 * Batches of bytes go from each proxy to all others, over whatever transports there are. A transport may lose, double or
 * delay them: the digests that each proxy repeats show what is missing, and that is asked for. Nothing of it is ever
 * stored, and none of it has to do with the content of documents.
 */

/* A batch is never larger. */
#define EXCHANGE_BATCH_BYTES 16384
/* Members of a proxy that has not told of them for so long are gone. */
#define EXCHANGE_EXPIRY_MS 10000

/* A way to the other proxies. Batches that come from them go to exchange_received(), one's own may be among them. */
typedef struct ExchangeTransport
{
	const char *name; /* for the log */
	/* Sends to all other proxies. The bytes are copied. False: not now; nobody tries again with the same batch. */
	bool (*publish)(void *ctx, const char *batch, size_t bytes);
} ExchangeTransport;

#define EXCHANGE_TRANSPORTS 2

Exchange *exchange_create(Proxy *proxy);
/* Says goodbye to the others. The transports must still be there. */
void exchange_leave(Exchange *exchange);
void exchange_destroy(Exchange *exchange);
/* Drawn at the start of the process. */
uint64_t exchange_id(const Exchange *exchange);

/* ---- called by transports ---- */

/* A batch goes over all transports that are attached. */
void exchange_attach(Exchange *exchange, const ExchangeTransport *transport, void *ctx);
/* Whoever writes to the transport may send anything: it is looked at closely. */
void exchange_received(Exchange *exchange, const char *batch, size_t bytes);
/* The transport works (again): batches of others were missed until now. */
void exchange_up(Exchange *exchange);

/* ---- called by presence ---- */

/* The first member of this proxy that the others may know, or one more. */
void exchange_join(Room *room, const Client *client);
void exchange_leave_room(Room *room, const Client *client);
void exchange_cursor(Room *room, const Client *client);
/* The room's members elsewhere are forgotten: nobody here is left to see them. */
void exchange_forget(Room *room);

#endif

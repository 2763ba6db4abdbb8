/* exchange_pg.h - the way to other proxies through the memory of the database server. */
#ifndef COLLAB_PROXY_EXCHANGE_PG_H
#define COLLAB_PROXY_EXCHANGE_PG_H

#include "proxy.h"

/* Attaches itself to proxy->exchange. Sends over the listener's connection, waits on one of its own. */
ExchangePg *exchange_pg_create(Proxy *proxy);
void		exchange_pg_destroy(ExchangePg *pg);
bool		exchange_pg_up(const ExchangePg *pg);

#endif

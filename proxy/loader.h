/* loader.h - answers `open`: from the room's ring where that reaches back far enough, else from the database. */
#ifndef COLLAB_PROXY_LOADER_H
#define COLLAB_PROXY_LOADER_H

#include "proxy.h"

Loader *loader_create(Proxy *proxy);
void	loader_destroy(Loader *loader);
/* client->room and client->site are set. */
void loader_open(Loader *loader, Client *client, const WireMessage *open);
/* The client is gone. */
void loader_cancel(Client *client);
void loader_turn_end(Loader *loader);
bool loader_up(const Loader *loader);
int	 loader_connections_up(const Loader *loader);
/* Opens that no connection works on yet. */
uint64_t loader_waiting(const Loader *loader);

#endif

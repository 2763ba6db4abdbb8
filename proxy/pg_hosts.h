/* pg_hosts.h - the servers that a connection string names, begun with another one at each attempt. */
#ifndef COLLAB_PROXY_PG_HOSTS_H
#define COLLAB_PROXY_PG_HOSTS_H

#include "util.h"

/*
 * libpq goes on with the next host when one refuses, but a host that says nothing at all takes the whole attempt, and the next
 * attempt would begin with it again.
 */
typedef struct PgHosts
{
	int	  count; /* below 2: leave the connection string as it is */
	char *host;	 /* comma-separated, NULL where the string does not have it */
	char *hostaddr;
	char *port;
} PgHosts;

/* Whether libpq can read it: known keywords, quotes that end. A bare database name is valid. */
bool pg_hosts_valid(const char *conninfo);
void pg_hosts_init(PgHosts *hosts, const char *conninfo);
void pg_hosts_free(PgHosts *hosts);
/* `list` with its item number `first` in front, round about; of a single item that item. The caller frees it. */
char *pg_hosts_from(const char *list, int first);

#endif

/* redis_address.h - the setting redis_url, taken apart. */
#ifndef COLLAB_PROXY_REDIS_ADDRESS_H
#define COLLAB_PROXY_REDIS_ADDRESS_H

#include "util.h"

typedef struct RedisAddress
{
	char *host; /* NULL: path is meant */
	int	  port;
	char *path;		/* of a Unix socket */
	char *user;		/* NULL: the default one */
	char *password; /* NULL: none is asked for. Never shown, never logged. */
	int	  database;
} RedisAddress;

/*
 * redis://[[user]:password@]host[:port][/database], unix:///path[?db=N], or the plain path of a Unix socket. User, password and path
 * may hold %XX. False: *problem says what is wrong, without a word of the text itself, which may hold a password.
 */
bool redis_address_parse(const char *url, RedisAddress *address, const char **problem) MUST_CHECK;
void redis_address_free(RedisAddress *address);

#endif

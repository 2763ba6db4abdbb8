/* redis_address.c - the setting redis_url, taken apart. */
#include "redis_address.h"

#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "percent.h"

#define DEFAULT_PORT 6379
#define MAX_DATABASE 1000000

/* Resolves %XX. NULL: a % without two digits, or a NUL. */
static char *
decode(const char *text, size_t bytes)
{
	char   *out = util_alloc(bytes + 1);
	int64_t size = percent_decode(text, bytes, false, out);

	if (size < 0)
	{
		free(out);
		return NULL;
	}
	out[size] = '\0';
	return out;
}

/* [user]:password, or a password alone as some clients write it. */
static bool
parse_login(const char *text, size_t bytes, RedisAddress *address)
{
	const char *colon = memchr(text, ':', bytes);
	size_t		user_bytes = colon != NULL ? (size_t) (colon - text) : 0;
	const char *password = colon != NULL ? colon + 1 : text;

	if (user_bytes > 0 && (address->user = decode(text, user_bytes)) == NULL)
		return false;
	address->password = decode(password, bytes - (size_t) (password - text));
	return address->password != NULL && address->password[0] != '\0';
}

static bool
parse_host(const char *text, size_t bytes, RedisAddress *address)
{
	const char *end = text + bytes;
	const char *port;
	int64_t		number = DEFAULT_PORT;

	if (bytes > 0 && text[0] == '[') /* IPv6 */
	{
		const char *close = memchr(text, ']', bytes);

		if (close == NULL)
			return false;
		address->host = util_strndup(text + 1, (size_t) (close - text) - 1);
		port = close + 1;
		if (port < end && *port != ':')
			return false;
	}
	else
	{
		port = memchr(text, ':', bytes);
		if (port == NULL)
			port = end;
		address->host = util_strndup(text, (size_t) (port - text));
	}
	if (port < end && (!util_parse_decimal(port + 1, (size_t) (end - port) - 1, 65535, &number) || number == 0))
		return false;
	address->port = (int) number;
	return address->host[0] != '\0';
}

static bool
parse_database(const char *text, RedisAddress *address)
{
	int64_t number = 0;

	if (*text != '\0' && !util_parse_decimal(text, strlen(text), MAX_DATABASE, &number))
		return false;
	address->database = (int) number;
	return true;
}

/* Behind redis://. */
static const char *
parse_tcp(const char *text, RedisAddress *address)
{
	const char *slash;
	const char *at = NULL;

	/* the last @: careless people do not encode those in a password; a / in one has to be */
	slash = strchr(text, '/');
	if (slash == NULL)
		slash = text + strlen(text);
	for (const char *p = text; p < slash; p++)
	{
		if (*p == '@')
			at = p;
	}
	if (at != NULL && !parse_login(text, (size_t) (at - text), address))
		return "the part before @ must be user:password or :password, with %XX for special characters";
	if (at != NULL)
		text = at + 1;
	if (!parse_host(text, (size_t) (slash - text), address))
		return "it must have a host, and a port from 1 to 65535 or none";
	if (*slash == '/' && !parse_database(slash + 1, address))
		return "behind the host there may be / and the number of a database";
	return NULL;
}

static const char *
parse_unix(const char *text, RedisAddress *address)
{
	struct sockaddr_un socket_address;
	const char		  *query = strchr(text, '?');
	size_t			   bytes = query != NULL ? (size_t) (query - text) : strlen(text);

	if (text[0] != '/' || (address->path = decode(text, bytes)) == NULL)
		return "the path of a Unix socket must begin with /";
	if (strlen(address->path) >= sizeof(socket_address.sun_path))
		return "the path of the Unix socket is too long";
	if (query != NULL && (strncmp(query, "?db=", 4) != 0 || !parse_database(query + 4, address)))
		return "behind the path there may be ?db= and the number of a database";
	return NULL;
}

bool
redis_address_parse(const char *url, RedisAddress *address, const char **problem)
{
	memset(address, 0, sizeof(*address));
	if (strncmp(url, "redis://", 8) == 0)
		*problem = parse_tcp(url + 8, address);
	else if (strncmp(url, "unix://", 7) == 0)
		*problem = parse_unix(url + 7, address);
	else if (url[0] == '/')
		*problem = parse_unix(url, address);
	else if (strncmp(url, "rediss://", 9) == 0)
		*problem = "TLS is not supported: use redis:// to a tunnel, stunnel for example";
	else
		*problem = "it must begin with redis://, unix:// or /";
	if (*problem == NULL)
		return true;
	redis_address_free(address);
	return false;
}

/* Forgets it as well as the memory can. */
void
redis_address_free(RedisAddress *address)
{
	if (address->password != NULL)
		explicit_bzero(address->password, strlen(address->password));
	free(address->host);
	free(address->path);
	free(address->user);
	free(address->password);
	memset(address, 0, sizeof(*address));
}

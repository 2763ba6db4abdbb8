/* listen.c - the public listening socket, one for each worker on the same port. */
#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"

static int
open_socket(const Config *config)
{
	struct sockaddr_storage address;
	socklen_t				size;
	int						one = 1;
	int						fd;

	memset(&address, 0, sizeof(address));
	if (strchr(config->listen_address, ':') != NULL)
	{
		struct sockaddr_in6 *v6 = (struct sockaddr_in6 *) (void *) &address;

		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t) config->listen_port);
		inet_pton(AF_INET6, config->listen_address, &v6->sin6_addr);
		size = sizeof(*v6);
	}
	else
	{
		struct sockaddr_in *v4 = (struct sockaddr_in *) (void *) &address;

		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t) config->listen_port);
		inet_pton(AF_INET, config->listen_address, &v4->sin_addr);
		size = sizeof(*v4);
	}
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) != 0 ||
		bind(fd, (struct sockaddr *) &address, size) != 0)
	{
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

int
listen_open(const Config *config)
{
	int fd = open_socket(config);

	if (fd < 0)
		log_line(LOG_ERROR, "cannot listen", "address=%s port=%lld reason=\"%s\"", config->listen_address,
				 (long long) config->listen_port, strerror(errno));
	return fd;
}

/* notify.c - tells systemd how the service is, where it wants to know (Type=notify). */
#include "notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void
notify_send(const char *state)
{
	const char		  *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to;
	size_t			   bytes = path != NULL ? strlen(path) : 0;
	int				   fd;

	if (bytes == 0 || bytes >= sizeof(to.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memset(&to, 0, sizeof(to));
	to.sun_family = AF_UNIX;
	memcpy(to.sun_path, path, bytes);
	if (path[0] == '@') /* an abstract name */
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	(void) sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *) (const void *) &to,
				  (socklen_t) (offsetof(struct sockaddr_un, sun_path) + bytes));
	close(fd);
}

void
notify_reloading(void)
{
	struct timespec now;
	char			state[96];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld",
			 (long long) now.tv_sec * 1000000 + now.tv_nsec / 1000);
	notify_send(state);
}

uint64_t
notify_watchdog_ms(void)
{
	const char *text = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");
	int64_t		micros;

	if (text == NULL || !util_parse_decimal(text, strlen(text), INT64_MAX, &micros) || micros < 2000)
		return 0;
	if (pid != NULL && atoll(pid) != (long long) getpid())
		return 0;
	return (uint64_t) micros / 2000; /* twice as often as it is waited for */
}

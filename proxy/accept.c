/* accept.c - takes connections off the listening socket, no faster than they can be served. */
#include "accept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "log.h"

#define TURN_MAX 64			 /* per turn of the loop, so that those who are in are served in between */
#define STARVED_PAUSE_MS 100 /* until descriptors are looked for again */
#define CLOSED_PAUSE_MS                                                                                      \
	100 /* until the socket is looked at again that the supervisor has taken out of service */
#define RATE_PAUSE_MS 20 /* until the next few may come in */
#define RESERVE 64 /* descriptors beside clients and the database: files, the admin address, the loop's own */
#define COMPLAIN_MS 10000 /* at most one line in the log in this time */

/*
 * Who has to wait waits in the kernel's queue, where it costs us nothing, and where a balancer or a client in a hurry can
 * go elsewhere. Two things make it wait: `accept_rate`, because after the end of another process everybody comes at once
 * and each handshake and each `open` takes time from those who are served already; and the open-file limit.
 */
struct Accept
{
	Proxy	   *proxy;
	AcceptTake	take;
	AcceptCount count;
	void	   *ctx;
	int			fd;
	uv_poll_t	poll;
	bool		listening;
	bool		starved;
	WheelTimer	pause;
	double		tokens; /* connections that may come in at once */
	uint64_t	filled; /* when tokens were added last, milliseconds */
	uint64_t	complained;
};

static void on_readable(uv_poll_t *handle, int status, int events);

/* ---- the rate ---- */

static void
fill_tokens(Accept *accept)
{
	const Config *config = &accept->proxy->config;
	uint64_t	  now = proxy_now(accept->proxy);

	accept->tokens += (double) (now - accept->filled) * (double) config->accept_rate / 1000;
	if (accept->tokens > (double) config->accept_burst)
		accept->tokens = (double) config->accept_burst;
	accept->filled = now;
}

static bool
take_token(Accept *accept)
{
	if (accept->proxy->config.accept_rate == 0)
		return true;
	if (accept->tokens < 1)
		return false;
	accept->tokens--;
	return true;
}

/* ---- descriptors ---- */

int64_t
accept_reserve(const Config *config, int64_t limit)
{
	int64_t reserve = RESERVE + config->lanes + config->retry_lanes + config->readers + config->rest_readers +
					  config->rest_writers;

	return reserve < limit / 2 ? reserve : limit / 2;
}

/* The limit can be changed from outside at any time. */
static int64_t
free_descriptors(const Accept *accept)
{
	struct rlimit limit;
	int64_t		  most;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT32_MAX)
		return INT32_MAX;
	most = (int64_t) limit.rlim_cur;
	return most - accept_reserve(&accept->proxy->config, most) - accept->count(accept->ctx);
}

/* ---- pauses ---- */

static void
resume(WheelTimer *timer)
{
	Accept *accept = container_of(timer, Accept, pause);

	if (accept->listening)
		uv_poll_start(&accept->poll, UV_READABLE, on_readable);
}

static void
rest(Accept *accept, uint64_t ms)
{
	uv_poll_stop(&accept->poll);
	wheel_set(&accept->proxy->wheel, &accept->pause, ms);
}

static void
pause_for(Accept *accept, uint64_t ms, MetricId metric)
{
	metrics_add(metric, 1);
	rest(accept, ms);
}

static void
starve(Accept *accept, const char *reason)
{
	uint64_t now = proxy_now(accept->proxy);

	if (accept->complained == 0 || now - accept->complained >= COMPLAIN_MS)
	{
		log_line(LOG_ERROR, "newcomers have to wait for file descriptors", "connections=%lld reason=\"%s\"",
				 (long long) accept->count(accept->ctx), reason);
		accept->complained = now;
	}
	accept->starved = true;
	pause_for(accept, STARVED_PAUSE_MS, METRIC_ACCEPT_PAUSES_FILES);
}

/* ---- taking ---- */

static void
on_readable(uv_poll_t *handle, int status, int events)
{
	Accept *accept = handle->data;
	int64_t descriptors = free_descriptors(accept);

	(void) status;
	(void) events;
	fill_tokens(accept);
	for (int i = 0; i < TURN_MAX; i++)
	{
		struct sockaddr_storage address;
		socklen_t				size = sizeof(address);
		int						fd;

		if (descriptors-- <= 0)
		{
			starve(accept, "the open-file limit is near");
			return;
		}
		if (!take_token(accept))
		{
			pause_for(accept, RATE_PAUSE_MS, METRIC_ACCEPT_PAUSES_RATE);
			return;
		}
		fd = accept4(accept->fd, (struct sockaddr *) &address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0)
		{
			accept->starved = false;
			accept->take(accept->ctx, fd, &address);
			continue;
		}
		accept->tokens++;
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
		{
			starve(accept, strerror(errno));
			return;
		}
		if (errno == EINVAL)
		{
			/* there are descriptors; who says otherwise would never be given a newcomer to find out */
			accept->starved = false;
			rest(accept, CLOSED_PAUSE_MS); /* it does not listen for now: see crew.c */
			return;
		}
		if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

bool
accept_starved(const Accept *accept)
{
	return accept->starved;
}

/* ---- life ---- */

Accept *
accept_create(Proxy *proxy, int listen_fd, AcceptTake take, AcceptCount count, void *ctx)
{
	Accept *accept = util_alloc_zero(sizeof(*accept));

	accept->proxy = proxy;
	accept->take = take;
	accept->count = count;
	accept->ctx = ctx;
	accept->fd = listen_fd;
	accept->tokens = (double) proxy->config.accept_burst;
	accept->filled = proxy_now(proxy);
	wheel_timer_init(&accept->pause, resume);
	uv_poll_init(&proxy->loop, &accept->poll, listen_fd);
	accept->poll.data = accept;
	return accept;
}

void
accept_start(Accept *accept)
{
	if (listen(accept->fd, (int) accept->proxy->config.listen_backlog) != 0)
		log_line(LOG_ERROR, "cannot listen", "reason=\"%s\"", strerror(errno));
	accept->listening = true;
	uv_poll_start(&accept->poll, UV_READABLE, on_readable);
}

void
accept_stop(Accept *accept)
{
	if (accept->fd < 0)
		return;
	accept->listening = false;
	wheel_cancel(&accept->proxy->wheel, &accept->pause);
	uv_poll_stop(&accept->poll);
	uv_close((uv_handle_t *) &accept->poll, NULL);
	close(accept->fd);
	accept->fd = -1;
}

void
accept_free(Accept *accept)
{
	free(accept);
}

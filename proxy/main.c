/* main.c - the start, the turn of the loop, and the end. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "client.h"
#include "lane.h"
#include "listener.h"
#include "loader.h"
#include "log.h"
#include "proxy.h"
#include "room.h"
#include "ws.h"

enum
{
	EXIT_CONFIG = 2,
	EXIT_LISTEN = 3
};

#define DESCRIPTORS_BESIDE_CLIENTS 128
#define GOODBYE_MS 3000 /* for the close frames */

/* How the process ends: each step waits for the one before, or for the clock. */
typedef enum Ending
{
	ENDING_NOT,
	ENDING_DRAIN,	/* no new connections and operations; what is in flight is finished */
	ENDING_GOODBYE, /* everybody was sent a close frame */
	ENDING_OVER
} Ending;

typedef struct Main
{
	Proxy		 proxy;
	uv_prepare_t prepare;
	uv_signal_t	 signals[2];
	WheelTimer	 deadline;
	Ending		 ending;
} Main;

extern char **environ;

/* ---- the end ---- */

static void
say_goodbye(Main *m)
{
	m->ending = ENDING_GOODBYE;
	wheel_set(&m->proxy.wheel, &m->deadline, GOODBYE_MS);
	ws_close_all(m->proxy.ws, 1001, "the server is going away");
}

static void
on_deadline(WheelTimer *timer)
{
	Main *m = container_of(timer, Main, deadline);

	if (m->ending == ENDING_DRAIN)
	{
		log_line(LOG_WARNING, "not everything in flight was finished in time", NULL);
		say_goodbye(m);
	}
	else
		m->ending = ENDING_OVER;
}

/* SIGTERM, SIGINT: finish in order. A second one: at once. */
static void
on_signal(uv_signal_t *handle, int number)
{
	Main *m = handle->data;

	if (m->ending != ENDING_NOT)
	{
		log_line(LOG_WARNING, "ending at once", "signal=%d", number);
		_exit(0);
	}
	log_line(LOG_INFO, "ending", "signal=%d connections=%lld", number, (long long) m->proxy.client_count);
	m->ending = ENDING_DRAIN;
	m->proxy.draining = true;
	ws_stop_listening(m->proxy.ws);
	wheel_set(&m->proxy.wheel, &m->deadline, (uint64_t) m->proxy.config.drain_timeout_ms);
}

static void
advance_ending(Main *m)
{
	/* an acknowledgement may still wait for the events before it */
	if (m->ending == ENDING_DRAIN && lanes_idle(m->proxy.lanes) && listener_idle(m->proxy.listener))
		say_goodbye(m);
	if (m->ending == ENDING_GOODBYE && ws_connections(m->proxy.ws) == 0)
		m->ending = ENDING_OVER;
	if (m->ending == ENDING_OVER)
		uv_stop(&m->proxy.loop);
}

/* ---- the turn ---- */

/* Right before the loop sleeps: everything that this turn brought goes out. Batches first: the database works meanwhile. */
static void
on_turn_end(uv_prepare_t *handle)
{
	Main *m = handle->data;

	lanes_turn_end(m->proxy.lanes);
	loader_turn_end(m->proxy.loader);
	listener_turn_end(m->proxy.listener);
	rooms_turn_end(m->proxy.rooms);
	ws_turn_end(m->proxy.ws);
	if (m->ending != ENDING_NOT)
		advance_ending(m);
}

/* ---- the start ---- */

static void
raise_descriptor_limit(const Config *config)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur != RLIM_INFINITY &&
		limit.rlim_cur < (rlim_t) config->max_connections + DESCRIPTORS_BESIDE_CLIENTS)
		log_line(LOG_WARNING, "max_connections is more than the process may open",
				 "max_connections=%lld open_files=%llu", (long long) config->max_connections,
				 (unsigned long long) limit.rlim_cur);
}

static void
watch_signal(Main *m, int index, int number)
{
	uv_signal_init(&m->proxy.loop, &m->signals[index]);
	m->signals[index].data = m;
	uv_signal_start(&m->signals[index], on_signal, number);
}

static bool
start(Main *m)
{
	Proxy *proxy = &m->proxy;

	uv_loop_init(&proxy->loop);
	wheel_init(&proxy->wheel, &proxy->loop);
	wire_parser_init(&proxy->parser);
	buf_init(&proxy->scratch, util_buffer_alloc);
	wheel_timer_init(&m->deadline, on_deadline);
	proxy->ws = ws_create(proxy);
	if (proxy->ws == NULL)
		return false;
	proxy->rooms = rooms_create(proxy);
	proxy->lanes = lanes_create(proxy);
	proxy->loader = loader_create(proxy);
	proxy->listener = listener_create(proxy);
	uv_prepare_init(&proxy->loop, &m->prepare);
	m->prepare.data = m;
	uv_prepare_start(&m->prepare, on_turn_end);
	watch_signal(m, 0, SIGTERM);
	watch_signal(m, 1, SIGINT);
	ws_listen(proxy->ws);
	log_line(LOG_INFO, "listening", "version=" COLLAB_VERSION " address=%s port=%lld auth=%s",
			 proxy->config.listen_address, (long long) proxy->config.listen_port, proxy->config.auth);
	return true;
}

/* Sockets go first: each client lets go of its room and of what it has in flight. */
static void
finish(Main *m)
{
	Proxy *proxy = &m->proxy;

	uv_prepare_stop(&m->prepare);
	ws_shutdown(proxy->ws);
	lanes_destroy(proxy->lanes);
	loader_destroy(proxy->loader);
	listener_destroy(proxy->listener);
	rooms_destroy(proxy->rooms);
	wheel_cancel(&proxy->wheel, &m->deadline);
	uv_close((uv_handle_t *) &m->prepare, NULL);
	for (int i = 0; i < 2; i++)
		uv_close((uv_handle_t *) &m->signals[i], NULL);
	wheel_close(&proxy->wheel);
	uv_run(&proxy->loop, UV_RUN_DEFAULT);
	ws_free(proxy->ws);
	uv_loop_close(&proxy->loop);
	wire_parser_free(&proxy->parser);
	buf_free(&proxy->scratch);
}

static int
run(const Config *config)
{
	static Main m;
	LogLevel	level;

	m.proxy.config = *config;
	if (log_parse_level(config->log_level, &level))
		log_set_level(level);
	signal(SIGPIPE, SIG_IGN);
	raise_descriptor_limit(config);
	if (!start(&m))
		return EXIT_LISTEN;
	uv_run(&m.proxy.loop, UV_RUN_DEFAULT);
	finish(&m);
	log_line(LOG_INFO, "ended", NULL);
	return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	Config config;
	int	   status = EXIT_SUCCESS;

	switch (config_load(&config, argc, argv, environ))
	{
		case SETTINGS_HELP:
			config_help();
			break;
		case SETTINGS_VERSION:
			printf("collab-proxy " COLLAB_VERSION "\n");
			break;
		case SETTINGS_CHECK:
			printf("the configuration is valid\n");
			break;
		case SETTINGS_PRINT:
			config_print(&config);
			break;
		case SETTINGS_BAD:
		case SETTINGS_OWN:
			status = EXIT_CONFIG;
			break;
		case SETTINGS_RUN:
			status = run(&config);
			break;
	}
	config_free(&config);
	return status;
}

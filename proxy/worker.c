/* worker.c - one process that serves clients: the start, the turn of the loop, and the end. */
#include "worker.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "accept.h"
#include "bus.h"
#include "client.h"
#include "exchange.h"
#include "exchange_pg.h"
#include "heap.h"
#include "lane.h"
#include "listen.h"
#include "listener.h"
#include "loader.h"
#include "log.h"
#include "notify.h"
#include "overview.h"
#include "pulse.h"
#include "rate.h"
#include "rest_db.h"
#include "room.h"
#include "token_bucket.h"
#include "ws.h"

#define GOODBYE_MS 3000 /* for the close frames */
#define SEND_AWAY_MS 20 /* between two groups of clients that are sent elsewhere */

/* How the process ends: each step waits for the one before, or for the clock. */
typedef enum Ending
{
	ENDING_NOT,
	ENDING_DELAY,	/* not ready any more, and otherwise as before: balancers have to notice */
	ENDING_DRAIN,	/* no new connections; group by group, clients finish what is in flight and are closed */
	ENDING_GOODBYE, /* time is up: whoever is left was sent a close frame */
	ENDING_OVER
} Ending;

typedef struct Worker
{
	Proxy		 proxy;
	const Link	*link;
	Pulse		*pulse;
	Admin		*admin; /* NULL: no admin address, or it is the supervisor's business */
	uv_prepare_t prepare;
	uv_signal_t	 signals[4];
	WheelTimer	 deadline;
	WheelTimer	 send_away;
	Ending		 ending;
} Worker;

bool
proxy_database_up(const Proxy *proxy)
{
	return lanes_up(proxy->lanes) && loader_up(proxy->loader) && listener_up(proxy->listener);
}

/* ---- the end ---- */

static void
say_goodbye(Worker *worker)
{
	worker->ending = ENDING_GOODBYE;
	wheel_set(&worker->proxy.wheel, &worker->deadline, GOODBYE_MS);
	ws_close_all(worker->proxy.ws, 1001, CLIENT_GOODBYE);
}

/* The next group. They come back to other processes, all of them within what those can take. */
static void
on_send_away(WheelTimer *timer)
{
	Worker		 *worker = container_of(timer, Worker, send_away);
	const Config *config = &worker->proxy.config;
	int64_t		  count = config->drain_rate * SEND_AWAY_MS / 1000;

	ws_send_away(worker->proxy.ws, count > 0 ? count : 1, config->drain_spread_ms);
	if (worker->ending == ENDING_DRAIN)
		wheel_set(&worker->proxy.wheel, timer,
				  count > 0 ? SEND_AWAY_MS : (uint64_t) (1000 / config->drain_rate));
}

static void
drain(Worker *worker)
{
	worker->ending = ENDING_DRAIN;
	ws_stop_listening(worker->proxy.ws);
	wheel_set(&worker->proxy.wheel, &worker->send_away, 0);
	wheel_set(&worker->proxy.wheel, &worker->deadline, (uint64_t) worker->proxy.config.drain_timeout_ms);
}

static void
on_deadline(WheelTimer *timer)
{
	Worker *worker = container_of(timer, Worker, deadline);

	if (worker->ending == ENDING_DELAY)
		drain(worker);
	else if (worker->ending == ENDING_DRAIN)
	{
		log_line(LOG_WARNING, "not everything in flight was finished in time", NULL);
		say_goodbye(worker);
	}
	else
		worker->ending = ENDING_OVER;
}

/* SIGTERM, SIGINT: finish in order. A second one: at once. */
static void
on_signal(uv_signal_t *handle, int number)
{
	Worker *worker = handle->data;

	/* under a supervisor that is its decision, and a service manager may tell all processes of a service to end */
	if (worker->ending != ENDING_NOT && worker->link->worker >= 0)
		return;
	if (worker->ending != ENDING_NOT)
	{
		log_line(LOG_WARNING, "ending at once", "signal=%d", number);
		_exit(0);
	}
	if (worker->link->worker < 0)
		notify_send("STOPPING=1");
	log_line(LOG_INFO, "ending", "signal=%d connections=%lld", number, (long long) worker->proxy.client_count);
	worker->proxy.draining = true;
	pulse_take(worker->pulse);
	/* the supervisor has waited already, or somebody else serves the address */
	if (worker->proxy.config.drain_delay_ms == 0 || worker->link->worker >= 0)
	{
		drain(worker);
		return;
	}
	worker->ending = ENDING_DELAY;
	wheel_set(&worker->proxy.wheel, &worker->deadline, (uint64_t) worker->proxy.config.drain_delay_ms);
}

/* SIGHUP: the settings again, as far as they can change. */
static void
on_reload(uv_signal_t *handle, int number)
{
	Worker *worker = handle->data;

	log_line(LOG_INFO, "reading the settings again", "signal=%d", number);
	notify_reloading();
	if (config_reload(&worker->proxy.config))
	{
		config_apply_log(&worker->proxy.config);
		ws_limits_changed(worker->proxy.ws);
		ws_certificate_changed(worker->proxy.ws);
	}
	notify_send("READY=1");
}

static void
on_roll(uv_signal_t *handle, int number)
{
	(void) handle;
	log_line(LOG_WARNING, "nobody can be replaced: this is a single process", "signal=%d", number);
}

static void
advance_ending(Worker *worker)
{
	/* of who broke away, operations may still be on their way */
	if (worker->ending == ENDING_DRAIN && ws_connections(worker->proxy.ws) == 0 &&
		lanes_idle(worker->proxy.lanes) && rest_db_idle(worker->proxy.rest))
		worker->ending = ENDING_OVER;
	if (worker->ending == ENDING_GOODBYE && ws_connections(worker->proxy.ws) == 0)
		worker->ending = ENDING_OVER;
	if (worker->ending == ENDING_OVER)
		uv_stop(&worker->proxy.loop);
}

/* ---- the turn ---- */

/* Right before the loop sleeps: everything that this turn brought goes out. Batches first: the database works meanwhile. */
static void
on_turn_end(uv_prepare_t *handle)
{
	Worker *worker = handle->data;

	worker->proxy.clock = 0;
	ws_answer(worker->proxy.ws);
	lanes_turn_end(worker->proxy.lanes);
	loader_turn_end(worker->proxy.loader);
	rest_db_turn_end(worker->proxy.rest);
	listener_turn_end(worker->proxy.listener);
	bus_turn_end(worker->proxy.bus);
	rooms_turn_end(worker->proxy.rooms);
	if (ws_turn_end(worker->proxy.ws))
		rooms_written(worker->proxy.rooms);
	bus_turn_end(worker->proxy.bus); /* rooms that were closed meanwhile */
	worker->proxy.clock = 0;
	if (worker->ending != ENDING_NOT)
		advance_ending(worker);
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
		(int64_t) limit.rlim_cur - accept_reserve(config, (int64_t) limit.rlim_cur) < config->max_connections)
		log_line(LOG_WARNING, "max_connections is more than the process may open",
				 "max_connections=%lld open_files=%llu advice=\"raise the open-file limit\"",
				 (long long) config->max_connections, (unsigned long long) limit.rlim_cur);
}

static void
watch_signal(Worker *worker, int index, int number, uv_signal_cb on)
{
	uv_signal_init(&worker->proxy.loop, &worker->signals[index]);
	worker->signals[index].data = worker;
	uv_signal_start(&worker->signals[index], on, number);
}

/* The admin address of a process that has no supervisor. */
static void
answer_admin(void *ctx, const char *path, size_t bytes, AdminReply *reply)
{
	static const MetricsBlock	nothing;
	static const OverviewCounts none;
	Worker					   *worker = ctx;
	SlotRef						ref = {0, getpid(), worker->proxy.slot};
	Overview					overview = {&ref, 1, 1, 0, &nothing, &none, worker->proxy.draining};

	pulse_take(worker->pulse);
	overview_answer(&overview, path, bytes, reply);
}

static bool
start_admin(Worker *worker)
{
	const Config *config = &worker->proxy.config;

	if (config->admin_port == 0 || worker->link->worker >= 0)
		return true;
	worker->admin = admin_create(&worker->proxy.loop, config->admin_address, (int) config->admin_port,
								 answer_admin, worker);
	return worker->admin != NULL;
}

static bool
start(Worker *worker)
{
	Proxy *proxy = &worker->proxy;
	int	   listen_fd = worker->link->listen_fd;

	uv_loop_init(&proxy->loop);
	wheel_init(&proxy->wheel, &proxy->loop);
	wire_parser_init(&proxy->parser);
	buf_init(&proxy->scratch, util_buffer_alloc);
	wheel_timer_init(&worker->deadline, on_deadline);
	wheel_timer_init(&worker->send_away, on_send_away);
	if (!start_admin(worker))
		return false;
	if (listen_fd < 0)
		listen_fd = listen_open(&proxy->config);
	if (listen_fd < 0)
		return false;
	proxy->ws = ws_create(proxy, listen_fd);
	if (proxy->ws == NULL)
		return false;
	proxy->exchange = exchange_create(proxy);
	proxy->rooms = rooms_create(proxy);
	proxy->bus = bus_create(proxy);
	proxy->lanes = lanes_create(proxy);
	proxy->loader = loader_create(proxy);
	proxy->listener = listener_create(proxy);
	proxy->exchange_pg = exchange_pg_create(proxy);
	proxy->rest = rest_db_create(proxy);
	proxy->buckets = token_buckets_create();
	proxy->rate = rate_create();
	worker->pulse = pulse_create(proxy, proxy->slot);
	uv_prepare_init(&proxy->loop, &worker->prepare);
	worker->prepare.data = worker;
	uv_prepare_start(&worker->prepare, on_turn_end);
	watch_signal(worker, 0, SIGTERM, on_signal);
	watch_signal(worker, 1, SIGINT, on_signal);
	watch_signal(worker, 2, SIGHUP, on_reload);
	watch_signal(worker, 3, SIGUSR2, on_roll);
	ws_listen(proxy->ws);
	metrics_store(&proxy->slot->state, SLOT_SERVING);
	pulse_take(worker->pulse);
	notify_send("READY=1");
	log_line(LOG_INFO, "listening", "version=" COLLAB_VERSION " address=%s port=%lld auth=%s",
			 proxy->config.listen_address, (long long) proxy->config.listen_port, proxy->config.auth);
	return true;
}

/* Sockets go first: each client lets go of its room and of what it has in flight. */
static void
finish(Worker *worker)
{
	Proxy *proxy = &worker->proxy;

	uv_prepare_stop(&worker->prepare);
	pulse_stop(worker->pulse);
	admin_stop(worker->admin);
	ws_shutdown(proxy->ws);
	exchange_leave(proxy->exchange);
	bus_stop(proxy->bus);
	lanes_destroy(proxy->lanes);
	loader_destroy(proxy->loader);
	listener_destroy(proxy->listener);
	exchange_pg_destroy(proxy->exchange_pg);
	rest_db_destroy(proxy->rest);
	token_buckets_free(proxy->buckets);
	rate_free(proxy->rate);
	rooms_destroy(proxy->rooms);
	bus_destroy(proxy->bus);
	exchange_destroy(proxy->exchange);
	wheel_cancel(&proxy->wheel, &worker->deadline);
	wheel_cancel(&proxy->wheel, &worker->send_away);
	uv_close((uv_handle_t *) &worker->prepare, NULL);
	for (int i = 0; i < 4; i++)
		uv_close((uv_handle_t *) &worker->signals[i], NULL);
	wheel_close(&proxy->wheel);
	uv_run(&proxy->loop, UV_RUN_DEFAULT);
	ws_free(proxy->ws);
	pulse_free(worker->pulse);
	admin_free(worker->admin);
	uv_loop_close(&proxy->loop);
	wire_parser_free(&proxy->parser);
	buf_free(&proxy->scratch);
}

int
worker_run(Config *config, const Link *link)
{
	static Worker worker;
	static Slot	  own_slot;

	worker.proxy.config = *config;
	worker.proxy.slot = link->slot != NULL ? link->slot : &own_slot;
	worker.link = link;
	heap_init();
	signal(SIGPIPE, SIG_IGN);
	raise_descriptor_limit(config);
	if (!start(&worker))
		return EXIT_LISTEN;
	uv_run(&worker.proxy.loop, UV_RUN_DEFAULT);
	finish(&worker);
	*config = worker.proxy.config;
	log_line(LOG_INFO, "ended", NULL);
	return EXIT_SUCCESS;
}

/* pulse.c - four times a second a worker looks at itself and writes into its slot what it sees. */
#include "pulse.h"

#include <stdlib.h>
#include <time.h>

#include "bus.h"
#include "exchange_pg.h"
#include "frame.h"
#include "heap.h"
#include "lane.h"
#include "listener.h"
#include "loader.h"
#include "notify.h"
#include "outage.h"
#include "pg.h"
#include "room.h"
#include "rooms.h"
#include "ws.h"
#include "rest_db.h"

#define BEAT_MS 250

struct Pulse
{
	Proxy	  *proxy;
	Slot	  *slot;
	uv_timer_t timer;
	uint64_t   due;			/* when the timer should fire, microseconds */
	uint64_t   watchdog_ms; /* systemd wants to hear from us this often; 0: it does not */
	uint64_t   watchdog_due;
};

uint64_t
pulse_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

static void
set_pool(MetricId up_id, MetricId down_id, int64_t up, int64_t all)
{
	metrics_set(up_id, (uint64_t) up);
	metrics_set(down_id, (uint64_t) (all - up));
}

static void
take_database(const Proxy *proxy)
{
	const Config *config = &proxy->config;
	int			  listener = listener_up(proxy->listener) ? 1 : 0;
	int			  lanes = lanes_connections_up(proxy->lanes, false);
	int			  retry = lanes_connections_up(proxy->lanes, true);
	int			  readers = loader_connections_up(proxy->loader);
	int			  http_up;
	int			  http = rest_db_connections(proxy->rest, &http_up);

	set_pool(METRIC_LANES_UP, METRIC_LANES_DOWN, lanes, config->lanes);
	set_pool(METRIC_RETRY_UP, METRIC_RETRY_DOWN, retry, config->retry_lanes);
	set_pool(METRIC_READERS_UP, METRIC_READERS_DOWN, readers, config->readers);
	set_pool(METRIC_LISTENER_UP, METRIC_LISTENER_DOWN, listener, 1);
	metrics_set(METRIC_REDIS_UP, bus_up(proxy->bus) ? 1 : 0);
	set_pool(METRIC_PRESENCE_UP, METRIC_PRESENCE_DOWN, exchange_pg_up(proxy->exchange_pg) ? 1 : 0, 1);
	set_pool(METRIC_POOL_HTTP_UP, METRIC_POOL_HTTP_DOWN, http_up, http);
	metrics_set(METRIC_DURABLE, lanes_durable(proxy->lanes) ? 1 : 0);
}

static void
take_queues(const Proxy *proxy)
{
	LanesLoad load;

	lanes_load(proxy->lanes, &load);
	metrics_set(METRIC_OPS_WAITING, load.waiting);
	metrics_set(METRIC_OPS_WAITING_BYTES, load.waiting_bytes);
	metrics_set(METRIC_OPS_IN_FLIGHT, load.in_flight);
	metrics_set(METRIC_OPENS_WAITING, loader_waiting(proxy->loader));
	metrics_set(METRIC_SEND_QUEUE_BYTES, frame_queued_bytes());
	metrics_set(METRIC_ANSWER_BYTES, frame_uncounted_bytes());
	metrics_set(METRIC_RING_BYTES, room_ring_memory());
}

/* Once full, it stays so until some have left, or balancers would change their mind all the time. */
static bool
is_full(const Proxy *proxy, const Slot *slot)
{
	int64_t most = proxy->config.max_connections;

	return ws_full(proxy->ws) || (slot->full != 0 && ws_connections(proxy->ws) > most - most / 50);
}

void
pulse_take(Pulse *pulse)
{
	const Proxy *proxy = pulse->proxy;
	Slot		*slot = pulse->slot;
	int64_t		 sockets = ws_connections(proxy->ws);

	take_database(proxy);
	metrics_set(METRIC_TLS_VALID_UNTIL, (uint64_t) ws_valid_until(proxy->ws));
	take_queues(proxy);
	metrics_set(METRIC_CONNECTIONS, (uint64_t) proxy->client_count);
	metrics_set(METRIC_CONNECTIONS_LIMIT, (uint64_t) proxy->config.max_connections);
	metrics_set(METRIC_SOCKETS, (uint64_t) sockets);
	metrics_set(METRIC_EPOCH, __atomic_load_n(&slot->seen.timeline, __ATOMIC_ACQUIRE));
	metrics_set(METRIC_OPEN_DOCUMENTS, (uint64_t) rooms_count(proxy->rooms));
	metrics_store(&slot->database, proxy_database_up(proxy) ? 1 : 0);
	metrics_store(&slot->full, is_full(proxy, slot) ? 1 : 0);
	if (proxy->draining)
		metrics_store(&slot->state, SLOT_DRAINING);
	metrics_set(METRIC_READY, slot_is_ready(slot) ? 1 : 0);
	metrics_store(&slot->beat, pulse_clock());
}

static void
on_timer(uv_timer_t *timer)
{
	Pulse	*pulse = timer->data;
	uint64_t now = uv_hrtime() / 1000;

	metrics_set(METRIC_LOOP_LAG, now > pulse->due ? now - pulse->due : 0);
	pulse_take(pulse);
	heap_watch(ws_connections(pulse->proxy->ws));
	pg_leave_former();
	outage_look(pulse->proxy);
	if (pulse->watchdog_ms > 0 && now / 1000 >= pulse->watchdog_due)
	{
		pulse->watchdog_due = now / 1000 + pulse->watchdog_ms;
		notify_send("WATCHDOG=1");
	}
	pulse->due = now + BEAT_MS * 1000;
	uv_timer_start(timer, on_timer, BEAT_MS, 0);
}

Pulse *
pulse_create(Proxy *proxy, Slot *slot)
{
	Pulse *pulse = util_alloc_zero(sizeof(*pulse));

	pulse->proxy = proxy;
	pulse->slot = slot;
	pulse->watchdog_ms = notify_watchdog_ms();
	metrics = &slot->metrics;
	pg_server_share(&slot->seen, &slot->known);
	pulse->due = uv_hrtime() / 1000 + BEAT_MS * 1000;
	uv_timer_init(&proxy->loop, &pulse->timer);
	pulse->timer.data = pulse;
	uv_timer_start(&pulse->timer, on_timer, BEAT_MS, 0);
	return pulse;
}

void
pulse_stop(Pulse *pulse)
{
	uv_close((uv_handle_t *) &pulse->timer, NULL);
}

void
pulse_free(Pulse *pulse)
{
	free(pulse);
}

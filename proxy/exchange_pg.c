/* exchange_pg.c - the way to other proxies through the memory of the database server. */
#include "exchange_pg.h"

#include <stdlib.h>
#include <string.h>

#include "exchange.h"
#include "listener.h"
#include "log.h"

#define SEND_SQL "SELECT collab.presence_send($1::bigint, $2::bytea)"
#define RECEIVE_SQL                                                                                          \
	"SELECT next, overrun, batch FROM collab.presence_receive($1::bigint, $2::bigint, $3::integer)"

#define WAIT_MS 5000	  /* of one query: vacuum must not have to wait for it for long */
#define GRACE_MS 10000	  /* and so long again until its answer is overdue */
#define PAUSE_MS 20		  /* after something came: what comes meanwhile comes together */
#define RETRY_MS 5000	  /* after an error, which is as good as always one that lasts */
#define MAX_SENDING 32	  /* batches on their way; what comes then is dropped */
#define NOT_READY "55000" /* the library is not preloaded */

typedef enum State
{
	STATE_AWAY,		 /* no connection */
	STATE_RECEIVING, /* a query waits; the timer watches it */
	STATE_PAUSING	 /* the timer starts the next one */
} State;

struct ExchangePg
{
	Proxy	  *proxy;
	Pg		  *pg;
	PgSetup	   setup;
	PgParams   params;
	WheelTimer timer;
	State	   state;
	bool	   works;		 /* a query was answered on this connection */
	int64_t	   since;		 /* where to go on; -1: wherever the ring is */
	int		   sending;		 /* batches that the database has not confirmed */
	char	   complaint[6]; /* SQLSTATE of the error that was logged last */
};

static void connect_pg(ExchangePg *self);

/* The same error comes again and again: it is told once. */
static void
complain(ExchangePg *self, const PgResult *result)
{
	char quoted[256];

	metrics_add(METRIC_DB_ERRORS, 1);
	if (strcmp(self->complaint, pg_sqlstate(result)) == 0)
		return;
	memcpy(self->complaint, pg_sqlstate(result), sizeof(self->complaint) - 1);
	log_line(LOG_WARNING, "PRESENCE AND CURSORS STAY WITHIN THIS PROCESS: the database does not pass them on",
			 "code=%s text=%s advice=\"%s\"", self->complaint,
			 log_quote(quoted, sizeof(quoted), pg_message(result)),
			 strcmp(self->complaint, NOT_READY) == 0
				 ? "add collab to shared_preload_libraries"
				 : "CREATE EXTENSION collab or ALTER EXTENSION collab UPDATE, then run deploy/roles.sql");
}

/* ---- receiving ---- */

static void
on_received(void *ctx, PgOutcome outcome, const PgResult *result)
{
	ExchangePg *self = ctx;
	Wheel	   *wheel = &self->proxy->wheel;
	bool		came = false;

	wheel_cancel(wheel, &self->timer);
	self->state = outcome == PG_LOST ? STATE_AWAY : STATE_PAUSING;
	if (outcome == PG_LOST)
		return;
	if (outcome == PG_ERROR)
	{
		self->works = false;
		complain(self, result);
		wheel_set(wheel, &self->timer, RETRY_MS);
		return;
	}
	if (!self->works || self->since < 0)
		exchange_up(self->proxy->exchange);
	self->works = true;
	self->complaint[0] = '\0';
	for (int row = 0; row < pg_rows(result); row++)
	{
		PgBytes batch = pg_bytes(result, row, 2);

		if (row == 0 && self->since >= 0 && *pg_bytes(result, row, 1).data != 0)
			metrics_add(METRIC_EXCHANGE_MISSED, 1);
		self->since = pg_int8(result, row, 0);
		if (pg_null(result, row, 2))
			continue;
		came = true;
		exchange_received(self->proxy->exchange, batch.data, batch.bytes);
	}
	wheel_set(wheel, &self->timer, came ? PAUSE_MS : 0);
}

static void
receive(ExchangePg *self)
{
	PgParams *params = &self->params;

	pg_params_clear(params);
	pg_param_int8(params, (int64_t) exchange_id(self->proxy->exchange));
	pg_param_int8(params, self->since);
	pg_param_int4(params, WAIT_MS);
	if (!pg_send_sql(self->pg, RECEIVE_SQL, params, on_received, self))
	{
		self->state = STATE_AWAY;
		return;
	}
	self->state = STATE_RECEIVING;
	wheel_set(&self->proxy->wheel, &self->timer, WAIT_MS + GRACE_MS);
}

static void
on_timer(WheelTimer *timer)
{
	ExchangePg *self = container_of(timer, ExchangePg, timer);

	if (self->state == STATE_PAUSING)
		receive(self);
	else if (self->state == STATE_RECEIVING)
	{
		/* who only waits would never find out that the way to the server is cut */
		log_line(LOG_WARNING, "the database does not answer", "connection=presence");
		pg_destroy(self->pg);
		connect_pg(self);
	}
}

static void
on_up(void *ctx)
{
	ExchangePg *self = ctx;

	self->since = -1;
	receive(self);
}

static void
on_down(void *ctx)
{
	ExchangePg *self = ctx;

	wheel_cancel(&self->proxy->wheel, &self->timer);
	self->state = STATE_AWAY;
	self->works = false;
}

/* ---- sending ---- */

static void
on_sent(void *ctx, PgOutcome outcome, const PgResult *result)
{
	ExchangePg *self = ctx;

	self->sending--;
	if (outcome == PG_ERROR)
		complain(self, result);
}

static bool
publish(void *ctx, const char *batch, size_t bytes)
{
	ExchangePg *self = ctx;
	PgParams   *params = &self->params;

	/* without the other direction nobody would be heard */
	if (!self->works || self->sending >= MAX_SENDING)
		return false;
	pg_params_clear(params);
	pg_param_int8(params, (int64_t) exchange_id(self->proxy->exchange));
	pg_param_bytes(params, batch, bytes);
	if (!pg_send_sql(listener_pg(self->proxy->listener), SEND_SQL, params, on_sent, self))
		return false;
	self->sending++;
	return true;
}

static const ExchangeTransport transport = {"postgresql", publish};

/* ---- life ---- */

static void
connect_pg(ExchangePg *self)
{
	static const PgHooks hooks = {on_up, on_down, NULL};

	self->state = STATE_AWAY;
	self->works = false;
	self->pg = pg_create(&self->proxy->loop, &self->proxy->wheel, &self->setup, &hooks, self);
}

ExchangePg *
exchange_pg_create(Proxy *proxy)
{
	ExchangePg *self = util_alloc_zero(sizeof(*self));

	self->proxy = proxy;
	self->setup.label = "presence";
	self->setup.conninfo = proxy->config.database;
	self->setup.statement_timeout_ms = WAIT_MS + GRACE_MS;
	self->setup.connect_timeout_ms = proxy->config.connect_timeout_ms;
	self->setup.answer_timeout_ms = proxy->config.answer_timeout_ms;
	/* all proxies meet on the same server */
	self->setup.must_write = true;
	pg_params_init(&self->params);
	wheel_timer_init(&self->timer, on_timer);
	connect_pg(self);
	exchange_attach(proxy->exchange, &transport, self);
	return self;
}

void
exchange_pg_destroy(ExchangePg *self)
{
	wheel_cancel(&self->proxy->wheel, &self->timer);
	pg_destroy(self->pg);
	pg_params_free(&self->params);
	free(self);
}

bool
exchange_pg_up(const ExchangePg *self)
{
	return self->works;
}

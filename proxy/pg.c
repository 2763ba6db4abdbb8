/* pg.c - one asynchronous database connection that keeps itself alive: the only door to libpq. */
#include "pg.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "metrics.h"
#include "pg_hosts.h"
#include "pg_server.h"

#define BACKOFF_FIRST_MS 50
#define BACKOFF_LAST_MS 1000
#define MIN_SERVER_VERSION 150000
#define LOOKS 4 /* per answer_timeout_ms */

typedef enum PgState
{
	PG_IDLE,	   /* no connection; the timer runs until the next attempt */
	PG_CONNECTING, /* PQconnectPoll drives; the timer bounds it */
	PG_SETTING_UP, /* connected: checks, settings, LISTEN and PREPAREs are in flight as one request */
	PG_UP,		   /* takes requests */
	PG_CLOSED	   /* pg_destroy was called */
} PgState;

/* What is in flight, in the order sent. */
typedef struct PgRequest
{
	List	  node;
	PgDone	  done; /* NULL: the set-up */
	void	 *ctx;
	uint64_t  sent;	  /* ms of the loop's clock */
	PGresult *result; /* the rows, or the first error */
} PgRequest;

struct Pg
{
	uv_loop_t	  *loop;
	Wheel		  *wheel;
	const PgSetup *setup;
	const PgHooks *hooks;
	void		  *ctx;
	PgState		   state;
	PGconn		  *conn;
	uv_poll_t	  *poll; /* on PQsocket(conn); replaced whenever the socket may have changed */
	int			   poll_events;
	WheelTimer	   timer;
	uint64_t	   backoff_ms;
	char		  *last_complaint; /* the same failure is logged once */
	List		   requests;
	int			   in_flight;
	bool		   durable;
	bool		   was_up; /* once at least */
	bool		   broken; /* found out where it could not be handled: the timer will */
	const char	  *why;	   /* NULL: libpq knows */
	List		   peer;   /* in `all` */
	PgHosts		   hosts;
	int			   first_host; /* of the next attempt */
	uint64_t	   system;	   /* of the server */
	uint64_t	   timeline;
	uint64_t	   heard; /* the counter below, at the last look */
	int silent; /* looks in a row at which an answer was owed and nothing had come from the server */
};

/* Every connection of the process, and how often the database sent something on any of them. */
static List		all = {&all, &all};
static uint64_t heard;

static void on_poll(uv_poll_t *handle, int status, int events);

/* ---- the poll handle ---- */

static void
free_handle(uv_handle_t *handle)
{
	free(handle);
}

static void
unwatch(Pg *pg)
{
	if (pg->poll == NULL)
		return;
	uv_poll_stop(pg->poll);
	uv_close((uv_handle_t *) pg->poll, free_handle);
	pg->poll = NULL;
	pg->poll_events = 0;
}

static bool
watch(Pg *pg, int events)
{
	if (pg->poll == NULL)
	{
		pg->poll = util_alloc(sizeof(*pg->poll));
		if (uv_poll_init(pg->loop, pg->poll, PQsocket(pg->conn)) != 0)
		{
			free(pg->poll);
			pg->poll = NULL;
			return false;
		}
		pg->poll->data = pg;
	}
	if (events == pg->poll_events)
		return true;
	pg->poll_events = events;
	return uv_poll_start(pg->poll, events, on_poll) == 0;
}

/* ---- the end of a connection ---- */

static void
log_complaint(Pg *pg, const char *what, const char *message)
{
	char quoted[512];

	if (pg->last_complaint != NULL && strcmp(pg->last_complaint, message) == 0)
		return;
	free(pg->last_complaint);
	pg->last_complaint = util_strdup(message);
	log_line(pg->state == PG_CLOSED ? LOG_DEBUG : LOG_WARNING, what, "connection=%s reason=%s",
			 pg->setup->label, log_quote(quoted, sizeof(quoted), message));
}

/*
 * The one way out of a connection: releases it, tells those who wait, and sets the timer for the next attempt. Callbacks
 * run last, when the state is consistent.
 */
static void
drop(Pg *pg, const char *what, const char *reason)
{
	bool was_up = pg->state == PG_UP;
	List lost;

	if (!was_up && pg->state != PG_CLOSED)
		metrics_add(METRIC_DB_FAILURES, 1);
	log_complaint(pg, what, reason);
	unwatch(pg);
	if (pg->conn != NULL)
		PQfinish(pg->conn);
	pg->conn = NULL;
	pg->broken = false;
	pg->durable = false;
	if (pg->state != PG_CLOSED)
		pg->state = PG_IDLE;
	list_init(&lost);
	while (!list_empty(&pg->requests))
	{
		List *node = pg->requests.next;

		list_remove(node);
		list_append(&lost, node);
	}
	pg->in_flight = 0;
	if (pg->state == PG_IDLE)
	{
		if (!was_up)
			pg->first_host++;
		wheel_set(pg->wheel, &pg->timer, pg->backoff_ms + util_random() % (pg->backoff_ms / 2 + 1));
		pg->backoff_ms = pg->backoff_ms * 2 > BACKOFF_LAST_MS ? BACKOFF_LAST_MS : pg->backoff_ms * 2;
	}
	while (!list_empty(&lost))
	{
		PgRequest *request = container_of(lost.next, PgRequest, node);

		list_remove(&request->node);
		if (request->done != NULL)
			request->done(request->ctx, PG_LOST, NULL);
		PQclear(request->result);
		free(request);
	}
	if (was_up && pg->state == PG_IDLE)
		pg->hooks->down(pg->ctx);
}

/* Sets the timer for the next look at a connection that works. */
static void
look_again(Pg *pg)
{
	if (pg->setup->answer_timeout_ms > 0)
		wheel_set(pg->wheel, &pg->timer, (uint64_t) pg->setup->answer_timeout_ms / LOOKS);
	else
		wheel_cancel(pg->wheel, &pg->timer);
}

/* For places that must not call back: the timer finishes it at the next turn. */
static void
mark_broken(Pg *pg, const char *why)
{
	pg->broken = true;
	pg->why = why;
	wheel_set(pg->wheel, &pg->timer, 0);
}

/* ---- connecting ---- */

static void
fail(Pg *pg, const char *what)
{
	char		reason[512];
	const char *message = pg->conn != NULL ? PQerrorMessage(pg->conn) : "out of memory";
	size_t		bytes;

	snprintf(reason, sizeof(reason), "%s", message);
	bytes = strlen(reason);
	while (bytes > 0 && reason[bytes - 1] == '\n')
		reason[--bytes] = '\0';
	drop(pg, what, reason);
}

/* Starts an attempt. What stands before dbname the connection string may say otherwise, what stands behind it it may not. */
static PGconn *
begin_attempt(Pg *pg)
{
	const PgHosts *hosts = &pg->hosts;
	bool		   turn = hosts->count > 1;
	char		  *host = turn ? pg_hosts_from(hosts->host, pg->first_host) : NULL;
	char		  *hostaddr = turn ? pg_hosts_from(hosts->hostaddr, pg->first_host) : NULL;
	char		  *port = turn ? pg_hosts_from(hosts->port, pg->first_host) : NULL;
	/* a link that is cut without a word: found out within 14 s when idle, 15 s when something is on its way */
	const char *const keys[] = {"keepalives_idle",
								"keepalives_interval",
								"keepalives_count",
								"tcp_user_timeout",
								"dbname",
								"fallback_application_name",
								"client_encoding",
								"host",
								"hostaddr",
								"port",
								NULL};
	const char *const values[] = {"5",	"3",	  "3",	"15000", pg->setup->conninfo, "collab-proxy", "UTF8",
								  host, hostaddr, port, NULL};
	PGconn			 *conn = PQconnectStartParams(keys, values, 1);

	free(host);
	free(hostaddr);
	free(port);
	return conn;
}

static void
connect_start(Pg *pg)
{
	if (pg->hosts.count > 0)
		pg->first_host %= pg->hosts.count;
	pg->state = PG_CONNECTING;
	pg->conn = begin_attempt(pg);
	wheel_set(pg->wheel, &pg->timer, (uint64_t) pg->setup->connect_timeout_ms);
	if (pg->conn == NULL || PQstatus(pg->conn) == CONNECTION_BAD || !watch(pg, UV_WRITABLE))
		fail(pg, "cannot reach the database");
}

static void
on_notice(void *arg, const PGresult *result)
{
	Pg		   *pg = arg;
	char		quoted[512];
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	log_line(LOG_DEBUG, "notice from the database", "connection=%s text=%s", pg->setup->label,
			 log_quote(quoted, sizeof(quoted), message != NULL ? message : ""));
}

static void
add_request(Pg *pg, PgDone done, void *ctx)
{
	PgRequest *request = util_alloc_zero(sizeof(*request));

	request->done = done;
	request->ctx = ctx;
	request->sent = uv_now(pg->loop);
	list_append(&pg->requests, &request->node);
	pg->in_flight++;
}

static bool
send_setting(Pg *pg, const char *name, int64_t ms)
{
	char sql[96];

	snprintf(sql, sizeof(sql), "SET %s = %lld", name, (long long) ms);
	return PQsendQueryParams(pg->conn, sql, 0, NULL, NULL, NULL, NULL, 0) == 1;
}

/* Sends everything a new connection needs as one request; its outcome decides whether the connection is of use. */
static bool
send_setup(Pg *pg)
{
	static const char check[] = "SELECT current_setting('fsync'), current_setting('full_page_writes'), "
								"current_setting('synchronous_commit'), pg_is_in_recovery(), "
								"(SELECT system_identifier FROM pg_control_system()), "
								"CASE WHEN NOT pg_is_in_recovery() THEN "
								"left(pg_walfile_name(pg_current_wal_lsn()), 8) END";
	const PgSetup	 *setup = pg->setup;

	if (PQsetnonblocking(pg->conn, 1) != 0 || PQenterPipelineMode(pg->conn) != 1)
		return false;
	/* the check comes first: of the results that are rows, the first is kept */
	if (PQsendQueryParams(pg->conn, check, 0, NULL, NULL, NULL, NULL, 0) != 1)
		return false;
	if (setup->lock_timeout_ms > 0 && !send_setting(pg, "lock_timeout", setup->lock_timeout_ms))
		return false;
	if (!send_setting(pg, "statement_timeout", setup->statement_timeout_ms))
		return false;
	for (int i = 0; i < setup->statement_count; i++)
	{
		if (PQsendPrepare(pg->conn, setup->statements[i].name, setup->statements[i].sql, 0, NULL) != 1)
			return false;
	}
	if (setup->listen_sql != NULL &&
		PQsendQueryParams(pg->conn, setup->listen_sql, 0, NULL, NULL, NULL, NULL, 0) != 1)
		return false;
	if (PQpipelineSync(pg->conn) != 1)
		return false;
	add_request(pg, NULL, NULL);
	return true;
}

static bool
flush(Pg *pg)
{
	int left = PQflush(pg->conn);

	return left >= 0 && watch(pg, left > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

static void
connect_continue(Pg *pg)
{
	PostgresPollingStatusType status;

	/* libpq may go on with another address, and so with another socket */
	unwatch(pg);
	status = PQconnectPoll(pg->conn);
	switch (status)
	{
		case PGRES_POLLING_READING:
		case PGRES_POLLING_WRITING:
			if (!watch(pg, status == PGRES_POLLING_READING ? UV_READABLE : UV_WRITABLE))
				fail(pg, "cannot reach the database");
			break;
		case PGRES_POLLING_OK:
			PQsetNoticeReceiver(pg->conn, on_notice, pg);
			pg->state = PG_SETTING_UP;
			if (PQserverVersion(pg->conn) < MIN_SERVER_VERSION)
				drop(pg, "cannot use the database", "collab needs PostgreSQL 15 or later");
			else if (!send_setup(pg) || !flush(pg))
				fail(pg, "cannot use the database");
			break;
		default:
			fail(pg, "cannot reach the database");
			break;
	}
}

static void
check_durability(Pg *pg, const PGresult *result)
{
	const char *fsync = PQgetvalue(result, 0, 0);
	const char *full_page_writes = PQgetvalue(result, 0, 1);
	const char *synchronous_commit = PQgetvalue(result, 0, 2);

	pg->durable = strcmp(fsync, "on") == 0 && strcmp(full_page_writes, "on") == 0 &&
				  strcmp(synchronous_commit, "off") != 0;
	if (!pg->durable && pg->setup->must_write)
		log_line(LOG_ERROR, "ACKNOWLEDGED EDITS MAY BE LOST: the database does not keep what it commits",
				 "connection=%s fsync=%s full_page_writes=%s synchronous_commit=%s", pg->setup->label, fsync,
				 full_page_writes, synchronous_commit);
}

/* Whoever is connected to a server that is not the primary any more leaves it. */
static void
leave_former(void)
{
	List *node;

	list_each(node, &all)
	{
		Pg *pg = container_of(node, Pg, peer);

		if (pg->state == PG_UP && pg->timeline < pg_server_newest(pg->system))
			mark_broken(pg, "another server was promoted");
	}
}

/* Compares this server with what is known. Returns false when the connection is gone. */
static bool
check_identity(Pg *pg, const PGresult *result)
{
	unsigned long long newest;
	char			   reason[256];

	pg->system = strtoull(PQgetvalue(result, 0, 4), NULL, 10);
	pg->timeline = strtoull(PQgetvalue(result, 0, 5), NULL, 16);
	newest = pg_server_newest(pg->system);
	switch (pg_server_judge(pg->system, pg->timeline))
	{
		case PG_SERVER_SAME:
			return true;
		case PG_SERVER_NEWER:
			log_line(LOG_WARNING, "the database was promoted", "connection=%s timeline=%llu",
					 pg->setup->label, (unsigned long long) pg->timeline);
			leave_former();
			return true;
		case PG_SERVER_OTHER:
			log_line(LOG_ERROR, "THE DATABASE IS ANOTHER CLUSTER THAN BEFORE: going on with it",
					 "connection=%s system=%llu", pg->setup->label, (unsigned long long) pg->system);
			return true;
		case PG_SERVER_FORMER:
			break;
	}
	metrics_add(METRIC_DB_FORMER, 1);
	snprintf(
		reason, sizeof(reason),
		"a former primary: it is on timeline %llu, and timeline %llu of the same cluster was seen; if it is the "
		"right one all the same, restart the proxy",
		(unsigned long long) pg->timeline, newest);
	drop(pg, "cannot use the database", reason);
	return false;
}

/* The set-up request was answered. Returns false when the connection is gone. */
static bool
finish_setup(Pg *pg, const PGresult *result)
{
	if (result == NULL || PQresultStatus(result) != PGRES_TUPLES_OK)
	{
		const char *message = result != NULL ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
		char		reason[512];

		snprintf(reason, sizeof(reason), "%s", message != NULL ? message : "no answer");
		drop(pg, "cannot use the database", reason);
		return false;
	}
	if (pg->setup->must_write && PQgetvalue(result, 0, 3)[0] == 't')
	{
		drop(pg, "cannot use the database", "the server is a standby");
		return false;
	}
	if (PQgetvalue(result, 0, 3)[0] == 'f' && !check_identity(pg, result))
		return false;
	check_durability(pg, result);
	if (pg->was_up)
		metrics_add(METRIC_DB_RECONNECTS, 1);
	pg->was_up = true;
	pg->state = PG_UP;
	pg->silent = 0;
	look_again(pg);
	pg->backoff_ms = BACKOFF_FIRST_MS;
	free(pg->last_complaint);
	pg->last_complaint = NULL;
	log_line(LOG_INFO, "connected to the database", "connection=%s backend=%d", pg->setup->label,
			 PQbackendPID(pg->conn));
	pg->hooks->up(pg->ctx);
	return pg->state == PG_UP;
}

/* ---- results ---- */

/* Keeps the first error of a request, or else the rows of its last statement; of the set-up those of its first. */
static void
keep_result(PgRequest *request, PGresult *result)
{
	bool failed = request->result != NULL && PQresultStatus(request->result) == PGRES_FATAL_ERROR;
	bool better = request->result == NULL ||
				  (!failed && (request->done != NULL || PQresultStatus(result) == PGRES_FATAL_ERROR));

	if (better && PQresultStatus(result) != PGRES_COMMAND_OK)
	{
		PQclear(request->result);
		request->result = result;
	}
	else
		PQclear(result);
}

/* The sync of the oldest request arrived: only now its transaction is known to be over. False: the connection is gone. */
static bool
finish_request(Pg *pg)
{
	PgRequest *request = container_of(pg->requests.next, PgRequest, node);
	PGresult  *result = request->result;
	bool	   alive = true;

	list_remove(&request->node);
	pg->in_flight--;
	if (request->done == NULL)
		alive = finish_setup(pg, result);
	else
	{
		bool failed = result != NULL && PQresultStatus(result) == PGRES_FATAL_ERROR;

		request->done(request->ctx, failed ? PG_ERROR : PG_ROWS, (const PgResult *) result);
		alive = pg->state == PG_UP;
	}
	PQclear(result);
	free(request);
	return alive;
}

static void
deliver_notifications(Pg *pg)
{
	PGnotify *notify;

	while (pg->conn != NULL && (notify = PQnotifies(pg->conn)) != NULL)
	{
		if (pg->hooks->notify != NULL)
			pg->hooks->notify(pg->ctx, notify->extra);
		PQfreemem(notify);
	}
}

static void
read_results(Pg *pg)
{
	int nulls = 0;

	if (PQconsumeInput(pg->conn) != 1)
	{
		fail(pg, "lost the database");
		return;
	}
	heard++;
	while (!list_empty(&pg->requests) && !PQisBusy(pg->conn))
	{
		PGresult *result = PQgetResult(pg->conn);

		/* one NULL stands between the results of two statements, more of them mean that nothing will come any more */
		nulls = result == NULL ? nulls + 1 : 0;
		if (nulls > 1)
			break;
		if (result == NULL)
			continue;
		switch (PQresultStatus(result))
		{
			case PGRES_PIPELINE_SYNC:
				PQclear(result);
				if (!finish_request(pg))
					return;
				break;
			case PGRES_PIPELINE_ABORTED:
				PQclear(result);
				break;
			default:
				keep_result(container_of(pg->requests.next, PgRequest, node), result);
				break;
		}
	}
	deliver_notifications(pg);
	if (pg->conn != NULL && (nulls > 1 || PQstatus(pg->conn) == CONNECTION_BAD))
		fail(pg, "lost the database");
}

static void
on_poll(uv_poll_t *handle, int status, int events)
{
	Pg *pg = handle->data;

	if (pg->state == PG_CONNECTING)
	{
		connect_continue(pg);
		return;
	}
	if (status < 0 || (events & UV_READABLE))
		read_results(pg);
	/* libuv has stopped watching after an error, though one read may have found but the server's last words */
	if (pg->conn != NULL && (status < 0 || ((events & UV_WRITABLE) && !flush(pg))))
		fail(pg, "lost the database");
}

static bool
is_overdue(const Pg *pg, uint64_t times)
{
	return pg->state == PG_UP && pg->setup->answer_timeout_ms > 0 &&
		   pg_owed_ms(pg) > times * (uint64_t) pg->setup->answer_timeout_ms;
}

/* Rows: backends that have nothing to do, or are gone, though a connection of ours waits for their answer. */
static void
on_ping(void *ctx, PgOutcome outcome, const PgResult *result)
{
	List *node;

	(void) ctx;
	for (int row = 0; outcome == PG_ROWS && row < pg_rows(result); row++)
	{
		list_each(node, &all)
		{
			Pg *pg = container_of(node, Pg, peer);

			if (is_overdue(pg, 1) && PQbackendPID(pg->conn) == pg_int4(result, row, 0))
				mark_broken(pg, "it has never heard our question, or we its answer");
		}
	}
}

/*
 * Asks for a sign of life, and whether the backends whose answers are overdue are at work at all: of a connection that died
 * without a word neither end hears anything.
 */
static void
send_ping(Pg *pg)
{
	static const char sql[] =
		"SELECT p FROM unnest($1::integer[]) p WHERE NOT EXISTS (SELECT FROM pg_stat_activity a "
		"WHERE a.pid = p AND a.state IS DISTINCT FROM 'idle')";
	const char *values[1];
	Buf			pids;
	List	   *node;
	bool		sent;

	buf_init(&pids, util_buffer_alloc);
	buf_char(&pids, '{');
	list_each(node, &all)
	{
		const Pg *other = container_of(node, Pg, peer);

		if (!is_overdue(other, 1))
			continue;
		if (pids.size > 1)
			buf_char(&pids, ',');
		buf_i64(&pids, PQbackendPID(other->conn));
	}
	buf_char(&pids, '}');
	buf_char(&pids, '\0');
	values[0] = pids.data;
	sent = PQsendQueryParams(pg->conn, sql, 1, NULL, values, NULL, NULL, 1) == 1 &&
		   PQpipelineSync(pg->conn) == 1;
	buf_free(&pids);
	if (sent)
		add_request(pg, on_ping, pg);
	if (!sent || !flush(pg))
		mark_broken(pg, NULL);
}

/* What nothing came from for so long is dead, also where nobody has noticed because nothing is asked. */
static void
leave_silent(void)
{
	List *node;

	list_each(node, &all)
	{
		Pg *pg = container_of(node, Pg, peer);

		if (pg->state == PG_UP)
			mark_broken(pg, "its server gave no sign of life on any connection");
	}
}

/*
 * A server that is frozen, or behind something that swallows what is sent, keeps its connections. It is given up when an answer
 * is owed here and for answer_timeout_ms nothing came on any connection: a statement may take its time (a commit
 * that waits for a standby takes any) as long as the listener's pings are answered and do not say that nobody is at it. Looks are counted rather than time, so
 * that a process that slept itself does not blame the server.
 */
static void
look(Pg *pg)
{
	char reason[96];

	pg->silent = pg->in_flight > 0 && pg->heard == heard ? pg->silent + 1 : 0;
	pg->heard = heard;
	/* of the one that asks, nobody asks; what it is sent to do is never long */
	if (pg->silent >= LOOKS || (pg->setup->pings && is_overdue(pg, 2)))
	{
		if (pg->silent >= LOOKS)
			leave_silent();
		snprintf(reason, sizeof(reason), "no sign of life for %lld ms",
				 (long long) pg->setup->answer_timeout_ms);
		drop(pg, "lost the database", reason);
		return;
	}
	look_again(pg);
	if (pg->setup->pings && pg->in_flight == 0)
		send_ping(pg);
}

static void
on_timer(WheelTimer *timer)
{
	Pg *pg = container_of(timer, Pg, timer);

	if (pg->state == PG_IDLE)
		connect_start(pg);
	else if (pg->broken && pg->why != NULL)
		drop(pg, "left the database", pg->why);
	else if (pg->broken)
		fail(pg, "lost the database");
	else if (pg->state == PG_UP)
		look(pg);
	else if (pg->state == PG_CONNECTING || pg->state == PG_SETTING_UP)
		drop(pg, "cannot reach the database", "timed out");
}

/* ---- the outside ---- */

Pg *
pg_create(uv_loop_t *loop, Wheel *wheel, const PgSetup *setup, const PgHooks *hooks, void *ctx)
{
	Pg *pg = util_alloc_zero(sizeof(*pg));

	pg->loop = loop;
	pg->wheel = wheel;
	pg->setup = setup;
	pg->hooks = hooks;
	pg->ctx = ctx;
	pg->backoff_ms = BACKOFF_FIRST_MS;
	list_init(&pg->requests);
	wheel_timer_init(&pg->timer, on_timer);
	pg_hosts_init(&pg->hosts, setup->conninfo);
	list_append(&all, &pg->peer);
	wheel_set(wheel, &pg->timer, 0);
	return pg;
}

void
pg_destroy(Pg *pg)
{
	if (pg == NULL)
		return;
	pg->state = PG_CLOSED;
	wheel_cancel(pg->wheel, &pg->timer);
	drop(pg, "closed the database", "shutting down");
	free(pg->last_complaint);
	pg_hosts_free(&pg->hosts);
	list_remove(&pg->peer);
	free(pg);
}

void
pg_leave_former(void)
{
	leave_former();
}

uint64_t
pg_owed_ms(const Pg *pg)
{
	uint64_t now = uv_now(pg->loop);
	uint64_t sent = list_empty(&pg->requests) ? now : container_of(pg->requests.next, PgRequest, node)->sent;

	return now > sent ? now - sent : 0;
}

bool
pg_is_up(const Pg *pg)
{
	return pg->state == PG_UP && !pg->broken;
}

bool
pg_is_durable(const Pg *pg)
{
	return pg->durable;
}

int
pg_in_flight(const Pg *pg)
{
	return pg->in_flight;
}

/* statement: of the set-up; -1: `sql`. The parameters are copied. */
static bool
queue_statement(Pg *pg, int statement, const char *sql, const PgParams *params)
{
	const char *values[PG_MAX_PARAMS];
	int			formats[PG_MAX_PARAMS];
	int			sent;

	if (!pg_is_up(pg))
		return false;
	for (int i = 0; i < params->count; i++)
	{
		values[i] = params->lengths[i] < 0 ? NULL : params->data.data + params->offsets[i];
		formats[i] = 1;
	}
	if (statement >= 0)
		sent = PQsendQueryPrepared(pg->conn, pg->setup->statements[statement].name, params->count, values,
								   params->lengths, formats, 1);
	else
		sent = PQsendQueryParams(pg->conn, sql, params->count, NULL, values, params->lengths, formats, 1);
	if (sent == 1)
		return true;
	mark_broken(pg, NULL);
	return false;
}

/* What was queued since the last time is one transaction; its end is asked for here. */
static bool
send_queued(Pg *pg, PgDone done, void *ctx)
{
	if (PQpipelineSync(pg->conn) != 1)
	{
		mark_broken(pg, NULL);
		return false;
	}
	add_request(pg, done, ctx);
	/* PQpipelineSync has tried to send: only what did not fit is left */
	if (!flush(pg))
		mark_broken(pg, NULL);
	return true;
}

bool
pg_add(Pg *pg, int statement, const PgParams *params)
{
	return queue_statement(pg, statement, NULL, params);
}

bool
pg_send(Pg *pg, int statement, const PgParams *params, PgDone done, void *ctx)
{
	return queue_statement(pg, statement, NULL, params) && send_queued(pg, done, ctx);
}

bool
pg_send_sql(Pg *pg, const char *sql, const PgParams *params, PgDone done, void *ctx)
{
	return queue_statement(pg, -1, sql, params) && send_queued(pg, done, ctx);
}

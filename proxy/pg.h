/* pg.h - one asynchronous database connection that keeps itself alive: the only door to libpq. */
#ifndef COLLAB_PROXY_PG_H
#define COLLAB_PROXY_PG_H

#include <uv.h>

#include "pg_params.h"
#include "util.h"
#include "wheel.h"

/*
 * A Pg connects by itself, checks and prepares, calls up(), and from then on takes requests, each of them one prepared
 * statement, or several (pg_add), in a transaction of its own (pipeline mode, one sync per request). When the connection is lost
 * it answers what was in flight with PG_LOST (outcome unknown), calls down(), and tries again with back-off.
 */
typedef struct Pg		Pg;
typedef struct PgResult PgResult; /* lives during the callback */

typedef enum PgOutcome
{
	PG_ROWS,  /* committed: only now, the rows alone do not prove it */
	PG_ERROR, /* rolled back; see pg_sqlstate() */
	PG_LOST	  /* the connection ended before the answer: it may have happened or not */
} PgOutcome;

typedef void (*PgDone)(void *ctx, PgOutcome outcome, const PgResult *result);

typedef struct PgStatement
{
	const char *name;
	const char *sql;
} PgStatement;

typedef struct PgSetup
{
	const char		  *label; /* for the log */
	const char		  *conninfo;
	const PgStatement *statements;
	int				   statement_count;
	const char		  *listen_sql;		/* a LISTEN statement, or NULL */
	int64_t			   lock_timeout_ms; /* 0: leave the server's */
	int64_t			   statement_timeout_ms;
	int64_t			   connect_timeout_ms;
	int64_t			   answer_timeout_ms; /* 0: a server that says nothing any more is waited for */
	bool			   pings;			  /* asks for a sign of life when nothing else is asked */
	bool			   must_write;		  /* a standby is as good as no connection */
} PgSetup;

typedef struct PgHooks
{
	void (*up)(void *ctx);
	void (*down)(void *ctx);
	void (*notify)(void *ctx, const char *payload); /* may be NULL */
} PgHooks;

/* setup, its strings and the hooks must outlive the connection. */
Pg *pg_create(uv_loop_t *loop, Wheel *wheel, const PgSetup *setup, const PgHooks *hooks, void *ctx);
/* Drops the connection; requests in flight are answered PG_LOST. Handles close during the next turns of the loop. */
void pg_destroy(Pg *pg);
bool pg_is_up(const Pg *pg);
/* Whether what this server calls committed survives a crash (fsync, full_page_writes, synchronous_commit). */
bool pg_is_durable(const Pg *pg);
int	 pg_in_flight(const Pg *pg);
/* For how long the oldest request has waited for its answer. */
uint64_t pg_owed_ms(const Pg *pg);
/* Every connection to a former primary is left (those of other processes may have found out). Call it now and then. */
void pg_leave_former(void);

/* Both are false when the connection is not up. The parameters are copied. */
/* A statement whose rows nobody wants, in the transaction of the pg_send() that has to follow at once. */
bool pg_add(Pg *pg, int statement, const PgParams *params) MUST_CHECK;
bool pg_send(Pg *pg, int statement, const PgParams *params, PgDone done, void *ctx) MUST_CHECK;
/* The same for what is not prepared: a database that cannot run it is good for the rest. */
bool pg_send_sql(Pg *pg, const char *sql, const PgParams *params, PgDone done, void *ctx) MUST_CHECK;

/* ---- results: binary ---- */

typedef struct PgBytes
{
	const char *data;
	size_t		bytes;
} PgBytes;

int		pg_rows(const PgResult *result);
bool	pg_null(const PgResult *result, int row, int column);
bool	pg_bool(const PgResult *result, int row, int column);
int32_t pg_int4(const PgResult *result, int row, int column);
int64_t pg_int8(const PgResult *result, int row, int column); /* timestamps too */
PgBytes pg_bytes(const PgResult *result, int row, int column);
/* Of a PG_ERROR: five characters, and the primary message. */
const char *pg_sqlstate(const PgResult *result);
const char *pg_message(const PgResult *result);

#endif

/* pg.c - one connection to the database; the only file that knows libpq. */
#include "pg.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stop.h"

#define MAX_ARGS 6
#define FIRST_PAUSE_MS 250
#define LONGEST_PAUSE_MS 15000
#define MESSAGE_MAX 600

struct Pg
{
	const Config *config;
	const char	 *name;
	PGconn		 *conn;
	PGresult	 *result;
	int			  failures; /* to connect, in a row */
	char		  sqlstate[6];
	char		  message[MESSAGE_MAX];
};

Pg *
pg_create(const Config *config, const char *name)
{
	Pg *pg = util_alloc_zero(sizeof(Pg));

	pg->config = config;
	pg->name = name;
	return pg;
}

static void
forget_result(Pg *pg)
{
	PQclear(pg->result);
	pg->result = NULL;
}

static void
disconnect(Pg *pg)
{
	forget_result(pg);
	PQfinish(pg->conn);
	pg->conn = NULL;
}

void
pg_destroy(Pg *pg)
{
	disconnect(pg);
	free(pg);
}

static void
ignore_notice(void *context, const PGresult *result)
{
	(void) context;
	(void) result;
}

/* Libpq's messages end with a newline and may have several lines. */
static void
note_failure(Pg *pg, const char *sqlstate, const char *message)
{
	size_t bytes = strlen(message);

	while (bytes > 0 && message[bytes - 1] == '\n')
		bytes--;
	snprintf(pg->sqlstate, sizeof(pg->sqlstate), "%s", sqlstate != NULL ? sqlstate : "");
	snprintf(pg->message, sizeof(pg->message), "%.*s", (int) bytes, message);
	for (char *c = pg->message; *c != '\0'; c++)
		if (*c == '\n')
			*c = ' ';
}

static bool
start_session(Pg *pg)
{
	char	  settings[256];
	PGresult *result;
	bool	  good;

	snprintf(settings, sizeof(settings),
			 "SET default_transaction_isolation = 'read committed'; SET statement_timeout = %lld; "
			 "SET client_encoding = 'UTF8'",
			 (long long) pg->config->statement_timeout_ms);
	result = PQexec(pg->conn, settings);
	good = PQresultStatus(result) == PGRES_COMMAND_OK;
	PQclear(result);
	return good;
}

static bool
connect_once(Pg *pg)
{
	char		timeout[24];
	const char *keys[] = {"connect_timeout",
						  "keepalives_idle",
						  "keepalives_interval",
						  "keepalives_count",
						  "fallback_application_name",
						  "dbname",
						  NULL};
	const char *values[] = {timeout, "10", "5", "3", pg->name, pg->config->database, NULL};

	/* what the string says wins: it comes last */
	snprintf(timeout, sizeof(timeout), "%lld", (long long) pg->config->connect_timeout_s);
	pg->conn = PQconnectdbParams(keys, values, 1);
	if (PQstatus(pg->conn) == CONNECTION_OK)
	{
		PQsetNoticeReceiver(pg->conn, ignore_notice, NULL);
		if (start_session(pg))
			return true;
	}
	note_failure(pg, NULL, PQerrorMessage(pg->conn));
	disconnect(pg);
	return false;
}

bool
pg_ready(Pg *pg)
{
	char quoted[2 * MESSAGE_MAX];

	if (pg->conn != NULL)
		return true;
	if (pg->failures > 0 && !stop_sleep(stop_backoff(FIRST_PAUSE_MS, pg->failures - 1, LONGEST_PAUSE_MS)))
		return false;
	if (connect_once(pg))
	{
		log_line(LOG_INFO, "connected to the database", "duty=%s attempts=%d", pg->name, pg->failures + 1);
		pg->failures = 0;
		return true;
	}
	pg->failures++;
	log_line(LOG_WARNING, "cannot connect to the database", "duty=%s attempt=%d error=%s", pg->name,
			 pg->failures, log_quote(quoted, sizeof(quoted), pg->message));
	return false;
}

PgStatus
pg_run(Pg *pg, const char *sql, int nargs, const PgArg *args)
{
	const char	  *values[MAX_ARGS];
	int			   lengths[MAX_ARGS];
	int			   formats[MAX_ARGS];
	ExecStatusType status;

	for (int i = 0; i < nargs && i < MAX_ARGS; i++)
	{
		formats[i] = args[i].text == NULL;
		values[i] = args[i].text != NULL ? args[i].text : args[i].data;
		lengths[i] = (int) args[i].bytes;
	}
	forget_result(pg);
	pg->result = PQexecParams(pg->conn, sql, nargs, NULL, values, lengths, formats, 1);
	status = PQresultStatus(pg->result);
	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
		return PG_OK;
	note_failure(pg, PQresultErrorField(pg->result, PG_DIAG_SQLSTATE), PQerrorMessage(pg->conn));
	if (PQstatus(pg->conn) == CONNECTION_OK)
		return PG_REFUSED;
	disconnect(pg);
	pg->failures = 1; /* pause before the next attempt */
	return PG_LOST;
}

const char *
pg_sqlstate(const Pg *pg)
{
	return pg->sqlstate;
}

const char *
pg_message(const Pg *pg)
{
	return pg->message;
}

/* ---- rows, in PostgreSQL's binary format ---- */

int
pg_rows(const Pg *pg)
{
	return PQntuples(pg->result);
}

int64_t
pg_int8(const Pg *pg, int row, int column)
{
	const unsigned char *bytes = (const unsigned char *) PQgetvalue(pg->result, row, column);
	int					 count = PQgetlength(pg->result, row, column);
	uint64_t			 value = 0;

	for (int i = 0; i < count; i++)
		value = value << 8 | bytes[i];
	return count == 4 ? (int32_t) (uint32_t) value : (int64_t) value;
}

bool
pg_bool(const Pg *pg, int row, int column)
{
	return PQgetlength(pg->result, row, column) == 1 && PQgetvalue(pg->result, row, column)[0] != 0;
}

const char *
pg_text(const Pg *pg, int row, int column)
{
	return PQgetvalue(pg->result, row, column);
}

const void *
pg_bytes(const Pg *pg, int row, int column, size_t *bytes)
{
	*bytes = (size_t) PQgetlength(pg->result, row, column);
	return PQgetvalue(pg->result, row, column);
}

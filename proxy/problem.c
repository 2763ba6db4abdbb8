/* problem.c - errors over HTTP: application/problem+json (RFC 9457) with the SQLSTATE. */
#include "problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "http_answer.h"
#include "log.h"

#define RETRY_SECONDS "1"

/* The first row whose code a SQLSTATE begins with counts. Where a reader and a writer are told different things, `reading` is the reader's. */
static const struct
{
	const char *code;
	int			status;
	int			reading; /* 0: the same */
} statuses[] = {
	{"OT001", 409, 404}, /* a base, a version ahead of the head */
	{"OT002", 410, 0},	 /* history was deleted */
	{"OT003", 422, 0},	 /* invalid operation */
	{"OT004", 404, 0},	 /* no such document */
	{"OT005", 413, 0},	 /* operation too large */
	{"OT006", 413, 0},	 /* document too large */
	{"OT007", 403, 0},	 /* read-only */
	{"OT008", 409, 0},	 /* clock or content contradicts history */
	{"OT009", 429, 0},	 /* rate limited */
	{"OT010", 409, 0},	 /* another history */
	{"OT011", 412, 0},	 /* not at the required version */
	{"22", 400, 0},		 /* malformed data */
	{"23505", 409, 0},	 /* exists already */
	{"42710", 409, 0},	 /* a document, too */
	{"23503", 409, 0},	 /* others refer to it */
	{"42501", 403, 0},	 /* not allowed */
	{"P0002", 404, 0},	 /* no such comment */
	{"0A000", 501, 0},	 /* not there */
	{"57014", 504, 0},	 /* took too long */
	{"25", 503, 0},		 /* a standby */
	{"08", 503, 0},		 /* the database is away */
	{"26", 503, 0},		 /* the extension is just being replaced */
	{"40", 503, 0},		 /* somebody else was faster */
	{"53", 503, 0},		 /* out of something */
	{"55", 503, 0},		 /* locked */
	{"57", 503, 0},		 /* shutting down */
	{"58", 503, 0},		 /* something outside of it */
	{"", 500, 0},
};

static bool
reads(const HttpCall *call)
{
	return call->method == HTTP_GET || call->method == HTTP_HEAD;
}

int
problem_status(const HttpCall *call, const char *sqlstate)
{
	int i = 0;

	while (strncmp(sqlstate, statuses[i].code, strlen(statuses[i].code)) != 0)
		i++;
	return reads(call) && statuses[i].reading != 0 ? statuses[i].reading : statuses[i].status;
}

void
problem_with(HttpCall *call, int status, const char *sqlstate, const char *detail, size_t detail_bytes,
			 const char *members)
{
	Buf *out = &call->answer;

	if (!http_call_waits(call))
		return;
	buf_clear(out);
	buf_str(out, "{\"type\":\"");
	if (sqlstate != NULL)
	{
		buf_str(out, "urn:collab:sqlstate:");
		buf_str(out, sqlstate);
	}
	else
		buf_str(out, "about:blank");
	buf_str(out, "\",\"title\":\"");
	buf_str(out, http_answer_reason(status));
	buf_str(out, "\",\"status\":");
	buf_i64(out, status);
	buf_str(out, ",\"detail\":");
	buf_json_string(out, detail, detail_bytes);
	if (sqlstate != NULL)
	{
		buf_str(out, ",\"sqlstate\":\"");
		buf_str(out, sqlstate);
		buf_char(out, '"');
	}
	if (members != NULL)
	{
		buf_char(out, ',');
		buf_str(out, members);
	}
	buf_str(out, "}\n");
	if (status == 503)
		http_call_header(call, "retry-after:", "%s", RETRY_SECONDS);
	http_call_header(call, "cache-control:", "no-store");
	http_call_answer(call, status, "application/problem+json");
}

void
problem(HttpCall *call, int status, const char *sqlstate, const char *fmt, ...)
{
	char	detail[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(detail, sizeof(detail), fmt, args);
	va_end(args);
	problem_with(call, status, sqlstate, detail, strlen(detail), NULL);
}

void
problem_database(HttpCall *call, const PgResult *result)
{
	const char *sqlstate = pg_sqlstate(result);
	const char *message = pg_message(result);
	int			status = problem_status(call, sqlstate);
	char		quoted[256];

	if (status >= 500)
		log_line(LOG_WARNING, "a request failed", "doc=%s code=%s text=%s", call->doc_id, sqlstate,
				 log_quote(quoted, sizeof(quoted), message));
	/* what is wrong inside is for the log */
	if (status == 500)
		message = "the database failed; its log and this process's say how";
	problem_with(call, status, sqlstate, message, strlen(message), NULL);
}

void
problem_lost(HttpCall *call)
{
	problem(
		call, 503, "08006",
		reads(call)
			? "the connection to the database was lost"
			: "the connection to the database was lost: this may have happened or not; read, then try again");
}

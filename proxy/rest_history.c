/* rest_history.c - what became of a document over HTTP: its events, edits in words, authors, versions with a name. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "problem.h"
#include "rest.h"
#include "rest_db.h"
#include "rest_rows.h"

/* What a page is about; each resource uses what it has. */
typedef struct Page
{
	int64_t from;	 /* first version, first position */
	int64_t to;		 /* last version; -1: the newest */
	int64_t gap;	 /* seconds */
	int64_t version; /* -1: the newest */
	int64_t offset;
	int64_t limit;
} Page;

static Page *
new_page(HttpCall *call)
{
	Page *page = util_alloc_zero(sizeof(*page));

	call->state = page;
	page->to = page->version = -1;
	page->gap = 60;
	return page;
}

static void
number_or_null(PgParams *params, int64_t number)
{
	if (number >= 0)
		pg_param_int8(params, number);
	else
		pg_param_null(params);
}

static bool
begin_params(HttpCall *call, Pg *pg, PgParams *params)
{
	if (!rest_db_as_user(call, pg, params))
		return false;
	pg_params_clear(params);
	pg_param_bytes(params, call->doc_id, strlen(call->doc_id));
	return true;
}

/* One row more than asked for tells that there is a next page. */
static int
shown_rows(const PgResult *result, const Page *page)
{
	return pg_rows(result) > page->limit ? (int) page->limit : pg_rows(result);
}

static void
finish(HttpCall *call)
{
	buf_char(&call->answer, '}');
	http_call_header(call, "cache-control:", "private, no-cache");
	rest_json(call, 200);
}

/* ---- GET events: every event from a version on, ascending ---- */

enum
{
	EVENT_VERSION,
	EVENT_EVENT,
	EVENT_SITE,
	EVENT_CLOCK,
	EVENT_AUTHOR,
	EVENT_AT,
	EVENT_OP,
	EVENT_HEAD,
	EVENT_PUBLIC
};

static bool
send_events(HttpCall *call, Pg *pg, PgParams *params)
{
	const Page *page = call->state;

	if (!begin_params(call, pg, params))
		return false;
	pg_param_int8(params, page->from - 1);
	pg_param_int4(params, (int32_t) page->limit);
	return rest_db_send(call, pg, REST_EVENTS, params);
}

static void
put_event(Buf *out, const PgResult *result, int row)
{
	PgBytes	  user = pg_bytes(result, row, EVENT_AUTHOR);
	PgBytes	  op = pg_bytes(result, row, EVENT_OP);
	WireEvent event;

	event.version = pg_int8(result, row, EVENT_VERSION);
	event.event = (uint64_t) pg_int8(result, row, EVENT_EVENT);
	event.site = pg_int8(result, row, EVENT_SITE);
	event.clock = pg_int8(result, row, EVENT_CLOCK);
	event.user = user.data;
	event.user_bytes = user.bytes;
	event.op = op.data;
	event.op_bytes = op.bytes;
	event.at = pg_int8(result, row, EVENT_AT);
	wire_event(out, &event);
}

static void
on_events(HttpCall *call, PgOutcome outcome, const PgResult *result)
{
	const Page *page = call->state;
	Buf		   *out = &call->answer;
	char		query[96];
	int64_t		head;
	int64_t		last = 0;
	bool		any;

	if (outcome != PG_ROWS || pg_rows(result) == 0)
	{
		problem_database(call, result);
		return;
	}
	head = pg_int8(result, 0, EVENT_HEAD);
	any = !pg_null(result, 0, EVENT_VERSION);
	if (any && pg_int8(result, 0, EVENT_VERSION) != page->from)
	{
		problem(call, 410, "OT002", "history before version %" PRId64 " was deleted",
				pg_int8(result, 0, EVENT_VERSION));
		return;
	}
	buf_str(out, "{\"version\":");
	buf_i64(out, head);
	buf_str(out, ",\"events\":[");
	for (int row = 0; any && row < pg_rows(result); row++)
	{
		if (row > 0)
			buf_char(out, ',');
		put_event(out, result, row);
		last = pg_int8(result, row, EVENT_VERSION);
	}
	buf_char(out, ']');
	if (any && last < head)
	{
		snprintf(query, sizeof(query), "from=%" PRId64 "&limit=%" PRId64, last + 1, page->limit);
		rest_next(call, query);
	}
	buf_char(out, '}');
	rest_cache(call, pg_bool(result, 0, EVENT_PUBLIC));
	rest_json(call, 200);
}

void
rest_get_events(HttpCall *call)
{
	Page *page = new_page(call);

	page->from = 1;
	if (rest_number(call, "from", 1, INT64_MAX - 1, &page->from) && rest_limit(call, &page->limit))
		rest_db_ask(call, REST_READ, send_events, on_events);
}

/* ---- GET history: edits in words, newest first ---- */

static const RestField edit_fields[] = {
	{"first_version", REST_COLUMN_INT8}, {"last_version", REST_COLUMN_INT8}, {"user", REST_COLUMN_TEXT},
	{"started_at", REST_COLUMN_TIME},	 {"ended_at", REST_COLUMN_TIME},	 {"events", REST_COLUMN_INT8},
	{"inserted", REST_COLUMN_INT8},		 {"deleted", REST_COLUMN_INT8},		 {"summary", REST_COLUMN_TEXT},
};

static bool
send_history(HttpCall *call, Pg *pg, PgParams *params)
{
	const Page *page = call->state;

	if (!begin_params(call, pg, params))
		return false;
	number_or_null(params, page->from > 0 ? page->from : -1);
	number_or_null(params, page->to);
	pg_param_int8(params, page->gap);
	pg_param_int8(params, page->limit + 1);
	return rest_db_send(call, pg, REST_HISTORY, params);
}

static void
on_history(HttpCall *call, PgOutcome outcome, const PgResult *result)
{
	const Page *page = call->state;
	char		query[160];
	int			rows;

	if (outcome != PG_ROWS)
	{
		problem_database(call, result);
		return;
	}
	rows = shown_rows(result, page);
	buf_str(&call->answer, "{\"edits\":");
	rest_rows(&call->answer, result, rows, edit_fields, 9);
	if (pg_rows(result) > rows)
	{
		snprintf(query, sizeof(query), "from=%" PRId64 "&to=%" PRId64 "&gap=%" PRId64 "&limit=%" PRId64,
				 page->from, pg_int8(result, rows, 1), page->gap, page->limit);
		rest_next(call, query);
	}
	finish(call);
}

void
rest_get_history(HttpCall *call)
{
	Page *page = new_page(call);

	if (rest_number(call, "from", 0, INT64_MAX - 1, &page->from) &&
		rest_number(call, "to", 0, INT64_MAX - 1, &page->to) &&
		rest_number(call, "gap", 0, 31536000, &page->gap) && rest_limit(call, &page->limit))
		rest_db_ask(call, REST_REPORT, send_history, on_history);
}

/* ---- GET blame: who wrote each range ---- */

static const RestField range_fields[] = {
	{"from", REST_COLUMN_INT8},	   {"to", REST_COLUMN_INT8}, {"user", REST_COLUMN_TEXT},
	{"version", REST_COLUMN_INT8}, {"at", REST_COLUMN_TIME}, {"content", REST_COLUMN_TEXT},
};

static bool
send_blame(HttpCall *call, Pg *pg, PgParams *params)
{
	const Page *page = call->state;

	if (!begin_params(call, pg, params))
		return false;
	number_or_null(params, page->version);
	pg_param_int8(params, page->from);
	pg_param_int8(params, page->limit + 1);
	return rest_db_send(call, pg, REST_BLAME, params);
}

static void
on_blame(HttpCall *call, PgOutcome outcome, const PgResult *result)
{
	const Page *page = call->state;
	char		query[128];
	int			rows;

	if (outcome != PG_ROWS)
	{
		problem_database(call, result);
		return;
	}
	rows = shown_rows(result, page);
	buf_str(&call->answer, "{\"version\":");
	buf_i64(&call->answer, page->version);
	buf_str(&call->answer, ",\"ranges\":");
	rest_rows(&call->answer, result, rows, range_fields, 6);
	if (pg_rows(result) > rows)
	{
		snprintf(query, sizeof(query), "version=%" PRId64 "&from=%" PRId64 "&limit=%" PRId64, page->version,
				 pg_int8(result, rows, 0), page->limit);
		rest_next(call, query);
	}
	finish(call);
}

/* The pages of one report are about one version. */
static void
on_blame_position(HttpCall *call, const RestPosition *position)
{
	Page *page = call->state;

	if (!position->found)
	{
		problem(call, 404, "OT004", "document \"%s\" does not exist", call->doc_id);
		return;
	}
	if (page->version < 0)
		page->version = position->version;
	rest_db_ask(call, REST_REPORT, send_blame, on_blame);
}

void
rest_get_blame(HttpCall *call)
{
	Page *page = new_page(call);

	if (rest_number(call, "version", 0, INT64_MAX - 1, &page->version) &&
		rest_number(call, "from", 0, INT64_MAX - 1, &page->from) && rest_limit(call, &page->limit))
		rest_db_position(call, on_blame_position);
}

/* ---- GET versions: those that have a name ---- */

static const RestField version_fields[] = {
	{"name", REST_COLUMN_TEXT},
	{"version", REST_COLUMN_INT8},
	{"user", REST_COLUMN_TEXT},
	{"created_at", REST_COLUMN_TIME},
};

static bool
send_versions(HttpCall *call, Pg *pg, PgParams *params)
{
	const Page *page = call->state;

	if (!begin_params(call, pg, params))
		return false;
	pg_param_int8(params, page->offset);
	pg_param_int8(params, page->limit + 1);
	return rest_db_send(call, pg, REST_VERSIONS, params);
}

static void
on_versions(HttpCall *call, PgOutcome outcome, const PgResult *result)
{
	const Page *page = call->state;
	char		query[96];
	int			rows;

	if (outcome != PG_ROWS)
	{
		problem_database(call, result);
		return;
	}
	rows = shown_rows(result, page);
	buf_str(&call->answer, "{\"versions\":");
	rest_rows(&call->answer, result, rows, version_fields, 4);
	if (pg_rows(result) > rows)
	{
		snprintf(query, sizeof(query), "offset=%" PRId64 "&limit=%" PRId64, page->offset + rows, page->limit);
		rest_next(call, query);
	}
	finish(call);
}

void
rest_get_versions(HttpCall *call)
{
	Page *page = new_page(call);

	if (rest_number(call, "offset", 0, INT32_MAX, &page->offset) && rest_limit(call, &page->limit))
		rest_db_ask(call, REST_READ, send_versions, on_versions);
}

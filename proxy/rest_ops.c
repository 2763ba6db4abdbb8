/* rest_ops.c - operations over HTTP: into the lanes as those of sockets, or alone under If-Match. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "etag.h"
#include "lane.h"
#include "problem.h"
#include "rest.h"
#include "rest_db.h"
#include "room.h"

/* What became of the pieces of a request. */
typedef struct Ops
{
	WireMessage	 message;
	RestPosition position; /* where the document was, if that was looked up */
	int64_t		 version;  /* of the last piece that is applied */
	uint64_t	 event;
	int			 applied;
	int			 duplicates;
} Ops;

/* Parsed anew wherever the pieces are wanted: they point into the body. */
static bool
parse(HttpCall *call)
{
	WireParser *parser = &call->proxy->parser;
	Ops		   *ops = call->state;
	WireMessage message;

	if (!wire_parse_ops(parser, call->body.data, call->body.size, &message))
	{
		problem(call, 400, parser->error.code, "%s", parser->error.message);
		return false;
	}
	if (!message.has_position)
	{
		message.site = ops->message.site;
		message.clock = 1;
		message.base_version = ops->position.version;
		message.base_event = ops->position.event;
	}
	ops->message = message;
	return true;
}

/* ---- outcomes ---- */

static void
on_committed(void *ctx, int64_t version, uint64_t event, bool duplicate)
{
	Ops *ops = ((HttpCall *) ctx)->state;

	ops->version = version;
	ops->event = event;
	ops->applied++;
	ops->duplicates += duplicate ? 1 : 0;
}

/* The pieces before it are applied, and stay so. */
static void
on_refused(void *ctx, int64_t clock, const char *code, const char *text, size_t text_bytes)
{
	HttpCall  *call = ctx;
	const Ops *ops = call->state;
	char	   members[128];

	snprintf(members, sizeof(members), "\"clock\":%lld,\"applied\":%d", (long long) clock, ops->applied);
	problem_with(call, problem_status(call, code), code, text, text_bytes, members);
}

static void
on_retry(void *ctx, const char *code, const char *text)
{
	problem(ctx, 503, code, "%s", text);
}

static void
answer(HttpCall *call)
{
	const Ops *ops = call->state;
	Buf		  *out = &call->answer;

	if (!http_call_waits(call))
		return;
	if (ops->applied == 0)
	{
		problem(call, 503, "57P01", "the server is going away");
		return;
	}
	buf_str(out, "{\"version\":");
	buf_i64(out, ops->version);
	buf_str(out, ",\"event\":\"");
	buf_hex64(out, ops->event);
	buf_str(out, "\",\"site\":");
	buf_i64(out, ops->message.site);
	buf_str(out, ",\"clock\":");
	buf_i64(out, ops->message.clock);
	buf_str(out, ",\"count\":");
	buf_i64(out, ops->applied);
	buf_str(out, ",\"duplicate\":");
	buf_str(out, ops->duplicates == ops->applied ? "true" : "false");
	buf_char(out, '}');
	http_call_header(call, "cache-control:", "no-store");
	rest_json(call, 200);
}

/* ---- through the lanes ---- */

static void
on_finished(void *ctx)
{
	answer(ctx);
	http_call_unref(ctx);
}

static const LaneCaller caller = {on_committed, on_refused, on_retry, on_finished};

static void
submit(HttpCall *call)
{
	Proxy	   *proxy = call->proxy;
	Ops		   *ops = call->state;
	Room	   *room;
	const char *code;

	if (!parse(call))
		return;
	room = rooms_enter(proxy->rooms, call->doc_id);
	room_hold(room);
	if (lanes_call(proxy->lanes, room, call->user, &ops->message, &proxy->parser, &caller, call, &code))
		http_call_ref(call);
	else
		problem(call, 503, code, "too many operations wait for the database");
	room_unhold(room);
}

/* ---- alone, where a version is required ---- */

static bool
send_required(HttpCall *call, Pg *pg, PgParams *params)
{
	const Ops		 *ops = call->state;
	const WireParser *parser = &call->proxy->parser;

	if (!parse(call))
		return false;
	if (!rest_db_require(call, pg, params, ops->position.version, ops->position.event))
		return false;
	pg_params_clear(params);
	pg_param_bytes(params, call->doc_id, strlen(call->doc_id));
	pg_param_bytes(params, call->user, strlen(call->user));
	pg_param_int8(params, ops->message.site);
	pg_param_int8(params, ops->message.clock);
	pg_param_int8(params, ops->message.base_version);
	pg_param_int8(params, (int64_t) ops->message.base_event);
	pg_param_int4(params, (int32_t) parser->piece_count);
	pg_array_begin(params, PG_TYPE_BYTEA);
	for (uint32_t i = 0; i < parser->piece_count; i++)
		pg_array_bytes(params, parser->pieces[i].data, parser->pieces[i].bytes);
	pg_array_end(params);
	return rest_db_send(call, pg, REST_SUBMIT, params);
}

static bool
is(PgBytes text, const char *word)
{
	return text.bytes == strlen(word) && memcmp(text.data, word, text.bytes) == 0;
}

static void
on_submitted(HttpCall *call, PgOutcome outcome, const PgResult *result)
{
	const Ops *ops = call->state;

	if (outcome != PG_ROWS)
	{
		problem_database(call, result);
		return;
	}
	for (int row = 0; row < pg_rows(result); row++)
	{
		PgBytes status = pg_bytes(result, row, 2);
		PgBytes code = pg_bytes(result, row, 7);
		PgBytes detail = pg_bytes(result, row, 8);
		char	sqlstate[6] = "XX000";

		if (is(status, "ok") || is(status, "duplicate"))
			on_committed(call, pg_int8(result, row, 3), (uint64_t) pg_int8(result, row, 4),
						 is(status, "duplicate"));
		else if (is(status, "error"))
		{
			if (code.bytes == 5)
				memcpy(sqlstate, code.data, 5);
			on_refused(call, ops->message.clock + pg_int4(result, row, 1), sqlstate, detail.data,
					   detail.bytes);
		}
		else if (is(status, "retry"))
			on_retry(call, "55P03", "the document is busy");
	}
	if (ops->applied > 0)
		rest_tell_room(call, ops->version);
	answer(call);
}

/* ---- the request ---- */

static void
on_position(HttpCall *call, const RestPosition *position)
{
	const char *match = call->fields[HTTP_IF_MATCH];
	Ops		   *ops = call->state;

	ops->position = *position;
	if (!position->found)
		problem(call, match != NULL ? 412 : 404, "OT004", "document \"%s\" does not exist", call->doc_id);
	else if (match == NULL || etag_is_any(match))
		submit(call);
	else if (!etag_match(match, position->version, position->event))
		problem(call, 412, "OT011", "document \"%s\" is at version %lld, which If-Match excludes",
				call->doc_id, (long long) position->version);
	else
		rest_db_ask(call, REST_WRITE, send_required, on_submitted);
}

void
rest_post_ops(HttpCall *call)
{
	Ops *ops = call->state = util_alloc_zero(sizeof(*ops));

	ops->message.site = (int64_t) (util_random() % (uint64_t) WIRE_MAX_INTEGER) + 1;
	if (!parse(call))
		return;
	if (!ops->message.has_position || call->fields[HTTP_IF_MATCH] != NULL)
		rest_db_position(call, on_position);
	else
		submit(call);
}

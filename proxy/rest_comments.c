/* rest_comments.c - comments on a document and who is there, over HTTP. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "presence.h"
#include "problem.h"
#include "rest.h"
#include "rest_db.h"
#include "rest_rows.h"

/* ---- GET comments ---- */

typedef struct Listing
{
	int64_t version; /* -1: the newest */
	int64_t offset;
	int64_t limit;
} Listing;

static const RestField comment_fields[] = {
	{"comment", REST_COLUMN_TEXT},	   {"thread", REST_COLUMN_TEXT},	  {"user", REST_COLUMN_TEXT},
	{"body", REST_COLUMN_TEXT},		   {"created_at", REST_COLUMN_TIME},  {"edited_at", REST_COLUMN_TIME},
	{"resolved_at", REST_COLUMN_TIME}, {"resolved_by", REST_COLUMN_TEXT}, {"from", REST_COLUMN_INT8},
	{"to", REST_COLUMN_INT8},		   {"quote", REST_COLUMN_TEXT},		  {"state", REST_COLUMN_TEXT},
};

static bool
send_listing(HttpCall *call, Pg *pg, PgParams *params)
{
	const Listing *listing = call->state;

	if (!rest_db_as_user(call, pg, params))
		return false;
	pg_params_clear(params);
	pg_param_bytes(params, call->doc_id, strlen(call->doc_id));
	if (listing->version >= 0)
		pg_param_int8(params, listing->version);
	else
		pg_param_null(params);
	pg_param_int8(params, listing->offset);
	pg_param_int8(params, listing->limit + 1);
	return rest_db_send(call, pg, REST_COMMENTS, params);
}

static void
on_listing(HttpCall *call, PgOutcome outcome, const PgResult *result)
{
	const Listing *listing = call->state;
	char		   query[128];
	int			   rows;

	if (outcome != PG_ROWS)
	{
		problem_database(call, result);
		return;
	}
	rows = pg_rows(result) > listing->limit ? (int) listing->limit : pg_rows(result);
	buf_str(&call->answer, "{\"comments\":");
	rest_rows(&call->answer, result, rows, comment_fields, 12);
	if (pg_rows(result) > rows)
	{
		int used = snprintf(query, sizeof(query), "offset=%" PRId64 "&limit=%" PRId64, listing->offset + rows,
							listing->limit);

		if (listing->version >= 0)
			snprintf(query + used, sizeof(query) - (size_t) used, "&version=%" PRId64, listing->version);
		rest_next(call, query);
	}
	buf_char(&call->answer, '}');
	http_call_header(call, "cache-control:", "private, no-cache");
	rest_json(call, 200);
}

void
rest_get_comments(HttpCall *call)
{
	Listing *listing = util_alloc_zero(sizeof(*listing));

	call->state = listing;
	listing->version = -1;
	if (rest_number(call, "version", 0, INT64_MAX - 1, &listing->version) &&
		rest_number(call, "offset", 0, INT32_MAX, &listing->offset) && rest_limit(call, &listing->limit))
		rest_db_ask(call, REST_READ, send_listing, on_listing);
}

/* ---- POST comments: {"from":,"to":,"body":,"version":} or {"thread":,"body":} ---- */

typedef struct Comment
{
	bool	   has_from;
	bool	   has_to;
	int64_t	   from;
	int64_t	   to;
	int64_t	   version; /* -1: the newest */
	JsonString body;	/* these two stand in the body of the request */
	JsonString thread;
} Comment;

static void
read_comment(JsonReader *r, Comment *comment)
{
	JsonString key;

	json_object_begin(r);
	while (json_object_next(r, &key))
	{
		if (json_string_is(&key, "from"))
			comment->has_from = json_read_int(r, &comment->from);
		else if (json_string_is(&key, "to"))
			comment->has_to = json_read_int(r, &comment->to);
		else if (json_string_is(&key, "version"))
			(void) json_read_int(r, &comment->version);
		else if (json_string_is(&key, "body"))
			(void) json_read_string(r, &comment->body);
		else if (json_string_is(&key, "thread"))
			(void) json_read_string(r, &comment->thread);
		else
			(void) json_skip(r, NULL);
	}
	(void) json_end(r);
}

static void
param_string(PgParams *params, const JsonString *text)
{
	Buf plain;

	buf_init(&plain, util_buffer_alloc);
	json_unescape(text, &plain);
	pg_param_bytes(params, plain.data, plain.size);
	buf_free(&plain);
}

static bool
send_comment(HttpCall *call, Pg *pg, PgParams *params)
{
	const Comment *comment = call->state;

	if (!rest_db_as_user(call, pg, params))
		return false;
	pg_params_clear(params);
	pg_param_bytes(params, call->doc_id, strlen(call->doc_id));
	if (comment->thread.data != NULL)
	{
		param_string(params, &comment->thread);
		param_string(params, &comment->body);
		return rest_db_send(call, pg, REST_REPLY, params);
	}
	pg_param_int8(params, comment->from);
	pg_param_int8(params, comment->to);
	param_string(params, &comment->body);
	if (comment->version >= 0)
		pg_param_int8(params, comment->version);
	else
		pg_param_null(params);
	return rest_db_send(call, pg, REST_COMMENT, params);
}

static void
on_comment(HttpCall *call, PgOutcome outcome, const PgResult *result)
{
	PgBytes id;

	if (outcome != PG_ROWS)
	{
		problem_database(call, result);
		return;
	}
	if (pg_rows(result) == 0)
	{
		problem(call, 404, NULL, "document \"%s\" has no such comment to reply to", call->doc_id);
		return;
	}
	id = pg_bytes(result, 0, 0);
	buf_str(&call->answer, "{\"comment\":");
	buf_json_string(&call->answer, id.data, id.bytes);
	buf_char(&call->answer, '}');
	http_call_header(call, "location:", "%s", call->path);
	http_call_header(call, "cache-control:", "no-store");
	rest_json(call, 201);
}

void
rest_post_comment(HttpCall *call)
{
	Comment	  *comment = util_alloc_zero(sizeof(*comment));
	JsonReader r;

	call->state = comment;
	comment->version = -1;
	json_init(&r, call->body.data, call->body.size, WIRE_MAX_DEPTH);
	read_comment(&r, comment);
	if (json_failed(&r))
		problem(call, 400, NULL, "malformed body: %s", r.error.message);
	else if (comment->body.data == NULL ||
			 (comment->thread.data == NULL && (!comment->has_from || !comment->has_to)))
		problem(call, 400, NULL,
				"a comment has \"from\", \"to\" and \"body\", a reply \"thread\" and \"body\"");
	else
		rest_db_ask(call, REST_WRITE, send_comment, on_comment);
}

/* ---- GET presence ---- */

static void
on_position(HttpCall *call, const RestPosition *position)
{
	const Room *room = rest_find_room(call);

	if (!position->found)
	{
		problem(call, 404, "OT004", "document \"%s\" does not exist", call->doc_id);
		return;
	}
	if (room != NULL)
		presence_list(room, &call->answer);
	else
		buf_str(&call->answer, WIRE_PRESENCE_HEAD WIRE_PRESENCE_TAIL);
	http_call_header(call, "cache-control:", "no-store");
	rest_json(call, 200);
}

void
rest_get_presence(HttpCall *call)
{
	rest_db_position(call, on_position);
}

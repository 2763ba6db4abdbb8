/* rest_document.c - a document over HTTP: read in several formats, made, replaced, dropped. */
#include <stdlib.h>
#include <string.h>

#include "etag.h"
#include "json.h"
#include "problem.h"
#include "rest.h"
#include "rest_db.h"

/* ---- formats ---- */

typedef struct Format
{
	const char	 *name;
	const char	 *tag;	/* in the ETag */
	const char	 *type; /* as an answer */
	const char	 *accept;
	RestStatement statement;
} Format;

static const Format formats[] = {
	{"delta", NULL, "application/json", "application/json", REST_DELTA},
	{"text", "text", "text/plain; charset=utf-8", "text/plain", REST_TEXT},
	{"html", "html", "text/html; charset=utf-8", "text/html", REST_HTML},
	{"markdown", "markdown", "text/markdown; charset=utf-8", "text/markdown", REST_MARKDOWN},
};

#define FORMATS (sizeof(formats) / sizeof(formats[0]))

/* How much a media range of Accept, `range` of `bytes`, is about a type: 0 not, 1 all, 2 its kind, 3 just it. */
static int
fits(const char *range, size_t bytes, const char *type)
{
	size_t kind = strcspn(type, "/");

	if (bytes == 3 && memcmp(range, "*/*", 3) == 0)
		return 1;
	if (bytes == kind + 2 && strncasecmp(range, type, kind + 1) == 0 && range[bytes - 1] == '*')
		return 2;
	return bytes == strlen(type) && strncasecmp(range, type, bytes) == 0 ? 3 : 0;
}

/* Thousandths, of the parameter q of a media range. */
static int
quality(const char *params, size_t bytes)
{
	const char *end = params + bytes;
	const char *q = memmem(params, bytes, "q=", 2);
	int			value = 0;

	if (q == NULL)
		return 1000;
	q += 2;
	for (int digit = 1000; q < end && digit > 0; q++)
	{
		if (*q == '.')
			continue;
		if (*q < '0' || *q > '9')
			break;
		value += (*q - '0') * digit;
		digit /= 10;
	}
	return value > 1000 ? 1000 : value;
}

/* What Accept says of a type: of the ranges that fit, the closest counts. */
static int
wanted(const char *accept, const char *type)
{
	int best = 0;
	int value = 0;

	while (*accept != '\0')
	{
		size_t item = strcspn(accept, ",");
		size_t lead = strspn(accept, " \t");
		size_t range = lead < item ? strcspn(accept + lead, ";, \t") : 0;
		int	   closeness = range > 0 ? fits(accept + lead, range, type) : 0;

		if (closeness > best)
		{
			best = closeness;
			value = quality(accept + lead + range, item - lead - range);
		}
		accept += item;
		accept += *accept == ',' ? 1 : 0;
	}
	return value;
}

/* The parameter `format` before Accept, the Delta where neither says anything. NULL: answered. */
static const Format *
choose_format(HttpCall *call)
{
	const char	 *name = http_call_param(call, "format");
	const char	 *accept = call->fields[HTTP_ACCEPT];
	const Format *best = NULL;
	int			  most = 0;

	for (size_t i = 0; i < FORMATS; i++)
	{
		int value = accept != NULL ? wanted(accept, formats[i].accept) : i == 0 ? 1000 : 0;

		if (name != NULL && strcmp(name, formats[i].name) == 0)
			return &formats[i];
		if (value > most)
		{
			best = &formats[i];
			most = value;
		}
	}
	if (name != NULL)
		problem(call, 400, NULL, "format must be delta, text, html or markdown");
	else if (best == NULL)
		problem(call, 406, NULL, "a document is application/json, text/plain, text/html or text/markdown");
	return name != NULL ? NULL : best;
}

/* ---- GET ---- */

typedef struct Reading
{
	const Format *format;
	int64_t		  version; /* -1: the newest */
	char		  at[48];  /* "": no time was named */
} Reading;

/* YYYY-MM-DDTHH:MM:SS, perhaps a fraction, and a zone. What it means is the database's business. */
static bool
is_time(const char *text)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:dd";
	size_t			  i;

	for (i = 0; shape[i] != '\0'; i++)
	{
		if (shape[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i])
			return false;
	}
	if (text[i] == '.')
		i += 1 + strspn(text + i + 1, "0123456789");
	if (strcmp(text + i, "Z") == 0)
		return true;
	/* '+' means a space in a query */
	return strchr("+- ", text[i]) != NULL && text[i] != '\0' && strlen(text + i) == 6 && text[i + 3] == ':' &&
		   strspn(text + i + 1, "0123456789:") == 5;
}

static bool
send_reading(HttpCall *call, Pg *pg, PgParams *params)
{
	const Reading *reading = call->state;

	if (!rest_db_as_user(call, pg, params))
		return false;
	pg_params_clear(params);
	pg_param_bytes(params, call->doc_id, strlen(call->doc_id));
	if (reading->version >= 0)
		pg_param_int8(params, reading->version);
	else
		pg_param_null(params);
	if (reading->at[0] != '\0')
		pg_param_bytes(params, reading->at, strlen(reading->at));
	else
		pg_param_null(params);
	return rest_db_send(call, pg, reading->format->statement, params);
}

static void
on_reading(HttpCall *call, PgOutcome outcome, const PgResult *result)
{
	const Reading *reading = call->state;
	int64_t		   version;
	uint64_t	   event;
	bool		   is_public;
	PgBytes		   content;

	if (outcome != PG_ROWS || pg_rows(result) != 1)
	{
		problem_database(call, result);
		return;
	}
	version = pg_int8(result, 0, 0);
	event = (uint64_t) pg_int8(result, 0, 1);
	is_public = pg_bool(result, 0, 2);
	if (rest_not_modified(call, version, event, is_public, reading->format->tag))
		return;
	content = pg_bytes(result, 0, 3);
	buf_bytes(&call->answer, content.data, content.bytes);
	rest_position(call, version, event, reading->format->tag);
	rest_cache(call, is_public);
	http_call_answer(call, 200, reading->format->type);
}

static void
on_position(HttpCall *call, const RestPosition *position)
{
	const Reading *reading = call->state;

	if (!position->found)
		problem(call, 404, "OT004", "document \"%s\" does not exist", call->doc_id);
	else if (!rest_not_modified(call, position->version, position->event, position->is_public,
								reading->format->tag))
		rest_db_ask(call, REST_READ, send_reading, on_reading);
}

void
rest_get_document(HttpCall *call)
{
	Reading	   *reading = util_alloc_zero(sizeof(*reading));
	const char *at = http_call_param(call, "at");

	call->state = reading;
	http_call_vary(call, "Accept");
	reading->version = -1;
	reading->format = choose_format(call);
	if (reading->format == NULL || !rest_number(call, "version", 0, INT64_MAX - 1, &reading->version))
		return;
	if (at != NULL && (reading->version >= 0 || strlen(at) >= sizeof(reading->at) || !is_time(at)))
	{
		problem(call, 400, NULL,
				"at is a time like 2026-11-23T10:00:00Z, and not named together with version");
		return;
	}
	if (at != NULL)
	{
		char *space;

		strcpy(reading->at, at);
		while ((space = strchr(reading->at, ' ')) != NULL)
			*space = '+';
	}
	/* who has it already costs a look at the head, not the content */
	if (call->fields[HTTP_IF_NONE_MATCH] != NULL && reading->version < 0 && at == NULL)
		rest_db_position(call, on_position);
	else
		rest_db_ask(call, REST_READ, send_reading, on_reading);
}

/* ---- PUT ---- */

#define ATTEMPTS 3 /* when others make and drop it meanwhile */

typedef struct Writing
{
	RestPosition position; /* where the document was when it was looked at */
	int			 attempts;
} Writing;

/* If-Match and If-None-Match against what is there. False: answered with 412. */
static bool
check_conditions(HttpCall *call, const RestPosition *position)
{
	const char *match = call->fields[HTTP_IF_MATCH];
	const char *none = call->fields[HTTP_IF_NONE_MATCH];
	bool		good = true;

	if (match != NULL)
		good = position->found && etag_match(match, position->version, position->event);
	if (none != NULL && position->found &&
		(etag_is_any(none) || etag_none_match(none, position->version, position->event, NULL)))
		good = false;
	if (!good && position->found)
		problem(call, 412, "OT011", "document \"%s\" is at version %lld, which the conditions exclude",
				call->doc_id, (long long) position->version);
	else if (!good)
		problem(call, 412, "OT011", "document \"%s\" does not exist", call->doc_id);
	return good;
}

/* The version that a write is held to by If-Match; -1: any. */
static int64_t
required_version(const HttpCall *call, const RestPosition *position)
{
	const char *match = call->fields[HTTP_IF_MATCH];

	return match != NULL && !etag_is_any(match) ? position->version : -1;
}

static bool
send_create(HttpCall *call, Pg *pg, PgParams *params)
{
	if (!rest_db_as_user(call, pg, params))
		return false;
	pg_params_clear(params);
	pg_param_bytes(params, call->doc_id, strlen(call->doc_id));
	pg_param_bytes(params, call->body.data, call->body.size);
	if (!pg_add(pg, REST_CREATE, params))
		return false;
	return rest_db_send_position(call, pg, params);
}

static bool
send_replace(HttpCall *call, Pg *pg, PgParams *params)
{
	const RestPosition *position = &((const Writing *) call->state)->position;

	if (!rest_db_as_user(call, pg, params) ||
		!rest_db_require(call, pg, params, required_version(call, position), position->event))
		return false;
	pg_params_clear(params);
	pg_param_bytes(params, call->doc_id, strlen(call->doc_id));
	pg_param_bytes(params, call->body.data, call->body.size);
	if (!pg_add(pg, REST_REPLACE, params))
		return false;
	return rest_db_send_position(call, pg, params);
}

static void on_put_position(HttpCall *call, const RestPosition *position);

/* Somebody made or dropped it since it was looked at: look again. */
static void
try_again(HttpCall *call)
{
	Writing *writing = call->state;

	if (++writing->attempts < ATTEMPTS)
		rest_db_position(call, on_put_position);
	else
		problem(call, 503, "40001", "others make and drop this document at the same time");
}

static void
answer_written(HttpCall *call, const PgResult *result, int status)
{
	int64_t	 version = pg_int8(result, 0, 1);
	uint64_t event = (uint64_t) pg_int8(result, 0, 2);
	Buf		*out = &call->answer;

	buf_str(out, "{\"doc\":\"");
	buf_str(out, call->doc_id);
	buf_str(out, "\",\"version\":");
	buf_i64(out, version);
	buf_str(out, ",\"event\":\"");
	buf_hex64(out, event);
	buf_str(out, "\"}");
	if (status == 201)
		http_call_header(call, "location:", "%s", call->path);
	rest_position(call, version, event, NULL);
	http_call_header(call, "cache-control:", "no-store");
	rest_tell_room(call, version);
	rest_json(call, status);
}

static void
on_created(HttpCall *call, PgOutcome outcome, const PgResult *result)
{
	if (outcome == PG_ROWS && pg_rows(result) == 1)
		answer_written(call, result, 201);
	else if (outcome == PG_ERROR &&
			 (strcmp(pg_sqlstate(result), "42710") == 0 || strcmp(pg_sqlstate(result), "23505") == 0))
		try_again(call);
	else
		problem_database(call, result);
}

static void
on_replaced(HttpCall *call, PgOutcome outcome, const PgResult *result)
{
	if (outcome == PG_ROWS && pg_rows(result) == 1)
		answer_written(call, result, 200);
	else if (outcome == PG_ERROR && strcmp(pg_sqlstate(result), "OT004") == 0)
		try_again(call);
	else
		problem_database(call, result);
}

static void
on_put_position(HttpCall *call, const RestPosition *position)
{
	((Writing *) call->state)->position = *position;
	if (!check_conditions(call, position))
		return;
	if (position->found)
		rest_db_ask(call, REST_WRITE, send_replace, on_replaced);
	else
		rest_db_ask(call, REST_WRITE, send_create, on_created);
}

/* Plain text as the Delta that it is the text of. */
static void
wrap_text(HttpCall *call)
{
	Buf delta;

	buf_init(&delta, util_buffer_alloc);
	buf_str(&delta, "{\"ops\":[");
	if (call->body.size > 0)
	{
		buf_str(&delta, "{\"insert\":");
		buf_json_string(&delta, call->body.data, call->body.size);
		buf_char(&delta, '}');
	}
	buf_str(&delta, "]}");
	buf_free(&call->body);
	call->body = delta;
	http_call_count(call);
}

/* One op of the content: an object with "insert". Others say what is wrong with a broken one. */
static bool
is_insert(JsonReader *r)
{
	JsonString key;
	bool	   insert = false;

	if (json_peek(r) != JSON_OBJECT)
		return json_skip(r, NULL);
	json_object_begin(r);
	while (json_object_next(r, &key))
	{
		insert |= json_string_is(&key, "insert");
		(void) json_skip(r, NULL);
	}
	return insert || json_failed(r);
}

/*
 * Whether a Delta has nothing but inserts. The type collab.delta cannot tell: a retain at the end, which changes nothing, is gone when it has read
 * the text, and what was meant for a change would empty the document.
 */
static bool
is_content(const char *text, size_t bytes)
{
	JsonReader r;
	JsonString key;
	bool	   good = true;

	json_init(&r, text, bytes, WIRE_MAX_DEPTH);
	if (json_peek(&r) == JSON_OBJECT)
	{
		json_object_begin(&r);
		while (json_object_next(&r, &key) && (!json_string_is(&key, "ops") || json_peek(&r) != JSON_ARRAY))
			(void) json_skip(&r, NULL);
	}
	if (json_failed(&r) || json_peek(&r) != JSON_ARRAY)
		return true;
	json_array_begin(&r);
	while (json_array_next(&r))
		good &= is_insert(&r);
	return good;
}

void
rest_put_document(HttpCall *call)
{
	const char *type = call->fields[HTTP_CONTENT_TYPE];

	if (!util_valid_utf8(call->body.data, call->body.size) ||
		(call->body.size > 0 && memchr(call->body.data, '\0', call->body.size) != NULL))
	{
		problem(call, 400, NULL, "the body is not UTF-8, or holds U+0000");
		return;
	}
	if (strncasecmp(type, "text/plain", 10) == 0)
		wrap_text(call);
	else if (call->body.size == 0)
	{
		problem(call, 400, NULL, "the body has to be a Delta: {\"ops\":[{\"insert\":\"text\"}]}");
		return;
	}
	else if (!is_content(call->body.data, call->body.size))
	{
		problem(call, 422, "OT003", "content of a document must consist of inserts only");
		return;
	}
	call->state = util_alloc_zero(sizeof(Writing));
	rest_db_position(call, on_put_position);
}

/* ---- DELETE ---- */

static bool
send_drop(HttpCall *call, Pg *pg, PgParams *params)
{
	const RestPosition *position = &((const Writing *) call->state)->position;

	if (!rest_db_as_user(call, pg, params))
		return false;
	if (call->fields[HTTP_IF_MATCH] != NULL &&
		!rest_db_require(call, pg, params, required_version(call, position), position->event))
		return false;
	pg_params_clear(params);
	pg_param_bytes(params, call->doc_id, strlen(call->doc_id));
	return rest_db_send(call, pg, REST_DROP, params);
}

static void
on_dropped(HttpCall *call, PgOutcome outcome, const PgResult *result)
{
	if (outcome != PG_ROWS || pg_rows(result) != 1)
		problem_database(call, result);
	else if (!pg_bool(result, 0, 0))
		problem(call, 404, "OT004", "document \"%s\" does not exist", call->doc_id);
	else
	{
		rest_tell_dropped(call);
		http_call_answer(call, 204, NULL);
	}
}

static void
on_delete_position(HttpCall *call, const RestPosition *position)
{
	((Writing *) call->state)->position = *position;
	if (check_conditions(call, position))
		rest_db_ask(call, REST_WRITE, send_drop, on_dropped);
}

void
rest_delete_document(HttpCall *call)
{
	call->state = util_alloc_zero(sizeof(Writing));
	if (call->fields[HTTP_IF_MATCH] != NULL)
		rest_db_position(call, on_delete_position);
	else
		rest_db_ask(call, REST_WRITE, send_drop, on_dropped);
}

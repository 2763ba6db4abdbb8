/* rest.c - HTTP under /v1/: routes, who asks, limits; what every resource shares. */
#include "rest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cors.h"
#include "etag.h"
#include "hash.h"
#include "listener.h"
#include "problem.h"
#include "room.h"
#include "token_bucket.h"

#define PREFIX "/v1/docs/"
#define OPENAPI "/openapi.json"
#define SOCKET "ws"
#define NOBODY "anonymous" /* who reads without saying who */
#define DEFAULT_LIMIT 100
#define MAX_LIMIT 1000

#define JSON "application/json"
#define DELTA "application/vnd.quill.delta+json"

static const RestRoute routes[] = {
	{HTTP_GET, "", NULL, METRIC_HTTP_GET_DOC_2XX, false, {NULL}, rest_get_document},
	{HTTP_PUT, "", NULL, METRIC_HTTP_PUT_DOC_2XX, true, {JSON, "text/plain", DELTA}, rest_put_document},
	{HTTP_DELETE, "", NULL, METRIC_HTTP_DELETE_DOC_2XX, true, {NULL}, rest_delete_document},
	{HTTP_GET, "events", NULL, METRIC_HTTP_GET_EVENTS_2XX, false, {NULL}, rest_get_events},
	{HTTP_POST, "ops", NULL, METRIC_HTTP_POST_OPS_2XX, true, {JSON}, rest_post_ops},
	{HTTP_GET, "history", NULL, METRIC_HTTP_GET_HISTORY_2XX, false, {NULL}, rest_get_history},
	{HTTP_GET, "blame", NULL, METRIC_HTTP_GET_BLAME_2XX, false, {NULL}, rest_get_blame},
	{HTTP_GET, "versions", NULL, METRIC_HTTP_GET_VERSIONS_2XX, false, {NULL}, rest_get_versions},
	{HTTP_GET, "presence", NULL, METRIC_HTTP_GET_PRESENCE_2XX, false, {NULL}, rest_get_presence},
	{HTTP_GET, "comments", NULL, METRIC_HTTP_GET_COMMENTS_2XX, false, {NULL}, rest_get_comments},
	{HTTP_POST, "comments", NULL, METRIC_HTTP_POST_COMMENTS_2XX, true, {JSON}, rest_post_comment},
	{HTTP_GET, "stream", NULL, METRIC_HTTP_GET_STREAM_2XX, false, {NULL}, rest_get_stream},
	{HTTP_GET, NULL, OPENAPI, METRIC_HTTP_GET_OPENAPI_2XX, false, {NULL}, rest_get_openapi},
};

#define ROUTES (sizeof(routes) / sizeof(routes[0]))

static const char *const method_names[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", ""};

bool
rest_is_path(const char *path)
{
	return strncmp(path, "/v1/", 4) == 0 || strcmp(path, OPENAPI) == 0;
}

void
rest_count(const HttpCall *call)
{
	MetricId base = call->route != NULL ? call->route->metric : METRIC_HTTP_OTHER_2XX;
	int class = call->status / 100 - 2;

	metrics_add(base + (class < 0 ? 0 : class > 3 ? 3 : class), 1);
	metrics_observe(HISTOGRAM_HTTP, proxy_clock(call->proxy) - call->arrived, 1);
}

/* ---- routing ---- */

/* What a path names. */
typedef struct Target
{
	const char *doc_id; /* NULL: no document */
	size_t		doc_id_bytes;
	const char *resource;
} Target;

static bool
find_target(const char *path, Target *out)
{
	const char *slash;

	memset(out, 0, sizeof(*out));
	if (strcmp(path, OPENAPI) == 0)
		return true;
	if (strncmp(path, PREFIX, strlen(PREFIX)) != 0)
		return false;
	out->doc_id = path + strlen(PREFIX);
	slash = strchr(out->doc_id, '/');
	out->doc_id_bytes = slash != NULL ? (size_t) (slash - out->doc_id) : strlen(out->doc_id);
	out->resource = slash != NULL ? slash + 1 : "";
	/* "/v1/docs/x/" is not "/v1/docs/x" */
	return slash == NULL || slash[1] != '\0';
}

static bool
is_of(const RestRoute *route, const Target *target)
{
	if (route->resource == NULL || target->doc_id == NULL)
		return route->resource == NULL && target->doc_id == NULL;
	return strcmp(route->resource, target->resource) == 0;
}

/* What the resource can do, for Allow. False: there is no such resource. */
static bool
allowed(const Target *target, char *out, size_t size)
{
	size_t used = 0;

	/* which begins on a connection of its own, and is read elsewhere */
	if (target->doc_id != NULL && strcmp(target->resource, SOCKET) == 0)
		return snprintf(out, size, "GET") > 0;
	out[0] = '\0';
	for (size_t i = 0; i < ROUTES; i++)
	{
		if (!is_of(&routes[i], target))
			continue;
		used +=
			(size_t) snprintf(out + used, size - used, "%s%s%s", used > 0 ? ", " : "",
							  method_names[routes[i].method], routes[i].method == HTTP_GET ? ", HEAD" : "");
	}
	if (used > 0)
		snprintf(out + used, size - used, ", OPTIONS");
	return used > 0;
}

static const RestRoute *
find_route(HttpMethod method, const Target *target)
{
	if (method == HTTP_HEAD)
		method = HTTP_GET;
	for (size_t i = 0; i < ROUTES; i++)
	{
		if (routes[i].method == method && is_of(&routes[i], target))
			return &routes[i];
	}
	return NULL;
}

/* Finds the route, or answers. */
static bool
route(HttpCall *call)
{
	Target target;
	char   methods[64];

	if (!find_target(call->path, &target) || !allowed(&target, methods, sizeof(methods)))
	{
		problem(call, 404, NULL, "there is nothing at this address");
		return false;
	}
	if (target.doc_id != NULL)
	{
		if (!util_valid_doc_id(target.doc_id, target.doc_id_bytes))
		{
			problem(call, 400, NULL, "malformed document id: 1 to 128 of A-Z a-z 0-9 . _ ~ -");
			return false;
		}
		memcpy(call->doc_id, target.doc_id, target.doc_id_bytes);
	}
	if (call->method == HTTP_OPTIONS)
	{
		http_call_header(call, "allow:", "%s", methods);
		cors_preflight(call, methods);
		http_call_answer(call, 204, NULL);
		return false;
	}
	call->route = find_route(call->method, &target);
	if (call->route != NULL)
		return true;
	http_call_header(call, "allow:", "%s", methods);
	problem(call, 405, NULL, "this resource has %s", methods);
	return false;
}

/* ---- who asks, and how often ---- */

static bool
find_user(HttpCall *call)
{
	const char *user = http_call_param(call, "user");

	if (user == NULL && !call->route->names_user)
		user = NOBODY;
	if (user == NULL)
		problem(call, 400, NULL, "who does this? the parameter user is missing");
	else if (!util_valid_user(user, strlen(user)))
		problem(call, 400, NULL, "malformed user: 1 to 128 bytes of UTF-8 without control characters");
	else
	{
		strcpy(call->user, user);
		return true;
	}
	return false;
}

static bool
take_token(HttpCall *call, uint64_t key)
{
	const Config *config = &call->proxy->config;
	int64_t		  wait;

	if (config->rest_rate == 0)
		return true;
	wait = token_buckets_take(call->proxy->buckets, key, config->rest_rate, config->rest_burst,
							  proxy_now(call->proxy));
	if (wait == 0)
		return true;
	metrics_add(METRIC_LIMITED_REST, 1);
	http_call_header(call, "retry-after:", "%lld", (long long) (wait + 999) / 1000);
	problem(call, 429, "OT009", "more than rest_rate requests a second: come again in %lld ms",
			(long long) wait);
	return false;
}

/* ---- the body ---- */

/* type/subtype, whatever parameters follow. */
static bool
is_type(const char *field, const char *type)
{
	size_t bytes = strcspn(field, "; \t");

	return bytes == strlen(type) && strncasecmp(field, type, bytes) == 0;
}

static bool
check_media(HttpCall *call)
{
	const char *type = call->fields[HTTP_CONTENT_TYPE];
	const char *encoding = call->fields[HTTP_CONTENT_ENCODING];
	const char *charset;
	char		known[128] = "";

	if (call->route->takes[0] == NULL)
	{
		if (call->body_bytes == 0)
			return true;
		problem(call, 400, NULL, "a request without a body is expected");
		return false;
	}
	if (encoding != NULL && strcasecmp(encoding, "identity") != 0)
	{
		problem(call, 415, NULL, "bodies are read as they are, without Content-Encoding");
		return false;
	}
	charset = type != NULL ? strcasestr(type, "charset=") : NULL;
	if (charset != NULL && strncasecmp(charset + 8, "utf-8", 5) != 0 &&
		strncasecmp(charset + 8, "\"utf-8\"", 7) != 0)
	{
		problem(call, 415, NULL, "bodies are UTF-8");
		return false;
	}
	for (int i = 0; i < 3 && type != NULL && call->route->takes[i] != NULL; i++)
	{
		if (is_type(type, call->route->takes[i]))
			return true;
	}
	for (int i = 0; i < 3 && call->route->takes[i] != NULL; i++)
		snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s", i > 0 ? " or " : "",
				 call->route->takes[i]);
	problem(call, 415, NULL, "the field Content-Type has to say what the body is: %s", known);
	return false;
}

/* ---- a request ---- */

bool
rest_begin(HttpCall *call)
{
	cors_answer(call);
	if (!take_token(call, call->peer) || !route(call) || !find_user(call) || !check_media(call))
		return false;
	if (strcmp(call->user, NOBODY) != 0 &&
		!take_token(call, (uint64_t) collab_user_key(call->user, strlen(call->user))))
		return false;
	return true;
}

void
rest_run(HttpCall *call)
{
	wheel_set(&call->proxy->wheel, &call->deadline, (uint64_t) call->proxy->config.rest_timeout_ms);
	call->route->handle(call);
}

/* ---- for resources ---- */

bool
rest_number(HttpCall *call, const char *name, int64_t min, int64_t max, int64_t *out)
{
	const char *text = http_call_param(call, name);

	if (text == NULL)
		return true;
	if (util_parse_decimal(text, strlen(text), max, out) && *out >= min)
		return true;
	problem(call, 400, NULL, "%s must be a whole number from %lld to %lld", name, (long long) min,
			(long long) max);
	return false;
}

bool
rest_limit(HttpCall *call, int64_t *out)
{
	*out = DEFAULT_LIMIT;
	return rest_number(call, "limit", 1, MAX_LIMIT, out);
}

void
rest_cache(HttpCall *call, bool is_public)
{
	http_call_header(call, "cache-control:", "%s", is_public ? "public, max-age=60" : "private, no-cache");
}

void
rest_position(HttpCall *call, int64_t version, uint64_t event, const char *format)
{
	char etag[ETAG_MAX];

	etag_format(etag, version, event, format);
	http_call_header(call, "etag:", "%s", etag);
	http_call_header(call, "collab-version:", "%lld", (long long) version);
	http_call_header(call, "collab-event:", "%016llx", (unsigned long long) event);
}

bool
rest_not_modified(HttpCall *call, int64_t version, uint64_t event, bool is_public, const char *format)
{
	const char *header = call->fields[HTTP_IF_NONE_MATCH];

	if (header == NULL || !etag_none_match(header, version, event, format))
		return false;
	rest_position(call, version, event, format);
	rest_cache(call, is_public);
	http_call_answer(call, 304, NULL);
	return true;
}

void
rest_json(HttpCall *call, int status)
{
	buf_char(&call->answer, '\n');
	http_call_answer(call, status, JSON);
}

static void
percent_encode(Buf *out, const char *text)
{
	for (; *text != '\0'; text++)
	{
		unsigned char c = (unsigned char) *text;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			strchr("-._~", c) != NULL)
			buf_char(out, (char) c);
		else
		{
			char escape[4];

			snprintf(escape, sizeof(escape), "%%%02X", c);
			buf_str(out, escape);
		}
	}
}

void
rest_next(HttpCall *call, const char *query)
{
	const char *user = http_call_param(call, "user");
	Buf			address;

	buf_init(&address, util_buffer_alloc);
	buf_str(&address, call->path);
	buf_char(&address, '?');
	buf_str(&address, query);
	if (user != NULL)
	{
		buf_str(&address, "&user=");
		percent_encode(&address, user);
	}
	buf_char(&address, '\0');
	buf_str(&call->answer, ",\"next\":");
	buf_json_string(&call->answer, address.data, strlen(address.data));
	http_call_header(call, "link:", "<%s>; rel=\"next\"", address.data);
	buf_free(&address);
}

Room *
rest_find_room(const HttpCall *call)
{
	Room *room = rooms_find(call->proxy->rooms, collab_doc_key(call->doc_id, strlen(call->doc_id)));

	while (room != NULL && strcmp(room->doc_id, call->doc_id) != 0)
		room = rooms_find_next(room);
	return room;
}

void
rest_tell_room(HttpCall *call, int64_t version)
{
	Room *room = rest_find_room(call);

	if (room != NULL)
		room_want(room, version);
}

void
rest_tell_dropped(HttpCall *call)
{
	Room *room = rest_find_room(call);

	if (room != NULL)
		listener_check(call->proxy->listener, room);
}

/* rest.h - HTTP under /v1/: routes, who asks, limits; what every resource shares. */
#ifndef COLLAB_PROXY_REST_H
#define COLLAB_PROXY_REST_H

#include "http_call.h"
#include "metrics.h"

/* A method of a resource. */
struct RestRoute
{
	HttpMethod	method;
	const char *resource; /* what stands behind /v1/docs/{id}/; "": the document itself; NULL: another path */
	const char *path;	  /* then this one */
	MetricId	metric;	  /* of its answers 2xx; 3xx, 4xx and 5xx follow */
	bool		names_user; /* `user` has to be there */
	const char *takes[3];	/* Content-Types of the body; none: no body */
	void (*handle)(HttpCall *call);
};

/* Called by ws_http.c. */
bool rest_is_path(const char *path);
/* The head of a request is here. False: answered already, the body is not wanted. */
bool rest_begin(HttpCall *call);
/* The body, too. */
void rest_run(HttpCall *call);
/* It was answered. */
void rest_count(const HttpCall *call);

/* ---- for resources ---- */

/* A parameter that is a whole number from min on; absent: *out stays. False: answered with 400. */
bool rest_number(HttpCall *call, const char *name, int64_t min, int64_t max, int64_t *out) MUST_CHECK;
/* `limit`: how many rows an answer has at most. */
bool rest_limit(HttpCall *call, int64_t *out) MUST_CHECK;
/* Cache-Control of what is read. */
void rest_cache(HttpCall *call, bool is_public);
/* Collab-Version, Collab-Event, ETag. format as in etag_format(). */
void rest_position(HttpCall *call, int64_t version, uint64_t event, const char *format);
/* Answers 304 if If-None-Match has the tag. */
bool rest_not_modified(HttpCall *call, int64_t version, uint64_t event, bool is_public, const char *format);
/* Content of `answer` is JSON. */
void rest_json(HttpCall *call, int status);
/* The address of this resource with another query, as it stands in `next` and Link; `query` without "?". */
void rest_next(HttpCall *call, const char *query);

/* NULL: nobody here has the document open. */
Room *rest_find_room(const HttpCall *call);
/* Open editors of the document hear of it at once: this version exists now, or the document has gone. */
void rest_tell_room(HttpCall *call, int64_t version);
void rest_tell_dropped(HttpCall *call);

/* ---- handlers, one file per resource ---- */

void rest_get_document(HttpCall *call);
void rest_put_document(HttpCall *call);
void rest_delete_document(HttpCall *call);
void rest_get_events(HttpCall *call);
void rest_post_ops(HttpCall *call);
void rest_get_history(HttpCall *call);
void rest_get_blame(HttpCall *call);
void rest_get_versions(HttpCall *call);
void rest_get_presence(HttpCall *call);
void rest_get_comments(HttpCall *call);
void rest_post_comment(HttpCall *call);
void rest_get_stream(HttpCall *call);
void rest_get_openapi(HttpCall *call);

#endif

/* cors.c - which pages of other origins may read answers: an exact-match list, cors_origins. */
#include "cors.h"

#include <string.h>

#define PREFLIGHT_SECONDS "600"

bool
cors_allows(const char *list, const char *origin)
{
	size_t wanted = strlen(origin);

	while (*(list += strspn(list, " ,")) != '\0')
	{
		size_t bytes = strcspn(list, " ,");

		if (bytes == wanted && memcmp(list, origin, bytes) == 0)
			return true;
		list += bytes;
	}
	return false;
}

static bool
allows(const HttpCall *call)
{
	const char *origin = call->fields[HTTP_ORIGIN];

	return origin != NULL && strcmp(origin, "null") != 0 &&
		   cors_allows(call->proxy->config.cors_origins, origin);
}

void
cors_answer(HttpCall *call)
{
	if (call->proxy->config.cors_origins[0] == '\0')
		return;
	/* also where it is not allowed, or absent: a cache must not give one origin's answer to another */
	http_call_vary(call, "Origin");
	if (!allows(call))
		return;
	http_call_header(call, "access-control-allow-origin:", "%s", call->fields[HTTP_ORIGIN]);
	http_call_header(call, "access-control-expose-headers:",
					 "ETag, Collab-Version, Collab-Event, Link, Location, Retry-After");
}

void
cors_preflight(HttpCall *call, const char *methods)
{
	if (call->fields[HTTP_REQUEST_METHOD] == NULL || !allows(call))
		return;
	http_call_header(call, "access-control-allow-methods:", "%s", methods);
	http_call_header(call,
					 "access-control-allow-headers:", "Content-Type, If-Match, If-None-Match, Last-Event-ID");
	http_call_header(call, "access-control-max-age:", PREFLIGHT_SECONDS);
}

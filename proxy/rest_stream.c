/* rest_stream.c - following a document over HTTP: the stream of a socket as server-sent events. */
#include <string.h>

#include "http_conn.h"
#include "problem.h"
#include "rest.h"
#include "rest_db.h"
#include "sse.h"

static void
on_position(HttpCall *call, const RestPosition *position)
{
	const char *id = call->fields[HTTP_LAST_EVENT_ID];
	int64_t		version = -1;
	uint64_t	event = 0;

	if (!position->found)
		problem(call, 404, "OT004", "document \"%s\" does not exist", call->doc_id);
	else if (id != NULL && !sse_parse_id(id, &version, &event))
		problem(call, 400, NULL,
				"Last-Event-ID is the id of an event of this stream, like 42-9f3c0123456789ab");
	else if (call->method == HTTP_HEAD)
	{
		http_call_header(call, "cache-control:", "no-store");
		http_call_answer(call, 200, "text/event-stream");
	}
	else if (!http_conn_follow(call->conn, version, event))
		problem(call, 501, NULL,
				"a stream needs an unencrypted connection, from a balancer that ends TLS, say");
}

void
rest_get_stream(HttpCall *call)
{
	rest_db_position(call, on_position);
}

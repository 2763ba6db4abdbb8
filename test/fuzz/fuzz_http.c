/* fuzz_http.c - the head of an HTTP request in: what is accepted can be understood in one way only, whoever reads it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../proxy/http_conn.h"
#include "../../proxy/http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the call would tell its connection; here it has none. */
void
http_conn_answer(HttpConn *conn)
{
	(void) conn;
	abort();
}

void
http_conn_timed_out(HttpCall *call)
{
	(void) call;
	abort();
}

static void
require(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "fuzz_http: %s\n", what);
	abort();
}

/* Who serves it is decided once, however it arrives. */
static void
require_decision(const char *text, size_t bytes)
{
	int decision = -1;

	for (size_t i = 0; i <= bytes && decision == -1; i++)
		decision = http_head_is_socket(text, i);
	require(http_head_is_socket(text, bytes) == decision, "another decision with more of it");
}

/* No line could end elsewhere for another reader, and nothing in it ends a string. */
static void
require_lines(const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
	{
		require(text[i] != '\0', "a NUL");
		require(text[i] != '\n' || (i > 0 && text[i - 1] == '\r'), "a lone LF");
		require(text[i] != '\r' || (i + 1 < bytes && text[i + 1] == '\n'), "a lone CR");
	}
}

static void
require_request(const HttpCall *call)
{
	require(call->path[0] == '/' && strlen(call->path) < HTTP_MAX_PATH, "a path that is none");
	require(call->param_count <= HTTP_MAX_PARAMS, "too many parameters");
	for (int i = 0; i < call->param_count; i++)
	{
		const char *end = call->query.data + call->query.size;

		require(call->params[i].name >= call->query.data &&
					call->params[i].value + strlen(call->params[i].value) < end,
				"a parameter outside of the query");
	}
	for (int i = 0; i < HTTP_FIELD_COUNT; i++)
		require(call->fields[i] == NULL || strlen(call->fields[i]) < HTTP_HEAD_MAX,
				"a field longer than its head");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static Proxy proxy;
	const char	*text = (const char *) data;
	const char	*reason = NULL;
	HttpCall	*call;
	size_t		 length = http_head_length(text, size);
	int			 status;

	require_decision(text, size);
	if (length == 0)
		return 0;
	require(length <= size && http_head_length(text, length - 1) == 0, "a head that ends twice");
	call = http_call_create(&proxy, NULL);
	status = http_head_read(call, text, length, &reason);
	if (status == 0)
	{
		require_lines(text, length);
		require_request(call);
	}
	else
	{
		require(status >= 400 && status < 500 && reason != NULL, "refused without a reason");
		require(call->body_bytes == 0, "a body behind what was refused");
	}
	http_call_unref(call);
	return 0;
}

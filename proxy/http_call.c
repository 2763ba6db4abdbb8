/* http_call.c - one HTTP request and its answer. Knows neither sockets nor the database. */
#include "http_call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_conn.h"

static size_t held_bytes;

static void on_deadline(WheelTimer *timer);

HttpCall *
http_call_create(Proxy *proxy, HttpConn *conn)
{
	HttpCall *call = util_alloc_zero(sizeof(*call));

	call->proxy = proxy;
	call->conn = conn;
	call->refs = 1;
	buf_init(&call->query, util_buffer_alloc);
	buf_init(&call->body, util_buffer_alloc);
	buf_init(&call->answer, util_buffer_alloc);
	buf_init(&call->head, util_buffer_alloc);
	wheel_timer_init(&call->deadline, on_deadline);
	call->arrived = proxy_clock(proxy);
	return call;
}

HttpCall *
http_call_ref(HttpCall *call)
{
	call->refs++;
	return call;
}

static void
free_call(HttpCall *call)
{
	wheel_cancel(&call->proxy->wheel, &call->deadline);
	held_bytes -= call->held;
	for (int i = 0; i < HTTP_FIELD_COUNT; i++)
		free(call->fields[i]);
	for (int i = 0; i < call->header_count; i++)
		free(call->headers[i].value);
	free(call->state);
	buf_free(&call->query);
	buf_free(&call->body);
	buf_free(&call->answer);
	buf_free(&call->head);
	free(call);
}

void
http_call_unref(HttpCall *call)
{
	if (--call->refs == 0)
		free_call(call);
}

void
http_call_abandon(HttpCall *call)
{
	call->conn = NULL;
	wheel_cancel(&call->proxy->wheel, &call->deadline);
	buf_free(&call->answer);
	http_call_count(call);
	http_call_unref(call);
}

/* ---- the request ---- */

bool
http_call_add_param(HttpCall *call, const char *text, size_t bytes)
{
	const char *equals = memchr(text, '=', bytes);
	size_t		name = equals != NULL ? (size_t) (equals - text) : bytes;

	if (call->param_count == HTTP_MAX_PARAMS)
		return false;
	call->param_count++;
	buf_bytes(&call->query, text, name);
	buf_char(&call->query, '\0');
	if (equals != NULL)
		buf_bytes(&call->query, equals + 1, bytes - name - 1);
	buf_char(&call->query, '\0');
	return true;
}

void
http_call_params_done(HttpCall *call)
{
	const char *at = call->query.data;

	for (int i = 0; i < call->param_count; i++)
	{
		call->params[i].name = at;
		at += strlen(at) + 1;
		call->params[i].value = at;
		at += strlen(at) + 1;
	}
}

void
http_call_set_field(HttpCall *call, HttpField field, const char *value, size_t bytes)
{
	free(call->fields[field]);
	call->fields[field] = util_strndup(value, bytes);
}

const char *
http_call_param(const HttpCall *call, const char *name)
{
	for (int i = 0; i < call->param_count; i++)
	{
		if (strcmp(call->params[i].name, name) == 0)
			return call->params[i].value;
	}
	return NULL;
}

/* ---- the answer ---- */

bool
http_call_waits(const HttpCall *call)
{
	return call->conn != NULL && call->status == 0;
}

void
http_call_header(HttpCall *call, const char *name, const char *fmt, ...)
{
	char	value[1024];
	va_list args;

	if (call->header_count == HTTP_MAX_HEADERS)
		return;
	va_start(args, fmt);
	vsnprintf(value, sizeof(value), fmt, args);
	va_end(args);
	call->headers[call->header_count].name = name;
	call->headers[call->header_count++].value = util_strdup(value);
}

void
http_call_vary(HttpCall *call, const char *field)
{
	int	  i = 0;
	char *value;

	while (i < call->header_count && strcmp(call->headers[i].name, "vary:") != 0)
		i++;
	if (i == call->header_count)
	{
		http_call_header(call, "vary:", "%s", field);
		return;
	}
	value = util_alloc(strlen(call->headers[i].value) + strlen(field) + 3);
	sprintf(value, "%s, %s", call->headers[i].value, field);
	free(call->headers[i].value);
	call->headers[i].value = value;
}

void
http_call_answer(HttpCall *call, int status, const char *type)
{
	if (!http_call_waits(call))
		return;
	wheel_cancel(&call->proxy->wheel, &call->deadline);
	call->status = status;
	call->type = type;
	buf_free(&call->body);
	call->body_bytes = 0;
	http_call_count(call);
	http_conn_answer(call->conn);
}

/* ---- bounds ---- */

size_t
http_call_held_bytes(void)
{
	return held_bytes;
}

void
http_call_count(HttpCall *call)
{
	size_t now = (call->body_bytes > call->body.size ? call->body_bytes : call->body.size) + call->answer.size;

	held_bytes += now - call->held;
	call->held = now;
}

static void
on_deadline(WheelTimer *timer)
{
	http_conn_timed_out(container_of(timer, HttpCall, deadline));
}

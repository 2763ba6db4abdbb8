/* dialect_collab.c - collab.v1 of docs/protocol.md. Acknowledged: the server's ack, after COMMIT. */
#include <stdio.h>

#include "crowd.h"
#include "dialect_text.h"

typedef struct Collab
{
	int64_t version;
	int64_t target; /* welcome.version */
	char	event[17];
	char	message[256]; /* the operation in flight */
	size_t	message_bytes;
} Collab;

static void
collab_path(const Typist *t, char *out, size_t size)
{
	snprintf(out, size, "/v1/docs/%s/ws?user=u%d", t->doc_id, t->index);
}

static void
collab_open(Typist *t)
{
	Collab *c = t->state;
	char	message[96];
	int n = snprintf(message, sizeof message, "{\"type\":\"open\",\"site\":%d,\"pending\":0}", t->index + 1);

	c->target = -1;
	ws_send(&t->ws, message, (size_t) n);
}

static void
collab_resend(Typist *t)
{
	Collab *c = t->state;

	ws_send(&t->ws, c->message, c->message_bytes);
}

static void
collab_insert(Typist *t)
{
	Collab *c = t->state;
	int		retain = (int) crowd_random((uint64_t) crowd.span + 1);
	char	skip[32] = "";

	if (retain > 0)
		snprintf(skip, sizeof skip, "{\"retain\":%d},", retain);
	c->message_bytes = (size_t) snprintf(
		c->message, sizeof c->message,
		"{\"type\":\"op\",\"clock\":%llu,\"base_version\":%lld,\"base_event\":\"%s\","
		"\"op\":{\"ops\":[%s{\"insert\":\"%c\"}]}}",
		(unsigned long long) t->number, (long long) c->version, c->event, skip, 'a' + t->index % 26);
	collab_resend(t);
}

static void
take_position(Collab *c, const char **at, const char *end)
{
	int64_t version = text_number_of(at, end, "\"version\":");

	if (version < 0)
		return;
	c->version = version;
	if (text_seek(at, end, "\"event\":\"") && end - *at >= 16)
		memcpy(c->event, *at, 16);
}

/* The next version of the stream; anything else would be an error of the server. */
static void
take_next(Typist *t, const char **at, const char *end)
{
	Collab *c = t->state;
	int64_t before = c->version;

	take_position(c, at, end);
	if (c->version != before + 1)
		crowd_anomaly("version %lld after %lld", (long long) c->version, (long long) before);
}

static void
take_events(Typist *t, const char *at, const char *end)
{
	int64_t site, clock;

	while (text_seek(&at, end, "{\"version\":"))
	{
		at -= strlen("\"version\":");
		take_next(t, &at, end);
		site = text_number_of(&at, end, "\"site\":");
		clock = text_number_of(&at, end, "\"clock\":");
		crowd_delivered(t, (int) site - 1, (uint64_t) clock);
	}
}

static void
take_error(Typist *t, const char *at, const char *end)
{
	const char *retry = at;
	int64_t		ms = text_number_of(&retry, end, "\"retry_ms\":");

	if (ms >= 0)
		crowd_retry(t, ms);
	else
		crowd_refused(t, at, (size_t) (end - at));
}

static void
collab_message(Typist *t, const char *bytes, size_t size)
{
	Collab	   *c = t->state;
	const char *end = bytes + size;
	const char *at = bytes;
	int64_t		clock;

	if (!text_seek(&at, end, "\"type\":\""))
		return;
	if (text_starts(at, end, "ack"))
	{
		clock = text_number_of(&at, end, "\"clock\":");
		take_next(t, &at, end);
		crowd_acked(t, (uint64_t) clock);
	}
	else if (text_starts(at, end, "events"))
		take_events(t, at, end);
	else if (text_starts(at, end, "error"))
		take_error(t, bytes, end);
	else if (text_starts(at, end, "welcome"))
		c->target = text_number_of(&at, end, "\"version\":");
	else if (text_starts(at, end, "snapshot"))
		take_position(c, &at, end);
	if (c->target >= 0 && c->version == c->target && c->event[0] != '\0')
		crowd_synced(t);
}

static void
collab_keep_alive(Typist *t)
{
	static const char beat[] = "{\"type\":\"heartbeat\"}";

	ws_send(&t->ws, beat, sizeof beat - 1);
}

const Dialect dialect_collab = {
	.name = "collab",
	.typist_bytes = sizeof(Collab),
	.keep_alive_ms = 4000,
	.path = collab_path,
	.open = collab_open,
	.message = collab_message,
	.insert = collab_insert,
	.resend = collab_resend,
	.keep_alive = collab_keep_alive,
};

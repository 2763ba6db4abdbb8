/* sse.c - what a socket would get, as server-sent events. */
#include "sse.h"

#include <string.h>

#include "json.h"
#include "wire.h"

#define HEARTBEAT "{\"type\":\"heartbeat\""

/* ---- positions ---- */

static bool
read_event_id(JsonReader *r, uint64_t *out)
{
	JsonString text;

	return json_read_string(r, &text) && util_parse_hex64(text.data, text.bytes, out);
}

/* The members version and event of an object; it may have others. */
static void
read_position(JsonReader *r, int64_t *version, uint64_t *event)
{
	JsonString key;

	json_object_begin(r);
	while (json_object_next(r, &key))
	{
		if (json_string_is(&key, "version"))
			(void) json_read_int(r, version);
		else if (json_string_is(&key, "event"))
			(void) read_event_id(r, event);
		else if (json_string_is(&key, "events"))
		{
			json_array_begin(r);
			while (json_array_next(r))
				read_position(r, version, event);
		}
		else
			(void) json_skip(r, NULL);
	}
}

static void
put_id(Sse *sse, int64_t version, uint64_t event, Buf *out)
{
	buf_str(out, "id: ");
	buf_i64(out, version);
	buf_char(out, '-');
	buf_hex64(out, event);
	buf_char(out, '\n');
	sse->version = version;
}

static bool
starts_with(const char *text, size_t bytes, const char *start)
{
	return bytes >= strlen(start) && memcmp(text, start, strlen(start)) == 0;
}

/* A welcome names a version that is still to come. */
static void
put_position(Sse *sse, const char *text, size_t bytes, Buf *out)
{
	JsonReader r;
	int64_t	   version = -1;
	uint64_t   event = 0;

	if (!starts_with(text, bytes, "{\"type\":\"events\"") &&
		!starts_with(text, bytes, "{\"type\":\"snapshot\""))
		return;
	json_init(&r, text, bytes, 0);
	read_position(&r, &version, &event);
	if (!json_failed(&r) && version >= 0 && event != 0)
		put_id(sse, version, event, out);
}

void
sse_position(Sse *sse, int64_t version, uint64_t event, Buf *out)
{
	if (sse->version == version || event == 0)
		return;
	put_id(sse, version, event, out);
	buf_char(out, '\n');
}

bool
sse_parse_id(const char *text, int64_t *version, uint64_t *event)
{
	const char *dash = strchr(text, '-');

	return dash != NULL && util_parse_decimal(text, (size_t) (dash - text), WIRE_MAX_INTEGER, version) &&
		   util_parse_hex64(dash + 1, strlen(dash + 1), event);
}

/* ---- frames ---- */

static void
put_frame(Sse *sse, const char *text, size_t bytes, bool last, Buf *out)
{
	bool first = !sse->in_message;

	if (first && starts_with(text, bytes, HEARTBEAT))
	{
		buf_str(out, ": ");
		buf_bytes(out, text, bytes);
		buf_str(out, "\n\n");
		return;
	}
	if (first && last)
		put_position(sse, text, bytes, out);
	if (first)
		buf_str(out, "data: ");
	buf_bytes(out, text, bytes);
	if (last)
		buf_str(out, "\n\n");
	sse->in_message = !last;
}

void
sse_frames(Sse *sse, const char *frames, size_t bytes, Buf *out)
{
	const unsigned char *at = (const unsigned char *) frames;
	const unsigned char *end = at + bytes;

	while (end - at >= 2)
	{
		bool   last = (at[0] & 0x80) != 0;
		size_t length = at[1] & 0x7f;
		size_t more = length == 126 ? 2 : length == 127 ? 8 : 0;

		if (more > 0)
			length = 0;
		for (size_t i = 0; i < more; i++)
			length = length << 8 | at[2 + i];
		at += 2 + more;
		put_frame(sse, (const char *) at, length, last, out);
		at += length;
	}
}

void
sse_close(int code, const char *reason, Buf *out)
{
	buf_str(out, "event: close\ndata: {\"type\":\"close\",\"code\":");
	buf_i64(out, code);
	buf_str(out, ",\"reason\":");
	buf_json_string(out, reason, strlen(reason));
	buf_str(out, "}\n\n");
}

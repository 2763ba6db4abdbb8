/* wire.c - the messages of collab.v1: JSON text <-> structs. docs/protocol.md says what they mean. */
#include "wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_2000 INT64_C(946684800) /* 2000-01-01 in Unix time */

/* ---- reading ---- */

/* The members that any message may have. `found` tells which came, `bad` which came with a value of the wrong kind. */
typedef enum Member
{
	M_TYPE,
	M_SITE,
	M_LAST_VERSION,
	M_LAST_EVENT,
	M_PENDING,
	M_NAME,
	M_COLOR,
	M_CLOCK,
	M_BASE_VERSION,
	M_BASE_EVENT,
	M_OP,
	M_OPS,
	M_VERSION,
	M_POSITION,
	M_SELECTION,
	M_COUNT
} Member;

static const char *const member_names[M_COUNT] = {
	"type",			"site",		  "last_version", "last_event", "pending", "name",	   "color",		"clock",
	"base_version", "base_event", "op",			  "ops",		"version", "position", "selection",
};

typedef struct Members
{
	uint32_t   found;
	uint32_t   bad;
	uint32_t   null;
	JsonString type;
} Members;

static bool
found(const Members *members, Member member)
{
	return (members->found >> member & 1) != 0;
}

static bool
is_null(const Members *members, Member member)
{
	return (members->null >> member & 1) != 0;
}

static void
set_error(WireParser *parser, const char *code, const char *fmt, ...)
{
	va_list args;

	snprintf(parser->error.code, sizeof(parser->error.code), "%s", code);
	va_start(args, fmt);
	vsnprintf(parser->error.message, sizeof(parser->error.message), fmt, args);
	va_end(args);
}

static int
member_of(const JsonString *key)
{
	for (int i = 0; i < M_COUNT; i++)
	{
		if (json_string_is(key, member_names[i]))
			return i;
	}
	return -1;
}

/* A whole number within +-(2^53 - 1); anything else is read over and leaves the rest of the message readable. */
static bool
read_int(JsonReader *r, int64_t *out)
{
	JsonSpan   span;
	JsonReader inner;

	if (json_peek(r) != JSON_NUMBER)
	{
		(void) json_skip(r, NULL);
		return false;
	}
	if (!json_skip(r, &span))
		return false;
	if (util_parse_decimal(span.data, span.bytes, WIRE_MAX_INTEGER, out))
		return true;
	json_init(&inner, span.data, span.bytes, 1);
	return json_read_int(&inner, out);
}

static bool
read_event(JsonReader *r, uint64_t *out)
{
	JsonString text;

	if (json_peek(r) != JSON_STRING)
	{
		(void) json_skip(r, NULL);
		return false;
	}
	return json_read_string(r, &text) && !text.escaped && util_parse_hex64(text.data, text.bytes, out);
}

static bool
read_string(JsonReader *r, JsonString *out)
{
	if (json_peek(r) != JSON_STRING)
	{
		(void) json_skip(r, NULL);
		return false;
	}
	return json_read_string(r, out);
}

/* The elements of `ops`. One more than allowed is enough to know. */
static bool
read_pieces(WireParser *parser, JsonReader *r)
{
	if (json_peek(r) != JSON_ARRAY)
	{
		(void) json_skip(r, NULL);
		return false;
	}
	parser->piece_count = 0;
	json_array_begin(r);
	while (json_array_next(r))
	{
		JsonSpan span;

		if (!json_skip(r, &span))
			return false;
		if (parser->piece_count <= WIRE_MAX_PIECES)
			parser->pieces[parser->piece_count++] = span;
	}
	return true;
}

static bool
read_selection(JsonReader *r, int64_t *out)
{
	int	 count = 0;
	bool good = true;

	if (json_peek(r) != JSON_ARRAY)
	{
		(void) json_skip(r, NULL);
		return false;
	}
	json_array_begin(r);
	while (json_array_next(r))
	{
		int64_t ignored;

		good &= read_int(r, count < 2 ? &out[count] : &ignored);
		count++;
	}
	return good && count == 2;
}

static bool
read_member(WireParser *parser, JsonReader *r, Member member, Members *members, WireMessage *out)
{
	switch (member)
	{
		case M_TYPE:
			return read_string(r, &members->type);
		case M_SITE:
			return read_int(r, &out->site);
		case M_LAST_VERSION:
			return read_int(r, &out->last_version);
		case M_LAST_EVENT:
			return read_event(r, &out->last_event);
		case M_PENDING:
			return read_int(r, &out->pending);
		case M_NAME:
			return read_string(r, &out->name);
		case M_COLOR:
			return read_string(r, &out->color);
		case M_CLOCK:
			return read_int(r, &out->clock);
		case M_BASE_VERSION:
			return read_int(r, &out->base_version);
		case M_BASE_EVENT:
			return read_event(r, &out->base_event);
		case M_OP:
			parser->piece_count = 1;
			return json_skip(r, &parser->pieces[0]);
		case M_OPS:
			return read_pieces(parser, r);
		case M_VERSION:
			return read_int(r, &out->version);
		case M_POSITION:
			return read_int(r, &out->position);
		case M_SELECTION:
			return read_selection(r, out->selection);
		default:
			return json_skip(r, NULL);
	}
}

static void
read_members(WireParser *parser, JsonReader *r, Members *members, WireMessage *out)
{
	JsonString key;

	if (json_peek(r) != JSON_OBJECT)
	{
		/* what is not JSON at all is told by the reader */
		(void) json_skip(r, NULL);
		return;
	}
	json_object_begin(r);
	while (json_object_next(r, &key))
	{
		int		 member = member_of(&key);
		uint32_t bit;

		if (member < 0)
		{
			(void) json_skip(r, NULL);
			continue;
		}
		bit = UINT32_C(1) << member;
		members->found |= bit;
		members->bad &= ~bit;
		members->null &= ~bit;
		if (json_peek(r) == JSON_NULL)
			members->null |= bit;
		if (!read_member(parser, r, (Member) member, members, out))
			members->bad |= bit;
	}
	(void) json_end(r);
}

static bool
need(WireParser *parser, const Members *members, Member member, const char *kind)
{
	if (found(members, member) && (members->bad >> member & 1) == 0)
		return true;
	set_error(parser, "OT008", found(members, member) ? "\"%s\" must be %s" : "\"%s\" is missing: %s",
			  member_names[member], kind);
	return false;
}

/* Absent (or null) is fine, wrong is not. */
static bool
allow(WireParser *parser, const Members *members, Member member, const char *kind)
{
	return !found(members, member) || is_null(members, member) || need(parser, members, member, kind);
}

static bool
in_range(WireParser *parser, Member member, int64_t value, int64_t min)
{
	if (value >= min && value <= WIRE_MAX_INTEGER)
		return true;
	set_error(parser, "OT008", "\"%s\" must be from %lld to 2^53-1", member_names[member], (long long) min);
	return false;
}

/* Counted as the UTF-8 that it stands for. */
static bool
too_long(WireParser *parser, const JsonString *text, size_t max)
{
	if (!text->escaped)
		return text->bytes > max;
	buf_clear(&parser->scratch);
	json_unescape(text, &parser->scratch);
	return parser->scratch.size > max;
}

static bool
check_open(WireParser *parser, const Members *members, WireMessage *out)
{
	bool version = found(members, M_LAST_VERSION) && !is_null(members, M_LAST_VERSION);
	bool event = found(members, M_LAST_EVENT) && !is_null(members, M_LAST_EVENT);

	out->type = WIRE_OPEN;
	out->has_position = version;
	if (!need(parser, members, M_SITE, "a whole number") || !in_range(parser, M_SITE, out->site, 1))
		return false;
	if (!allow(parser, members, M_LAST_VERSION, "a whole number") ||
		!allow(parser, members, M_LAST_EVENT, "16 lower-case hex digits") ||
		!allow(parser, members, M_PENDING, "a whole number") || !allow(parser, members, M_NAME, "a string") ||
		!allow(parser, members, M_COLOR, "a string"))
		return false;
	if (version != event)
	{
		set_error(parser, "OT008", "\"last_version\" and \"last_event\" come together or not at all");
		return false;
	}
	if (version && !in_range(parser, M_LAST_VERSION, out->last_version, 0))
		return false;
	if (!in_range(parser, M_PENDING, out->pending, 0))
		return false;
	if (too_long(parser, &out->name, WIRE_MAX_NAME) || too_long(parser, &out->color, WIRE_MAX_COLOR))
	{
		set_error(parser, "OT008", "\"name\" is at most %d bytes long, \"color\" %d", WIRE_MAX_NAME,
				  WIRE_MAX_COLOR);
		return false;
	}
	return true;
}

static bool
check_op(WireParser *parser, const Members *members, WireMessage *out)
{
	out->type = WIRE_OP;
	if (!need(parser, members, M_CLOCK, "a whole number") || !in_range(parser, M_CLOCK, out->clock, 1) ||
		!need(parser, members, M_BASE_VERSION, "a whole number") ||
		!in_range(parser, M_BASE_VERSION, out->base_version, 0) ||
		!need(parser, members, M_BASE_EVENT, "16 lower-case hex digits"))
		return false;
	if (found(members, M_OP) == found(members, M_OPS))
	{
		set_error(parser, "OT008", "an op message has either \"op\" or \"ops\"");
		return false;
	}
	if (found(members, M_OPS) && !need(parser, members, M_OPS, "an array"))
		return false;
	if (parser->piece_count == 0 || parser->piece_count > WIRE_MAX_PIECES)
	{
		set_error(parser, parser->piece_count == 0 ? "OT008" : "OT005", "\"ops\" holds 1 to %d pieces",
				  WIRE_MAX_PIECES);
		return false;
	}
	if (out->clock > WIRE_MAX_INTEGER - parser->piece_count)
	{
		set_error(parser, "OT008", "\"clock\" is too large");
		return false;
	}
	return true;
}

static bool
check_cursor(WireParser *parser, const Members *members, WireMessage *out)
{
	out->type = WIRE_CURSOR;
	out->has_cursor = found(members, M_POSITION) && !is_null(members, M_POSITION);
	out->has_selection = out->has_cursor && found(members, M_SELECTION) && !is_null(members, M_SELECTION);
	if (!need(parser, members, M_VERSION, "a whole number") || !in_range(parser, M_VERSION, out->version, 0) ||
		!allow(parser, members, M_POSITION, "a whole number or null") ||
		!allow(parser, members, M_SELECTION, "two whole numbers or null"))
		return false;
	if (out->has_cursor && !in_range(parser, M_POSITION, out->position, 0))
		return false;
	return !out->has_selection || (in_range(parser, M_SELECTION, out->selection[0], 0) &&
								   in_range(parser, M_SELECTION, out->selection[1], 0));
}

void
wire_parser_init(WireParser *parser)
{
	memset(parser, 0, sizeof(*parser));
	parser->pieces = util_alloc((WIRE_MAX_PIECES + 1) * sizeof(*parser->pieces));
	buf_init(&parser->scratch, util_buffer_alloc);
}

void
wire_parser_free(WireParser *parser)
{
	free(parser->pieces);
	buf_free(&parser->scratch);
}

static void
read_text(WireParser *parser, JsonReader *r, const char *text, size_t bytes, Members *members,
		  WireMessage *out)
{
	memset(out, 0, sizeof(*out));
	memset(members, 0, sizeof(*members));
	memset(&parser->error, 0, sizeof(parser->error));
	parser->piece_count = 0;
	json_init(r, text, bytes, WIRE_MAX_DEPTH);
	read_members(parser, r, members, out);
}

bool
wire_parse_ops(WireParser *parser, const char *text, size_t bytes, WireMessage *out)
{
	JsonReader r;
	Members	   members;

	read_text(parser, &r, text, bytes, &members, out);
	if (json_failed(&r))
	{
		set_error(parser, "OT008", "malformed body: %s", r.error.message);
		return false;
	}
	out->has_position = found(&members, M_SITE) || found(&members, M_CLOCK) ||
						found(&members, M_BASE_VERSION) || found(&members, M_BASE_EVENT);
	if (out->has_position)
		return need(parser, &members, M_SITE, "a whole number") && in_range(parser, M_SITE, out->site, 1) &&
			   check_op(parser, &members, out);
	out->type = WIRE_OP;
	if (!found(&members, M_OP) || found(&members, M_OPS))
	{
		set_error(
			parser, "OT008",
			"a body has \"op\", or \"site\", \"clock\", \"base_version\", \"base_event\" and \"op\" or \"ops\"");
		return false;
	}
	return true;
}

bool
wire_parse(WireParser *parser, const char *text, size_t bytes, WireMessage *out)
{
	JsonReader r;
	Members	   members;

	read_text(parser, &r, text, bytes, &members, out);
	/* a refusal names the clock of the op wherever that could be read */
	parser->error.is_op =
		found(&members, M_TYPE) && (members.bad >> M_TYPE & 1) == 0 && json_string_is(&members.type, "op");
	parser->error.clock = out->clock;
	parser->error.has_clock = parser->error.is_op && found(&members, M_CLOCK) &&
							  (members.bad >> M_CLOCK & 1) == 0 && out->clock >= 1;
	if (json_failed(&r))
	{
		set_error(parser, "OT008", "malformed message: %s", r.error.message);
		return false;
	}
	if (members.found == 0)
	{
		set_error(parser, "OT008", "a message is a JSON object with a \"type\"");
		return false;
	}
	if (!need(parser, &members, M_TYPE, "a string"))
		return false;
	if (json_string_is(&members.type, "op"))
		return check_op(parser, &members, out);
	if (json_string_is(&members.type, "cursor"))
		return check_cursor(parser, &members, out);
	if (json_string_is(&members.type, "heartbeat"))
	{
		out->type = WIRE_HEARTBEAT;
		return true;
	}
	if (json_string_is(&members.type, "open"))
		return check_open(parser, &members, out);
	set_error(parser, "OT008", "unknown message type");
	return false;
}

/* ---- writing ---- */

#define LITERAL(out, text) buf_bytes(out, text, sizeof(text) - 1)

static void
quoted_hex(Buf *out, uint64_t value)
{
	buf_char(out, '"');
	buf_hex64(out, value);
	buf_char(out, '"');
}

static void
digits(char *out, int64_t value, int count)
{
	while (count-- > 0)
	{
		out[count] = (char) ('0' + value % 10);
		value /= 10;
	}
}

/* "2026-11-23T10:00:00.000Z": days to a civil date by the era arithmetic of the proleptic Gregorian calendar. */
void
wire_time(Buf *out, int64_t at)
{
	char	text[] = "\"0000-00-00T00:00:00.000Z\"";
	int64_t ms = at / 1000 - (at % 1000 < 0) + SECONDS_2000 * 1000;
	int64_t days = ms / 86400000 - (ms % 86400000 < 0);
	int64_t rest = ms - days * 86400000;
	int64_t z = days + 719468; /* from 0000-03-01 */
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	int64_t month = mp < 10 ? mp + 3 : mp - 9;

	digits(text + 1, yoe + era * 400 + (month <= 2), 4);
	digits(text + 6, month, 2);
	digits(text + 9, doy - (153 * mp + 2) / 5 + 1, 2);
	digits(text + 12, rest / 3600000, 2);
	digits(text + 15, rest / 60000 % 60, 2);
	digits(text + 18, rest / 1000 % 60, 2);
	digits(text + 21, rest % 1000, 3);
	buf_bytes(out, text, sizeof(text) - 1);
}

void
wire_welcome(Buf *out, const WireWelcome *welcome)
{
	LITERAL(out, "{\"type\":\"welcome\",\"doc\":");
	buf_json_string(out, welcome->doc_id, strlen(welcome->doc_id));
	LITERAL(out, ",\"session\":");
	quoted_hex(out, welcome->session);
	LITERAL(out, ",\"user\":");
	buf_str(out, welcome->user_json);
	LITERAL(out, ",\"role\":\"editor\",\"version\":");
	buf_i64(out, welcome->version);
	LITERAL(out, ",\"heartbeat_ms\":");
	buf_i64(out, welcome->heartbeat_ms);
	LITERAL(out, ",\"timeout_ms\":");
	buf_i64(out, welcome->timeout_ms);
	LITERAL(out, ",\"max_message_bytes\":");
	buf_i64(out, welcome->max_message_bytes);
	buf_char(out, '}');
}

void
wire_snapshot(Buf *out, int64_t version, uint64_t event, int64_t applied_clock, const char *reason,
			  const char *content, size_t bytes)
{
	LITERAL(out, "{\"type\":\"snapshot\",\"version\":");
	buf_i64(out, version);
	LITERAL(out, ",\"event\":");
	quoted_hex(out, event);
	LITERAL(out, ",\"applied_clock\":");
	buf_i64(out, applied_clock);
	if (reason != NULL)
	{
		LITERAL(out, ",\"reason\":");
		buf_json_string(out, reason, strlen(reason));
	}
	LITERAL(out, ",\"content\":");
	buf_bytes(out, content, bytes);
	buf_char(out, '}');
}

void
wire_event(Buf *out, const WireEvent *event)
{
	LITERAL(out, "{\"version\":");
	buf_i64(out, event->version);
	LITERAL(out, ",\"event\":");
	quoted_hex(out, event->event);
	LITERAL(out, ",\"site\":");
	buf_i64(out, event->site);
	LITERAL(out, ",\"clock\":");
	buf_i64(out, event->clock);
	LITERAL(out, ",\"user\":");
	buf_json_string(out, event->user, event->user_bytes);
	LITERAL(out, ",\"op\":");
	buf_bytes(out, event->op, event->op_bytes);
	LITERAL(out, ",\"at\":");
	wire_time(out, event->at);
	buf_char(out, '}');
}

void
wire_ack(Buf *out, int64_t clock, int64_t version, uint64_t event, int64_t count)
{
	LITERAL(out, "{\"type\":\"ack\",\"clock\":");
	buf_i64(out, clock);
	LITERAL(out, ",\"version\":");
	buf_i64(out, version);
	LITERAL(out, ",\"event\":");
	quoted_hex(out, event);
	LITERAL(out, ",\"count\":");
	buf_i64(out, count);
	buf_char(out, '}');
}

void
wire_heartbeat(Buf *out, int64_t version, bool away)
{
	LITERAL(out, "{\"type\":\"heartbeat\",\"version\":");
	buf_i64(out, version);
	if (away)
		LITERAL(out, ",\"database\":\"away\"");
	buf_char(out, '}');
}

void
wire_drain(Buf *out, int64_t retry_ms)
{
	LITERAL(out, "{\"type\":\"drain\",\"retry_ms\":");
	buf_i64(out, retry_ms);
	buf_char(out, '}');
}

void
wire_resync(Buf *out)
{
	LITERAL(out, "{\"type\":\"resync\",\"reason\":\"behind\"}");
}

void
wire_error(Buf *out, const char *code, const char *message, size_t message_bytes, int64_t clock,
		   int64_t retry_ms)
{
	LITERAL(out, "{\"type\":\"error\",\"code\":");
	buf_json_string(out, code, strlen(code));
	LITERAL(out, ",\"message\":");
	buf_json_string(out, message, message_bytes);
	if (clock > 0)
	{
		LITERAL(out, ",\"clock\":");
		buf_i64(out, clock);
	}
	if (retry_ms > 0)
	{
		LITERAL(out, ",\"retry_ms\":");
		buf_i64(out, retry_ms);
	}
	buf_char(out, '}');
}

void
wire_join(Buf *out, uint64_t session, const char *user_json, const char *name_json, const char *color_json)
{
	LITERAL(out, "{\"session\":");
	quoted_hex(out, session);
	LITERAL(out, ",\"user\":");
	buf_str(out, user_json);
	if (name_json != NULL)
	{
		LITERAL(out, ",\"name\":");
		buf_str(out, name_json);
	}
	if (color_json != NULL)
	{
		LITERAL(out, ",\"color\":");
		buf_str(out, color_json);
	}
	buf_char(out, '}');
}

void
wire_leave(Buf *out, uint64_t session)
{
	quoted_hex(out, session);
}

void
wire_cursor(Buf *out, uint64_t session, const char *user_json, const WireCursor *cursor)
{
	LITERAL(out, "{\"session\":");
	quoted_hex(out, session);
	LITERAL(out, ",\"user\":");
	buf_str(out, user_json);
	LITERAL(out, ",\"version\":");
	buf_i64(out, cursor->version);
	LITERAL(out, ",\"position\":");
	if (cursor->shown)
		buf_i64(out, cursor->position);
	else
		LITERAL(out, "null");
	if (cursor->has_selection)
	{
		LITERAL(out, ",\"selection\":[");
		buf_i64(out, cursor->selection[0]);
		buf_char(out, ',');
		buf_i64(out, cursor->selection[1]);
		buf_char(out, ']');
	}
	buf_char(out, '}');
}

/* wire.h - the messages of collab.v1: JSON text <-> structs. docs/protocol.md says what they mean. */
#ifndef COLLAB_PROXY_WIRE_H
#define COLLAB_PROXY_WIRE_H

#include "buf.h"
#include "json.h"
#include "util.h"

#define WIRE_MAX_INTEGER INT64_C(9007199254740991) /* 2^53 - 1 */
#define WIRE_MAX_PIECES 1000
#define WIRE_MAX_DEPTH 64 /* of a whole message; the engine has a lower limit of its own for operations */
#define WIRE_MAX_NAME 64
#define WIRE_MAX_COLOR 32

typedef enum WireType
{
	WIRE_OPEN,
	WIRE_OP,
	WIRE_CURSOR,
	WIRE_HEARTBEAT
} WireType;

/* One message of a client. Spans and strings point into the text that was parsed. */
typedef struct WireMessage
{
	WireType type;

	/* open */
	int64_t	   site;
	bool	   has_position;
	int64_t	   last_version;
	uint64_t   last_event;
	int64_t	   pending;
	JsonString name;
	JsonString color;

	/* op */
	int64_t	 clock;
	int64_t	 base_version;
	uint64_t base_event;

	/* cursor */
	int64_t version;
	bool	has_cursor; /* false: hide it */
	int64_t position;
	bool	has_selection;
	int64_t selection[2];
} WireMessage;

typedef struct WireError
{
	char	code[6];
	char	message[160];
	bool	is_op;	   /* it was an op, and */
	bool	has_clock; /* this was its clock: the refusal can name it */
	int64_t clock;
} WireError;

/* Holds what a parse needs beside the message itself; one for all connections. */
typedef struct WireParser
{
	JsonSpan *pieces; /* of the last op */
	uint32_t  piece_count;
	Buf		  scratch;
	WireError error; /* after a failure */
} WireParser;

void wire_parser_init(WireParser *parser);
void wire_parser_free(WireParser *parser);
bool wire_parse(WireParser *parser, const char *text, size_t bytes, WireMessage *out) MUST_CHECK;

/*
 * The body of a request that submits operations: an op message without "type" but with "site"; or just "op", to be applied at the head
 * (has_position is false then).
 */
bool wire_parse_ops(WireParser *parser, const char *text, size_t bytes, WireMessage *out) MUST_CHECK;

/* ---- what the server says; each appends one complete message unless it says otherwise ---- */

typedef struct WireWelcome
{
	const char *doc_id;
	uint64_t	session;
	const char *user_json; /* quoted and escaped */
	int64_t		version;
	int64_t		heartbeat_ms;
	int64_t		timeout_ms;
	int64_t		max_message_bytes;
} WireWelcome;

typedef struct WireEvent
{
	int64_t		version;
	uint64_t	event;
	int64_t		site;
	int64_t		clock;
	const char *user; /* not escaped */
	size_t		user_bytes;
	const char *op;
	size_t		op_bytes;
	int64_t		at; /* microseconds since 2000-01-01 UTC */
} WireEvent;

void wire_welcome(Buf *out, const WireWelcome *welcome);
/* reason: NULL or a code. */
void wire_snapshot(Buf *out, int64_t version, uint64_t event, int64_t applied_clock, const char *reason,
				   const char *content, size_t bytes);
/* One element of the array of an `events` message. */
void wire_event(Buf *out, const WireEvent *event);
/* Microseconds since 2000-01-01 UTC as a JSON string. */
void wire_time(Buf *out, int64_t at);
void wire_ack(Buf *out, int64_t clock, int64_t version, uint64_t event, int64_t count);
/* away: the database does not take edits now. */
void wire_heartbeat(Buf *out, int64_t version, bool away);
/* Dropped from the stream: open again. */
void wire_resync(Buf *out);
/* The server goes away: come back after so long. */
void wire_drain(Buf *out, int64_t retry_ms);
/* clock 0: none; retry_ms 0: none. */
void wire_error(Buf *out, const char *code, const char *message, size_t message_bytes, int64_t clock,
				int64_t retry_ms);

/* What stands around the elements of an `events` message. */
#define WIRE_EVENTS_HEAD "{\"type\":\"events\",\"events\":["
#define WIRE_EVENTS_TAIL "]}"

/* ---- presence: the elements of its three arrays ---- */

#define WIRE_PRESENCE_HEAD "{\"type\":\"presence\""
#define WIRE_PRESENCE_TAIL "}"

typedef struct WireCursor
{
	int64_t version;
	bool	shown;
	int64_t position;
	bool	has_selection;
	int64_t selection[2];
} WireCursor;

/* name_json, color_json: quoted and escaped, or NULL. */
void wire_join(Buf *out, uint64_t session, const char *user_json, const char *name_json,
			   const char *color_json);
void wire_leave(Buf *out, uint64_t session);
void wire_cursor(Buf *out, uint64_t session, const char *user_json, const WireCursor *cursor);

#endif

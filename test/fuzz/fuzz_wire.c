/* fuzz_wire.c - a client's message in: what is accepted keeps its promises, what is refused can be answered. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../proxy/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "fuzz_wire: %s\n", what);
	abort();
}

static bool
is_json(const char *text, size_t bytes)
{
	JsonReader r;

	json_init(&r, text, bytes, 0);
	return json_skip(&r, NULL) && json_end(&r);
}

static void
check_number(int64_t value, int64_t min)
{
	require(value >= min && value <= WIRE_MAX_INTEGER, "a number out of its range");
}

/* The text of a name, as the others would be shown it. */
static void
check_string(const JsonString *text, size_t max)
{
	Buf plain, quoted;

	if (text->data == NULL || text->bytes == 0)
		return;
	buf_init(&plain, util_buffer_alloc);
	buf_init(&quoted, util_buffer_alloc);
	json_unescape(text, &plain);
	require(plain.size <= max && util_valid_utf8(plain.data, plain.size),
			"a string that is too long or not UTF-8");
	buf_json_string(&quoted, plain.data, plain.size);
	require(is_json(quoted.data, quoted.size), "a string that cannot be shown");
	buf_free(&plain);
	buf_free(&quoted);
}

/* Pieces go into events as they are. */
static void
check_op(const WireParser *parser, const WireMessage *message, const char *text, size_t size)
{
	Buf		  out;
	WireEvent event = {.user = "a\"b", .user_bytes = 3};

	check_number(message->clock, 1);
	check_number(message->clock + parser->piece_count - 1, 1);
	check_number(message->base_version, 0);
	require(parser->piece_count >= 1 && parser->piece_count <= WIRE_MAX_PIECES, "no pieces or too many");
	for (uint32_t i = 0; i < parser->piece_count; i++)
	{
		const JsonSpan *piece = &parser->pieces[i];

		require(piece->data >= text && piece->bytes > 0 && piece->data + piece->bytes <= text + size,
				"a piece outside of the message");
		event.version = message->base_version;
		event.event = message->base_event;
		event.clock = message->clock + i;
		event.at = (int64_t) i * 86400000000 * 37;
		event.op = piece->data;
		event.op_bytes = piece->bytes;
		buf_init(&out, util_buffer_alloc);
		wire_event(&out, &event);
		require(is_json(out.data, out.size), "a piece that is no value");
		buf_free(&out);
	}
}

static void
check_accepted(const WireParser *parser, const WireMessage *message, const char *text, size_t size)
{
	switch (message->type)
	{
		case WIRE_OPEN:
			check_number(message->site, 1);
			check_number(message->pending, 0);
			if (message->has_position)
				check_number(message->last_version, 0);
			check_string(&message->name, WIRE_MAX_NAME);
			check_string(&message->color, WIRE_MAX_COLOR);
			break;
		case WIRE_OP:
			check_op(parser, message, text, size);
			break;
		case WIRE_CURSOR:
			check_number(message->version, 0);
			if (message->has_cursor)
				check_number(message->position, 0);
			for (int i = 0; i < 2 && message->has_selection; i++)
				check_number(message->selection[i], 0);
			break;
		case WIRE_HEARTBEAT:
			break;
	}
}

/* The answer quotes the reason. */
static void
check_refused(const WireError *error)
{
	Buf out;

	require(strlen(error->code) == 5 && error->message[0] != '\0', "refused without a reason");
	require(memchr(error->message, '\0', sizeof(error->message)) != NULL, "a reason without end");
	require(!error->has_clock || (error->is_op && error->clock >= 1), "a refusal with a clock that is none");
	buf_init(&out, util_buffer_alloc);
	wire_error(&out, error->code, error->message, strlen(error->message), error->has_clock ? error->clock : 0,
			   0);
	require(is_json(out.data, out.size), "a reason that cannot be sent");
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static WireParser parser; /* one for all messages, as in the proxy: nothing of the last one may show */
	static bool		  ready;
	const char		 *text = (const char *) data;
	WireMessage		  message;

	if (!ready)
		wire_parser_init(&parser);
	ready = true;
	if (wire_parse(&parser, text, size, &message))
	{
		require(util_valid_utf8(text, size) && is_json(text, size), "accepted, but no JSON");
		check_accepted(&parser, &message, text, size);
	}
	else
		check_refused(&parser.error);
	return 0;
}

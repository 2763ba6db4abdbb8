/* exchange_wire.c - the batches that proxies exchange: bytes <-> records. */
#include "exchange_wire.h"

#include <string.h>

#include "varint.h"

/* What a cursor consists of; positions are those of collab.v1, up to 2^53 - 1. */
enum
{
	CURSOR_SHOWN = 1,
	CURSOR_SELECTION = 2,
	CURSOR_ALL = 3
};

/* ---- writing ---- */

static void
put_fixed(Buf *out, uint64_t value)
{
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t) (value >> (8 * i));
	buf_bytes(out, bytes, sizeof(bytes));
}

static void
put_number(Buf *out, uint64_t value)
{
	uint8_t bytes[VARINT_MAX_BYTES + 2];

	buf_bytes(out, bytes, (size_t) (varint_put(bytes, value) - bytes));
}

static void
put_text(Buf *out, const ExchangeText *text)
{
	put_number(out, text->data == NULL ? 0 : text->bytes);
	if (text->data != NULL)
		buf_bytes(out, text->data, text->bytes);
}

static void
put_cursor(Buf *out, const WireCursor *cursor)
{
	buf_char(out,
			 (char) ((cursor->shown ? CURSOR_SHOWN : 0) | (cursor->has_selection ? CURSOR_SELECTION : 0)));
	put_number(out, (uint64_t) cursor->version);
	if (cursor->shown)
		put_number(out, (uint64_t) cursor->position);
	for (int i = 0; i < 2 && cursor->has_selection; i++)
		put_number(out, (uint64_t) cursor->selection[i]);
}

void
exchange_put_head(Buf *out, uint64_t sender, uint64_t number)
{
	buf_char(out, EXCHANGE_FORMAT);
	put_fixed(out, sender);
	put_number(out, number);
}

void
exchange_put(Buf *out, const ExchangeRecord *record)
{
	buf_char(out, (char) record->kind);
	switch (record->kind)
	{
		case EXCHANGE_ROOM:
			put_fixed(out, (uint64_t) record->key);
			break;
		case EXCHANGE_ASK:
			put_fixed(out, record->target);
			break;
		case EXCHANGE_MEMBER:
			put_fixed(out, record->session);
			put_text(out, &record->user);
			put_text(out, &record->name);
			put_text(out, &record->color);
			buf_char(out, record->has_cursor ? 1 : 0);
			if (record->has_cursor)
				put_cursor(out, &record->cursor);
			break;
		case EXCHANGE_LEAVE:
			put_fixed(out, record->session);
			break;
		case EXCHANGE_CURSOR:
			put_fixed(out, record->session);
			put_cursor(out, &record->cursor);
			break;
		case EXCHANGE_DIGEST:
			put_number(out, record->count);
			put_fixed(out, record->sum);
			break;
		case EXCHANGE_HELLO:
		case EXCHANGE_BYE:
		case EXCHANGE_STATE:
		case EXCHANGE_STATE_END:
		case EXCHANGE_KINDS:
			break;
	}
}

/* ---- reading ---- */

static bool
fail(ExchangeReader *reader)
{
	reader->failed = true;
	return false;
}

static bool
read_byte(ExchangeReader *reader, uint8_t *out)
{
	if (reader->at == reader->end)
		return fail(reader);
	*out = *reader->at++;
	return true;
}

static bool
read_fixed(ExchangeReader *reader, uint64_t *out)
{
	if (reader->end - reader->at < 8)
		return fail(reader);
	*out = 0;
	for (int i = 0; i < 8; i++)
		*out |= (uint64_t) reader->at[i] << (8 * i);
	reader->at += 8;
	return true;
}

/* As a number of JavaScript. */
static bool
read_number(ExchangeReader *reader, int64_t *out)
{
	uint64_t value;

	if (!varint_get(&reader->at, reader->end, &value) || value > (uint64_t) WIRE_MAX_INTEGER)
		return fail(reader);
	*out = (int64_t) value;
	return true;
}

/* It goes into messages to browsers as it is, so it must be one JSON string and nothing else. */
static bool
is_json_string(const char *text, size_t bytes)
{
	JsonReader r;
	JsonString ignored;

	json_init(&r, text, bytes, 1);
	return text[0] == '"' && text[bytes - 1] == '"' && json_read_string(&r, &ignored) && json_end(&r);
}

static bool
read_text(ExchangeReader *reader, ExchangeText *out, int64_t max, bool needed)
{
	int64_t bytes;

	out->data = NULL;
	out->bytes = 0;
	if (!read_number(reader, &bytes))
		return false;
	if (bytes == 0)
		return needed ? fail(reader) : true;
	if (bytes < 2 || bytes > max || bytes > reader->end - reader->at ||
		!is_json_string((const char *) reader->at, (size_t) bytes))
		return fail(reader);
	out->data = (const char *) reader->at;
	out->bytes = (size_t) bytes;
	reader->at += bytes;
	return true;
}

static bool
read_cursor(ExchangeReader *reader, WireCursor *out)
{
	uint8_t flags;

	memset(out, 0, sizeof(*out));
	if (!read_byte(reader, &flags) || !read_number(reader, &out->version))
		return false;
	out->shown = (flags & CURSOR_SHOWN) != 0;
	out->has_selection = (flags & CURSOR_SELECTION) != 0;
	if ((flags & ~CURSOR_ALL) != 0 || (out->has_selection && !out->shown))
		return fail(reader);
	if (out->shown && !read_number(reader, &out->position))
		return false;
	return !out->has_selection ||
		   (read_number(reader, &out->selection[0]) && read_number(reader, &out->selection[1]));
}

static bool
read_member(ExchangeReader *reader, ExchangeRecord *out)
{
	uint8_t has_cursor;

	if (!read_fixed(reader, &out->session) || !read_text(reader, &out->user, EXCHANGE_USER_BYTES, true) ||
		!read_text(reader, &out->name, EXCHANGE_NAME_BYTES, false) ||
		!read_text(reader, &out->color, EXCHANGE_COLOR_BYTES, false) || !read_byte(reader, &has_cursor))
		return false;
	if (has_cursor > 1)
		return fail(reader);
	out->has_cursor = has_cursor == 1;
	return !out->has_cursor || read_cursor(reader, &out->cursor);
}

static bool
read_digest(ExchangeReader *reader, ExchangeRecord *out)
{
	int64_t count;

	if (!read_number(reader, &count))
		return false;
	out->count = (uint64_t) count;
	return read_fixed(reader, &out->sum);
}

bool
exchange_read_head(ExchangeReader *reader, const char *batch, size_t bytes)
{
	uint8_t format;
	int64_t number;

	reader->at = (const uint8_t *) batch;
	reader->end = reader->at + bytes;
	reader->failed = false;
	if (!read_byte(reader, &format) || format != EXCHANGE_FORMAT || !read_fixed(reader, &reader->sender) ||
		!read_number(reader, &number))
		return false;
	reader->number = (uint64_t) number;
	return true;
}

bool
exchange_read(ExchangeReader *reader, ExchangeRecord *out)
{
	uint8_t	 kind;
	uint64_t key;

	if (reader->failed || reader->at == reader->end)
		return false;
	memset(out, 0, sizeof(*out));
	kind = *reader->at++;
	out->kind = (ExchangeKind) kind;
	switch (kind)
	{
		case EXCHANGE_HELLO:
		case EXCHANGE_BYE:
		case EXCHANGE_STATE:
		case EXCHANGE_STATE_END:
			return true;
		case EXCHANGE_ROOM:
			if (!read_fixed(reader, &key))
				return false;
			out->key = (int64_t) key;
			return true;
		case EXCHANGE_ASK:
			return read_fixed(reader, &out->target);
		case EXCHANGE_MEMBER:
			return read_member(reader, out);
		case EXCHANGE_LEAVE:
			return read_fixed(reader, &out->session);
		case EXCHANGE_CURSOR:
			return read_fixed(reader, &out->session) && read_cursor(reader, &out->cursor);
		case EXCHANGE_DIGEST:
			return read_digest(reader, out);
		default:
			return fail(reader);
	}
}

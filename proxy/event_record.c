/* event_record.c - an event as it lies in Redis: text, sealed, bound to the event in front of it. */
#include "event_record.h"

#include <string.h>

#define KIND 'e'
#define HEX_BYTES 16
#define MAX_HEAD 256 /* all fields at their longest, and more */

bool
event_record_write(Seal *seal, const char *doc_id, uint64_t previous, const WireEvent *event, Buf *out)
{
	size_t start = out->size;
	char   signature[SEAL_BYTES] = {0};
	bool   sealed;

	buf_bytes(out, signature, SEAL_BYTES); /* its place */
	buf_char(out, ' ');
	buf_i64(out, event->version);
	buf_char(out, ' ');
	buf_hex64(out, event->event);
	buf_char(out, ' ');
	buf_hex64(out, previous);
	buf_char(out, ' ');
	buf_i64(out, event->site);
	buf_char(out, ' ');
	buf_i64(out, event->clock);
	buf_char(out, ' ');
	buf_i64(out, event->at);
	buf_char(out, ' ');
	buf_u64(out, event->user_bytes);
	buf_char(out, ' ');
	buf_u64(out, event->op_bytes);
	buf_char(out, '\n');
	buf_bytes(out, event->user, event->user_bytes);
	buf_bytes(out, event->op, event->op_bytes);

	sealed = seal_sign(seal, KIND, doc_id, out->data + start + SEAL_BYTES, out->size - start - SEAL_BYTES,
					   signature);
	if (sealed)
		memcpy(out->data + start, signature, SEAL_BYTES);
	else
		out->size = start;
	return sealed;
}

/* The field up to the next blank or the end of the line, which must be there. */
static const char *
next_field(const char **at, const char *end, size_t *bytes)
{
	const char *field = *at;
	const char *p = field;

	while (p < end && *p != ' ' && *p != '\n')
		p++;
	*bytes = (size_t) (p - field);
	*at = p < end ? p + 1 : end;
	return field;
}

static bool
read_decimal(const char **at, const char *end, int64_t max, int64_t *out)
{
	size_t		bytes;
	const char *field = next_field(at, end, &bytes);

	return util_parse_decimal(field, bytes, max, out);
}

static bool
read_hex(const char **at, const char *end, uint64_t *out)
{
	size_t		bytes;
	const char *field = next_field(at, end, &bytes);

	return bytes == HEX_BYTES && util_parse_hex64(field, bytes, out);
}

/* Of `at`, which may lie before 2000. */
static bool
read_signed(const char **at, const char *end, int64_t *out)
{
	bool negative = *at < end && **at == '-';

	if (negative)
		(*at)++;
	if (!read_decimal(at, end, INT64_MAX, out))
		return false;
	if (negative)
		*out = -*out;
	return true;
}

RecordStatus
event_record_read(Seal *seal, const char *doc_id, const char **data, size_t *bytes, uint64_t *previous,
				  WireEvent *event)
{
	const char *start = *data;
	const char *at = start + SEAL_BYTES + 1;
	const char *line_end;
	int64_t		user_bytes;
	int64_t		op_bytes;
	size_t		total;

	if (*bytes == 0)
		return RECORD_END;
	if (*bytes < SEAL_BYTES + 1 || start[SEAL_BYTES] != ' ')
		return RECORD_MALFORMED;
	line_end = memchr(start, '\n', *bytes < MAX_HEAD ? *bytes : MAX_HEAD);
	if (line_end == NULL || at > line_end || !read_decimal(&at, line_end, WIRE_MAX_INTEGER, &event->version) ||
		!read_hex(&at, line_end, &event->event) || !read_hex(&at, line_end, previous) ||
		!read_decimal(&at, line_end, WIRE_MAX_INTEGER, &event->site) ||
		!read_decimal(&at, line_end, WIRE_MAX_INTEGER, &event->clock) ||
		!read_signed(&at, line_end, &event->at) || !read_decimal(&at, line_end, INT32_MAX, &user_bytes) ||
		!read_decimal(&at, line_end, INT32_MAX, &op_bytes))
		return RECORD_MALFORMED;
	total = (size_t) (line_end + 1 - start) + (size_t) user_bytes + (size_t) op_bytes;
	if (at != line_end || total > *bytes)
		return RECORD_MALFORMED;
	if (!seal_is_good(seal, KIND, doc_id, start + SEAL_BYTES, total - SEAL_BYTES, start))
		return RECORD_FORGED;
	event->user = line_end + 1;
	event->user_bytes = (size_t) user_bytes;
	event->op = event->user + user_bytes;
	event->op_bytes = (size_t) op_bytes;
	*data += total;
	*bytes -= total;
	return RECORD_GOOD;
}

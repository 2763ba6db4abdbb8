/* fuzz_exchange.c - a batch of another proxy in: what is accepted can be shown and written again, the rest is refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../proxy/exchange_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "fuzz_exchange: %s\n", what);
	abort();
}

static void
require_json(const Buf *out)
{
	JsonReader r;

	json_init(&r, out->data, out->size, 0);
	require(json_skip(&r, NULL) && json_end(&r), "a record that cannot be shown");
}

/* A string with an end, as the proxy keeps it. */
static char *
keep(const ExchangeText *text)
{
	return text->data == NULL ? NULL : util_strndup(text->data, text->bytes);
}

/* What browsers would be sent because of it. */
static void
show(const ExchangeRecord *record)
{
	char *user = keep(&record->user);
	char *name = keep(&record->name);
	char *color = keep(&record->color);
	Buf	  out;

	buf_init(&out, util_buffer_alloc);
	if (record->kind == EXCHANGE_MEMBER)
	{
		wire_join(&out, record->session, user, name, color);
		require_json(&out);
	}
	buf_clear(&out);
	if (record->kind == EXCHANGE_CURSOR || record->has_cursor)
	{
		wire_cursor(&out, record->session, user != NULL ? user : "\"\"", &record->cursor);
		require_json(&out);
	}
	buf_free(&out);
	free(user);
	free(name);
	free(color);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ExchangeReader reader;
	ExchangeRecord record;
	Buf			   again;

	if (!exchange_read_head(&reader, (const char *) data, size))
		return 0;
	buf_init(&again, util_buffer_alloc);
	exchange_put_head(&again, reader.sender, reader.number);
	while (exchange_read(&reader, &record))
	{
		size_t before = again.size;

		show(&record);
		exchange_put(&again, &record);
		require(again.size - before <= EXCHANGE_RECORD_BYTES, "a record larger than promised");
	}
	/* there is one way to write a batch */
	require(reader.failed || (again.size == size && memcmp(again.data, data, size) == 0),
			"read and written again it differs");
	buf_free(&again);
	return 0;
}

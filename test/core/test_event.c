/* test_event.c - the checksum of events: the same for ever, and of every column. */
#include "helpers.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "../../core/event.h"

static CollabEvent
make_event(const uint8_t *op, uint32_t bytes)
{
	CollabEvent event = {.doc = -0x0123456789abcdef,
						 .version = 7,
						 .site = 9007199254740991,
						 .clock = 3,
						 .base_version = 6,
						 .author = 42,
						 .length = 100,
						 .created_at = 848400000000000,
						 .astral = true};

	event.op = op;
	event.op_bytes = bytes;
	return event;
}

/* As docs/data-model.md says it, byte by byte. */
static uint32_t
reference(const CollabEvent *event)
{
	const int64_t  fields[] = {event->doc,			event->version, event->site,   event->clock,
							   event->base_version, event->author,	event->length, event->created_at};
	size_t		   size = sizeof(fields) + 1 + event->op_bytes;
	unsigned char *bytes = malloc(size);
	uint32_t	   checksum;
	size_t		   i;

	for (i = 0; i < 64; i++)
		bytes[i] = (unsigned char) ((uint64_t) fields[i / 8] >> (8 * (i % 8)));
	bytes[64] = event->astral ? 1 : 0;
	if (event->op_bytes > 0)
		memcpy(bytes + 65, event->op, event->op_bytes);
	checksum = (uint32_t) XXH64(bytes, size, 3);
	free(bytes);
	return checksum;
}

/* Whatever is stored anywhere depends on it: it must never become another. */
static void
test_stable(void **state)
{
	CollabEvent event = make_event((const uint8_t *) "\001\003x", 3);

	(void) state;
	assert_int_equal(event_checksum(&event), 0x2a756fbf);
}

static void
test_sizes(void **state)
{
	uint8_t	 op[2000];
	uint32_t bytes;

	(void) state;
	for (bytes = 0; bytes < sizeof(op); bytes++)
		op[bytes] = (uint8_t) (bytes * 31 + 7);
	for (bytes = 0; bytes <= sizeof(op); bytes++)
	{
		/* exactly as large as it is, so that a sanitizer sees who reads on */
		uint8_t	   *exact = malloc(bytes > 0 ? bytes : 1);
		CollabEvent event;

		memcpy(exact, op, bytes);
		event = make_event(exact, bytes);
		assert_int_equal(event_checksum(&event), reference(&event));
		free(exact);
	}
}

static void
assert_differ(const CollabEvent *a, const CollabEvent *b)
{
	assert_int_not_equal(event_checksum(a), event_checksum(b));
	assert_false(event_equal(a, b));
	assert_false(event_equal(b, a));
}

static void
test_columns(void **state)
{
	const uint8_t	  op[] = "\001\003abc";
	const uint8_t	  other[] = "\001\003abd";
	const CollabEvent event = make_event(op, 5);
	CollabEvent		  same = make_event((const uint8_t *) "\001\003abc", 5);
	CollabEvent		  changed;

	(void) state;
	assert_true(event_equal(&event, &same));
#define ASSERT_SEEN(change)                                                                                  \
	changed = event;                                                                                         \
	changed.change;                                                                                          \
	assert_differ(&event, &changed)
	ASSERT_SEEN(doc++);
	ASSERT_SEEN(version++);
	ASSERT_SEEN(site--);
	ASSERT_SEEN(clock++);
	ASSERT_SEEN(base_version++);
	ASSERT_SEEN(author++);
	ASSERT_SEEN(length++);
	ASSERT_SEEN(created_at += 1000);
	ASSERT_SEEN(astral = false);
	ASSERT_SEEN(op = other);
	ASSERT_SEEN(op_bytes--);
#undef ASSERT_SEEN
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stable),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_segment.c - objects of the cold store: what goes in comes out, and damage never leads outside. */
#include "../../core/segment.h"
#include "helpers.h"

static const SegmentHeader header = {
	.doc = -2, .first_version = 7, .last_version = 19, .made_at = -5, .chunks = 3};
static const char *const chunks[] = {"first", "s", "the third one"};

static Buf
make_segment(void)
{
	Buf out;

	buf_init(&out, collab_malloc_alloc);
	segment_begin(&out, &header);
	for (int i = 0; i < 3; i++)
		segment_add(&out, (const uint8_t *) chunks[i], (uint32_t) strlen(chunks[i]));
	assert_false(out.failed);
	return out;
}

/* Reads all of a copy whose end the sanitizer watches; the number of chunks, or -1. */
static int
read_all(const void *data, size_t bytes, SegmentHeader *found)
{
	char		  *copy = exact_copy(data, bytes);
	CollabError	   err = {COLLAB_OK, -1, ""};
	SegmentReader  reader;
	const uint8_t *chunk;
	uint32_t	   size = 1;
	uint32_t	   sum = 0;
	int			   count = 0;
	CollabStatus   status = segment_open((const uint8_t *) copy, bytes, &reader, &err);

	if (status == COLLAB_OK)
		*found = reader.header;
	while (status == COLLAB_OK && size > 0)
	{
		status = segment_next(&reader, &chunk, &size, &err);
		if (status == COLLAB_OK && size > 0)
		{
			count++;
			for (uint32_t i = 0; i < size; i++)
				sum += chunk[i];
		}
	}
	assert_true(sum < UINT32_MAX);
	free(copy);
	assert_true(status == COLLAB_OK || (status == COLLAB_CORRUPT && err.message[0] != '\0'));
	return status == COLLAB_OK ? count : -1;
}

static void
test_round_trip(void **state)
{
	Buf			   object = make_segment();
	CollabError	   err = {COLLAB_OK, -1, ""};
	SegmentReader  reader;
	const uint8_t *chunk;
	uint32_t	   size;

	(void) state;
	assert_int_equal(object.size, SEGMENT_HEADER_BYTES + 3 * 4 + 5 + 1 + 13);
	assert_int_equal(segment_open((const uint8_t *) object.data, object.size, &reader, &err), COLLAB_OK);
	assert_true(reader.header.doc == header.doc && reader.header.first_version == header.first_version &&
				reader.header.last_version == header.last_version &&
				reader.header.made_at == header.made_at && reader.header.chunks == header.chunks);
	for (int i = 0; i < 3; i++)
	{
		assert_int_equal(segment_next(&reader, &chunk, &size, &err), COLLAB_OK);
		assert_int_equal(size, strlen(chunks[i]));
		assert_memory_equal(chunk, chunks[i], size);
	}
	assert_int_equal(segment_next(&reader, &chunk, &size, &err), COLLAB_OK);
	assert_int_equal(size, 0);
	buf_free(&object);
}

/* The bytes are for ever: a segment of today must be read in twenty years. */
static void
test_bytes(void **state)
{
	static const char expected[] = "COLLABSG\x01\0\0\0\x01\0\0\0"
								   "\x08\x07\x06\x05\x04\x03\x02\x01"
								   "\x01\0\0\0\0\0\0\0"
								   "\x02\0\x01\0\0\0\0\0"
								   "\0\0\0\0\0\0\0\x80"
								   "\x02\0\0\0hi";
	SegmentHeader	  small = {.doc = 0x0102030405060708,
							   .first_version = 1,
							   .last_version = 0x010002,
							   .made_at = INT64_MIN,
							   .chunks = 1};
	Buf				  out;

	(void) state;
	buf_init(&out, collab_malloc_alloc);
	segment_begin(&out, &small);
	segment_add(&out, (const uint8_t *) "hi", 2);
	assert_int_equal(out.size, sizeof(expected) - 1);
	assert_memory_equal(out.data, expected, sizeof(expected) - 1);
	buf_free(&out);
}

static void
test_cut(void **state)
{
	Buf			  object = make_segment();
	SegmentHeader found;

	(void) state;
	for (size_t bytes = 0; bytes < object.size; bytes++)
		assert_int_equal(read_all(object.data, bytes, &found), -1);
	assert_int_equal(read_all(object.data, object.size, &found), 3);
	buf_char(&object, 'x');
	assert_int_equal(read_all(object.data, object.size, &found), -1);
	buf_free(&object);
}

/* Whatever is changed: an error, or other values; never bytes beyond the end. */
static void
test_flips(void **state)
{
	Buf			  object = make_segment();
	SegmentHeader found;
	int			  errors = 0;

	(void) state;
	for (size_t at = 0; at < object.size; at++)
	{
		for (int bit = 0; bit < 8; bit++)
		{
			object.data[at] = (char) (object.data[at] ^ (1 << bit));
			errors += read_all(object.data, object.size, &found) < 0;
			object.data[at] = (char) (object.data[at] ^ (1 << bit));
		}
	}
	/* magic, format and number of chunks at least; the rest is what the hash over the whole is for */
	assert_true(errors >= 16 * 8);
	buf_free(&object);
}

static void
test_name(void **state)
{
	uint8_t		  hash[32];
	char		  name[SEGMENT_NAME_MAX + 1];
	SegmentHeader longest = {.doc = -1, .first_version = INT64_MAX - 1, .last_version = INT64_MAX};

	(void) state;
	for (int i = 0; i < 32; i++)
		hash[i] = (uint8_t) (i * 8 + 7);
	segment_name(&header, hash, name);
	assert_string_equal(name, "v1/ff/fffffffffffffffe/7-19-070f171f272f373f474f575f676f777f");
	segment_name(&longest, hash, name);
	assert_true(strlen(name) <= 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_bytes), cmocka_unit_test(test_cut),
		cmocka_unit_test(test_flips),	   cmocka_unit_test(test_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

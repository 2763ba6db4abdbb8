/* hash.c - document keys, user keys and event ids: XXH64 with a seed per purpose. */
#include "hash.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum
{
	SEED_DOCUMENT = 0,
	SEED_USER = 1,
	SEED_EVENT = 2,
	SEED_ROW = 3,
	SEED_SEGMENT = 4,
	SEED_EMBED = 5,
	SEED_ANCHOR = 6
};

static int64_t
as_signed(uint64_t value)
{
	int64_t result;

	memcpy(&result, &value, sizeof(result));
	return result;
}

static int64_t
hash(const void *data, size_t bytes, uint64_t seed)
{
	return as_signed(XXH64(data, bytes, seed));
}

static void
put_little_endian(unsigned char *at, int64_t value)
{
	uint64_t bits = (uint64_t) value;
	int		 i;

	for (i = 0; i < 8; i++)
		at[i] = (unsigned char) (bits >> (8 * i));
}

int64_t
collab_doc_key(const char *doc_id, size_t bytes)
{
	return hash(doc_id, bytes, SEED_DOCUMENT);
}

int64_t
collab_user_key(const char *user_id, size_t bytes)
{
	return bytes == 0 ? 0 : hash(user_id, bytes, SEED_USER);
}

int64_t
collab_event_id(int64_t author, int64_t site, int64_t clock, int64_t created_at)
{
	unsigned char bytes[32];
	int64_t		  id;

	put_little_endian(bytes, author);
	put_little_endian(bytes + 8, site);
	put_little_endian(bytes + 16, clock);
	put_little_endian(bytes + 24, created_at);
	id = hash(bytes, sizeof(bytes), SEED_EVENT);
	return id != 0 ? id : 1;
}

int64_t
collab_row_checksum(const int64_t *fields, int count, const void *data, size_t bytes)
{
	XXH64_state_t state;
	unsigned char field[8];
	int			  i;

	XXH64_reset(&state, SEED_ROW);
	for (i = 0; i < count; i++)
	{
		put_little_endian(field, fields[i]);
		XXH64_update(&state, field, sizeof(field));
	}
	if (bytes > 0)
		XXH64_update(&state, data, bytes);
	return as_signed(XXH64_digest(&state));
}

int64_t
collab_segment_key(int64_t doc, int64_t first_version)
{
	unsigned char bytes[16];

	put_little_endian(bytes, doc);
	put_little_endian(bytes + 8, first_version);
	return hash(bytes, sizeof(bytes), SEED_SEGMENT);
}

uint64_t
collab_embed_hash(const char *json, size_t bytes)
{
	uint64_t value = XXH64(json, bytes, SEED_EMBED);

	return value != 0 ? value : 1;
}

uint32_t
collab_anchor_checksum(const void *data, size_t bytes)
{
	return (uint32_t) XXH64(data, bytes, SEED_ANCHOR);
}

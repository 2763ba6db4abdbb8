/* token_bucket.c - how often somebody may ask: a bucket per address and per user that fills by itself. */
#include "token_bucket.h"

#include <stdlib.h>

#define SETS 4096
#define WAYS 8

/* Thousandths of a token, so that a slow rate fills smoothly. */
typedef struct Bucket
{
	uint64_t key; /* 0: free */
	uint64_t seen;
	int64_t	 millitokens;
} Bucket;

struct TokenBuckets
{
	Bucket sets[SETS][WAYS];
};

TokenBuckets *
token_buckets_create(void)
{
	return util_alloc_zero(sizeof(TokenBuckets));
}

void
token_buckets_free(TokenBuckets *buckets)
{
	free(buckets);
}

static void
fill(Bucket *bucket, int64_t rate, int64_t burst, uint64_t now_ms)
{
	uint64_t passed = now_ms - bucket->seen;
	int64_t	 most = burst * 1000;
	int64_t	 missing = most > bucket->millitokens ? most - bucket->millitokens : 0;

	if (passed > (uint64_t) (missing / rate))
		bucket->millitokens = most;
	else
		bucket->millitokens += (int64_t) passed * rate;
	if (bucket->millitokens > most)
		bucket->millitokens = most;
	bucket->seen = now_ms;
}

/*
 * The bucket of a key. In a full set the one that was not asked for longest makes room, as long as it is full again; where none is, the
 * newcomer shares it, so that nobody empties another's bucket by making up keys.
 */
static Bucket *
find(Bucket *set, uint64_t key, int64_t rate, int64_t burst, uint64_t now_ms)
{
	Bucket *oldest = &set[0];

	for (int i = 0; i < WAYS; i++)
	{
		if (set[i].key == key)
			return &set[i];
		if (set[i].seen < oldest->seen)
			oldest = &set[i];
	}
	fill(oldest, rate, burst, now_ms);
	if (oldest->key == 0 || oldest->millitokens == burst * 1000)
	{
		oldest->key = key;
		oldest->millitokens = burst * 1000;
	}
	return oldest;
}

int64_t
token_buckets_take(TokenBuckets *buckets, uint64_t key, int64_t rate, int64_t burst, uint64_t now_ms)
{
	Bucket *bucket;

	if (key == 0)
		key = 1;
	bucket = find(buckets->sets[(key ^ key >> 32) % SETS], key, rate, burst, now_ms);
	fill(bucket, rate, burst, now_ms);
	if (bucket->millitokens >= 1000)
	{
		bucket->millitokens -= 1000;
		return 0;
	}
	return (1000 - bucket->millitokens + rate - 1) / rate;
}

void
token_buckets_owe(TokenBuckets *buckets, uint64_t key, int64_t rate, int64_t burst, int64_t tokens,
				  uint64_t now_ms)
{
	if (key == 0)
		key = 1;
	find(buckets->sets[(key ^ key >> 32) % SETS], key, rate, burst, now_ms)->millitokens -= tokens * 1000;
}

/* token_bucket.h - how often somebody may ask: a bucket per address and per user that fills by itself. */
#ifndef COLLAB_PROXY_TOKEN_BUCKET_H
#define COLLAB_PROXY_TOKEN_BUCKET_H

#include "util.h"

/* Buckets of whoever asked lately, in a table of fixed size. */
typedef struct TokenBuckets TokenBuckets;

TokenBuckets *token_buckets_create(void);
void		  token_buckets_free(TokenBuckets *buckets);
/*
 * Takes a token out of the bucket of `key` (a hash). It holds `burst` and gets `rate` a second. Returns 0, or after how many ms the
 * next one will be there. Whoever shares a place in a crowded table with another shares the bucket at worst, never gets more.
 */
int64_t token_buckets_take(TokenBuckets *buckets, uint64_t key, int64_t rate, int64_t burst, uint64_t now_ms);
/* Takes more tokens than there may be: they have to come back before the next one is given. */
void token_buckets_owe(TokenBuckets *buckets, uint64_t key, int64_t rate, int64_t burst, int64_t tokens,
					   uint64_t now_ms);

#endif

/* rate.c - how much one user may ask for over sockets: operations, and connections. In this process. */
#include "rate.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "token_bucket.h"

/* Buckets of one size are kept together. */
struct Rate
{
	TokenBuckets *operations;
	TokenBuckets *connections;
};

Rate *
rate_create(void)
{
	Rate *rate = util_alloc(sizeof(*rate));

	rate->operations = token_buckets_create();
	rate->connections = token_buckets_create();
	return rate;
}

void
rate_free(Rate *rate)
{
	if (rate == NULL)
		return;
	token_buckets_free(rate->operations);
	token_buckets_free(rate->connections);
	free(rate);
}

int64_t
rate_operations(Proxy *proxy, const char *user, int64_t pieces)
{
	const Config *config = &proxy->config;
	TokenBuckets *buckets = proxy->rate->operations;
	uint64_t	  key;
	int64_t		  wait;

	if (config->op_rate == 0)
		return 0;
	key = (uint64_t) collab_user_key(user, strlen(user));
	wait = token_buckets_take(buckets, key, config->op_rate, config->op_burst, proxy_now(proxy));
	if (wait == 0)
		token_buckets_owe(buckets, key, config->op_rate, config->op_burst, pieces - 1, proxy_now(proxy));
	else
		metrics_add(METRIC_LIMITED_OPS, 1);
	return wait;
}

int64_t
rate_connection(Proxy *proxy, const char *user, size_t user_bytes)
{
	const Config *config = &proxy->config;
	int64_t		  wait;

	if (config->open_rate == 0)
		return 0;
	wait = token_buckets_take(proxy->rate->connections, (uint64_t) collab_user_key(user, user_bytes),
							  config->open_rate, config->open_burst, proxy_now(proxy));
	if (wait > 0)
		metrics_add(METRIC_LIMITED_OPENS, 1);
	return wait;
}

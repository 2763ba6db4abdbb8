/* store.c - the cold store: which one it is, and trying again. */
#include "store.h"

#include <stdarg.h>
#include <stdio.h>

#include "stop.h"

#define LONGEST_PAUSE_MS 30000

StoreStatus
store_fail(StoreError *err, StoreStatus status, const char *fmt, ...)
{
	va_list args;

	err->status = status;
	va_start(args, fmt);
	vsnprintf(err->message, sizeof(err->message), fmt, args);
	va_end(args);
	return status;
}

Store *
store_open(const Config *config, StoreError *err)
{
	return config->store_dir[0] != '\0' ? store_dir_open(config, err) : store_s3_open(config, err);
}

void
store_close(Store *store)
{
	if (store != NULL)
		store->ops->close(store);
}

/* Whether to try once more; sleeps before. */
static bool
try_again(Store *store, StoreStatus *status, int *attempt, const char *what, const char *key, StoreError *err)
{
	char quoted[2 * STORE_MESSAGE_MAX];

	if (*status == STORE_OK && *attempt > 0)
		log_line(LOG_INFO, "the store answers again", "request=%s object=%s attempt=%d", what, key,
				 *attempt + 1);
	if (*status != STORE_BUSY || ++*attempt >= store->config->store_attempts)
		return false;
	log_line(LOG_WARNING, "the store does not answer as it should, trying again",
			 "request=%s object=%s attempt=%d error=%s", what, key, *attempt,
			 log_quote(quoted, sizeof(quoted), err->message));
	if (stop_sleep(stop_backoff(store->config->store_retry_ms, *attempt - 1, LONGEST_PAUSE_MS)))
		return true;
	*status = store_fail(err, STORE_STOPPED, "the archiver is ending");
	return false;
}

StoreStatus
store_put(Store *store, const char *key, const void *data, size_t bytes, StoreError *err)
{
	StoreStatus status;
	int			attempt = 0;

	do
		status = store->ops->put(store, key, data, bytes, err);
	while (try_again(store, &status, &attempt, "put", key, err));
	return status;
}

StoreStatus
store_get(Store *store, const char *key, size_t max_bytes, Buf *out, StoreError *err)
{
	StoreStatus status;
	int			attempt = 0;

	do
	{
		buf_clear(out);
		status = store->ops->get(store, key, max_bytes, out, err);
	} while (try_again(store, &status, &attempt, "get", key, err));
	return status;
}

StoreStatus
store_remove(Store *store, const char *key, StoreError *err)
{
	StoreStatus status;
	int			attempt = 0;

	do
		status = store->ops->remove(store, key, err);
	while (try_again(store, &status, &attempt, "delete", key, err));
	return status;
}

StoreStatus
store_list(Store *store, const char *after, StorePage *out, StoreError *err)
{
	StoreStatus status;
	int			attempt = 0;

	do
		status = store->ops->list(store, after, out, err);
	while (try_again(store, &status, &attempt, "list", after, err));
	return status;
}

/* store.h - the cold store: objects by key, whatever keeps them. */
#ifndef COLLAB_ARCHIVER_STORE_H
#define COLLAB_ARCHIVER_STORE_H

#include "buf.h"
#include "config.h"

/*
 * Keys are relative paths of [A-Za-z0-9/_.-]. An object is written once and never changed. One thread
 * uses a store at a time; each has its own.
 */
typedef enum StoreStatus
{
	STORE_OK,
	STORE_MISSING, /* there is no such object, bucket or directory */
	STORE_DENIED,  /* wrong credentials or no permission: an operator has to do something */
	STORE_BUSY,	   /* may work the next time: overload, timeouts, broken connections */
	STORE_TOO_LARGE,
	STORE_STOPPED, /* the process ends */
	STORE_FAILED   /* anything else */
} StoreStatus;

#define STORE_MESSAGE_MAX 400

typedef struct StoreError
{
	StoreStatus status;
	char		message[STORE_MESSAGE_MAX]; /* what, where, why; never a credential */
} StoreError;

typedef struct Store Store;

typedef struct StoreEntry
{
	char	key[192];
	int64_t bytes;
} StoreEntry;

#define STORE_PAGE 1000

/* A part of all objects, in the order of their keys. */
typedef struct StorePage
{
	StoreEntry entries[STORE_PAGE];
	int		   count;
	bool	   more;
} StorePage;

typedef struct StoreOps
{
	StoreStatus (*put)(Store *store, const char *key, const void *data, size_t bytes, StoreError *err);
	StoreStatus (*get)(Store *store, const char *key, size_t max_bytes, Buf *out, StoreError *err);
	StoreStatus (*remove)(Store *store, const char *key, StoreError *err); /* a missing one is removed */
	StoreStatus (*list)(Store *store, const char *after, StorePage *out, StoreError *err);
	void (*close)(Store *store);
} StoreOps;

struct Store
{
	const StoreOps *ops;
	const Config   *config;
};

/* NULL: the message says why. */
Store *store_open(const Config *config, StoreError *err);
Store *store_dir_open(const Config *config, StoreError *err);
Store *store_s3_open(const Config *config, StoreError *err);
void   store_close(Store *store);

/* These try again, with growing pauses, as long as the store is STORE_BUSY and store_attempts allows. */
StoreStatus store_put(Store *store, const char *key, const void *data, size_t bytes, StoreError *err);
StoreStatus store_get(Store *store, const char *key, size_t max_bytes, Buf *out, StoreError *err);
StoreStatus store_remove(Store *store, const char *key, StoreError *err);
StoreStatus store_list(Store *store, const char *after, StorePage *out, StoreError *err);

/* Fills in `err` and returns `status`. */
StoreStatus store_fail(StoreError *err, StoreStatus status, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif

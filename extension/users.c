/* users.c - names of users and their keys: stored at first use, cached once committed. */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "access.h"
#include "catalog.h"
#include "hash.h"
#include "lock.h"
#include "store.h"
#include "store_insert.h"
#include "users.h"

/*
 * A cache that is full is emptied: whoever is active is back at once. 8192 names are about 1.2 MB.
 */
#define CACHE_MAX 8192

enum
{
	USERS_KEY,
	USERS_USER_ID,
	USERS_CREATED_AT,
	USERS_NATTS
};

typedef struct CachedUser
{
	int64 key;
	char  name[STORE_USER_ID_MAX + 1];
} CachedUser;

/*
 * Only rows that are committed get in here, so a rollback need not take anything out. Rows of users
 * are never changed; what empties the table (TRUNCATE, DROP EXTENSION) sends an invalidation.
 */
static HTAB *cache = NULL;
static Oid	 cache_table = InvalidOid;
static bool	 cache_stale = false;

static void
invalidate(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || relid == cache_table)
		cache_stale = true;
}

static void
cache_prepare(void)
{
	static bool registered = false;
	HASHCTL		ctl;

	if (!registered)
	{
		CacheRegisterRelcacheCallback(invalidate, (Datum) 0);
		registered = true;
	}
	if (cache != NULL && (cache_stale || hash_get_num_entries(cache) >= CACHE_MAX))
	{
		hash_destroy(cache);
		cache = NULL;
	}
	if (cache == NULL)
	{
		/* May raise: a cache that does not know its table would never be emptied. */
		cache_table = catalog_get()->users.table;
		ctl.keysize = sizeof(int64);
		ctl.entrysize = sizeof(CachedUser);
		ctl.hcxt = TopMemoryContext;
		cache = hash_create("collab users", 256, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
		cache_stale = false;
	}
}

static const char *
lookup_cached(int64 key)
{
	CachedUser *cached;

	cache_prepare();
	cached = hash_search(cache, &key, HASH_FIND, NULL);
	return cached != NULL ? cached->name : NULL;
}

/*
 * The stored name of a key, copied into `name`; remembered unless this transaction itself stored
 * it.
 */
static bool
lookup_stored(int64 key, Snapshot snapshot, char *name)
{
	const Catalog *catalog = catalog_get();
	CachedUser	  *cached;
	Relation	   rel;
	ScanKeyData	   scan_key;
	SysScanDesc	   scan;
	HeapTuple	   tuple;

	rel = table_open(catalog->users.table, AccessShareLock);
	ScanKeyInit(&scan_key, USERS_KEY + 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(key));
	scan = systable_beginscan(rel, catalog->users.pkey, true, snapshot, 1, &scan_key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool  isnull;
		Datum user_id = heap_getattr(tuple, USERS_USER_ID + 1, RelationGetDescr(rel), &isnull);

		text_to_cstring_buffer(DatumGetTextPP(user_id), name, STORE_USER_ID_MAX + 1);
		if (!cache_stale && !TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data)))
		{
			cached = hash_search(cache, &key, HASH_ENTER, NULL);
			strlcpy(cached->name, name, sizeof(cached->name));
		}
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
	return HeapTupleIsValid(tuple);
}

static bool
lookup_latest(int64 key, char *name)
{
	bool found;

	PushActiveSnapshot(GetLatestSnapshot());
	found = lookup_stored(key, GetActiveSnapshot(), name);
	PopActiveSnapshot();
	return found;
}

char *
store_user_name(int64 key, Snapshot snapshot)
{
	char		name[STORE_USER_ID_MAX + 1];
	const char *cached;

	if (key == 0)
		return NULL;
	cached = lookup_cached(key);
	if (cached != NULL)
		return pstrdup(cached);
	return lookup_stored(key, snapshot, name) ? pstrdup(name) : NULL;
}

static bool
name_valid(const char *name, size_t bytes)
{
	size_t i;

	if (bytes == 0 || bytes > STORE_USER_ID_MAX)
		return false;
	for (i = 0; i < bytes; i++)
		if ((unsigned char) name[i] < 0x20 || name[i] == 0x7f)
			return false;
	return true;
}

static UserStatus
compare_names(const char *stored, const char *name, size_t bytes)
{
	return strlen(stored) == bytes && memcmp(stored, name, bytes) == 0 ? USER_KNOWN : USER_COLLISION;
}

UserStatus
users_register(const char *name, size_t bytes, bool wait, int64 *key)
{
	char		stored[STORE_USER_ID_MAX + 1];
	const char *cached;
	Datum		values[USERS_NATTS];

	if (!name_valid(name, bytes))
		return USER_INVALID;

	*key = collab_user_key(name, bytes);
	cached = lookup_cached(*key);
	if (cached != NULL)
		return compare_names(cached, name, bytes);

	if (!lookup_latest(*key, stored))
	{
		/*
		 * The lock is what keeps the insert from waiting in the unique index for another's open
		 * transaction: who holds it has inserted and not committed yet. Once we have it, a fresh
		 * look tells.
		 */
		if (!lock_user(*key, wait))
			return USER_BUSY;
		if (!lookup_latest(*key, stored))
		{
			values[USERS_KEY] = Int64GetDatum(*key);
			values[USERS_USER_ID] = PointerGetDatum(cstring_to_text_with_len(name, bytes));
			values[USERS_CREATED_AT] = TimestampTzGetDatum(GetCurrentTimestamp());
			store_insert_row(catalog_get()->users.table, values, NULL);
			return USER_KNOWN;
		}
	}

	return compare_names(stored, name, bytes);
}

int64
users_register_current(void)
{
	const char *name = access_user_id();
	int64		key;
	UserStatus	status = users_register(name, strlen(name), true, &key);

	if (status != USER_KNOWN)
		ereport(ERROR, (errcode(users_sqlstate(status)),
						errmsg_internal("%s", users_refusal(status, name, strlen(name)))));
	return key;
}

char *
users_refusal(UserStatus status, const char *name, size_t bytes)
{
	int clipped = pg_mbcliplen(name, bytes, STORE_USER_ID_MAX);

	if (status == USER_COLLISION)
		return psprintf("user name \"%.*s\" has the same key as another user's name; it cannot be used",
						clipped, name);
	return psprintf("user name must have 1 to %d bytes and no control characters", STORE_USER_ID_MAX);
}

int
users_sqlstate(UserStatus status)
{
	return status == USER_COLLISION ? ERRCODE_UNIQUE_VIOLATION : ERRCODE_INVALID_PARAMETER_VALUE;
}

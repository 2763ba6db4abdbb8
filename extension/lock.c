/* lock.c - per-document and per-user locks in lock classes of our own. */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/lock.h"

#include "lock.h"

/*
 * pg_advisory_lock() uses classes 1 (one bigint) and 2 (two ints): with these two, no SQL user can
 * hold a document's lock or see it released by pg_advisory_unlock_all(). In pg_locks they are
 * locktype "advisory" with objsubid 3, 4 and 6. (5 is thaw.c's.)
 */
#define DOCUMENT_CLASS 3
#define USER_CLASS 4
#define DERIVED_CLASS 6

static bool
acquire(int64 key, uint16 lock_class, bool wait)
{
	LOCKTAG tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) ((uint64) key >> 32), (uint32) key, lock_class);
	return LockAcquire(&tag, ExclusiveLock, false, !wait) != LOCKACQUIRE_NOT_AVAIL;
}

bool
lock_document(int64 key, bool wait)
{
	return acquire(key, DOCUMENT_CLASS, wait);
}

bool
lock_user(int64 key, bool wait)
{
	return acquire(key, USER_CLASS, wait);
}

bool
lock_derived(int64 key, bool wait)
{
	return acquire(key, DERIVED_CLASS, wait);
}

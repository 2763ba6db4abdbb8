/* lock.c - locks of documents and what is derived from them, users, segments, archivers and workers, in lock classes of our own. */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/lock.h"

#include "lock.h"

/*
 * pg_advisory_lock() uses classes 1 (one bigint) and 2 (two ints): with these, no SQL user can hold a
 * document's lock or see it released by pg_advisory_unlock_all(). In pg_locks they are locktype
 * "advisory" with the class as objsubid.
 */
enum
{
	DOCUMENT_CLASS = 3,
	USER_CLASS = 4,
	THAW_CLASS = 5,
	ARCHIVER_CLASS = 6,
	DERIVED_CLASS = 7,
	WORKER_CLASS = 8
};

static LOCKTAG
lock_tag(int64 key, uint16 lock_class)
{
	LOCKTAG tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) ((uint64) key >> 32), (uint32) key, lock_class);
	return tag;
}

static bool
acquire(int64 key, uint16 lock_class, bool wait)
{
	LOCKTAG tag = lock_tag(key, lock_class);

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

void
lock_thaw(int64 key)
{
	LOCKTAG tag = lock_tag(key, THAW_CLASS);

	(void) LockAcquire(&tag, ShareLock, false, false);
}

void
unlock_thaw(int64 key)
{
	LOCKTAG tag = lock_tag(key, THAW_CLASS);

	LockRelease(&tag, ShareLock, false);
}

bool
lock_archiver(ArchiverDuty duty)
{
	LOCKTAG	 tag = lock_tag(duty, ARCHIVER_CLASS);
	LOCKMODE mode = duty == ARCHIVER_MOVES ? ExclusiveLock : ShareLock;

	/* held until the session ends; once is enough */
	return LockHeldByMe(&tag, mode) || LockAcquire(&tag, mode, true, true) != LOCKACQUIRE_NOT_AVAIL;
}

/* A session that is between two statements has no transaction, so that only an attempt tells whether it holds the lock. */
bool
lock_archiver_present(void)
{
	LOCKTAG tag = lock_tag(ARCHIVER_THAWS, ARCHIVER_CLASS);

	if (LockAcquire(&tag, ExclusiveLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
		return true;
	LockRelease(&tag, ExclusiveLock, false);
	return false;
}

bool
lock_worker(void)
{
	LOCKTAG tag = lock_tag(0, WORKER_CLASS);

	return LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
}

bool
lock_worker_is_free(void)
{
	LOCKTAG tag = lock_tag(0, WORKER_CLASS);

	if (LockAcquire(&tag, ShareLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
		return false;
	LockRelease(&tag, ShareLock, false);
	return true;
}

/* lock.h - the locks of documents and users that put writers in order, and those by which readers and the archiver meet. */
#ifndef COLLAB_LOCK_H
#define COLLAB_LOCK_H

/*
 * Transaction-level heavyweight locks in classes of advisory locks that SQL cannot reach. With
 * `wait` they return true or raise (lock_timeout, deadlock, cancel); without, false means that
 * somebody else holds the lock. What a former holder committed is visible to snapshots taken after
 * these return, and to no older one.
 */
extern bool lock_document(int64 key, bool wait);
extern bool lock_user(int64 key, bool wait);

/*
 * What is derived from a document's events (snapshots, live text, chunks) is written under this one,
 * by workers and others, so that writers of events need not wait for them. Who drops a document, or
 * takes both for another reason, takes the document's lock first.
 */
extern bool lock_derived(int64 key, bool wait);

/*
 * A request to thaw a segment (thaw.h), as long as it is held. In share mode: readers do not wait for each
 * other, and nobody takes it in another.
 */
extern void lock_thaw(int64 key);
extern void unlock_thaw(int64 key);

/*
 * What a session of collab-archiver does, for as long as it is connected: one of them moves history out,
 * any number bring it back. lock_archiver_present() tells whether anybody brings it back.
 */
typedef enum ArchiverDuty
{
	ARCHIVER_MOVES = 1,
	ARCHIVER_THAWS = 2
} ArchiverDuty;

extern bool lock_archiver(ArchiverDuty duty);
extern bool lock_archiver_present(void);

/*
 * The one worker of the database holds this until it ends. Does not wait. Who asks whether it is free
 * holds it for an instant: a worker that does not get it tries again.
 */
extern bool lock_worker(void);
extern bool lock_worker_is_free(void);

#endif

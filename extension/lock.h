/* lock.h - the per-document and per-user locks that put writers in order. */
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

#endif

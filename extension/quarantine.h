/* quarantine.h - documents on which a duty of the worker failed, and those that are left out because of it. */
#ifndef COLLAB_QUARANTINE_H
#define COLLAB_QUARANTINE_H

#include "postgres.h"

#include "worker_journal.h"

/* Reads the table. In a transaction. */
extern void quarantine_load(void);

/*
 * Notes a failure of the worker before. In a transaction. Some are nobody's fault (a full disk, a lock that was
 * not given): they do not count, and the document is tried again, but not before others had their turn.
 */
extern void quarantine_note(const JournalEntry *failure);

/* Is the document left out? Looks at the table again where it was, because it may have been released. In a transaction. */
extern bool quarantine_holds(const char *duty, int64 doc);

/* Did the duty fail on it a moment ago, through nobody's fault? */
extern bool quarantine_postpones(const char *duty, int64 doc);

/* The duty did its work on the document. In its transaction. */
extern void quarantine_succeeded(const char *duty, int64 doc);

/* How many documents are left out, as the table says. In a transaction with a snapshot. */
extern int64 quarantine_count(void);

#endif

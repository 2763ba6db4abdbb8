/* worker.h - the background worker of a database: its duties, and the frame in which each of them works. */
#ifndef COLLAB_WORKER_H
#define COLLAB_WORKER_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "store.h"

/*
 * A duty is something that the worker does beside the edits: a file duty_NAME.c with one function `run`, and a
 * line in the table of worker.c.
 *
 * run() is called at every turn of the loop: when documents changed, and when the time has come that it asked for. It
 * does what is due in transactions of its own, for about WORKER_BUDGET_MS at most, lest others wait, and returns when it
 * wants to be called again: TIMESTAMP_NOW for "there is more to do", TIMESTAMP_NEVER for "when a document changes".
 *
 * An error is not caught: it ends the process, the next one begins anew. So nothing may depend on what is
 * in the memory of this one. A failure is counted against the document that was being worked on; after
 * collab.quarantine_after in a row the duty leaves that document out.
 */
typedef struct WorkerDuty
{
	const char *name; /* for people, and in collab.quarantine */
	TimestampTz (*run)(void);
} WorkerDuty;

#define TIMESTAMP_NOW DT_NOBEGIN
#define TIMESTAMP_NEVER DT_NOEND

#define WORKER_BUDGET_MS 100

/* True once the turn of a duty that began at `start` has taken its share. */
extern bool worker_budget_used(TimestampTz start);

/*
 * A transaction: the extension cannot be dropped while it lasts, the active snapshot is that of its
 * beginning. Where the extension is no more, the process ends. False: its tables are still those of version
 * 0.1.0, there is nothing to do, and no transaction has begun.
 */
extern bool worker_begin(const char *duty);
extern void worker_commit(void);

typedef enum WorkerClaim
{
	CLAIM_OK,
	CLAIM_GONE,		   /* the document does not exist (any more) */
	CLAIM_BUSY,		   /* somebody holds lock_derived(), or it failed just now: come again later */
	CLAIM_QUARANTINED, /* left out */
	CLAIM_NO_TABLES	   /* as worker_begin */
} WorkerClaim;

/*
 * A transaction for one document: with CLAIM_OK it has begun, lock_derived() is held, and the active snapshot shows
 * everything that was committed before that. Ended by worker_release().
 * With any other result there is no transaction.
 */
extern WorkerClaim worker_claim(const char *duty, int64 doc, DocumentRow *out);
extern void		   worker_release(void);

/* How soon a busy document is looked at again, in milliseconds. */
#define WORKER_BUSY_MS 200

#endif

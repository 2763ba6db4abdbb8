/* worker_documents.h - the documents that the worker knows of, and which of its duties have to look at which. */
#ifndef COLLAB_WORKER_DOCUMENTS_H
#define COLLAB_WORKER_DOCUMENTS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "lib/ilist.h"

#include "store.h"

/* Duties that look at documents when these change. */
typedef enum DocumentQueue
{
	QUEUE_TEXT,
	QUEUE_SNAPSHOT,
	QUEUE_ANCHOR /* only after a snapshot */
} DocumentQueue;

#define DOCUMENT_QUEUES 3

/* What is known may be old: a duty looks for itself. */
typedef struct WorkerDocument
{
	int64		key;
	bool		repair; /* somebody met a broken snapshot */
	int64		seen;	/* head at the last look at all documents; -1: not looked at */
	TimestampTz not_before[DOCUMENT_QUEUES];
	bool		queued[DOCUMENT_QUEUES];
	dlist_node	nodes[DOCUMENT_QUEUES];
} WorkerDocument;

/* Takes what transactions noted, and goes on with a look at all documents. Returns when to call again. */
extern TimestampTz documents_gather(void);

/* A setting or the extension changed: what was passed over may be to be done now. */
extern void documents_look_again(void);

/* Tells people how much is left. */
extern void documents_report(void);

/* Everything that was noted is done. */
extern bool documents_all_done(void);

/*
 * The next document of a queue that may be looked at now, taken out of it; NULL: none, and then `due` is when
 * there will be one.
 */
extern WorkerDocument *documents_next(DocumentQueue queue, TimestampTz *due);

/*
 * worker_claim() of a document that documents_next() gave. False: it is not to be looked at now; where somebody else is at it,
 * it is in the queue again.
 */
extern bool documents_claim(WorkerDocument *document, DocumentQueue queue, const char *duty, DocumentRow *out);

/* Puts a document into a queue (again), not to be given out before a time. */
extern void documents_put(WorkerDocument *document, DocumentQueue queue, TimestampTz not_before);

#endif

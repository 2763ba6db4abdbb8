/* document_pass.h - walks of the worker over all documents, for duties that time makes due and not an edit. */
#ifndef COLLAB_DOCUMENT_PASS_H
#define COLLAB_DOCUMENT_PASS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/snapshot.h"

#define DOCUMENT_PASS_BATCH 200

/* A document, and the time before which what it has is old. */
typedef struct AgingDocument
{
	int64		key;
	TimestampTz before;
} AgingDocument;

typedef struct DocumentPass
{
	const char *duty;
	/*
	 * Gives (key, before) of documents with key >= $1, ascending by key, $2 at most; $3 is the setting
	 * collab.fold_after in seconds, -1 for never.
	 */
	const char *statement;
	/* NULL: all that the statement gives are. Called in the transaction of the statement. */
	bool (*is_due)(const AgingDocument *document, Snapshot snapshot);

	/* From here on zero at the beginning. */
	bool		  running;
	bool		  hurried;	/* some document is to be looked at again soon */
	int64		  from;		/* key that the next batch begins with */
	TimestampTz	  began;	/* the pass */
	TimestampTz	  next;		/* when the next one begins */
	TimestampTz	  earliest; /* if retentions changed */
	uint64		  changes;	/* as they were when the pass began */
	int			  setting;	/* collab.fold_after, as it was then */
	int64		  youngest; /* the shortest age that makes something old, in microseconds */
	int			  count;
	int			  at;
	AgingDocument batch[DOCUMENT_PASS_BATCH];
} DocumentPass;

/*
 * The next document that is due, in no transaction. False: there was none among the next few, the pass is over,
 * or it is not yet time for one; `due` is when to ask again. Passes are as far apart as a quarter of the shortest age, but not closer than a second or
 * twenty times their own length, and an hour at most; a change of
 * collab.set_retention() or of the setting brings the next one at once.
 */
extern bool document_pass_next(DocumentPass *pass, AgingDocument *out, TimestampTz *due);

/* The last document again, now; or, because somebody is busy with it, soon. */
extern void document_pass_again(DocumentPass *pass);
extern void document_pass_hurry(DocumentPass *pass);

#endif

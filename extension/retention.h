/* retention.h - how long the events of a document stay rows, and how long its history is kept. */
#ifndef COLLAB_RETENTION_H
#define COLLAB_RETENTION_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* documents.fold_after (or the setting) and documents.keep_history, counted back from now. */
typedef struct Retention
{
	bool		folds;
	TimestampTz fold_before;
	bool		prunes;
	TimestampTz prune_before;
} Retention;

/* Of a document that exists. */
extern void retention_get(int64 doc, Retention *out);

#endif

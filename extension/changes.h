/* changes.h - which documents a transaction changed, to be told to listeners when it has committed. */
#ifndef COLLAB_CHANGES_H
#define COLLAB_CHANGES_H

#include "postgres.h"

#define CHANGES_CHANNEL "collab"

/* A "version" that says that the document is no more. */
#define CHANGES_DROPPED (-1)

typedef struct Change
{
	int64 doc;
	int64 version;
} Change;

/* Remembers that this transaction made a version. Forgotten where the (sub)transaction fails. */
extern void changes_note(int64 doc, int64 version);

/*
 * Notifies about these changes (or, `everything`, that whoever keeps documents open should look at
 * all of them) in the current transaction. Reorders the array: one entry per document is enough.
 */
extern void changes_notify(Change *changes, int count, bool everything);

#endif

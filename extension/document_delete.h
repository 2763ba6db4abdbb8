/* document_delete.h - a document goes, with everything that belongs to it. */
#ifndef COLLAB_DOCUMENT_DELETE_H
#define COLLAB_DOCUMENT_DELETE_H

#include "store.h"

/*
 * Deletes the row of a document whose locks are held: that fires the foreign keys that point to it, of which one may
 * refuse, and the trigger that deletes everything else.
 */
extern void document_delete_row(int64 key);

/* Raises 40001 where the transaction does not see the document's head: not even a drop may rest on less. */
extern void document_delete_check(const DocumentRow *document, Snapshot snapshot);

#endif

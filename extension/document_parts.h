/* document_parts.h - everything that belongs to a document, wherever it is stored. */
#ifndef COLLAB_DOCUMENT_PARTS_H
#define COLLAB_DOCUMENT_PARTS_H

#include "postgres.h"

/*
 * Deletes what a document has beside its row in collab.documents and its rows in collab.events: in every
 * table of this extension that has a column `doc`. Objects in the cold store are put on the archiver's
 * list. The document's lock and lock_derived() are held, and the active snapshot was taken after that.
 */
extern void document_parts_delete(int64 doc);

#endif

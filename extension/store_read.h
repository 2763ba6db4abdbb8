/* store_read.h - rows out of slots, for the files of the store. */
#ifndef COLLAB_STORE_READ_H
#define COLLAB_STORE_READ_H

#include "executor/tuptable.h"

#include "store.h"

/* A row of collab.documents. */
extern void store_read_document(TupleTableSlot *slot, DocumentRow *out);

#endif

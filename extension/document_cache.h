/* document_cache.h - rows of documents that this backend has seen, for writers that hold the document's lock. */
#ifndef COLLAB_DOCUMENT_CACHE_H
#define COLLAB_DOCUMENT_CACHE_H

#include "postgres.h"

#include "store.h"

/*
 * Rows are never changed, so all that can make an entry wrong is a drop. Whoever drops sends an
 * invalidation before the document's lock is released: call document_cache_begin once all locks are
 * held, and what is found then is there.
 */
extern void document_cache_begin(void);
extern bool document_cache_find(int64 key, DocumentRow *out);

/* A row that is committed. */
extern void document_cache_put(const DocumentRow *document);

/* This transaction drops a document: all backends forget what they know, at its commit. */
extern void document_cache_dropped(void);

#endif

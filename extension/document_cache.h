/* document_cache.h - rows of documents that this backend has seen, for writers that hold the document's lock. */
#ifndef COLLAB_DOCUMENT_CACHE_H
#define COLLAB_DOCUMENT_CACHE_H

#include "postgres.h"

#include "store.h"

/*
 * Whoever drops a document sends an invalidation before its lock is released: call document_cache_begin
 * once all locks are held, and what is found then is there. Nothing else of an entry can become wrong but
 * first_version, which rises without the document's lock: it may lag behind.
 */
extern void document_cache_begin(void);
extern bool document_cache_find(int64 key, DocumentRow *out);

/* A row that is committed. */
extern void document_cache_put(const DocumentRow *document);

/* This transaction drops or changes a row: all backends forget what they know, at its commit. */
extern void document_cache_changed(void);

#endif

/* store.h - rows of documents, events and users, read and written without SQL. */
#ifndef COLLAB_STORE_H
#define COLLAB_STORE_H

#include "datatype/timestamp.h"
#include "utils/snapshot.h"

#include "delta.h"
#include "event.h"

/*
 * Nothing here looks at privileges or policies: callers have made their permission check. Nothing
 * here decides what is visible either: every read names its snapshot.
 */

#define STORE_DOC_ID_MAX 128
#define STORE_USER_ID_MAX 128

typedef struct DocumentRow
{
	int64		key;
	char		doc_id[STORE_DOC_ID_MAX + 1];
	int64		owner; /* user key */
	TimestampTz created_at;
	int64		first_version; /* the oldest that can be rebuilt; 0: all */
	bool		is_public;	   /* its visibility */
} DocumentRow;

/* One row of collab.events. */
typedef CollabEvent StoredEvent;

/* The 64-bit ids that a position names: of an event, and of version 0. */
extern int64 store_event_id(const StoredEvent *event);
extern int64 store_creation_id(const DocumentRow *document);

/* ---- documents ---- */

/* 1-128 bytes of [A-Za-z0-9._~-], not "." or "..". */
extern bool store_doc_id_valid(const char *doc_id, size_t bytes);

/*
 * False: no such document. An id that no document can have and one whose hash belongs to another
 * document are none, too.
 */
extern bool store_document(const char *doc_id, size_t bytes, Snapshot snapshot, DocumentRow *out);
extern bool store_document_by_key(int64 key, Snapshot snapshot, DocumentRow *out);

/* Raises OT004. */
extern void store_refuse_missing(const char *doc_id, size_t bytes) pg_attribute_noreturn();

/* Raises OT004 where store_document says false. */
extern void store_document_require(const char *doc_id, size_t bytes, Snapshot snapshot, DocumentRow *out);

extern void store_insert_document(const DocumentRow *document);

/* Removes the row and all that belongs to it. The document's lock and lock_derived() are held. */
extern void store_delete_document(int64 key, Snapshot snapshot);

/* ---- events ---- */

typedef struct StoreScan StoreScan;

/*
 * Events of one document with from <= version <= to, ascending or (backward) descending. The scan
 * lives in the current memory context; the snapshot must stay registered or active as long as the
 * scan.
 */
extern StoreScan *store_scan_begin(int64 doc, int64 from, int64 to, bool backward, Snapshot snapshot);
/*
 * False at the end. `op` of `out` is NULL until it is fetched: a pasted novel is not read to learn its version. It lives until the
 * next call.
 */
extern bool store_scan_next_row(StoreScan *scan, StoredEvent *out);
extern void store_scan_fetch_op(StoreScan *scan, StoredEvent *out);
/* Of the op of the row that was read last, without reading it. */
extern int64 store_scan_op_bytes(StoreScan *scan);
extern void	 store_scan_end(StoreScan *scan);

/*
 * Tables and indexes that stay open for all the documents of one command, so that each of them
 * costs a descent of an index and not much more. The snapshot must stay active as long as the
 * reader.
 */
typedef struct StoreReader StoreReader;

extern StoreReader *store_reader_open(Snapshot snapshot);
extern void			store_reader_close(StoreReader *reader);
/* `committed` (may be NULL): it was not this transaction that made the document. */
extern bool store_reader_document(StoreReader *reader, int64 key, DocumentRow *out, bool *committed);
/*
 * Events with version >= from, newest first. The scan is the reader's: it is not ended, and is good
 * until the next is asked for. Documents of one leaf (catalog_leaf) are best asked for one after
 * the other.
 */
extern StoreScan *store_reader_events(StoreReader *reader, int64 doc, int64 from);

/*
 * The newest event. False: there is none, the document (if it exists) is at version 0. `op` of
 * `out` is NULL: who wants it scans backward.
 */
extern bool store_head(int64 doc, Snapshot snapshot, StoredEvent *out);

/*
 * Appends events of any number of documents whose locks are held, in one multi-insert per leaf, and
 * makes them visible to the following commands of the transaction.
 */
extern void store_append(StoredEvent **events, int count);

/* Deletes the rows with from <= version <= to; returns how many. lock_derived() is held. */
extern int store_delete_events(int64 doc, int64 from, int64 to, Snapshot snapshot);

/* ---- users ---- */

/* The name of a user key, or NULL; a copy in the current memory context. */
extern char *store_user_name(int64 key, Snapshot snapshot);

#endif

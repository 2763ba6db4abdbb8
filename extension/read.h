/* read.h - the content of a document at a version. */
#ifndef COLLAB_READ_H
#define COLLAB_READ_H

#include "utils/snapshot.h"

#include "replay.h"
#include "store.h"

/* Which version is wanted. */
typedef struct ReadTarget
{
	int64		version; /* exactly this one; PG_INT64_MAX: the head */
	TimestampTz until;	 /* not beyond this time; DT_NOEND: no such limit */
} ReadTarget;

/* What a replay found. Lives in a memory context of its own. */
typedef struct ReadContent
{
	MemoryContext context;
	Replay		 *replay;
	int64		  version;
	int64		  event; /* id of the event at that version */
	TimestampTz	  at;
} ReadContent;

/* Text and attributes of a document, in any of its versions; more is allowed only where the limit on text is higher. */
#define READ_BYTES ((size_t) 512 * 1024 * 1024)

/*
 * Replays the events that the snapshot shows, from the nearest good row of collab.snapshots up to the target. Raises
 * OT002 where the history that it takes was deleted, OT006 where the content becomes too large on the way.
 */
void read_content(const DocumentRow *document, const ReadTarget *target, Snapshot snapshot, ReadContent *out);
/*
 * What a proxy and a browser are made to swallow: any text that collab.max_document_units allows, and its formatting
 * within reason.
 */
size_t read_open_limit(void);
/* Raises OT006 where any form of the content takes more than `limit`; looks before anything is built. Returns the least that it takes. */
size_t read_check_size(const DocumentRow *document, const ReadContent *content, size_t limit);

void read_content_free(ReadContent *content);

/*
 * Writes a row of collab.snapshots of the version that an event made. What snapshot.h asks of who writes
 * there holds for the caller.
 */
void read_write_snapshot(const DocumentRow *document, const StoredEvent *event, Snapshot snapshot,
						 bool pinned);
/* The same for who has the content at hand. */
void read_write_replay(const DocumentRow *document, const StoredEvent *event, const Replay *replay,
					   bool pinned);

/* The content as a delta or (as_text) its text. What a snapshot has ready is not replayed. */
Datum read_content_datum(const DocumentRow *document, const ReadTarget *target, Snapshot snapshot,
						 bool as_text);

/*
 * A version that an argument names: raises unless it is 0 ... head. Looking at the head first spares a
 * long replay that ends in an error.
 */
void read_check_version(const DocumentRow *document, int64 version, Snapshot snapshot);
/* Raises OT002 where the content at a version cannot be rebuilt, because history begins after it. */
void read_refuse_deleted(const char *doc_id, int64 version, int64 first_version);

/* Raises where an event does not fit what is before it: that is damage, so it says which one it is. */
void read_check_event(CollabStatus status, const CollabError *err, const DocumentRow *document,
					  const StoredEvent *event);

/* The document named by an argument; raises OT004 where the snapshot shows none. */
void read_document_row(text *doc_id, Snapshot snapshot, DocumentRow *out);

/* Author names as text datums, remembered for the length of one call. Zeroed before its first use. */
#define READ_AUTHORS 64

typedef struct ReadAuthors
{
	struct
	{
		int64 key;
		text *name; /* NULL: nothing here yet */
	} slots[READ_AUTHORS];
} ReadAuthors;

/* NULL where the key has no name any more. */
text *read_author(ReadAuthors *authors, int64 author, Snapshot snapshot);

#endif

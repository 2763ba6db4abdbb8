/* comment_anchor.h - the ranges of comments: read from their rows, carried over the events since. */
#ifndef COLLAB_COMMENT_ANCHOR_H
#define COLLAB_COMMENT_ANCHOR_H

#include "postgres.h"

#include "executor/spi.h"
#include "utils/uuid.h"

#include "anchor.h"
#include "store.h"

typedef struct CommentAnchor
{
	pg_uuid_t id;
	int64	  version; /* at which it is as stored */
	Anchor	 *anchor;  /* NULL: what is stored is broken, which was reported */
} CommentAnchor;

/*
 * The ranges of a document's comments, read in batches of bounded size, so that ten thousand of them cost a
 * few passes over the events and no more memory than one batch.
 */
typedef struct CommentAnchors
{
	const DocumentRow *document;
	Portal			   portal;
	MemoryContext	   context; /* of the batch */
	CommentAnchor	  *list;	/* ascending by version */
	int				   count;
	int				   capacity;
} CommentAnchors;

/* Events behind a comment's range from which on whoever writes a comment, or the worker, carries it forward. */
#define COMMENT_ANCHOR_FAR 1000

/*
 * Between owner_sql_begin and _end. The statement gives (id uuid, version bigint, anchor bytea), ascending by
 * version; $1 is the document's key, $2 a version.
 */
extern void comment_anchors_open(CommentAnchors *anchors, const DocumentRow *document, const char *sql,
								 int64 version, bool read_only);
/* The next batch in the place of the last; false: there is none. */
extern bool comment_anchors_next(CommentAnchors *anchors);
/* Moves the batch to a version, in one pass over the events since the oldest of them. */
extern void comment_anchors_carry(CommentAnchors *anchors, int64 version, Snapshot snapshot);
extern void comment_anchors_close(CommentAnchors *anchors);

/* The lowest version at which a range of the document's comments is stored; PG_INT64_MAX: it has none. */
extern int64 comment_lowest_version(int64 doc);

/*
 * Writes the ranges of all comments that are stored at an earlier version as they are at this one, but for those that
 * somebody else is writing: it waits for nobody.
 */
extern void comment_advance(const DocumentRow *document, int64 version);
/*
 * The same before the history up to `version` is deleted: afterwards no comment needs anything of it. To be
 * called first in the transaction that deletes it and that raises first_version. False, only without `wait`: somebody
 * is adding a comment, which may be to an old version, or writing one; try again later.
 */
extern bool comment_advance_floor(const DocumentRow *document, int64 version, bool wait);

#endif

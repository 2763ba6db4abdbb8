/* head_cache.h - content of documents at their head, for the few operations that must be checked against it, and for the worker. */
#ifndef COLLAB_HEAD_CACHE_H
#define COLLAB_HEAD_CACHE_H

#include "postgres.h"

#include "replay.h"
#include "tail.h"

typedef struct HeadContent HeadContent;

/* What a content is the content of. */
typedef struct HeadPosition
{
	int64 version;
	int64 event; /* its id */
	int64 length;

	/* what was applied since the version where counting began */
	int64  since;
	uint64 since_bytes; /* of ops */
} HeadPosition;

/* The content at the tail's head, from the cache or replayed. Valid until the next call. */
extern HeadContent *head_cache_get(Tail *tail);

/*
 * The content at a version that the snapshot shows. Cheap where the entry is a little older than
 * that. A new entry begins at the newest snapshot and counts from there on. Valid until the next call.
 */
extern HeadContent *head_cache_read(const DocumentRow *document, int64 version, Snapshot snapshot);

/* Is there an entry, whatever it is good for? */
extern bool head_cache_has(int64 key);
extern void head_cache_forget(int64 key);

extern const HeadPosition *head_content_position(HeadContent *content);
/* Counting begins anew. */
extern void			 head_content_count(HeadContent *content);
extern const Replay *head_content_replay(const HeadContent *content);

/* May this change be applied? Changes nothing. */
extern CollabStatus head_content_check(const HeadContent *content, const Delta *change, CollabError *err);

/* The change has become the tail's head. */
extern void head_content_apply(HeadContent *content, const Delta *change, const Tail *tail);

/* The content as a document, in the arena. */
extern void head_content_delta(const HeadContent *content, Arena *arena, Delta *out);

#endif

/* head_cache.h - content of documents at their head, for the few operations that must be checked against it. */
#ifndef COLLAB_HEAD_CACHE_H
#define COLLAB_HEAD_CACHE_H

#include "postgres.h"

#include "tail.h"

typedef struct HeadContent HeadContent;

/* The content at the tail's head, from the cache or replayed. Valid until the next call. */
extern HeadContent *head_cache_get(Tail *tail);

/* May this change be applied? Changes nothing. */
extern CollabStatus head_content_check(const HeadContent *content, const Delta *change, CollabError *err);

/* The change has become the tail's head. */
extern void head_content_apply(HeadContent *content, const Delta *change, const Tail *tail);

/* The content as a document, in the arena. */
extern void head_content_delta(const HeadContent *content, Arena *arena, Delta *out);

#endif

/* pg_alloc.h - memory for the core out of a memory context. */
#ifndef COLLAB_PG_ALLOC_H
#define COLLAB_PG_ALLOC_H

#include "utils/palloc.h"

#include "arena.h"
#include "buf.h"

/*
 * Takes memory from `context` and gives NULL, not an error, when there is none: so the core unwinds by itself and its
 * caller raises. There is none, too, once the query is cancelled or the session terminated: then the error is that, see
 * errors_raise. Chunks above 1 GB are allowed; who makes a datum of one checks its size.
 */
CollabAlloc pg_alloc(MemoryContext context);

/* An arena in the current context, of limited size. It needs no arena_free: it goes with the context. */
void pg_arena_init(Arena *arena);

/* Raises where the writer ran out of memory or a datum cannot be that large. */
void pg_buf_check(const Buf *buf);

/*
 * A buffer that becomes a varlena: room for the header is reserved in front. pg_buf_finish checks it as above; the result is a
 * chunk of the context that was current at pg_buf_init.
 */
void			pg_buf_init(Buf *buf);
struct varlena *pg_buf_finish(Buf *buf);

#endif

/* rebase.h - pending pieces carried over many events: the server's half of the square. */
#ifndef COLLAB_REBASE_H
#define COLLAB_REBASE_H

#include "delta.h"

/*
 * Pieces p1, p2, ... are consecutive changes: p2 was made on top of p1. An event e that was made at
 * the base of p1 is carried *through* them in order: p1' = transform(e, p1, f), e' = transform(p1,
 * e, !f), then p2 with e', and so on, with f = event_first. The pieces are kept in an editable
 * form, so that an event costs O(|e| log m) per piece whose components it touches instead of O(m):
 * H events over m components cost O(m + H log m). The result equals step-by-step delta_transform
 * exactly (transform is not closed under compose, so nothing is composed).
 */
typedef struct Rebase Rebase;

/* The pieces are copied. They must be canonical. */
CollabStatus rebase_create(CollabAlloc alloc, const Delta *pieces, uint32_t count,
						   Rebase **out) COLLAB_MUST_CHECK;
void		 rebase_free(Rebase *rebase);
uint32_t	 rebase_count(const Rebase *rebase); /* pieces left */
/*
 * Carries one event through all pieces. carried (may be NULL, then it is not computed past the last
 * piece) receives e after the last piece, in `arena`. A failure (memory, COLLAB_LIMIT, embed
 * changes that do not fit each other) may come when some pieces have moved and others not: after
 * it, or after an allocator that jumped out, only rebase_free is left.
 */
CollabStatus rebase_event(Rebase *rebase, Arena *arena, const Delta *event, bool event_first, Delta *carried,
						  CollabError *err) COLLAB_MUST_CHECK;
/* Piece i (0 = first of those left) as it stands now, copied into the arena. */
CollabStatus rebase_piece(const Rebase *rebase, uint32_t i, Arena *arena, Delta *out) COLLAB_MUST_CHECK;
/*
 * The first piece turned out to be applied already: forget it, the rest is based on the state
 * behind it.
 */
void rebase_pop(Rebase *rebase);
/* Drops piece i and all behind it (a refused list). */
void rebase_truncate(Rebase *rebase, uint32_t i);
bool rebase_valid(const Rebase *rebase);

#endif

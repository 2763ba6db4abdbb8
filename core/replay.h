/* replay.h - composing many changes in near-linear time: document loads, the compose aggregate, cached heads. */
#ifndef COLLAB_REPLAY_H
#define COLLAB_REPLAY_H

#include "delta.h"

/*
 * An editable Delta. replay_apply(r, c) replaces the content D by compose(D, c) in O(|c| log |D|)
 * (amortised; typing at one place is O(1)), instead of the O(|D|) of delta_compose. Starting from
 * an empty Delta and applying the events of a document gives the document; starting from an empty
 * *change* gives their composition. Text is copied in: the applied changes may die. Memory is
 * proportional to the content, not to the history.
 */
typedef struct Replay Replay;

/*
 * is_document: a change that reaches past the end is COLLAB_RANGE (otherwise the missing part is
 * retained, as compose does).
 */
CollabStatus replay_create(CollabAlloc alloc, bool is_document, Replay **out) COLLAB_MUST_CHECK;
void		 replay_free(Replay *replay);
/*
 * On failure the content is unchanged, also if memory ends (whether the allocator returns NULL or
 * jumps).
 */
CollabStatus replay_apply(Replay *replay, const Delta *change, CollabError *err) COLLAB_MUST_CHECK;
/* Only the checks of replay_apply: range, cut pairs, embed types. Changes nothing. */
CollabStatus replay_check(const Replay *replay, const Delta *change, CollabError *err) COLLAB_MUST_CHECK;
int64_t		 replay_length(const Replay *replay); /* units retained or inserted: of a document, its length */
size_t		 replay_memory(const Replay *replay); /* bytes held */
/* Bytes of text, embeds and attributes in the canonical form: the least that any form of it takes. */
size_t replay_bytes(const Replay *replay);
/* The content in canonical form, copied into the arena. */
CollabStatus replay_delta(const Replay *replay, Arena *arena, Delta *out) COLLAB_MUST_CHECK;
/*
 * Units [from, to) of a document, as far as they are there, without a look at the rest. Points into the
 * replay: good until the next replay_apply. COLLAB_SURROGATE inside a pair.
 */
CollabStatus replay_slice(const Replay *replay, int64_t from, int64_t to, Arena *arena,
						  Delta *out) COLLAB_MUST_CHECK;
/* Canonical binary form and plain text without the detour through a Delta. */
void replay_encode(const Replay *replay, Buf *out);
void replay_text(const Replay *replay, const char *embed, Buf *out);
/* Walks the whole structure and checks every invariant; for tests. */
bool replay_valid(const Replay *replay);

#endif

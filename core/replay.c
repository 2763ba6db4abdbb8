/* replay.c - composing many changes: the content is kept in its binary form and composed with each change. */
#include "replay.h"

#include <string.h>

struct Replay
{
	CollabAlloc alloc;
	bool		is_document;
	int64_t		length;
	Buf			content; /* binary form of `delta`, which points into it */
	Buf			next;
	Arena		ops;	 /* of `delta` */
	Arena		scratch; /* of one composition */
	Delta		delta;
};

CollabStatus
replay_create(CollabAlloc alloc, bool is_document, Replay **out)
{
	Replay	   *replay = alloc.alloc(alloc.ctx, sizeof(Replay));

	if (replay == NULL)
		return COLLAB_NOMEM;
	memset(replay, 0, sizeof(*replay));
	replay->alloc = alloc;
	replay->is_document = is_document;
	buf_init(&replay->content, alloc);
	buf_init(&replay->next, alloc);
	arena_init(&replay->ops, alloc);
	arena_init(&replay->scratch, alloc);
	*out = replay;
	return COLLAB_OK;
}

void
replay_free(Replay *replay)
{
	if (replay == NULL)
		return;
	buf_free(&replay->content);
	buf_free(&replay->next);
	arena_free(&replay->ops);
	arena_free(&replay->scratch);
	replay->alloc.free(replay->alloc.ctx, replay);
}

static CollabStatus
compose_content(const Replay *replay, Arena *arena, const Delta *change, Delta *out, CollabError *err)
{
	if (replay->is_document && delta_base_length(change) > replay->length)
		return collab_fail(err, COLLAB_RANGE, -1, "the change reaches past the end of the document");
	return delta_compose(arena, &replay->delta, change, out, err);
}

CollabStatus
replay_apply(Replay *replay, const Delta *change, CollabError *err)
{
	Delta		composed;
	Delta		decoded;
	Buf			swap;
	CollabStatus status;

	arena_reset(&replay->scratch);
	status = compose_content(replay, &replay->scratch, change, &composed, err);
	if (status != COLLAB_OK)
		return status;
	buf_clear(&replay->next);
	delta_encode(&composed, &replay->next);
	if (replay->next.failed)
		return collab_fail(err, COLLAB_NOMEM, -1, "out of memory");
	arena_reset(&replay->ops);
	status = delta_decode(&replay->ops, (const uint8_t *) replay->next.data, replay->next.size, &decoded, err);
	if (status != COLLAB_OK)
		return status;
	swap = replay->content;
	replay->content = replay->next;
	replay->next = swap;
	replay->delta = decoded;
	replay->length = delta_length(&decoded);
	return COLLAB_OK;
}

CollabStatus
replay_check(const Replay *replay, const Delta *change, CollabError *err)
{
	Arena		arena;
	Delta		composed;
	CollabStatus status;

	arena_init(&arena, replay->alloc);
	status = compose_content(replay, &arena, change, &composed, err);
	arena_free(&arena);
	return status;
}

int64_t
replay_length(const Replay *replay)
{
	return replay->length;
}

size_t
replay_memory(const Replay *replay)
{
	return sizeof(*replay) + replay->content.capacity + replay->next.capacity + replay->ops.used + replay->scratch.used;
}

CollabStatus
replay_delta(const Replay *replay, Arena *arena, Delta *out)
{
	uint8_t    *copy = arena_alloc(arena, replay->content.size);

	out->ops = NULL;
	out->count = 0;
	if (copy == NULL)
		return COLLAB_NOMEM;
	if (replay->content.size == 0)
		return COLLAB_OK;
	memcpy(copy, replay->content.data, replay->content.size);
	return delta_decode(arena, copy, replay->content.size, out, NULL);
}

void
replay_encode(const Replay *replay, Buf *out)
{
	delta_encode(&replay->delta, out);
}

void
replay_text(const Replay *replay, const char *embed, Buf *out)
{
	delta_text(&replay->delta, embed, out);
}

bool
replay_valid(const Replay *replay)
{
	return delta_length(&replay->delta) == replay->length;
}

/* rebase.c - pending pieces carried over events: each piece is transformed by the event, and the event by each piece. */
#include "rebase.h"

#include <string.h>

typedef struct Piece
{
	Buf			bytes; /* binary form */
} Piece;

struct Rebase
{
	CollabAlloc alloc;
	Piece	   *pieces;
	uint32_t	count;
	uint32_t	first; /* pieces before it were popped */
	Arena		scratch;
};

CollabStatus
rebase_create(CollabAlloc alloc, const Delta *pieces, uint32_t count, Rebase **out)
{
	Rebase	   *rebase = alloc.alloc(alloc.ctx, sizeof(Rebase));
	uint32_t	i;

	if (rebase == NULL)
		return COLLAB_NOMEM;
	memset(rebase, 0, sizeof(*rebase));
	rebase->alloc = alloc;
	arena_init(&rebase->scratch, alloc);
	rebase->pieces = alloc.alloc(alloc.ctx, ((size_t) count + 1) * sizeof(Piece));
	if (rebase->pieces == NULL)
	{
		rebase_free(rebase);
		return COLLAB_NOMEM;
	}
	for (i = 0; i < count; i++)
	{
		buf_init(&rebase->pieces[i].bytes, alloc);
		rebase->count = i + 1;
		delta_encode(&pieces[i], &rebase->pieces[i].bytes);
		if (rebase->pieces[i].bytes.failed)
		{
			rebase_free(rebase);
			return COLLAB_NOMEM;
		}
	}
	*out = rebase;
	return COLLAB_OK;
}

void
rebase_free(Rebase *rebase)
{
	uint32_t	i;

	if (rebase == NULL)
		return;
	for (i = 0; i < rebase->count; i++)
		buf_free(&rebase->pieces[i].bytes);
	if (rebase->pieces != NULL)
		rebase->alloc.free(rebase->alloc.ctx, rebase->pieces);
	arena_free(&rebase->scratch);
	rebase->alloc.free(rebase->alloc.ctx, rebase);
}

uint32_t
rebase_count(const Rebase *rebase)
{
	return rebase->count - rebase->first;
}

CollabStatus
rebase_event(Rebase *rebase, Arena *arena, const Delta *event, bool event_first, Delta *carried, CollabError *err)
{
	Delta		moving = *event;
	CollabStatus status = COLLAB_OK;
	uint32_t	i;

	if (carried == NULL)
	{
		arena_reset(&rebase->scratch);
		arena = &rebase->scratch;
	}
	for (i = rebase->first; i < rebase->count && status == COLLAB_OK; i++)
	{
		Buf		   *bytes = &rebase->pieces[i].bytes;
		Delta		piece;
		Delta		piece_after;
		Delta		event_after;
		Buf			encoded;

		status = delta_decode(arena, (const uint8_t *) bytes->data, bytes->size, &piece, err);
		if (status == COLLAB_OK)
			status = delta_transform(arena, &moving, &piece, event_first, &piece_after, err);
		if (status == COLLAB_OK)
			status = delta_transform(arena, &piece, &moving, !event_first, &event_after, err);
		if (status != COLLAB_OK)
			break;
		buf_init(&encoded, rebase->alloc);
		delta_encode(&event_after, &encoded);
		if (!encoded.failed)
		{
			/* a copy, because what was carried must not point into the piece's bytes, which are rewritten */
			uint8_t    *copy = arena_alloc(arena, encoded.size);

			if (copy == NULL)
				encoded.failed = true;
			else
			{
				memcpy(copy, encoded.data, encoded.size);
				status = delta_decode(arena, copy, encoded.size, &moving, err);
				buf_clear(&encoded);
				delta_encode(&piece_after, &encoded);
			}
		}
		if (encoded.failed)
		{
			buf_free(&encoded);
			return collab_fail(err, COLLAB_NOMEM, -1, "out of memory");
		}
		buf_free(bytes);
		*bytes = encoded;
	}
	if (carried != NULL)
		*carried = moving;
	return status;
}

CollabStatus
rebase_piece(const Rebase *rebase, uint32_t i, Arena *arena, Delta *out)
{
	const Buf  *bytes = &rebase->pieces[rebase->first + i].bytes;
	uint8_t    *copy = arena_alloc(arena, bytes->size);

	if (copy == NULL)
		return COLLAB_NOMEM;
	memcpy(copy, bytes->data, bytes->size);
	return delta_decode(arena, copy, bytes->size, out, NULL);
}

void
rebase_pop(Rebase *rebase)
{
	if (rebase->first < rebase->count)
		rebase->first++;
}

void
rebase_truncate(Rebase *rebase, uint32_t i)
{
	while (rebase->count > rebase->first + i)
		buf_free(&rebase->pieces[--rebase->count].bytes);
}

bool
rebase_valid(const Rebase *rebase)
{
	return rebase->first <= rebase->count;
}

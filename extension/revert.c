/* revert.c - the inverse of a user's events, made stretch by stretch and carried over everybody else's. */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "errors.h"
#include "event_scan.h"
#include "pg_alloc.h"
#include "read.h"
#include "rebase.h"
#include "revert.h"

/*
 * One pass over the versions first ... head, with a change U that starts empty and is always made at
 * the version that the pass has reached:
 *
 *	1. A stretch of own events with nobody's in between is composed to C. Then U becomes "what undoes
 *	   C, then U": what was undone before stays undone behind it.
 *	2. Any other event is one that U has to follow: U is transformed, event by event. Where both touch
 *	   the same, the event wins: what others deleted stays deleted, what they formatted keeps its
 *	   format, what they wrote stands before text that comes back at the same place.
 *
 * Step 1 may put in what it deletes (an undo of a deletion, and the undo of that): U is tightened to
 * what it really changes, or text would lose its author, and cursors their place, for nothing.
 */
typedef struct Revert
{
	const DocumentRow *document;
	Replay			  *content; /* before the stretch */
	Replay			  *stretch; /* own events that are not in `undo` yet; NULL: none */
	Rebase			  *rebase;	/* `undo` while it is carried; NULL: it stands below */
	Delta			   undo;
	Buf				   bytes[2]; /* what it points to lies in one, and is rebuilt in the other */
	int				   current;
	Arena			   ops;		/* of `undo` */
	Arena			   scratch; /* of one step */
} Revert;

bool
revert_is_own(const StoredEvent *event, const UndoneRow *undone, int64 user)
{
	return undone != NULL ? undone->author == user : event->author == user;
}

/* ---- changes ---- */

static bool
only_inserts(const Delta *change)
{
	uint32 i;

	for (i = 0; i < change->count; i++)
	{
		const DeltaOp *op = &change->ops[i];

		if (op->kind == DELTA_DELETE || op->kind == DELTA_RETAIN_EMBED ||
			(op->kind == DELTA_RETAIN && op->attrs.bytes > 0))
			return false;
	}
	return true;
}

/* Undoes a change that only inserts, which takes no look at the document. */
static void
invert_inserts(const Delta *change, Arena *arena, Delta *out)
{
	uint32 i;

	out->count = 0;
	out->ops = arena_array(arena, Max(change->count, 1), sizeof(DeltaOp));
	if (out->ops == NULL)
		errors_raise(COLLAB_NOMEM, &(CollabError){0});
	for (i = 0; i < change->count; i++)
	{
		const DeltaOp *op = &change->ops[i];
		DeltaOp inverse = {.kind = op->kind == DELTA_RETAIN ? DELTA_RETAIN : DELTA_DELETE, .units = op->units};

		if (out->count > 0 && out->ops[out->count - 1].kind == inverse.kind)
			out->ops[out->count - 1].units += inverse.units;
		else
			out->ops[out->count++] = inverse;
	}
}

/* Could it say more than it does? */
static bool
may_be_loose(const Delta *change)
{
	bool   deletes = false;
	bool   inserts = false;
	uint32 i;

	for (i = 0; i < change->count; i++)
	{
		const DeltaOp *op = &change->ops[i];

		deletes |= op->kind == DELTA_DELETE;
		inserts |= op->kind == DELTA_INSERT || op->kind == DELTA_INSERT_EMBED;
		if (op->kind == DELTA_RETAIN_EMBED || (op->kind == DELTA_RETAIN && op->attrs.bytes > 0))
			return true;
	}
	return deletes && inserts;
}

/* ---- the change that is built ---- */

/* Takes a change that may point anywhere as the new `undo`, and gives the scratch memory back. */
static void
set_undo(Revert *revert, const Delta *undo)
{
	Buf		   *bytes = &revert->bytes[1 - revert->current];
	CollabError err = {0};

	buf_clear(bytes);
	delta_encode(undo, bytes);
	if (bytes->failed)
		errors_raise(COLLAB_NOMEM, &err);
	arena_reset(&revert->ops);
	errors_check(delta_decode(&revert->ops, (const uint8_t *) bytes->data, bytes->size, &revert->undo, &err),
				 &err);
	revert->current = 1 - revert->current;
	arena_reset(&revert->scratch);
}

static void
tighten(Revert *revert, Delta *undo)
{
	CollabError err = {0};
	Delta		content;

	if (!may_be_loose(undo))
		return;
	errors_check(replay_delta(revert->content, &revert->scratch, &content), &err);
	errors_check(delta_tighten(&revert->scratch, undo, &content, undo, &err), &err);
}

/* ---- step 1: own events ---- */

static void
invert_stretch(Revert *revert, const Delta *change, Delta *out)
{
	CollabError err = {0};
	Delta		base;

	if (only_inserts(change))
	{
		invert_inserts(change, &revert->scratch, out);
		return;
	}
	errors_check(replay_delta(revert->content, &revert->scratch, &base), &err);
	errors_check(delta_invert(&revert->scratch, change, &base, out, &err), &err);
}

static void
end_stretch(Revert *revert)
{
	CollabError err = {0};
	Delta		change;
	Delta		undo;

	if (revert->stretch == NULL)
		return;
	errors_check(replay_delta(revert->stretch, &revert->scratch, &change), &err);
	replay_free(revert->stretch);
	revert->stretch = NULL;

	invert_stretch(revert, &change, &undo);
	errors_check(delta_compose_changes(&revert->scratch, &undo, &revert->undo, &undo, &err), &err);
	errors_check(replay_apply(revert->content, &change, &err), &err);
	tighten(revert, &undo);
	set_undo(revert, &undo);
}

static void
add_own(Revert *revert, const StoredEvent *event, const Delta *change)
{
	CollabError err = {0};

	if (revert->stretch == NULL)
		errors_check(replay_create(pg_alloc(CurrentMemoryContext), false, &revert->stretch), &err);
	read_check_event(replay_apply(revert->stretch, change, &err), &err, revert->document, event);
}

/* ---- step 2: everybody else's ---- */

static void
end_carry(Revert *revert)
{
	CollabError err = {0};
	Delta		undo;

	if (revert->rebase == NULL)
		return;
	errors_check(rebase_piece(revert->rebase, 0, &revert->scratch, &undo), &err);
	rebase_free(revert->rebase);
	revert->rebase = NULL;
	set_undo(revert, &undo);
}

static void
follow(Revert *revert, const StoredEvent *event, const Delta *change)
{
	CollabError err = {0};

	read_check_event(replay_apply(revert->content, change, &err), &err, revert->document, event);
	if (revert->rebase == NULL && revert->undo.count == 0)
		return;
	if (revert->rebase == NULL)
		errors_check(rebase_create(pg_alloc(CurrentMemoryContext), &revert->undo, 1, &revert->rebase), &err);
	errors_check(rebase_event(revert->rebase, &revert->scratch, change, true, NULL, &err), &err);
}

/* ---- the pass ---- */

static void
pass(Revert *revert, int64 first, int64 head, int64 user, Snapshot snapshot)
{
	EventScan	 *scan = event_scan_begin(revert->document, first, head, false, snapshot);
	UndoneReader *undone = undone_reader(revert->document->key);
	CollabError	  err = {0};
	StoredEvent	  event;
	Arena		  arena;

	pg_arena_init(&arena);
	while (event_scan_next(scan, &event))
	{
		Delta change;

		CHECK_FOR_INTERRUPTS();
		read_check_event(delta_decode(&arena, event.op, event.op_bytes, &change, &err), &err,
						 revert->document, &event);
		if (revert_is_own(&event, undone_at(undone, event.version), user))
		{
			end_carry(revert);
			add_own(revert, &event, &change);
		}
		else
		{
			end_stretch(revert);
			follow(revert, &event, &change);
		}
		arena_reset(&arena);
	}
	event_scan_end(scan);
	end_stretch(revert);
	end_carry(revert);
}

void
revert_events(const DocumentRow *document, int64 first, int64 head, int64 user, Snapshot snapshot,
			  Arena *arena, Delta *out)
{
	const ReadTarget target = {.version = first - 1, .until = DT_NOEND};
	MemoryContext	 context =
		AllocSetContextCreate(CurrentMemoryContext, "collab revert", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	CollabError	  err = {0};
	ReadContent	  base;
	Revert		  revert = {0};
	Replay		 *copy;

	revert.document = document;
	buf_init(&revert.bytes[0], pg_alloc(context));
	buf_init(&revert.bytes[1], pg_alloc(context));
	pg_arena_init(&revert.ops);
	pg_arena_init(&revert.scratch);
	read_content(document, &target, snapshot, &base);
	revert.content = base.replay;
	pass(&revert, first, head, user, snapshot);
	tighten(&revert, &revert.undo);
	errors_check(replay_create(arena_as_alloc(arena), false, &copy), &err);
	errors_check(replay_apply(copy, &revert.undo, &err), &err);
	errors_check(replay_delta(copy, arena, out), &err);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

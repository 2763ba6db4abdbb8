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
 * One pass over the versions first ... head, with a list of pieces, newest first, which are changes made
 * one behind the other at the version that the pass has reached:
 *
 *	1. A stretch of the user's edits with nobody's in between is composed, and what undoes it becomes
 *	   the newest piece, or part of that: what was undone before stays undone behind it.
 *	2. Any other event is one that the pieces have to follow, and is carried through all of them. Where
 *	   both touch the same, the event wins: what others deleted stays deleted, what they formatted keeps
 *	   its format, what they wrote stands before text that comes back at the same place.
 *	3. An undo or redo that took back what the user had done from version v on was made of what the
 *	   pieces from v on are now. They are dropped: with it they do nothing, and the others stand on it.
 *	   Where it was made of something else (a redo whose undo dropped its pieces, an undo that goes back
 *	   to the middle of such a redo) what undoes it is composed with the pieces from v on.
 *
 * For 3 a piece begins at every version that such a later event goes back to. At the end the pieces are
 * composed. What comes out of that and of 3 may put in what it deletes: it is tightened to what it really
 * changes, or text would lose its author, and cursors their place, for nothing; and text that others
 * delete later could come back.
 */
typedef struct Piece
{
	int64 from; /* version of the first event that it undoes */
	Delta change;
	Buf	  bytes; /* what it points to */
	Arena ops;
} Piece;

typedef struct Revert
{
	const DocumentRow *document;
	Replay			  *content; /* before the stretch */
	Replay			  *stretch; /* own edits that are in no piece yet; NULL: none */
	int64			   stretch_from;
	Piece			 **pieces; /* oldest first */
	int				   count;
	int				   capacity;
	Rebase			  *rebase;	/* the pieces while they are carried; NULL: they stand above */
	int64			  *borders; /* where pieces begin, ascending */
	int				   border_count;
	Arena			   scratch; /* of one step */
} Revert;

/*
 * Is the event one of the user's: an edit, or an undo or redo of his edits, whoever asked for that?
 * Somebody's undo of another's edits is not.
 */
static bool
is_own(const StoredEvent *event, const UndoneRow *undone, int64 user)
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

/*
 * A change without the retain that it begins with, and the part of the content that it is about: large
 * documents are not looked at as a whole. Returns the units of the retain.
 */
static int64
take_window(Revert *revert, const Delta *change, Delta *moved, Delta *base)
{
	CollabError err = {0};
	int64		skipped = 0;

	*moved = *change;
	if (change->count > 0 && change->ops[0].kind == DELTA_RETAIN && change->ops[0].attrs.bytes == 0)
	{
		skipped = change->ops[0].units;
		moved->ops++;
		moved->count--;
	}
	errors_check(
		replay_slice(revert->content, skipped, skipped + delta_base_length(moved), &revert->scratch, base),
		&err);
	return skipped;
}

/* The other way: the change that begins that many units later. */
static void
move_back(Revert *revert, int64 units, Delta *change)
{
	DeltaOp *ops;
	uint32	 first = 0;

	if (units == 0 || change->count == 0)
		return;
	if (change->ops[0].kind == DELTA_RETAIN && change->ops[0].attrs.bytes == 0)
	{
		units += change->ops[0].units;
		first = 1;
	}
	ops = arena_array(&revert->scratch, change->count + 1, sizeof(DeltaOp));
	if (ops == NULL)
		errors_raise(COLLAB_NOMEM, &(CollabError){0});
	ops[0] = (DeltaOp){.kind = DELTA_RETAIN, .units = units};
	memcpy(ops + 1, change->ops + first, (change->count - first) * sizeof(DeltaOp));
	change->ops = ops;
	change->count += 1 - first;
}

static void
tighten(Revert *revert, Delta *undo)
{
	CollabError err = {0};
	Delta		moved;
	Delta		base;
	int64		skipped;

	if (!may_be_loose(undo))
		return;
	skipped = take_window(revert, undo, &moved, &base);
	errors_check(delta_tighten(&revert->scratch, &moved, &base, undo, &err), &err);
	move_back(revert, skipped, undo);
}

/* ---- pieces ---- */

/* The change may point anywhere, also into what the piece was. */
static void
set_piece(Piece *piece, const Delta *change)
{
	CollabError err = {0};
	Buf			old = piece->bytes;

	buf_init(&piece->bytes, old.alloc);
	delta_encode(change, &piece->bytes);
	if (piece->bytes.failed)
		errors_raise(COLLAB_NOMEM, &err);
	arena_reset(&piece->ops);
	errors_check(delta_decode(&piece->ops, (const uint8_t *) piece->bytes.data, piece->bytes.size,
							  &piece->change, &err),
				 &err);
	buf_free(&old);
}

static Piece *
push_piece(Revert *revert, int64 from)
{
	Piece *piece = palloc0_object(Piece);

	if (revert->count == revert->capacity)
	{
		revert->capacity = Max(8, 2 * revert->capacity);
		revert->pieces = revert->pieces == NULL ? palloc_array(Piece *, revert->capacity)
												: repalloc_array(revert->pieces, Piece *, revert->capacity);
	}
	piece->from = from;
	buf_init(&piece->bytes, pg_alloc(CurrentMemoryContext));
	pg_arena_init(&piece->ops);
	revert->pieces[revert->count++] = piece;
	return piece;
}

static void
pop_piece(Revert *revert)
{
	Piece *piece = revert->pieces[--revert->count];

	buf_free(&piece->bytes);
	arena_free(&piece->ops);
	pfree(piece);
}

/* Does a piece begin at one of the versions behind `from`, up to `to`? */
static bool
is_divided(const Revert *revert, int64 from, int64 to)
{
	int low = 0;
	int high = revert->border_count;

	while (low < high)
	{
		int middle = (low + high) / 2;

		if (revert->borders[middle] <= from)
			low = middle + 1;
		else
			high = middle;
	}
	return low < revert->border_count && revert->borders[low] <= to;
}

/* The pieces from the newest down to those that begin at or behind `from`, as one change, in scratch memory. */
static void
compose_pieces(Revert *revert, int64 from, Delta *out)
{
	CollabError err = {0};
	int			i;

	*out = (Delta){NULL, 0};
	for (i = revert->count - 1; i >= 0 && revert->pieces[i]->from >= from; i--)
		errors_check(delta_compose_changes(&revert->scratch, out, &revert->pieces[i]->change, out, &err),
					 &err);
	tighten(revert, out);
}

/* Does it put something in where it deletes? */
static bool
replaces(const Delta *change)
{
	uint32 i;

	for (i = 1; i < change->count; i++)
		if (change->ops[i].kind == DELTA_DELETE &&
			(change->ops[i - 1].kind == DELTA_INSERT || change->ops[i - 1].kind == DELTA_INSERT_EMBED))
			return true;
	return false;
}

/* `undo`, which may point anywhere, is the piece once the content has changed. */
static void
advance(Revert *revert, Piece *piece, const Delta *undo, const Delta *change)
{
	CollabError err = {0};
	Delta		tight;

	/* copied before what it points to changes */
	set_piece(piece, undo);
	errors_check(replay_apply(revert->content, change, &err), &err);
	if (replaces(&piece->change))
	{
		tight = piece->change;
		tighten(revert, &tight);
		set_piece(piece, &tight);
	}
	arena_reset(&revert->scratch);
}

/* ---- step 1: own edits ---- */

/* What undoes a change of the content. */
static void
invert_change(Revert *revert, const Delta *change, Delta *out)
{
	CollabError err = {0};
	Delta		moved;
	Delta		base;
	int64		skipped;

	if (only_inserts(change))
	{
		invert_inserts(change, &revert->scratch, out);
		return;
	}
	skipped = take_window(revert, change, &moved, &base);
	errors_check(delta_invert(&revert->scratch, &moved, &base, out, &err), &err);
	move_back(revert, skipped, out);
}

static void
end_stretch(Revert *revert)
{
	Piece	   *piece = revert->count > 0 ? revert->pieces[revert->count - 1] : NULL;
	CollabError err = {0};
	Delta		change;
	Delta		undo;

	if (revert->stretch == NULL)
		return;
	errors_check(replay_delta(revert->stretch, &revert->scratch, &change), &err);
	replay_free(revert->stretch);
	revert->stretch = NULL;

	invert_change(revert, &change, &undo);
	if (piece == NULL || is_divided(revert, piece->from, revert->stretch_from))
		piece = push_piece(revert, revert->stretch_from);
	else
		errors_check(delta_compose_changes(&revert->scratch, &undo, &piece->change, &undo, &err), &err);
	advance(revert, piece, &undo, &change);
}

static void
add_own(Revert *revert, const StoredEvent *event, const Delta *change)
{
	CollabError err = {0};

	if (revert->stretch != NULL && is_divided(revert, event->version - 1, event->version))
		end_stretch(revert);
	if (revert->stretch == NULL)
	{
		errors_check(replay_create(pg_alloc(CurrentMemoryContext), false, &revert->stretch), &err);
		revert->stretch_from = event->version;
	}
	read_check_event(replay_apply(revert->stretch, change, &err), &err, revert->document, event);
}

/* ---- step 2: everybody else's ---- */

static void
end_carry(Revert *revert)
{
	CollabError err = {0};
	int			i;

	if (revert->rebase == NULL)
		return;
	for (i = 0; i < revert->count; i++)
	{
		Delta change;

		errors_check(rebase_piece(revert->rebase, revert->count - 1 - i, &revert->scratch, &change), &err);
		set_piece(revert->pieces[i], &change);
		arena_reset(&revert->scratch);
	}
	rebase_free(revert->rebase);
	revert->rebase = NULL;
}

static void
begin_carry(Revert *revert)
{
	Delta	   *newest_first = palloc_array(Delta, revert->count);
	CollabError err = {0};
	int			i;

	for (i = 0; i < revert->count; i++)
		newest_first[i] = revert->pieces[revert->count - 1 - i]->change;
	errors_check(rebase_create(pg_alloc(CurrentMemoryContext), newest_first, revert->count, &revert->rebase),
				 &err);
	pfree(newest_first);
}

static void
follow(Revert *revert, const StoredEvent *event, const Delta *change)
{
	CollabError err = {0};

	read_check_event(replay_apply(revert->content, change, &err), &err, revert->document, event);
	if (revert->count == 0)
		return;
	if (revert->rebase == NULL)
		begin_carry(revert);
	errors_check(rebase_event(revert->rebase, &revert->scratch, change, true, NULL, &err), &err);
	arena_reset(&revert->scratch);
}

/* ---- step 3: own undos and redos ---- */

/* Is it what the pieces say? */
static bool
drop_undone(Revert *revert, int64 from, const Delta *change)
{
	Delta expected;
	bool  same;

	compose_pieces(revert, from, &expected);
	same = delta_equal(&expected, change);
	arena_reset(&revert->scratch);
	if (!same)
		return false;
	while (revert->count > 0 && revert->pieces[revert->count - 1]->from >= from)
		pop_piece(revert);
	return true;
}

/* Makes one piece of what undoes the event and of all pieces down to the one that holds version `from`. */
static void
merge_undone(Revert *revert, int64 from, const Delta *change)
{
	CollabError err = {0};
	Delta		undo;
	Piece	   *piece;
	int64		reached = PG_INT64_MAX;
	int			last = revert->count;

	invert_change(revert, change, &undo);
	while (last > 0 && reached > from)
	{
		piece = revert->pieces[--last];
		reached = piece->from;
		errors_check(delta_compose_changes(&revert->scratch, &undo, &piece->change, &undo, &err), &err);
	}
	piece = revert->count > last ? revert->pieces[last] : push_piece(revert, from);
	piece->from = Min(piece->from, from);
	advance(revert, piece, &undo, change);
	while (revert->count > last + 1)
		pop_piece(revert);
}

static void
add_undone(Revert *revert, UndoneReader *reader, const UndoneRow *undone, const Delta *change)
{
	CollabError err = {0};
	int64		from = undone->first_version;
	int64		user = undone->author;
	int64		last = undone->last_version;

	if (revert->count > 0 && from >= revert->pieces[0]->from && drop_undone(revert, from, change))
	{
		errors_check(replay_apply(revert->content, change, &err), &err);
		return;
	}
	/* a redo brings back edits from where the undos went back to */
	if (undone->redo)
	{
		int64 version = from;

		while ((undone = undone_next(reader, version, last)) != NULL)
		{
			if (undone->author == user && !undone->redo)
				from = Min(from, undone->first_version);
			version = undone->version + 1;
		}
	}
	merge_undone(revert, from, change);
}

/* ---- the pass ---- */

static int
compare_versions(const void *a, const void *b)
{
	int64 x = *(const int64 *) a;
	int64 y = *(const int64 *) b;

	return (x > y) - (x < y);
}

/* Versions that the user's undos and redos went back to. */
static void
find_borders(Revert *revert, UndoneReader *undone, int64 first, int64 head, int64 user)
{
	int				 capacity = 16;
	const UndoneRow *row;

	revert->borders = palloc_array(int64, capacity);
	while ((row = undone_next(undone, first, head)) != NULL)
	{
		first = row->version + 1;
		if (row->author != user)
			continue;
		if (revert->border_count == capacity)
		{
			capacity *= 2;
			revert->borders = repalloc_array(revert->borders, int64, capacity);
		}
		revert->borders[revert->border_count++] = row->first_version;
	}
	qsort(revert->borders, revert->border_count, sizeof(int64), compare_versions);
}

static void
pass_event(Revert *revert, const StoredEvent *event, UndoneReader *reader, int64 user, const Delta *change)
{
	const UndoneRow *undone = undone_at(reader, event->version);

	if (!is_own(event, undone, user))
	{
		end_stretch(revert);
		follow(revert, event, change);
		return;
	}
	end_carry(revert);
	if (undone == NULL)
	{
		add_own(revert, event, change);
		return;
	}
	end_stretch(revert);
	add_undone(revert, reader, undone, change);
}

static void
pass(Revert *revert, int64 first, int64 head, int64 user, Snapshot snapshot)
{
	EventScan	 *scan = event_scan_begin(revert->document, first, head, false, snapshot);
	UndoneReader *undone = undone_reader(revert->document->key);
	CollabError	  err = {0};
	StoredEvent	  event;
	Arena		  arena;

	find_borders(revert, undone, first, head, user);
	pg_arena_init(&arena);
	while (event_scan_next(scan, &event))
	{
		Delta change;

		CHECK_FOR_INTERRUPTS();
		read_check_event(delta_decode(&arena, event.op, event.op_bytes, &change, &err), &err,
						 revert->document, &event);
		pass_event(revert, &event, undone, user, &change);
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
	Revert		  revert = {.document = document};
	ReadContent	  base;
	CollabError	  err = {0};
	Delta		  undo;
	Buf			  bytes;

	pg_arena_init(&revert.scratch);
	read_content(document, &target, snapshot, &base);
	revert.content = base.replay;
	pass(&revert, first, head, user, snapshot);
	compose_pieces(&revert, 0, &undo);

	/* out of here */
	buf_init(&bytes, arena_as_alloc(arena));
	delta_encode(&undo, &bytes);
	errors_check(bytes.failed ? COLLAB_NOMEM
							  : delta_decode(arena, (const uint8_t *) bytes.data, bytes.size, out, &err),
				 &err);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

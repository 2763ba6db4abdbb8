/* undo.c - undo() and redo() of a user's own latest edits. */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "access.h"
#include "edit_groups.h"
#include "errors.h"
#include "event_scan.h"
#include "hash.h"
#include "pg_alloc.h"
#include "read.h"
#include "revert.h"
#include "submit.h"
#include "undone.h"

/* How far back from the head edits are looked for, in versions, and how many of them one call may undo. */
#define UNDO_REACH 100000
#define UNDO_EDITS_MAX 1000
/* Events that are looked at again in search of an edit of which something is left, at most. */
#define UNDO_WORK 1000000

/* ---- what is undone and redone already ---- */

typedef struct Range
{
	int64 first;
	int64 last;
} Range;

typedef struct Ranges
{
	Range *ranges;
	int	   count;
	int	   capacity;
} Ranges;

static void
ranges_add(Ranges *ranges, const UndoneRow *row)
{
	if (ranges->count == ranges->capacity)
	{
		ranges->capacity = Max(16, 2 * ranges->capacity);
		ranges->ranges = ranges->ranges == NULL ? palloc_array(Range, ranges->capacity)
												: repalloc_array(ranges->ranges, Range, ranges->capacity);
	}
	ranges->ranges[ranges->count++] = (Range){row->first_version, row->last_version};
}

/* Versions are asked for in descending order: ranges above them have served. */
static bool
ranges_cover(Ranges *ranges, int64 version)
{
	int i = 0;

	while (i < ranges->count)
	{
		const Range *range = &ranges->ranges[i];

		if (range->first > version)
			ranges->ranges[i] = ranges->ranges[--ranges->count];
		else if (version <= range->last)
			return true;
		else
			i++;
	}
	return false;
}

/* ---- the search for what can be undone or redone ---- */

typedef struct Search
{
	int64		  user;
	bool		  redo;
	int64		  gap;
	EventScan	 *scan;
	UndoneReader *undo_rows;
	Ranges		  undone; /* edits */
	Ranges		  redone; /* undos */
	StoredEvent	  ahead;  /* was read, but belongs to the next edit; version 0: none */

	/* found so far */
	int64		first; /* 0: nothing */
	int64		last;
	TimestampTz started_at; /* of the event at `first` */
} Search;

static bool
next_event(Search *search, StoredEvent *event)
{
	CHECK_FOR_INTERRUPTS();
	if (search->ahead.version == 0)
		return event_scan_next_row(search->scan, event);
	*event = search->ahead;
	search->ahead.version = 0;
	return true;
}

static void
found_at(Search *search, const StoredEvent *event)
{
	search->first = event->version;
	search->started_at = event->created_at;
	if (search->last == 0)
		search->last = event->version;
}

/* The user's next older edit that is not undone. */
static bool
search_undo(Search *search)
{
	bool		found = false;
	bool		interrupted = false; /* by an undo: no edit reaches across */
	StoredEvent event;

	while (next_event(search, &event))
	{
		const UndoneRow *row = undone_at(search->undo_rows, event.version);

		if (row != NULL)
		{
			if (row->author != search->user)
				continue;
			if (row->redo)
				ranges_add(&search->redone, row);
			else if (!ranges_cover(&search->redone, event.version))
				ranges_add(&search->undone, row);
			interrupted = true;
			continue;
		}
		if (event.author != search->user || ranges_cover(&search->undone, event.version))
			continue;
		if (found && (interrupted || !edit_reaches(event.version, event.created_at, search->first,
												   search->started_at, search->gap)))
		{
			search->ahead = event;
			return true;
		}
		found = true;
		interrupted = false;
		found_at(search, &event);
	}
	return found;
}

/* The user's next older undo that is not redone, unless he has edited something since. */
static bool
search_redo(Search *search)
{
	StoredEvent event;

	while (next_event(search, &event))
	{
		const UndoneRow *row = undone_at(search->undo_rows, event.version);

		if (row == NULL && event.author == search->user)
		{
			search->ahead = event;
			return false;
		}
		if (row == NULL || row->author != search->user)
			continue;
		if (row->redo)
			ranges_add(&search->redone, row);
		else if (!ranges_cover(&search->redone, event.version))
		{
			found_at(search, &event);
			return true;
		}
	}
	return false;
}

/* ---- what to write ---- */

/* What the caller asks for. */
typedef struct Request
{
	int64 user;
	bool  redo;
	int64 gap;
	int	  edits;
} Request;

typedef struct Plan
{
	int64 head; /* version that the change is made at */
	int64 head_event;
	int64 first; /* what it reverts */
	int64 last;
	Delta change; /* empty: there is nothing to do */
} Plan;

static void
find_plan(const DocumentRow *document, const Request *request, Snapshot snapshot, Arena *arena, Plan *plan)
{
	bool (*more)(Search * search) = request->redo ? search_redo : search_undo;
	Search		search = {.user = request->user, .redo = request->redo, .gap = request->gap};
	int64		work = 0;
	int			edits = 0;
	StoredEvent head;

	memset(plan, 0, sizeof(*plan));
	plan->head_event = store_creation_id(document);
	if (!store_head(document->key, snapshot, &head))
		return;
	plan->head = head.version;
	plan->head_event = store_event_id(&head);

	search.undo_rows = undone_reader(document->key);
	search.scan = event_scan_begin(document, Max(document->first_version, head.version - UNDO_REACH) + 1,
								   head.version, true, snapshot);
	while (edits < request->edits && more(&search))
		edits++;
	/* An edit of which others have left nothing counts as undone: then it is the turn of the one before. */
	while (edits > 0 && plan->change.count == 0 && work < UNDO_WORK)
	{
		revert_events(document, search.first, plan->head, request->user, snapshot, arena, &plan->change);
		work += plan->head - search.first + 1;
		if (plan->change.count == 0 && !more(&search))
			break;
	}
	event_scan_end(search.scan);
	plan->first = search.first;
	plan->last = search.last;
}

/* ---- undo(doc_id, user_id, edits, gap), redo(...) ---- */

static void
read_request(FunctionCallInfo fcinfo, bool redo, Request *out)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(2) || PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("doc_id, edits and gap must not be null")));
	out->redo = redo;
	out->edits = PG_GETARG_INT32(2);
	if (out->edits < 1 || out->edits > UNDO_EDITS_MAX)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("number of edits must be between 1 and %d", UNDO_EDITS_MAX)));
	out->gap = edit_gap(PG_GETARG_INTERVAL_P(3));
	if (PG_ARGISNULL(1))
	{
		const char *name = access_user_id();

		out->user = collab_user_key(name, strlen(name));
	}
	else
	{
		text *name = PG_GETARG_TEXT_PP(1);

		out->user = collab_user_key(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
	}
}

static int64
write_plan(Edit *edit, const Request *request, Plan *plan)
{
	UndoneRow row = {.author = request->user,
					 .redo = request->redo,
					 .first_version = plan->first,
					 .last_version = plan->last};

	row.version = edit_submit(edit, &plan->change);
	undone_insert(edit->tail.document.key, &row);
	return row.version;
}

static Datum
undo_or_redo(FunctionCallInfo fcinfo, bool redo)
{
	DocumentRow document;
	Request		request;
	Plan		plan;
	Arena		arena;
	Edit		edit;
	int64		version = 0;

	submit_enter(redo ? "collab.redo()" : "collab.undo()");
	read_request(fcinfo, redo, &request);
	pg_arena_init(&arena);

	/* As restore() does: before the document is locked, and again only where it has changed since. */
	PushActiveSnapshot(GetLatestSnapshot());
	read_document_row(PG_GETARG_TEXT_PP(0), GetActiveSnapshot(), &document);
	find_plan(&document, &request, GetActiveSnapshot(), &arena, &plan);
	PopActiveSnapshot();

	edit_begin(&edit, PG_GETARG_TEXT_PP(0), -1);
	if (edit.tail.version != plan.head || edit.tail.event != plan.head_event)
		find_plan(&edit.tail.document, &request, edit.tail.snapshot, &arena, &plan);
	if (plan.change.count > 0)
		version = write_plan(&edit, &request, &plan);
	edit_finish(&edit);
	submit_leave();
	if (version == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(version);
}

PG_FUNCTION_INFO_V1(undo_edits);
Datum
undo_edits(PG_FUNCTION_ARGS)
{
	return undo_or_redo(fcinfo, false);
}

PG_FUNCTION_INFO_V1(redo_edits);
Datum
redo_edits(PG_FUNCTION_ARGS)
{
	return undo_or_redo(fcinfo, true);
}

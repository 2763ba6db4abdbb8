/* history.c - history(): the edits of a document, newest first. */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "edit_groups.h"
#include "edit_summary.h"
#include "errors.h"
#include "event_scan.h"
#include "read.h"
#include "undone.h"

/* Whoever may execute it may read every document, as with the functions of read.c. */

/* ---- one edit ---- */

typedef struct EditGroup
{
	struct EditGroup *next; /* the one that ended before it */
	int64			  author;
	int64			  first_version;
	int64			  last_version;
	TimestampTz		  started_at;
	TimestampTz		  ended_at;
	bool			  closed; /* nothing older belongs to it */
	bool			  undoes;
	UndoneRow		  undone; /* what, if it undoes something */
	EditSummary		 *summary;
} EditGroup;

/* The newest edit of a user that may still grow, or has done so last. */
typedef struct OpenEdit
{
	int64	   author;
	EditGroup *group; /* NULL: emitted */
} OpenEdit;

/* Bytes of events that all open edits together hold uncomposed. */
#define PENDING_MAX ((size_t) 64 * 1024 * 1024)

typedef struct History
{
	DocumentRow	   document;
	Snapshot	   snapshot;
	int64		   gap;
	int64		   left; /* edits that may still be begun */
	HTAB		  *open;
	EditGroup	  *oldest;	/* end of the queue: edits by their last version, descending */
	EditGroup	  *newest;	/* the next that is emitted */
	size_t		   pending; /* bytes given to summaries since all of them were composed */
	UndoneReader  *undone;
	ReadAuthors	   authors;
	ReturnSetInfo *result;
	MemoryContext  row_context;
} History;

static HTAB *
make_open_edits(void)
{
	HASHCTL ctl;

	ctl.keysize = sizeof(int64);
	ctl.entrysize = sizeof(OpenEdit);
	ctl.hcxt = CurrentMemoryContext;
	return hash_create("collab open edits", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* ---- rows ---- */

#define HISTORY_COLUMNS 9

/* Of an undo the versions of what it undid, of a redo those of the undos. */
static text *
describe(const EditGroup *group)
{
	const UndoneRow *undone = &group->undone;
	char			*words = edit_summary_words(group->summary);

	if (!group->undoes)
		return cstring_to_text(words);
	if (undone->first_version == undone->last_version)
		return cstring_to_text(psprintf("%s " INT64_FORMAT ": %s", undone->redo ? "redo of undo" : "undo of",
										undone->first_version, words));
	return cstring_to_text(psprintf("%s " INT64_FORMAT " to " INT64_FORMAT ": %s",
									undone->redo ? "redo of undo" : "undo of", undone->first_version,
									undone->last_version, words));
}

static void
put_row(History *history, EditGroup *group)
{
	const EditSummary *summary = group->summary;
	text			  *author = read_author(&history->authors, group->author, history->snapshot);
	MemoryContext	   old = MemoryContextSwitchTo(history->row_context);
	Datum			   values[HISTORY_COLUMNS];
	bool			   nulls[HISTORY_COLUMNS] = {false};

	edit_summary_finish(group->summary);
	values[0] = Int64GetDatum(group->first_version);
	values[1] = Int64GetDatum(group->last_version);
	values[2] = PointerGetDatum(author);
	nulls[2] = author == NULL;
	values[3] = TimestampTzGetDatum(group->started_at);
	values[4] = TimestampTzGetDatum(group->ended_at);
	values[5] = Int64GetDatum(summary->events);
	values[6] = Int64GetDatum(summary->inserted);
	values[7] = Int64GetDatum(summary->deleted);
	values[8] = PointerGetDatum(describe(group));
	tuplestore_putvalues(history->result->setResult, history->result->setDesc, values, nulls);
	MemoryContextSwitchTo(old);
	MemoryContextReset(history->row_context);
}

/* Edits leave in the order of their last versions, each as soon as it cannot grow any more. */
static void
emit(History *history, EditGroup *group)
{
	OpenEdit *open = hash_search(history->open, &group->author, HASH_FIND, NULL);

	if (open != NULL && open->group == group)
		open->group = NULL;
	history->newest = group->next;
	if (history->newest == NULL)
		history->oldest = NULL;
	put_row(history, group);
	edit_summary_free(group->summary);
	pfree(group);
}

static void
emit_closed(History *history, int64 version, TimestampTz created_at)
{
	EditGroup *group;

	while ((group = history->newest) != NULL &&
		   (group->closed ||
			!edit_reaches(version, created_at, group->first_version, group->started_at, history->gap)))
		emit(history, group);
}

/* ---- events ---- */

static void
close_edit(History *history, int64 author)
{
	OpenEdit *open = hash_search(history->open, &author, HASH_FIND, NULL);

	if (open != NULL && open->group != NULL)
		open->group->closed = true;
}

static EditGroup *
begin_edit(History *history, const StoredEvent *event)
{
	EditGroup *group = palloc0_object(EditGroup);

	group->author = event->author;
	group->last_version = event->version;
	group->ended_at = event->created_at;
	group->summary = edit_summary_begin();
	if (history->oldest != NULL)
		history->oldest->next = group;
	else
		history->newest = group;
	history->oldest = group;
	return group;
}

/* The edit that an event belongs to; NULL: one that is not asked for. */
static EditGroup *
find_edit(History *history, const StoredEvent *event, const UndoneRow *undone)
{
	bool	  found;
	OpenEdit *open;

	if (undone != NULL)
	{
		close_edit(history, undone->author);
		close_edit(history, event->author);
	}
	open = hash_search(history->open, &event->author, HASH_ENTER, &found);
	if (found && open->group != NULL && !open->group->closed &&
		edit_reaches(event->version, event->created_at, open->group->first_version, open->group->started_at,
					 history->gap))
		return open->group;
	if (found && open->group != NULL)
		open->group->closed = true;
	open->group = NULL;
	if (history->left == 0)
		return NULL;
	history->left--;
	open->group = begin_edit(history, event);
	if (undone != NULL)
	{
		open->group->closed = true;
		open->group->undoes = true;
		open->group->undone = *undone;
	}
	return open->group;
}

/* Many users at once, each with a novel: then what they wrote is composed before their edits are whole. */
static void
bound_memory(History *history, size_t bytes)
{
	EditGroup *group;

	history->pending += bytes;
	if (history->pending <= PENDING_MAX)
		return;
	for (group = history->newest; group != NULL; group = group->next)
		edit_summary_finish(group->summary);
	history->pending = 0;
}

static void
read_edits(History *history, int64 from, int64 to)
{
	EventScan  *scan = event_scan_begin(&history->document, from, to, true, history->snapshot);
	StoredEvent event;

	/* Once all edits that are wanted have begun, the scan goes on only until the last of them is whole. */
	while ((history->left > 0 || history->newest != NULL) && event_scan_next_row(scan, &event))
	{
		const UndoneRow *undone = undone_at(history->undone, event.version);
		EditGroup		*group;

		CHECK_FOR_INTERRUPTS();
		emit_closed(history, event.version, event.created_at);
		group = find_edit(history, &event, undone);
		if (group == NULL)
			continue;
		event_scan_fetch_op(scan, &event);
		edit_summary_add(group->summary, &event);
		bound_memory(history, event.op_bytes);
		group->first_version = event.version;
		group->started_at = event.created_at;
	}
	event_scan_end(scan);
	while (history->newest != NULL)
		emit(history, history->newest);
}

/* ---- history(doc_id, from_version, to_version, gap, max_edits) ---- */

static void
refuse_null(FunctionCallInfo fcinfo, int arg, const char *name)
{
	if (PG_ARGISNULL(arg))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", name)));
}

static int64
version_argument(FunctionCallInfo fcinfo, int arg, const char *name, int64 otherwise)
{
	int64 version;

	if (PG_ARGISNULL(arg))
		return otherwise;
	version = PG_GETARG_INT64(arg);
	if (version < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must not be negative", name)));
	return version;
}

PG_FUNCTION_INFO_V1(history_edits);
Datum
history_edits(PG_FUNCTION_ARGS)
{
	History history = {0};
	int64	from;
	int64	to;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	refuse_null(fcinfo, 3, "gap");
	history.gap = edit_gap(PG_GETARG_INTERVAL_P(3));
	history.left = PG_ARGISNULL(4) ? PG_INT64_MAX : PG_GETARG_INT64(4);
	if (history.left < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("number of edits must not be negative")));

	history.snapshot = GetActiveSnapshot();
	read_document_row(PG_GETARG_TEXT_PP(0), history.snapshot, &history.document);
	/* What was deleted is missing only for who asks for it. */
	from = version_argument(fcinfo, 1, "from_version", history.document.first_version + 1);
	to = version_argument(fcinfo, 2, "to_version", PG_INT64_MAX);

	history.result = (ReturnSetInfo *) fcinfo->resultinfo;
	history.row_context =
		AllocSetContextCreate(CurrentMemoryContext, "collab history row", ALLOCSET_DEFAULT_SIZES);
	history.open = make_open_edits();
	history.undone = undone_reader(history.document.key);
	read_edits(&history, Max(from, 1), to);
	return (Datum) 0;
}

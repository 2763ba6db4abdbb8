/* blame.c - blame(): which user and version wrote what is in a document. */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "blame.h"
#include "errors.h"
#include "event_scan.h"
#include "pg_alloc.h"
#include "read.h"
#include "utf8.h"

/* Whoever may execute it may read every document, as with the functions of read.c. */

/* U+FFFC, the object replacement character: one unit of text in the place of one embed. */
#define EMBED_TEXT "\357\277\274"

/* Applied changes of a document whose history is read, one after the other. */
static void
apply_events(const DocumentRow *document, int64 after, int64 version, Snapshot snapshot, Blame *blame)
{
	EventScan  *scan = event_scan_begin(document, after + 1, version, false, snapshot);
	CollabError err = {0};
	StoredEvent event;
	Arena		arena;

	pg_arena_init(&arena);
	while (event_scan_next(scan, &event))
	{
		BlameStamp stamp = {event.version, event.author, event.created_at};
		Delta	   change;

		CHECK_FOR_INTERRUPTS();
		read_check_event(delta_decode(&arena, event.op, event.op_bytes, &change, &err), &err, document,
						 &event);
		read_check_event(blame_apply(blame, &change, &stamp, &err), &err, document, &event);
		arena_reset(&arena);
	}
	event_scan_end(scan);
	arena_free(&arena);
}

/* What is left of a history that was deleted: its text is there, its authors are not known any more. */
static void
apply_floor(const DocumentRow *document, Snapshot snapshot, Blame *blame)
{
	const ReadTarget target = {.version = document->first_version, .until = DT_NOEND};
	const BlameStamp stamp = {document->first_version, 0, 0};
	CollabError		 err = {0};
	ReadContent		 content;
	DeltaOp			 op = {.kind = DELTA_INSERT_EMBED};
	Delta			 all = {&op, 1};

	read_content(document, &target, snapshot, &content);
	op.units = replay_length(content.replay);
	if (op.units > 0)
		errors_check(blame_apply(blame, &all, &stamp, &err), &err);
	read_content_free(&content);
}

/* The content as text in which every unit of an embed is one, too. */
static void
read_units(const DocumentRow *document, int64 version, Snapshot snapshot, Buf *out)
{
	const ReadTarget target = {.version = version, .until = DT_NOEND};
	ReadContent		 content;

	read_content(document, &target, snapshot, &content);
	replay_text(content.replay, EMBED_TEXT, out);
	CHECK_FOR_INTERRUPTS();
	if (out->failed)
		errors_raise(COLLAB_NOMEM, &(CollabError){0});
	read_content_free(&content);
}

#define BLAME_COLUMNS 6

static void
put_runs(const DocumentRow *document, const Blame *blame, const Buf *content, Snapshot snapshot,
		 ReturnSetInfo *result)
{
	MemoryContext row_context =
		AllocSetContextCreate(CurrentMemoryContext, "collab blame row", ALLOCSET_DEFAULT_SIZES);
	ReadAuthors authors = {0};
	size_t		offset = 0;
	int64		from = 0;
	BlameCursor cursor;
	BlameRun	run;

	blame_start(blame, &cursor);
	while (blame_next(&cursor, &run))
	{
		/* authors outlive the row */
		text		 *author = run.stamp.version > document->first_version
								   ? read_author(&authors, run.stamp.author, snapshot)
								   : NULL;
		MemoryContext old = MemoryContextSwitchTo(row_context);
		size_t		  bytes = utf8_offset(content->data + offset, content->size - offset, run.units);
		Datum		  values[BLAME_COLUMNS];
		bool		  nulls[BLAME_COLUMNS] = {false};

		CHECK_FOR_INTERRUPTS();
		if (bytes > content->size - offset)
			elog(ERROR, "authors of document \"%s\" do not fit its content", document->doc_id);
		values[0] = Int64GetDatum(from);
		values[1] = Int64GetDatum(from + run.units);
		values[2] = PointerGetDatum(author);
		nulls[2] = author == NULL;
		values[3] = Int64GetDatum(run.stamp.version);
		values[4] = TimestampTzGetDatum(run.stamp.at);
		nulls[4] = run.stamp.version <= document->first_version;
		values[5] = PointerGetDatum(cstring_to_text_with_len(content->data + offset, bytes));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		MemoryContextSwitchTo(old);
		MemoryContextReset(row_context);
		from += run.units;
		offset += bytes;
	}
}

/* blame(doc_id, version) */
PG_FUNCTION_INFO_V1(blame_document);
Datum
blame_document(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Snapshot	   snapshot = GetActiveSnapshot();
	int64		   version = PG_INT64_MAX;
	DocumentRow	   document;
	Blame		  *blame;
	Buf			   content;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	read_document_row(PG_GETARG_TEXT_PP(0), snapshot, &document);
	if (!PG_ARGISNULL(1))
	{
		version = PG_GETARG_INT64(1);
		read_check_version(&document, version, snapshot);
	}

	/* First the content: a version that cannot be read any more is refused there. */
	buf_init(&content, pg_alloc(CurrentMemoryContext));
	read_units(&document, version, snapshot, &content);
	errors_check(blame_create(pg_alloc(CurrentMemoryContext), &blame), &(CollabError){0});
	if (document.first_version > 0)
		apply_floor(&document, snapshot, blame);
	apply_events(&document, document.first_version, version, snapshot, blame);
	put_runs(&document, blame, &content, snapshot, result);
	return (Datum) 0;
}

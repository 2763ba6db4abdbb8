/* restore.c - versions against each other: diff(), and restore(), which makes an old one the newest. */
#include "postgres.h"

#include "fmgr.h"
#include "utils/snapmgr.h"

#include "composed.h"
#include "delta_type.h"
#include "errors.h"
#include "pg_alloc.h"
#include "read.h"
#include "submit.h"

/* diff(doc_id, v1, v2) */
PG_FUNCTION_INFO_V1(diff_versions);
Datum
diff_versions(PG_FUNCTION_ARGS)
{
	Snapshot	snapshot = GetActiveSnapshot();
	int64		from = PG_GETARG_INT64(1);
	int64		to = PG_GETARG_INT64(2);
	DocumentRow document;
	Delta		change;
	Arena		arena;

	read_document_row(PG_GETARG_TEXT_PP(0), snapshot, &document);
	read_check_version(&document, from, snapshot);
	read_check_version(&document, to, snapshot);
	pg_arena_init(&arena);
	composed_change(&document, from, to, snapshot, &arena, &change);
	PG_RETURN_DATUM(delta_to_datum(&change));
}

/* ---- restore ---- */

typedef struct WayBack
{
	int64 head; /* that it leads from */
	int64 head_event;
	Delta change;
} WayBack;

/* Raises where the document has no such version. */
static void
find_way_back(const DocumentRow *document, int64 version, Snapshot snapshot, Arena *arena, WayBack *out)
{
	StoredEvent head;

	read_check_version(document, version, snapshot);
	out->head = 0;
	out->head_event = store_creation_id(document);
	if (store_head(document->key, snapshot, &head))
	{
		out->head = head.version;
		out->head_event = store_event_id(&head);
	}
	composed_way_back(document, out->head, version, snapshot, arena, &out->change);
}

/* restore(doc_id, version) */
PG_FUNCTION_INFO_V1(restore_version);
Datum
restore_version(PG_FUNCTION_ARGS)
{
	DocumentRow document;
	WayBack		way;
	Arena		arena;
	Edit		edit;
	int64		version;
	int64		result;

	submit_enter("collab.restore()");
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("doc_id and version must not be null")));
	version = PG_GETARG_INT64(1);
	pg_arena_init(&arena);

	/*
	 * Before the document is locked, so that nobody waits for a long history, or for a part of it that
	 * has to be fetched; again under the lock only where somebody has edited meanwhile.
	 */
	PushActiveSnapshot(GetLatestSnapshot());
	read_document_row(PG_GETARG_TEXT_PP(0), GetActiveSnapshot(), &document);
	find_way_back(&document, version, GetActiveSnapshot(), &arena, &way);
	PopActiveSnapshot();

	edit_begin(&edit, PG_GETARG_TEXT_PP(0), -1);
	if (edit.tail.version != way.head || edit.tail.event != way.head_event)
		find_way_back(&edit.tail.document, version, edit.tail.snapshot, &arena, &way);
	result = way.head;
	if (way.change.count > 0)
		result = edit_submit(&edit, &way.change);
	edit_finish(&edit);
	submit_leave();
	PG_RETURN_INT64(result);
}

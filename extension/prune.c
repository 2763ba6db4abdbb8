/* prune.c - history that need not be kept any longer is deleted: collab.prune(). */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "applied_clocks.h"
#include "archive.h"
#include "catalog.h"
#include "chunk_store.h"
#include "comment_anchor.h"
#include "document_cache.h"
#include "event_scan.h"
#include "fault.h"
#include "lock.h"
#include "owner_sql.h"
#include "prune.h"
#include "read.h"
#include "retention.h"
#include "submit.h"

/* Events whose clocks are kept at once. */
#define CLOCKS_EVENTS 1000

/* ---- where history begins from now on ---- */

/* A number from one row of one column; `missing` where there is none or it is null. */
static int64
query_int64(const char *sql, int64 doc, Datum second, Oid second_type, int64 missing)
{
	const Oid	types[] = {INT8OID, second_type};
	const Datum values[] = {Int64GetDatum(doc), second};
	int64		result = missing;
	OwnerSql	frame;

	owner_sql_begin(&frame);
	if (owner_sql_execute(sql, lengthof(types), types, values, NULL, true, SPI_OK_SELECT) > 0)
	{
		bool  isnull;
		Datum value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);

		if (!isnull)
			result = DatumGetInt64(value);
	}
	owner_sql_end(&frame);
	return result;
}

/* The newest row that is not younger than the time; 0: all of them are. */
static int64
newest_row_before(int64 doc, TimestampTz before, Snapshot snapshot)
{
	StoreScan  *scan = store_scan_begin(doc, 0, PG_INT64_MAX, false, snapshot);
	int64		version = 0;
	StoredEvent event;

	while (store_scan_next_row(scan, &event) && event.created_at <= before)
		version = event.version;
	store_scan_end(scan);
	return version;
}

/* The version that was current at that time; where it lies in a chunk or a segment, the first version in there. */
static int64
find_floor(int64 doc, TimestampTz before, Snapshot snapshot)
{
	int64 version = newest_row_before(doc, before, snapshot);

	if (version == 0)
		version = query_int64("SELECT max(first_version) FROM collab.chunks"
							  " WHERE doc = $1 AND created_first <= $2",
							  doc, TimestampTzGetDatum(before), TIMESTAMPTZOID, 0);
	if (version == 0)
		version = query_int64("SELECT max(first_version) FROM collab.archives"
							  " WHERE doc = $1 AND created_first <= $2",
							  doc, TimestampTzGetDatum(before), TIMESTAMPTZOID, 0);
	return version;
}

/* ---- what goes ---- */

/* Rows below the floor: their clocks are kept, as folding keeps those of events in chunks. */
static void
delete_rows(int64 doc, int64 floor, Snapshot snapshot)
{
	StoredEvent *events = palloc_array(StoredEvent, CLOCKS_EVENTS);
	StoreScan	*scan = store_scan_begin(doc, 0, floor - 1, false, snapshot);
	int			 count = 0;
	bool		 more;

	do
	{
		more = store_scan_next_row(scan, &events[count]);
		count += more;
		if (count == CLOCKS_EVENTS || (!more && count > 0))
		{
			applied_clocks_keep(events, count);
			count = 0;
		}
	} while (more);
	store_scan_end(scan);
	pfree(events);
	FAULT_POINT("prune_clocks");
	(void) store_delete_events(doc, 0, floor - 1, snapshot);
}

/* What only says something about versions below the floor. A version with a name keeps its snapshot. */
static void
delete_derived(int64 doc, int64 floor)
{
	static const char *const statements[] = {
		"DELETE FROM collab.snapshots s WHERE s.doc = $1 AND s.version < $2 AND NOT EXISTS"
		" (SELECT FROM collab.named_versions n WHERE n.doc = s.doc AND n.version = s.version)",
		"DELETE FROM collab.undone WHERE doc = $1 AND version < $2",
	};
	const Oid	types[] = {INT8OID, INT8OID};
	const Datum values[] = {Int64GetDatum(doc), Int64GetDatum(floor)};
	OwnerSql	frame;
	int			i;

	owner_sql_begin(&frame);
	for (i = 0; i < (int) lengthof(statements); i++)
		(void) owner_sql_execute(statements[i], lengthof(types), types, values, NULL, false, SPI_OK_DELETE);
	owner_sql_end(&frame);
}

static void
set_first_version(int64 doc, int64 floor)
{
	const Oid	types[] = {INT8OID, INT8OID};
	const Datum values[] = {Int64GetDatum(doc), Int64GetDatum(floor)};
	OwnerSql	frame;

	owner_sql_begin(&frame);
	(void) owner_sql_execute("UPDATE collab.documents SET first_version = $2 WHERE key = $1", lengthof(types),
							 types, values, NULL, false, SPI_OK_UPDATE);
	owner_sql_end(&frame);
	document_cache_changed();
}

static void
prune_below(const DocumentRow *document, const StoredEvent *floor, Snapshot snapshot)
{
	read_write_snapshot(document, floor, snapshot, true);
	FAULT_POINT("prune_floor");
	archive_forget(document->key, floor->version - 1);
	(void) chunk_store_delete(document->key, 0, floor->version - 1);
	FAULT_POINT("prune_chunks");
	delete_rows(document->key, floor->version, snapshot);
	delete_derived(document->key, floor->version);
	set_first_version(document->key, floor->version);
	FAULT_POINT("prune_done");
}

int64
prune_history(int64 doc, TimestampTz before, bool wait)
{
	int64		pruned = 0;
	Snapshot	snapshot;
	Retention	retention;
	DocumentRow document;
	StoredEvent floor;

	/* It would leave comments behind that it does not see, without the history that carries them. */
	if (IsolationUsesXactSnapshot())
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("history is pruned at isolation level READ COMMITTED only")));
	if (!OidIsValid(catalog_get()->snapshots.table) || !lock_derived(doc, wait))
		return 0;
	PushActiveSnapshot(GetLatestSnapshot());
	snapshot = GetActiveSnapshot();
	/* Somebody may have said meanwhile that it is to be kept. */
	retention_get(doc, &retention);
	if (retention.prunes && store_document_by_key(doc, snapshot, &document))
	{
		int64 version = find_floor(doc, Min(before, retention.prune_before), snapshot);

		if (version > Max(document.first_version, 1) && event_at(&document, version, snapshot, &floor) &&
			comment_advance_floor(&document, version, wait))
		{
			pruned = version - Max(document.first_version, 1);
			prune_below(&document, &floor, snapshot);
		}
	}
	PopActiveSnapshot();
	return pruned;
}

/* prune(doc_id) */
PG_FUNCTION_INFO_V1(prune);
Datum
prune(PG_FUNCTION_ARGS)
{
	DocumentRow document;
	int64		pruned;

	submit_enter("collab.prune()");
	read_document_row(PG_GETARG_TEXT_PP(0), GetActiveSnapshot(), &document);
	pruned = prune_history(document.key, DT_NOEND, true);
	submit_leave();
	PG_RETURN_INT64(pruned);
}

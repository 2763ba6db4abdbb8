/* snapshot.c - rows of collab.snapshots: found, checked, written, thinned out. */
#include "postgres.h"

#include "access/detoast.h"
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/parallel.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "fmgr.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "dirty.h"
#include "hash.h"
#include "snapshot.h"
#include "snapshot_rule.h"
#include "store_insert.h"
#include "subtransaction.h"

enum
{
	SNAPSHOTS_DOC,
	SNAPSHOTS_VERSION,
	SNAPSHOTS_EVENT,
	SNAPSHOTS_LENGTH,
	SNAPSHOTS_CREATED_AT,
	SNAPSHOTS_WRITTEN_AT,
	SNAPSHOTS_ASTRAL,
	SNAPSHOTS_PINNED,
	SNAPSHOTS_CHECKSUM,
	SNAPSHOTS_CONTENT,
	SNAPSHOTS_NATTS
};

/* Broken ones that this process has warned of already. */
#define REPORTED_MAX 32

static struct
{
	int64 doc;
	int64 version;
} reported[REPORTED_MAX];
static int nreported = 0;

/* ---- scans ---- */

typedef struct SnapshotScan
{
	Relation	rel;
	Relation	index;
	SysScanDesc scan;
	HeapTuple	tuple;
	SnapshotRow row; /* without content */
	int64		checksum;
	Datum		content; /* as it is stored */
} SnapshotScan;

/* Those with `strategy` (a comparison of btrees) to a version. False: the table is not there yet. */
static bool
scan_begin_where(SnapshotScan *scan, int64 doc, StrategyNumber strategy, RegProcedure comparison,
				 int64 version, Snapshot snapshot, LOCKMODE lock)
{
	const CatalogTable *table = &catalog_get()->snapshots;
	Oid					pkey = table->pkey;
	ScanKeyData			keys[2];

	if (!OidIsValid(table->table))
		return false;
	scan->rel = table_open(table->table, lock);
	scan->index = index_open(pkey, AccessShareLock);
	ScanKeyInit(&keys[0], SNAPSHOTS_DOC + 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(doc));
	ScanKeyInit(&keys[1], SNAPSHOTS_VERSION + 1, strategy, comparison, Int64GetDatum(version));
	scan->scan = systable_beginscan_ordered(scan->rel, scan->index, snapshot, 2, keys);
	return true;
}

static bool
scan_begin(SnapshotScan *scan, int64 doc, int64 at_or_below, Snapshot snapshot, LOCKMODE lock)
{
	return scan_begin_where(scan, doc, BTLessEqualStrategyNumber, F_INT8LE, at_or_below, snapshot, lock);
}

static bool
scan_step(SnapshotScan *scan, ScanDirection direction)
{
	Datum		 values[SNAPSHOTS_NATTS];
	bool		 nulls[SNAPSHOTS_NATTS];
	SnapshotRow *row = &scan->row;

	scan->tuple = systable_getnext_ordered(scan->scan, direction);
	if (!HeapTupleIsValid(scan->tuple))
		return false;
	heap_deform_tuple(scan->tuple, RelationGetDescr(scan->rel), values, nulls);
	memset(row, 0, sizeof(SnapshotRow));
	row->doc = DatumGetInt64(values[SNAPSHOTS_DOC]);
	row->version = DatumGetInt64(values[SNAPSHOTS_VERSION]);
	row->event = DatumGetInt64(values[SNAPSHOTS_EVENT]);
	row->length = DatumGetInt64(values[SNAPSHOTS_LENGTH]);
	row->created_at = DatumGetTimestampTz(values[SNAPSHOTS_CREATED_AT]);
	row->written_at = DatumGetTimestampTz(values[SNAPSHOTS_WRITTEN_AT]);
	row->astral = DatumGetBool(values[SNAPSHOTS_ASTRAL]);
	row->pinned = DatumGetBool(values[SNAPSHOTS_PINNED]);
	scan->checksum = DatumGetInt64(values[SNAPSHOTS_CHECKSUM]);
	scan->content = values[SNAPSHOTS_CONTENT];
	return true;
}

/* Newest first. */
static bool
scan_next(SnapshotScan *scan)
{
	return scan_step(scan, BackwardScanDirection);
}

static void
scan_end(SnapshotScan *scan)
{
	systable_endscan_ordered(scan->scan);
	index_close(scan->index, NoLock);
	table_close(scan->rel, NoLock);
}

static void
scan_delete(SnapshotScan *scan)
{
	simple_table_tuple_delete(scan->rel, &scan->tuple->t_self, GetActiveSnapshot());
}

/* ---- content ---- */

static int64
checksum(const SnapshotRow *row)
{
	int64 fields[] = {row->doc,		   row->version,	row->event,	 row->length,
					  row->created_at, row->written_at, row->astral, row->pinned};

	return collab_row_checksum(fields, lengthof(fields), row->content, row->content_bytes);
}

/*
 * What cannot be put together or unpacked any more is as broken as what has another checksum. The error is
 * caught in a subtransaction, which gives back what the reading of it held; in a parallel worker there are none: there it is
 * an error.
 */
static struct varlena *
fetch(struct varlena *stored)
{
	struct varlena *volatile fetched = NULL;
	Subtransaction sub;

	if (!VARATT_IS_EXTENDED(stored) || IsInParallelMode())
		return pg_detoast_datum_copy(stored);

	subtransaction_begin(&sub);
	PG_TRY();
	{
		fetched = pg_detoast_datum_copy(stored);
		subtransaction_commit(&sub);
	}
	PG_CATCH();
	{
		ErrorData *error = subtransaction_roll_back(&sub);

		if (error->sqlerrcode != ERRCODE_DATA_CORRUPTED && error->sqlerrcode != ERRCODE_INTERNAL_ERROR)
			ReThrowError(error);
		FreeErrorData(error);
		fetched = NULL;
	}
	PG_END_TRY();
	return fetched;
}

/* Fills in the content. False: the row is broken. */
static bool
load(SnapshotScan *scan)
{
	SnapshotRow *row = &scan->row;

	row->memory = fetch((struct varlena *) DatumGetPointer(scan->content));
	if (row->memory == NULL)
		return false;
	row->content = (const uint8_t *) VARDATA_ANY(row->memory);
	row->content_bytes = VARSIZE_ANY_EXHDR(row->memory);
	if (checksum(row) == scan->checksum)
		return true;
	snapshot_free(row);
	return false;
}

void
snapshot_free(SnapshotRow *row)
{
	if (row->memory != NULL)
		pfree(row->memory);
	row->memory = NULL;
	row->content = NULL;
}

/* Each is reported once by a process: a warning for every reading of a busy document would fill the log. */
static void
report(const SnapshotRow *row)
{
	int i;

	for (i = 0; i < Min(nreported, REPORTED_MAX); i++)
		if (reported[i].doc == row->doc && reported[i].version == row->version)
			return;
	reported[nreported % REPORTED_MAX].doc = row->doc;
	reported[nreported % REPORTED_MAX].version = row->version;
	nreported++;
	ereport(
		WARNING,
		(errcode(ERRCODE_DATA_CORRUPTED),
		 errmsg("snapshot of version " INT64_FORMAT " of the document with key " INT64_FORMAT " is broken",
				row->version, row->doc),
		 errdetail(
			 "It is not used; content is rebuilt from an older one and the events after it, if they are there.")));
	dirty_note_suspect(row->doc);
}

/* ---- reading ---- */

bool
snapshot_nearest(int64 doc, int64 at_or_below, TimestampTz until, Snapshot snapshot, SnapshotRow *out)
{
	SnapshotScan scan;
	bool		 found = false;

	if (!scan_begin(&scan, doc, at_or_below, snapshot, AccessShareLock))
		return false;
	while (!found && scan_next(&scan))
	{
		if (scan.row.created_at > until)
			continue;
		found = load(&scan);
		if (!found)
			report(&scan.row);
	}
	scan_end(&scan);
	if (found)
		*out = scan.row;
	return found;
}

bool
snapshot_next(int64 doc, int64 after, Snapshot snapshot, SnapshotRow *out)
{
	SnapshotScan scan;
	bool		 found;

	if (!scan_begin_where(&scan, doc, BTGreaterStrategyNumber, F_INT8GT, after, snapshot, AccessShareLock))
		return false;
	found = scan_step(&scan, ForwardScanDirection);
	if (found)
	{
		(void) load(&scan);
		*out = scan.row;
	}
	scan_end(&scan);
	return found;
}

int64
snapshot_newest_version(int64 doc, Snapshot snapshot)
{
	SnapshotScan scan;
	int64		 version = -1;

	if (!scan_begin(&scan, doc, PG_INT64_MAX, snapshot, AccessShareLock))
		return -1;
	if (scan_next(&scan))
		version = scan.row.version;
	scan_end(&scan);
	return version;
}

/* ---- writing ---- */

static void
insert(const SnapshotRow *row)
{
	struct varlena *content = palloc(VARHDRSZ + row->content_bytes);
	Datum			values[SNAPSHOTS_NATTS];

	SET_VARSIZE(content, VARHDRSZ + row->content_bytes);
	memcpy(VARDATA(content), row->content, row->content_bytes);
	values[SNAPSHOTS_DOC] = Int64GetDatum(row->doc);
	values[SNAPSHOTS_VERSION] = Int64GetDatum(row->version);
	values[SNAPSHOTS_EVENT] = Int64GetDatum(row->event);
	values[SNAPSHOTS_LENGTH] = Int64GetDatum(row->length);
	values[SNAPSHOTS_CREATED_AT] = TimestampTzGetDatum(row->created_at);
	values[SNAPSHOTS_WRITTEN_AT] = TimestampTzGetDatum(row->written_at);
	values[SNAPSHOTS_ASTRAL] = BoolGetDatum(row->astral);
	values[SNAPSHOTS_PINNED] = BoolGetDatum(row->pinned);
	values[SNAPSHOTS_CHECKSUM] = Int64GetDatum(checksum(row));
	values[SNAPSHOTS_CONTENT] = PointerGetDatum(content);
	store_insert_row(catalog_get()->snapshots.table, values, NULL);
	pfree(content);
}

void
snapshot_write(const SnapshotRow *row)
{
	SnapshotRow	 written = *row;
	SnapshotScan scan;

	if (!scan_begin(&scan, row->doc, row->version, GetActiveSnapshot(), RowExclusiveLock))
		return;
	if (scan_next(&scan) && scan.row.version == row->version)
	{
		written.pinned |= scan.row.pinned;
		scan_delete(&scan);
	}
	scan_end(&scan);
	insert(&written);
}

bool
snapshot_set_pinned(int64 doc, int64 version, bool pinned)
{
	SnapshotScan scan;
	bool		 found;

	if (!scan_begin(&scan, doc, version, GetActiveSnapshot(), RowExclusiveLock))
		return false;
	found = scan_next(&scan) && scan.row.version == version && load(&scan);
	if (found && scan.row.pinned != pinned)
	{
		scan_delete(&scan);
		scan.row.pinned = pinned;
	}
	else if (found)
		snapshot_free(&scan.row); /* nothing to change */
	scan_end(&scan);
	if (found && scan.row.memory != NULL)
	{
		insert(&scan.row);
		snapshot_free(&scan.row);
	}
	return found;
}

int
snapshot_thin(int64 doc)
{
	SnapshotScan scan;
	int64		 above = -1; /* the lowest that is kept so far */
	int			 deleted = 0;
	bool		 more;

	if (!scan_begin(&scan, doc, PG_INT64_MAX, GetActiveSnapshot(), RowExclusiveLock))
		return 0;

	/*
	 * From the newest down: one may go if the next older one, or the beginning, is near enough to the
	 * kept one above. The older one is looked at before the newer one is deleted.
	 */
	more = scan_next(&scan);
	while (more)
	{
		ItemPointerData tid = scan.tuple->t_self;
		int64			version = scan.row.version;
		bool			pinned = scan.row.pinned;
		int64			spacing = snapshot_spacing(toast_raw_datum_size(scan.content) - VARHDRSZ);

		more = scan_next(&scan);
		if (above >= 0 && !pinned && above - (more ? scan.row.version : 0) <= spacing)
		{
			simple_table_tuple_delete(scan.rel, &tid, GetActiveSnapshot());
			deleted++;
		}
		else
			above = version;
	}
	scan_end(&scan);
	return deleted;
}

void
snapshot_delete_all(int64 doc)
{
	SnapshotScan scan;

	if (!scan_begin(&scan, doc, PG_INT64_MAX, GetActiveSnapshot(), RowExclusiveLock))
		return;
	while (scan_next(&scan))
		scan_delete(&scan);
	scan_end(&scan);
}

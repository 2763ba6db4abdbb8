/* chunk_store.c - rows of collab.chunks: found by version, inserted, deleted. */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "chunk_store.h"
#include "compat.h"
#include "store_insert.h"

enum
{
	CHUNKS_DOC,
	CHUNKS_FIRST_VERSION,
	CHUNKS_LAST_VERSION,
	CHUNKS_CREATED_FIRST,
	CHUNKS_CREATED_LAST,
	CHUNKS_EVENTS,
	CHUNKS_RAW_BYTES,
	CHUNKS_CHECKSUM,
	CHUNKS_PAYLOAD,
	CHUNKS_NATTS
};

typedef struct ChunkScan
{
	Relation	rel;
	Relation	index;
	SysScanDesc scan;
	HeapTuple	tuple;
	ChunkRow	row;	 /* without payload */
	Datum		payload; /* as it is stored */
} ChunkScan;

/* Chunks that begin at a version or below it, newest first. False: the table is not there yet. */
static bool
scan_begin(ChunkScan *scan, int64 doc, int64 at_or_below, Snapshot snapshot, LOCKMODE lock)
{
	CatalogTable table = catalog_get()->chunks;
	ScanKeyData	 keys[2];

	if (!OidIsValid(table.table))
		return false;
	scan->rel = table_open(table.table, lock);
	scan->index = index_open(table.pkey, AccessShareLock);
	ScanKeyInit(&keys[0], CHUNKS_DOC + 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(doc));
	ScanKeyInit(&keys[1], CHUNKS_FIRST_VERSION + 1, BTLessEqualStrategyNumber, F_INT8LE,
				Int64GetDatum(at_or_below));
	scan->scan = systable_beginscan_ordered(scan->rel, scan->index, snapshot, 2, keys);
	return true;
}

static bool
scan_next(ChunkScan *scan)
{
	Datum	  values[CHUNKS_NATTS];
	bool	  nulls[CHUNKS_NATTS];
	ChunkRow *row = &scan->row;

	scan->tuple = systable_getnext_ordered(scan->scan, BackwardScanDirection);
	if (!HeapTupleIsValid(scan->tuple))
		return false;
	heap_deform_tuple(scan->tuple, RelationGetDescr(scan->rel), values, nulls);
	row->doc = DatumGetInt64(values[CHUNKS_DOC]);
	row->first_version = DatumGetInt64(values[CHUNKS_FIRST_VERSION]);
	row->last_version = DatumGetInt64(values[CHUNKS_LAST_VERSION]);
	row->created_first = DatumGetTimestampTz(values[CHUNKS_CREATED_FIRST]);
	row->created_last = DatumGetTimestampTz(values[CHUNKS_CREATED_LAST]);
	row->events = DatumGetInt32(values[CHUNKS_EVENTS]);
	row->raw_bytes = DatumGetInt32(values[CHUNKS_RAW_BYTES]);
	row->checksum = DatumGetInt64(values[CHUNKS_CHECKSUM]);
	row->payload = NULL;
	scan->payload = values[CHUNKS_PAYLOAD];
	return true;
}

static void
scan_end(ChunkScan *scan)
{
	systable_endscan_ordered(scan->scan);
	index_close(scan->index, NoLock);
	table_close(scan->rel, NoLock);
}

/* ---- reading ---- */

bool
chunk_store_find(int64 doc, int64 version, Snapshot snapshot, bool payload, ChunkRow *out)
{
	ChunkScan scan;
	bool	  found;

	if (!scan_begin(&scan, doc, version, snapshot, AccessShareLock))
		return false;
	found = scan_next(&scan) && scan.row.last_version >= version;
	if (found)
	{
		*out = scan.row;
		if (payload)
			out->payload = DatumGetByteaPCopy(scan.payload);
	}
	scan_end(&scan);
	return found;
}

bool
chunk_store_last(int64 doc, Snapshot snapshot, ChunkRow *out)
{
	ChunkScan scan;
	bool	  found;

	if (!scan_begin(&scan, doc, PG_INT64_MAX, snapshot, AccessShareLock))
		return false;
	found = scan_next(&scan);
	if (found)
		*out = scan.row;
	scan_end(&scan);
	return found;
}

/* ---- writing ---- */

void
chunk_store_insert(const ChunkInfo *info, const char *payload, size_t bytes)
{
	bytea *stored = palloc(VARHDRSZ + bytes);
	Datum  values[CHUNKS_NATTS];

	SET_VARSIZE(stored, VARHDRSZ + bytes);
	memcpy(VARDATA(stored), payload, bytes);
	values[CHUNKS_DOC] = Int64GetDatum(info->doc);
	values[CHUNKS_FIRST_VERSION] = Int64GetDatum(info->first_version);
	values[CHUNKS_LAST_VERSION] = Int64GetDatum(info->last_version);
	values[CHUNKS_CREATED_FIRST] = TimestampTzGetDatum(info->created_first);
	values[CHUNKS_CREATED_LAST] = TimestampTzGetDatum(info->created_last);
	values[CHUNKS_EVENTS] = Int32GetDatum((int32) info->events);
	values[CHUNKS_RAW_BYTES] = Int32GetDatum((int32) info->raw_bytes);
	values[CHUNKS_CHECKSUM] = Int64GetDatum(info->checksum);
	values[CHUNKS_PAYLOAD] = PointerGetDatum(stored);
	store_insert_row(catalog_get()->chunks.table, values, NULL);
	pfree(stored);
}

int
chunk_store_delete(int64 doc, int64 from, int64 to)
{
	ChunkScan scan;
	int		  deleted = 0;

	if (!scan_begin(&scan, doc, to, GetActiveSnapshot(), RowExclusiveLock))
		return 0;
	store_refuse_triggers(scan.rel, true);
	while (scan_next(&scan) && scan.row.first_version >= from)
	{
		if (scan.row.last_version > to)
			continue;
		simple_table_tuple_delete(scan.rel, &scan.tuple->t_self, GetActiveSnapshot());
		deleted++;
	}
	scan_end(&scan);
	CommandCounterIncrement();
	return deleted;
}

/* store_events.c - rows of events: scanned by version in either direction, appended in one multi-insert per leaf. */
#include "postgres.h"

#include "access/detoast.h"
#include "access/genam.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "store.h"
#include "store_insert.h"
#include "store_read.h"

enum
{
	EVENTS_DOC,
	EVENTS_VERSION,
	EVENTS_SITE,
	EVENTS_CLOCK,
	EVENTS_BASE_VERSION,
	EVENTS_AUTHOR,
	EVENTS_LENGTH,
	EVENTS_CREATED_AT,
	EVENTS_ASTRAL,
	EVENTS_OP,
	EVENTS_CHECKSUM /* not in a schema of version 0.1.0 */
};

/*
 * Rows per multi-insert: bounds the memory of a long list, and is far beyond where more would be
 * faster.
 */
#define APPEND_CHUNK 1000

struct StoreScan
{
	Relation		leaf;
	Relation		index;
	IndexScanDesc	scan;
	ScanDirection	direction;
	TupleTableSlot *slot;
	struct varlena *detoasted; /* the last op, where it had to be copied */
};

/*
 * Opens what a scan needs. The locks stay until the end of the transaction, as those of a query
 * would.
 */
static void
open_scan(StoreScan *scan, const CatalogTable *table, int nkeys, Snapshot snapshot)
{
	scan->leaf = table_open(table->table, AccessShareLock);
	scan->index = index_open(table->pkey, AccessShareLock);
	scan->slot = table_slot_create(scan->leaf, NULL);
	scan->scan = index_beginscan(scan->leaf, scan->index, snapshot, nkeys, 0);
}

static void
close_scan(StoreScan *scan)
{
	if (scan->detoasted != NULL)
		pfree(scan->detoasted);
	index_endscan(scan->scan);
	ExecDropSingleTupleTableSlot(scan->slot);
	index_close(scan->index, NoLock);
	table_close(scan->leaf, NoLock);
}

StoreScan *
store_scan_begin(int64 doc, int64 from, int64 to, bool backward, Snapshot snapshot)
{
	StoreScan  *scan = palloc0_object(StoreScan);
	ScanKeyData keys[3];
	int			nkeys = 0;

	ScanKeyInit(&keys[nkeys++], EVENTS_DOC + 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(doc));
	ScanKeyInit(&keys[nkeys++], EVENTS_VERSION + 1, BTGreaterEqualStrategyNumber, F_INT8GE,
				Int64GetDatum(from));
	if (to != PG_INT64_MAX)
		ScanKeyInit(&keys[nkeys++], EVENTS_VERSION + 1, BTLessEqualStrategyNumber, F_INT8LE,
					Int64GetDatum(to));

	open_scan(scan, &catalog_get()->leaves[catalog_leaf(doc)], nkeys, snapshot);
	scan->direction = backward ? BackwardScanDirection : ForwardScanDirection;
	index_rescan(scan->scan, keys, nkeys, NULL, 0);
	return scan;
}

static void
read_event(StoreScan *scan, StoredEvent *out)
{
	Datum *values = scan->slot->tts_values;

	slot_getallattrs(scan->slot);
	out->doc = DatumGetInt64(values[EVENTS_DOC]);
	out->version = DatumGetInt64(values[EVENTS_VERSION]);
	out->site = DatumGetInt64(values[EVENTS_SITE]);
	out->clock = DatumGetInt64(values[EVENTS_CLOCK]);
	out->base_version = DatumGetInt64(values[EVENTS_BASE_VERSION]);
	out->author = DatumGetInt64(values[EVENTS_AUTHOR]);
	out->length = DatumGetInt64(values[EVENTS_LENGTH]);
	out->created_at = DatumGetTimestampTz(values[EVENTS_CREATED_AT]);
	out->astral = DatumGetBool(values[EVENTS_ASTRAL]);
	out->op = NULL;
	out->op_bytes = 0;
}

/* Rows of version 0.1.0 have no checksum. */
static void
check_event(const StoreScan *scan, const StoredEvent *event)
{
	DocumentRow document;

	if (scan->slot->tts_nvalid <= EVENTS_CHECKSUM || scan->slot->tts_isnull[EVENTS_CHECKSUM] ||
		likely(DatumGetUInt32(scan->slot->tts_values[EVENTS_CHECKSUM]) == event_checksum(event)))
		return;
	if (!store_document_by_key(event->doc, scan->scan->xs_snapshot, &document))
		snprintf(document.doc_id, sizeof(document.doc_id), INT64_FORMAT, event->doc);
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("event " INT64_FORMAT " of document \"%s\" is corrupt", event->version, document.doc_id),
			 errdetail("Its checksum does not match its content.")));
}

void
store_scan_fetch_op(StoreScan *scan, StoredEvent *out)
{
	struct varlena *stored = (struct varlena *) DatumGetPointer(scan->slot->tts_values[EVENTS_OP]);
	struct varlena *op = pg_detoast_datum_packed(stored);

	if (op != stored)
		scan->detoasted = op;
	out->op = (const uint8_t *) VARDATA_ANY(op);
	out->op_bytes = VARSIZE_ANY_EXHDR(op);
	check_event(scan, out);
}

int64
store_scan_op_bytes(StoreScan *scan)
{
	return (int64) toast_raw_datum_size(scan->slot->tts_values[EVENTS_OP]) - VARHDRSZ;
}

bool
store_scan_next_row(StoreScan *scan, StoredEvent *out)
{
	CHECK_FOR_INTERRUPTS();

	if (scan->detoasted != NULL)
	{
		pfree(scan->detoasted);
		scan->detoasted = NULL;
	}
	if (!index_getnext_slot(scan->scan, scan->direction, scan->slot))
		return false;
	read_event(scan, out);
	return true;
}

void
store_scan_end(StoreScan *scan)
{
	close_scan(scan);
	pfree(scan);
}

bool
store_head(int64 doc, Snapshot snapshot, StoredEvent *out)
{
	StoreScan *scan = store_scan_begin(doc, 0, PG_INT64_MAX, true, snapshot);
	bool	   found = store_scan_next_row(scan, out);

	store_scan_end(scan);
	return found;
}

/* ---- reading for many documents ---- */

struct StoreReader
{
	Snapshot	snapshot;
	ScanKeyData keys[2]; /* (doc, version >= from); the first alone for a document */
	StoreScan	documents;
	StoreScan	events; /* of the leaf that was asked for last; a scan of an index takes 27 kB */
	int			leaf;	/* -1: of none yet */
};

StoreReader *
store_reader_open(Snapshot snapshot)
{
	StoreReader *reader = palloc0_object(StoreReader);

	reader->snapshot = snapshot;
	reader->leaf = -1;
	ScanKeyInit(&reader->keys[0], EVENTS_DOC + 1, BTEqualStrategyNumber, F_INT8EQ, (Datum) 0);
	ScanKeyInit(&reader->keys[1], EVENTS_VERSION + 1, BTGreaterEqualStrategyNumber, F_INT8GE, (Datum) 0);
	open_scan(&reader->documents, &catalog_get()->documents, 1, snapshot);
	return reader;
}

void
store_reader_close(StoreReader *reader)
{
	if (reader->leaf >= 0)
		close_scan(&reader->events);
	close_scan(&reader->documents);
	pfree(reader);
}

bool
store_reader_document(StoreReader *reader, int64 key, DocumentRow *out, bool *committed)
{
	StoreScan *scan = &reader->documents;

	reader->keys[0].sk_argument = Int64GetDatum(key);
	index_rescan(scan->scan, reader->keys, 1, NULL, 0);
	if (!index_getnext_slot(scan->scan, ForwardScanDirection, scan->slot))
		return false;
	store_read_document(scan->slot, out);
	if (committed != NULL)
	{
		bool  isnull;
		Datum xmin = slot_getsysattr(scan->slot, MinTransactionIdAttributeNumber, &isnull);

		*committed = !TransactionIdIsCurrentTransactionId(DatumGetTransactionId(xmin));
	}
	return true;
}

StoreScan *
store_reader_events(StoreReader *reader, int64 doc, int64 from)
{
	StoreScan *scan = &reader->events;
	int		   leaf = catalog_leaf(doc);

	if (reader->leaf != leaf)
	{
		if (reader->leaf >= 0)
			close_scan(scan);
		memset(scan, 0, sizeof(StoreScan));
		open_scan(scan, &catalog_get()->leaves[leaf], 2, reader->snapshot);
		scan->direction = BackwardScanDirection;
		reader->leaf = leaf;
	}
	reader->keys[0].sk_argument = Int64GetDatum(doc);
	reader->keys[1].sk_argument = Int64GetDatum(from);
	index_rescan(scan->scan, reader->keys, 2, NULL, 0);
	return scan;
}

/* ---- append ---- */

static void
fill_slot(TupleTableSlot *slot, const StoredEvent *event)
{
	Datum		   *values = slot->tts_values;
	struct varlena *op = palloc(VARHDRSZ + event->op_bytes);

	SET_VARSIZE(op, VARHDRSZ + event->op_bytes);
	memcpy(VARDATA(op), event->op, event->op_bytes);

	ExecClearTuple(slot);
	values[EVENTS_DOC] = Int64GetDatum(event->doc);
	values[EVENTS_VERSION] = Int64GetDatum(event->version);
	values[EVENTS_SITE] = Int64GetDatum(event->site);
	values[EVENTS_CLOCK] = Int64GetDatum(event->clock);
	values[EVENTS_BASE_VERSION] = Int64GetDatum(event->base_version);
	values[EVENTS_AUTHOR] = Int64GetDatum(event->author);
	values[EVENTS_LENGTH] = Int64GetDatum(event->length);
	values[EVENTS_CREATED_AT] = TimestampTzGetDatum(event->created_at);
	values[EVENTS_ASTRAL] = BoolGetDatum(event->astral);
	values[EVENTS_OP] = PointerGetDatum(op);
	if (slot->tts_tupleDescriptor->natts > EVENTS_CHECKSUM)
		values[EVENTS_CHECKSUM] = UInt32GetDatum(event_checksum(event));
	memset(slot->tts_isnull, 0, slot->tts_tupleDescriptor->natts * sizeof(bool));
	ExecStoreVirtualTuple(slot);
}

/* Rows of one leaf, as given: versions of a document stay in order. */
static void
append_leaf(EState *estate, const CatalogTable *table, TupleTableSlot **slots, int nslots,
			StoredEvent **events, int count)
{
	Relation leaf = table_open(table->table, RowExclusiveLock);
	int		 from;
	int		 i;

	for (from = 0; from < count; from += nslots)
	{
		int n = Min(count - from, nslots);

		for (i = 0; i < n; i++)
			fill_slot(slots[i], events[from + i]);
		store_insert_rows(estate, leaf, slots, n);
	}
	table_close(leaf, NoLock);
}

/* The events leaf by leaf; starts[i] is where those of leaf i begin. */
static StoredEvent **
sort_by_leaf(StoredEvent **events, int count, int *starts)
{
	StoredEvent **sorted = palloc_array(StoredEvent *, count);
	uint8		 *leaves = palloc_array(uint8, count);
	int			  next[CATALOG_LEAVES];
	int			  i;

	memset(starts, 0, (CATALOG_LEAVES + 1) * sizeof(int));
	for (i = 0; i < count; i++)
	{
		leaves[i] = (uint8) catalog_leaf(events[i]->doc);
		starts[leaves[i] + 1]++;
	}
	for (i = 0; i < CATALOG_LEAVES; i++)
	{
		starts[i + 1] += starts[i];
		next[i] = starts[i];
	}
	for (i = 0; i < count; i++)
		sorted[next[leaves[i]]++] = events[i];
	return sorted;
}

void
store_append(StoredEvent **events, int count)
{
	EState			*estate = CreateExecutorState();
	MemoryContext	 old = MemoryContextSwitchTo(estate->es_query_cxt);
	Catalog			 catalog = *catalog_get();
	Relation		 root = table_open(catalog.events, RowExclusiveLock);
	int				 nslots = Min(count, APPEND_CHUNK);
	TupleTableSlot **slots = palloc_array(TupleTableSlot *, nslots);
	TupleDesc		 desc;
	StoredEvent	   **sorted;
	int				 starts[CATALOG_LEAVES + 1];
	int				 i;

	/* Statement triggers stand at the root only. */
	store_refuse_triggers(root, false);

	/*
	 * All leaves have the columns of the root, and virtual slots ask for no more. A copy of its
	 * descriptor is not counted.
	 */
	desc = CreateTupleDescCopy(RelationGetDescr(root));
	for (i = 0; i < nslots; i++)
		slots[i] = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);

	sorted = sort_by_leaf(events, count, starts);
	for (i = 0; i < CATALOG_LEAVES; i++)
		if (starts[i + 1] > starts[i])
			append_leaf(estate, &catalog.leaves[i], slots, nslots, &sorted[starts[i]],
						starts[i + 1] - starts[i]);

	/* The slots hold nothing that the state's memory does not. */
	table_close(root, NoLock);
	MemoryContextSwitchTo(old);
	store_insert_end(estate);
}

/* ---- delete ---- */

int
store_delete_events(int64 doc, int64 from, int64 to, Snapshot snapshot)
{
	CatalogTable table = catalog_get()->leaves[catalog_leaf(doc)];
	Oid			 events = catalog_get()->events;
	Relation	 root = table_open(events, RowExclusiveLock);
	Relation	 leaf = table_open(table.table, RowExclusiveLock);
	int			 deleted = 0;
	ScanKeyData	 keys[3];
	SysScanDesc	 scan;
	HeapTuple	 tuple;

	store_refuse_triggers(root, true);
	store_refuse_triggers(leaf, true);
	ScanKeyInit(&keys[0], EVENTS_DOC + 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(doc));
	ScanKeyInit(&keys[1], EVENTS_VERSION + 1, BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(from));
	ScanKeyInit(&keys[2], EVENTS_VERSION + 1, BTLessEqualStrategyNumber, F_INT8LE, Int64GetDatum(to));
	scan = systable_beginscan(leaf, table.pkey, true, snapshot, lengthof(keys), keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		CHECK_FOR_INTERRUPTS();
		simple_table_tuple_delete(leaf, &tuple->t_self, snapshot);
		deleted++;
	}
	systable_endscan(scan);
	table_close(leaf, NoLock);
	table_close(root, NoLock);
	CommandCounterIncrement();
	return deleted;
}

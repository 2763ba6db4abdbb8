/* applied_clocks.c - of every editor the newest edit that a document contains. */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/rel.h"

#include "applied_clocks.h"
#include "catalog.h"
#include "owner_sql.h"

enum
{
	CLOCKS_DOC,
	CLOCKS_AUTHOR,
	CLOCKS_SITE,
	CLOCKS_CLOCK
};

/* ---- reading ---- */

static int64
newest_row(int64 doc, int64 author, int64 site, Snapshot snapshot)
{
	StoreScan  *scan = store_scan_begin(doc, 0, PG_INT64_MAX, true, snapshot);
	int64		clock = 0;
	StoredEvent event;

	while (clock == 0 && store_scan_next_row(scan, &event))
		if (event.site == site && event.author == author)
			clock = event.clock;
	store_scan_end(scan);
	return clock;
}

static int64
kept_clock(int64 doc, int64 author, int64 site, Snapshot snapshot)
{
	CatalogTable table = catalog_get()->applied_clocks;
	int64		 clock = 0;
	Relation	 rel;
	ScanKeyData	 keys[3];
	SysScanDesc	 scan;
	HeapTuple	 tuple;

	if (!OidIsValid(table.table))
		return 0;
	rel = table_open(table.table, AccessShareLock);
	ScanKeyInit(&keys[0], CLOCKS_DOC + 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(doc));
	ScanKeyInit(&keys[1], CLOCKS_AUTHOR + 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(author));
	ScanKeyInit(&keys[2], CLOCKS_SITE + 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(site));
	scan = systable_beginscan(rel, table.pkey, true, snapshot, lengthof(keys), keys);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool isnull;

		clock = DatumGetInt64(heap_getattr(tuple, CLOCKS_CLOCK + 1, RelationGetDescr(rel), &isnull));
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
	return clock;
}

int64
applied_clocks_newest(int64 doc, int64 author, int64 site, Snapshot snapshot)
{
	int64 clock = newest_row(doc, author, site, snapshot);

	return clock != 0 ? clock : kept_clock(doc, author, site, snapshot);
}

/* ---- writing ---- */

typedef struct Editor
{
	int64 author;
	int64 site;
} Editor;

typedef struct EditorClock
{
	Editor editor;
	int64  clock;
} EditorClock;

/* The highest clock of each editor among the events. Edits by SQL (site 0) have no editor that could come back. */
static HTAB *
collect(const StoredEvent *events, int count)
{
	HASHCTL ctl = {.keysize = sizeof(Editor), .entrysize = sizeof(EditorClock), .hcxt = CurrentMemoryContext};
	HTAB   *clocks = hash_create("collab applied clocks", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	int		i;

	for (i = 0; i < count; i++)
	{
		Editor		 editor = {events[i].author, events[i].site};
		EditorClock *entry;
		bool		 found;

		if (editor.site == 0)
			continue;
		entry = hash_search(clocks, &editor, HASH_ENTER, &found);
		if (!found || entry->clock < events[i].clock)
			entry->clock = events[i].clock;
	}
	return clocks;
}

static Datum
int8_array(Datum *values, int count)
{
	return PointerGetDatum(construct_array(values, count, INT8OID, sizeof(int64), true, TYPALIGN_DOUBLE));
}

void
applied_clocks_keep(const StoredEvent *events, int count)
{
	static const Oid types[] = {INT8OID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID};
	HTAB			*clocks = collect(events, count);
	int				 editors = hash_get_num_entries(clocks);
	Datum			*authors = palloc_array(Datum, editors + 1);
	Datum			*sites = palloc_array(Datum, editors + 1);
	Datum			*newest = palloc_array(Datum, editors + 1);
	Datum			 values[lengthof(types)];
	HASH_SEQ_STATUS	 status;
	EditorClock		*entry;
	OwnerSql		 frame;
	int				 i = 0;

	hash_seq_init(&status, clocks);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		authors[i] = Int64GetDatum(entry->editor.author);
		sites[i] = Int64GetDatum(entry->editor.site);
		newest[i++] = Int64GetDatum(entry->clock);
	}
	hash_destroy(clocks);
	if (editors == 0)
		return;

	values[0] = Int64GetDatum(events[0].doc);
	values[1] = int8_array(authors, editors);
	values[2] = int8_array(sites, editors);
	values[3] = int8_array(newest, editors);
	owner_sql_begin(&frame);
	(void) owner_sql_execute("INSERT INTO collab.applied_clocks AS a (doc, author, site, clock)"
							 " SELECT $1, u.author, u.site, u.clock"
							 " FROM unnest($2, $3, $4) AS u (author, site, clock)"
							 " ON CONFLICT (doc, author, site) DO UPDATE SET clock = excluded.clock"
							 " WHERE a.clock < excluded.clock",
							 lengthof(types), types, values, NULL, false, SPI_OK_INSERT);
	owner_sql_end(&frame);
}

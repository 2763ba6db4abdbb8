/* event_scan.c - the events of one document in order of their versions, across the tiers. */
#include "postgres.h"

#include "errors.h"
#include "event_scan.h"

struct EventScan
{
	int64	   doc;
	int64	   from;
	int64	   to;
	bool	   backward;
	Snapshot   snapshot;
	int64	   expected; /* version of the next event; 0: whichever comes first */
	StoreScan *rows;
};

/* ---- what is missing ---- */

/*
 * The document's row as the scan's snapshot shows it: a row that a caller remembers may be from before
 * its history was deleted.
 */
static int64
first_version(const EventScan *scan, char *doc_id)
{
	DocumentRow document;

	if (!store_document_by_key(scan->doc, scan->snapshot, &document))
	{
		snprintf(doc_id, STORE_DOC_ID_MAX + 1, INT64_FORMAT, scan->doc);
		return 0;
	}
	strlcpy(doc_id, document.doc_id, STORE_DOC_ID_MAX + 1);
	return document.first_version;
}

static void
refuse_missing(const EventScan *scan, int64 version)
{
	char  doc_id[STORE_DOC_ID_MAX + 1];
	int64 first = first_version(scan, doc_id);

	if (version <= first)
		ereport(ERROR,
				(errcode(ERRCODE_COLLAB_BASE_GONE),
				 errmsg("history of document \"%s\" at version " INT64_FORMAT " was deleted", doc_id, version),
				 errdetail("The oldest version that is available is " INT64_FORMAT ".", first)));
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
					errmsg("event " INT64_FORMAT " of document \"%s\" is missing", version, doc_id)));
}

/* Is there an event at this version or above it? The newest of a document is always a row. */
static bool
reaches(const EventScan *scan, int64 version)
{
	StoredEvent head;

	return store_head(scan->doc, scan->snapshot, &head) && head.version >= version;
}

/* ---- the scan ---- */

EventScan *
event_scan_begin_key(int64 doc, int64 from, int64 to, bool backward, Snapshot snapshot)
{
	EventScan *scan = palloc0_object(EventScan);

	scan->doc = doc;
	scan->from = Max(from, 1);
	scan->to = to;
	scan->backward = backward;
	scan->snapshot = snapshot;
	scan->expected = backward ? (to == PG_INT64_MAX ? 0 : to) : scan->from;
	scan->rows = store_scan_begin(doc, scan->from, to, backward, snapshot);
	return scan;
}

EventScan *
event_scan_begin(const DocumentRow *document, int64 from, int64 to, bool backward, Snapshot snapshot)
{
	return event_scan_begin_key(document->key, from, to, backward, snapshot);
}

bool
event_scan_next_row(EventScan *scan, StoredEvent *out)
{
	if (!store_scan_next_row(scan->rows, out))
	{
		/* Did it end where it should? Without an upper bound it always ends behind the head. */
		if (scan->to != PG_INT64_MAX && scan->expected >= scan->from && scan->expected <= scan->to &&
			reaches(scan, scan->expected))
			refuse_missing(scan, scan->expected);
		return false;
	}
	if (scan->expected != 0 && out->version != scan->expected)
	{
		/* A scan from beyond the head downward begins at the head. */
		if (!scan->backward || reaches(scan, out->version + 1))
			refuse_missing(scan, scan->expected);
	}
	scan->expected = out->version + (scan->backward ? -1 : 1);
	return true;
}

void
event_scan_fetch_op(EventScan *scan, StoredEvent *out)
{
	store_scan_fetch_op(scan->rows, out);
}

bool
event_scan_next(EventScan *scan, StoredEvent *out)
{
	if (!event_scan_next_row(scan, out))
		return false;
	event_scan_fetch_op(scan, out);
	return true;
}

void
event_scan_end(EventScan *scan)
{
	store_scan_end(scan->rows);
	pfree(scan);
}

bool
event_at(const DocumentRow *document, int64 version, Snapshot snapshot, StoredEvent *out)
{
	StoreScan *rows = store_scan_begin(document->key, version, version, false, snapshot);
	bool	   found = store_scan_next_row(rows, out);

	store_scan_end(rows);
	return found;
}

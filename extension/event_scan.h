/* event_scan.h - the events of one document, wherever they lie: rows, chunks, the cold store. */
#ifndef COLLAB_EVENT_SCAN_H
#define COLLAB_EVENT_SCAN_H

#include "store.h"

/*
 * A document's versions, ascending:
 *
 *	deleted (up to first_version)  |  cold: collab.archives  |  warm: collab.chunks  |  hot: collab.events
 *
 * Events move to the left, each time in one transaction, so every snapshot shows each of them once.
 * The newest is always a row. Whoever reads only rows of collab.events (store_scan_*) misses what was
 * folded; a scan of this file does not.
 *
 * Memory is bounded by the largest chunk, not by the history. What is hot costs what it costs without
 * the other tiers: these are looked at only where rows do not reach.
 */
typedef struct EventScan EventScan;

/*
 * Events with from <= version <= to, ascending or (backward) descending; what lies beyond the head is
 * not there. The scan lives in the current memory context; the snapshot must stay registered or
 * active, and the document alive, as long as the scan.
 */
extern EventScan *event_scan_begin(const DocumentRow *document, int64 from, int64 to, bool backward,
								   Snapshot snapshot);
/* The same for who knows the key only. */
extern EventScan *event_scan_begin_key(int64 doc, int64 from, int64 to, bool backward, Snapshot snapshot);

/* Where the next event was deleted with the history that it belongs to, go on with the first that is there. */
extern void event_scan_skip_deleted(EventScan *scan);

/*
 * False at the end. What `out` points to lives until the next call. Raises OT002 where the next event
 * was deleted with the history that it belongs to, data_corrupted where one is missing without that,
 * and what thaw_get raises where one cannot be brought back from the cold store in time.
 */
extern bool event_scan_next(EventScan *scan, StoredEvent *out);
/* The same in two steps, for who does not want every op. */
extern bool event_scan_next_row(EventScan *scan, StoredEvent *out);
extern void event_scan_fetch_op(EventScan *scan, StoredEvent *out);
extern void event_scan_end(EventScan *scan);

/*
 * The event at one version, 1 <= version <= head, without its op. False: it was deleted with the
 * history that it belongs to. Where it is there, all that follow are.
 */
extern bool event_at(const DocumentRow *document, int64 version, Snapshot snapshot, StoredEvent *out);

/*
 * Brings back from the cold store what a scan of all events from `from` on will need. For who is going to scan with a lock
 * held: then it is at hand, and nobody waits for the archiver behind that lock. `event` is the id of the
 * event at that version; where it is another one (0: whatever it is), nothing more is brought back.
 */
extern void event_scan_warm(int64 doc, int64 from, int64 event, Snapshot snapshot);

#endif

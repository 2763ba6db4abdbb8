/* worker_documents.c - the documents that the worker knows of, and which of its duties have to look at which. */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "fmgr.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "dirty.h"
#include "guc.h"
#include "live_text.h"
#include "slots.h"
#include "snapshot.h"
#include "store.h"
#include "worker.h"
#include "worker_documents.h"
#include "worker_state.h"

/* Documents that are remembered; those that wait for nothing are forgotten beyond that. */
#define DOCUMENTS_MAX 65536

/* Of the look at all documents: those of one transaction. */
#define LOOK_BATCH 500

/*
 * Without shared memory nobody says what changed, so all documents are looked at, over and over: every second,
 * or less often where that takes longer than a tenth of the time. With it this finds what no commit told (prepared
 * transactions, rows that a subscription applied).
 */
#define LOOK_POLL_MS 1000
#define LOOK_SHARE 10
#define LOOK_SAFETY_MS (60 * 60 * 1000)

static HTAB		 *documents = NULL;
static dlist_head queues[DOCUMENT_QUEUES];
static int		  queued = 0;

/* The look at all documents. */
static bool		   looking = false;
static int64	   look_after;	  /* keys up to this one are done */
static bool		   look_from_min; /* not even the lowest */
static TimestampTz look_started;
static int64	   look_busy_us; /* what it has taken so far */
static TimestampTz look_step_next;
static TimestampTz look_next = TIMESTAMP_NOW;

static DirtyTaken taken;

/* ---- queues ---- */

static void
create(void)
{
	HASHCTL ctl = {.keysize = sizeof(int64), .entrysize = sizeof(WorkerDocument), .hcxt = TopMemoryContext};
	int		i;

	documents = hash_create("collab worker documents", 1024, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	for (i = 0; i < DOCUMENT_QUEUES; i++)
		dlist_init(&queues[i]);
}

static bool
is_idle(const WorkerDocument *document)
{
	int i;

	for (i = 0; i < DOCUMENT_QUEUES; i++)
		if (document->queued[i])
			return false;
	return true;
}

static void
forget_idle(void)
{
	HASH_SEQ_STATUS status;
	WorkerDocument *document;

	hash_seq_init(&status, documents);
	while ((document = hash_seq_search(&status)) != NULL)
		if (is_idle(document))
			(void) hash_search(documents, &document->key, HASH_REMOVE, NULL);
}

static WorkerDocument *
find(int64 key)
{
	static long		limit = DOCUMENTS_MAX;
	WorkerDocument *document;
	bool			found;

	/* Where most of them wait for something it is not worth looking again soon. */
	if (hash_get_num_entries(documents) >= limit)
	{
		forget_idle();
		limit = Max(DOCUMENTS_MAX, 2 * hash_get_num_entries(documents));
	}
	document = hash_search(documents, &key, HASH_ENTER, &found);
	if (!found)
	{
		memset(document, 0, sizeof(WorkerDocument));
		document->key = key;
		document->seen = -1;
	}
	return document;
}

void
documents_put(WorkerDocument *document, DocumentQueue queue, TimestampTz not_before)
{
	document->not_before[queue] = Max(document->not_before[queue], not_before);
	if (document->queued[queue])
		return;
	document->queued[queue] = true;
	dlist_push_tail(&queues[queue], &document->nodes[queue]);
	queued++;
}

WorkerDocument *
documents_next(DocumentQueue queue, TimestampTz *due)
{
	TimestampTz now = GetCurrentTimestamp();
	dlist_iter	iter;

	*due = TIMESTAMP_NEVER;
	dlist_foreach (iter, &queues[queue])
	{
		WorkerDocument *document = dlist_container(WorkerDocument, nodes[queue], iter.cur);

		if (document->not_before[queue] > now)
		{
			*due = Min(*due, document->not_before[queue]);
			continue;
		}
		dlist_delete(&document->nodes[queue]);
		document->queued[queue] = false;
		queued--;
		return document;
	}
	return NULL;
}

bool
documents_claim(WorkerDocument *document, DocumentQueue queue, const char *duty, DocumentRow *out)
{
	WorkerClaim claim = worker_claim(duty, document->key, out);

	if (claim == CLAIM_BUSY)
		documents_put(document, queue, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), WORKER_BUSY_MS));
	/* Nothing changes in it when it is released: the next look at all documents has to find it. */
	if (claim == CLAIM_QUARANTINED)
		document->seen = -1;
	return claim == CLAIM_OK;
}

static void
put_changed(WorkerDocument *document)
{
	documents_put(document, QUEUE_TEXT, 0);
	documents_put(document, QUEUE_SNAPSHOT, 0);
}

void
documents_report(void)
{
	worker_state_backlog(queued, looking);
}

bool
documents_all_done(void)
{
	return queued == 0 && !looking;
}

/* ---- the look at all documents ---- */

static void
look_begin(void)
{
	looking = true;
	look_from_min = true;
	look_started = GetCurrentTimestamp();
	look_busy_us = 0;
	look_step_next = 0;
}

static void
look_end(void)
{
	int64 pause_ms = slots_exist() ? LOOK_SAFETY_MS : LOOK_POLL_MS;

	looking = false;
	pause_ms = Max(pause_ms, look_busy_us / 1000 * LOOK_SHARE);
	look_next = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), pause_ms);
}

static void
look_at(int64 key)
{
	Snapshot		snapshot = GetActiveSnapshot();
	StoredEvent		head;
	int64			version = store_head(key, snapshot, &head) ? head.version : 0;
	WorkerDocument *document = hash_search(documents, &key, HASH_FIND, NULL);

	if (document != NULL && document->seen == version)
		return;
	if (guc_live_text && live_text_version(key, snapshot) != version)
		documents_put(document = find(key), QUEUE_TEXT, 0);
	if (version - Max(snapshot_newest_version(key, snapshot), 0) >= Max(guc_snapshot_interval, 1))
		documents_put(document = find(key), QUEUE_SNAPSHOT, 0);
	/* Remembered only where somebody looks again soon: a server without shared memory. */
	if (document == NULL && !slots_exist())
		document = find(key);
	if (document != NULL)
		document->seen = version;
}

/* Keys after the last one, in order. Returns how many. */
static int
look_collect(int64 *keys)
{
	CatalogTable table = catalog_get()->documents;
	Relation	 rel = table_open(table.table, AccessShareLock);
	Relation	 index = index_open(table.pkey, AccessShareLock);
	ScanKeyData	 key;
	SysScanDesc	 scan;
	HeapTuple	 tuple;
	int			 count = 0;

	ScanKeyInit(&key, 1, look_from_min ? BTGreaterEqualStrategyNumber : BTGreaterStrategyNumber,
				look_from_min ? F_INT8GE : F_INT8GT, Int64GetDatum(look_from_min ? PG_INT64_MIN : look_after));
	scan = systable_beginscan_ordered(rel, index, GetActiveSnapshot(), 1, &key);
	while (count < LOOK_BATCH && HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
	{
		bool isnull;

		keys[count++] = DatumGetInt64(heap_getattr(tuple, 1, RelationGetDescr(rel), &isnull));
	}
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(rel, AccessShareLock);
	return count;
}

static void
look_step(void)
{
	TimestampTz start = GetCurrentTimestamp();
	int64		busy_us;
	int64		keys[LOOK_BATCH];
	int			count;
	int			i;

	if (!worker_begin("look"))
	{
		look_end();
		return;
	}
	count = look_collect(keys);
	for (i = 0; i < count; i++)
		look_at(keys[i]);
	worker_commit();

	if (count > 0)
		look_after = keys[count - 1];
	look_from_min = false;
	busy_us = GetCurrentTimestamp() - start;
	look_busy_us += busy_us;
	/* Half of the time is others'. */
	look_step_next = start + 2 * busy_us;
	if (count < LOOK_BATCH)
		look_end();
}

void
documents_look_again(void)
{
	HASH_SEQ_STATUS status;
	WorkerDocument *document;

	look_next = TIMESTAMP_NOW;
	if (documents == NULL)
		return;
	hash_seq_init(&status, documents);
	while ((document = hash_seq_search(&status)) != NULL)
		document->seen = -1;
}

/* ---- gathering ---- */

/* Not more often than the worker's delay: changes of a document are gathered. */
static TimestampTz take_next = TIMESTAMP_NOW;

static void
take(TimestampTz now)
{
	int i;

	/* Nothing there: the next change wakes this process. */
	if (!dirty_take(&taken))
	{
		take_next = TIMESTAMP_NEVER;
		return;
	}
	take_next = TimestampTzPlusMilliseconds(now, guc_worker_delay);
	for (i = 0; i < taken.count; i++)
		put_changed(find(taken.keys[i]));
	for (i = 0; i < taken.nsuspects; i++)
	{
		WorkerDocument *document = find(taken.suspects[i]);

		document->repair = true;
		documents_put(document, QUEUE_SNAPSHOT, 0);
	}
	if (taken.everything)
		look_begin();
	else if (look_next == TIMESTAMP_NOW)
	{
		/* Started by an edit, after a worker that left nothing undone. */
		look_next = TimestampTzPlusMilliseconds(now, LOOK_SAFETY_MS);
	}
}

TimestampTz
documents_gather(void)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz due;

	if (documents == NULL)
		create();
	/* Later than that: the clock was set back. */
	if (slots_exist() && (take_next <= now || take_next == TIMESTAMP_NEVER ||
						  take_next > TimestampTzPlusMilliseconds(now, guc_worker_delay)))
		take(now);
	if (!looking && look_next <= now)
		look_begin();
	/* Further away than any step takes: the clock was set back. */
	if (looking && (look_step_next <= now || look_step_next > now + USECS_PER_MINUTE))
		look_step();
	due = looking ? look_step_next : look_next;
	return Min(due, take_next);
}

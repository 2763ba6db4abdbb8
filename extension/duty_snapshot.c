/* duty_snapshot.c - writes snapshots of documents that moved on, and keeps few of the old ones. */
#include "postgres.h"

#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "duties.h"
#include "event_scan.h"
#include "guc.h"
#include "head_cache.h"
#include "read.h"
#include "replay.h"
#include "snapshot.h"
#include "snapshot_rule.h"
#include "worker_documents.h"
#include "worker_state.h"

#define DUTY "snapshot"

/* Makes broken snapshots anew, from older ones and the events after them. In a transaction. */
static void
repair(const DocumentRow *document)
{
	SnapshotRow row = {.version = -1};
	StoredEvent event;

	/* The oldest first: the newer ones then build on it. What stands for deleted events cannot be made from them. */
	while (snapshot_next(document->key, row.version, GetActiveSnapshot(), &row))
	{
		bool broken = row.content == NULL;

		snapshot_free(&row);
		if (!broken || row.version <= document->first_version ||
			!event_at(document, row.version, GetActiveSnapshot(), &event))
			continue;
		read_write_snapshot(document, &event, GetActiveSnapshot(), false);
		ereport(LOG,
				(errmsg("collab worker rebuilt the snapshot of version " INT64_FORMAT " of document \"%s\"",
						row.version, document->doc_id)));
		PopActiveSnapshot();
		PushActiveSnapshot(GetLatestSnapshot());
	}
	head_cache_forget(document->key);
}

/* In a transaction. False: the version's event is not in the history any more. */
static bool
write_snapshot(const DocumentRow *document, HeadContent *content)
{
	const HeadPosition *at = head_content_position(content);
	StoredEvent			event;

	if (at->version == 0 || !event_at(document, at->version, GetActiveSnapshot(), &event) ||
		store_event_id(&event) != at->event)
		return false;
	read_write_replay(document, &event, head_content_replay(content), false);
	head_content_count(content);
	worker_state_snapshot();
	PopActiveSnapshot();
	PushActiveSnapshot(GetLatestSnapshot());
	(void) snapshot_thin(document->key);
	return true;
}

/*
 * The next step of a document, in a transaction: at most one snapshot. True: there is more to do, because its newest snapshot is
 * so far away that those in between are missing, too. `written`, false before: there is a new one.
 */
static bool
step(const DocumentRow *document, bool *written)
{
	Snapshot			snapshot = GetActiveSnapshot();
	StoredEvent			head;
	int64				newest;
	int64				target;
	HeadContent		   *content;
	const HeadPosition *at;

	if (guc_snapshot_interval == 0 || !store_head(document->key, snapshot, &head))
		return false;
	newest = Max(snapshot_newest_version(document->key, snapshot), 0);
	/* A few large events are noticed where the content is at hand anyway. */
	if (head.version - newest < guc_snapshot_interval && !head_cache_has(document->key))
		return false;

	target = Min(head.version, newest + snapshot_spacing((uint64) head.length));
	content = head_cache_read(document, target, snapshot);
	at = head_content_position(content);
	/* It counts from the snapshot that was newest when it was loaded. */
	if (target < head.version ||
		snapshot_due(at->version - at->since, at->since_bytes, replay_bytes(head_content_replay(content)),
					 guc_snapshot_interval))
		*written = write_snapshot(document, content);
	return *written && target < head.version;
}

static TimestampTz
run(void)
{
	TimestampTz		start = GetCurrentTimestamp();
	TimestampTz		due = TIMESTAMP_NEVER;
	WorkerDocument *known;

	while ((known = documents_next(QUEUE_SNAPSHOT, &due)) != NULL)
	{
		DocumentRow document;
		bool		written = false;
		bool		more;

		if (documents_claim(known, QUEUE_SNAPSHOT, DUTY, &document))
		{
			if (known->repair)
				repair(&document);
			known->repair = false;
			more = step(&document, &written);
			worker_release();
			if (written)
				documents_put(known, QUEUE_ANCHOR, 0);
			if (more)
				documents_put(known, QUEUE_SNAPSHOT, 0);
		}
		if (worker_budget_used(start))
			return TIMESTAMP_NOW;
	}
	return due;
}

const WorkerDuty duty_snapshot = {DUTY, run};

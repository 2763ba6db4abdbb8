/* duty_anchor.c - carries the ranges of comments along with the snapshots, so that reading them stays cheap. */
#include "postgres.h"

#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "comment_anchor.h"
#include "duties.h"
#include "snapshot.h"
#include "worker_documents.h"

#define DUTY "anchor"

/* In a transaction. Ranges are not written back for a few events: that would be a write for every time somebody types. */
static void
advance(const DocumentRow *document)
{
	int64 newest = snapshot_newest_version(document->key, GetActiveSnapshot());

	if (comment_lowest_version(document->key) < newest - COMMENT_ANCHOR_FAR)
		comment_advance(document, newest);
}

/* Documents are put into the queue when a snapshot of them was written. */
static TimestampTz
run(void)
{
	TimestampTz		start = GetCurrentTimestamp();
	TimestampTz		due = TIMESTAMP_NEVER;
	WorkerDocument *known;

	while ((known = documents_next(QUEUE_ANCHOR, &due)) != NULL)
	{
		DocumentRow document;

		if (documents_claim(known, QUEUE_ANCHOR, DUTY, &document))
		{
			advance(&document);
			worker_release();
		}
		if (worker_budget_used(start))
			return TIMESTAMP_NOW;
	}
	return due;
}

const WorkerDuty duty_anchor = {DUTY, run};

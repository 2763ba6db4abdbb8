/* duty_fold.c - packs events that have become old into chunks. */
#include "postgres.h"

#include "utils/timestamp.h"

#include "document_pass.h"
#include "duties.h"
#include "fold.h"

#define DUTY "fold"

/* Is its oldest row old? How many there are, and whether that is worth a chunk, is seen with the document's lock. */
static bool
has_old_row(const AgingDocument *document, Snapshot snapshot)
{
	StoreScan  *scan = store_scan_begin(document->key, 0, PG_INT64_MAX, false, snapshot);
	StoredEvent event;
	bool		old = store_scan_next_row(scan, &event) && event.created_at < document->before;

	store_scan_end(scan);
	return old;
}

static DocumentPass pass = {
	.duty = DUTY,
	.statement = "SELECT d.key, now() - COALESCE(d.fold_after, make_interval(secs => $3))"
				 " FROM collab.documents d WHERE d.key >= $1 AND (d.fold_after IS NOT NULL OR $3 >= 0)"
				 " ORDER BY d.key LIMIT $2",
	.is_due = has_old_row,
};

/* One chunk in one transaction: what a crash undoes is little, and no lock is held for long. */
static bool
fold(const AgingDocument *old)
{
	const FoldLimit limit = {.below = PG_INT64_MAX, .before = old->before};
	DocumentRow		document;
	WorkerClaim		claim = worker_claim(DUTY, old->key, &document);
	int64			folded;

	if (claim == CLAIM_BUSY)
		document_pass_hurry(&pass);
	if (claim != CLAIM_OK)
		return false;
	folded = fold_chunk(old->key, &limit, false);
	worker_release();
	return folded > 0;
}

static TimestampTz
run(void)
{
	TimestampTz	  start = GetCurrentTimestamp();
	TimestampTz	  due;
	AgingDocument document;

	while (document_pass_next(&pass, &document, &due))
	{
		if (fold(&document))
			document_pass_again(&pass);
		if (worker_budget_used(start))
			return TIMESTAMP_NOW;
	}
	return due;
}

const WorkerDuty duty_fold = {DUTY, run};

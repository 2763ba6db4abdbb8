/* duty_prune.c - deletes history that need not be kept any longer. */
#include "postgres.h"

#include "utils/timestamp.h"

#include "document_pass.h"
#include "duties.h"
#include "prune.h"

#define DUTY "prune"

/*
 * Every time it writes a snapshot of the version that history begins with, so not for every event that has become old:
 * an eighth of the time that history is kept lies between two.
 */
static DocumentPass pass = {
	.duty = DUTY,
	.statement = "SELECT d.key, now() - d.keep_history FROM collab.documents d"
				 " WHERE d.key >= $1 AND d.keep_history IS NOT NULL AND $3 IS NOT NULL AND NOT EXISTS"
				 " (SELECT FROM collab.snapshots s WHERE s.doc = d.key AND s.version = d.first_version"
				 " AND s.written_at > now() - d.keep_history / 8)"
				 " ORDER BY d.key LIMIT $2",
};

static void
prune(const AgingDocument *old)
{
	DocumentRow document;
	WorkerClaim claim = worker_claim(DUTY, old->key, &document);

	if (claim == CLAIM_BUSY)
		document_pass_hurry(&pass);
	if (claim != CLAIM_OK)
		return;
	(void) prune_history(old->key, old->before, false);
	worker_release();
}

static TimestampTz
run(void)
{
	TimestampTz	  start = GetCurrentTimestamp();
	TimestampTz	  due;
	AgingDocument document;

	while (document_pass_next(&pass, &document, &due))
	{
		prune(&document);
		if (worker_budget_used(start))
			return TIMESTAMP_NOW;
	}
	return due;
}

const WorkerDuty duty_prune = {DUTY, run};

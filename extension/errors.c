/* errors.c - the one place where a status of the core becomes a SQLSTATE, a message and a hint. */
#include "postgres.h"

#include "miscadmin.h"

#include "errors.h"

int
errors_sqlstate(CollabStatus status)
{
	switch (status)
	{
		case COLLAB_OK:
			return ERRCODE_SUCCESSFUL_COMPLETION;
		case COLLAB_NOMEM:
			return ERRCODE_OUT_OF_MEMORY;
		case COLLAB_SYNTAX:
		case COLLAB_INVALID:
		case COLLAB_RANGE:
		case COLLAB_SURROGATE:
		case COLLAB_MISMATCH:
			return ERRCODE_COLLAB_INVALID_OPERATION;
		case COLLAB_LIMIT:
			return ERRCODE_COLLAB_OPERATION_SIZE;
		case COLLAB_CORRUPT:
			return ERRCODE_DATA_CORRUPTED;
	}

	return ERRCODE_INTERNAL_ERROR;
}

/* The core does not say where by itself; a sentence that starts with a capital is what PostgreSQL expects of a detail. */
char *
errors_detail(const CollabError *err)
{
	char *detail = psprintf("%s.", err->message);

	detail[0] = pg_ascii_toupper((unsigned char) detail[0]);
	return detail;
}

void
errors_raise(CollabStatus status, const CollabError *err)
{
	/* What looks like a lack of memory, or like anything, may be the way out of a cancelled query. */
	CHECK_FOR_INTERRUPTS();

	if (status == COLLAB_NOMEM)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
						errdetail("Failed while working on a delta.")));

	/* What is stored was checked when it came in, so this is the disk's fault or ours, not the user's. */
	if (status == COLLAB_CORRUPT)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("stored delta is corrupt"),
						errdetail_internal("%s", errors_detail(err))));

	ereport(ERROR, (errcode(errors_sqlstate(status)),
					errmsg("%s", err->message[0] != '\0' ? err->message : collab_status_name(status))));
}

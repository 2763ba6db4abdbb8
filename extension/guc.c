/* guc.c - every setting of the extension. */
#include "postgres.h"

#include <limits.h>

#include "utils/guc.h"
#include "utils/varlena.h"

#include "guc.h"

char *guc_user_id = NULL;
int	  guc_max_operation_bytes = 1024 * 1024;
int	  guc_max_document_units = 16 * 1024 * 1024;
int	  guc_notify_interval = 5;
int	  guc_notifier_idle_timeout = 60;
int	  guc_head_cache_size = 16 * 1024;
int	  guc_max_comments = 10000;
char *guc_worker_role = NULL;
int	  guc_fold_after = 30 * 24 * 60 * 60;
int	  guc_archive_after = 90 * 24 * 60 * 60;
int	  guc_thaw_timeout = 30 * 1000;
int	  guc_thaw_keep = 60 * 60;
bool  guc_worker = true;
int	  guc_worker_delay = 500;
int	  guc_worker_idle_timeout = 300;
int	  guc_worker_cache_size = 64 * 1024;
int	  guc_snapshot_interval = 100;
bool  guc_live_text = true;
int	  guc_live_text_share = 20;
char *guc_live_text_config = NULL;
int	  guc_quarantine_after = 3;

/* A user's name becomes part of events for ever: what submit would refuse is refused here already. */
static bool
check_user_id(char **newval, void **extra, GucSource source)
{
	const char *c;

	for (c = *newval; *c != '\0'; c++)
	{
		if ((unsigned char) *c < 0x20 || *c == 0x7f)
		{
			GUC_check_errdetail("A user name must not hold control characters.");
			return false;
		}
	}
	if (c - *newval > 128)
	{
		GUC_check_errdetail("A user name must not be longer than 128 bytes.");
		return false;
	}
	return true;
}

/* Whether a name means something is seen where it is used; whether it is a name at all, here. */
static bool
check_text_config(char **newval, void **extra, GucSource source)
{
	char *copy = pstrdup(*newval);
	List *names;

	if (SplitIdentifierString(copy, '.', &names) && names != NIL)
		return true;
	GUC_check_errdetail("It must be the name of a text search configuration.");
	return false;
}

static void
init_worker(void)
{
	DefineCustomBoolVariable("collab.worker",
							 "Whether databases have a worker that writes snapshots and live texts.",
							 "Without it loading a document replays all of its events.", &guc_worker, true,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);

	DefineCustomIntVariable("collab.worker_delay", "Time that a database's worker gathers changes.",
							"Live texts are behind by this and by the time that it takes to write them.",
							&guc_worker_delay, 500, 10, 60 * 1000, PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);

	DefineCustomIntVariable(
		"collab.worker_idle_timeout", "Time without work after which a database's worker leaves.",
		"It gives its background worker back, and comes again with the next edit; 0 keeps it for ever.",
		&guc_worker_idle_timeout, 300, 0, 24 * 60 * 60, PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);

	DefineCustomIntVariable(
		"collab.worker_cache_size", "Memory that a database's worker may spend on contents of documents.",
		"What is kept there is brought up to date by the new events only.", &guc_worker_cache_size, 64 * 1024,
		0, 1024 * 1024, PGC_SIGHUP, GUC_UNIT_KB, NULL, NULL, NULL);

	DefineCustomIntVariable(
		"collab.snapshot_interval", "Number of events after which a snapshot of a document is written.",
		"Large documents have fewer, see docs/worker.md; 0 writes none. Of the server or of the database.",
		&guc_snapshot_interval, 100, 0, 1000 * 1000, PGC_SUSET, 0, NULL, NULL, NULL);

	DefineCustomBoolVariable("collab.live_text", "Whether the text of documents is kept for searching.",
							 "In collab.live_texts, by the worker. Of the server or of the database.",
							 &guc_live_text, true, PGC_SUSET, 0, NULL, NULL, NULL);

	DefineCustomIntVariable("collab.live_text_share",
							"Share of a processor that live texts may take, in percent.",
							"Where that is not enough they are further behind than collab.worker_delay.",
							&guc_live_text_share, 20, 1, 100, PGC_SIGHUP, 0, NULL, NULL, NULL);

	DefineCustomStringVariable(
		"collab.live_text_config", "Text search configuration of live texts.",
		"Texts that are there already keep theirs until they change. Of the server or of the database.",
		&guc_live_text_config, "simple", PGC_SUSET, 0, check_text_config, NULL, NULL);

	DefineCustomIntVariable("collab.quarantine_after",
							"Number of failures in a row after which the worker leaves a document out.",
							"Such documents are shown in collab.quarantine_list; 0 tries for ever.",
							&guc_quarantine_after, 3, 0, 1000, PGC_SIGHUP, 0, NULL, NULL, NULL);
}

void
guc_init(void)
{
	/*
	 * SUSET, because an ordinary setting could be forged by any SQL user of the database. The proxy's role is
	 * given it by GRANT SET ON PARAMETER.
	 */
	DefineCustomStringVariable("collab.user_id", "User on whose behalf the session edits documents.",
							   "Empty means the name of the current role.", &guc_user_id, "", PGC_SUSET, 0,
							   check_user_id, NULL, NULL);

	DefineCustomIntVariable("collab.max_operation_bytes", "Size of the largest operation that is accepted.",
							"Measured in its JSON form.", &guc_max_operation_bytes, 1024 * 1024, 1024,
							64 * 1024 * 1024, PGC_SUSET, GUC_UNIT_BYTE, NULL, NULL, NULL);

	DefineCustomIntVariable(
		"collab.max_document_units", "Length of the longest document, in UTF-16 code units.",
		"An operation that would make a document longer than this is refused.", &guc_max_document_units,
		16 * 1024 * 1024, 1, 256 * 1024 * 1024, PGC_SUSET, 0, NULL, NULL, NULL);

	DefineCustomIntVariable("collab.max_comments",
							"Number of comments that a document may have, replies included.",
							"A comment that would be one more is refused.", &guc_max_comments, 10000, 0,
							1000000, PGC_SUSET, 0, NULL, NULL, NULL);

	DefineCustomIntVariable(
		"collab.notify_interval", "Shortest time between two notifications of changed documents.",
		"Applies where the library is preloaded; otherwise every transaction notifies by itself.",
		&guc_notify_interval, 5, 1, 1000, PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);

	DefineCustomIntVariable(
		"collab.notifier_idle_timeout", "Time without edits after which a database's notifier leaves.",
		"It gives its background worker back, and comes again with the next edits; 0 keeps it for ever.",
		&guc_notifier_idle_timeout, 60, 0, 24 * 60 * 60, PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);

	DefineCustomIntVariable(
		"collab.head_cache_size", "Memory that each session may spend on remembered documents.",
		"Only documents with characters outside the basic plane, and embeds that are edited, are remembered.",
		&guc_head_cache_size, 16 * 1024, 0, 1024 * 1024, PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);

	DefineCustomStringVariable(
		"collab.worker_role", "Role that the background workers connect as.",
		"Where it does not exist or may not log in there are no workers, and transactions notify by themselves.",
		&guc_worker_role, "collab_worker", PGC_SIGHUP, 0, NULL, NULL, NULL);

	DefineCustomIntVariable(
		"collab.fold_after", "Age from which events are folded into chunks.",
		"Documents can have another one, by collab.set_retention(); -1: only these are folded.",
		&guc_fold_after, 30 * 24 * 60 * 60, -1, INT_MAX, PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);

	DefineCustomIntVariable(
		"collab.archive_after",
		"Age of its newest event from which collab-archiver moves a chunk to the cold store.",
		"-1: nothing is moved.", &guc_archive_after, 90 * 24 * 60 * 60, -1, INT_MAX, PGC_SUSET, GUC_UNIT_S,
		NULL, NULL, NULL);

	DefineCustomIntVariable("collab.thaw_timeout",
							"How long a statement waits for history to come back from the cold store.",
							"Then it fails with 58030.", &guc_thaw_timeout, 30 * 1000, 0, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);

	DefineCustomIntVariable("collab.thaw_keep",
							"How long history that came back from the cold store is kept at hand.",
							"It is counted from when it came; collab-archiver drops it.", &guc_thaw_keep,
							60 * 60, 1, INT_MAX, PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
	init_worker();

	MarkGUCPrefixReserved("collab");
}

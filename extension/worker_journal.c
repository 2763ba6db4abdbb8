/* worker_journal.c - what a worker is at, in a file that outlives the process, so that the next one learns what ended it. */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "mb/pg_wchar.h"
#include "pgstat.h"
#include "storage/fd.h"
#include "storage/ipc.h"

#include "worker_journal.h"

/* Of the file; another number is not read. */
#define MAGIC 0x434a3031

typedef struct JournalFile
{
	uint32		 magic;
	bool		 begun; /* something was begun and did not end */
	JournalEntry entry;
} JournalFile;

static int		   file = -1;
static JournalFile current;
static char		   path[MAXPGPATH];

/* Without its journal a worker works as well; it only learns less from its end. */
static void
save(void)
{
	if (file >= 0 && pg_pwrite(file, &current, sizeof(current), 0) != sizeof(current))
		ereport(LOG, (errcode_for_file_access(), errmsg("could not write file \"%s\": %m", path)));
}

static void
close_journal(void)
{
	current.begun = false;
	if (file >= 0 && unlink(path) != 0 && errno != ENOENT)
		ereport(LOG, (errcode_for_file_access(), errmsg("could not remove file \"%s\": %m", path)));
}

static void
at_exit(int code, Datum arg)
{
	/* A FATAL error, such as the end of the server, is no failure of the document. Failures are noted by now. */
	if (!current.begun || current.entry.sqlstate[0] == '\0')
		close_journal();
}

bool
journal_open(Oid database, JournalEntry *out)
{
	bool found;

	snprintf(path, sizeof(path), "%s/collab.%u.worker", PG_STAT_TMP_DIR, database);
	file = BasicOpenFile(path, O_RDWR | O_CREAT | PG_BINARY);
	if (file < 0)
	{
		ereport(LOG, (errcode_for_file_access(), errmsg("could not open file \"%s\": %m", path)));
		return false;
	}
	found = pg_pread(file, &current, sizeof(current), 0) == sizeof(current) && current.magic == MAGIC &&
			current.begun;
	if (found)
	{
		*out = current.entry;
		out->duty[sizeof(out->duty) - 1] = '\0';
		out->sqlstate[sizeof(out->sqlstate) - 1] = '\0';
		out->message[sizeof(out->message) - 1] = '\0';
	}
	memset(&current, 0, sizeof(current));
	current.magic = MAGIC;
	before_shmem_exit(at_exit, (Datum) 0);
	return found;
}

void
journal_begin(const char *duty, int64 doc)
{
	memset(&current.entry, 0, sizeof(current.entry));
	strlcpy(current.entry.duty, duty, sizeof(current.entry.duty));
	current.entry.doc = doc;
	current.begun = true;
	save();
}

void
journal_end(void)
{
	if (!current.begun)
		return;
	current.begun = false;
	if (file >= 0)
		(void) !pg_pwrite(file, &current.begun, sizeof(current.begun), offsetof(JournalFile, begun));
}

void
journal_failed(const ErrorData *error)
{
	const char *message = error->message != NULL ? error->message : "";
	int			bytes;

	if (!current.begun)
		return;
	strlcpy(current.entry.sqlstate, unpack_sql_state(error->sqlerrcode), sizeof(current.entry.sqlstate));
	bytes = pg_mbcliplen(message, strlen(message), JOURNAL_MESSAGE_MAX - 1);
	memcpy(current.entry.message, message, bytes);
	current.entry.message[bytes] = '\0';
	save();
}

/* worker_journal.h - what a worker is at, in a file that outlives the process, so that the next one learns what ended it. */
#ifndef COLLAB_WORKER_JOURNAL_H
#define COLLAB_WORKER_JOURNAL_H

#include "postgres.h"

#define JOURNAL_MESSAGE_MAX 500

/*
 * An error in a duty ends the transaction and the process, a bug or a lack of memory even the server; none
 * of them can write a row about it. So the worker says beforehand what it begins, in a few bytes of a file
 * (pg_stat_tmp, never synced: it need not outlive the machine), and the next worker finds it there.
 */
typedef struct JournalEntry
{
	int64 doc;
	char  duty[NAMEDATALEN];
	char  sqlstate[6]; /* empty: the process ended without an error of its own */
	char  message[JOURNAL_MESSAGE_MAX];
} JournalEntry;

/* What the worker before was at when it failed. False: nothing; it left in order. Then the journal is begun anew. */
extern bool journal_open(Oid database, JournalEntry *out);

extern void journal_begin(const char *duty, int64 doc);
extern void journal_end(void);

/* The current error; to be called while it is handled. Only where something was begun. */
extern void journal_failed(const ErrorData *error);

#endif

/* verify.h - what the files of verify() share: the document at hand, how problems are reported and errors survived. */
#ifndef COLLAB_VERIFY_H
#define COLLAB_VERIFY_H

#include "funcapi.h"
#include "utils/hsearch.h"
#include "utils/snapshot.h"

#include "store.h"

/*
 * One call of verify() or verify_all(). Everything is read under one snapshot, so that documents which
 * are being edited and moved meanwhile are looked at as they were at one moment. Nothing is written.
 */
typedef struct Verification
{
	ReturnSetInfo *result;
	Snapshot	   snapshot;
	bool		   cold_silent; /* the cold store did not answer: nobody waits for it a second time */

	/* of the document at hand */
	DocumentRow	  document;
	MemoryContext context; /* what is kept from one step to the next */
	int64		  head;	   /* newest version; 0: none */
	int64		  folded;  /* newest version that is no row; first_version - 1 where all are */
} Verification;

#define VERIFY_NO_VERSION (-1)

/* One row of the result; `version` may be VERIFY_NO_VERSION. */
extern void verify_report(Verification *v, const char *part, int64 version, const char *fmt, ...)
	pg_attribute_printf(4, 5);

/*
 * A step that may meet damage of any kind. An error in it ends the step, not the verification: false, with what was said in
 * *error (in the caller's context). What nobody's data is to blame for goes on: a cancel, a lack of
 * memory.
 */
typedef void (*VerifyStep)(Verification *v, void *arg);
extern bool verify_try(Verification *v, VerifyStep step, void *arg, char **error);
/* The same; an error is reported under `part`. */
extern void verify_step(Verification *v, const char *part, VerifyStep step, void *arg);

/* Can the document be read at this version, or at least should it be? */
static inline bool
verify_is_version(const Verification *v, int64 version)
{
	return version >= v->document.first_version && version <= v->head;
}

/* Whoever did something must have a name. */
extern void verify_user(Verification *v, const char *part, int64 version, int64 user);

/* Every row of a statement, run as the owner of the tables; $1 is the document's key. */
typedef void (*VerifyRow)(Verification *v, HeapTuple row, TupleDesc desc, void *arg);
extern void verify_rows(Verification *v, const char *sql, VerifyRow check, void *arg);

/* Columns of a row of verify_rows, counted from 1. */
extern int64 verify_int64(HeapTuple row, TupleDesc desc, int column);
extern bool	 verify_isnull(HeapTuple row, TupleDesc desc, int column);

/* An editor, and the highest clock of his among the events that are no rows any more; PG_INT64_MIN: none. */
typedef struct VerifyEditor
{
	int64 author;
	int64 site;
	int64 clock;
} VerifyEditor;

#define VERIFY_EDITOR_KEY offsetof(VerifyEditor, clock)

/* Memory for one comparison. */
extern MemoryContext verify_scratch_begin(MemoryContext *old);
extern void			 verify_scratch_end(MemoryContext scratch, MemoryContext old);

/* verify_events.c: every event replayed, and what was derived from the content on the way. The editors met. */
extern HTAB *verify_events(Verification *v);
/* verify_tables.c: rows about events, and whether they tell the truth */
extern void verify_segments(Verification *v);
extern void verify_tables(Verification *v, HTAB *editors);
/* verify_comments.c */
extern void verify_comments(Verification *v);
/* verify_orphans.c: rows of documents that are not there */
extern void verify_orphans(Verification *v);

#endif

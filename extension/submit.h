/* submit.h - edits of one document by SQL: the frame around every function that writes. */
#ifndef COLLAB_SUBMIT_H
#define COLLAB_SUBMIT_H

#include "postgres.h"

#include "message.h"
#include "tail.h"

/*
 * Every function that writes starts and ends with these. `function` names it in errors:
 * "collab.submit()".
 */
extern void submit_enter(const char *function);
extern void submit_leave(void);

/* An edit of one document, from its lock to its row. */
typedef struct Edit
{
	int64 author;
	Tail  tail;
} Edit;

/*
 * Waits for the document's lock and reads its newest events down to `base_version` (-1: the head is
 * enough). Raises OT004 where there is no such document. An active snapshot stays pushed until
 * edit_finish.
 */
extern void edit_begin(Edit *edit, text *doc_id, int64 base_version);

/*
 * A change made at the head on behalf of the session's user, applied and written. Raises where it
 * is refused.
 */
extern int64 edit_submit(Edit *edit, Delta *change);

/* The same for a message that the caller filled in, with one piece and edit->author. */
extern int64 edit_submit_message(Edit *edit, Message *message);

extern void edit_finish(Edit *edit);

/*
 * Holds a change to the limits on operations, which are those of the parser: a delta that came in
 * as a value (by a cast, in binary, out of a table) met only what protects the process.
 */
extern void submit_check_limits(const Delta *change);

#endif

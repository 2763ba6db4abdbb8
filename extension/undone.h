/* undone.h - rows of collab.undone: which events undid which. */
#ifndef COLLAB_UNDONE_H
#define COLLAB_UNDONE_H

#include "postgres.h"

/*
 * The event at `version` undid what `author` did in first_version ... last_version: an undo the edits
 * of this user that were not undone yet, a redo the undos that were not redone yet. Who wrote the
 * undoing event is in the event.
 */
typedef struct UndoneRow
{
	int64 version;
	int64 author;
	bool  redo;
	int64 first_version;
	int64 last_version;
} UndoneRow;

/*
 * Reads the rows of one document along with a scan of its events, a stretch of versions at a time,
 * under the active snapshot. Lives in the current memory context.
 */
typedef struct UndoneReader UndoneReader;

extern UndoneReader *undone_reader(int64 doc);
/* NULL: an edit like any other. Good until the next call. */
extern const UndoneRow *undone_at(UndoneReader *reader, int64 version);

/* The first row at or behind a version, up to `to`; NULL: none. Good until the next call. */
extern const UndoneRow *undone_next(UndoneReader *reader, int64 from, int64 to);

/* The document's lock is held. */
extern void undone_insert(int64 doc, const UndoneRow *row);

#endif

/* live_text.h - rows of collab.live_texts: the text of documents for searching. */
#ifndef COLLAB_LIVE_TEXT_H
#define COLLAB_LIVE_TEXT_H

#include "postgres.h"

#include "utils/snapshot.h"

/* The version that the row is of; -1: there is none. */
extern int64 live_text_version(int64 doc, Snapshot snapshot);

/*
 * Writes the row, in a transaction of the worker's or under the same conditions (lock_derived). The words of a text that is too
 * large for a tsvector are those of its beginning.
 */
extern void live_text_write(int64 doc, int64 version, text *body, Oid config);

/* The tsvector that goes with a body. */
extern Datum live_text_words(Oid config, text *body);

#endif

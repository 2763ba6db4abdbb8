/* event_record.h - an event as it lies in Redis: text, sealed, bound to the event in front of it. */
#ifndef COLLAB_PROXY_EVENT_RECORD_H
#define COLLAB_PROXY_EVENT_RECORD_H

#include "seal.h"
#include "wire.h"

/*
 * <seal> <version> <event> <event before it> <site> <clock> <at> <bytes of the user's name> <bytes of op>\n<user><op>
 *
 * Ids in 16 hex digits, other numbers in decimal; the seal covers everything behind it and the document's id.
 */

/* previous: id of the event in front of it, 0: not known. False: there is no key yet. */
bool event_record_write(Seal *seal, const char *doc_id, uint64_t previous, const WireEvent *event,
						Buf *out) MUST_CHECK;

typedef enum RecordStatus
{
	RECORD_GOOD,
	RECORD_END, /* nothing was left */
	RECORD_MALFORMED,
	RECORD_FORGED
} RecordStatus;

/* Reads the record at *data, whatever lies there, and moves on. Texts of the event point into data. */
RecordStatus event_record_read(Seal *seal, const char *doc_id, const char **data, size_t *bytes,
							   uint64_t *previous, WireEvent *event) MUST_CHECK;

#endif

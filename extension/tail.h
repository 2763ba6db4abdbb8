/* tail.h - the newest events of a document whose lock is held, and those that this command adds. */
#ifndef COLLAB_TAIL_H
#define COLLAB_TAIL_H

#include "postgres.h"

#include "store.h"

/*
 * A tail holds events first ... version in memory, the last `added` of which are not in the table
 * yet. Everything is allocated in the memory context that was current at tail_open.
 */
typedef struct Tail
{
	DocumentRow	  document;
	Snapshot	  snapshot; /* taken after the lock, active for as long as the tail lives */
	MemoryContext context;

	/* the head */
	int64		version;
	int64		event; /* its id */
	int64		length;
	TimestampTz created_at;
	bool		astral;

	int64		 first;	   /* version of events[0]; version + 1 while there are none */
	int64		 first_op; /* the lowest version whose op is held too: `from` + 1 of tail_open, or first */
	StoredEvent *events;
	int			 count;
	int			 capacity;
	int			 added;
	size_t		 bytes; /* of the ops that were read */
} Tail;

/* How much of a document's history is held at once; what lies before it is streamed, or left for later. */
typedef struct TailLimit
{
	int	   events;
	size_t bytes; /* of ops; one event more may be read */
} TailLimit;

#define TAIL_BYTES_MAX ((size_t) 16 * 1024 * 1024)

/*
 * Reads the head and the events down to version `from` (one descending range scan), but not much more
 * than `limit`, and at least the head; of `from` itself, which is what pieces stand on, without its op. In REPEATABLE READ
 * and above, raises 40001 where the transaction sees another head.
 */
extern void tail_open(Tail *tail, const DocumentRow *document, int64 from, const TailLimit *limit,
					  StoreReader *reader, Snapshot snapshot);

/*
 * For a document that is not there: raises 40001 where a transaction in REPEATABLE READ or above
 * still sees it. Then "no such document" and a new document of that id would both contradict what
 * it has read.
 */
extern void tail_check_missing(int64 key);

/* The event at a version that the tail holds, first <= version <= tail->version. */
static inline StoredEvent *
tail_event(const Tail *tail, int64 version)
{
	return &tail->events[version - tail->first];
}

/*
 * Makes an event the head. doc, version, created_at and astral's history are filled in here; the op
 * is copied. Rows reach the table by tail_flush.
 */
extern StoredEvent *tail_add(Tail *tail, const StoredEvent *event, TimestampTz now);

/* Appends what was added to all these tails, and tells listeners when the transaction commits. */
extern void tail_flush(Tail **tails, int count);

#endif

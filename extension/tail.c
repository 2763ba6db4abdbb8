/* tail.c - the newest events of a document that is being written to. */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "changes.h"
#include "tail.h"

/* The base and a message or two. */
#define FIRST_CAPACITY 3

static void
copy_op(Tail *tail, StoredEvent *event)
{
	uint8 *op = MemoryContextAlloc(tail->context, Max(event->op_bytes, 1));

	memcpy(op, event->op, event->op_bytes);
	event->op = op;
}

static void
reserve(Tail *tail)
{
	if (tail->count < tail->capacity)
		return;
	tail->capacity *= 2;
	tail->events = repalloc_huge(tail->events, tail->capacity * sizeof(StoredEvent));
}

static void
set_head(Tail *tail, const StoredEvent *event)
{
	tail->version = event->version;
	tail->event = store_event_id(event);
	tail->length = event->length;
	tail->created_at = event->created_at;
	tail->astral = event->astral;
}

static void
refuse_serialization(const DocumentRow *document)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not serialize access due to concurrent edit of document \"%s\"", document->doc_id),
			 errhint("The transaction might succeed if retried.")));
}

/*
 * A transaction with one snapshot for all must not build on what it cannot see. The violation of
 * the primary key would stop it too, but with an error that tells no one to try again.
 */
static void
check_serializable(const Tail *tail)
{
	DocumentRow document;
	StoredEvent head;
	bool		same;

	if (!IsolationUsesXactSnapshot())
		return;

	PushActiveSnapshot(GetTransactionSnapshot());
	same = store_document_by_key(tail->document.key, GetActiveSnapshot(), &document) &&
		   store_creation_id(&document) == store_creation_id(&tail->document);
	if (same)
	{
		if (store_head(tail->document.key, GetActiveSnapshot(), &head))
			same = head.version == tail->version && store_event_id(&head) == tail->event;
		else
			same = tail->version == 0;
	}
	PopActiveSnapshot();

	if (!same)
		refuse_serialization(&tail->document);
}

void
tail_check_missing(int64 key)
{
	DocumentRow document;
	bool		visible;

	if (!IsolationUsesXactSnapshot())
		return;

	PushActiveSnapshot(GetTransactionSnapshot());
	visible = store_document_by_key(key, GetActiveSnapshot(), &document);
	PopActiveSnapshot();
	if (visible)
		refuse_serialization(&document);
}

/*
 * The newest events that are not older than `bound`, newest first, with the ops of those above
 * `from`. The bound matters: an index page is read as far as the bounds reach, not as far as the
 * caller gets.
 */
static void
read_down(Tail *tail, StoreReader *reader, int64 bound, int64 from, const TailLimit *limit)
{
	StoreScan  *scan = store_reader_events(reader, tail->document.key, bound);
	StoredEvent event;

	while (tail->count < limit->events && (tail->count == 0 || tail->bytes < limit->bytes) &&
		   store_scan_next_row(scan, &event))
	{
		if (event.version > from)
		{
			store_scan_fetch_op(scan, &event);
			copy_op(tail, &event);
			tail->bytes += event.op_bytes;
		}
		reserve(tail);
		tail->events[tail->count++] = event;
		/* Nothing lies below it; asking would read the next page to find that out. */
		if (event.version == bound)
			break;
	}
}

void
tail_open(Tail *tail, const DocumentRow *document, int64 from, const TailLimit *limit, StoreReader *reader,
		  Snapshot snapshot)
{
	static const TailLimit head_only = {.events = 1};
	int					   i;

	memset(tail, 0, sizeof(Tail));
	tail->document = *document;
	tail->snapshot = snapshot;
	tail->context = CurrentMemoryContext;
	tail->capacity = FIRST_CAPACITY;
	tail->events = palloc_array(StoredEvent, tail->capacity);

	read_down(tail, reader, from, from, limit);
	/* A base beyond the head, or none: the head is wanted all the same. */
	if (tail->count == 0 && from > 0)
		read_down(tail, reader, 0, from, &head_only);

	for (i = 0; i < tail->count / 2; i++)
	{
		StoredEvent swap = tail->events[i];

		tail->events[i] = tail->events[tail->count - 1 - i];
		tail->events[tail->count - 1 - i] = swap;
	}
	if (tail->count > 0)
		set_head(tail, &tail->events[tail->count - 1]);
	else
	{
		tail->event = store_creation_id(document);
		tail->created_at = document->created_at;
	}
	tail->first = tail->version - tail->count + 1;
	tail->first_op = tail->count > 0 && tail->events[0].op == NULL ? tail->first + 1 : tail->first;
	if (tail->count > 0 && tail->events[0].version != tail->first)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("events of document \"%s\" are missing between versions " INT64_FORMAT
							   " and " INT64_FORMAT,
							   document->doc_id, tail->events[0].version, tail->version)));

	check_serializable(tail);
}

StoredEvent *
tail_add(Tail *tail, const StoredEvent *event, TimestampTz now)
{
	StoredEvent *added;

	reserve(tail);
	added = &tail->events[tail->count];
	*added = *event;
	added->doc = tail->document.key;
	added->version = tail->version + 1;
	/* Whole milliseconds take less room in a chunk, and the wire has no more either. */
	added->created_at = Max(now - now % 1000, tail->created_at);
	added->astral = event->astral || tail->astral;
	copy_op(tail, added);
	tail->count++;
	tail->added++;
	set_head(tail, added);
	return added;
}

void
tail_flush(Tail **tails, int count)
{
	StoredEvent **rows;
	int			  nrows = 0;
	int			  i;
	int			  j;

	for (i = 0; i < count; i++)
		nrows += tails[i]->added;
	if (nrows == 0)
		return;

	rows = palloc_array(StoredEvent *, nrows);
	nrows = 0;
	for (i = 0; i < count; i++)
	{
		Tail *tail = tails[i];

		for (j = tail->count - tail->added; j < tail->count; j++)
			rows[nrows++] = &tail->events[j];
		if (tail->added > 0)
			changes_note(tail->document.key, tail->version);
		tail->added = 0;
	}
	store_append(rows, nrows);
	pfree(rows);
}

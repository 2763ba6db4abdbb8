/* head_cache.c - a bounded, throw-away cache of replayed documents in each backend. */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "errors.h"
#include "event_scan.h"
#include "guc.h"
#include "head_cache.h"
#include "pg_alloc.h"
#include "read.h"

#define CACHE_ENTRIES 64

/*
 * An entry claims nothing about the present: it is the content of a document at (version, id of the
 * event at that version), and is used only where that event is in the history that the current
 * snapshot shows. So what others undid, and what was restored, dropped or created again, is
 * recognised at the next use. What this session's transaction itself made and undid is forgotten: while the clock
 * stands behind the head, an event that takes its place may have its id.
 */
struct HeadContent
{
	MemoryContext context; /* NULL: free */
	Replay		 *replay;
	int64		  key;
	int64		  version;
	int64		  event;
	uint64		  used;		/* the larger, the more recent */
	bool		  changing; /* an error left it half-way */
	bool		  fresh;	/* this transaction changed it, perhaps by what is not committed */
};

static HeadContent cache[CACHE_ENTRIES];
static uint64	   uses = 0;
static bool		   any_fresh = false;

static void
forget(HeadContent *content)
{
	if (content->context != NULL)
		MemoryContextDelete(content->context);
	memset(content, 0, sizeof(HeadContent));
}

static void
settle(bool undone)
{
	int i;

	if (!any_fresh)
		return;
	for (i = 0; i < CACHE_ENTRIES; i++)
	{
		if (!cache[i].fresh)
			continue;
		cache[i].changing |= undone;
		cache[i].fresh = false;
	}
	any_fresh = false;
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT)
		settle(false);
	else if (event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		settle(true);
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		settle(true);
}

/* From here on until the transaction's end the content may be what is undone. */
static void
begin_change(HeadContent *content)
{
	static bool registered = false;

	if (!registered)
	{
		RegisterXactCallback(at_transaction_end, NULL);
		RegisterSubXactCallback(at_subtransaction_end, NULL);
		registered = true;
	}
	content->changing = true;
	content->fresh = true;
	any_fresh = true;
}

/*
 * The entry of a document, or the one that is to become it: a free one, else the least recently
 * used.
 */
static HeadContent *
find_entry(int64 key)
{
	HeadContent *oldest = &cache[0];
	int			 i;

	for (i = 0; i < CACHE_ENTRIES; i++)
	{
		if (cache[i].context != NULL && cache[i].key == key)
			return &cache[i];
		if (cache[i].used < oldest->used)
			oldest = &cache[i];
	}
	forget(oldest);
	return oldest;
}

/* Makes room, but not by giving up the entry that is in use: one document is always allowed. */
static void
shrink(const HeadContent *keep)
{
	for (;;)
	{
		HeadContent *oldest = NULL;
		size_t		 total = 0;
		int			 i;

		for (i = 0; i < CACHE_ENTRIES; i++)
		{
			if (cache[i].context == NULL)
				continue;
			total += replay_memory(cache[i].replay);
			if (&cache[i] != keep && (oldest == NULL || cache[i].used < oldest->used))
				oldest = &cache[i];
		}
		if (oldest == NULL || total <= (size_t) guc_head_cache_size * 1024)
			return;
		forget(oldest);
	}
}

static void
apply_event(HeadContent *content, const StoredEvent *event, Arena *arena)
{
	CollabError err = {0};
	Delta		change;

	errors_check(delta_decode(arena, event->op, event->op_bytes, &change, &err), &err);
	errors_check(replay_apply(content->replay, &change, &err), &err);
	arena_reset(arena);
	content->version = event->version;
	content->event = store_event_id(event);
}

/*
 * Does the event at the entry's version belong to this history? Then what is missing up to the
 * tail's ops is read too.
 */
static bool
catch_up_stored(HeadContent *content, const Tail *tail, Arena *arena)
{
	EventScan  *scan;
	StoredEvent event;

	if (content->version > tail->version)
		return false;
	if (content->version >= tail->first)
		return store_event_id(tail_event(tail, content->version)) == content->event;
	if (content->version == 0 && content->event != store_creation_id(&tail->document))
		return false;

	if (content->version > 0 && (!event_at(&tail->document, content->version, tail->snapshot, &event) ||
								 store_event_id(&event) != content->event))
		return false;

	scan = event_scan_begin(&tail->document, content->version + 1, tail->first_op - 1, false, tail->snapshot);
	while (event_scan_next(scan, &event))
		apply_event(content, &event, arena);
	event_scan_end(scan);
	return true;
}

static void
load(HeadContent *content, const Tail *tail)
{
	ReadTarget	target = {.version = tail->version - tail->added, .until = DT_NOEND};
	ReadContent loaded;

	read_content(&tail->document, &target, tail->snapshot, &loaded);
	MemoryContextSetParent(loaded.context, TopMemoryContext);
	content->context = loaded.context;
	content->replay = loaded.replay;
	content->key = tail->document.key;
	content->version = loaded.version;
	content->event = loaded.event;
}

HeadContent *
head_cache_get(Tail *tail)
{
	HeadContent *content = find_entry(tail->document.key);
	Arena		 arena;
	int64		 version;

	pg_arena_init(&arena);
	content->used = ++uses;
	if (content->context != NULL && !content->changing && content->version == tail->version &&
		content->event == tail->event)
		return content;

	if (content->context != NULL && content->changing)
		forget(content);
	begin_change(content);
	if (content->context != NULL && !catch_up_stored(content, tail, &arena))
		forget(content);
	if (content->context == NULL)
		load(content, tail);
	begin_change(content);
	for (version = Max(content->version + 1, tail->first_op); version <= tail->version; version++)
		apply_event(content, tail_event(tail, version), &arena);
	arena_free(&arena);

	if (content->version != tail->version || content->event != tail->event ||
		replay_length(content->replay) != tail->length)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("events of document \"%s\" do not add up to its length at version " INT64_FORMAT,
						tail->document.doc_id, tail->version)));
	content->changing = false;
	content->used = ++uses;
	shrink(content);
	return content;
}

CollabStatus
head_content_check(const HeadContent *content, const Delta *change, CollabError *err)
{
	return replay_check(content->replay, change, err);
}

void
head_content_apply(HeadContent *content, const Delta *change, const Tail *tail)
{
	CollabError err = {0};

	begin_change(content);
	errors_check(replay_apply(content->replay, change, &err), &err);
	content->version = tail->version;
	content->event = tail->event;
	content->changing = false;
}

void
head_content_delta(const HeadContent *content, Arena *arena, Delta *out)
{
	CollabError err = {0};

	errors_check(replay_delta(content->replay, arena, out), &err);
}

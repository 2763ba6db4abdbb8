/* head_cache.c - a bounded, throw-away cache of replayed documents in each backend. */
#include "postgres.h"

#include "access/xact.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "errors.h"
#include "event_scan.h"
#include "guc.h"
#include "head_cache.h"
#include "pg_alloc.h"
#include "read.h"
#include "snapshot.h"

/* However small they are. */
#define CACHE_ENTRIES_MAX 8192

/*
 * An entry claims nothing about the present: it is the content of a document at (version, id of the
 * event at that version), and is used only where that event is in the history that the current
 * snapshot shows. So what others undid, and what was restored, dropped or created again, is
 * recognised at the next use. What this session's transaction itself made and undid is forgotten: while the clock
 * stands behind the head, an event that takes its place may have its id.
 */
struct HeadContent
{
	int64		  key;	   /* of the hash table: must be first */
	dlist_node	  node;	   /* in `recent` */
	MemoryContext context; /* NULL: nothing is loaded yet */
	Replay		 *replay;
	HeadPosition  at;
	size_t		  bytes;	/* as counted in `total_bytes` */
	uint64		  used;		/* the larger, the more recent */
	bool		  changing; /* an error left it half-way */
	bool		  fresh;	/* this transaction changed it, perhaps by what is not committed */
};

static HTAB		 *cache = NULL;
static dlist_head recent = DLIST_STATIC_INIT(recent); /* most recently used first */
static size_t	  total_bytes = 0;
static uint64	  uses = 0;
static uint64	  settled = 0; /* what was used before that is not fresh */

static void
unload(HeadContent *content)
{
	if (content->context != NULL)
		MemoryContextDelete(content->context);
	total_bytes -= content->bytes;
	content->context = NULL;
	content->bytes = 0;
}

static void
forget(HeadContent *content)
{
	unload(content);
	dlist_delete(&content->node);
	(void) hash_search(cache, &content->key, HASH_REMOVE, NULL);
}

static void
settle(bool undone)
{
	dlist_iter iter;

	if (uses == settled)
		return;
	dlist_foreach (iter, &recent)
	{
		HeadContent *content = dlist_container(HeadContent, node, iter.cur);

		if (content->used <= settled)
			break;
		if (content->fresh)
			content->changing |= undone;
		content->fresh = false;
	}
	settled = uses;
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

static void
touch(HeadContent *content)
{
	content->used = ++uses;
	dlist_move_head(&recent, &content->node);
}

/* From here on until the transaction's end the content may be what is undone. */
static void
begin_change(HeadContent *content)
{
	touch(content);
	content->changing = true;
	content->fresh = true;
}

static void
create_cache(void)
{
	HASHCTL ctl = {.keysize = sizeof(int64), .entrysize = sizeof(HeadContent), .hcxt = TopMemoryContext};

	cache = hash_create("collab contents", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}

/* The entry of a document, with nothing loaded where it is new. */
static HeadContent *
find_entry(int64 key)
{
	HeadContent *content;
	bool		 found;

	if (cache == NULL)
		create_cache();
	content = hash_search(cache, &key, HASH_ENTER, &found);
	if (!found)
	{
		memset((char *) content + sizeof(int64), 0, sizeof(HeadContent) - sizeof(int64));
		dlist_push_head(&recent, &content->node);
	}
	touch(content);
	return content;
}

/* Makes room, but not by giving up the entry that is in use: one document is always allowed. */
static void
shrink(HeadContent *keep)
{
	size_t bytes = MemoryContextMemAllocated(keep->context, true);

	total_bytes += bytes - keep->bytes;
	keep->bytes = bytes;
	while (total_bytes > (size_t) guc_head_cache_size * 1024 ||
		   hash_get_num_entries(cache) > CACHE_ENTRIES_MAX)
	{
		HeadContent *oldest = dlist_tail_element(HeadContent, node, &recent);

		if (oldest == keep)
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
	content->at.version = event->version;
	content->at.event = store_event_id(event);
	content->at.since_bytes += event->op_bytes;
}

/* Is the event at the entry's version in the history that the snapshot shows? */
static bool
is_in_history(const HeadContent *content, const DocumentRow *document, Snapshot snapshot)
{
	StoredEvent event;

	if (content->at.version == 0)
		return content->at.event == store_creation_id(document);
	return event_at(document, content->at.version, snapshot, &event) &&
		   store_event_id(&event) == content->at.event;
}

static void
catch_up(HeadContent *content, const DocumentRow *document, int64 until, Snapshot snapshot, Arena *arena)
{
	EventScan  *scan;
	StoredEvent event;

	if (content->at.version >= until)
		return;
	scan = event_scan_begin(document, content->at.version + 1, until, false, snapshot);
	while (event_scan_next(scan, &event))
		apply_event(content, &event, arena);
	event_scan_end(scan);
}

static void
load(HeadContent *content, const DocumentRow *document, int64 version, Snapshot snapshot)
{
	ReadTarget	target = {.version = version, .until = DT_NOEND};
	ReadContent loaded;

	read_content(document, &target, snapshot, &loaded);
	MemoryContextSetParent(loaded.context, TopMemoryContext);
	content->context = loaded.context;
	content->replay = loaded.replay;
	content->at.version = loaded.version;
	content->at.event = loaded.event;
	head_content_count(content);
}

/* Up to the tail's ops it is read from where it is stored. False: the entry is of another history. */
static bool
catch_up_to_tail(HeadContent *content, const Tail *tail, Arena *arena)
{
	if (content->at.version > tail->version)
		return false;
	if (content->at.version >= tail->first)
		return store_event_id(tail_event(tail, content->at.version)) == content->at.event;
	if (!is_in_history(content, &tail->document, tail->snapshot))
		return false;
	catch_up(content, &tail->document, tail->first_op - 1, tail->snapshot, arena);
	return true;
}

HeadContent *
head_cache_get(Tail *tail)
{
	HeadContent *content = find_entry(tail->document.key);
	Arena		 arena;
	int64		 version;

	if (content->context != NULL && !content->changing && content->at.version == tail->version &&
		content->at.event == tail->event)
		return content;

	pg_arena_init(&arena);
	if (content->changing)
		unload(content);
	begin_change(content);
	if (content->context != NULL && !catch_up_to_tail(content, tail, &arena))
		unload(content);
	if (content->context == NULL)
		load(content, &tail->document, tail->version - tail->added, tail->snapshot);
	begin_change(content);
	for (version = Max(content->at.version + 1, tail->first_op); version <= tail->version; version++)
		apply_event(content, tail_event(tail, version), &arena);
	arena_free(&arena);

	if (content->at.version != tail->version || content->at.event != tail->event ||
		replay_length(content->replay) != tail->length)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("events of document \"%s\" do not add up to its length at version " INT64_FORMAT,
						tail->document.doc_id, tail->version)));
	content->changing = false;
	shrink(content);
	return content;
}

HeadContent *
head_cache_read(const DocumentRow *document, int64 version, Snapshot snapshot)
{
	HeadContent *content = find_entry(document->key);
	Arena		 arena;

	pg_arena_init(&arena);
	if (content->changing || (content->context != NULL &&
							  (content->at.version > version || !is_in_history(content, document, snapshot))))
		unload(content);
	begin_change(content);
	if (content->context == NULL)
	{
		int64 newest = snapshot_newest_version(document->key, snapshot);

		/* What is read behind the newest snapshot is to be counted. */
		load(content, document, Min(Max(newest, 0), version), snapshot);
	}
	begin_change(content);
	catch_up(content, document, version, snapshot, &arena);
	arena_free(&arena);
	if (content->at.version != version)
		elog(ERROR, "version " INT64_FORMAT " of document \"%s\" is not there", version, document->doc_id);
	content->changing = false;
	shrink(content);
	return content;
}

bool
head_cache_has(int64 key)
{
	return cache != NULL && hash_search(cache, &key, HASH_FIND, NULL) != NULL;
}

void
head_cache_forget(int64 key)
{
	HeadContent *content = cache != NULL ? hash_search(cache, &key, HASH_FIND, NULL) : NULL;

	if (content != NULL)
		forget(content);
}

const HeadPosition *
head_content_position(HeadContent *content)
{
	content->at.length = replay_length(content->replay);
	return &content->at;
}

void
head_content_count(HeadContent *content)
{
	content->at.since = content->at.version;
	content->at.since_bytes = 0;
}

const Replay *
head_content_replay(const HeadContent *content)
{
	return content->replay;
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
	content->at.version = tail->version;
	content->at.event = tail->event;
	content->changing = false;
}

void
head_content_delta(const HeadContent *content, Arena *arena, Delta *out)
{
	CollabError err = {0};

	errors_check(replay_delta(content->replay, arena, out), &err);
}

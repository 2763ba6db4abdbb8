/* composed.c - changes from one version to another, out of the events between them. */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "composed.h"
#include "errors.h"
#include "event_scan.h"
#include "pg_alloc.h"
#include "read.h"

static bool
changes_embed(const Delta *change)
{
	uint32 i;

	for (i = 0; i < change->count; i++)
		if (change->ops[i].kind == DELTA_RETAIN_EMBED)
			return true;
	return false;
}

static void
refuse_size(const DocumentRow *document, int64 from, int64 to, size_t bytes)
{
	ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					errmsg("difference between versions " INT64_FORMAT " and " INT64_FORMAT
						   " of document \"%s\" is too large",
						   from, to, document->doc_id),
					errdetail("It takes %zu bytes, the limit is %zu.", bytes, (size_t) MaxAllocSize),
					errhint("Take versions that are closer together.")));
}

/*
 * Events low + 1 ... high as one change. False: some of them change embeds. quill-delta's compose,
 * whose results are ours, forgets an attribute that is removed from an embed in the same change, so
 * that the composition would not be exact.
 */
static bool
compose_events(const DocumentRow *document, int64 low, int64 high, Snapshot snapshot, Arena *arena, Delta *out)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "collab composed change", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	CollabError	  err = {0};
	bool		  exact = true;
	EventScan	 *scan;
	StoredEvent	  event;
	Replay		 *replay;
	Arena		  scratch;

	pg_arena_init(&scratch);
	errors_check(replay_create(pg_alloc(context), false, &replay), &err);
	scan = event_scan_begin(document, low + 1, high, false, snapshot);
	while (exact && event_scan_next(scan, &event))
	{
		Delta change;

		CHECK_FOR_INTERRUPTS();
		read_check_event(delta_decode(&scratch, event.op, event.op_bytes, &change, &err), &err, document,
						 &event);
		exact = !changes_embed(&change);
		if (exact)
			read_check_event(replay_apply(replay, &change, &err), &err, document, &event);
		arena_reset(&scratch);
	}
	event_scan_end(scan);
	if (exact)
	{
		if (replay_bytes(replay) > MaxAllocSize)
			refuse_size(document, low, high, replay_bytes(replay));
		errors_check(replay_delta(replay, arena, out), &err);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return exact;
}

static void
read_version_delta(const DocumentRow *document, int64 version, Snapshot snapshot, Arena *arena, Delta *out)
{
	const ReadTarget target = {.version = version, .until = DT_NOEND};
	CollabError		 err = {0};
	ReadContent		 content;

	read_content(document, &target, snapshot, &content);
	(void) read_check_size(document, &content, MaxAllocSize);
	errors_check(replay_delta(content.replay, arena, out), &err);
	read_content_free(&content);
}

/*
 * From one content to another by looking at the contents alone. Of a history that was deleted, versions
 * with a name still have theirs.
 */
static void
compare_contents(const DocumentRow *document, int64 from, int64 to, Snapshot snapshot, Arena *arena,
				 Delta *out)
{
	CollabError err = {0};
	Delta		before;
	Delta		after;

	read_version_delta(document, from, snapshot, arena, &before);
	read_version_delta(document, to, snapshot, arena, &after);
	errors_check(delta_diff(arena, &before, &after, out, &err), &err);
}

void
composed_change(const DocumentRow *document, int64 from, int64 to, Snapshot snapshot, Arena *arena, Delta *out)
{
	CollabError err = {0};
	Delta		forward;
	Delta		base;

	if (Min(from, to) < document->first_version ||
		!compose_events(document, Min(from, to), Max(from, to), snapshot, arena, &forward))
		compare_contents(document, from, to, snapshot, arena, out);
	else if (from <= to)
		*out = forward;
	else
	{
		read_version_delta(document, to, snapshot, arena, &base);
		errors_check(delta_invert(arena, &forward, &base, out, &err), &err);
	}
}

void
composed_way_back(const DocumentRow *document, int64 head, int64 version, Snapshot snapshot, Arena *arena,
				  Delta *out)
{
	CollabError err = {0};
	Delta		forward;
	Delta		before;
	Delta		after;

	if (version < document->first_version ||
		!compose_events(document, version, head, snapshot, arena, &forward))
	{
		compare_contents(document, head, version, snapshot, arena, out);
		return;
	}
	read_version_delta(document, version, snapshot, arena, &before);
	errors_check(delta_compose(arena, &before, &forward, &after, &err), &err);
	*out = (Delta){NULL, 0};
	if (delta_equal(&before, &after))
		return;
	errors_check(delta_invert(arena, &forward, &before, out, &err), &err);
	errors_check(delta_tighten(arena, out, &after, out, &err), &err);
}

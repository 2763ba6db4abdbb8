/* edit_summary.c - changes composed as far as they stand behind each other, counted, and put into words. */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "edit_summary.h"
#include "errors.h"
#include "pg_alloc.h"
#include "replay.h"
#include "utf8.h"

/* Characters of inserted text that are shown. */
#define SHOWN_CHARS 40
/* Enough bytes for them, and to know that there are more. */
#define TEXT_BYTES (4 * SHOWN_CHARS + 4)
/* What is held uncomposed, in bytes. A stretch that is longer is composed in parts. */
#define PENDING_BYTES_MAX ((size_t) 1024 * 1024)

typedef struct PendingOp
{
	uint8 *op;
	uint32 bytes;
} PendingOp;

EditSummary *
edit_summary_begin(void)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "collab edit summary", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	EditSummary	 *summary = palloc0_object(EditSummary);

	summary->context = context;
	initStringInfo(&summary->text);
	MemoryContextSwitchTo(old);
	return summary;
}

void
edit_summary_free(EditSummary *summary)
{
	MemoryContextDelete(summary->context);
}

/* ---- counting ---- */

/* Characters that would break a line, or hide, are spaces. */
static void
append_text(StringInfo excerpt, const char *data, uint32 bytes)
{
	size_t room = TEXT_BYTES - Min(TEXT_BYTES, excerpt->len);
	size_t taken = utf8_floor(data, Min(bytes, room));
	size_t i;

	for (i = 0; i < taken; i++)
	{
		unsigned char c = (unsigned char) data[i];

		appendStringInfoCharMacro(excerpt, c < 0x20 || c == 0x7f ? ' ' : c);
	}
}

/* Counts a change, which is older than all that was counted before. */
static void
count_change(EditSummary *summary, const Delta *change)
{
	StringInfoData excerpt;
	uint32		   i;

	initStringInfo(&excerpt);
	for (i = 0; i < change->count; i++)
	{
		const DeltaOp *op = &change->ops[i];

		switch ((DeltaKind) op->kind)
		{
			case DELTA_INSERT:
				/* two places */
				if (excerpt.len > 0 && change->ops[i - 1].kind != DELTA_INSERT && excerpt.len < TEXT_BYTES)
					appendStringInfoString(&excerpt, " … ");
				append_text(&excerpt, op->data, op->bytes);
				summary->inserted += op->units;
				break;
			case DELTA_INSERT_EMBED:
				summary->inserted++;
				summary->embeds++;
				break;
			case DELTA_DELETE:
				summary->deleted += op->units;
				break;
			case DELTA_RETAIN:
				if (op->attrs.bytes > 0)
					summary->formatted += op->units;
				break;
			case DELTA_RETAIN_EMBED:
				summary->changed_embeds++;
				break;
		}
	}
	if (excerpt.len > 0)
	{
		append_text(&excerpt, summary->text.data, summary->text.len);
		resetStringInfo(&summary->text);
		appendBinaryStringInfo(&summary->text, excerpt.data, excerpt.len);
	}
	pfree(excerpt.data);
}

/* One by itself needs no composing. */
static void
decode_pending(const EditSummary *summary, Arena *arena, Delta *out)
{
	Replay	   *replay;
	CollabError err = {0};
	int			i;

	if (summary->pending_count == 1)
	{
		errors_check(delta_decode(arena, summary->pending[0].op, summary->pending[0].bytes, out, &err), &err);
		return;
	}
	errors_check(replay_create(arena_as_alloc(arena), false, &replay), &err);
	for (i = summary->pending_count - 1; i >= 0; i--)
	{
		const PendingOp *pending = &summary->pending[i];
		Delta			 change;

		errors_check(delta_decode(arena, pending->op, pending->bytes, &change, &err), &err);
		errors_check(replay_apply(replay, &change, &err), &err);
	}
	errors_check(replay_delta(replay, arena, out), &err);
}

static void
compose_pending(EditSummary *summary)
{
	MemoryContext context;
	MemoryContext old;
	Arena		  arena;
	Delta		  change;
	int			  i;

	if (summary->pending_count == 0)
		return;
	context = AllocSetContextCreate(CurrentMemoryContext, "collab edit composition", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	pg_arena_init(&arena);
	decode_pending(summary, &arena, &change);
	count_change(summary, &change);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	for (i = 0; i < summary->pending_count; i++)
		pfree(summary->pending[i].op);
	summary->pending_count = 0;
	summary->pending_bytes = 0;
}

void
edit_summary_add(EditSummary *summary, const StoredEvent *event)
{
	PendingOp *pending;

	if (event->version != summary->first_version - 1 || summary->pending_bytes > PENDING_BYTES_MAX)
		compose_pending(summary);
	if (summary->pending_count == summary->pending_capacity)
	{
		summary->pending_capacity = Max(4, 2 * summary->pending_capacity);
		if (summary->pending == NULL)
			summary->pending =
				MemoryContextAlloc(summary->context, summary->pending_capacity * sizeof(PendingOp));
		else
			summary->pending = repalloc(summary->pending, summary->pending_capacity * sizeof(PendingOp));
	}
	pending = &summary->pending[summary->pending_count++];
	pending->bytes = event->op_bytes;
	pending->op = MemoryContextAlloc(summary->context, Max(event->op_bytes, 1));
	memcpy(pending->op, event->op, event->op_bytes);
	summary->pending_bytes += event->op_bytes + sizeof(PendingOp);
	summary->events++;
	summary->first_version = event->version;
}

void
edit_summary_finish(EditSummary *summary)
{
	compose_pending(summary);
}

/* ---- words ---- */

static void
begin_part(StringInfo words)
{
	if (words->len > 0)
		appendStringInfoString(words, ", ");
}

static void
append_count(StringInfo words, const char *what, int64 count, const char *unit)
{
	if (count == 0)
		return;
	begin_part(words);
	appendStringInfo(words, "%s " INT64_FORMAT "%s%s", what, count, unit,
					 unit[0] != '\0' && count > 1 ? "s" : "");
}

char *
edit_summary_words(const EditSummary *summary)
{
	StringInfoData words;

	initStringInfo(&words);
	if (summary->text.len > 0)
	{
		int shown = pg_mbcharcliplen(summary->text.data, summary->text.len, SHOWN_CHARS);

		appendStringInfoString(&words, "inserted \"");
		appendBinaryStringInfo(&words, summary->text.data, shown);
		appendStringInfoString(&words, shown < summary->text.len ? "…\"" : "\"");
	}
	append_count(&words, "inserted", summary->embeds, " embed");
	append_count(&words, "deleted", summary->deleted, "");
	append_count(&words, "formatted", summary->formatted, "");
	append_count(&words, "changed", summary->changed_embeds, " embed");
	if (words.len == 0)
		appendStringInfoString(&words, "nothing");
	return words.data;
}

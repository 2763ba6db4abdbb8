/* verify_derived.c - what was derived from the content of a document, compared with it: snapshots, live text. */
#include "postgres.h"

#include "catalog/namespace.h"
#include "executor/spi.h"
#include "tsearch/ts_type.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/regproc.h"

#include "errors.h"
#include "guc.h"
#include "live_text.h"
#include "pg_alloc.h"
#include "verify_walk.h"

/* ---- content ---- */

void
walk_forget_content(Walk *walk)
{
	if (walk->replay != NULL)
		replay_free(walk->replay);
	walk->replay = NULL;
}

void
walk_make_content(Verification *v, Walk *walk)
{
	CollabError err = {0};

	walk_forget_content(walk);
	errors_check(replay_create(pg_alloc(v->context), true, &walk->replay), &err);
}

/* What a good snapshot holds becomes the content. */
static void
adopt_snapshot(Verification *v, Walk *walk)
{
	const SnapshotRow *row = &walk->snapshot;
	CollabError		   err = {0};
	Delta			   content;
	CollabStatus	   status;

	walk_make_content(v, walk);
	status = delta_decode(&walk->arena, row->content, row->content_bytes, &content, &err);
	if (status == COLLAB_OK && !delta_is_document(&content))
		status = collab_fail(&err, COLLAB_INVALID, -1, "it is a change, not the content of a document");
	if (status == COLLAB_OK)
		status = replay_apply(walk->replay, &content, &err);
	arena_reset(&walk->arena);
	if (status == COLLAB_NOMEM)
		errors_raise(status, &err);
	if (status != COLLAB_OK)
	{
		verify_report(v, "snapshots", row->version, "content is invalid: %s", err.message);
		walk_forget_content(walk);
		return;
	}
	if (replay_length(walk->replay) != row->length)
		verify_report(v, "snapshots", row->version,
					  "length is " INT64_FORMAT ", that of the content " INT64_FORMAT, row->length,
					  replay_length(walk->replay));
	if (!walk->known_before)
	{
		memset(&walk->before, 0, sizeof(walk->before));
		walk->before.length = row->length;
		walk->before.created_at = row->created_at;
		walk->before.astral = row->astral;
		walk->event = row->event;
		walk->known_before = true;
	}
}

static void
compare_content(Verification *v, Walk *walk)
{
	const SnapshotRow *row = &walk->snapshot;
	MemoryContext	   old;
	MemoryContext	   scratch = verify_scratch_begin(&old);
	Buf				   buf;

	pg_buf_init(&buf);
	replay_encode(walk->replay, &buf);
	pg_buf_check(&buf);
	if (buf.size != row->content_bytes || memcmp(buf.data, row->content, buf.size) != 0)
		verify_report(v, "snapshots", row->version, "content is not that of the events up to it");
	if (row->length != replay_length(walk->replay))
		verify_report(v, "snapshots", row->version,
					  "length is " INT64_FORMAT ", that of the document " INT64_FORMAT, row->length,
					  replay_length(walk->replay));
	verify_scratch_end(scratch, old);
}

static void
compare_event(Verification *v, const Walk *walk)
{
	const SnapshotRow *row = &walk->snapshot;

	if (row->event != walk->event)
		verify_report(v, "snapshots", row->version,
					  "id of the event is " INT64_FORMAT ", that of the event itself " INT64_FORMAT,
					  row->event, walk->event);
	if (row->created_at != walk->before.created_at)
		verify_report(v, "snapshots", row->version, "created_at is not that of the event");
	if (row->astral != walk->before.astral)
		verify_report(v, "snapshots", row->version, "astral is %s, that of the event is not",
					  row->astral ? "true" : "false");
}

/* ---- snapshots ---- */

static void
next_snapshot(Verification *v, Walk *walk, int64 after)
{
	MemoryContext old = MemoryContextSwitchTo(v->context);

	snapshot_free(&walk->snapshot);
	if (!snapshot_next(v->document.key, after, v->snapshot, &walk->snapshot))
	{
		memset(&walk->snapshot, 0, sizeof(walk->snapshot));
		walk->snapshot.version = PG_INT64_MAX;
	}
	MemoryContextSwitchTo(old);
}

/* Those that the walk has jumped over could not be compared with anything but their checksum. */
void
walk_pass_snapshots(Verification *v, Walk *walk, int64 below)
{
	while (walk->snapshot.version < below)
	{
		if (walk->snapshot.content == NULL)
			verify_report(v, "snapshots", walk->snapshot.version, "broken: its checksum is another");
		next_snapshot(v, walk, walk->snapshot.version);
	}
}

void
walk_check_snapshot(Verification *v, Walk *walk)
{
	walk_pass_snapshots(v, walk, walk->version);
	if (walk->snapshot.version != walk->version)
		return;
	if (walk->snapshot.content == NULL)
		verify_report(v, "snapshots", walk->version, "broken: its checksum is another");
	else
	{
		if (walk->known_before)
			compare_event(v, walk);
		if (walk->replay != NULL)
			compare_content(v, walk);
		else
			adopt_snapshot(v, walk);
	}
	next_snapshot(v, walk, walk->version);
}

/* ---- live text ---- */

static void
read_text_version(Verification *v, HeapTuple row, TupleDesc desc, void *arg)
{
	Walk *walk = arg;

	walk->text_pending = true;
	walk->text_version = verify_int64(row, desc, 1);
}

static void
find_text(Verification *v, void *arg)
{
	Walk *walk = arg;

	verify_rows(v, "SELECT version FROM collab.live_texts WHERE doc OPERATOR(pg_catalog.=) $1",
				read_text_version, walk);
	if (walk->text_pending && walk->text_version > v->head)
	{
		verify_report(v, "live_texts", walk->text_version, "the document is at version " INT64_FORMAT,
					  v->head);
		walk->text_pending = false;
	}
	else if (walk->text_pending && walk->text_version < v->document.first_version)
		walk->text_pending = false;
}

/* Of the setting: words that were made with another configuration are not what a search expects, either. */
static void
compare_words(Verification *v, const Walk *walk, text *body, Datum stored)
{
	Oid		 config = get_ts_config_oid(stringToQualifiedNameList(guc_live_text_config), true);
	TSVector words = DatumGetTSVector(stored);
	TSVector expected;

	if (!OidIsValid(config))
		return;
	/* until the statement ends: words that are too long are nobody's business here */
	(void) set_config_option("client_min_messages", "warning", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
	expected = DatumGetTSVector(live_text_words(config, body));
	if (VARSIZE(words) != VARSIZE(expected) || memcmp(words, expected, VARSIZE(words)) != 0)
		verify_report(v, "live_texts", walk->version,
					  "words are not those that configuration \"%s\" finds in the text", guc_live_text_config);
}

static void
compare_text(Verification *v, HeapTuple row, TupleDesc desc, void *arg)
{
	Walk *walk = arg;
	bool  isnull;
	text *body = DatumGetTextPP(SPI_getbinval(row, desc, 1, &isnull));
	Buf	  buf;

	pg_buf_init(&buf);
	replay_text(walk->replay, NULL, &buf);
	pg_buf_check(&buf);
	if (buf.size != VARSIZE_ANY_EXHDR(body) || memcmp(buf.data, VARDATA_ANY(body), buf.size) != 0)
		verify_report(v, "live_texts", walk->version, "body is not the text of the document");
	compare_words(v, walk, body, SPI_getbinval(row, desc, 2, &isnull));
}

static void
read_text_row(Verification *v, void *arg)
{
	verify_rows(v, "SELECT body, words FROM collab.live_texts WHERE doc OPERATOR(pg_catalog.=) $1",
				compare_text, arg);
}

void
walk_check_text(Verification *v, Walk *walk)
{
	if (!walk->text_pending || walk->version < walk->text_version)
		return;
	walk->text_pending = false;
	if (walk->version == walk->text_version && walk->replay != NULL)
		verify_step(v, "live_texts", read_text_row, walk);
}

void
walk_find_derived(Verification *v, Walk *walk)
{
	verify_step(v, "live_texts", find_text, walk);
	next_snapshot(v, walk, PG_INT64_MIN);
}

void
walk_end_snapshots(Verification *v, Walk *walk)
{
	walk_pass_snapshots(v, walk, v->head + 1);
	while (walk->snapshot.version != PG_INT64_MAX)
	{
		verify_report(v, "snapshots", walk->snapshot.version, "the document is at version " INT64_FORMAT,
					  v->head);
		next_snapshot(v, walk, walk->snapshot.version);
	}
}

/* replace.c - a document's content replaced as a whole, by one event that is no larger than the difference. */
#include "postgres.h"

#include "fmgr.h"
#include "utils/snapmgr.h"

#include "delta_type.h"
#include "errors.h"
#include "pg_alloc.h"
#include "read.h"
#include "submit.h"

/*
 * Worked out under the document's lock, so that the content is afterwards what was asked for and nothing else: a difference to an older
 * content, carried over what came since, would be a mixture of both.
 */
static int64
replace_content(Edit *edit, const Delta *content)
{
	ReadTarget	target = {.version = PG_INT64_MAX, .until = DT_NOEND};
	CollabError err = {0};
	ReadContent now;
	Delta		old;
	Delta		change;
	Arena		arena;
	int64		version = edit->tail.version;

	pg_arena_init(&arena);
	read_content(&edit->tail.document, &target, edit->tail.snapshot, &now);
	errors_check(replay_delta(now.replay, &arena, &old), &err);
	errors_check(delta_diff(&arena, &old, content, &change, &err), &err);
	if (change.count > 0)
		version = edit_submit(edit, &change);
	read_content_free(&now);
	return version;
}

/* replace_document(doc_id, content) */
PG_FUNCTION_INFO_V1(replace_document);
Datum
replace_document(PG_FUNCTION_ARGS)
{
	Delta content;
	Arena arena;
	Edit  edit;
	int64 version;

	submit_enter("collab.replace_document()");
	pg_arena_init(&arena);
	delta_from_datum(PG_GETARG_DATUM(1), &arena, &content);
	if (!delta_is_document(&content))
		ereport(ERROR, (errcode(ERRCODE_COLLAB_INVALID_OPERATION),
						errmsg("content of a document must consist of inserts only")));
	edit_begin(&edit, PG_GETARG_TEXT_PP(0), -1);
	version = replace_content(&edit, &content);
	edit_finish(&edit);
	submit_leave();
	PG_RETURN_INT64(version);
}

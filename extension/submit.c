/* submit.c - submit(): one change of one document, inside whatever transaction its caller is in. */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "access.h"
#include "delta_type.h"
#include "errors.h"
#include "event_scan.h"
#include "guc.h"
#include "hash.h"
#include "lock.h"
#include "pg_alloc.h"
#include "submit.h"
#include "users.h"

/* Events that are read in one go; what lies before them is streamed. */
#define EDIT_TAIL_LIMIT 1000

void
submit_enter(const char *function)
{
	PreventCommandIfReadOnly(function);
	PreventCommandIfParallelMode(function);
	PreventCommandDuringRecovery(function);
	access_enter();
}

void
submit_leave(void)
{
	access_leave();
}

void
edit_begin(Edit *edit, text *doc_id, int64 base_version)
{
	const TailLimit limit = {.events = EDIT_TAIL_LIMIT, .bytes = TAIL_BYTES_MAX};
	const char	   *id = VARDATA_ANY(doc_id);
	size_t			bytes = VARSIZE_ANY_EXHDR(doc_id);
	DocumentRow		document;
	StoreReader	   *reader;
	Snapshot		snapshot;

	edit->author = users_register_current();

	if (!store_doc_id_valid(id, bytes))
		store_refuse_missing(id, bytes);

	/* What an old base takes from the cold store is waited for without any lock. */
	if (base_version >= 0)
		event_scan_warm(collab_doc_key(id, bytes), base_version, 0, GetActiveSnapshot());

	/* First the lock, then the snapshot: everything that the last holder did is in it. */
	lock_document(collab_doc_key(id, bytes), true);
	PushActiveSnapshot(GetLatestSnapshot());
	snapshot = GetActiveSnapshot();
	reader = store_reader_open(snapshot);
	if (!store_reader_document(reader, collab_doc_key(id, bytes), &document, NULL) ||
		strlen(document.doc_id) != bytes || memcmp(document.doc_id, id, bytes) != 0)
	{
		tail_check_missing(collab_doc_key(id, bytes));
		store_refuse_missing(id, bytes);
	}
	tail_open(&edit->tail, &document, base_version < 0 ? PG_INT64_MAX : base_version, &limit, reader,
			  snapshot);
	store_reader_close(reader);
}

int64
edit_submit_message(Edit *edit, Message *message)
{
	Tail		*tail = &edit->tail;
	PieceResult *result = &message->results[0];

	message_apply(message, tail);
	if (result->status == PIECE_ERROR)
		ereport(ERROR, (errcode(result->sqlstate), errmsg_internal("%s", result->reason)));
	tail_flush(&tail, 1);
	return result->version;
}

int64
edit_submit(Edit *edit, Delta *change)
{
	Message message = {0};

	message.author = edit->author;
	message.base_version = edit->tail.version;
	message.pieces = change;
	message.wait = true;
	message.results_context = CurrentMemoryContext;
	message_init(&message, 1);
	return edit_submit_message(edit, &message);
}

void
edit_finish(Edit *edit)
{
	PopActiveSnapshot();
}

void
submit_check_limits(const Delta *change)
{
	CollabError err = {0};
	Delta		parsed;
	Arena		arena;
	Buf			json;

	pg_arena_init(&arena);
	buf_init(&json, pg_alloc(CurrentMemoryContext));
	delta_print(change, &json);
	if (json.failed)
		errors_raise(COLLAB_NOMEM, &err);
	if (json.size > (size_t) guc_max_operation_bytes)
		ereport(ERROR, (errcode(ERRCODE_COLLAB_OPERATION_SIZE),
						errmsg("operation is larger than %d bytes", guc_max_operation_bytes),
						errhint("Split it, or raise collab.max_operation_bytes.")));
	errors_check(delta_parse(&arena, json.data, json.size, &delta_limits_default, &parsed, &err), &err);
	if (!message_format_fits(change))
		ereport(ERROR, (errcode(ERRCODE_COLLAB_OPERATION_SIZE),
						errmsg("operation formats too much: length times attribute bytes is more than %d",
							   MESSAGE_FORMAT_MAX),
						errhint("Format one part of the text after the other.")));
	buf_free(&json);
	arena_free(&arena);
}

static void
refuse_null(FunctionCallInfo fcinfo, int arg, const char *name)
{
	if (PG_ARGISNULL(arg))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", name)));
}

/*
 * An edit by SQL has no site: then it has no clock either, and its version takes the clock's place.
 */
static void
read_origin(FunctionCallInfo fcinfo, Message *message)
{
	refuse_null(fcinfo, 3, "site");
	message->site = PG_GETARG_INT64(3);
	if (message->site == 0)
	{
		if (!PG_ARGISNULL(4))
			ereport(ERROR,
					(errcode(ERRCODE_COLLAB_PROTOCOL), errmsg("clock must be null for site 0"),
					 errdetail(
						 "Edits of site 0 are made by SQL and are not recognised when they are sent again.")));
		return;
	}

	refuse_null(fcinfo, 4, "clock of a site");
	message->clock = PG_GETARG_INT64(4);
	if (!message_check_origin(message))
		ereport(ERROR,
				(errcode(message->results[0].sqlstate), errmsg_internal("%s", message->results[0].reason)));
}

/* submit(doc_id, op, base_version, site, clock, base_event) */
PG_FUNCTION_INFO_V1(submit);
Datum
submit(PG_FUNCTION_ARGS)
{
	Message message = {0};
	Delta	change;
	Arena	arena;
	Edit	edit;
	int64	version;

	submit_enter("collab.submit()");
	refuse_null(fcinfo, 0, "doc_id");
	refuse_null(fcinfo, 1, "op");

	pg_arena_init(&arena);
	delta_from_datum(PG_GETARG_DATUM(1), &arena, &change);
	submit_check_limits(&change);

	message.pieces = &change;
	message.wait = true;
	message.results_context = CurrentMemoryContext;
	message_init(&message, 1);
	read_origin(fcinfo, &message);

	edit_begin(&edit, PG_GETARG_TEXT_PP(0), PG_ARGISNULL(2) ? -1 : PG_GETARG_INT64(2));
	message.author = edit.author;
	message.base_version = PG_ARGISNULL(2) ? edit.tail.version : PG_GETARG_INT64(2);
	message.has_base_event = !PG_ARGISNULL(5);
	message.base_event = message.has_base_event ? PG_GETARG_INT64(5) : 0;
	version = edit_submit_message(&edit, &message);
	edit_finish(&edit);

	submit_leave();
	PG_RETURN_INT64(version);
}

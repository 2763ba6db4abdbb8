/* comment.c - comments are written: add_comment, reply, edit_comment, resolve_comment, reopen_comment, delete_comment. */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "comment_anchor.h"
#include "errors.h"
#include "guc.h"
#include "hash.h"
#include "owner_sql.h"
#include "pg_alloc.h"
#include "read.h"
#include "submit.h"
#include "users.h"
#include "utf8.h"

/*
 * Whoever may execute these functions may comment on every document, reply to, resolve and reopen every thread; EXECUTE is
 * revoked from PUBLIC. Only the author of a comment changes its text or deletes it. No document's lock is taken:
 * comments do not wait for those who type, nor these for them. A comment's foreign key keeps its document from
 * being dropped until the comment is committed.
 */

#define BODY_MAX 65536
/* Of the quote, in bytes: it is there to recognise the text by, not to keep a second copy of it. */
#define QUOTE_MAX 4096
#define EMBED_TEXT "\357\277\274"
#define ELLIPSIS "\342\200\246"

static Datum
current_time_datum(void)
{
	return TimestampTzGetDatum(GetCurrentTimestamp());
}

static void
refuse_null(FunctionCallInfo fcinfo, int arg, const char *name)
{
	if (PG_ARGISNULL(arg))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", name)));
}

static Datum
body_argument(FunctionCallInfo fcinfo, int arg)
{
	text *body;

	refuse_null(fcinfo, arg, "body");
	body = PG_GETARG_TEXT_PP(arg);
	if (VARSIZE_ANY_EXHDR(body) == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a comment must not be empty")));
	if (VARSIZE_ANY_EXHDR(body) > BODY_MAX)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("comment of %zu bytes is too long", (size_t) VARSIZE_ANY_EXHDR(body)),
						errdetail("A comment may have %d bytes.", BODY_MAX)));
	return PointerGetDatum(body);
}

/* ---- new threads ---- */

static void
refuse_range(const DocumentRow *document, int64 version, int64 length, int64 from, int64 to)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("range %lld to %lld is not in document \"%s\"", (long long) from, (long long) to,
						   document->doc_id),
					errdetail("At version %lld it has %lld units; a range has at least one of them.",
							  (long long) version, (long long) length)));
}

/* The text of a range, cut where it is long. */
static Datum
quote_of(const Delta *range)
{
	Buf buf;

	pg_buf_init(&buf);
	delta_text(range, EMBED_TEXT, &buf);
	if (!buf.failed && buf.size > QUOTE_MAX)
	{
		buf.size = utf8_floor(buf.data, QUOTE_MAX);
		buf_str(&buf, ELLIPSIS);
	}
	return PointerGetDatum(pg_buf_finish(&buf));
}

/* The range and its text, at a version. */
static void
read_range(const DocumentRow *document, int64 version, int64 from, int64 to, Datum *range, Datum *quote)
{
	const ReadTarget target = {.version = version, .until = DT_NOEND};
	CollabError		 err = {0};
	CollabStatus	 status;
	ReadContent		 content;
	Anchor			*anchor;
	Delta			 all, part;
	Arena			 arena;
	Buf				 bytes;

	read_content(document, &target, GetActiveSnapshot(), &content);
	if (from < 0 || from >= to || to > replay_length(content.replay))
		refuse_range(document, version, replay_length(content.replay), from, to);
	pg_arena_init(&arena);
	errors_check(replay_delta(content.replay, &arena, &all), &err);
	status = delta_slice(&arena, &all, from, to, &part, &err);
	if (status == COLLAB_SURROGATE)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("range %lld to %lld of document \"%s\" cuts a surrogate pair",
							   (long long) from, (long long) to, document->doc_id)));
	errors_check(status, &err);
	errors_check(anchor_create(pg_alloc(CurrentMemoryContext), from, &part, &anchor, &err), &err);
	pg_buf_init(&bytes);
	anchor_encode(anchor, &bytes);
	*range = PointerGetDatum(pg_buf_finish(&bytes));
	*quote = quote_of(&part);
	anchor_free(anchor);
	arena_free(&arena);
	read_content_free(&content);
}

static Datum
returned(const char *what)
{
	bool  isnull;
	Datum value;

	if (SPI_processed != 1)
		elog(ERROR, "%s gave " UINT64_FORMAT " rows", what, SPI_processed);
	value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	return SPI_datumTransfer(value, false, UUID_LEN);
}

/* Refuses one comment too many. Returns the lowest version at which one of the others is stored. */
static int64
check_count(int64 doc)
{
	Oid	  types[1] = {INT8OID};
	Datum values[1] = {Int64GetDatum(doc)};
	bool  isnull;
	int64 count;
	Datum lowest;

	owner_sql_execute("SELECT pg_catalog.count(*), pg_catalog.min(c.anchor_version) FROM collab.comments c"
					  " WHERE c.doc OPERATOR(pg_catalog.=) $1",
					  1, types, values, NULL, false, SPI_OK_SELECT);
	count = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	lowest = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull);
	if (count >= guc_max_comments)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("document has " INT64_FORMAT " comments, which is the limit", count),
						errhint("Delete some, or raise collab.max_comments.")));
	return isnull ? PG_INT64_MAX : DatumGetInt64(lowest);
}

/*
 * Keeps the document from being dropped, as the foreign key would, but says what is wrong where it was; and keeps its
 * history, which the comment needs from `version` on, from being deleted behind that.
 */
static void
lock_row(const DocumentRow *document, int64 version)
{
	Oid	  types[1] = {INT8OID};
	Datum values[1] = {Int64GetDatum(document->key)};
	bool  isnull;

	if (owner_sql_execute("SELECT d.first_version FROM collab.documents d"
						  " WHERE d.key OPERATOR(pg_catalog.=) $1 FOR SHARE",
						  1, types, values, NULL, false, SPI_OK_SELECT) == 0)
		store_refuse_missing(document->doc_id, strlen(document->doc_id));
	read_refuse_deleted(document->doc_id, version,
						DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull)));
}

/* add_comment(doc_id, from, to, body, version) */
PG_FUNCTION_INFO_V1(comment_add);
Datum
comment_add(PG_FUNCTION_ARGS)
{
	Oid			types[7] = {INT8OID, INT8OID, TEXTOID, TIMESTAMPTZOID, INT8OID, BYTEAOID, TEXTOID};
	Datum		values[7];
	DocumentRow document;
	StoredEvent head;
	int64		head_version, version, lowest;
	OwnerSql	frame;
	Datum		id;

	submit_enter("collab.add_comment()");
	refuse_null(fcinfo, 0, "doc_id");
	refuse_null(fcinfo, 1, "\"from\"");
	refuse_null(fcinfo, 2, "\"to\"");
	values[2] = body_argument(fcinfo, 3);
	values[1] = Int64GetDatum(users_register_current());

	PushActiveSnapshot(GetTransactionSnapshot());
	read_document_row(PG_GETARG_TEXT_PP(0), GetActiveSnapshot(), &document);
	head_version = store_head(document.key, GetActiveSnapshot(), &head) ? head.version : 0;
	version = PG_ARGISNULL(4) ? head_version : PG_GETARG_INT64(4);
	read_check_version(&document, version, GetActiveSnapshot());
	read_range(&document, version, PG_GETARG_INT64(1), PG_GETARG_INT64(2), &values[5], &values[6]);
	values[0] = Int64GetDatum(document.key);
	values[3] = current_time_datum();
	values[4] = Int64GetDatum(version);

	owner_sql_begin(&frame);
	lock_row(&document, version);
	lowest = Min(check_count(document.key), version);
	owner_sql_execute("INSERT INTO collab.comments"
					  " (doc, author, body, created_at, origin_version, anchor_version, anchor, quote)"
					  " VALUES ($1, $2, $3, $4, $5, $5, $6, $7) RETURNING id",
					  7, types, values, NULL, false, SPI_OK_INSERT_RETURNING);
	id = returned("INSERT of a comment");
	owner_sql_end(&frame);

	/*
	 * Where no worker does it. A transaction that would fail over rows that others have moved meanwhile does not begin
	 * with that.
	 */
	if (lowest < head_version - COMMENT_ANCHOR_FAR && !IsolationUsesXactSnapshot())
		comment_advance(&document, head_version);
	PopActiveSnapshot();
	submit_leave();
	PG_RETURN_DATUM(id);
}

/* ---- threads that are there ---- */

typedef struct CommentRow
{
	int64	  doc;
	pg_uuid_t thread; /* the comment that opens it: itself, or what it replies to */
	int64	  author;
} CommentRow;

static bool
find_comment(Datum id, CommentRow *out)
{
	Oid	 types[1] = {UUIDOID};
	bool isnull;

	if (owner_sql_execute("SELECT c.doc, COALESCE(c.thread, c.id), c.author FROM collab.comments c"
						  " WHERE c.id OPERATOR(pg_catalog.=) $1",
						  1, types, &id, NULL, false, SPI_OK_SELECT) == 0)
		return false;
	out->doc = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	out->thread = *DatumGetUUIDP(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull));
	out->author = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3, &isnull));
	return true;
}

static const char *
id_text(Datum id)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, id));
}

static void
require_comment(Datum id, CommentRow *out)
{
	if (!find_comment(id, out))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("comment %s does not exist", id_text(id))));
}

static void
require_author(Datum id, const CommentRow *row, int64 user, const char *may)
{
	if (row->author != user)
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("comment %s is somebody else's", id_text(id)),
						errdetail("Only its author may %s.", may)));
}

/*
 * What a foreign key from replies to what they reply to would do. pg_dump takes one inside a table for a circle, and
 * warns.
 */
static void
lock_thread(const CommentRow *row)
{
	Oid	  types[1] = {UUIDOID};
	Datum values[1] = {UUIDPGetDatum(&row->thread)};

	if (owner_sql_execute("SELECT 1 FROM collab.comments c WHERE c.id OPERATOR(pg_catalog.=) $1 FOR KEY SHARE",
						  1, types, values, NULL, false, SPI_OK_SELECT) == 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("comment %s does not exist any more", id_text(values[0]))));
}

/* Those too that a transaction in REPEATABLE READ or above does not see: then it fails, with 40001. */
static void
delete_replies(Datum thread)
{
	Oid		   types[1] = {UUIDOID};
	SPIPlanPtr plan =
		SPI_prepare("DELETE FROM collab.comments c WHERE c.thread OPERATOR(pg_catalog.=) $1", 1, types);
	int result = SPI_execute_snapshot(plan, &thread, NULL, GetLatestSnapshot(),
									  IsolationUsesXactSnapshot() ? GetTransactionSnapshot() : InvalidSnapshot,
									  false, true, 0);

	if (result != SPI_OK_DELETE)
		elog(ERROR, "%s from a deletion of replies", SPI_result_code_string(result));
}

/* reply(comment, body) */
PG_FUNCTION_INFO_V1(comment_reply);
Datum
comment_reply(PG_FUNCTION_ARGS)
{
	Oid		   types[5] = {INT8OID, UUIDOID, INT8OID, TEXTOID, TIMESTAMPTZOID};
	Datum	   values[5];
	CommentRow row;
	OwnerSql   frame;
	Datum	   id;

	submit_enter("collab.reply()");
	refuse_null(fcinfo, 0, "comment");
	values[3] = body_argument(fcinfo, 1);
	values[2] = Int64GetDatum(users_register_current());

	owner_sql_begin(&frame);
	require_comment(PG_GETARG_DATUM(0), &row);
	lock_thread(&row);
	(void) check_count(row.doc);
	values[0] = Int64GetDatum(row.doc);
	values[1] = UUIDPGetDatum(&row.thread);
	values[4] = current_time_datum();
	owner_sql_execute("INSERT INTO collab.comments (doc, thread, author, body, created_at)"
					  " VALUES ($1, $2, $3, $4, $5) RETURNING id",
					  5, types, values, NULL, false, SPI_OK_INSERT_RETURNING);
	id = returned("INSERT of a reply");
	owner_sql_end(&frame);
	submit_leave();
	PG_RETURN_DATUM(id);
}

/* edit_comment(comment, body): false, it says that already */
PG_FUNCTION_INFO_V1(comment_edit);
Datum
comment_edit(PG_FUNCTION_ARGS)
{
	Oid		   types[3] = {UUIDOID, TEXTOID, TIMESTAMPTZOID};
	Datum	   values[3];
	CommentRow row;
	OwnerSql   frame;
	int64	   user;
	bool	   changed;

	submit_enter("collab.edit_comment()");
	refuse_null(fcinfo, 0, "comment");
	values[0] = PG_GETARG_DATUM(0);
	values[1] = body_argument(fcinfo, 1);
	values[2] = current_time_datum();
	user = users_register_current();

	owner_sql_begin(&frame);
	require_comment(values[0], &row);
	require_author(values[0], &row, user, "change it");
	changed = owner_sql_execute("UPDATE collab.comments c SET body = $2, edited_at = $3"
								" WHERE c.id OPERATOR(pg_catalog.=) $1 AND c.body OPERATOR(pg_catalog.<>) $2",
								3, types, values, NULL, false, SPI_OK_UPDATE) > 0;
	owner_sql_end(&frame);
	submit_leave();
	PG_RETURN_BOOL(changed);
}

/* A thread is closed or opened, by way of any of its comments. False: it was that already. */
static bool
mark_thread(Datum id, const char *sql, int nargs)
{
	Oid		   types[3] = {UUIDOID, TIMESTAMPTZOID, INT8OID};
	Datum	   values[3];
	CommentRow row;
	OwnerSql   frame;
	bool	   changed;

	values[1] = current_time_datum();
	values[2] = Int64GetDatum(users_register_current());
	owner_sql_begin(&frame);
	require_comment(id, &row);
	values[0] = UUIDPGetDatum(&row.thread);
	changed = owner_sql_execute(sql, nargs, types, values, NULL, false, SPI_OK_UPDATE) > 0;
	owner_sql_end(&frame);
	return changed;
}

/* resolve_comment(comment) */
PG_FUNCTION_INFO_V1(comment_resolve);
Datum
comment_resolve(PG_FUNCTION_ARGS)
{
	bool changed;

	submit_enter("collab.resolve_comment()");
	changed = mark_thread(PG_GETARG_DATUM(0),
						  "UPDATE collab.comments c SET resolved_at = $2, resolved_by = $3"
						  " WHERE c.id OPERATOR(pg_catalog.=) $1 AND c.resolved_at IS NULL",
						  3);
	submit_leave();
	PG_RETURN_BOOL(changed);
}

/* reopen_comment(comment) */
PG_FUNCTION_INFO_V1(comment_reopen);
Datum
comment_reopen(PG_FUNCTION_ARGS)
{
	bool changed;

	submit_enter("collab.reopen_comment()");
	changed = mark_thread(PG_GETARG_DATUM(0),
						  "UPDATE collab.comments c SET resolved_at = NULL, resolved_by = NULL"
						  " WHERE c.id OPERATOR(pg_catalog.=) $1 AND c.resolved_at IS NOT NULL",
						  1);
	submit_leave();
	PG_RETURN_BOOL(changed);
}

/* delete_comment(comment): with the replies to it; false, it is not there */
PG_FUNCTION_INFO_V1(comment_delete);
Datum
comment_delete(PG_FUNCTION_ARGS)
{
	Oid		   types[1] = {UUIDOID};
	Datum	   id = PG_GETARG_DATUM(0);
	CommentRow row;
	OwnerSql   frame;
	int64	   user;
	bool	   found;

	submit_enter("collab.delete_comment()");
	user = users_register_current();
	owner_sql_begin(&frame);
	found = find_comment(id, &row);
	if (found)
	{
		require_author(id, &row, user, "delete it");
		found = owner_sql_execute("DELETE FROM collab.comments c WHERE c.id OPERATOR(pg_catalog.=) $1", 1,
								  types, &id, NULL, false, SPI_OK_DELETE) > 0;
		delete_replies(id);
	}
	owner_sql_end(&frame);
	submit_leave();
	PG_RETURN_BOOL(found);
}

/* document_admin.c - documents come and go: create_document(), drop_document(). */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "delta_type.h"
#include "document_delete.h"
#include "errors.h"
#include "hash.h"
#include "lock.h"
#include "pg_alloc.h"
#include "submit.h"
#include "users.h"

static void
refuse_existing(const DocumentRow *existing, const char *id, size_t bytes)
{
	if (strlen(existing->doc_id) == bytes && memcmp(existing->doc_id, id, bytes) == 0)
		ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT),
						errmsg("document \"%s\" already exists", existing->doc_id)));

	/*
	 * Two ids with one 64-bit key: to be told apart from a mere duplicate, because only another
	 * name helps.
	 */
	ereport(ERROR, (errcode(ERRCODE_UNIQUE_VIOLATION),
					errmsg("document id \"%.*s\" has the same key as document \"%s\"", (int) bytes, id,
						   existing->doc_id),
					errhint("Choose another id.")));
}

/* The empty document, version 0. */
static void
create_row(text *doc_id, int64 owner)
{
	const char *id = VARDATA_ANY(doc_id);
	size_t		bytes = VARSIZE_ANY_EXHDR(doc_id);
	DocumentRow document;
	DocumentRow existing;

	if (!store_doc_id_valid(id, bytes))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("invalid document id \"%.*s\"", pg_mbcliplen(id, bytes, STORE_DOC_ID_MAX), id),
						errdetail("An id has 1 to %d bytes of A-Z a-z 0-9 . _ ~ - and is not \".\" or \"..\".",
								  STORE_DOC_ID_MAX)));

	document.key = collab_doc_key(id, bytes);
	memcpy(document.doc_id, id, bytes);
	document.doc_id[bytes] = '\0';
	document.owner = owner;

	lock_document(document.key, true);
	PushActiveSnapshot(GetLatestSnapshot());
	if (store_document_by_key(document.key, GetActiveSnapshot(), &existing))
		refuse_existing(&existing, id, bytes);
	tail_check_missing(document.key);
	PopActiveSnapshot();

	/* Whole milliseconds, as events have: none of them is before it. */
	document.created_at = GetCurrentTimestamp();
	document.created_at -= document.created_at % 1000;
	store_insert_document(&document);
}

static int64
create(text *doc_id, Delta *content)
{
	int64 owner;
	int64 version = 0;

	submit_enter("collab.create_document()");

	/* A document that is brought in whole meets the limit on documents, not those on operations. */
	if (content != NULL && !delta_is_document(content))
		ereport(ERROR, (errcode(ERRCODE_COLLAB_INVALID_OPERATION),
						errmsg("content of a document must consist of inserts only")));

	owner = users_register_current();
	create_row(doc_id, owner);
	if (content != NULL && content->count > 0)
	{
		Edit edit;

		edit_begin(&edit, doc_id, -1);
		version = edit_submit(&edit, content);
		edit_finish(&edit);
	}
	submit_leave();
	return version;
}

static text *
doc_id_argument(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("doc_id must not be null")));
	return PG_GETARG_TEXT_PP(0);
}

PG_FUNCTION_INFO_V1(create_document_text);
Datum
create_document_text(PG_FUNCTION_ARGS)
{
	text	   *doc_id = doc_id_argument(fcinfo);
	CollabError err = {0};
	Delta		content;
	Arena		arena;
	Buf			json;
	text	   *plain;

	if (PG_ARGISNULL(1) || VARSIZE_ANY_EXHDR(plain = PG_GETARG_TEXT_PP(1)) == 0)
		PG_RETURN_INT64(create(doc_id, NULL));

	pg_arena_init(&arena);
	buf_init(&json, pg_alloc(CurrentMemoryContext));
	buf_str(&json, "[{\"insert\":");
	buf_json_string(&json, VARDATA_ANY(plain), VARSIZE_ANY_EXHDR(plain));
	buf_str(&json, "}]");
	errors_check(json.failed ? COLLAB_NOMEM
							 : delta_parse(&arena, json.data, json.size, &delta_limits_none, &content, &err),
				 &err);
	PG_RETURN_INT64(create(doc_id, &content));
}

PG_FUNCTION_INFO_V1(create_document_delta);
Datum
create_document_delta(PG_FUNCTION_ARGS)
{
	text *doc_id = doc_id_argument(fcinfo);
	Delta content;
	Arena arena;

	if (PG_ARGISNULL(1))
		PG_RETURN_INT64(create(doc_id, NULL));
	pg_arena_init(&arena);
	delta_from_datum(PG_GETARG_DATUM(1), &arena, &content);
	PG_RETURN_INT64(create(doc_id, &content));
}

PG_FUNCTION_INFO_V1(drop_document);
Datum
drop_document(PG_FUNCTION_ARGS)
{
	text	   *doc_id = PG_GETARG_TEXT_PP(0);
	const char *id = VARDATA_ANY(doc_id);
	size_t		bytes = VARSIZE_ANY_EXHDR(doc_id);
	DocumentRow document;
	bool		found = false;

	submit_enter("collab.drop_document()");
	if (store_doc_id_valid(id, bytes))
	{
		lock_document(collab_doc_key(id, bytes), true);
		lock_derived(collab_doc_key(id, bytes), true);
		PushActiveSnapshot(GetLatestSnapshot());
		found = store_document(id, bytes, GetActiveSnapshot(), &document);
		if (found)
		{
			document_delete_check(&document, GetActiveSnapshot());
			document_delete_row(document.key);
		}
		PopActiveSnapshot();
	}
	submit_leave();
	PG_RETURN_BOOL(found);
}

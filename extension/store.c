/* store.c - rows of documents: found by key, inserted, deleted. */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "document_cache.h"
#include "document_parts.h"
#include "errors.h"
#include "hash.h"
#include "store.h"
#include "store_insert.h"
#include "store_read.h"

enum
{
	DOCUMENTS_KEY,
	DOCUMENTS_DOC_ID,
	DOCUMENTS_KIND,
	DOCUMENTS_OWNER,
	DOCUMENTS_CREATED_AT,
	DOCUMENTS_FOLD_AFTER, /* from here on: not in a schema of version 0.1.0 */
	DOCUMENTS_KEEP_HISTORY,
	DOCUMENTS_FIRST_VERSION,
	DOCUMENTS_VISIBILITY,
	DOCUMENTS_NATTS
};

int64
store_event_id(const StoredEvent *event)
{
	return collab_event_id(event->author, event->site, event->clock, event->created_at);
}

int64
store_creation_id(const DocumentRow *document)
{
	return collab_event_id(document->owner, 0, document->key, document->created_at);
}

bool
store_doc_id_valid(const char *doc_id, size_t bytes)
{
	size_t i;

	if (bytes == 0 || bytes > STORE_DOC_ID_MAX)
		return false;
	for (i = 0; i < bytes; i++)
	{
		char c = doc_id[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
			  c == '_' || c == '~' || c == '-'))
			return false;
	}
	return !(doc_id[0] == '.' && (bytes == 1 || (bytes == 2 && doc_id[1] == '.')));
}

static bool
is_text(Datum value, const char *expected)
{
	text *found = DatumGetTextPP(value);

	return VARSIZE_ANY_EXHDR(found) == strlen(expected) &&
		   memcmp(VARDATA_ANY(found), expected, strlen(expected)) == 0;
}

void
store_read_document(TupleTableSlot *slot, DocumentRow *out)
{
	Datum *values = slot->tts_values;
	text  *doc_id;

	slot_getallattrs(slot);
	doc_id = DatumGetTextPP(values[DOCUMENTS_DOC_ID]);
	if (VARSIZE_ANY_EXHDR(doc_id) > STORE_DOC_ID_MAX)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("document id of %d bytes is stored", (int) VARSIZE_ANY_EXHDR(doc_id))));

	out->key = DatumGetInt64(values[DOCUMENTS_KEY]);
	memcpy(out->doc_id, VARDATA_ANY(doc_id), VARSIZE_ANY_EXHDR(doc_id));
	out->doc_id[VARSIZE_ANY_EXHDR(doc_id)] = '\0';
	out->owner = DatumGetInt64(values[DOCUMENTS_OWNER]);
	out->created_at = DatumGetTimestampTz(values[DOCUMENTS_CREATED_AT]);
	out->first_version = slot->tts_tupleDescriptor->natts > DOCUMENTS_FIRST_VERSION
							 ? DatumGetInt64(values[DOCUMENTS_FIRST_VERSION])
							 : 0;
	out->is_public = slot->tts_tupleDescriptor->natts > DOCUMENTS_VISIBILITY &&
					 is_text(values[DOCUMENTS_VISIBILITY], "public");
}

bool
store_document_by_key(int64 key, Snapshot snapshot, DocumentRow *out)
{
	StoreReader *reader = store_reader_open(snapshot);
	bool		 found = store_reader_document(reader, key, out, NULL);

	store_reader_close(reader);
	return found;
}

bool
store_document(const char *doc_id, size_t bytes, Snapshot snapshot, DocumentRow *out)
{
	return store_doc_id_valid(doc_id, bytes) &&
		   store_document_by_key(collab_doc_key(doc_id, bytes), snapshot, out) &&
		   strlen(out->doc_id) == bytes && memcmp(out->doc_id, doc_id, bytes) == 0;
}

void
store_refuse_missing(const char *doc_id, size_t bytes)
{
	ereport(ERROR, (errcode(ERRCODE_COLLAB_NO_DOCUMENT),
					errmsg("document \"%.*s\" does not exist", pg_mbcliplen(doc_id, bytes, STORE_DOC_ID_MAX),
						   doc_id)));
}

void
store_document_require(const char *doc_id, size_t bytes, Snapshot snapshot, DocumentRow *out)
{
	if (!store_document(doc_id, bytes, snapshot, out))
		store_refuse_missing(doc_id, bytes);
}

void
store_insert_document(const DocumentRow *document)
{
	Datum values[DOCUMENTS_NATTS] = {0};
	bool  nulls[DOCUMENTS_NATTS] = {false};

	values[DOCUMENTS_KEY] = Int64GetDatum(document->key);
	values[DOCUMENTS_DOC_ID] = CStringGetTextDatum(document->doc_id);
	values[DOCUMENTS_KIND] = CStringGetTextDatum("delta");
	values[DOCUMENTS_OWNER] = Int64GetDatum(document->owner);
	values[DOCUMENTS_CREATED_AT] = TimestampTzGetDatum(document->created_at);
	nulls[DOCUMENTS_FOLD_AFTER] = true;
	nulls[DOCUMENTS_KEEP_HISTORY] = true;
	values[DOCUMENTS_FIRST_VERSION] = Int64GetDatum(0);
	values[DOCUMENTS_VISIBILITY] = CStringGetTextDatum("private");
	store_insert_row(catalog_get()->documents.table, values, nulls);
}

/* ---- SQL: the hashes of the data model ---- */

PG_FUNCTION_INFO_V1(document_key);
Datum
document_key(PG_FUNCTION_ARGS)
{
	text  *doc_id = PG_GETARG_TEXT_PP(0);
	size_t bytes = VARSIZE_ANY_EXHDR(doc_id);

	if (!store_doc_id_valid(VARDATA_ANY(doc_id), bytes))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid document id"),
						errdetail("An id has 1 to %d bytes of A-Z a-z 0-9 . _ ~ - and is not \".\" or \"..\".",
								  STORE_DOC_ID_MAX)));
	PG_RETURN_INT64(collab_doc_key(VARDATA_ANY(doc_id), bytes));
}

PG_FUNCTION_INFO_V1(user_key);
Datum
user_key(PG_FUNCTION_ARGS)
{
	text *user_id = PG_GETARG_TEXT_PP(0);

	PG_RETURN_INT64(collab_user_key(VARDATA_ANY(user_id), VARSIZE_ANY_EXHDR(user_id)));
}

PG_FUNCTION_INFO_V1(event_id);
Datum
event_id(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(collab_event_id(PG_GETARG_INT64(0), PG_GETARG_INT64(1), PG_GETARG_INT64(2),
									PG_GETARG_TIMESTAMPTZ(3)));
}

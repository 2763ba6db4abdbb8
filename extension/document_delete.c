/* document_delete.c - a document goes: whoever deletes its row, everything else of it goes too. */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "catalog.h"
#include "changes.h"
#include "document_cache.h"
#include "document_delete.h"
#include "document_parts.h"
#include "lock.h"
#include "owner_sql.h"
#include "tail.h"

/*
 * The row of collab.documents is the document: drop_document(), a DELETE by a superuser and a foreign key of an
 * application's that cascades into it all delete that row, fire the foreign keys that point to it, and run these
 * triggers.
 */

/* Everything but the row, once that is deleted; tells listeners at commit. */
static void
delete_rest(int64 key)
{
	PushActiveSnapshot(GetLatestSnapshot());
	(void) store_delete_events(key, 0, PG_INT64_MAX, GetActiveSnapshot());
	document_parts_delete(key);
	PopActiveSnapshot();
	document_cache_changed();
	changes_note(key, CHANGES_DROPPED);
}

void
document_delete_row(int64 key)
{
	const Oid	types[] = {INT8OID};
	const Datum values[] = {Int64GetDatum(key)};
	OwnerSql	frame;

	owner_sql_begin(&frame);
	owner_sql_execute("DELETE FROM collab.documents WHERE key = $1", 1, types, values, NULL, false,
					  SPI_OK_DELETE);
	owner_sql_end(&frame);
	/* In a schema of version 0.1.0 there is no trigger. */
	if (!OidIsValid(catalog_get()->snapshots.table))
		delete_rest(key);
}

void
document_delete_check(const DocumentRow *document, Snapshot snapshot)
{
	static const TailLimit head_only = {.events = 1};
	StoreReader			  *reader = store_reader_open(snapshot);
	Tail				   tail;

	tail_open(&tail, document, PG_INT64_MAX, &head_only, reader, snapshot);
	store_reader_close(reader);
}

static TriggerData *
trigger_data(FunctionCallInfo fcinfo)
{
	TriggerData *data = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BY_DELETE(data->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(data->tg_event) ||
		RelationGetRelid(data->tg_relation) != catalog_get()->documents.table)
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("this function is a trigger of collab.documents for deleted rows")));
	return data;
}

static int64
deleted_key(const TriggerData *data)
{
	bool isnull;

	return DatumGetInt64(heap_getattr(data->tg_trigtuple, 1, RelationGetDescr(data->tg_relation), &isnull));
}

/* BEFORE DELETE: nobody adds an event to a document that goes. */
PG_FUNCTION_INFO_V1(document_before_delete);
Datum
document_before_delete(PG_FUNCTION_ARGS)
{
	TriggerData *data = trigger_data(fcinfo);
	int64		 key = deleted_key(data);
	DocumentRow	 document;

	lock_document(key, true);
	lock_derived(key, true);
	PushActiveSnapshot(GetLatestSnapshot());
	if (store_document_by_key(key, GetActiveSnapshot(), &document))
		document_delete_check(&document, GetActiveSnapshot());
	PopActiveSnapshot();
	PG_RETURN_POINTER(data->tg_trigtuple);
}

/* AFTER DELETE: what hangs on it goes, and open editors are told. */
PG_FUNCTION_INFO_V1(document_after_delete);
Datum
document_after_delete(PG_FUNCTION_ARGS)
{
	delete_rest(deleted_key(trigger_data(fcinfo)));
	PG_RETURN_POINTER(NULL);
}

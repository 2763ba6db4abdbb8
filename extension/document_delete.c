/* document_delete.c - a document goes: whoever deletes its row, everything else of it goes too. */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "access.h"
#include "catalog.h"
#include "changes.h"
#include "compat.h"
#include "document_cache.h"
#include "document_delete.h"
#include "document_parts.h"
#include "lock.h"
#include "store_insert.h"
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

/*
 * Deletes the row and fires triggers as the caller, as his own DELETE would, and not as the owner of our tables: whoever may refer
 * to a document has triggers of his on what the deletion cascades into. So this is no statement of the owner's (owner_sql.h).
 * Whoever else changes the row is waited for.
 */
static void
delete_row(int64 key)
{
	CatalogTable	table = catalog_get()->documents;
	EState		   *estate = CreateExecutorState();
	MemoryContext	old = MemoryContextSwitchTo(estate->es_query_cxt);
	Relation		rel = table_open(table.table, RowExclusiveLock);
	ResultRelInfo  *rri = makeNode(ResultRelInfo);
	TupleTableSlot *wanted = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsVirtual);
	TupleTableSlot *slot = table_slot_create(rel, &estate->es_tupleTable);
	EPQState		epq;
	int				suspended = access_suspend();

	ExecStoreAllNullTuple(wanted);
	wanted->tts_values[0] = Int64GetDatum(key);
	wanted->tts_isnull[0] = false;
	if (RelationFindReplTupleByIndex(rel, table.pkey, LockTupleExclusive, wanted, slot))
	{
		estate->es_snapshot = GetActiveSnapshot();
		estate->es_output_cid = GetCurrentCommandId(true);
		InitResultRelInfo(rri, rel, 0, NULL, 0);
		COLLAB_EPQ_INIT(&epq, estate);
		EvalPlanQualSetSlot(&epq, slot);
		AfterTriggerBeginQuery();
		ExecSimpleRelationDelete(rri, estate, &epq, slot);
		AfterTriggerEndQuery(estate);
		EvalPlanQualEnd(&epq);
	}
	access_resume(suspended);
	ExecDropSingleTupleTableSlot(wanted);
	table_close(rel, NoLock);
	MemoryContextSwitchTo(old);
	store_insert_end(estate);
}

void
document_delete_row(int64 key)
{
	delete_row(key);
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

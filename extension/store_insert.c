/* store_insert.c - rows into a table and its indexes without a plan: the cheap half of what COPY does. */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/rel.h"

#include "access.h"
#include "store_insert.h"

/*
 * What a DBA may hang on our tables are AFTER INSERT ... FOR EACH ROW triggers: they see rows that
 * are there and cannot change them. Whatever else exists would be passed over in silence; then we
 * rather do nothing.
 */
void
store_refuse_triggers(Relation rel, bool deleting)
{
	TriggerDesc *desc = rel->trigdesc;
	bool		 unsupported = false;
	int			 i;

	if (likely(desc == NULL))
		return;

	/* The summary in the descriptor counts disabled ones, too. */
	for (i = 0; i < desc->numtriggers; i++)
	{
		const Trigger *trigger = &desc->triggers[i];

		if (trigger->tgenabled == TRIGGER_DISABLED)
			continue;
		if (deleting)
			unsupported |= TRIGGER_FOR_DELETE(trigger->tgtype);
		else if (TRIGGER_FOR_INSERT(trigger->tgtype))
			unsupported |= !(TRIGGER_FOR_ROW(trigger->tgtype) && TRIGGER_FOR_AFTER(trigger->tgtype)) ||
						   trigger->tgnewtable != NULL;
	}

	if (unsupported)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("table \"%s\" has a trigger that collab does not support",
							   RelationGetRelationName(rel)),
						errdetail("Only AFTER INSERT FOR EACH ROW triggers are fired."),
						errhint("Drop or disable the other triggers.")));
}

static void
fire_triggers(EState *estate, ResultRelInfo *rri, TupleTableSlot **slots, List **rechecks, int count)
{
	int i;

	AfterTriggerBeginQuery();
	for (i = 0; i < count; i++)
		ExecARInsertTriggers(estate, rri, slots[i], rechecks[i], NULL);
	AfterTriggerEndQuery(estate);
}

void
store_insert_rows(EState *estate, Relation rel, TupleTableSlot **slots, int count)
{
	ResultRelInfo *rri = makeNode(ResultRelInfo);
	TriggerDesc	  *triggers = rel->trigdesc;
	bool		   fire = triggers != NULL && triggers->trig_insert_after_row;
	List		 **rechecks = palloc0_array(List *, count);
	int			   suspended;
	int			   i;

	store_refuse_triggers(rel, false);

	/* Constraints, expressions of indexes and triggers are somebody else's code. */
	suspended = access_suspend();

	InitResultRelInfo(rri, rel, 0, NULL, 0);
	ExecOpenIndices(rri, false);

	if (rel->rd_att->constr != NULL && rel->rd_att->constr->num_check > 0)
		for (i = 0; i < count; i++)
			ExecConstraints(rri, slots[i], estate);

	table_multi_insert(rel, slots, count, GetCurrentCommandId(true), 0, NULL);

	for (i = 0; i < count; i++)
	{
		slots[i]->tts_tableOid = RelationGetRelid(rel);
		if (rri->ri_NumIndices > 0)
			rechecks[i] = ExecInsertIndexTuples(rri, slots[i], estate, false, false, NULL, NIL);
		ResetPerTupleExprContext(estate);
	}
	if (fire)
		fire_triggers(estate, rri, slots, rechecks, count);

	ExecCloseIndices(rri);
	access_resume(suspended);
}

/* Triggers open relations and slots of their own in the executor state. */
void
store_insert_end(EState *estate)
{
	ExecResetTupleTable(estate->es_tupleTable, false);
	ExecCloseResultRelations(estate);
	FreeExecutorState(estate);
	CommandCounterIncrement();
}

void
store_insert_row(Oid table, const Datum *values, const bool *nulls)
{
	EState		   *estate = CreateExecutorState();
	MemoryContext	old = MemoryContextSwitchTo(estate->es_query_cxt);
	Relation		rel = table_open(table, RowExclusiveLock);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsVirtual);
	int				natts = RelationGetNumberOfAttributes(rel);

	memcpy(slot->tts_values, values, natts * sizeof(Datum));
	if (nulls != NULL)
		memcpy(slot->tts_isnull, nulls, natts * sizeof(bool));
	else
		memset(slot->tts_isnull, 0, natts * sizeof(bool));
	ExecStoreVirtualTuple(slot);
	store_insert_rows(estate, rel, &slot, 1);

	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
	MemoryContextSwitchTo(old);
	store_insert_end(estate);
}

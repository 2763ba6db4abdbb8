/* worker_state.c - what the worker of a database is doing, for people: kept in shared memory where there is some. */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "slot_memory.h"

/* The worker's own state, locked; NULL: nobody can see it. */
static WorkerState *
enter(void)
{
	Slot *slot;

	if (slot_attached < 0)
		return NULL;
	slot = &slot_memory->slots[slot_attached];
	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	return &slot->worker;
}

static void
leave(void)
{
	LWLockRelease(slot_memory->slots[slot_attached].lock);
}

void
worker_state_started(void)
{
	WorkerState *state = enter();

	if (state == NULL)
		return;
	state->started_at = state->active_at = GetCurrentTimestamp();
	state->duty[0] = '\0';
	state->doc = 0;
	state->backlog = 0;
	state->looking = false;
	state->starts++;
	leave();
}

void
worker_state_duty(const char *duty, int64 doc)
{
	WorkerState *state = enter();

	if (state == NULL)
		return;
	strlcpy(state->duty, duty, sizeof(state->duty));
	state->doc = doc;
	if (duty[0] != '\0')
		state->active_at = GetCurrentTimestamp();
	leave();
}

void
worker_state_backlog(int backlog, bool looking)
{
	WorkerState *state = enter();

	if (state == NULL)
		return;
	state->backlog = backlog;
	state->looking = looking;
	leave();
}

void
worker_state_snapshot(void)
{
	WorkerState *state = enter();

	if (state == NULL)
		return;
	state->snapshots++;
	leave();
}

void
worker_state_text(void)
{
	WorkerState *state = enter();

	if (state == NULL)
		return;
	state->texts++;
	leave();
}

void
worker_state_failed(const char *message)
{
	WorkerState *state = enter();
	int			 bytes;

	if (state == NULL)
		return;
	bytes = pg_mbcliplen(message, strlen(message), WORKER_STATE_MESSAGE - 1);
	memcpy(state->message, message, bytes);
	state->message[bytes] = '\0';
	state->failed_at = GetCurrentTimestamp();
	state->failures++;
	leave();
}

/* ---- for others ---- */

bool
worker_state_read(WorkerState *out, int *backlog)
{
	int slot = slots_mine();
	int waiting;

	if (slot < 0)
		return false;
	LWLockAcquire(slot_memory->slots[slot].lock, LW_SHARED);
	*out = slot_memory->slots[slot].worker;
	LWLockRelease(slot_memory->slots[slot].lock);
	waiting = dirty_count(slot);
	*backlog = waiting < 0 ? -1 : out->backlog + waiting;
	return true;
}

/* ---- SQL ---- */

#define STATE_COLUMNS 12

/* worker_state() */
PG_FUNCTION_INFO_V1(worker_state);
Datum
worker_state(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	WorkerState state;
	Datum		values[STATE_COLUMNS] = {0};
	bool		nulls[STATE_COLUMNS];
	int			backlog;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	memset(nulls, true, sizeof(nulls));
	if (!worker_state_read(&state, &backlog))
		PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));

	memset(nulls, false, sizeof(nulls));
	values[0] = TimestampTzGetDatum(state.started_at);
	values[1] = TimestampTzGetDatum(state.active_at);
	nulls[0] = nulls[1] = state.starts == 0;
	values[2] = CStringGetTextDatum(state.duty);
	nulls[2] = state.duty[0] == '\0';
	values[3] = Int64GetDatum(state.doc);
	nulls[3] = state.doc == 0;
	values[4] = Int32GetDatum(backlog);
	nulls[4] = backlog < 0;
	values[5] = BoolGetDatum(state.looking);
	values[6] = Int64GetDatum(state.starts);
	values[7] = Int64GetDatum(state.snapshots);
	values[8] = Int64GetDatum(state.texts);
	values[9] = Int64GetDatum(state.failures);
	values[10] = TimestampTzGetDatum(state.failed_at);
	values[11] = CStringGetTextDatum(state.message);
	nulls[10] = nulls[11] = state.failures == 0;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

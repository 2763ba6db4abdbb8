/* delta_functions.c - the algebra of Deltas as SQL functions, and the aggregate compose(delta). */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/memutils.h"

#include "compat.h"
#include "delta_type.h"
#include "errors.h"
#include "pg_alloc.h"
#include "replay.h"

/* The largest integer that JSON carries between any two programs. */
#define MAX_POSITION INT64CONST(9007199254740991)

/* ---- functions of one and two deltas ---- */

/* What every two-argument function of the core looks like. */
typedef CollabStatus (*DeltaBinary)(Arena *arena, const Delta *a, const Delta *b, Delta *out,
									CollabError *err);

static Datum
call_binary(FunctionCallInfo fcinfo, DeltaBinary function)
{
	CollabError err = {0};
	Arena		arena;
	Delta		a;
	Delta		b;
	Delta		result;

	pg_arena_init(&arena);
	delta_from_datum(PG_GETARG_DATUM(0), &arena, &a);
	delta_from_datum(PG_GETARG_DATUM(1), &arena, &b);
	errors_check(function(&arena, &a, &b, &result, &err), &err);
	return delta_to_datum(&result);
}

/* Of changes, as the aggregate is: what only inserts may be a change too, so the second may reach past the first's inserts. */
PG_FUNCTION_INFO_V1(delta_compose_sql);
Datum
delta_compose_sql(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(call_binary(fcinfo, delta_compose_changes));
}

PG_FUNCTION_INFO_V1(delta_invert_sql);
Datum
delta_invert_sql(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(call_binary(fcinfo, delta_invert));
}

PG_FUNCTION_INFO_V1(delta_diff_sql);
Datum
delta_diff_sql(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(call_binary(fcinfo, delta_diff));
}

static CollabStatus
transform_a_first(Arena *arena, const Delta *a, const Delta *b, Delta *out, CollabError *err)
{
	return delta_transform(arena, a, b, true, out, err);
}

static CollabStatus
transform_b_first(Arena *arena, const Delta *a, const Delta *b, Delta *out, CollabError *err)
{
	return delta_transform(arena, a, b, false, out, err);
}

PG_FUNCTION_INFO_V1(delta_transform_sql);
Datum
delta_transform_sql(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(call_binary(fcinfo, PG_GETARG_BOOL(2) ? transform_a_first : transform_b_first));
}

PG_FUNCTION_INFO_V1(delta_transform_position_sql);
Datum
delta_transform_position_sql(PG_FUNCTION_ARGS)
{
	int64 position = PG_GETARG_INT64(1);
	bool  priority = PG_GETARG_BOOL(2);
	Arena arena;
	Delta delta;

	/* Lengths in a delta add up to 2^53 - 1 at most, so what comes out fits as well. */
	if (position < 0 || position > MAX_POSITION)
		ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						errmsg("position must be between 0 and %lld", (long long) MAX_POSITION)));

	pg_arena_init(&arena);
	delta_from_datum(PG_GETARG_DATUM(0), &arena, &delta);
	PG_RETURN_INT64(delta_transform_position(&delta, position, priority));
}

PG_FUNCTION_INFO_V1(delta_length_sql);
Datum
delta_length_sql(PG_FUNCTION_ARGS)
{
	Arena arena;
	Delta delta;

	pg_arena_init(&arena);
	delta_from_datum(PG_GETARG_DATUM(0), &arena, &delta);
	PG_RETURN_INT64(delta_length(&delta));
}

PG_FUNCTION_INFO_V1(delta_is_document_sql);
Datum
delta_is_document_sql(PG_FUNCTION_ARGS)
{
	Arena arena;
	Delta delta;

	pg_arena_init(&arena);
	delta_from_datum(PG_GETARG_DATUM(0), &arena, &delta);
	PG_RETURN_BOOL(delta_is_document(&delta));
}

PG_FUNCTION_INFO_V1(delta_to_text_sql);
Datum
delta_to_text_sql(PG_FUNCTION_ARGS)
{
	char *embed = text_to_cstring(PG_GETARG_TEXT_PP(1));
	Arena arena;
	Delta delta;
	Buf	  buf;

	pg_arena_init(&arena);
	delta_from_datum(PG_GETARG_DATUM(0), &arena, &delta);
	pg_buf_init(&buf);
	delta_text(&delta, embed, &buf);
	PG_RETURN_TEXT_P(pg_buf_finish(&buf));
}

/* slice(delta, first, past): not strict, because a NULL `past` means the end. */
PG_FUNCTION_INFO_V1(delta_slice_sql);
Datum
delta_slice_sql(PG_FUNCTION_ARGS)
{
	int64		past = -1;
	CollabError err = {0};
	Arena		arena;
	Delta		delta;
	Delta		result;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(2))
		past = PG_GETARG_INT64(2);
	if (PG_GETARG_INT64(1) < 0 || (!PG_ARGISNULL(2) && past < 0))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("position must not be negative")));

	pg_arena_init(&arena);
	delta_from_datum(PG_GETARG_DATUM(0), &arena, &delta);
	errors_check(delta_slice(&arena, &delta, PG_GETARG_INT64(1), past, &result, &err), &err);
	PG_RETURN_DATUM(delta_to_datum(&result));
}

/* ---- the aggregate ---- */

/*
 * State of compose(delta): an editable Delta that takes each change in O(its size * log), so that composing a long history costs
 * near-linear time. Each change is decoded in `scratch`, which is emptied after every row. Both live in the
 * aggregate's context and die with it.
 */
typedef struct ComposeState
{
	Replay		 *replay;
	MemoryContext scratch;
} ComposeState;

static ComposeState *
compose_state_create(MemoryContext aggregate_context)
{
	MemoryContext own =
		AllocSetContextCreate(aggregate_context, "collab compose aggregate", ALLOCSET_DEFAULT_SIZES);
	ComposeState *state = MemoryContextAlloc(own, sizeof(ComposeState));
	CollabError	  err = {0};

	state->scratch = AllocSetContextCreate(own, "collab compose row", ALLOCSET_DEFAULT_SIZES);
	errors_check(replay_create(pg_alloc(own), false, &state->replay), &err);
	return state;
}

/*
 * Not strict: a strict one would take the first change for the state. A NULL change is skipped, as all aggregates do.
 */
PG_FUNCTION_INFO_V1(delta_compose_accum);
Datum
delta_compose_accum(PG_FUNCTION_ARGS)
{
	MemoryContext aggregate_context;
	MemoryContext old;
	ComposeState *state;
	CollabError	  err = {0};
	Arena		  arena;
	Delta		  change;

	if (!AggCheckCallContext(fcinfo, &aggregate_context))
		elog(ERROR, "delta_compose_accum called in non-aggregate context");

	state = PG_ARGISNULL(0) ? NULL : (ComposeState *) PG_GETARG_POINTER(0);
	if (PG_ARGISNULL(1))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	if (state == NULL)
		state = compose_state_create(aggregate_context);

	old = MemoryContextSwitchTo(state->scratch);
	pg_arena_init(&arena);
	delta_from_datum(PG_GETARG_DATUM(1), &arena, &change);
	errors_check(replay_apply(state->replay, &change, &err), &err);
	MemoryContextSwitchTo(old);
	MemoryContextReset(state->scratch);

	PG_RETURN_POINTER(state);
}

/* Reads only: in a window the state goes on growing after this. */
PG_FUNCTION_INFO_V1(delta_compose_final);
Datum
delta_compose_final(PG_FUNCTION_ARGS)
{
	ComposeState *state;
	Buf			  buf;

	if (!AggCheckCallContext(fcinfo, NULL))
		elog(ERROR, "delta_compose_final called in non-aggregate context");
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();

	state = (ComposeState *) PG_GETARG_POINTER(0);
	pg_buf_init(&buf);
	replay_encode(state->replay, &buf);
	PG_RETURN_POINTER(pg_buf_finish(&buf));
}

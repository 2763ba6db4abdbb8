/* delta_type.c - the SQL type collab.delta: input, output, casts, comparison. */
#include "postgres.h"

#include "common/hashfn.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "compat.h"
#include "delta_type.h"
#include "errors.h"
#include "pg_alloc.h"

/* The arena of a call lives on its stack first: a keystroke's delta needs nothing else. */
#define SCRATCH_BYTES 1024

void
delta_from_datum(Datum value, Arena *arena, Delta *out)
{
	struct varlena *packed = PG_DETOAST_DATUM_PACKED(value);
	CollabError		err = {0};

	errors_check(
		delta_decode(arena, (const uint8_t *) VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed), out, &err),
		&err);
}

Datum
delta_to_datum(const Delta *delta)
{
	Buf buf;

	pg_buf_init(&buf);
	delta_encode(delta, &buf);
	return PointerGetDatum(pg_buf_finish(&buf));
}

struct varlena *
delta_json_bytea(Arena *arena, const uint8_t *op, size_t op_bytes)
{
	CollabError err = {0};
	Delta		delta;
	Buf			buf;

	errors_check(delta_decode(arena, op, op_bytes, &delta, &err), &err);
	pg_buf_init(&buf);
	delta_print(&delta, &buf);
	return pg_buf_finish(&buf);
}

/* ---- input and output ---- */

/*
 * What a literal cannot be is reported as for any type (22P02, 22P03, 54000); the codes of class OT are for what an
 * operation cannot do. Limits on operations are none of the type's business: yesterday's dump is restored under today's limits.
 */
static int
input_sqlstate(CollabStatus status, int invalid)
{
	switch (status)
	{
		case COLLAB_LIMIT:
			return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
		default:
			return invalid;
	}
}

/* The message for it; `invalid` is for what has the wrong form. */
static const char *
input_message(CollabStatus status, const char *invalid)
{
	switch (status)
	{
		case COLLAB_LIMIT:
			return "value is too large or too deeply nested for type collab.delta";
		default:
			return invalid;
	}
}

/* Neither an interrupt nor a lack of memory says anything about the value. */
static void
check_memory(CollabStatus status, const CollabError *err)
{
	CHECK_FOR_INTERRUPTS();
	if (status == COLLAB_NOMEM)
		errors_raise(status, err);
}

PG_FUNCTION_INFO_V1(delta_in);
Datum
delta_in(PG_FUNCTION_ARGS)
{
	char		*json = PG_GETARG_CSTRING(0);
	CollabError	 err = {0};
	CollabStatus status;
	uint64		 scratch[SCRATCH_BYTES / sizeof(uint64)];
	Arena		 arena;
	Delta		 delta;

	arena_init_buffer(&arena, pg_alloc(CurrentMemoryContext), scratch, sizeof(scratch));
	status = delta_parse(&arena, json, strlen(json), &delta_limits_none, &delta, &err);
	check_memory(status, &err);
	if (status != COLLAB_OK)
		COLLAB_INPUT_ERROR(
			fcinfo,
			(errcode(input_sqlstate(status, ERRCODE_INVALID_TEXT_REPRESENTATION)),
			 errmsg_internal("%s", input_message(status, "invalid input syntax for type collab.delta")),
			 errdetail_internal("%s", errors_detail(&err))));

	PG_RETURN_DATUM(delta_to_datum(&delta));
}

/* The text of a delta as a C string in the current context. */
static char *
delta_cstring(Datum value)
{
	uint64 scratch[SCRATCH_BYTES / sizeof(uint64)];
	Arena  arena;
	Delta  delta;
	Buf	   buf;

	arena_init_buffer(&arena, pg_alloc(CurrentMemoryContext), scratch, sizeof(scratch));
	delta_from_datum(value, &arena, &delta);
	buf_init(&buf, pg_alloc(CurrentMemoryContext));
	delta_print(&delta, &buf);
	buf_char(&buf, '\0');
	pg_buf_check(&buf);
	return buf.data;
}

PG_FUNCTION_INFO_V1(delta_out);
Datum
delta_out(PG_FUNCTION_ARGS)
{
	PG_RETURN_CSTRING(delta_cstring(PG_GETARG_DATUM(0)));
}

/*
 * Any SQL user can send any bytes: they are decoded completely, and what is stored is our own encoding of the result.
 */
PG_FUNCTION_INFO_V1(delta_recv);
Datum
delta_recv(PG_FUNCTION_ARGS)
{
	StringInfo	 message = (StringInfo) PG_GETARG_POINTER(0);
	int			 bytes = message->len - message->cursor;
	const char	*data = pq_getmsgbytes(message, bytes);
	CollabError	 err = {0};
	CollabStatus status;
	uint64		 scratch[SCRATCH_BYTES / sizeof(uint64)];
	Arena		 arena;
	Delta		 delta;

	arena_init_buffer(&arena, pg_alloc(CurrentMemoryContext), scratch, sizeof(scratch));
	status = delta_decode(&arena, (const uint8_t *) data, bytes, &delta, &err);
	check_memory(status, &err);
	if (status != COLLAB_OK)
		ereport(ERROR,
				(errcode(input_sqlstate(status, ERRCODE_INVALID_BINARY_REPRESENTATION)),
				 errmsg_internal("%s", input_message(status, "invalid binary format of type collab.delta")),
				 errdetail_internal("%s", errors_detail(&err))));

	PG_RETURN_DATUM(delta_to_datum(&delta));
}

PG_FUNCTION_INFO_V1(delta_send);
Datum
delta_send(PG_FUNCTION_ARGS)
{
	struct varlena *value = PG_GETARG_VARLENA_PP(0);
	StringInfoData	buf;

	pq_begintypsend(&buf);
	pq_sendbytes(&buf, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/* ---- casts ---- */

PG_FUNCTION_INFO_V1(delta_to_jsonb);
Datum
delta_to_jsonb(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(delta_cstring(PG_GETARG_DATUM(0)))));
}

PG_FUNCTION_INFO_V1(delta_from_jsonb);
Datum
delta_from_jsonb(PG_FUNCTION_ARGS)
{
	Jsonb		*jsonb = PG_GETARG_JSONB_P(0);
	char		*json = JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb));
	CollabError	 err = {0};
	CollabStatus status;
	uint64		 scratch[SCRATCH_BYTES / sizeof(uint64)];
	Arena		 arena;
	Delta		 delta;

	arena_init_buffer(&arena, pg_alloc(CurrentMemoryContext), scratch, sizeof(scratch));
	status = delta_parse(&arena, json, strlen(json), &delta_limits_none, &delta, &err);
	check_memory(status, &err);
	if (status != COLLAB_OK)
		ereport(ERROR, (errcode(input_sqlstate(status, ERRCODE_INVALID_PARAMETER_VALUE)),
						errmsg_internal(
							"%s", input_message(status, "cannot cast this jsonb value to type collab.delta")),
						errdetail_internal("%s", errors_detail(&err))));

	PG_RETURN_DATUM(delta_to_datum(&delta));
}

/* ---- comparison: equal deltas are equal bytes, and the order is that of the bytes ---- */

static int
compare_values(FunctionCallInfo fcinfo)
{
	struct varlena *a = PG_GETARG_VARLENA_PP(0);
	struct varlena *b = PG_GETARG_VARLENA_PP(1);
	size_t			a_bytes = VARSIZE_ANY_EXHDR(a);
	size_t			b_bytes = VARSIZE_ANY_EXHDR(b);
	int				result = memcmp(VARDATA_ANY(a), VARDATA_ANY(b), Min(a_bytes, b_bytes));

	if (result == 0 && a_bytes != b_bytes)
		result = a_bytes < b_bytes ? -1 : 1;

	/* An index calls this very often in one context. */
	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	return result;
}

PG_FUNCTION_INFO_V1(delta_eq);
Datum
delta_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_values(fcinfo) == 0);
}

PG_FUNCTION_INFO_V1(delta_ne);
Datum
delta_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_values(fcinfo) != 0);
}

PG_FUNCTION_INFO_V1(delta_lt);
Datum
delta_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_values(fcinfo) < 0);
}

PG_FUNCTION_INFO_V1(delta_le);
Datum
delta_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_values(fcinfo) <= 0);
}

PG_FUNCTION_INFO_V1(delta_gt);
Datum
delta_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_values(fcinfo) > 0);
}

PG_FUNCTION_INFO_V1(delta_ge);
Datum
delta_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_values(fcinfo) >= 0);
}

PG_FUNCTION_INFO_V1(delta_cmp);
Datum
delta_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare_values(fcinfo));
}

PG_FUNCTION_INFO_V1(delta_hash);
Datum
delta_hash(PG_FUNCTION_ARGS)
{
	struct varlena *value = PG_GETARG_VARLENA_PP(0);
	Datum			result = hash_any((unsigned char *) VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));

	PG_FREE_IF_COPY(value, 0);
	PG_RETURN_DATUM(result);
}

PG_FUNCTION_INFO_V1(delta_hash_extended);
Datum
delta_hash_extended(PG_FUNCTION_ARGS)
{
	struct varlena *value = PG_GETARG_VARLENA_PP(0);
	Datum			result =
		hash_any_extended((unsigned char *) VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), PG_GETARG_INT64(1));

	PG_FREE_IF_COPY(value, 0);
	PG_RETURN_DATUM(result);
}

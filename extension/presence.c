/* presence.c - presence_send and presence_receive: proxies talk to each other through the server's memory. */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "presence_ring.h"

#define WAIT_MAX_MS (60 * 1000)
#define RECEIVE_COLUMNS 3

static void
check_ring(void)
{
	if (!presence_ring_exists())
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("presence of other proxies needs shared memory of collab"),
						errhint("Add collab to shared_preload_libraries and restart the server.")));
}

/* presence_send(sender, batch): writes no table and no WAL, and takes no transaction id. */
PG_FUNCTION_INFO_V1(presence_send);
Datum
presence_send(PG_FUNCTION_ARGS)
{
	int64  sender = PG_GETARG_INT64(0);
	bytea *batch = PG_GETARG_BYTEA_PP(1);
	Size   bytes = VARSIZE_ANY_EXHDR(batch);

	check_ring();
	if (bytes > PRESENCE_MESSAGE_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("a batch of %zu bytes is too large", bytes),
				 errdetail("The limit is %d bytes.", PRESENCE_MESSAGE_MAX)));
	presence_ring_send(sender, VARDATA_ANY(batch), (int32) bytes);
	PG_RETURN_VOID();
}

/* presence_receive(receiver, since, wait_ms): at least one row, which says where to go on. */
PG_FUNCTION_INFO_V1(presence_receive);
Datum
presence_receive(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int32		   wait_ms = PG_GETARG_INT32(2);
	PresenceTaken *taken;
	Datum		   values[RECEIVE_COLUMNS];
	bool		   nulls[RECEIVE_COLUMNS] = {false, false, true};
	const char	  *data;
	int			   i;

	check_ring();
	if (wait_ms < 0 || wait_ms > WAIT_MAX_MS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("wait_ms must be between 0 and %d", WAIT_MAX_MS)));
	InitMaterializedSRF(fcinfo, 0);
	taken = palloc(sizeof(*taken));
	presence_ring_receive(PG_GETARG_INT64(0), PG_GETARG_INT64(1), wait_ms, taken);
	/* Waiting is no work: log_min_duration_statement shall not take it for a slow statement. */
	SetCurrentStatementStartTimestamp();

	values[0] = Int64GetDatum(taken->next);
	values[1] = BoolGetDatum(taken->overrun);
	data = taken->data;
	for (i = 0; i < taken->count; i++)
	{
		values[2] = PointerGetDatum(cstring_to_text_with_len(data, taken->bytes[i]));
		nulls[2] = false;
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		data += taken->bytes[i];
	}
	if (taken->count == 0)
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	pfree(taken);
	return (Datum) 0;
}

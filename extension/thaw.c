/* thaw.c - reading what lies in cold storage: asking the archiver for a segment, and waiting for it. */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "guc.h"
#include "hash.h"
#include "lock.h"
#include "owner_sql.h"
#include "thaw.h"

/* How often a waiting reader looks, in milliseconds, and every how many looks it asks whether waiting is in vain. */
#define LOOK_INTERVAL 20
#define LOOKS_PER_QUESTION 25

enum
{
	THAWED_DOC,
	THAWED_FIRST_VERSION,
	THAWED_LAST_VERSION,
	THAWED_THAWED_AT,
	THAWED_EXPIRES_AT,
	THAWED_OBJECT,
	THAWED_PAYLOAD
};

PG_FUNCTION_INFO_V1(thaw_lock_key_sql);
Datum
thaw_lock_key_sql(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(collab_segment_key(PG_GETARG_INT64(0), PG_GETARG_INT64(1)));
}

/* ---- what is there ---- */

static const uint8 *
copy_payload(Datum value, uint32 *bytes)
{
	struct varlena *payload = pg_detoast_datum_copy((struct varlena *) DatumGetPointer(value));

	*bytes = (uint32) VARSIZE_ANY_EXHDR(payload);
	return (const uint8 *) VARDATA_ANY(payload);
}

/*
 * The chunk as it is now, whatever the reader's snapshot shows: rows come while he waits. Not with a latest
 * snapshot, which a leader of parallel workers must not take; what is seen and then expires stays readable,
 * because the reader's own snapshot keeps it from being vacuumed.
 */
static const uint8 *
find_thawed(const ArchiveRow *segment, int64 version, uint32 *bytes)
{
	const CatalogTable *thawed = &catalog_get()->thawed;
	const uint8		   *found = NULL;
	Relation			rel;
	Relation			index;
	IndexScanDesc		scan;
	TupleTableSlot	   *slot;
	ScanKeyData			keys[3];

	if (!OidIsValid(thawed->table))
		return NULL;
	rel = table_open(thawed->table, AccessShareLock);
	index = index_open(thawed->pkey, AccessShareLock);
	slot = table_slot_create(rel, NULL);
	ScanKeyInit(&keys[0], THAWED_DOC + 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(segment->doc));
	ScanKeyInit(&keys[1], THAWED_FIRST_VERSION + 1, BTGreaterEqualStrategyNumber, F_INT8GE,
				Int64GetDatum(segment->first_version));
	ScanKeyInit(&keys[2], THAWED_FIRST_VERSION + 1, BTLessEqualStrategyNumber, F_INT8LE,
				Int64GetDatum(version));
	scan = index_beginscan(rel, index, SnapshotSelf, 3, 0);
	index_rescan(scan, keys, 3, NULL, 0);
	/* chunks of a former document of that id may lie between those of the segment until their time is over */
	while (found == NULL && index_getnext_slot(scan, BackwardScanDirection, slot))
	{
		text *object;

		slot_getallattrs(slot);
		object = DatumGetTextPP(slot->tts_values[THAWED_OBJECT]);
		if (DatumGetInt64(slot->tts_values[THAWED_LAST_VERSION]) >= version &&
			VARSIZE_ANY_EXHDR(object) == strlen(segment->object) &&
			memcmp(VARDATA_ANY(object), segment->object, VARSIZE_ANY_EXHDR(object)) == 0)
			found = copy_payload(slot->tts_values[THAWED_PAYLOAD], bytes);
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, AccessShareLock);
	table_close(rel, AccessShareLock);
	return found;
}

/* ---- waiting ---- */

/* What the archiver said about this document since `since`, or NULL. */
static char *
find_complaint(int64 doc, TimestampTz since)
{
	static const Oid types[] = {INT8OID, TIMESTAMPTZOID};
	Datum			 values[] = {Int64GetDatum(doc), TimestampTzGetDatum(since)};
	MemoryContext	 caller = CurrentMemoryContext;
	OwnerSql		 frame;
	char			*message = NULL;

	/* no new snapshot in parallel mode; the reader then waits in vain, and is told less */
	if (IsInParallelMode())
		return NULL;
	PushActiveSnapshot(GetLatestSnapshot());
	owner_sql_begin(&frame);
	if (owner_sql_execute("SELECT message FROM collab.quarantine"
						  " WHERE doc OPERATOR(pg_catalog.=) $1 AND duty OPERATOR(pg_catalog.=) 'thaw'"
						  " AND last_at OPERATOR(pg_catalog.>=) $2",
						  2, types, values, NULL, true, SPI_OK_SELECT) > 0)
	{
		char *said = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);

		message = MemoryContextStrdup(caller, said != NULL ? said : "");
	}
	owner_sql_end(&frame);
	PopActiveSnapshot();
	return message;
}

static void
refuse_failed(const ArchiveRow *segment, const char *complaint)
{
	ereport(ERROR, (errcode(ERRCODE_IO_ERROR),
					errmsg("history cannot be brought back from cold storage: versions " INT64_FORMAT
						   " to " INT64_FORMAT,
						   segment->first_version, segment->last_version),
					errdetail_internal("%s", complaint)));
}

static void
refuse_late(const ArchiveRow *segment)
{
	bool present = lock_archiver_present();

	ereport(
		ERROR,
		(errcode(ERRCODE_IO_ERROR),
		 errmsg("history did not come back from cold storage in time: versions " INT64_FORMAT
				" to " INT64_FORMAT,
				segment->first_version, segment->last_version),
		 present ? errdetail("collab-archiver is at work, but it took longer than collab.thaw_timeout, "
							 "%d ms.",
							 guc_thaw_timeout)
				 : errdetail("No collab-archiver is connected to this database."),
		 present ? errhint("Try again, or raise collab.thaw_timeout.") : errhint("Start collab-archiver.")));
}

/* The document was dropped, or this history of it deleted: the object will not come, or is gone already. */
static void
check_still_there(const ArchiveRow *segment)
{
	ArchiveRow now;

	if (archive_find(segment->doc, segment->first_version, SnapshotSelf, &now) &&
		strcmp(now.object, segment->object) == 0)
		return;
	ereport(ERROR, (errcode(ERRCODE_SNAPSHOT_TOO_OLD),
					errmsg("history in cold storage was deleted while it was being read: versions " INT64_FORMAT
						   " to " INT64_FORMAT,
						   segment->first_version, segment->last_version)));
}

static void
wait_a_little(void)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, LOOK_INTERVAL,
					 PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/* The request is the lock. An error lets go of it with the transaction. */
static const uint8 *
wait_for_chunk(const ArchiveRow *segment, int64 version, uint32 *bytes)
{
	int64		 key = collab_segment_key(segment->doc, segment->first_version);
	TimestampTz	 start = GetCurrentTimestamp();
	const uint8 *found;
	int			 looks = 0;

	lock_thaw(key);
	while ((found = find_thawed(segment, version, bytes)) == NULL)
	{
		char *complaint;

		if (++looks % LOOKS_PER_QUESTION == 0)
		{
			check_still_there(segment);
			if ((complaint = find_complaint(segment->doc, start)) != NULL)
				refuse_failed(segment, complaint);
		}
		if (TimestampDifferenceExceeds(start, GetCurrentTimestamp(), guc_thaw_timeout))
			refuse_late(segment);
		wait_a_little();
	}
	unlock_thaw(key);
	return found;
}

const uint8 *
thaw_get(const ArchiveRow *segment, int64 version, uint32 *bytes)
{
	const uint8 *found;

	Assert(version >= segment->first_version && version <= segment->last_version);
	if (RecoveryInProgress())
		ereport(ERROR, (errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
						errmsg("cannot read history from cold storage during recovery: versions " INT64_FORMAT
							   " to " INT64_FORMAT,
							   segment->first_version, segment->last_version),
						errhint("Read it on the primary.")));
	found = find_thawed(segment, version, bytes);
	return found != NULL ? found : wait_for_chunk(segment, version, bytes);
}

/* archive_move.c - moving chunks to the cold store: what is due, its object, and the transaction that makes it so. */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "archive_rows.h"
#include "catalog.h"
#include "errors.h"
#include "fault.h"
#include "guc.h"
#include "lock.h"
#include "owner_sql.h"
#include "pg_alloc.h"

/*
 * The archiver asks which documents have something due, claims a run of one document's chunks as the bytes of an
 * object, stores them, reads them back, and only then says that it is done. Nothing is locked in between: the
 * object is made a second time from the rows as they are then, under the document's lock, and must be the same.
 */

/* Newest event of a chunk that is due, or false where nothing ever is. `older_than`: NULL takes the setting. */
static bool
horizon(FunctionCallInfo fcinfo, int older_than, TimestampTz *out)
{
	TimestampTz now = GetCurrentTimestamp();

	if (!PG_ARGISNULL(older_than))
	{
		*out = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_mi_interval, TimestampTzGetDatum(now),
													   PG_GETARG_DATUM(older_than)));
		return true;
	}
	if (guc_archive_after < 0)
		return false;
	*out = now - (int64) guc_archive_after * USECS_PER_SEC;
	return true;
}

/*
 * Documents with something due, longest due first. Small runs wait for more to come, up to the same time again: a
 * document that is edited daily would otherwise become an object a day.
 */
PG_FUNCTION_INFO_V1(archive_candidates);
Datum
archive_candidates(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID, INT4OID};
	TimestampTz		 due;
	TimestampTz		 overdue;
	Datum			 values[4];

	if (!horizon(fcinfo, 2, &due))
	{
		InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
		return (Datum) 0;
	}
	overdue = due - (GetCurrentTimestamp() - due);
	values[0] = TimestampTzGetDatum(due);
	values[1] = TimestampTzGetDatum(overdue);
	values[2] = PG_GETARG_DATUM(0);
	values[3] = PG_GETARG_DATUM(1);
	archive_return_rows(fcinfo,
						"SELECT c.doc FROM collab.chunks c WHERE c.created_last <= $1"
						" AND NOT EXISTS (SELECT FROM collab.quarantine q"
						"  WHERE q.doc = c.doc AND q.duty = 'archive' AND q.failures >= 3)"
						" GROUP BY c.doc HAVING sum(octet_length(c.payload)) >= $3 OR min(c.created_first) <= $2"
						" ORDER BY min(c.created_last), c.doc LIMIT $4",
						4, types, values, SPI_OK_SELECT);
	return (Datum) 0;
}

/* ---- an object out of rows ---- */

typedef struct ObjectRange
{
	int64 doc;
	int64 first_version;
	int64 last_version;
	int64 chunks;
} ObjectRange;

/* The oldest chunks of the document that follow one another, as many as fit; at least one. Nothing due: false. */
static bool
choose_range(int64 doc, TimestampTz due, int64 max_bytes, ObjectRange *out)
{
	static const Oid types[] = {INT8OID, TIMESTAMPTZOID};
	Datum			 values[] = {Int64GetDatum(doc), TimestampTzGetDatum(due)};
	int64			 bytes = SEGMENT_HEADER_BYTES;
	uint64			 count;

	memset(out, 0, sizeof(*out));
	out->doc = doc;
	count = owner_sql_execute("SELECT first_version, last_version, octet_length(payload) FROM collab.chunks"
							  " WHERE doc = $1 AND created_last <= $2 ORDER BY first_version LIMIT 100000",
							  2, types, values, NULL, false, SPI_OK_SELECT);
	for (uint64 i = 0; i < count; i++)
	{
		TupleDesc desc = SPI_tuptable->tupdesc;
		HeapTuple row = SPI_tuptable->vals[i];
		bool	  isnull;
		int64	  first = DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull));
		int64	  last = DatumGetInt64(SPI_getbinval(row, desc, 2, &isnull));

		bytes += 4 + DatumGetInt32(SPI_getbinval(row, desc, 3, &isnull));
		if (i > 0 && (bytes > max_bytes || first != out->last_version + 1))
			break;
		if (i == 0)
			out->first_version = first;
		out->last_version = last;
		out->chunks++;
	}
	return out->chunks > 0;
}

/* False: the rows are not what the range says (any more). The object is in the caller's memory. */
static bool
make_object(const ObjectRange *range, int64 made_at, Buf *out)
{
	static const Oid types[] = {INT8OID, INT8OID, INT8OID};
	Datum			 values[] = {Int64GetDatum(range->doc), Int64GetDatum(range->first_version),
								 Int64GetDatum(range->last_version)};
	SegmentHeader	 header = {.doc = range->doc,
							   .first_version = range->first_version,
							   .last_version = range->last_version,
							   .made_at = made_at};
	int64			 next = range->first_version;
	uint64			 count;

	count = owner_sql_execute("SELECT first_version, last_version, payload FROM collab.chunks"
							  " WHERE doc = $1 AND first_version >= $2 AND last_version <= $3"
							  " ORDER BY first_version",
							  3, types, values, NULL, false, SPI_OK_SELECT);
	header.chunks = (uint32) count;
	segment_begin(out, &header);
	for (uint64 i = 0; i < count; i++)
	{
		TupleDesc desc = SPI_tuptable->tupdesc;
		HeapTuple row = SPI_tuptable->vals[i];
		bool	  isnull;
		int64	  first = DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull));
		int64	  last = DatumGetInt64(SPI_getbinval(row, desc, 2, &isnull));
		bytea	 *payload = DatumGetByteaPP(SPI_getbinval(row, desc, 3, &isnull));

		CHECK_FOR_INTERRUPTS();
		if (first != next)
			return false;
		archive_check_chunk((const uint8 *) VARDATA_ANY(payload), VARSIZE_ANY_EXHDR(payload), range->doc,
							first, last, "a chunk");
		segment_add(out, (const uint8 *) VARDATA_ANY(payload), VARSIZE_ANY_EXHDR(payload));
		next = last + 1;
	}
	pg_buf_check(out);
	return count > 0 && next == range->last_version + 1;
}

static void
name_object(const ObjectRange *range, const uint8 *sha256, char *out)
{
	SegmentHeader header = {
		.doc = range->doc, .first_version = range->first_version, .last_version = range->last_version};

	segment_name(&header, sha256, out);
}

/* ---- the claim ---- */

static void
expect_object(const char *object)
{
	static const Oid types[] = {TEXTOID};
	Datum			 values[] = {CStringGetTextDatum(object)};

	owner_sql_execute("INSERT INTO collab.archive_garbage (object, deleted_at) VALUES ($1, now())", 1, types,
					  values, NULL, false, SPI_OK_INSERT);
}

static Datum
bytes_datum(const void *data, size_t size)
{
	bytea *value = palloc(VARHDRSZ + size);

	SET_VARSIZE(value, VARHDRSZ + size);
	memcpy(VARDATA(value), data, size);
	return PointerGetDatum(value);
}

PG_FUNCTION_INFO_V1(archive_claim);
Datum
archive_claim(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int64		   made_at = GetCurrentTimestamp();
	ObjectRange	   range;
	TimestampTz	   due;
	OwnerSql	   frame;
	Buf			   object;
	bool		   found;
	uint8		   sha256[ARCHIVE_SHA256_BYTES];
	char		   name[SEGMENT_NAME_MAX + 1];

	InitMaterializedSRF(fcinfo, 0);
	if (!horizon(fcinfo, 2, &due))
		return (Datum) 0;
	buf_init(&object, pg_alloc(CurrentMemoryContext));
	owner_sql_begin(&frame);
	found = choose_range(PG_GETARG_INT64(0), due, PG_GETARG_INT64(1), &range) &&
			make_object(&range, made_at, &object);
	if (found)
	{
		archive_sha256(object.data, object.size, sha256);
		name_object(&range, sha256, name);
		expect_object(name);
	}
	owner_sql_end(&frame);
	if (found)
	{
		Datum values[6];
		bool  nulls[6] = {0};

		values[0] = Int64GetDatum(range.first_version);
		values[1] = Int64GetDatum(range.last_version);
		values[2] = Int64GetDatum(made_at);
		values[3] = CStringGetTextDatum(name);
		values[4] = bytes_datum(sha256, sizeof(sha256));
		values[5] = bytes_datum(object.data, object.size);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* ---- the move ---- */

/* Takes the object off the list of those that are to be deleted. False: it is not there, or is being deleted. */
static bool
keep_object(const char *object)
{
	static const Oid types[] = {TEXTOID};
	Datum			 values[] = {CStringGetTextDatum(object)};

	return owner_sql_execute(
			   "DELETE FROM collab.archive_garbage WHERE object = $1 AND deleted_at > '-infinity'", 1, types,
			   values, NULL, false, SPI_OK_DELETE) == 1;
}

static void
move_rows(const ObjectRange *range, const char *object, const uint8 *sha256, int64 bytes)
{
	static const Oid types[] = {INT8OID, INT8OID, INT8OID, INT8OID, TEXTOID, BYTEAOID};
	Datum			 values[] = {Int64GetDatum(range->doc),			 Int64GetDatum(range->first_version),
								 Int64GetDatum(range->last_version), Int64GetDatum(bytes),
								 CStringGetTextDatum(object),		 bytes_datum(sha256, ARCHIVE_SHA256_BYTES)};

	owner_sql_execute(
		"INSERT INTO collab.archives (doc, first_version, last_version, created_first, created_last,"
		" events, bytes, object, sha256, archived_at)"
		" SELECT $1, $2, $3, min(created_first), max(created_last), sum(events), $4, $5, $6, now()"
		" FROM collab.chunks WHERE doc = $1 AND first_version >= $2 AND last_version <= $3",
		6, types, values, NULL, false, SPI_OK_INSERT);
	FAULT_POINT("archive_inserted");
	owner_sql_execute("DELETE FROM collab.chunks WHERE doc = $1 AND first_version >= $2 AND last_version <= $3",
					  3, types, values, NULL, false, SPI_OK_DELETE);
	owner_sql_execute("DELETE FROM collab.quarantine WHERE doc = $1 AND duty = 'archive'", 1, types, values,
					  NULL, false, SPI_OK_DELETE);
	FAULT_POINT("archive_moved");
}

PG_FUNCTION_INFO_V1(archive_commit);
Datum
archive_commit(PG_FUNCTION_ARGS)
{
	ObjectRange range = {
		.doc = PG_GETARG_INT64(0), .first_version = PG_GETARG_INT64(1), .last_version = PG_GETARG_INT64(2)};
	bytea	*stored = PG_GETARG_BYTEA_PP(4);
	OwnerSql frame;
	Buf		 object;
	bool	 same;
	uint8	 sha256[ARCHIVE_SHA256_BYTES];
	char	 name[SEGMENT_NAME_MAX + 1];

	if (IsolationUsesXactSnapshot())
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("collab.archive_commit() needs isolation level READ COMMITTED")));
	buf_init(&object, pg_alloc(CurrentMemoryContext));
	/* whoever drops the document, folds more events into a chunk or deletes history holds it, too */
	lock_derived(range.doc, true);
	owner_sql_begin(&frame);
	same = make_object(&range, PG_GETARG_INT64(3), &object);
	if (same)
	{
		archive_sha256(object.data, object.size, sha256);
		name_object(&range, sha256, name);
		same = VARSIZE_ANY_EXHDR(stored) == sizeof(sha256) &&
			   memcmp(VARDATA_ANY(stored), sha256, sizeof(sha256)) == 0 && keep_object(name);
	}
	if (same)
		move_rows(&range, name, sha256, (int64) object.size);
	owner_sql_end(&frame);
	PG_RETURN_BOOL(same);
}

/* thaw_serve.c - what the archiver does for waiting readers: sees what they want, brings it, says what went wrong. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "archive_rows.h"
#include "chunk.h"
#include "errors.h"
#include "fault.h"
#include "guc.h"
#include "lock.h"
#include "owner_sql.h"

PG_FUNCTION_INFO_V1(archiver_duty);
Datum
archiver_duty(PG_FUNCTION_ARGS)
{
	char *duty = text_to_cstring(PG_GETARG_TEXT_PP(0));

	if (strcmp(duty, "archive") == 0)
		PG_RETURN_BOOL(lock_archiver(ARCHIVER_MOVES));
	if (strcmp(duty, "thaw") == 0)
		PG_RETURN_BOOL(lock_archiver(ARCHIVER_THAWS));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown duty of an archiver: \"%s\"", duty),
			 errdetail("There are \"archive\" and \"thaw\".")));
}

/* The segments whose locks are held (thaw.h) and that are not there yet. */
PG_FUNCTION_INFO_V1(thaw_wanted);
Datum
thaw_wanted(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {OIDOID};
	Datum			 values[] = {ObjectIdGetDatum(MyDatabaseId)};

	archive_return_rows(
		fcinfo,
		"SELECT a.doc, a.first_version, a.object, a.bytes, a.sha256"
		" FROM (SELECT DISTINCT classid::int8 << 32 | objid::int8 AS key FROM pg_catalog.pg_locks"
		"  WHERE locktype = 'advisory' AND objsubid = 5 AND database = $1 AND granted) w"
		" JOIN collab.archives a ON collab.thaw_lock_key(a.doc, a.first_version) = w.key"
		" WHERE NOT EXISTS (SELECT FROM collab.thawed t"
		"  WHERE t.doc = a.doc AND t.first_version = a.first_version AND t.object = a.object)",
		1, types, values, SPI_OK_SELECT);
	return (Datum) 0;
}

/* ---- what was brought ---- */

/* The segment as it was archived. False: it has been given up meanwhile. */
static bool
find_segment(int64 doc, int64 first_version, ArchiveRow *out)
{
	static const Oid types[] = {INT8OID, INT8OID};
	Datum			 values[] = {Int64GetDatum(doc), Int64GetDatum(first_version)};
	HeapTuple		 row;
	TupleDesc		 desc;
	bool			 isnull;

	if (owner_sql_execute("SELECT last_version, bytes, object, sha256 FROM collab.archives"
						  " WHERE doc = $1 AND first_version = $2",
						  2, types, values, NULL, false, SPI_OK_SELECT) == 0)
		return false;
	row = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	out->doc = doc;
	out->first_version = first_version;
	out->last_version = DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull));
	out->bytes = DatumGetInt64(SPI_getbinval(row, desc, 2, &isnull));
	archive_read_object(SPI_getbinval(row, desc, 3, &isnull), SPI_getbinval(row, desc, 4, &isnull), out);
	return true;
}

static void
refuse_object(const ArchiveRow *segment, const char *detail)
{
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
					errmsg("object \"%s\" of the cold store is not what was stored", segment->object),
					errdetail_internal("%s", detail)));
}

static void
check_object(const ArchiveRow *segment, bytea *content, SegmentReader *reader)
{
	CollabError err = {0};
	uint8		sha256[ARCHIVE_SHA256_BYTES];

	if ((int64) VARSIZE_ANY_EXHDR(content) != segment->bytes)
		refuse_object(segment, psprintf("It has %d bytes instead of " INT64_FORMAT ".",
										(int) VARSIZE_ANY_EXHDR(content), segment->bytes));
	archive_sha256(VARDATA_ANY(content), VARSIZE_ANY_EXHDR(content), sha256);
	if (memcmp(sha256, segment->sha256, sizeof(sha256)) != 0)
		refuse_object(segment, "Its SHA-256 is another.");
	if (segment_open((const uint8 *) VARDATA_ANY(content), VARSIZE_ANY_EXHDR(content), reader, &err) !=
		COLLAB_OK)
		refuse_object(segment, errors_detail(&err));
	if (reader->header.doc != segment->doc || reader->header.first_version != segment->first_version ||
		reader->header.last_version != segment->last_version)
		refuse_object(segment, "Its header names another document or other versions.");
}

static void
store_chunk(const ArchiveRow *segment, const uint8 *chunk, uint32 bytes, int64 first, int64 last)
{
	static const Oid types[] = {INT8OID, INT8OID, INT8OID, INT4OID, TEXTOID, BYTEAOID};
	bytea			*payload = palloc(VARHDRSZ + bytes);
	Datum			 values[6];

	SET_VARSIZE(payload, VARHDRSZ + bytes);
	memcpy(VARDATA(payload), chunk, bytes);
	values[0] = Int64GetDatum(segment->doc);
	values[1] = Int64GetDatum(first);
	values[2] = Int64GetDatum(last);
	values[3] = Int32GetDatum(guc_thaw_keep);
	values[4] = CStringGetTextDatum(segment->object);
	values[5] = PointerGetDatum(payload);
	owner_sql_execute("INSERT INTO collab.thawed AS t"
					  " (doc, first_version, last_version, thawed_at, expires_at, object, payload)"
					  " VALUES ($1, $2, $3, now(), now() + make_interval(secs => $4), $5, $6)"
					  " ON CONFLICT (doc, first_version) DO UPDATE SET last_version = excluded.last_version,"
					  " thawed_at = excluded.thawed_at, expires_at = excluded.expires_at,"
					  " object = excluded.object, payload = excluded.payload",
					  6, types, values, NULL, false, SPI_OK_INSERT);
	pfree(payload);
}

static int
store_chunks(const ArchiveRow *segment, SegmentReader *reader)
{
	CollabError	 err = {0};
	int64		 next = segment->first_version;
	const uint8 *chunk;
	uint32		 bytes;
	int			 count = 0;

	for (;;)
	{
		ChunkInfo info;

		CHECK_FOR_INTERRUPTS();
		if (segment_next(reader, &chunk, &bytes, &err) != COLLAB_OK)
			refuse_object(segment, errors_detail(&err));
		if (bytes == 0)
			break;
		if (chunk_info(chunk, bytes, &info, &err) != COLLAB_OK)
			refuse_object(segment, errors_detail(&err));
		archive_check_chunk(chunk, bytes, segment->doc, next, info.last_version, "a thawed chunk");
		store_chunk(segment, chunk, bytes, next, info.last_version);
		next = info.last_version + 1;
		count++;
	}
	if (next != segment->last_version + 1)
		refuse_object(segment, psprintf("It ends with version " INT64_FORMAT ".", next - 1));
	return count;
}

/* What was thawed of a former document of that id, where it would lie among these chunks. */
static void
drop_others(const ArchiveRow *segment)
{
	static const Oid types[] = {INT8OID, INT8OID, INT8OID, TEXTOID};
	Datum			 values[] = {Int64GetDatum(segment->doc), Int64GetDatum(segment->first_version),
								 Int64GetDatum(segment->last_version), CStringGetTextDatum(segment->object)};

	owner_sql_execute("DELETE FROM collab.thawed WHERE doc = $1 AND last_version >= $2 AND first_version <= $3"
					  " AND object <> $4",
					  4, types, values, NULL, false, SPI_OK_DELETE);
}

PG_FUNCTION_INFO_V1(thaw_store);
Datum
thaw_store(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {INT8OID};
	Datum			 values[] = {PG_GETARG_DATUM(0)};
	bytea			*content = PG_GETARG_BYTEA_PP(2);
	SegmentReader	 reader;
	ArchiveRow		 segment;
	OwnerSql		 frame;
	int				 count = 0;

	owner_sql_begin(&frame);
	if (find_segment(PG_GETARG_INT64(0), PG_GETARG_INT64(1), &segment))
	{
		check_object(&segment, content, &reader);
		drop_others(&segment);
		count = store_chunks(&segment, &reader);
		FAULT_POINT("thaw_stored");
		owner_sql_execute("DELETE FROM collab.quarantine WHERE doc = $1 AND duty = 'thaw'", 1, types, values,
						  NULL, false, SPI_OK_DELETE);
	}
	owner_sql_end(&frame);
	PG_RETURN_INT32(count);
}

/* ---- the rest ---- */

PG_FUNCTION_INFO_V1(archiver_failed);
Datum
archiver_failed(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {INT8OID, TEXTOID, TEXTOID, TEXTOID};
	Datum	 values[] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1), PG_GETARG_DATUM(2), PG_GETARG_DATUM(3)};
	char	*duty = text_to_cstring(PG_GETARG_TEXT_PP(1));
	OwnerSql frame;

	if (strcmp(duty, "archive") != 0 && strcmp(duty, "thaw") != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("unknown duty of an archiver: \"%s\"", duty),
						errdetail("There are \"archive\" and \"thaw\".")));
	owner_sql_begin(&frame);
	owner_sql_execute("INSERT INTO collab.quarantine AS q (doc, duty, failures, sqlstate, message, last_at)"
					  " SELECT $1, $2, 1, $3, $4, clock_timestamp()"
					  " WHERE EXISTS (SELECT FROM collab.documents WHERE key = $1)"
					  " ON CONFLICT (doc, duty) DO UPDATE SET failures = q.failures + 1,"
					  " sqlstate = excluded.sqlstate, message = excluded.message, last_at = excluded.last_at",
					  4, types, values, NULL, false, SPI_OK_INSERT);
	owner_sql_end(&frame);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(thaw_expire);
Datum
thaw_expire(PG_FUNCTION_ARGS)
{
	OwnerSql frame;
	uint64	 count;

	owner_sql_begin(&frame);
	count = owner_sql_execute("DELETE FROM collab.thawed WHERE expires_at <= now()", 0, NULL, NULL, NULL,
							  false, SPI_OK_DELETE);
	owner_sql_end(&frame);
	PG_RETURN_INT64((int64) count);
}

/* archive.c - segments of history in cold storage: found by version, given up, and what becomes of their objects. */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

#include "archive.h"
#include "archive_rows.h"
#include "catalog.h"
#include "owner_sql.h"

enum
{
	ARCHIVES_DOC,
	ARCHIVES_FIRST_VERSION,
	ARCHIVES_LAST_VERSION,
	ARCHIVES_CREATED_FIRST,
	ARCHIVES_CREATED_LAST,
	ARCHIVES_EVENTS,
	ARCHIVES_BYTES,
	ARCHIVES_OBJECT,
	ARCHIVES_SHA256
};

/* ---- found ---- */

void
archive_read_object(Datum object, Datum sha256, ArchiveRow *out)
{
	text  *name = DatumGetTextPP(object);
	bytea *hash = DatumGetByteaPP(sha256);

	if (VARSIZE_ANY_EXHDR(name) > SEGMENT_NAME_MAX || VARSIZE_ANY_EXHDR(hash) != ARCHIVE_SHA256_BYTES)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("a row of collab.archives is corrupt: object of %d bytes, hash of %d",
							   (int) VARSIZE_ANY_EXHDR(name), (int) VARSIZE_ANY_EXHDR(hash)),
						errdetail("Document key " INT64_FORMAT ", version " INT64_FORMAT ".", out->doc,
								  out->first_version)));
	memcpy(out->object, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
	out->object[VARSIZE_ANY_EXHDR(name)] = '\0';
	memcpy(out->sha256, VARDATA_ANY(hash), ARCHIVE_SHA256_BYTES);
}

bool
archive_find(int64 doc, int64 version, Snapshot snapshot, ArchiveRow *out)
{
	const CatalogTable *archives = &catalog_get()->archives;
	Relation			rel;
	Relation			index;
	IndexScanDesc		scan;
	TupleTableSlot	   *slot;
	ScanKeyData			keys[2];
	bool				found = false;

	if (!OidIsValid(archives->table))
		return false;
	rel = table_open(archives->table, AccessShareLock);
	index = index_open(archives->pkey, AccessShareLock);
	slot = table_slot_create(rel, NULL);
	ScanKeyInit(&keys[0], ARCHIVES_DOC + 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(doc));
	ScanKeyInit(&keys[1], ARCHIVES_FIRST_VERSION + 1, BTLessEqualStrategyNumber, F_INT8LE,
				Int64GetDatum(version));
	scan = index_beginscan(rel, index, snapshot, 2, 0);
	index_rescan(scan, keys, 2, NULL, 0);
	if (index_getnext_slot(scan, BackwardScanDirection, slot))
	{
		Datum *values = slot->tts_values;

		slot_getallattrs(slot);
		out->doc = doc;
		out->first_version = DatumGetInt64(values[ARCHIVES_FIRST_VERSION]);
		out->last_version = DatumGetInt64(values[ARCHIVES_LAST_VERSION]);
		out->bytes = DatumGetInt64(values[ARCHIVES_BYTES]);
		archive_read_object(values[ARCHIVES_OBJECT], values[ARCHIVES_SHA256], out);
		found = out->last_version >= version;
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, NoLock);
	table_close(rel, NoLock);
	return found;
}

/* ---- given up ---- */

void
archive_forget(int64 doc, int64 last_version)
{
	static const Oid types[] = {INT8OID, INT8OID};
	Datum			 values[] = {Int64GetDatum(doc), Int64GetDatum(last_version)};
	OwnerSql		 frame;

	if (!OidIsValid(catalog_get()->archives.table))
		return;
	owner_sql_begin(&frame);
	/* the deletion comes last: all look at the same rows, which the document's lock keeps as they are */
	owner_sql_execute_latest("INSERT INTO collab.archive_garbage (object, deleted_at)"
							 " SELECT object, now() FROM collab.archives WHERE doc = $1 AND last_version <= $2",
							 2, types, values, SPI_OK_INSERT);
	owner_sql_execute_latest(
		"DELETE FROM collab.thawed t USING collab.archives a"
		" WHERE a.doc = $1 AND a.last_version <= $2 AND t.doc = $1 AND t.object = a.object",
		2, types, values, SPI_OK_DELETE);
	owner_sql_execute_latest("DELETE FROM collab.archives WHERE doc = $1 AND last_version <= $2", 2, types,
							 values, SPI_OK_DELETE);
	owner_sql_end(&frame);
}

/* ---- SQL for the archiver: objects that nothing refers to ---- */

/*
 * An object is on the list from before its upload until its row in collab.archives is committed, so that one
 * whose upload led to nothing is found here; and again from when that row goes. Taking one off to
 * delete it is final: deleted_at becomes -infinity, and archive_commit() refuses such a one.
 */
PG_FUNCTION_INFO_V1(archive_garbage_take);
Datum
archive_garbage_take(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {INTERVALOID, INT4OID};
	Datum			 values[] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};

	archive_return_rows(fcinfo,
						"UPDATE collab.archive_garbage g SET deleted_at = '-infinity'"
						" FROM (SELECT object FROM collab.archive_garbage WHERE deleted_at <= now() - $1"
						"  ORDER BY deleted_at, object LIMIT $2 FOR UPDATE SKIP LOCKED) old"
						" WHERE g.object = old.object RETURNING g.object",
						2, types, values, SPI_OK_UPDATE_RETURNING);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(archive_garbage_done);
Datum
archive_garbage_done(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {TEXTOID};
	Datum			 values[] = {PG_GETARG_DATUM(0)};
	OwnerSql		 frame;
	uint64			 count;

	owner_sql_begin(&frame);
	count =
		owner_sql_execute("DELETE FROM collab.archive_garbage WHERE object = $1 AND deleted_at = '-infinity'",
						  1, types, values, NULL, false, SPI_OK_DELETE);
	owner_sql_end(&frame);
	PG_RETURN_BOOL(count > 0);
}

/* ---- SQL for the archiver: comparing the store with the database ---- */

PG_FUNCTION_INFO_V1(archive_list);
Datum
archive_list(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {TEXTOID, INT4OID};
	Datum			 values[] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};

	archive_return_rows(fcinfo,
						"SELECT object, doc, first_version, last_version, bytes, sha256 FROM collab.archives"
						" WHERE object > $1 ORDER BY object LIMIT $2",
						2, types, values, SPI_OK_SELECT);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(archive_unknown);
Datum
archive_unknown(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {TEXTARRAYOID};
	Datum			 values[] = {PG_GETARG_DATUM(0)};

	archive_return_rows(fcinfo,
						"SELECT o.object FROM unnest($1) o(object)"
						" WHERE NOT EXISTS (SELECT FROM collab.archives a WHERE a.object = o.object)"
						" AND NOT EXISTS (SELECT FROM collab.archive_garbage g WHERE g.object = o.object)",
						1, types, values, SPI_OK_SELECT);
	return (Datum) 0;
}

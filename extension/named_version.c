/* named_version.c - names for versions: name_version, unname_version, named_version, named_versions. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "errors.h"
#include "event_scan.h"
#include "hash.h"
#include "lock.h"
#include "owner_sql.h"
#include "read.h"
#include "snapshot.h"
#include "submit.h"
#include "users.h"

/* In bytes. */
#define NAME_MAX_BYTES 256

static void
refuse_null(FunctionCallInfo fcinfo, int count)
{
	if (PG_ARGISNULL(0) || (count > 1 && PG_ARGISNULL(1)))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg(count > 1 ? "doc_id and name must not be null" : "doc_id must not be null")));
}

static text *
name_argument(FunctionCallInfo fcinfo)
{
	text	   *name = PG_GETARG_TEXT_PP(1);
	const char *data = VARDATA_ANY(name);
	size_t		bytes = VARSIZE_ANY_EXHDR(name);
	size_t		i;

	if (bytes == 0 || bytes > NAME_MAX_BYTES)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("name of a version must have 1 to %d bytes", NAME_MAX_BYTES)));
	for (i = 0; i < bytes; i++)
		if ((unsigned char) data[i] < 0x20 || data[i] == 0x7f)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("name of a version must not hold control characters")));
	return name;
}

/*
 * The document, locked against others who write what is derived from it, and against being dropped.
 * An active snapshot that was taken after that stays pushed.
 */
static void
lock_for_name(text *doc_id, DocumentRow *document)
{
	const char *id = VARDATA_ANY(doc_id);
	size_t		bytes = VARSIZE_ANY_EXHDR(doc_id);

	if (!store_doc_id_valid(id, bytes))
		store_refuse_missing(id, bytes);
	lock_derived(collab_doc_key(id, bytes), true);
	PushActiveSnapshot(GetLatestSnapshot());
	store_document_require(id, bytes, GetActiveSnapshot(), document);
}

/* ---- the table ---- */

/* The version that has the name, or -1. */
static int64
find_name(int64 doc, text *name)
{
	const Oid	types[] = {INT8OID, TEXTOID};
	const Datum values[] = {Int64GetDatum(doc), PointerGetDatum(name)};
	int64		version = -1;
	OwnerSql	frame;
	bool		isnull;

	owner_sql_begin(&frame);
	if (owner_sql_execute("SELECT version FROM collab.named_versions WHERE doc = $1 AND name = $2", 2, types,
						  values, NULL, true, SPI_OK_SELECT) > 0)
		version = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	owner_sql_end(&frame);
	return version;
}

static void
insert_name(int64 doc, text *name, int64 version, int64 author)
{
	const Oid	types[] = {INT8OID, TEXTOID, INT8OID, INT8OID, TIMESTAMPTZOID};
	const Datum values[] = {Int64GetDatum(doc), PointerGetDatum(name), Int64GetDatum(version),
							Int64GetDatum(author), TimestampTzGetDatum(GetCurrentTimestamp())};
	OwnerSql	frame;

	owner_sql_begin(&frame);
	(void) owner_sql_execute("INSERT INTO collab.named_versions (doc, name, version, created_by, created_at) "
							 "VALUES ($1, $2, $3, $4, $5)",
							 5, types, values, NULL, false, SPI_OK_INSERT);
	owner_sql_end(&frame);
}

/* Removes a name. *other: the version has another one. */
static void
delete_name(int64 doc, text *name, int64 version, bool *other)
{
	const Oid	types[] = {INT8OID, TEXTOID, INT8OID};
	const Datum values[] = {Int64GetDatum(doc), PointerGetDatum(name), Int64GetDatum(version)};
	OwnerSql	frame;

	owner_sql_begin(&frame);
	(void) owner_sql_execute("DELETE FROM collab.named_versions WHERE doc = $1 AND name = $2", 2, types,
							 values, NULL, false, SPI_OK_DELETE);
	*other =
		owner_sql_execute("SELECT FROM collab.named_versions WHERE doc = $1 AND version = $3 AND name <> $2",
						  3, types, values, NULL, true, SPI_OK_SELECT) > 0;
	owner_sql_end(&frame);
}

/* ---- a version that has a name keeps a snapshot ---- */

static void
pin(const DocumentRow *document, int64 version)
{
	StoredEvent event;

	/* the empty document needs none */
	if (version == 0 || snapshot_set_pinned(document->key, version, true))
		return;
	if (!event_at(document, version, GetActiveSnapshot(), &event))
		ereport(ERROR, (errcode(ERRCODE_COLLAB_BASE_GONE),
						errmsg("history of document \"%s\" at version " INT64_FORMAT " was deleted",
							   document->doc_id, version),
						errdetail("The oldest version that is available is " INT64_FORMAT ".",
								  document->first_version)));
	read_write_snapshot(document, &event, GetActiveSnapshot(), true);
}

/* name_version(doc_id, name, version) */
PG_FUNCTION_INFO_V1(name_version);
Datum
name_version(PG_FUNCTION_ARGS)
{
	DocumentRow document;
	StoredEvent head;
	text	   *name;
	int64		author;
	int64		version;
	int64		known;

	submit_enter("collab.name_version()");
	refuse_null(fcinfo, 2);
	name = name_argument(fcinfo);
	author = users_register_current();
	lock_for_name(PG_GETARG_TEXT_PP(0), &document);
	if (PG_ARGISNULL(2))
		version = store_head(document.key, GetActiveSnapshot(), &head) ? head.version : 0;
	else
	{
		version = PG_GETARG_INT64(2);
		read_check_version(&document, version, GetActiveSnapshot());
	}

	known = find_name(document.key, name);
	if (known >= 0 && known != version)
		ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT),
						errmsg("version " INT64_FORMAT " of document \"%s\" has the name \"%s\" already",
							   known, document.doc_id, text_to_cstring(name)),
						errhint("Remove the name with collab.unname_version() first.")));
	if (known < 0)
	{
		pin(&document, version);
		insert_name(document.key, name, version, author);
	}
	PopActiveSnapshot();
	submit_leave();
	PG_RETURN_INT64(version);
}

/* unname_version(doc_id, name) */
PG_FUNCTION_INFO_V1(unname_version);
Datum
unname_version(PG_FUNCTION_ARGS)
{
	DocumentRow document;
	text	   *name;
	int64		version;
	bool		other;

	submit_enter("collab.unname_version()");
	refuse_null(fcinfo, 2);
	name = name_argument(fcinfo);
	lock_for_name(PG_GETARG_TEXT_PP(0), &document);
	version = find_name(document.key, name);
	if (version >= 0)
	{
		delete_name(document.key, name, version, &other);
		/* the floor of a history that was deleted is pinned whether it has a name or not */
		if (!other && version != document.first_version)
			(void) snapshot_set_pinned(document.key, version, false);
	}
	PopActiveSnapshot();
	submit_leave();
	PG_RETURN_BOOL(version >= 0);
}

/* named_version(doc_id, name) */
PG_FUNCTION_INFO_V1(named_version);
Datum
named_version(PG_FUNCTION_ARGS)
{
	text	   *name = name_argument(fcinfo);
	DocumentRow document;
	int64		version;

	read_document_row(PG_GETARG_TEXT_PP(0), GetActiveSnapshot(), &document);
	version = find_name(document.key, name);
	if (version < 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(version);
}

#define NAMED_COLUMNS 4

/* named_versions(doc_id) */
PG_FUNCTION_INFO_V1(named_versions);
Datum
named_versions(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	const Oid	   types[] = {INT8OID};
	Datum		   values[1];
	DocumentRow	   document;
	OwnerSql	   frame;
	uint64		   count;
	uint64		   i;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	read_document_row(PG_GETARG_TEXT_PP(0), GetActiveSnapshot(), &document);
	values[0] = Int64GetDatum(document.key);
	owner_sql_begin(&frame);
	count = owner_sql_execute(
		"SELECT n.name, n.version, u.user_id, n.created_at FROM collab.named_versions n "
		"LEFT JOIN collab.users u ON u.key = n.created_by WHERE n.doc = $1 ORDER BY n.version DESC, n.name",
		1, types, values, NULL, true, SPI_OK_SELECT);
	for (i = 0; i < count; i++)
	{
		Datum row[NAMED_COLUMNS];
		bool  nulls[NAMED_COLUMNS];
		int	  column;

		for (column = 0; column < NAMED_COLUMNS; column++)
			row[column] =
				SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, column + 1, &nulls[column]);
		tuplestore_putvalues(result->setResult, result->setDesc, row, nulls);
	}
	owner_sql_end(&frame);
	return (Datum) 0;
}

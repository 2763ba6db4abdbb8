/* undone.c - rows of collab.undone, read and written. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "owner_sql.h"
#include "undone.h"

/* Versions whose rows are read in one go. */
#define STRETCH 4096

struct UndoneReader
{
	MemoryContext context;
	int64		  doc;
	int64		  stretch; /* versions STRETCH * stretch ... + STRETCH - 1 are in memory; -1: none */
	UndoneRow	 *rows;	   /* ascending */
	int			  count;
};

UndoneReader *
undone_reader(int64 doc)
{
	UndoneReader *reader = palloc0_object(UndoneReader);

	reader->context = CurrentMemoryContext;
	reader->doc = doc;
	reader->stretch = -1;
	return reader;
}

/* No column is ever null. */
static Datum
column(uint64 row, int number)
{
	bool isnull;

	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, number, &isnull);
}

static void
read_stretch(UndoneReader *reader, int64 stretch)
{
	const Oid	types[] = {INT8OID, INT8OID, INT8OID};
	const Datum values[] = {Int64GetDatum(reader->doc), Int64GetDatum(stretch * STRETCH),
							Int64GetDatum(stretch * STRETCH + STRETCH - 1)};
	OwnerSql	frame;
	uint64		i;

	if (reader->rows != NULL)
		pfree(reader->rows);
	reader->rows = NULL;
	reader->stretch = -1;
	owner_sql_begin(&frame);
	reader->count =
		(int) owner_sql_execute("SELECT version, author, redo, first_version, last_version FROM collab.undone "
								"WHERE doc = $1 AND version BETWEEN $2 AND $3 ORDER BY version",
								3, types, values, NULL, true, SPI_OK_SELECT);
	reader->rows = MemoryContextAlloc(reader->context, Max(reader->count, 1) * sizeof(UndoneRow));
	for (i = 0; i < (uint64) reader->count; i++)
	{
		UndoneRow *row = &reader->rows[i];

		row->version = DatumGetInt64(column(i, 1));
		row->author = DatumGetInt64(column(i, 2));
		row->redo = DatumGetBool(column(i, 3));
		row->first_version = DatumGetInt64(column(i, 4));
		row->last_version = DatumGetInt64(column(i, 5));
	}
	owner_sql_end(&frame);
	reader->stretch = stretch;
}

/* The first row in memory at or behind a version of the stretch; reader->count: there is none. */
static int
find_row(UndoneReader *reader, int64 version)
{
	int low = 0;
	int high;

	if (version / STRETCH != reader->stretch)
		read_stretch(reader, version / STRETCH);
	high = reader->count;
	while (low < high)
	{
		int middle = (low + high) / 2;

		if (reader->rows[middle].version < version)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const UndoneRow *
undone_at(UndoneReader *reader, int64 version)
{
	int i = find_row(reader, version);

	return i < reader->count && reader->rows[i].version == version ? &reader->rows[i] : NULL;
}

const UndoneRow *
undone_next(UndoneReader *reader, int64 from, int64 to)
{
	while (from <= to)
	{
		int i = find_row(reader, from);

		CHECK_FOR_INTERRUPTS();
		if (i < reader->count)
			return reader->rows[i].version <= to ? &reader->rows[i] : NULL;
		from = (from / STRETCH + 1) * STRETCH;
	}
	return NULL;
}

void
undone_insert(int64 doc, const UndoneRow *row)
{
	const Oid	types[] = {INT8OID, INT8OID, INT8OID, BOOLOID, INT8OID, INT8OID};
	const Datum values[] = {
		Int64GetDatum(doc),		 Int64GetDatum(row->version),		Int64GetDatum(row->author),
		BoolGetDatum(row->redo), Int64GetDatum(row->first_version), Int64GetDatum(row->last_version)};
	OwnerSql frame;

	owner_sql_begin(&frame);
	(void) owner_sql_execute(
		"INSERT INTO collab.undone (doc, version, author, redo, first_version, last_version) "
		"VALUES ($1, $2, $3, $4, $5, $6)",
		6, types, values, NULL, false, SPI_OK_INSERT);
	owner_sql_end(&frame);
}

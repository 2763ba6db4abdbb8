/* document_parts.c - everything that belongs to a document, wherever it is stored. */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "archive.h"
#include "catalog.h"
#include "chunk_store.h"
#include "document_parts.h"
#include "owner_sql.h"
#include "snapshot.h"

/* Beside those that have functions of their own. A test compares this list with the catalog. */
static const char *const tables[] = {
	"applied_clocks", "comments", "live_texts", "named_versions", "quarantine", "undone",
};

void
document_parts_delete(int64 doc)
{
	static const Oid types[] = {INT8OID};
	Datum			 values[] = {Int64GetDatum(doc)};
	OwnerSql		 frame;
	int				 i;

	/* A schema of version 0.1.0 has none of them. */
	if (!OidIsValid(catalog_get()->chunks.table))
		return;

	snapshot_delete_all(doc);
	(void) chunk_store_delete(doc, 0, PG_INT64_MAX);
	archive_forget(doc, PG_INT64_MAX);

	owner_sql_begin(&frame);
	for (i = 0; i < (int) lengthof(tables); i++)
	{
		char *sql = psprintf("DELETE FROM collab.%s WHERE doc = $1", tables[i]);

		(void) owner_sql_execute_latest(sql, lengthof(types), types, values, SPI_OK_DELETE);
	}
	owner_sql_end(&frame);
}

/* catalog.c - cached OIDs of the extension's tables, kept right by invalidation messages. */
#include "postgres.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "common/hashfn.h"
#include "partitioning/partbounds.h"
#include "partitioning/partdesc.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

#include "catalog.h"

static Catalog catalog;
static bool	   catalog_valid = false;
static bool	   callbacks_registered = false;

/*
 * Columns that version 0.1.0 gave to documents and events, and what they have now: the library also
 * works on tables that are not updated yet.
 */
#define DOCUMENTS_OLD_COLUMNS 5
#define DOCUMENTS_COLUMNS 9
#define EVENTS_OLD_COLUMNS 10
#define EVENTS_COLUMNS 11

/* Tables of version 0.2.0: their names, columns and places in the catalog. */
static const struct
{
	const char *name;
	int			natts;
	size_t		place;
} newer_tables[] = {
	{"snapshots", 10, offsetof(Catalog, snapshots)},
	{"chunks", 9, offsetof(Catalog, chunks)},
	{"archives", 10, offsetof(Catalog, archives)},
	{"thawed", 7, offsetof(Catalog, thawed)},
	{"applied_clocks", 4, offsetof(Catalog, applied_clocks)},
	{"live_texts", 5, offsetof(Catalog, live_texts)},
};

static CatalogTable *
newer_table(Catalog *in, int i)
{
	return (CatalogTable *) ((char *) in + newer_tables[i].place);
}

static bool
is_ours(Oid relid)
{
	int i;

	if (relid == catalog.documents.table || relid == catalog.users.table || relid == catalog.events)
		return true;
	for (i = 0; i < CATALOG_LEAVES; i++)
		if (relid == catalog.leaves[i].table)
			return true;
	for (i = 0; i < (int) lengthof(newer_tables); i++)
		if (relid == newer_table(&catalog, i)->table)
			return true;
	return false;
}

/* Only a flag is cleared here: who is working with the OIDs holds locks on what they name. */
static void
invalidate_relation(Datum arg, Oid relid)
{
	if (catalog_valid && (!OidIsValid(relid) || is_ours(relid)))
		catalog_valid = false;
}

static void
invalidate_schema(Datum arg, int cacheid, uint32 hashvalue)
{
	catalog_valid = false;
}

static Oid
lookup_table(Oid schema, const char *name)
{
	Oid relid = get_relname_relid(name, schema);

	if (!OidIsValid(relid))
		ereport(
			ERROR,
			(errcode(ERRCODE_UNDEFINED_TABLE), errmsg("table \"%s.%s\" does not exist", CATALOG_SCHEMA, name),
			 errhint("Create the extension again: DROP EXTENSION collab CASCADE; CREATE EXTENSION collab;")));
	return relid;
}

/* Rows are formed by position, so a table that lost or gained columns must not be written to. */
static void
load_table(Oid relid, int old_natts, int natts, CatalogTable *out)
{
	Relation rel = table_open(relid, AccessShareLock);
	int		 columns = RelationGetNumberOfAttributes(rel);

	out->table = relid;
	out->pkey = RelationGetPrimaryKeyIndex(rel);
	if (!OidIsValid(out->pkey) || (columns != natts && columns != old_natts))
		ereport(ERROR, (errcode(ERRCODE_INVALID_TABLE_DEFINITION),
						errmsg("table \"%s.%s\" is not as the extension created it", CATALOG_SCHEMA,
							   RelationGetRelationName(rel)),
						errdetail("It must have its primary key and exactly %d columns.", natts)));
	table_close(rel, AccessShareLock);
}

/* The remainder of a leaf comes from the partition bounds: names are only names. */
static void
load_leaves(Catalog *out)
{
	Relation	  root = table_open(out->events, AccessShareLock);
	PartitionDesc desc = NULL;
	int			  i;

	if (root->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		desc = RelationGetPartitionDesc(root, true);
	if (desc == NULL || desc->nparts != CATALOG_LEAVES || desc->boundinfo->nindexes != CATALOG_LEAVES ||
		desc->boundinfo->strategy != PARTITION_STRATEGY_HASH)
		ereport(ERROR, (errcode(ERRCODE_INVALID_TABLE_DEFINITION),
						errmsg("table \"%s.events\" is not as the extension created it", CATALOG_SCHEMA),
						errdetail("It must be partitioned by hash into %d leaves.", CATALOG_LEAVES)));

	for (i = 0; i < CATALOG_LEAVES; i++)
		load_table(desc->oids[desc->boundinfo->indexes[i]], EVENTS_OLD_COLUMNS, EVENTS_COLUMNS,
				   &out->leaves[i]);
	table_close(root, AccessShareLock);
}

static void
load_newer(Oid schema, Catalog *out)
{
	int i;

	for (i = 0; i < (int) lengthof(newer_tables); i++)
	{
		Oid relid = get_relname_relid(newer_tables[i].name, schema);

		if (OidIsValid(relid))
			load_table(relid, newer_tables[i].natts, newer_tables[i].natts, newer_table(out, i));
	}
}

const Catalog *
catalog_get(void)
{
	Catalog fresh;
	Oid		schema;

	if (likely(catalog_valid))
		return &catalog;

	if (!callbacks_registered)
	{
		CacheRegisterRelcacheCallback(invalidate_relation, (Datum) 0);
		CacheRegisterSyscacheCallback(NAMESPACEOID, invalidate_schema, (Datum) 0);
		callbacks_registered = true;
	}

	/*
	 * Looked up into a copy: an error half-way leaves the old state, which is invalid. An
	 * invalidation that arrives meanwhile is for something that we then hold a lock on or have not
	 * looked at yet.
	 */
	memset(&fresh, 0, sizeof(fresh));
	schema = get_namespace_oid(CATALOG_SCHEMA, false);
	load_table(lookup_table(schema, "documents"), DOCUMENTS_OLD_COLUMNS, DOCUMENTS_COLUMNS, &fresh.documents);
	load_table(lookup_table(schema, "users"), 3, 3, &fresh.users);
	fresh.events = lookup_table(schema, "events");
	load_leaves(&fresh);
	load_newer(schema, &fresh);

	catalog = fresh;
	catalog_valid = true;
	return &catalog;
}

/* The same as compute_partition_hash_value() for one int8 column, without its set-up. */
int
catalog_leaf(int64 key)
{
	uint64 hash = DatumGetUInt64(
		DirectFunctionCall2(hashint8extended, Int64GetDatum(key), UInt64GetDatum(HASH_PARTITION_SEED)));

	return (int) (hash_combine64(0, hash) % CATALOG_LEAVES);
}

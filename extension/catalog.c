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

/* Only a flag is cleared here: who is working with the OIDs holds locks on what they name. */
static void
invalidate_relation(Datum arg, Oid relid)
{
	int i;

	if (!catalog_valid)
		return;
	if (OidIsValid(relid) && relid != catalog.documents.table && relid != catalog.users.table &&
		relid != catalog.events)
	{
		for (i = 0; i < CATALOG_LEAVES; i++)
			if (relid == catalog.leaves[i].table)
				break;
		if (i == CATALOG_LEAVES)
			return;
	}
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
load_table(Oid relid, int natts, CatalogTable *out)
{
	Relation rel = table_open(relid, AccessShareLock);

	out->table = relid;
	out->pkey = RelationGetPrimaryKeyIndex(rel);
	if (!OidIsValid(out->pkey) || RelationGetNumberOfAttributes(rel) != natts)
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
		load_table(desc->oids[desc->boundinfo->indexes[i]], 10, &out->leaves[i]);
	table_close(root, AccessShareLock);
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
	load_table(lookup_table(schema, "documents"), 5, &fresh.documents);
	load_table(lookup_table(schema, "users"), 3, &fresh.users);
	fresh.events = lookup_table(schema, "events");
	load_leaves(&fresh);

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

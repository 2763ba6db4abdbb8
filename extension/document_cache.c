/* document_cache.c - rows of documents that this backend has seen. */
#include "postgres.h"

#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"

#include "catalog.h"
#include "document_cache.h"

/* A cache that is full is emptied. 4096 rows are about 700 kB. */
#define CACHE_MAX 4096

static HTAB *cache = NULL;
static Oid	 cache_table = InvalidOid;
static bool	 cache_stale = false;

static void
invalidate(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || relid == cache_table)
		cache_stale = true;
}

void
document_cache_begin(void)
{
	static bool registered = false;
	HASHCTL		ctl;

	if (!registered)
	{
		CacheRegisterRelcacheCallback(invalidate, (Datum) 0);
		registered = true;
	}
	AcceptInvalidationMessages();

	if (cache != NULL && (cache_stale || hash_get_num_entries(cache) >= CACHE_MAX))
	{
		hash_destroy(cache);
		cache = NULL;
	}
	if (cache == NULL)
	{
		/* May raise: a cache that does not know its table would never be emptied. */
		cache_table = catalog_get()->documents.table;
		ctl.keysize = sizeof(int64);
		ctl.entrysize = sizeof(DocumentRow);
		ctl.hcxt = TopMemoryContext;
		cache = hash_create("collab documents", 256, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
		cache_stale = false;
	}
}

bool
document_cache_find(int64 key, DocumentRow *out)
{
	DocumentRow *found = cache_stale ? NULL : hash_search(cache, &key, HASH_FIND, NULL);

	if (found != NULL)
		*out = *found;
	return found != NULL;
}

void
document_cache_put(const DocumentRow *document)
{
	DocumentRow *entry;

	if (cache_stale)
		return;
	entry = hash_search(cache, &document->key, HASH_ENTER, NULL);
	*entry = *document;
}

void
document_cache_changed(void)
{
	CacheInvalidateRelcacheByRelid(catalog_get()->documents.table);
}

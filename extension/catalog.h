/* catalog.h - where the extension's tables are: cached OIDs, and the leaf of a key. */
#ifndef COLLAB_CATALOG_H
#define COLLAB_CATALOG_H

#include "postgres_ext.h"

#define CATALOG_SCHEMA "collab"
/* Fixed for ever: a dump restored into another number of leaves would lose rows. */
#define CATALOG_LEAVES 16

typedef struct CatalogTable
{
	Oid table;
	Oid pkey;
} CatalogTable;

typedef struct Catalog
{
	CatalogTable documents;
	CatalogTable users;
	Oid			 events;				 /* the partitioned root */
	CatalogTable leaves[CATALOG_LEAVES]; /* by remainder, not by name */

	/*
	 * Tables of version 0.2.0. Until ALTER EXTENSION UPDATE has run they are missing, their OIDs
	 * are InvalidOid, and what needs them is not done.
	 */
	CatalogTable snapshots;
	CatalogTable chunks;
	CatalogTable archives;
	CatalogTable thawed;
	CatalogTable applied_clocks;
	CatalogTable live_texts;
} Catalog;

/* Raises where the extension's tables are missing or were altered. */
extern const Catalog *catalog_get(void);

/* Index into leaves[] of a document's key. */
extern int catalog_leaf(int64 key);

#endif

/* compat.h - everything that differs between PostgreSQL 15 and 18; the only file that looks at PG_VERSION_NUM. */
#ifndef COLLAB_COMPAT_H
#define COLLAB_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "collab needs PostgreSQL 15 or later"
#endif

#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"
#include "varatt.h"
#endif

/*
 * Refuses a value in a type's input function. Since 16 the caller may have asked to be told instead
 * (pg_input_is_valid, COPY ... ON_ERROR): then the function returns NULL.
 */
#if PG_VERSION_NUM >= 160000
#define COLLAB_INPUT_ERROR(fcinfo, ...) ereturn((fcinfo)->context, (Datum) 0, __VA_ARGS__)
#else
#define COLLAB_INPUT_ERROR(fcinfo, ...) ereport(ERROR, __VA_ARGS__)
#endif

/* Who includes utils/acl.h and catalog/pg_database.h: does the role own the database? */
#if PG_VERSION_NUM >= 160000
#define COLLAB_DATABASE_OWNERCHECK(database, role) object_ownercheck(DatabaseRelationId, (database), (role))
#else
#define COLLAB_DATABASE_OWNERCHECK(database, role) pg_database_ownercheck((database), (role))
#endif

/* Who includes utils/acl.h, catalog/pg_database.h: may the role connect to the database? */
#if PG_VERSION_NUM >= 160000
#define COLLAB_MAY_CONNECT(database, role)                                                                   \
	(object_aclcheck(DatabaseRelationId, (database), (role), ACL_CONNECT) == ACLCHECK_OK)
#else
#define COLLAB_MAY_CONNECT(database, role)                                                                   \
	(pg_database_aclcheck((database), (role), ACL_CONNECT) == ACLCHECK_OK)
#endif

/* Who includes executor/executor.h: for changes that no plan makes. */
#if PG_VERSION_NUM >= 160000
#define COLLAB_EPQ_INIT(epq, estate) EvalPlanQualInit((epq), (estate), NULL, NIL, -1, NIL)
#else
#define COLLAB_EPQ_INIT(epq, estate) EvalPlanQualInit((epq), (estate), NULL, NIL, -1)
#endif

#endif

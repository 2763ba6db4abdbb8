/* bus_key.c - the key with which the proxies of this database know each other's messages. */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_control.h"
#include "common/hmac.h"
#include "common/sha2.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"

#define LABEL "collab bus"

/*
 * Derived, not stored: from the random number that initdb puts into pg_control, which no SQL shows and which standbys share; from the
 * database; and from the timeline, so that whoever still talks to a former primary is not believed. A restored dump has a key of its own.
 */
PG_FUNCTION_INFO_V1(bus_key);
Datum
bus_key(PG_FUNCTION_ARGS)
{
	char		*nonce = GetMockAuthenticationNonce();
	pg_hmac_ctx *hmac;
	bytea		*key = palloc(VARHDRSZ + PG_SHA256_DIGEST_LENGTH);
	uint32		 place[2];

	if (RecoveryInProgress())
		ereport(ERROR, (errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
						errmsg("cannot execute %s during recovery", "collab.bus_key()")));
	place[0] = pg_hton32(MyDatabaseId);
	place[1] = pg_hton32(GetWALInsertionTimeLine());
	SET_VARSIZE(key, VARHDRSZ + PG_SHA256_DIGEST_LENGTH);

	hmac = pg_hmac_create(PG_SHA256);
	if (hmac == NULL || pg_hmac_init(hmac, (uint8 *) nonce, MOCK_AUTH_NONCE_LEN) < 0 ||
		pg_hmac_update(hmac, (const uint8 *) LABEL, sizeof(LABEL)) < 0 ||
		pg_hmac_update(hmac, (const uint8 *) place, sizeof(place)) < 0 ||
		pg_hmac_final(hmac, (uint8 *) VARDATA(key), PG_SHA256_DIGEST_LENGTH) < 0)
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("cannot derive the key of the bus"),
						errdetail("This server's cryptography has no HMAC with SHA-256.")));
	pg_hmac_free(hmac);
	PG_RETURN_BYTEA_P(key);
}

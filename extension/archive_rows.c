/* archive_rows.c - what the functions for the archiver share: rows of a statement, hashes, checked chunks. */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "funcapi.h"
#include "utils/lsyscache.h"

#include "archive_rows.h"
#include "chunk.h"
#include "errors.h"
#include "owner_sql.h"
#include "pg_alloc.h"

void
archive_return_rows(FunctionCallInfo fcinfo, const char *sql, int nargs, const Oid *types,
					const Datum *values, int expected)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	OwnerSql	   frame;

	/* a row type of one column is that column */
	InitMaterializedSRF(fcinfo,
						type_is_rowtype(get_fn_expr_rettype(fcinfo->flinfo)) ? 0 : MAT_SRF_USE_EXPECTED_DESC);
	owner_sql_begin(&frame);
	(void) owner_sql_execute(sql, nargs, types, values, NULL, false, expected);
	for (uint64 i = 0; i < SPI_tuptable->numvals; i++)
		tuplestore_puttuple(result->setResult, SPI_tuptable->vals[i]);
	owner_sql_end(&frame);
}

void
archive_sha256(const void *data, size_t bytes, uint8 out[ARCHIVE_SHA256_BYTES])
{
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);
	bool			   good = hash != NULL && pg_cryptohash_init(hash) == 0 &&
				pg_cryptohash_update(hash, data, bytes) == 0 &&
				pg_cryptohash_final(hash, out, ARCHIVE_SHA256_BYTES) == 0;

	if (!good)
		elog(ERROR, "could not compute SHA-256: %s",
			 hash != NULL ? pg_cryptohash_error(hash) : "out of memory");
	pg_cryptohash_free(hash);
}

void
archive_check_chunk(const uint8 *chunk, uint32 bytes, int64 doc, int64 first_version, int64 last_version,
					const char *what)
{
	CollabAlloc		 alloc = pg_alloc(CurrentMemoryContext);
	CollabError		 err = {0};
	ChunkReader		*reader;
	const ChunkInfo *info;

	if (chunk_open(alloc, chunk, bytes, &reader, &err) == COLLAB_NOMEM)
		errors_raise(COLLAB_NOMEM, &err);
	if (err.status != COLLAB_OK)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("%s is corrupt: versions " INT64_FORMAT " to " INT64_FORMAT, what,
							   first_version, last_version),
						errdetail_internal("%s", errors_detail(&err))));
	info = chunk_reader_info(reader);
	if (info->doc != doc || info->first_version != first_version || info->last_version != last_version)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("%s holds other events than it should: versions " INT64_FORMAT
							   " to " INT64_FORMAT " of another document or range",
							   what, info->first_version, info->last_version),
						errdetail("Expected were " INT64_FORMAT " to " INT64_FORMAT ".", first_version,
								  last_version)));
	chunk_close(reader);
}

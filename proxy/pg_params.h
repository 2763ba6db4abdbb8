/* pg_params.h - the parameters of a statement in PostgreSQL's binary format, built in a buffer that is reused. */
#ifndef COLLAB_PROXY_PG_PARAMS_H
#define COLLAB_PROXY_PG_PARAMS_H

#include "buf.h"
#include "util.h"

#define PG_MAX_PARAMS 10

typedef struct PgParams
{
	Buf		data;
	int		count;
	size_t	offsets[PG_MAX_PARAMS];
	int		lengths[PG_MAX_PARAMS]; /* -1: NULL */
	size_t	array_at;
	int32_t array_count;
	bool	array_nulls;
} PgParams;

typedef enum PgElement
{
	PG_TYPE_BYTEA = 17,
	PG_TYPE_INT8 = 20,
	PG_TYPE_INT4 = 23,
	PG_TYPE_TEXT = 25
} PgElement;

void pg_params_init(PgParams *params);
void pg_params_free(PgParams *params);
void pg_params_clear(PgParams *params);
void pg_param_null(PgParams *params);
void pg_param_bool(PgParams *params, bool value);
void pg_param_int4(PgParams *params, int32_t value);
void pg_param_int8(PgParams *params, int64_t value);
void pg_param_bytes(PgParams *params, const char *data, size_t bytes); /* text as well */
void pg_array_begin(PgParams *params, PgElement type);
void pg_array_null(PgParams *params);
void pg_array_int4(PgParams *params, int32_t value);
void pg_array_int8(PgParams *params, int64_t value);
void pg_array_bytes(PgParams *params, const char *data, size_t bytes);
void pg_array_end(PgParams *params);

#endif

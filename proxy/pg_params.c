/* pg_params.c - the parameters of a statement in PostgreSQL's binary format, built in a buffer that is reused. */
#include "pg_params.h"

#include <endian.h>
#include <string.h>

#define ARRAY_HEADER_BYTES 20

void
pg_params_init(PgParams *params)
{
	memset(params, 0, sizeof(*params));
	buf_init(&params->data, util_buffer_alloc);
}

void
pg_params_free(PgParams *params)
{
	buf_free(&params->data);
}

void
pg_params_clear(PgParams *params)
{
	buf_clear(&params->data);
	params->count = 0;
}

static void
add_param(PgParams *params, const void *data, int bytes)
{
	params->offsets[params->count] = params->data.size;
	params->lengths[params->count] = bytes;
	params->count++;
	if (bytes > 0)
		buf_bytes(&params->data, data, (size_t) bytes);
}

void
pg_param_null(PgParams *params)
{
	add_param(params, NULL, -1);
}

void
pg_param_bool(PgParams *params, bool value)
{
	char byte = value ? 1 : 0;

	add_param(params, &byte, 1);
}

void
pg_param_int4(PgParams *params, int32_t value)
{
	uint32_t network = htobe32((uint32_t) value);

	add_param(params, &network, sizeof(network));
}

void
pg_param_int8(PgParams *params, int64_t value)
{
	uint64_t network = htobe64((uint64_t) value);

	add_param(params, &network, sizeof(network));
}

void
pg_param_bytes(PgParams *params, const char *data, size_t bytes)
{
	add_param(params, data, (int) bytes);
}

/* Binary array: dimensions, has-nulls flag, element type, then length and lower bound of the one dimension, elements. */
void
pg_array_begin(PgParams *params, PgElement type)
{
	uint32_t header[5] = {htobe32(1), 0, htobe32((uint32_t) type), 0, htobe32(1)};

	params->array_at = params->data.size;
	params->array_count = 0;
	params->array_nulls = false;
	buf_bytes(&params->data, header, ARRAY_HEADER_BYTES);
}

static void
add_element(PgParams *params, const void *data, size_t bytes)
{
	uint32_t length = htobe32((uint32_t) bytes);

	buf_bytes(&params->data, &length, sizeof(length));
	buf_bytes(&params->data, data, bytes);
	params->array_count++;
}

void
pg_array_null(PgParams *params)
{
	uint32_t length = htobe32(UINT32_MAX);

	buf_bytes(&params->data, &length, sizeof(length));
	params->array_count++;
	params->array_nulls = true;
}

void
pg_array_int4(PgParams *params, int32_t value)
{
	uint32_t network = htobe32((uint32_t) value);

	add_element(params, &network, sizeof(network));
}

void
pg_array_int8(PgParams *params, int64_t value)
{
	uint64_t network = htobe64((uint64_t) value);

	add_element(params, &network, sizeof(network));
}

void
pg_array_bytes(PgParams *params, const char *data, size_t bytes)
{
	add_element(params, data, bytes);
}

void
pg_array_end(PgParams *params)
{
	char	*header = params->data.data + params->array_at;
	uint32_t nulls = htobe32(params->array_nulls ? 1 : 0);
	uint32_t count = htobe32((uint32_t) params->array_count);

	memcpy(header + 4, &nulls, sizeof(nulls));
	memcpy(header + 12, &count, sizeof(count));
	params->offsets[params->count] = params->array_at;
	params->lengths[params->count] = (int) (params->data.size - params->array_at);
	params->count++;
}

/* pg_result.c - what a statement answered: values in the binary format, errors. */
#include "pg.h"

#include <endian.h>
#include <libpq-fe.h>
#include <string.h>

static const PGresult *
raw(const PgResult *result)
{
	return (const PGresult *) (const void *) result;
}

int
pg_rows(const PgResult *result)
{
	return result == NULL ? 0 : PQntuples(raw(result));
}

bool
pg_null(const PgResult *result, int row, int column)
{
	return PQgetisnull(raw(result), row, column) == 1;
}

bool
pg_bool(const PgResult *result, int row, int column)
{
	return PQgetlength(raw(result), row, column) == 1 && PQgetvalue(raw(result), row, column)[0] != 0;
}

/* Nothing else comes in these columns; 0 keeps a surprise harmless. */
static bool
take(const PgResult *result, int row, int column, void *out, size_t bytes)
{
	if (PQgetlength(raw(result), row, column) != (int) bytes)
		return false;
	memcpy(out, PQgetvalue(raw(result), row, column), bytes);
	return true;
}

int32_t
pg_int4(const PgResult *result, int row, int column)
{
	uint32_t network;

	return take(result, row, column, &network, sizeof(network)) ? (int32_t) be32toh(network) : 0;
}

int64_t
pg_int8(const PgResult *result, int row, int column)
{
	uint64_t network;

	return take(result, row, column, &network, sizeof(network)) ? (int64_t) be64toh(network) : 0;
}

PgBytes
pg_bytes(const PgResult *result, int row, int column)
{
	PgBytes value;

	value.data = PQgetvalue(raw(result), row, column);
	value.bytes = (size_t) PQgetlength(raw(result), row, column);
	return value;
}

const char *
pg_sqlstate(const PgResult *result)
{
	const char *state = PQresultErrorField(raw(result), PG_DIAG_SQLSTATE);

	return state != NULL ? state : "XX000";
}

const char *
pg_message(const PgResult *result)
{
	const char *message = PQresultErrorField(raw(result), PG_DIAG_MESSAGE_PRIMARY);

	return message != NULL ? message : "error in the database";
}

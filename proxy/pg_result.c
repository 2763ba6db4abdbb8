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

int32_t
pg_int4(const PgResult *result, int row, int column)
{
	uint32_t network;

	if (PQgetlength(raw(result), row, column) != (int) sizeof(network))
		return 0;
	memcpy(&network, PQgetvalue(raw(result), row, column), sizeof(network));
	return (int32_t) be32toh(network);
}

int64_t
pg_int8(const PgResult *result, int row, int column)
{
	uint64_t network;

	if (PQgetlength(raw(result), row, column) != (int) sizeof(network))
		return 0;
	memcpy(&network, PQgetvalue(raw(result), row, column), sizeof(network));
	return (int64_t) be64toh(network);
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

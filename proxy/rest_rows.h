/* rest_rows.h - rows of the database as JSON, page by page. */
#ifndef COLLAB_PROXY_REST_ROWS_H
#define COLLAB_PROXY_REST_ROWS_H

#include "http_call.h"
#include "pg.h"

typedef enum RestColumn
{
	REST_COLUMN_INT8,
	REST_COLUMN_TEXT,
	REST_COLUMN_TIME
} RestColumn;

typedef struct RestField
{
	const char *name;
	RestColumn	type;
} RestField;

/* The first `rows` rows as an array of objects, members in the order of the columns. */
void rest_rows(Buf *out, const PgResult *result, int rows, const RestField *fields, int count);

#endif

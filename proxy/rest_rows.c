/* rest_rows.c - rows of the database as JSON, page by page. */
#include "rest_rows.h"

#include "wire.h"

static void
value(Buf *out, const PgResult *result, int row, int column, RestColumn type)
{
	PgBytes text;

	if (pg_null(result, row, column))
	{
		buf_str(out, "null");
		return;
	}
	switch (type)
	{
		case REST_COLUMN_INT8:
			buf_i64(out, pg_int8(result, row, column));
			break;
		case REST_COLUMN_TEXT:
			text = pg_bytes(result, row, column);
			buf_json_string(out, text.data, text.bytes);
			break;
		case REST_COLUMN_TIME:
			wire_time(out, pg_int8(result, row, column));
			break;
	}
}

void
rest_rows(Buf *out, const PgResult *result, int rows, const RestField *fields, int count)
{
	buf_char(out, '[');
	for (int row = 0; row < rows; row++)
	{
		if (row > 0)
			buf_char(out, ',');
		for (int column = 0; column < count; column++)
		{
			buf_char(out, column == 0 ? '{' : ',');
			buf_char(out, '"');
			buf_str(out, fields[column].name);
			buf_str(out, "\":");
			value(out, result, row, column, fields[column].type);
		}
		buf_char(out, '}');
	}
	buf_char(out, ']');
}

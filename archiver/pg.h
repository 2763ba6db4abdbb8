/* pg.h - one connection to the database, one statement at a time. */
#ifndef COLLAB_ARCHIVER_PG_H
#define COLLAB_ARCHIVER_PG_H

#include "config.h"

typedef struct Pg Pg;

typedef enum PgStatus
{
	PG_OK,
	PG_REFUSED, /* the statement failed: pg_sqlstate(), pg_message() */
	PG_LOST		/* no connection */
} PgStatus;

/* A parameter: text, or bytes where `text` is NULL; NULL where both are. */
typedef struct PgArg
{
	const char *text;
	const void *data;
	size_t		bytes;
} PgArg;

#define PG_TEXT(value) ((PgArg){.text = (value)})
#define PG_BYTES(value, size) ((PgArg){.data = (value), .bytes = (size)})

/* `name` shows in application_name. Nothing is connected yet. */
Pg	*pg_create(const Config *config, const char *name);
void pg_destroy(Pg *pg);

/*
 * Connects where there is no connection, after the pause that earlier failures ask for; false: there is none now, or the
 * process ends.
 */
bool pg_ready(Pg *pg);

/* Every statement is a transaction. Its rows are there until the next. */
PgStatus	pg_run(Pg *pg, const char *sql, int nargs, const PgArg *args);
const char *pg_sqlstate(const Pg *pg);
const char *pg_message(const Pg *pg);

int			pg_rows(const Pg *pg);
int64_t		pg_int8(const Pg *pg, int row, int column);
bool		pg_bool(const Pg *pg, int row, int column);
const char *pg_text(const Pg *pg, int row, int column);
const void *pg_bytes(const Pg *pg, int row, int column, size_t *bytes);

#endif

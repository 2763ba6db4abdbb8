/* problem.h - errors over HTTP: application/problem+json (RFC 9457) with the SQLSTATE. */
#ifndef COLLAB_PROXY_PROBLEM_H
#define COLLAB_PROXY_PROBLEM_H

#include "http_call.h"
#include "pg.h"

/* Answers. sqlstate NULL: the request did not get as far as the database. */
void problem(HttpCall *call, int status, const char *sqlstate, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* members: more members of the object, as JSON without braces; NULL: none. */
void problem_with(HttpCall *call, int status, const char *sqlstate, const char *detail, size_t detail_bytes,
				  const char *members);
/* The status that belongs to a SQLSTATE. */
int problem_status(const HttpCall *call, const char *sqlstate);
/* What the database said. */
void problem_database(HttpCall *call, const PgResult *result);
/* The connection to it ended: for who writes, nobody knows whether it happened. */
void problem_lost(HttpCall *call);

#endif

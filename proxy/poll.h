/* poll.h - a question that a connection to the database is asked now and then, for numbers that nothing depends on. */
#ifndef COLLAB_PROXY_POLL_H
#define COLLAB_PROXY_POLL_H

#include "pg.h"

typedef struct PollKind
{
	const char *sql; /* not prepared, because an older extension may not know it */
	uint64_t	every_ms;
	void (*rows)(const PgResult *result);
} PollKind;

/* Of one connection; all zeroes but `kind` at first. Lives as long as the connection. */
typedef struct Poll
{
	const PollKind *kind;
	uint64_t		due; /* not asked before, ms of the loop's clock */
	bool			asking;
} Poll;

/* Asks if it is time to; says whether it did. A question that failed is asked again, but much later. */
bool poll_ask(Poll *poll, Pg *pg, uint64_t now);

#endif

/* poll.c - a question that a connection to the database is asked now and then, for numbers that nothing depends on. */
#include "poll.h"

/* Times the interval. */
#define AFTER_FAILURE 60

static void
on_answer(void *ctx, PgOutcome outcome, const PgResult *result)
{
	Poll *poll = ctx;

	poll->asking = false;
	if (outcome == PG_ROWS)
		poll->kind->rows(result);
	else if (outcome == PG_ERROR)
		poll->due += AFTER_FAILURE * poll->kind->every_ms;
}

bool
poll_ask(Poll *poll, Pg *pg, uint64_t now)
{
	PgParams none;

	if (poll->asking || now < poll->due || !pg_is_up(pg))
		return false;
	poll->due = now + poll->kind->every_ms;
	pg_params_init(&none);
	poll->asking = true; /* it may be answered before it is sent: when the connection breaks */
	if (!pg_send_sql(pg, poll->kind->sql, &none, on_answer, poll))
		poll->asking = false;
	pg_params_free(&none);
	return true;
}

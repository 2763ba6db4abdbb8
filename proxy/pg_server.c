/* pg_server.c - which server is the right one: what all connections of all workers have seen of it, compared. */
#include "pg_server.h"

static PgServerSeen		   seen;
static PgServerSeen		  *shown;
static const PgServerSeen *told;

/* Each field is read and written at once; a timeline without its system says nothing, so that goes first. */
static void
store(PgServerSeen *to, uint64_t system, uint64_t timeline)
{
	if (__atomic_load_n(&to->system, __ATOMIC_ACQUIRE) != system)
		__atomic_store_n(&to->timeline, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&to->system, system, __ATOMIC_RELEASE);
	__atomic_store_n(&to->timeline, timeline, __ATOMIC_RELEASE);
}

static uint64_t
timeline_of(const PgServerSeen *from, uint64_t system)
{
	uint64_t timeline = __atomic_load_n(&from->timeline, __ATOMIC_ACQUIRE);

	return __atomic_load_n(&from->system, __ATOMIC_ACQUIRE) == system ? timeline : 0;
}

void
pg_server_share(PgServerSeen *ours, const PgServerSeen *others)
{
	shown = ours;
	told = others;
}

uint64_t
pg_server_newest(uint64_t system)
{
	uint64_t mine = timeline_of(&seen, system);
	uint64_t theirs = told != NULL ? timeline_of(told, system) : 0;

	return mine > theirs ? mine : theirs;
}

PgServerVerdict
pg_server_judge(uint64_t system, uint64_t timeline)
{
	PgServerVerdict verdict = PG_SERVER_SAME;

	if (timeline < pg_server_newest(system))
		return PG_SERVER_FORMER;
	if (seen.system != 0 && seen.system != system)
		verdict = PG_SERVER_OTHER;
	else if (seen.system != 0 && seen.timeline < timeline)
		verdict = PG_SERVER_NEWER;
	store(&seen, system, timeline);
	if (shown != NULL)
		store(shown, system, timeline);
	return verdict;
}

void
pg_server_gather(PgServerSeen *all, const PgServerSeen *one)
{
	uint64_t system = __atomic_load_n(&one->system, __ATOMIC_ACQUIRE);
	uint64_t timeline = timeline_of(one, system);

	if (system != 0 && timeline > timeline_of(all, system))
		store(all, system, timeline);
}

/* pg_server.h - which server is the right one: what all connections of all workers have seen of it, compared. */
#ifndef COLLAB_PROXY_PG_SERVER_H
#define COLLAB_PROXY_PG_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A cluster has a system identifier for life, and a timeline that rises with each promotion. After a failover a server on a lower
 * timeline is the former primary: what it would commit, nobody else would ever see. Kept in memory only: restarting the proxy
 * makes it forget.
 */
typedef struct PgServerSeen
{
	uint64_t system; /* 0: none yet */
	uint64_t timeline;
} PgServerSeen;

typedef enum PgServerVerdict
{
	PG_SERVER_SAME,
	PG_SERVER_NEWER,  /* whoever is connected to a lower timeline is connected to a former primary */
	PG_SERVER_OTHER,  /* another cluster altogether; event ids tell what that means for a document */
	PG_SERVER_FORMER, /* not to be used */
} PgServerVerdict;

/* ours: where this process shows what it has seen; others: where it finds what the others have. Both may be NULL. */
void pg_server_share(PgServerSeen *ours, const PgServerSeen *others);
/* A connection has found this server. */
PgServerVerdict pg_server_judge(uint64_t system, uint64_t timeline);
/* The highest timeline of this cluster that anybody has seen. */
uint64_t pg_server_newest(uint64_t system);

/* The supervisor's part: carries over to `all` what one worker has seen. */
void pg_server_gather(PgServerSeen *all, const PgServerSeen *one);

#endif

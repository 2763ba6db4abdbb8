/* rest_db.h - the connections to the database that answer HTTP requests, apart from those of the sockets. */
#ifndef COLLAB_PROXY_REST_DB_H
#define COLLAB_PROXY_REST_DB_H

#include "http_call.h"
#include "pg.h"

typedef struct RestDb RestDb;

typedef enum RestStatement
{
	REST_AS_USER,
	REST_REQUIRE,
	REST_DELTA,
	REST_TEXT,
	REST_HTML,
	REST_MARKDOWN,
	REST_EVENTS,
	REST_HISTORY,
	REST_BLAME,
	REST_VERSIONS,
	REST_COMMENTS,
	REST_CREATE,
	REST_REPLACE,
	REST_DROP,
	REST_SUBMIT,
	REST_COMMENT,
	REST_REPLY,
	REST_POSITION,
	REST_STATEMENTS
} RestStatement;

/* What may wait for what: a report (all authors of a long history) takes no connection that a plain read could need. */
typedef enum RestKind
{
	REST_READ,
	REST_REPORT,
	REST_WRITE
} RestKind;

/* Sends the statements, all of one transaction; params is for use. False: the connection broke. */
typedef bool (*RestSend)(HttpCall *call, Pg *pg, PgParams *params);
/* Their answer; never PG_LOST, and never for a call that was answered meanwhile. */
typedef void (*RestDone)(HttpCall *call, PgOutcome outcome, const PgResult *result);

RestDb *rest_db_create(Proxy *proxy);
void	rest_db_destroy(RestDb *db);
void	rest_db_turn_end(RestDb *db);
bool	rest_db_idle(const RestDb *db);
/* How many connections there are, and how many of them are up. */
int rest_db_connections(const RestDb *db, int *up);

void rest_db_ask(HttpCall *call, RestKind kind, RestSend send, RestDone done);
/* The last statement of what a RestSend sends; before it pg_add() may send others. */
bool rest_db_send(HttpCall *call, Pg *pg, RestStatement statement, const PgParams *params) MUST_CHECK;
/* The same, asking where the document is by then: one row of number, version, event, is_public. */
bool rest_db_send_position(HttpCall *call, Pg *pg, PgParams *params) MUST_CHECK;
/* Says for whom the transaction that begins is made. */
bool rest_db_as_user(HttpCall *call, Pg *pg, PgParams *params) MUST_CHECK;
/* Locks the document, and fails with OT011 unless it is there; version -1: wherever. */
bool rest_db_require(HttpCall *call, Pg *pg, PgParams *params, int64_t version, uint64_t event) MUST_CHECK;

/* ---- where documents are: one statement for all that ask in a turn of the loop ---- */

typedef struct RestPosition
{
	bool	 found;
	int64_t	 version;
	uint64_t event;
	bool	 is_public;
} RestPosition;

typedef void (*RestPositionDone)(HttpCall *call, const RestPosition *position);

void rest_db_position(HttpCall *call, RestPositionDone done);

#endif

/* load.h - a question to the database on behalf of those who open a document, who waits for its answer, and how that is given. */
#ifndef COLLAB_PROXY_LOAD_H
#define COLLAB_PROXY_LOAD_H

#include "answers.h"
#include "client.h"
#include "loader.h"
#include "pg.h"
#include "room.h"

typedef struct Load Load;

/* One client that waits for the answer to its `open`. */
struct OpenRequest
{
	List	 node; /* in load->requests */
	Load	*load;
	Client	*client;
	bool	 late; /* came when the question was on its way already */
	int64_t	 pending;
	uint64_t arrived; /* by proxy_clock() */
};

/*
 * What the database is asked, once for all clients of the room that stand at the same place. The answer depends on the document
 * alone, with one exception: a client with pieces in its hands, or from another history, is told which of its own clocks are in
 * the snapshot. Who needs that asks alone. (A rule about who may read what would be a second exception, and belongs into
 * load_find().)
 */
struct Load
{
	List		 node; /* in loader->waiting, or loader->sent */
	List		 in_room;
	Loader		*loader;
	Room		*room; /* held */
	List		 requests;
	OpenRequest *asker; /* whose clock is asked for; NULL: gone */
	bool		 alone;
	bool		 has_position;
	int64_t		 last_version;
	uint64_t	 last_event;
	bool		 pending; /* they hold pieces: then events only */
	bool		 busy;	  /* on its way, or being answered: stays, whoever leaves */
	bool		 looked;  /* whether there is a snapshot in Redis */
	Frame		*cached;  /* that, until the database has said whether it is of this history; NULL: none */
	int64_t		 sent_at; /* the room's version then */
	int64_t		 head;	  /* the version of the welcome that went out; -1: not yet */
};

struct Loader
{
	Proxy	*proxy;
	PgSetup	 setup;
	Pg	   **readers;
	int		 reader_count;
	List	 waiting; /* Load.node */
	List	 sent;
	Answers *answers;
	PgParams params;
};

/* The columns of open_document(), as loader.c asks for them. */
enum
{
	COLUMN_KIND,
	COLUMN_VERSION,
	COLUMN_EVENT,
	COLUMN_SITE,
	COLUMN_CLOCK,
	COLUMN_AUTHOR,
	COLUMN_AT,
	COLUMN_OP,
	COLUMN_REASON,
	COLUMN_HEAD
};

/* ---- load.c: who waits for what ---- */

/* For nobody yet; waits to be asked. */
Load *load_create(Loader *loader, Room *room);
void  load_free(Load *load);
/* The same question as `load`, for some of those who wait for that. */
Load *load_copy(const Load *load);
/* What is asked, or about to be, for somebody who stands where this client does. */
Load *load_find(Room *room, const WireMessage *open);
/* It waits to be asked, again. */
void load_requeue(Load *load);
void load_move(OpenRequest *request, Load *load);
/* Its question is about this client and nobody else. */
void load_ask_alone(OpenRequest *request);
/* Nobody waits for this answer any more; what nobody waits for at all is not asked. */
void load_forget(OpenRequest *request);

/* ---- load_answer.c: answers ---- */

/* The client has what it needs, and follows the room from now on. source: how the open is counted. */
void load_finish(OpenRequest *request, MetricId source);
/*
 * Without the database. A snapshot that was read for somebody else is not for a client that would meet events of its own behind it:
 * it has nothing pending that those could be.
 */
bool load_answer_from_memory(Loader *loader, Client *client, const Load *load) MUST_CHECK;
/* What the database said: rows, or an error. */
void load_answer(Load *load, const PgResult *result);
void load_refuse(Load *load, const PgResult *result);
/* Of an answer: "event", "snapshot" or what else its first row is. */
bool load_is_kind(const PgResult *result, const char *kind);
/* Where the answer places the client: the head, and its event id where the answer tells it (or 0). */
void load_position(const PgResult *result, bool events, int64_t *version, uint64_t *event);
/* The end of the missed events also is what those will lack who stood only a little behind. */
void load_backfill(Room *room, const PgResult *result);

/* ---- load_cache.c: a snapshot out of Redis ---- */

/* Whether that is read first: then the load is busy. */
bool load_look_into_cache(Loader *loader, Load *load) MUST_CHECK;
/* The database's answer to the position of that snapshot. */
void load_answer_cached(Load *load, const PgResult *result);

#endif

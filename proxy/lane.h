/* lane.h - operations on their way to a commit: what waits while one batch commits is the next batch. */
#ifndef COLLAB_PROXY_LANE_H
#define COLLAB_PROXY_LANE_H

#include "proxy.h"

typedef struct MessagePiece
{
	uint32_t offset; /* into Message.data */
	uint32_t bytes;
} MessagePiece;

/* Who hears of a message that came from no socket. Every message is finished once; before that each of its pieces may be told. */
typedef struct LaneCaller
{
	/* duplicate: it had been applied before */
	void (*committed)(void *ctx, int64_t version, uint64_t event, bool duplicate);
	void (*refused)(void *ctx, int64_t clock, const char *code, const char *text, size_t text_bytes);
	/* not done, and it may do better later */
	void (*retry)(void *ctx, const char *code, const char *text);
	void (*finished)(void *ctx);
} LaneCaller;

/* One `op` message, from its arrival until the database has answered for good. */
typedef struct Message
{
	List			  node;
	Room			 *room;	  /* held */
	Client			 *client; /* NULL: the connection is gone; the operation is not */
	const LaneCaller *caller; /* or this one is told */
	void			 *caller_ctx;
	int64_t			  site;
	int64_t			  clock;
	int64_t			  base_version;
	uint64_t		  base_event;
	uint32_t		  count;
	uint32_t		  user_bytes; /* the user's name stands at the start of data */
	size_t			  bytes;	  /* of data */
	uint64_t		  arrived;	  /* by proxy_clock() */
	uint32_t		  life;		  /* of the room when it was sent last */
	int64_t			  sent_at;	  /* its version then */
	int64_t			  committed;  /* last version so far, 0: none */
	int				  lost;		  /* connections that ended while it was in flight */
	bool			  to_retry;	  /* answered `retry` in the batch at hand */
	bool			  answered;	  /* some row was about it */
	MessagePiece	 *pieces;
	char			 *data;
} Message;

Lanes *lanes_create(Proxy *proxy);
void   lanes_destroy(Lanes *lanes);
/*
 * Takes over an operation of a live client. False when too much waits already: then *code says why, and nothing was taken.
 */
bool lanes_submit(Lanes *lanes, Client *client, const WireMessage *message, const WireParser *parser,
				  const char **code) MUST_CHECK;
/* The same for who has no socket: message->site is set. */
bool lanes_call(Lanes *lanes, Room *room, const char *user, const WireMessage *message,
				const WireParser *parser, const LaneCaller *caller, void *ctx, const char **code) MUST_CHECK;

typedef struct LanesLoad
{
	uint64_t waiting; /* messages that no statement carries yet */
	uint64_t waiting_bytes;
	uint64_t in_flight; /* messages in statements that were not answered yet */
} LanesLoad;

void lanes_load(const Lanes *lanes, LanesLoad *load);
/* How many connections are up: of the lanes, or of the retry lanes. */
int lanes_connections_up(const Lanes *lanes, bool retry);
/* Sends the next batches. */
void lanes_turn_end(Lanes *lanes);
bool lanes_idle(const Lanes *lanes);
bool lanes_up(const Lanes *lanes);
bool lanes_durable(const Lanes *lanes);
/* Whether edits get through: false where no lane is up, or where those that are have been waiting for longer than slow_ms. */
bool lanes_take(const Lanes *lanes, uint64_t slow_ms);

#endif

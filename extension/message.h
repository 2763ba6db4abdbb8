/* message.h - one message of a site: pieces that were made at a base version, and what became of each. */
#ifndef COLLAB_MESSAGE_H
#define COLLAB_MESSAGE_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "delta.h"
#include "tail.h"

/* The largest integer that every JavaScript number holds exactly. */
#define MESSAGE_NUMBER_MAX INT64CONST(9007199254740991)

/* Pieces of one message: the wire protocol's limit. */
#define MESSAGE_PIECES_MAX 1000

typedef enum PieceStatus
{
	PIECE_RETRY, /* nothing was done: send the message alone; first, because what was overlooked is not done */
	PIECE_OK,	 /* applied by this command */
	PIECE_DUPLICATE, /* applied earlier, found by its (author, site, clock) */
	PIECE_ERROR,	 /* bad by itself: sqlstate and reason tell why */
	PIECE_REFUSED	 /* behind a bad piece */
} PieceStatus;

typedef struct PieceResult
{
	PieceStatus		status;
	int64			version;
	int64			event;
	TimestampTz		at;
	struct varlena *json; /* of the op as it was applied; only with want_json */
	int				sqlstate;
	char		   *reason;
} PieceResult;

/*
 * The caller fills in the first part. Pieces that did not parse are refused with message_refuse;
 * `count` of them exist in all, `good` of them may still be applied.
 */
typedef struct Message
{
	int64		  author; /* key */
	int64		  site;	  /* 0: an edit by SQL, which has no clock of its own */
	int64		  clock;  /* of the first piece, counting up */
	int64		  base_version;
	bool		  has_base_event;
	int64		  base_event;
	Delta		 *pieces;
	int			  count;
	bool		  wait; /* catch up over any number of events */
	bool		  want_json;
	MemoryContext results_context;

	int			 good;
	PieceResult *results; /* count of them */
} Message;

/* Allocates the results. */
extern void message_init(Message *message, int count);

/*
 * Piece i is bad, those behind it are refused. In `results_context`: reason, lower case, no full
 * stop.
 */
extern void message_refuse(Message *message, int i, int sqlstate, const char *fmt, ...)
	pg_attribute_printf(4, 5);

/* The same for what the core reported. Raises where that is an interrupt or a lack of memory. */
extern void message_refuse_status(Message *message, int i, CollabStatus status, const CollabError *err);

/* Nothing is done about the whole message now. */
extern void message_retry(Message *message);

/*
 * Formatting costs next to nothing to say, but every run of characters that it reaches gets the attributes: units times bytes of
 * attributes in one change.
 */
#define MESSAGE_FORMAT_MAX (64 * 1024 * 1024)

/* Does a change format no more than that? */
extern bool message_format_fits(const Delta *change);

/* Site and clock within their ranges; refuses the message otherwise. */
extern bool message_check_origin(Message *message);

/*
 * Carries the pieces over every event after their base and adds them to the tail, which the caller
 * flushes. Never raises for anything that the message's author can have caused. Scratch memory is
 * taken from the current context.
 */
extern void message_apply(Message *message, Tail *tail);

#endif

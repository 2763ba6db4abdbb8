/* answers.h - answers to `open` that are kept for a moment: whoever opens the same document next is sent the same bytes. */
#ifndef COLLAB_PROXY_ANSWERS_H
#define COLLAB_PROXY_ANSWERS_H

#include "frame.h"
#include "proxy.h"

/*
 * A room keeps at most one snapshot and one run of events, for snapshot_ms. Neither says anything about a user; where the answer
 * depends on who asks, it does not come here. They are a convenience only: all of them can be dropped at any moment.
 */
typedef struct Answers Answers;
typedef struct Answer  Answer;

/* What is kept. */
struct Answer
{
	List	 node; /* in the order of their age */
	Answer **slot; /* of the room */
	uint64_t until;
	int64_t	 after;	  /* the events begin behind this version; -1: a snapshot */
	int64_t	 version; /* what it brings a client to */
	Frame	*frame;
};

Answers *answers_create(Proxy *proxy);
void	 answers_destroy(Answers *answers);

/* Keeps a frame, with a reference of its own. after: as in Answer. */
void answers_keep(Answers *answers, Room *room, int64_t after, int64_t version, Frame *frame);
/* The one that the ring of the room can lead on from, or NULL. */
const Answer *answers_snapshot(const Room *room);
/* From this version to the head of the room, or NULL. */
const Answer *answers_events(const Room *room, int64_t after);
/* All of this room. */
void answers_forget(Room *room);
/* Drops the oldest until all answers together, those that are being read included, take no more than max_answer_bytes. */
void answers_shed(Answers *answers);

#endif

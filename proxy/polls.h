/* polls.h - what the database counts, and the proxy shows. */
#ifndef COLLAB_PROXY_POLLS_H
#define COLLAB_PROXY_POLLS_H

#include "poll.h"

/* Of a session that commits operations: how long it took to carry them from their base to the head. */
extern const PollKind poll_transform_times;
/* Of the database: its worker, its queue of notifications. */
extern const PollKind poll_database;

#endif

/* outbox.h - whose sockets are written in this turn of the loop: all of the small rooms, and of the crowds a slice. */
#ifndef COLLAB_PROXY_OUTBOX_H
#define COLLAB_PROXY_OUTBOX_H

#include <uv.h>

#include "util.h"

/*
 * A room of thousands takes milliseconds to write to, nearly all of it in the kernel. Whoever waits for an answer, or is in a small room,
 * does not wait for that: a crowd is written in slices, between which the loop looks at what came in.
 */
typedef struct Outbox
{
	List	  now;
	List	  later; /* members of crowds */
	size_t	  later_count;
	size_t	  share; /* of those that this turn still writes */
	uv_idle_t idle;	 /* keeps the loop from waiting while a slice is left */
} Outbox;

typedef struct OutboxEntry
{
	List node;
	bool is_later;
} OutboxEntry;

void outbox_init(Outbox *outbox, uv_loop_t *loop);
/* The handle closes during the next turns of the loop. */
void outbox_close(Outbox *outbox);

void outbox_entry_init(OutboxEntry *entry);
/* What is entered already can only become more urgent. */
void outbox_add(Outbox *outbox, OutboxEntry *entry, bool later);
void outbox_remove(Outbox *outbox, OutboxEntry *entry);

/* A turn: begin, take until there is none, end. */
void		 outbox_begin(Outbox *outbox);
OutboxEntry *outbox_take(Outbox *outbox);
/* Returns whether everything was taken. */
bool outbox_end(Outbox *outbox);

#endif

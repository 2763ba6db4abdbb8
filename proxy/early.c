/* early.c - events that came before those in front of them: kept until they fit, or are known otherwise. */
#include "early.h"

#include <stdlib.h>
#include <string.h>

#include "listener.h"
#include "room.h"

#define MAX_EARLY_BYTES (1024 * 1024) /* of one room */

/* An event that waits for those in front of it. */
typedef struct EarlyEvent
{
	List	  node;
	bool	  own;		/* committed by this proxy */
	uint64_t  previous; /* of somebody else's: the id of the event in front of it */
	size_t	  bytes;
	WireEvent event;
	char	  data[]; /* its texts */
} EarlyEvent;

static void
drop(BusRoom *state, EarlyEvent *early)
{
	list_remove(&early->node);
	state->early_bytes -= early->bytes;
	free(early);
}

void
early_keep(BusRoom *state, bool own, uint64_t previous, const WireEvent *event)
{
	size_t		bytes = sizeof(EarlyEvent) + event->user_bytes + event->op_bytes;
	List	   *at = state->early.prev;
	EarlyEvent *early;

	while (at != &state->early && container_of(at, EarlyEvent, node)->event.version > event->version)
		at = at->prev;
	if (state->early_bytes + bytes > MAX_EARLY_BYTES ||
		(at != &state->early && container_of(at, EarlyEvent, node)->event.version == event->version))
		return;
	early = util_alloc(bytes);
	early->own = own;
	early->previous = previous;
	early->bytes = bytes;
	early->event = *event;
	memcpy(early->data, event->user, event->user_bytes);
	memcpy(early->data + event->user_bytes, event->op, event->op_bytes);
	early->event.user = early->data;
	early->event.op = early->data + event->user_bytes;
	list_init(&early->node);
	list_prepend(at, &early->node);
	state->early_bytes += bytes;
}

void
bus_committed_early(Room *room, const WireEvent *event)
{
	if (room->bus != NULL && room->bus->live)
		early_keep(room->bus, true, 0, event);
}

/* What is known already is dropped; of our own it may have been read from the database, and the others have not heard of it. */
static void
drop_known(Room *room, EarlyEvent *early)
{
	const RingEvent *before = room_event(room, early->event.version - 1);

	if (early->own)
		bus_committed(room, before != NULL ? before->event : 0, &early->event);
	drop(room->bus, early);
}

void
bus_advanced(Room *room)
{
	BusRoom *state = room->bus;

	if (state == NULL)
		return;
	while (!list_empty(&state->early))
	{
		EarlyEvent *early = container_of(state->early.next, EarlyEvent, node);
		uint64_t	previous = room->event;

		if (early->event.version > room->version + 1)
			break;
		if (early->event.version <= room->version)
		{
			drop_known(room, early);
			continue;
		}
		if (early->own && room->doubted)
			break;
		if (early->own || (previous != 0 && early->previous == previous))
		{
			room_append(room, &early->event);
			if (early->own)
				bus_committed(room, previous, &early->event);
		}
		else
		{
			metrics_add(METRIC_BUS_EVENTS_STRANGE, 1);
			listener_check(room->proxy->listener, room);
		}
		drop(state, early);
	}
	if (room->version >= room->target)
		wheel_cancel(&room->proxy->wheel, &state->grace);
}

/* Others' events prove by the id in front of them that they belong to whatever history comes next; ours do not. */
void
bus_reset(Room *room)
{
	List *node;
	List *after;

	if (room->bus == NULL)
		return;
	list_each_safe(node, after, &room->bus->early)
	{
		EarlyEvent *early = container_of(node, EarlyEvent, node);

		if (early->own)
			drop(room->bus, early);
	}
}

void
early_clear(BusRoom *state)
{
	while (!list_empty(&state->early))
		drop(state, container_of(state->early.next, EarlyEvent, node));
}

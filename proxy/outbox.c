/* outbox.c - whose sockets are written in this turn of the loop. */
#include "outbox.h"

#define SLICE 128 /* sockets of crowds in one turn, about half a millisecond */

/*
 * A crowd is through after so many turns at the latest. Its editors get on meanwhile: with more turns they would produce what the others
 * cannot be sent any more.
 */
#define TURNS 4

void
outbox_init(Outbox *outbox, uv_loop_t *loop)
{
	list_init(&outbox->now);
	list_init(&outbox->later);
	outbox->later_count = 0;
	outbox->share = 0;
	uv_idle_init(loop, &outbox->idle);
}

void
outbox_close(Outbox *outbox)
{
	uv_close((uv_handle_t *) &outbox->idle, NULL);
}

void
outbox_entry_init(OutboxEntry *entry)
{
	list_init(&entry->node);
	entry->is_later = false;
}

void
outbox_remove(Outbox *outbox, OutboxEntry *entry)
{
	if (entry->is_later)
		outbox->later_count--;
	entry->is_later = false;
	list_remove(&entry->node);
}

void
outbox_add(Outbox *outbox, OutboxEntry *entry, bool later)
{
	if (!list_empty(&entry->node) && (later || !entry->is_later))
		return;
	outbox_remove(outbox, entry);
	entry->is_later = later;
	if (later)
		outbox->later_count++;
	list_append(later ? &outbox->later : &outbox->now, &entry->node);
}

void
outbox_begin(Outbox *outbox)
{
	size_t part = (outbox->later_count + TURNS - 1) / TURNS;

	outbox->share = part > SLICE ? part : SLICE;
}

OutboxEntry *
outbox_take(Outbox *outbox)
{
	List		*from = !list_empty(&outbox->now) ? &outbox->now : &outbox->later;
	OutboxEntry *entry;

	if (list_empty(from) || (from == &outbox->later && outbox->share == 0))
		return NULL;
	if (from == &outbox->later)
		outbox->share--;
	entry = container_of(from->next, OutboxEntry, node);
	outbox_remove(outbox, entry);
	return entry;
}

static void
on_idle(uv_idle_t *idle)
{
	(void) idle;
}

bool
outbox_end(Outbox *outbox)
{
	if (outbox->later_count > 0)
		uv_idle_start(&outbox->idle, on_idle);
	else
		uv_idle_stop(&outbox->idle);
	return outbox->later_count == 0;
}

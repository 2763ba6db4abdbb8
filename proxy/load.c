/* load.c - who waits for which question to the database. */
#include "load.h"

#include <stdlib.h>

void
load_free(Load *load)
{
	Room *room = load->room;

	list_remove(&load->node);
	list_remove(&load->in_room);
	frame_unref(load->cached);
	free(load);
	room_unhold(room);
}

void
load_forget(OpenRequest *request)
{
	Load *load = request->load;

	list_remove(&request->node);
	if (load->asker == request)
		load->asker = NULL;
	request->client->opening = NULL;
	free(request);
	if (list_empty(&load->requests) && !load->busy)
		load_free(load);
}

Load *
load_create(Loader *loader, Room *room)
{
	Load *load = util_alloc_zero(sizeof(*load));

	load->loader = loader;
	load->room = room;
	load->head = -1;
	list_init(&load->requests);
	list_append(&room->loads, &load->in_room);
	list_append(&loader->waiting, &load->node);
	room_hold(room);
	return load;
}

Load *
load_copy(const Load *load)
{
	Load *copy = load_create(load->loader, load->room);

	copy->has_position = load->has_position;
	copy->last_version = load->last_version;
	copy->last_event = load->last_event;
	copy->pending = load->pending;
	copy->alone = load->alone;
	copy->head = load->head;
	return copy;
}

void
load_requeue(Load *load)
{
	load->busy = false;
	list_remove(&load->node);
	/* behind the others when it has got something: a long history is no reason for them to wait */
	if (load->head < 0)
		list_prepend(&load->loader->waiting, &load->node);
	else
		list_append(&load->loader->waiting, &load->node);
}

void
load_move(OpenRequest *request, Load *load)
{
	list_remove(&request->node);
	if (request->load->asker == request)
		request->load->asker = NULL;
	request->load = load;
	request->late = false;
	list_append(&load->requests, &request->node);
}

void
load_ask_alone(OpenRequest *request)
{
	Load *load = load_copy(request->load);

	load->alone = true;
	load_move(request, load);
	load_requeue(load); /* in front: it has waited already */
}

Load *
load_find(Room *room, const WireMessage *open)
{
	List *node;

	list_each(node, &room->loads)
	{
		Load *load = container_of(node, Load, in_room);

		if (load->alone || load->head >= 0 || load->has_position != open->has_position ||
			load->pending != (open->pending > 0))
			continue;
		if (!load->has_position ||
			(load->last_version == open->last_version && load->last_event == open->last_event))
			return load;
	}
	return NULL;
}

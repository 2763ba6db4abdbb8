/* replica.c - the text of a Yjs document as far as inserting single characters needs it. */
#include "replica.h"

#include <stdlib.h>

#include "lib0.h"

/* Indices into items are stored + 1, so that 0 is "none". */
typedef struct Item
{
	ReplicaId id;
	int32_t	  left, right;
	int32_t	  origin, right_origin;
	int32_t	  seen, conflicting; /* epochs of the last integration that met it so */
	char	  character;
} Item;

typedef struct ReplicaSlot
{
	uint64_t client;
	int32_t *items; /* by clock */
	uint64_t known, capacity;
} ReplicaSlot;

typedef struct Struct
{
	ReplicaId	   id, origin, right_origin;
	bool		   has_origin, has_right_origin, done;
	const uint8_t *text;
	size_t		   size;
} Struct;

#define INFO_ORIGIN 0x80
#define INFO_RIGHT_ORIGIN 0x40
#define KIND_STRING 4

static void *
grow(void *array, size_t size)
{
	void *bigger = realloc(array, size);

	if (bigger == NULL)
		abort();
	return bigger;
}

static ReplicaSlot *
slot_of(Replica *r, uint64_t client)
{
	int i;

	for (i = 0; i < r->slot_count; i++)
		if (r->slots[i].client == client)
			return &r->slots[i];
	r->slots = grow(r->slots, (size_t) (r->slot_count + 1) * sizeof *r->slots);
	r->slots[r->slot_count] = (ReplicaSlot){.client = client};
	return &r->slots[r->slot_count++];
}

static int32_t
find(Replica *r, ReplicaId id)
{
	ReplicaSlot *slot = slot_of(r, id.client);

	return id.clock < slot->known ? slot->items[id.clock] : 0;
}

static Item *
item(const Replica *r, int32_t index)
{
	return &r->items[index - 1];
}

/*
 * Where the new item goes between its two origins: behind `left`, or behind those that others inserted at the same place
 * and that come first. All replicas must decide alike, so this is the rule of Yjs (YATA).
 */
static int32_t
find_left(Replica *r, const Item *new, int32_t left)
{
	int32_t at = left != 0 ? item(r, left)->right : r->first;
	int32_t clear = ++r->epoch;

	for (r->epoch++; at != 0 && at != new->right_origin; at = item(r, at)->right)
	{
		Item *other = item(r, at);

		other->seen = clear;
		other->conflicting = r->epoch;
		if (other->origin == new->origin)
		{
			if (other->id.client < new->id.client)
			{
				left = at;
				r->epoch++;
			}
			else if (other->right_origin == new->right_origin)
				break;
		}
		else if (other->origin != 0 && item(r, other->origin)->seen == clear)
		{
			if (item(r, other->origin)->conflicting != r->epoch)
			{
				left = at;
				r->epoch++;
			}
		}
		else
			break;
	}
	return left;
}

static int32_t
integrate(Replica *r, Item new)
{
	int32_t index, left;

	left = find_left(r, &new, new.origin);
	if (r->count == r->capacity)
	{
		r->capacity = r->capacity * 2 + 1024;
		r->items = grow(r->items, (size_t) r->capacity * sizeof *r->items);
	}
	index = r->count + 1;
	new.left = left;
	new.right = left != 0 ? item(r, left)->right : r->first;
	if (left != 0)
		item(r, left)->right = index;
	else
		r->first = index;
	if (new.right != 0)
		item(r, new.right)->left = index;
	r->items[r->count++] = new;
	return index;
}

static void
append_to_slot(ReplicaSlot *slot, int32_t index)
{
	if (slot->known == slot->capacity)
	{
		slot->capacity = slot->capacity * 2 + 256;
		slot->items = grow(slot->items, slot->capacity * sizeof *slot->items);
	}
	slot->items[slot->known++] = index;
}

/* False: what it refers to has not come yet. */
static bool
apply_struct(Replica *r, const Struct *s)
{
	uint64_t known = slot_of(r, s->id.client)->known;
	Item new;
	size_t i;

	if (s->id.clock + s->size <= known)
		return true;
	if (s->id.clock > known)
		return false;
	memset(&new, 0, sizeof new);
	new.origin = s->has_origin ? find(r, s->origin) : 0;
	new.right_origin = s->has_right_origin ? find(r, s->right_origin) : 0;
	if ((s->has_origin && new.origin == 0) || (s->has_right_origin && new.right_origin == 0))
		return false;
	for (i = 0; i < s->size; i++)
	{
		if (i > 0)
			new.origin = find(r, (ReplicaId){s->id.client, s->id.clock + i - 1});
		if (s->id.clock + i < known)
			continue;
		new.id = (ReplicaId){s->id.client, s->id.clock + i};
		new.character = (char) s->text[i];
		append_to_slot(slot_of(r, s->id.client), integrate(r, new));
	}
	return true;
}

static bool
read_struct(Lib0Reader *in, Struct *s)
{
	uint8_t info = in->at < in->end ? *in->at++ : 0;
	size_t	name_size;

	if ((info & 0x1f) != KIND_STRING)
		return false;
	s->done = false;
	s->has_origin = (info & INFO_ORIGIN) != 0;
	s->has_right_origin = (info & INFO_RIGHT_ORIGIN) != 0;
	if (s->has_origin)
	{
		s->origin.client = lib0_read(in);
		s->origin.clock = lib0_read(in);
	}
	if (s->has_right_origin)
	{
		s->right_origin.client = lib0_read(in);
		s->right_origin.clock = lib0_read(in);
	}
	if (!s->has_origin && !s->has_right_origin && lib0_read(in) == 1)
		lib0_read_bytes(in, &name_size); /* the root's name: a document has only one here */
	s->text = lib0_read_bytes(in, &s->size);
	return !in->broken;
}

/* Reads all structs; returns their number, or -1. */
static int
read_structs(Lib0Reader *in, Struct **out)
{
	uint64_t clients = lib0_read(in);
	Struct	*list = NULL;
	int		 count = 0;

	while (clients-- > 0)
	{
		uint64_t  structs = lib0_read(in);
		ReplicaId id;

		id.client = lib0_read(in);
		id.clock = lib0_read(in);
		while (structs-- > 0)
		{
			list = grow(list, (size_t) (count + 1) * sizeof *list);
			if (!read_struct(in, &list[count]))
			{
				free(list);
				return -1;
			}
			list[count].id = id;
			id.clock += list[count++].size;
		}
	}
	*out = list;
	return in->broken ? -1 : count;
}

bool
replica_apply(Replica *r, const uint8_t *update, size_t size, ReplicaTold told, void *user)
{
	Lib0Reader in = {update, update + size, false};
	Struct	  *list = NULL;
	int		   count = read_structs(&in, &list);
	int		   left = count;
	int		   before, i;
	size_t	   k;

	if (count < 0)
		return false;
	/* a merged update may name what comes later in it: go round until nothing moves */
	do
	{
		before = left;
		for (i = 0; i < count; i++)
			if (!list[i].done && apply_struct(r, &list[i]))
			{
				list[i].done = true;
				left--;
			}
	} while (left > 0 && left < before);
	for (i = 0; i < count; i++)
		for (k = 0; k < list[i].size; k++)
			told(user, list[i].id.client, list[i].id.clock + k);
	free(list);
	return left <= 0;
}

static uint8_t *
write_id(uint8_t *at, ReplicaId id)
{
	return lib0_write(lib0_write(at, id.client), id.clock);
}

size_t
replica_insert(const Replica *r, uint64_t pick, ReplicaId id, char character, uint8_t *out)
{
	const Item *left;
	uint8_t	   *at = out;

	if (r->count == 0)
		return 0;
	left = &r->items[pick % (uint64_t) r->count];
	*at++ = 1; /* one client with */
	*at++ = 1; /* one struct */
	at = write_id(at, id);
	*at++ = (uint8_t) (KIND_STRING | INFO_ORIGIN | (left->right != 0 ? INFO_RIGHT_ORIGIN : 0));
	at = write_id(at, left->id);
	if (left->right != 0)
		at = write_id(at, item(r, left->right)->id);
	at = lib0_write_bytes(at, &character, 1);
	*at++ = 0; /* nothing deleted */
	return (size_t) (at - out);
}

void
replica_print(const Replica *r, FILE *file)
{
	int32_t at;

	for (at = r->first; at != 0; at = item(r, at)->right)
		fputc(item(r, at)->character, file);
}

/* random_events.c - editors who type, and rows that nobody would write. */
#include "random_events.h"

#include <stdlib.h>
#include <string.h>

#include "edits.h"

#define EDITORS 20

typedef struct Editor
{
	int64_t author;
	int64_t site;
	int64_t clock;
	int64_t cursor;
} Editor;

static void *
must_alloc(Arena *arena, size_t size)
{
	void *memory = arena_alloc(arena, size);

	if (memory == NULL)
		abort();
	return memory;
}

static int64_t
any_number(Random *random)
{
	uint64_t bits = (uint64_t) random_below(random, UINT32_MAX) << 32 | random_below(random, UINT32_MAX);
	int64_t	 value;

	bits >>= random_below(random, 64);
	if (random_chance(random, 30))
		bits = ~bits;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* A keystroke where the editor's cursor is; now and then it jumps. */
static Delta
keystroke(Random *random, Arena *arena, Editor *editor, int64_t length)
{
	static const char *const characters[] = {"a", "e", " ", "\n", "\xc3\xa4", "\xe2\x82\xac", "x", "n"};
	Delta					 change;
	DeltaOp					*op;

	if (random_chance(random, 10) || editor->cursor > length)
		editor->cursor = random_below(random, (uint32_t) length + 1);
	change.ops = must_alloc(arena, 2 * sizeof(DeltaOp));
	change.count = 0;
	memset(change.ops, 0, 2 * sizeof(DeltaOp));
	op = change.ops;
	if (editor->cursor > 0 && random_chance(random, 25))
	{
		editor->cursor--;
		op[editor->cursor > 0].kind = DELTA_DELETE;
		op[editor->cursor > 0].units = 1;
	}
	else
	{
		DeltaOp *insert = &op[editor->cursor > 0];

		insert->kind = DELTA_INSERT;
		insert->data = characters[random_below(random, 8)];
		insert->bytes = (uint32_t) strlen(insert->data);
		insert->units = 1;
		insert->ascii = insert->bytes == 1;
	}
	if (editor->cursor > 0)
	{
		op->kind = DELTA_RETAIN;
		op->units = editor->cursor;
		change.count++;
	}
	change.count++;
	if (op[change.count - 1].kind == DELTA_INSERT)
		editor->cursor++;
	return change;
}

static void
set_op(Arena *arena, CollabEvent *event, const Delta *change)
{
	Buf buf;

	buf_init(&buf, collab_malloc_alloc);
	delta_encode(change, &buf);
	event->op_bytes = (uint32_t) buf.size;
	event->op = memcpy(must_alloc(arena, buf.size), buf.data, buf.size);
	buf_free(&buf);
}

static void
make_strange(Random *random, Arena *arena, CollabEvent *event)
{
	uint8_t *op;

	switch (random_below(random, 9))
	{
		case 0:
			event->site = any_number(random);
			break;
		case 1:
			event->clock = any_number(random);
			break;
		case 2:
			event->base_version = any_number(random);
			break;
		case 3:
			event->author = any_number(random);
			break;
		case 4:
			event->length = any_number(random);
			break;
		case 5:
			event->created_at = any_number(random);
			break;
		case 6:
			event->astral = !event->astral;
			break;
		case 7:
			event->op_bytes = random_below(random, event->op_bytes + 1);
			break;
		default:
			op = memcpy(must_alloc(arena, event->op_bytes), event->op, event->op_bytes);
			if (event->op_bytes > 0)
				op[random_below(random, event->op_bytes)] ^= (uint8_t) (1 + random_below(random, 255));
			event->op = op;
	}
}

CollabEvent *
random_events(Random *random, Arena *arena, uint32_t count, bool strange)
{
	CollabEvent *events = must_alloc(arena, count * sizeof(CollabEvent));
	Editor		 editors[EDITORS];
	uint32_t	 editor_count = random_chance(random, 50) ? 1 : 1 + random_below(random, EDITORS);
	uint32_t	 who = 0;
	uint32_t	 unit = random_chance(random, 70) ? 1000 : 1;
	int64_t		 doc = any_number(random);
	int64_t		 first = 1 + (random_chance(random, 50) ? 0 : random_below(random, 1000000));
	int64_t		 time = any_number(random) / 2 / 1000 * 1000;
	int64_t		 length = 0;
	bool		 astral = false;
	bool		 in_lists = random_chance(random, 30);
	uint32_t	 i;

	for (i = 0; i < editor_count; i++)
	{
		editors[i].author = any_number(random);
		editors[i].site = any_number(random) & INT64_C(0x1fffffffffffff);
		editors[i].clock = 1 + random_below(random, 1000);
		editors[i].cursor = 0;
	}
	memset(events, 0, count * sizeof(CollabEvent));
	for (i = 0; i < count; i++)
	{
		CollabEvent *event = &events[i];
		Delta		 change;

		if (random_chance(random, 20))
			who = random_below(random, editor_count);
		change = random_chance(random, 90) ? keystroke(random, arena, &editors[who], length)
										   : random_loose_change(random, arena, &random_rich);
		if (!in_lists || i % 50 == 0)
			time += (int64_t) random_below(random, 500) * unit;
		length += delta_length_change(&change);
		if (length < 0)
			length = 0;
		astral |= delta_has_pairs(&change);
		event->doc = doc;
		event->version = first + i;
		event->site = editors[who].site;
		event->clock = editors[who].clock++;
		event->base_version =
			in_lists ? first - 1 + i / 50 * 50 : event->version - 1 - random_below(random, 3);
		event->author = editors[who].author;
		event->length = length;
		event->created_at = time;
		event->astral = astral;
		set_op(arena, event, &change);
		if (strange && random_chance(random, 10))
			make_strange(random, arena, event);
	}
	return events;
}

bool
same_event(const CollabEvent *a, const CollabEvent *b)
{
	return a->doc == b->doc && a->version == b->version && a->site == b->site && a->clock == b->clock &&
		   a->base_version == b->base_version && a->author == b->author && a->length == b->length &&
		   a->created_at == b->created_at && a->astral == b->astral && a->op_bytes == b->op_bytes &&
		   (a->op_bytes == 0 || memcmp(a->op, b->op, a->op_bytes) == 0);
}

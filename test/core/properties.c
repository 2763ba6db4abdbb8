/* properties.c - the laws of the algebra, each as one function over one random case. */
#include "properties.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/rebase.h"
#include "../../core/replay.h"

#define MAX_EVENTS 8
#define MAX_PIECES 4

/* A result of the engine on input that it has to accept, or the return of the property with the reason. */
#define TRY(call)                                                                                            \
	do                                                                                                       \
	{                                                                                                        \
		CollabError	 error_ = {COLLAB_OK, -1, ""};                                                           \
		CollabStatus status_ = (call);                                                                       \
		if (status_ != COLLAB_OK)                                                                            \
			return fail(arena, "%s: %s: %s", #call, collab_status_name(status_), error_.message);            \
	} while (0)
#define ERR (&error_)

#define CANONICAL(delta)                                                                                     \
	do                                                                                                       \
	{                                                                                                        \
		const char *fault_ = canonical_fault(&(delta));                                                      \
		if (fault_ != NULL)                                                                                  \
			return fail(arena, "%s: %s: %s", #delta, fault_, show(arena, &(delta)));                         \
	} while (0)

#define EQUAL(a, b)                                                                                          \
	do                                                                                                       \
	{                                                                                                        \
		if (!same(&(a), &(b)))                                                                               \
			return fail(arena, "%s is %s\n  but %s is %s", #a, show(arena, &(a)), #b, show(arena, &(b)));    \
	} while (0)

static const char *fail(Arena *arena, const char *fmt, ...) COLLAB_PRINTF(2, 3);

static const char *
fail(Arena *arena, const char *fmt, ...)
{
	va_list args;
	int		size;
	char   *message;

	va_start(args, fmt);
	size = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	message = arena_alloc(arena, (size_t) size + 1);
	if (message == NULL)
		return "failed (and out of memory)";
	va_start(args, fmt);
	vsnprintf(message, (size_t) size + 1, fmt, args);
	va_end(args);
	return message;
}

/* Prefixes a failure with the values that led to it. */
static const char *
context(Arena *arena, const char *fault, const char *names, const Delta *a, const Delta *b, const Delta *c)
{
	if (fault == NULL)
		return NULL;
	return fail(arena, "%s\n  of (%s)\n  %s\n  %s\n  %s", fault, names, show(arena, a),
				b != NULL ? show(arena, b) : "", c != NULL ? show(arena, c) : "");
}

/* Equality judged twice: by the engine and by the printed text, which are unequal exactly together. */
static bool
same(const Delta *a, const Delta *b)
{
	Buf	 texts[2];
	bool equal;

	buf_init(&texts[0], collab_malloc_alloc);
	buf_init(&texts[1], collab_malloc_alloc);
	delta_print(a, &texts[0]);
	delta_print(b, &texts[1]);
	equal = texts[0].size == texts[1].size && memcmp(texts[0].data, texts[1].data, texts[0].size) == 0;
	buf_free(&texts[0]);
	buf_free(&texts[1]);
	return delta_equal(a, b) && delta_equal(b, a) && equal;
}

static bool
is_insert(const DeltaOp *op)
{
	return op->kind == DELTA_INSERT || op->kind == DELTA_INSERT_EMBED;
}

/* doc o a o transform(a, b, true) = doc o b o transform(b, a, false) */
static const char *
tp1(Arena *arena, const Delta *doc, const Delta *a, const Delta *b)
{
	Delta da, db, b2, a2, left, right;

	TRY(delta_compose(arena, doc, a, &da, ERR));
	TRY(delta_compose(arena, doc, b, &db, ERR));
	TRY(delta_transform(arena, a, b, true, &b2, ERR));
	TRY(delta_transform(arena, b, a, false, &a2, ERR));
	CANONICAL(da);
	CANONICAL(b2);
	CANONICAL(a2);
	TRY(delta_compose(arena, &da, &b2, &left, ERR));
	TRY(delta_compose(arena, &db, &a2, &right, ERR));
	CANONICAL(left);
	EQUAL(left, right);
	if (delta_length(&left) != delta_length(doc) + delta_length_change(a) + delta_length_change(&b2))
		return fail(arena, "delta_length_change is wrong");
	return NULL;
}

static const char *
property_tp1(Random *random, Arena *arena, const RandomProfile *profile)
{
	Delta doc = random_document(random, arena, profile);
	Delta a = random_change(random, arena, profile, &doc);
	Delta b = random_change(random, arena, profile, &doc);

	return context(arena, tp1(arena, &doc, &a, &b), "doc, a, b", &doc, &a, &b);
}

/* What is between `{"delta":` and `}`. */
static Delta
embed_change_of(Arena *arena, const DeltaOp *op)
{
	return must_parse(arena, op->data + 9, op->bytes - 10);
}

/*
 * quill-delta keeps the nulls of b's attributes (which remove) over a retain of a, but drops them over a change
 * of an embed. The engine does the same, and there the compose law does not hold, nor inside of embeds that both change.
 */
static bool
compose_drops_nulls(Arena *arena, const Delta *a, const Delta *b)
{
	bool	 embed_change = false;
	bool	 attributes = false;
	uint32_t i, j;

	for (i = 0; i < a->count; i++)
		embed_change = embed_change || a->ops[i].kind == DELTA_RETAIN_EMBED;
	for (i = 0; i < b->count; i++)
		attributes = attributes || (b->ops[i].attrs.bytes > 0 && !is_insert(&b->ops[i]));
	if (embed_change && attributes)
		return true;
	for (i = 0; i < a->count; i++)
		for (j = 0; j < b->count; j++)
		{
			Delta inner_a, inner_b;

			if (a->ops[i].kind != DELTA_RETAIN_EMBED || b->ops[j].kind != DELTA_RETAIN_EMBED)
				continue;
			inner_a = embed_change_of(arena, &a->ops[i]);
			inner_b = embed_change_of(arena, &b->ops[j]);
			if (compose_drops_nulls(arena, &inner_a, &inner_b))
				return true;
		}
	return false;
}

/* (doc o a) o b = doc o (a o b) */
static const char *
compose_law(Arena *arena, const Delta *doc, const Delta *a, const Delta *b)
{
	Delta da, ab, left, right;

	if (compose_drops_nulls(arena, a, b))
		return NULL;
	TRY(delta_compose(arena, doc, a, &da, ERR));
	TRY(delta_compose_changes(arena, a, b, &ab, ERR));
	CANONICAL(ab);
	TRY(delta_compose(arena, &da, b, &left, ERR));
	TRY(delta_compose(arena, doc, &ab, &right, ERR));
	EQUAL(left, right);
	return NULL;
}

static const char *
property_compose(Random *random, Arena *arena, const RandomProfile *profile)
{
	Delta doc = random_document(random, arena, profile);
	Delta a = random_change(random, arena, profile, &doc);
	Delta da, b;

	TRY(delta_compose(arena, &doc, &a, &da, ERR));
	b = random_change(random, arena, profile, &da);
	return context(arena, compose_law(arena, &doc, &a, &b), "doc, a, b", &doc, &a, &b);
}

/* doc o a o invert(a, doc) = doc */
static const char *
invert_law(Arena *arena, const Delta *doc, const Delta *a)
{
	Delta da, inverse, back;

	TRY(delta_compose(arena, doc, a, &da, ERR));
	TRY(delta_invert(arena, a, doc, &inverse, ERR));
	CANONICAL(inverse);
	TRY(delta_compose(arena, &da, &inverse, &back, ERR));
	EQUAL(back, *doc);
	return NULL;
}

static const char *
property_invert(Random *random, Arena *arena, const RandomProfile *profile)
{
	Delta doc = random_document(random, arena, profile);
	Delta a = random_change(random, arena, profile, &doc);

	return context(arena, invert_law(arena, &doc, &a), "doc, a", &doc, &a, NULL);
}

/* doc o tighten(a, doc) = doc o a; tightening again finds nothing; a change and its inverse tighten to nothing */
static const char *
tighten_law(Arena *arena, const Delta *doc, const Delta *a)
{
	Delta tight, after, expected, again, inverse, both, nothing;

	TRY(delta_tighten(arena, a, doc, &tight, ERR));
	CANONICAL(tight);
	TRY(delta_compose(arena, doc, a, &expected, ERR));
	TRY(delta_compose(arena, doc, &tight, &after, ERR));
	EQUAL(after, expected);
	TRY(delta_tighten(arena, &tight, doc, &again, ERR));
	EQUAL(again, tight);
	TRY(delta_invert(arena, a, doc, &inverse, ERR));
	if (compose_drops_nulls(arena, a, &inverse))
		return NULL;
	TRY(delta_compose_changes(arena, a, &inverse, &both, ERR));
	TRY(delta_tighten(arena, &both, doc, &nothing, ERR));
	if (nothing.count != 0)
		return fail(arena, "a change and its inverse tighten to %s", show(arena, &nothing));
	return NULL;
}

static const char *
property_tighten(Random *random, Arena *arena, const RandomProfile *profile)
{
	Delta doc = random_document(random, arena, profile);
	Delta a = random_change(random, arena, profile, &doc);
	Delta da, b;

	/* a composed change has more to lose than one that was just made */
	if (random_chance(random, 50))
	{
		TRY(delta_compose(arena, &doc, &a, &da, ERR));
		b = random_change(random, arena, profile, &da);
		if (compose_drops_nulls(arena, &a, &b))
			return NULL;
		TRY(delta_compose_changes(arena, &a, &b, &a, ERR));
	}
	return context(arena, tighten_law(arena, &doc, &a), "doc, a", &doc, &a, NULL);
}

/* a o diff(a, b) = b */
static const char *
diff_law(Arena *arena, const Delta *a, const Delta *b)
{
	Delta diff, result, self;

	TRY(delta_diff(arena, a, b, &diff, ERR));
	CANONICAL(diff);
	TRY(delta_compose(arena, a, &diff, &result, ERR));
	EQUAL(result, *b);
	TRY(delta_diff(arena, a, a, &self, ERR));
	if (self.count != 0)
		return fail(arena, "the diff of a document to itself is not empty");
	return NULL;
}

static const char *
property_diff(Random *random, Arena *arena, const RandomProfile *profile)
{
	Delta a = random_document(random, arena, profile);
	Delta b;

	if (random_chance(random, 50))
		b = random_document(random, arena, profile);
	else
	{
		Delta change = random_change(random, arena, profile, &a);

		TRY(delta_compose(arena, &a, &change, &b, ERR));
	}
	return context(arena, diff_law(arena, &a, &b), "a, b", &a, &b, NULL);
}

/* What a Replay holds, in each of the forms that it can be asked for, against the Delta that it should hold. */
static const char *
replay_holds(Arena *arena, const Replay *replay, const Delta *expected)
{
	Delta	 held;
	Buf		 bytes[2];
	size_t	 least = 0;
	int64_t	 length;
	bool	 equal;
	uint32_t i;

	if (!replay_valid(replay))
		return fail(arena, "replay_valid is false");
	length = delta_length(expected);
	for (i = 0; i < expected->count; i++)
		length -= expected->ops[i].kind == DELTA_DELETE ? expected->ops[i].units : 0;
	if (replay_length(replay) != length)
		return fail(arena, "replay_length is %lld, not %lld", (long long) replay_length(replay),
					(long long) length);
	for (i = 0; i < expected->count; i++)
		least += expected->ops[i].bytes + expected->ops[i].attrs.bytes;
	if (replay_bytes(replay) != least)
		return fail(arena, "replay_bytes is %zu, not %zu", replay_bytes(replay), least);
	TRY(replay_delta(replay, arena, &held));
	CANONICAL(held);
	EQUAL(held, *expected);
	buf_init(&bytes[0], collab_malloc_alloc);
	buf_init(&bytes[1], collab_malloc_alloc);
	replay_encode(replay, &bytes[0]);
	delta_encode(expected, &bytes[1]);
	equal = bytes[0].size == bytes[1].size && memcmp(bytes[0].data, bytes[1].data, bytes[0].size) == 0;
	buf_clear(&bytes[0]);
	buf_clear(&bytes[1]);
	replay_text(replay, "<>", &bytes[0]);
	delta_text(expected, "<>", &bytes[1]);
	equal = equal && bytes[0].size == bytes[1].size &&
			(bytes[0].size == 0 || memcmp(bytes[0].data, bytes[1].data, bytes[0].size) == 0);
	buf_free(&bytes[0]);
	buf_free(&bytes[1]);
	return equal ? NULL : fail(arena, "replay_encode or replay_text differs from delta_encode or delta_text");
}

/* Any part of a document, out of the middle of the replay. */
static const char *
replay_holds_slices(Random *random, Arena *arena, const Replay *replay, const Delta *expected)
{
	int64_t	 length = delta_length(expected);
	uint32_t i;

	for (i = 0; i < 4; i++)
	{
		int64_t		 from = random_below(random, (uint32_t) length + 2);
		int64_t		 to = from + 1 + random_below(random, (uint32_t) length + 1);
		Delta		 got, wanted;
		CollabStatus status = delta_slice(arena, expected, from, to, &wanted, NULL);

		if (replay_slice(replay, from, to, arena, &got) != status)
			return fail(arena, "replay_slice from %d to %d differs in status", (int) from, (int) to);
		if (status != COLLAB_OK)
			continue;
		CANONICAL(got);
		EQUAL(got, wanted);
	}
	return NULL;
}

static const char *
replay_fold(Random *random, Arena *arena, const RandomProfile *profile, Replay *replay, Replay *changes)
{
	Delta		doc = random_document(random, arena, profile);
	Delta		fold = {NULL, 0};
	uint32_t	count = random_below(random, random_chance(random, 5) ? 60 : MAX_EVENTS) + 1;
	uint32_t	i;
	const char *fault;

	TRY(replay_apply(replay, &doc, ERR));
	for (i = 0; i < count; i++)
	{
		Delta		 change = random_change(random, arena, profile, &doc);
		Delta		 wild = random_loose_change(random, arena, profile);
		Delta		 next;
		CollabError	 error = {COLLAB_OK, -1, ""};
		CollabStatus checked, composed;

		/*
		 * A change that does not fit is refused alike by check, apply and compose, and leaves everything as it was. To
		 * compose an empty Delta is a change; to a Replay of a document it is the empty document.
		 */
		composed = doc.count == 0 && delta_base_length(&wild) > 0
					   ? COLLAB_RANGE
					   : delta_compose(arena, &doc, &wild, &next, NULL);
		checked = replay_check(replay, &wild, &error);
		/* (Not with the same status: where a change has two faults, either may be found first.) */
		if ((checked == COLLAB_OK) != (composed == COLLAB_OK))
			return fail(arena, "replay_check says %s, compose %s of %s on %s", collab_status_name(checked),
						collab_status_name(composed), show(arena, &wild), show(arena, &doc));
		if (composed != COLLAB_OK && replay_apply(replay, &wild, &error) != checked)
			return fail(arena, "replay_apply does not refuse what replay_check refuses");
		fault = replay_holds(arena, replay, &doc);
		if (fault != NULL)
			return context(arena, fault, "content before, refused change", &doc, &wild, NULL);

		TRY(delta_compose(arena, &doc, &change, &next, ERR));
		TRY(replay_check(replay, &change, ERR));
		TRY(replay_apply(replay, &change, ERR));
		fault = replay_holds(arena, replay, &next);
		if (fault == NULL)
			fault = replay_holds_slices(random, arena, replay, &next);
		if (fault != NULL)
			return context(arena, fault, "content before, change", &doc, &change, NULL);

		/* The same changes composed with each other instead of onto the document. */
		TRY(replay_apply(changes, &change, ERR));
		TRY(delta_compose_changes(arena, &fold, &change, &fold, ERR));
		fault = replay_holds(arena, changes, &fold);
		if (fault != NULL)
			return context(arena, fault, "fold, change", &fold, &change, NULL);
		doc = next;
	}
	return NULL;
}

static const char *
property_replay(Random *random, Arena *arena, const RandomProfile *profile)
{
	Replay	   *replay = NULL;
	Replay	   *changes = NULL;
	const char *fault = "replay_create fails";

	if (replay_create(collab_malloc_alloc, true, &replay) == COLLAB_OK &&
		replay_create(collab_malloc_alloc, false, &changes) == COLLAB_OK)
		fault = replay_fold(random, arena, profile, replay, changes);
	if (replay != NULL)
		replay_free(replay);
	if (changes != NULL)
		replay_free(changes);
	return fault;
}

/* One square, step by step: the event through the pieces in order. */
static const char *
carry(Arena *arena, Delta *pieces, uint32_t count, const Delta *event, bool event_first, Delta *carried)
{
	uint32_t i;

	*carried = *event;
	for (i = 0; i < count; i++)
	{
		Delta piece, through;

		TRY(delta_transform(arena, carried, &pieces[i], event_first, &piece, ERR));
		TRY(delta_transform(arena, &pieces[i], carried, !event_first, &through, ERR));
		pieces[i] = piece;
		*carried = through;
	}
	return NULL;
}

static const char *
rebase_holds(Arena *arena, const Rebase *rebase, const Delta *pieces, uint32_t count)
{
	uint32_t i;

	if (!rebase_valid(rebase))
		return fail(arena, "rebase_valid is false");
	if (rebase_count(rebase) != count)
		return fail(arena, "rebase_count is %u, not %u", rebase_count(rebase), count);
	for (i = 0; i < count; i++)
	{
		Delta piece;

		TRY(rebase_piece(rebase, i, arena, &piece));
		CANONICAL(piece);
		EQUAL(piece, pieces[i]);
	}
	return NULL;
}

static const char *
rebase_events(Random *random, Arena *arena, const RandomProfile *profile, Rebase *rebase, Delta *pieces,
			  uint32_t count, const Delta *doc)
{
	Delta		head = *doc; /* what the events lead to */
	Delta		client;		 /* what the pieces lead to */
	uint32_t	events = random_below(random, random_chance(random, 5) ? 40 : MAX_EVENTS) + 1;
	uint32_t	i;
	const char *fault = rebase_holds(arena, rebase, pieces, count);

	if (fault != NULL)
		return fault;
	client = *doc;
	for (i = 0; i < count; i++)
		TRY(delta_compose(arena, &client, &pieces[i], &client, ERR));
	for (i = 0; i < events && count > 0; i++)
	{
		Delta		event = random_change(random, arena, profile, &head);
		bool		event_first = random_chance(random, 50);
		Delta		expected, carried;
		const Delta before = pieces[0];

		fault = carry(arena, pieces, count, &event, event_first, &expected);
		if (fault != NULL)
			return fault;
		if (random_chance(random, 70))
		{
			TRY(rebase_event(rebase, arena, &event, event_first, &carried, ERR));
			CANONICAL(carried);
			EQUAL(carried, expected);
		}
		else
			TRY(rebase_event(rebase, arena, &event, event_first, NULL, ERR));
		fault = rebase_holds(arena, rebase, pieces, count);
		if (fault != NULL)
			return context(arena, fault, "content, event, first piece", &head, &event, &before);
		TRY(delta_compose(arena, &head, &event, &head, ERR));
		TRY(delta_compose(arena, &client, &expected, &client, ERR));

		if (random_chance(random, 10))
		{
			/* The first piece is met in the history: the head moves over it, the others stand on what follows. */
			TRY(delta_compose(arena, &head, &pieces[0], &head, ERR));
			rebase_pop(rebase);
			memmove(pieces, pieces + 1, (count - 1) * sizeof(Delta));
			count--;
		}
		else if (random_chance(random, 5))
		{
			count = random_below(random, count + 1);
			rebase_truncate(rebase, count);
			client = head;
			for (uint32_t j = 0; j < count; j++)
				TRY(delta_compose(arena, &client, &pieces[j], &client, ERR));
		}
		fault = rebase_holds(arena, rebase, pieces, count);
		if (fault != NULL)
			return fail(arena, "after rebase_pop or rebase_truncate: %s", fault);
	}
	/* Convergence: the server's side (events, then rebased pieces) ends where the client's (pieces, then carried events) did. */
	for (i = 0; i < count; i++)
		TRY(delta_compose(arena, &head, &pieces[i], &head, ERR));
	EQUAL(head, client);
	return NULL;
}

/* The pieces in their editable form over n events = n single transforms of each piece. */
static const char *
property_rebase(Random *random, Arena *arena, const RandomProfile *profile)
{
	Delta		doc = random_document(random, arena, profile);
	Delta		at = doc;
	Delta		pieces[MAX_PIECES];
	uint32_t	count = random_chance(random, 50) ? 1 : 1 + random_below(random, MAX_PIECES);
	uint32_t	i;
	Rebase	   *rebase = NULL;
	const char *fault;

	for (i = 0; i < count; i++)
	{
		pieces[i] = random_change(random, arena, profile, &at);
		TRY(delta_compose(arena, &at, &pieces[i], &at, ERR));
	}
	TRY(rebase_create(collab_malloc_alloc, pieces, count, &rebase));
	fault = rebase_events(random, arena, profile, rebase, pieces, count, &doc);
	rebase_free(rebase);
	return fault;
}

static Delta
random_any(Random *random, Arena *arena, const RandomProfile *profile)
{
	Delta doc = random_document(random, arena, profile);

	switch (random_below(random, 3))
	{
		case 0:
			return doc;
		case 1:
			return random_change(random, arena, profile, &doc);
		default:
			return random_loose_change(random, arena, profile);
	}
}

/* parse(print(x)) = x, and printing again gives the same text. */
static const char *
property_json(Random *random, Arena *arena, const RandomProfile *profile)
{
	Delta		a = random_any(random, arena, profile);
	Delta		b;
	const char *text = show(arena, &a);

	CANONICAL(a);
	TRY(delta_parse(arena, text, strlen(text), &delta_limits_none, &b, ERR));
	EQUAL(a, b);
	TRY(delta_parse(arena, text, strlen(text), &delta_limits_default, &b, ERR));
	EQUAL(a, b);
	return NULL;
}

/* The binary form in memory of exactly its size, so that a decoder that reads one byte too far is caught. */
static uint8_t *
encoded(const Delta *delta, size_t *size)
{
	uint8_t *copy = NULL;
	Buf		 bytes;

	buf_init(&bytes, collab_malloc_alloc);
	delta_encode(delta, &bytes);
	if (!bytes.failed)
		copy = malloc(bytes.size);
	if (copy != NULL)
		memcpy(copy, bytes.data, bytes.size);
	*size = bytes.size;
	buf_free(&bytes);
	return copy;
}

static const char *
binary_law(Arena *arena, const Delta *a, const uint8_t *bytes, size_t size)
{
	Delta	 b;
	uint8_t *again;
	size_t	 again_size;
	bool	 equal;

	TRY(delta_decode(arena, bytes, size, &b, ERR));
	CANONICAL(b);
	EQUAL(*a, b);
	again = encoded(&b, &again_size);
	equal = again != NULL && again_size == size && memcmp(again, bytes, size) == 0;
	free(again);
	return equal ? NULL : fail(arena, "encoding what was decoded gives other bytes");
}

/* decode(encode(x)) = x with the same bytes; a part of the bytes never passes for the whole. */
static const char *
property_binary(Random *random, Arena *arena, const RandomProfile *profile)
{
	Delta		a = random_any(random, arena, profile);
	Delta		b;
	size_t		size;
	uint8_t	   *bytes = encoded(&a, &size);
	const char *fault;

	if (bytes == NULL)
		return "out of memory";
	fault = binary_law(arena, &a, bytes, size);
	if (fault == NULL && size > 0)
	{
		size_t	 cut = random_below(random, (uint32_t) size);
		uint8_t *part = malloc(cut > 0 ? cut : 1);

		memcpy(part, bytes, cut);
		if (delta_decode(arena, part, cut, &b, NULL) == COLLAB_OK && delta_equal(&a, &b))
			fault = fail(arena, "%zu of %zu bytes decode to the whole", cut, size);
		free(part);
	}
	free(bytes);
	return context(arena, fault, "delta", &a, NULL, NULL);
}

/* transform_position(d, i) is where transform carries a marker that is inserted at i. */
static const char *
position_law(Arena *arena, const Delta *change, int64_t index, bool priority)
{
	char	 text[64];
	Delta	 marker, carried;
	int64_t	 at = 0;
	int64_t	 expected = delta_transform_position(change, index, priority);
	uint32_t i;

	if (index > 0)
		snprintf(text, sizeof(text), "[{\"retain\":%lld},{\"insert\":\"|\"}]", (long long) index);
	else
		snprintf(text, sizeof(text), "[{\"insert\":\"|\"}]");
	marker = must_parse(arena, text, strlen(text));
	TRY(delta_transform(arena, change, &marker, !priority, &carried, ERR));
	for (i = 0; i < carried.count && carried.ops[i].kind == DELTA_RETAIN; i++)
		at += carried.ops[i].units;
	if (i + 1 != carried.count || carried.ops[i].kind != DELTA_INSERT)
		return fail(arena, "the marker became %s", show(arena, &carried));
	if (at != expected)
		return fail(arena, "position %lld, priority %d: %lld, but the marker is at %lld", (long long) index,
					priority, (long long) expected, (long long) at);
	return NULL;
}

static const char *
property_position(Random *random, Arena *arena, const RandomProfile *profile)
{
	Delta	doc = random_document(random, arena, profile);
	Delta	change = random_change(random, arena, profile, &doc);
	int64_t index = random_position(random, &doc);
	bool	priority = random_chance(random, 50);

	return context(arena, position_law(arena, &change, index, priority), "change", &change, NULL, NULL);
}

/* slice(0, k) followed by slice(k, end) is the whole; a slice's length is what was asked for. */
static const char *
property_slice(Random *random, Arena *arena, const RandomProfile *profile)
{
	Delta	doc = random_document(random, arena, profile);
	int64_t length = delta_length(&doc);
	int64_t from = random_position(random, &doc);
	int64_t to = random_position(random, &doc);
	Delta	head, middle, tail, all;
	Buf		buf;

	if (from > to)
	{
		int64_t swap = from;

		from = to;
		to = swap;
	}
	TRY(delta_slice(arena, &doc, 0, from, &head, ERR));
	TRY(delta_slice(arena, &doc, from, to, &middle, ERR));
	TRY(delta_slice(arena, &doc, to, -1, &tail, ERR));
	CANONICAL(head);
	CANONICAL(middle);
	CANONICAL(tail);
	if (delta_length(&head) != from || delta_length(&middle) != to - from ||
		delta_length(&tail) != length - to)
		return fail(arena, "a slice of %s has a wrong length", show(arena, &doc));

	/* The ops one behind the other, merged by the parser. */
	buf_init(&buf, collab_malloc_alloc);
	buf_char(&buf, '[');
	for (int i = 0; i < 3; i++)
	{
		const Delta *part = i == 0 ? &head : i == 1 ? &middle : &tail;
		const char	*text = show(arena, part);

		if (part->count == 0)
			continue;
		if (buf.size > 1)
			buf_char(&buf, ',');
		buf_bytes(&buf, text + 8, strlen(text) - 10);
	}
	buf_char(&buf, ']');
	all = must_parse(arena, buf.data, buf.size);
	EQUAL(all, doc);
	buf_free(&buf);
	return NULL;
}

const Property properties[] = {
	{"TP1", property_tp1},
	{"compose law", property_compose},
	{"invert law", property_invert},
	{"diff law", property_diff},
	{"tighten law", property_tighten},
	{"replay = fold of compose", property_replay},
	{"rebase = single transforms", property_rebase},
	{"JSON round trip", property_json},
	{"binary round trip", property_binary},
	{"position = marker", property_position},
	{"slices make the whole", property_slice},
};

const size_t property_count = sizeof(properties) / sizeof(properties[0]);

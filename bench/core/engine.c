/* engine.c - the engine's side of bench/core: what is measured. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/rebase.h"
#include "../../core/replay.h"
#include "inputs.h"

/* ---- replay ---- */

static double
replay_once(const Input *changes, const Input *start, Arena *arena, Buf *text)
{
	CollabError error;
	Replay	   *replay;
	Delta		decoded;
	uint32_t	i;
	double		started = now();
	double		seconds;

	check(replay_create(collab_malloc_alloc, true, &replay) == COLLAB_OK, "out of memory");
	if (start != NULL)
	{
		check_status(replay_apply(replay, &start->deltas[0], &error), &error);
		started = now();
	}
	for (i = 0; i < changes->count; i++)
		check_status(replay_apply(replay, get_delta(changes, i, arena, &decoded), &error), &error);
	buf_clear(text);
	replay_text(replay, NULL, text);
	seconds = now() - started;
	replay_free(replay);
	return seconds;
}

/* The changes of NAME.jsonl, from the document in START.jsonl or from nothing, to NAME.out.txt. */
static void
bench_replay(const char *name, const char *start_name, const char *figure, const char *figure_decoded)
{
	char   file[256];
	Input  changes;
	Input  start;
	bool   has_start;
	Arena  arena;
	Buf	   text;
	double best = 1e9;
	double best_decoded = 1e9;
	int	   i;

	snprintf(file, sizeof(file), "%s.jsonl", name);
	if (!load_input(&changes, file))
		return;
	has_start = start_name != NULL && load_input(&start, start_name);
	arena_init(&arena, collab_malloc_alloc);
	buf_init(&text, collab_malloc_alloc);
	for (i = 0; i < ROUNDS; i++)
	{
		double seconds = replay_once(&changes, has_start ? &start : NULL, &arena, &text);

		best = seconds < best ? seconds : best;
		seconds = replay_once(&changes, has_start ? &start : NULL, NULL, &text);
		best_decoded = seconds < best_decoded ? seconds : best_decoded;
	}
	report(figure, best * 1e3, "ms");
	report(figure_decoded, best_decoded * 1e3, "ms");
	snprintf(file, sizeof(file), "%s.out.txt", name);
	write_file(file, &text);
	buf_free(&text);
	arena_free(&arena);
	if (has_start)
		free_input(&start);
	free_input(&changes);
}

/* ---- rebase ---- */

static double
rebase_once(const Input *pieces, const Input *events, Arena *arena, Rebase **rebase)
{
	CollabError error;
	Delta		decoded;
	uint32_t	i;
	double		started = now();

	check(rebase_create(collab_malloc_alloc, pieces->deltas, pieces->count, rebase) == COLLAB_OK,
		  "out of memory");
	for (i = 0; i < events->count; i++)
		check_status(
			rebase_event(*rebase, NULL, get_delta(events, i, arena, &decoded), i % 2 == 0, NULL, &error),
			&error);
	return now() - started;
}

/*
 * The pieces of NAME.jsonl over the events of EVENTS.jsonl, to NAME.out.json: the first piece as it
 * ends.
 */
static void
bench_rebase(const char *name, const char *events_name, const char *figure, const char *figure_decoded)
{
	char	file[256];
	Input	pieces;
	Input	events;
	Arena	arena;
	Rebase *rebase;
	Delta	piece;
	double	best = 1e9;
	double	best_decoded = 1e9;
	int		i;

	snprintf(file, sizeof(file), "%s.jsonl", name);
	check(load_input(&pieces, file) && load_input(&events, events_name), file);
	arena_init(&arena, collab_malloc_alloc);
	for (i = 0; i < ROUNDS; i++)
	{
		double seconds = rebase_once(&pieces, &events, NULL, &rebase);

		best_decoded = seconds < best_decoded ? seconds : best_decoded;
		rebase_free(rebase);
		seconds = rebase_once(&pieces, &events, &arena, &rebase);
		best = seconds < best ? seconds : best;
		if (i == ROUNDS - 1)
		{
			check(rebase_piece(rebase, rebase_count(rebase) - 1, &arena, &piece) == COLLAB_OK,
				  "out of memory");
			snprintf(file, sizeof(file), "%s.out.json", name);
			write_delta(file, &piece);
		}
		rebase_free(rebase);
	}
	report(figure, best * 1e3, "ms");
	report(figure_decoded, best_decoded * 1e3, "ms");
	arena_free(&arena);
	free_input(&pieces);
	free_input(&events);
}

/* What a submit does with one change and a few events that it did not know. */
static void
bench_submit(void)
{
	CollabError error;
	Input		pairs;
	Arena		arena;
	double		best = 1e9;
	int			round;

	check(load_input(&pairs, "pairs.jsonl"), "pairs.jsonl");
	arena_init(&arena, collab_malloc_alloc);
	for (round = 0; round < ROUNDS; round++)
	{
		uint32_t i;
		double	 started = now();

		for (i = 0; i + 11 <= pairs.count; i++)
		{
			Rebase	*rebase;
			Delta	 piece;
			uint32_t k;

			arena_reset(&arena);
			check(rebase_create(collab_malloc_alloc, &pairs.deltas[i], 1, &rebase) == COLLAB_OK,
				  "out of memory");
			for (k = 1; k <= 10; k++)
				check_status(rebase_event(rebase, NULL, &pairs.deltas[i + k], true, NULL, &error), &error);
			check(rebase_piece(rebase, 0, &arena, &piece) == COLLAB_OK, "out of memory");
			rebase_free(rebase);
		}
		started = (now() - started) / i;
		best = started < best ? started : best;
	}
	report("one piece over 10 events, made, carried and read", best * 1e9, "ns");
	arena_free(&arena);
	free_input(&pairs);
}

/* ---- pairs ---- */

typedef CollabStatus (*PairFunction)(Arena *arena, const Delta *a, const Delta *b, Delta *out,
									 CollabError *err);

static CollabStatus
transform_pair(Arena *arena, const Delta *a, const Delta *b, Delta *out, CollabError *err)
{
	return delta_transform(arena, a, b, true, out, err);
}

/* Each Delta of a file with the one behind it; millions per second. */
static void
bench_pairs(const char *file, const char *out, PairFunction function, const char *figure)
{
	char		memory[16384];
	CollabError error;
	Input		pairs;
	Arena		arena;
	Delta		result;
	Buf			results;
	double		best = 1e9;
	int			round;

	check(load_input(&pairs, file), file);
	arena_init_buffer(&arena, collab_malloc_alloc, memory, sizeof(memory));
	for (round = 0; round < 5 * ROUNDS; round++)
	{
		double	 started = now();
		uint32_t i;

		for (i = 0; i + 1 < pairs.count; i++)
		{
			arena_reset(&arena);
			check_status(function(&arena, &pairs.deltas[i], &pairs.deltas[i + 1], &result, &error), &error);
		}
		started = (now() - started) / (pairs.count - 1);
		best = started < best ? started : best;
	}
	report(figure, 1e-6 / best, "M/s");
	buf_init(&results, collab_malloc_alloc);
	for (round = 0; round + 1 < (int) pairs.count; round++)
	{
		arena_reset(&arena);
		check_status(function(&arena, &pairs.deltas[round], &pairs.deltas[round + 1], &result, &error),
					 &error);
		delta_print(&result, &results);
		buf_char(&results, '\n');
	}
	write_file(out, &results);
	buf_free(&results);
	arena_free(&arena);
	free_input(&pairs);
}

/* One edit after the other onto one large document, as whole compositions. */
static void
bench_compose_onto(void)
{
	CollabError error;
	Input		document;
	Input		edits;
	Arena		arena;
	Delta		result;
	double		best = 1e9;
	int			round;

	check(load_input(&document, "rich.jsonl") && load_input(&edits, "rich-edits.jsonl"), "rich.jsonl");
	arena_init(&arena, collab_malloc_alloc);
	for (round = 0; round < ROUNDS; round++)
	{
		double	 started = now();
		uint32_t i;

		for (i = 0; i < edits.count; i++)
		{
			arena_reset(&arena);
			check_status(delta_compose(&arena, &document.deltas[0], &edits.deltas[i], &result, &error),
						 &error);
		}
		started = (now() - started) / edits.count;
		best = started < best ? started : best;
	}
	report("compose of one edit onto 5,000 rich ops", best * 1e6, "us");
	arena_free(&arena);
	free_input(&document);
	free_input(&edits);
}

/* ---- large documents ---- */

static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/*
 * A million edits at random places of ten million characters: nothing in common with the edit
 * before.
 */
static void
bench_random_edits(const char *letter, const char *figure, const char *memory_figure)
{
	static const int	edits = 1000000;
	static const size_t units = 10000000;
	size_t				width = strlen(letter);
	char			   *text = malloc(units * width);
	uint64_t			state = 88172645463325252u;
	CollabError			error;
	Replay			   *replay;
	DeltaOp				ops[2];
	Delta				change = {ops, 1};
	double				started;
	size_t				i;

	check(text != NULL && replay_create(collab_malloc_alloc, true, &replay) == COLLAB_OK, "out of memory");
	for (i = 0; i < units; i++)
		memcpy(text + i * width, letter, width);
	memset(ops, 0, sizeof(ops));
	ops[0].kind = DELTA_INSERT;
	ops[0].data = text;
	ops[0].bytes = (uint32_t) (units * width);
	ops[0].units = (int64_t) units;
	ops[0].ascii = width == 1;
	check_status(replay_apply(replay, &change, &error), &error);
	free(text);
	started = now();
	change.count = 2;
	for (i = 0; i < (size_t) edits; i++)
	{
		uint64_t random = next_random(&state);

		memset(ops, 0, sizeof(ops));
		ops[0].kind = DELTA_RETAIN;
		ops[0].units = 1 + (int64_t) (random % (uint64_t) (replay_length(replay) - 1));
		ops[1].kind = random >> 63 ? DELTA_INSERT : DELTA_DELETE;
		ops[1].units = 1;
		if (ops[1].kind == DELTA_INSERT)
		{
			ops[1].data = letter;
			ops[1].bytes = (uint32_t) width;
			ops[1].ascii = width == 1;
		}
		check_status(replay_apply(replay, &change, &error), &error);
	}
	report(figure, (now() - started) * 1e3, "ms");
	report(memory_figure, (double) replay_memory(replay) / ((double) units * (double) width),
		   "bytes per byte");
	replay_free(replay);
}

/* ---- JSON ---- */

static double
parse_lines(const Input *input, bool jansson)
{
	CollabError	 error;
	json_error_t json_error;
	Arena		 arena;
	Delta		 delta;
	const char	*line;
	double		 started = now();

	arena_init(&arena, collab_malloc_alloc);
	for (line = input->text; *line != '\0';)
	{
		const char *end = strchr(line, '\n');

		if (jansson)
		{
			json_t *json = json_loadb(line, (size_t) (end - line), 0, &json_error);

			check(json != NULL, json_error.text);
			json_decref(json);
		}
		else
		{
			arena_reset(&arena);
			check_status(delta_parse(&arena, line, (size_t) (end - line), &delta_limits_none, &delta, &error),
						 &error);
		}
		line = end + 1;
	}
	arena_free(&arena);
	return now() - started;
}

/*
 * Our parser gives a checked, canonical Delta; jansson a tree of values that all this would still
 * have to be made from.
 */
static void
bench_json(const char *file, const char *figure, const char *figure_jansson)
{
	Input  input;
	double best[2] = {1e9, 1e9};
	int	   round;
	int	   which;

	check(load_input(&input, file), file);
	for (round = 0; round < ROUNDS; round++)
		for (which = 0; which < 2; which++)
		{
			double seconds = parse_lines(&input, which == 1);

			best[which] = seconds < best[which] ? seconds : best[which];
		}
	report(figure, (double) input.text_bytes / best[0] / 1e6, "MB/s");
	report(figure_jansson, (double) input.text_bytes / best[1] / 1e6, "MB/s");
	free_input(&input);
}

int
main(int argc, char **argv)
{
	check(argc == 2, "usage: engine FOLDER");
	folder = argv[1];
	bench_replay("automerge-paper", NULL, "automerge-paper replayed to text",
				 "automerge-paper replayed to text, decoded before");
	bench_replay("sveltecomponent", NULL, "sveltecomponent replayed to text",
				 "sveltecomponent replayed to text, decoded before");
	bench_replay("rich-edits", "rich.jsonl", "2,000 edits of 5,000 rich ops",
				 "2,000 edits of 5,000 rich ops, decoded before");
	bench_pairs("pairs.jsonl", "transform.out.jsonl", transform_pair, "transform of a pair");
	bench_pairs("rich-pairs.jsonl", "rich-transform.out.jsonl", transform_pair,
				"transform of a pair, rich text");
	bench_pairs("pairs.jsonl", "compose.out.jsonl", delta_compose, "compose of a pair");
	bench_pairs("rich-pairs.jsonl", "rich-compose.out.jsonl", delta_compose, "compose of a pair, rich text");
	bench_compose_onto();
	bench_rebase("insert", "events.jsonl", "one insert over 10,000 events",
				 "one insert over 10,000 events, decoded before");
	bench_rebase("offline", "events.jsonl", "200 edits over 10,000 events",
				 "200 edits over 10,000 events, decoded before");
	bench_rebase("queue", "some-events.jsonl", "a queue of 200 pieces over 1,000 events",
				 "a queue of 200 pieces over 1,000 events, decoded before");
	bench_submit();
	bench_random_edits("x", "1,000,000 random edits of 10 MB", "memory for 10 MB of text");
	bench_random_edits("\xc3\xa4", "1,000,000 random edits of 10 M characters of 2 bytes",
					   "memory for 20 MB of such text");
	bench_chunks("automerge-paper");
	bench_json("pairs.jsonl", "JSON of small changes", "JSON of small changes, jansson");
	bench_json("rich.jsonl", "JSON of a rich document", "JSON of a rich document, jansson");
	return 0;
}

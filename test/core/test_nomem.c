/* test_nomem.c - memory ends at every possible call: the engine says so, keeps its state whole, and leaks nothing. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/anchor.h"
#include "../../core/blame.h"
#include "../../core/chunk.h"
#include "../../core/html.h"
#include "../../core/markdown.h"
#include "../../core/rebase.h"
#include "../../core/replay.h"
#include "properties.h"
#include "render_check.h"

#define CASES 60

/*
 * An allocator that refuses its n-th call, in one of the two ways that the engine has to live with: NULL, as malloc
 * does, or a jump over the engine's head, as palloc does. It knows its blocks, as a memory context does.
 */
typedef struct Block
{
	struct Block *next;
	struct Block *prev;
	uint64_t	  pad[2];
} Block;

typedef struct Failing
{
	Block	blocks;
	int		calls_left; /* < 0: never refuse */
	bool	jumps;
	bool	refused;
	jmp_buf back;
} Failing;

static void *
failing_alloc(void *ctx, size_t size)
{
	Failing *failing = ctx;
	Block	*block;

	if (failing->calls_left == 0)
	{
		failing->refused = true;
		if (failing->jumps)
			longjmp(failing->back, 1);
		return NULL;
	}
	if (failing->calls_left > 0)
		failing->calls_left--;
	block = malloc(sizeof(Block) + size);
	if (block == NULL)
		abort();
	block->next = failing->blocks.next;
	block->prev = &failing->blocks;
	block->next->prev = block;
	failing->blocks.next = block;
	return block + 1;
}

static void
failing_free(void *ctx, void *ptr)
{
	Block *block = ptr;

	(void) ctx;
	if (block == NULL)
		return;
	block--;
	block->next->prev = block->prev;
	block->prev->next = block->next;
	free(block);
}

static void
failing_init(Failing *failing, bool jumps)
{
	failing->blocks.next = failing->blocks.prev = &failing->blocks;
	failing->calls_left = -1;
	failing->jumps = jumps;
	failing->refused = false;
}

static bool
failing_is_empty(const Failing *failing)
{
	return failing->blocks.next == &failing->blocks;
}

static void
failing_drop_all(Failing *failing)
{
	while (!failing_is_empty(failing))
		failing_free(failing, failing->blocks.next + 1);
}

static CollabAlloc
failing_alloc_of(Failing *failing)
{
	CollabAlloc alloc = {failing_alloc, failing_free, failing};

	return alloc;
}

/* The inputs of one case, in memory that never ends. */
typedef struct Inputs
{
	Arena		arena;
	Delta		doc;
	Delta		a;
	Delta		b;
	Delta		formatted; /* a document with Quill's formats */
	const char *json;
	Buf			binary;
} Inputs;

static void
make_inputs(Inputs *in, uint64_t seed)
{
	uint8_t decisions[200];
	Random	random;
	size_t	i;

	arena_init(&in->arena, collab_malloc_alloc);
	random_seed(&random, seed);
	do
	{
		in->doc = random_document(&random, &in->arena, &random_rich);
		in->a = random_change(&random, &in->arena, &random_rich, &in->doc);
		in->b = random_change(&random, &in->arena, &random_rich, &in->doc);
	} while (in->doc.count == 0 || in->a.count == 0);
	for (i = 0; i < sizeof(decisions); i++)
		decisions[i] = (uint8_t) random_below(&random, 256);
	in->formatted = render_random_document(&in->arena, decisions, sizeof(decisions));
	in->json = show(&in->arena, &in->a);
	buf_init(&in->binary, collab_malloc_alloc);
	delta_encode(&in->a, &in->binary);
}

static void
free_inputs(Inputs *in)
{
	buf_free(&in->binary);
	arena_free(&in->arena);
}

enum Call
{
	CALL_PARSE,
	CALL_DECODE,
	CALL_COMPOSE,
	CALL_TRANSFORM,
	CALL_INVERT,
	CALL_DIFF,
	CALL_SLICE,
	CALL_PRINT,
	CALL_ENCODE,
	CALL_REPLAY,
	CALL_REBASE,
	CALL_BLAME,
	CALL_TIGHTEN,
	CALL_CHUNK,
	CALL_ANCHOR,
	CALL_HTML,
	CALL_MARKDOWN,
	CALL_COUNT
};

static const char *const call_names[] = {"parse",	"decode", "compose", "transform", "invert",	 "diff",
										 "slice",	"print",  "encode",	 "replay",	  "rebase",	 "blame",
										 "tighten", "chunk",  "anchor",	 "html",	  "markdown"};

static CollabStatus
call_replay(Inputs *in, CollabAlloc alloc, Arena *arena, Delta *out, CollabError *err)
{
	Replay		*replay;
	CollabStatus status = replay_create(alloc, true, &replay);

	if (status != COLLAB_OK)
		return status;
	status = replay_apply(replay, &in->doc, err);
	if (status == COLLAB_OK)
		status = replay_check(replay, &in->a, err);
	if (status == COLLAB_OK)
		status = replay_apply(replay, &in->a, err);
	if (status == COLLAB_OK)
		status = replay_delta(replay, arena, out);
	replay_free(replay);
	return status;
}

static CollabStatus
call_rebase(Inputs *in, CollabAlloc alloc, Arena *arena, Delta *out, CollabError *err)
{
	Rebase		*rebase;
	CollabStatus status = rebase_create(alloc, &in->a, 1, &rebase);

	if (status != COLLAB_OK)
		return status;
	status = rebase_event(rebase, arena, &in->b, true, out, err);
	if (status == COLLAB_OK)
		status = rebase_piece(rebase, 0, arena, out);
	rebase_free(rebase);
	return status;
}

/* Enough runs for a tree of some height. */
#define BLAME_INSERTS 300

static CollabStatus
call_blame(Inputs *in, CollabAlloc alloc, CollabError *err)
{
	Blame		*blame;
	BlameStamp	 stamp = {1, 0, 0};
	CollabStatus status = blame_create(alloc, &blame);

	if (status != COLLAB_OK)
		return status;
	status = blame_apply(blame, &in->doc, &stamp, err);
	if (status == COLLAB_OK)
		status = blame_apply(blame, &in->a, &stamp, err);
	while (status == COLLAB_OK && stamp.version < BLAME_INSERTS)
	{
		DeltaOp ops[] = {{.kind = DELTA_RETAIN, .units = 1 + stamp.version / 2},
						 {.kind = DELTA_INSERT, .units = 2, .bytes = 2, .data = "ab", .ascii = 1}};
		Delta	change = {ops, 2};

		stamp.version++;
		if (blame_length(blame) < ops[0].units)
			ops[0].units = blame_length(blame);
		if (ops[0].units == 0)
			change = (Delta){ops + 1, 1};
		status = blame_apply(blame, &change, &stamp, err);
	}
	blame_free(blame);
	return status;
}

/* The change twice, and once more in a form that is stored as it is. */
static CollabStatus
call_chunk(Inputs *in, CollabAlloc alloc, CollabError *err)
{
	CollabEvent	 events[3];
	ChunkReader *reader;
	CollabStatus status;
	Buf			 chunk;
	int			 i;

	memset(events, 0, sizeof(events));
	for (i = 0; i < 3; i++)
	{
		events[i].version = i + 1;
		events[i].author = i;
		events[i].op = (const uint8_t *) in->binary.data;
		events[i].op_bytes = (uint32_t) in->binary.size - (i == 2);
	}
	buf_init(&chunk, alloc);
	status = chunk_encode(alloc, events, 3, &chunk, err);
	if (status == COLLAB_OK)
		status = chunk_open(alloc, (const uint8_t *) chunk.data, chunk.size, &reader, err);
	if (status == COLLAB_OK)
		chunk_close(reader);
	buf_free(&chunk);
	return status;
}

/* Made, moved there and back, written and read. */
static CollabStatus
call_anchor(Inputs *in, CollabAlloc alloc, Arena *arena, CollabError *err)
{
	Anchor		*anchor = NULL;
	Anchor		*again = NULL;
	Delta		 undo;
	AnchorEdit	 edit;
	Buf			 bytes;
	CollabStatus status = anchor_create(alloc, 0, &in->doc, &anchor, err);

	if (status != COLLAB_OK)
		return status;
	buf_init(&bytes, alloc);
	status = anchor_edit(arena, &in->a, &edit, err);
	if (status == COLLAB_OK)
		status = anchor_apply(anchor, &edit, err);
	if (status == COLLAB_OK)
		status = delta_invert(arena, &in->a, &in->doc, &undo, err);
	if (status == COLLAB_OK)
		status = anchor_edit(arena, &undo, &edit, err);
	if (status == COLLAB_OK)
		status = anchor_apply(anchor, &edit, err);
	anchor_encode(anchor, &bytes);
	if (status == COLLAB_OK)
		status = bytes.failed ? COLLAB_NOMEM
							  : anchor_decode(alloc, (const uint8_t *) bytes.data, bytes.size, &again, err);
	buf_free(&bytes);
	anchor_free(anchor);
	anchor_free(again);
	return status;
}

static CollabStatus
call_writer(Inputs *in, enum Call call, CollabAlloc alloc)
{
	CollabStatus status;
	Buf			 buf;

	buf_init(&buf, alloc);
	if (call == CALL_PRINT)
		delta_print(&in->a, &buf);
	else
		delta_encode(&in->a, &buf);
	status = buf.failed ? COLLAB_NOMEM : COLLAB_OK;
	buf_free(&buf);
	return status;
}

static CollabStatus
call_render(Inputs *in, enum Call call, CollabAlloc alloc, Arena *arena, CollabError *err)
{
	CollabStatus status;
	Buf			 buf;

	buf_init(&buf, alloc);
	status = call == CALL_HTML ? html_render(arena, &in->formatted, 0, &buf, err)
							   : markdown_render(arena, &in->formatted, 0, &buf, err);
	buf_free(&buf);
	return status;
}

static CollabStatus
call_engine(Inputs *in, enum Call call, CollabAlloc alloc, Arena *arena, CollabError *err)
{
	Delta out;

	switch (call)
	{
		case CALL_PARSE:
			return delta_parse(arena, in->json, strlen(in->json), &delta_limits_none, &out, err);
		case CALL_DECODE:
			return delta_decode(arena, (const uint8_t *) in->binary.data, in->binary.size, &out, err);
		case CALL_COMPOSE:
			return delta_compose(arena, &in->doc, &in->a, &out, err);
		case CALL_TRANSFORM:
			return delta_transform(arena, &in->a, &in->b, true, &out, err);
		case CALL_INVERT:
			return delta_invert(arena, &in->a, &in->doc, &out, err);
		case CALL_DIFF:
		{
			Delta		 target;
			CollabStatus status = delta_compose(&in->arena, &in->doc, &in->b, &target, err);

			return status != COLLAB_OK ? status : delta_diff(arena, &in->doc, &target, &out, err);
		}
		case CALL_SLICE:
			return delta_slice(arena, &in->doc, 0, -1, &out, err);
		case CALL_REPLAY:
			return call_replay(in, alloc, arena, &out, err);
		case CALL_REBASE:
			return call_rebase(in, alloc, arena, &out, err);
		case CALL_ANCHOR:
			return call_anchor(in, alloc, arena, err);
		case CALL_CHUNK:
			return call_chunk(in, alloc, err);
		case CALL_TIGHTEN:
			return delta_tighten(arena, &in->a, &in->doc, &out, err);
		case CALL_HTML:
		case CALL_MARKDOWN:
			return call_render(in, call, alloc, arena, err);
		case CALL_BLAME:
			return call_blame(in, alloc, err);
		default:
			return call_writer(in, call, alloc);
	}
}

/* One call with memory for `calls` allocations. */
static CollabStatus
call_with(Failing *failing, Inputs *in, enum Call call, int calls)
{
	CollabError	 error = {COLLAB_OK, -1, ""};
	CollabStatus status;
	Arena		 arena;

	failing->refused = false;
	failing->calls_left = calls;
	if (setjmp(failing->back) != 0)
	{
		/* As an aborted transaction: nobody cleans up but the owner of the memory. */
		failing_drop_all(failing);
		return COLLAB_NOMEM;
	}
	arena_init(&arena, failing_alloc_of(failing));
	status = call_engine(in, call, failing_alloc_of(failing), &arena, &error);
	arena_free(&arena);
	if (!failing_is_empty(failing))
		fail_msg("%s leaks with %d allocations (%s)", call_names[call], calls, collab_status_name(status));
	if (failing->refused && status == COLLAB_OK)
		fail_msg("%s succeeds although allocation %d failed", call_names[call], calls);
	return status;
}

static void
run_calls(bool jumps)
{
	Failing	 failing;
	uint64_t seed;

	failing_init(&failing, jumps);
	for (seed = 1; seed <= CASES; seed++)
	{
		Inputs in;
		int	   call;

		make_inputs(&in, seed);
		for (call = 0; call < CALL_COUNT; call++)
		{
			CollabStatus status = COLLAB_NOMEM;
			int			 calls;

			for (calls = 0; status == COLLAB_NOMEM && calls < 10000; calls++)
				status = call_with(&failing, &in, (enum Call) call, calls);
			if (status != COLLAB_OK)
				fail_msg("%s of seed %" PRIu64 " gives %s", call_names[call], seed,
						 collab_status_name(status));
		}
		free_inputs(&in);
	}
}

static void
test_no_memory(void **state)
{
	(void) state;
	run_calls(false);
}

static void
test_jumping_allocator(void **state)
{
	(void) state;
	run_calls(true);
}

static CollabStatus
apply_with(Failing *failing, Replay *replay, const Delta *change, int calls)
{
	CollabStatus status = COLLAB_NOMEM;

	failing->refused = false;
	failing->calls_left = calls;
	if (setjmp(failing->back) == 0)
		status = replay_apply(replay, change, NULL);
	failing->calls_left = -1;
	return status;
}

/* A Replay that could not apply a change holds what it held before, whole, and applies it when there is memory again. */
static void
run_replay(bool jumps)
{
	Failing	 failing;
	uint64_t seed;

	failing_init(&failing, jumps);
	for (seed = 1; seed <= CASES; seed++)
	{
		Inputs	in;
		Replay *replay;
		Delta	held, expected;
		int		calls;

		make_inputs(&in, seed);
		assert_int_equal(delta_compose(&in.arena, &in.doc, &in.a, &expected, NULL), COLLAB_OK);
		assert_int_equal(replay_create(failing_alloc_of(&failing), true, &replay), COLLAB_OK);
		assert_int_equal(replay_apply(replay, &in.doc, NULL), COLLAB_OK);
		for (calls = 0; apply_with(&failing, replay, &in.a, calls) != COLLAB_OK; calls++)
		{
			assert_true(calls < 10000);
			assert_true(replay_valid(replay));
			assert_int_equal(replay_delta(replay, &in.arena, &held), COLLAB_OK);
			assert_true(delta_equal(&held, &in.doc));
		}
		assert_true(replay_valid(replay));
		assert_int_equal(replay_delta(replay, &in.arena, &held), COLLAB_OK);
		assert_true(delta_equal(&held, &expected));
		replay_free(replay);
		if (!jumps)
			assert_true(failing_is_empty(&failing));
		failing_drop_all(&failing);
		free_inputs(&in);
	}
}

static void
test_replay_keeps_content(void **state)
{
	(void) state;
	run_replay(false);
}

static void
test_replay_keeps_content_over_jumps(void **state)
{
	(void) state;
	run_replay(true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_jumping_allocator),
		cmocka_unit_test(test_replay_keeps_content),
		cmocka_unit_test(test_replay_keeps_content_over_jumps),
	};

	return cmocka_run_group_tests_name("nomem", tests, NULL, NULL);
}

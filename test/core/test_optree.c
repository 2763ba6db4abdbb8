/* test_optree.c - the editable sequence itself: places on both sides, what it costs, and the store under it. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/optree.h"
#include "edits.h"

static uint64_t seed;

static void
test_chunks(void **state)
{
	OpStore store;
	void   *chunks[3];
	size_t	used;

	(void) state;
	opstore_init(&store, collab_malloc_alloc, NULL, 0);
	assert_int_equal(opstore_cost(1), 32);
	assert_int_equal(opstore_cost(32), 32);
	assert_int_equal(opstore_cost(33), 64);
	assert_int_equal(opstore_cost(1024), 1024);
	assert_int_equal(opstore_cost(1025), 2048);

	/* what was released is used again, for the same size only */
	chunks[0] = opstore_alloc(&store, 40);
	chunks[1] = opstore_alloc(&store, 64);
	opstore_release(&store, chunks[0], 40);
	opstore_release(&store, chunks[1], 64);
	chunks[2] = opstore_alloc(&store, 100);
	assert_ptr_not_equal(chunks[2], chunks[0]);
	assert_ptr_equal(opstore_alloc(&store, 50), chunks[1]);
	assert_ptr_equal(opstore_alloc(&store, 50), chunks[0]);

	/* after a reserve nothing is asked of the allocator */
	assert_true(opstore_reserve(&store, 100000));
	used = store.arena.used;
	assert_non_null(opstore_alloc(&store, 65536));
	assert_non_null(opstore_alloc(&store, 32768));
	assert_int_equal(store.arena.used, used);
	opstore_free(&store);
}

static void
test_attribute_sets(void **state)
{
	OpStore	   store;
	AttrSet	  *sets[1000];
	AttrSet	  *again;
	DeltaAttrs attrs;
	char	   bytes[16];
	int		   i;

	(void) state;
	opstore_init(&store, collab_malloc_alloc, NULL, 0);
	attrs.data = (const uint8_t *) bytes;
	attrs.bytes = 0;
	assert_true(opstore_intern(&store, attrs, &again));
	assert_null(again);
	for (i = 0; i < 1000; i++)
	{
		attrs.bytes = (uint32_t) snprintf(bytes, sizeof(bytes), "set %d", i);
		assert_true(opstore_intern(&store, attrs, &sets[i]));
	}
	assert_int_equal(store.set_count, 1000);
	assert_int_equal(opstore_holds(&store), 1000);
	attrs.bytes = (uint32_t) snprintf(bytes, sizeof(bytes), "set %d", 500);
	assert_true(opstore_intern(&store, attrs, &again));
	assert_ptr_equal(again, sets[500]);
	opstore_drop(&store, again);
	assert_int_equal(store.set_count, 1000);
	for (i = 0; i < 1000; i++)
		opstore_drop(&store, sets[i]);
	assert_int_equal(store.set_count, 0);
	assert_int_equal(opstore_holds(&store), 0);
	opstore_free(&store);
}

/* A change with runs of everything, in canonical form, of about `count` ops. */
static Delta
mixed_change(Random *random, Arena *arena, uint32_t count)
{
	static const uint8_t bold[] = {4, 'b', 'o', 'l', 'd', 4, 't', 'r', 'u', 'e'};
	Delta				 delta;
	uint32_t			 i;

	delta.ops = arena_array(arena, count, sizeof(DeltaOp));
	delta.count = 0;
	for (i = 0; i < count; i++)
	{
		DeltaOp		  *op = &delta.ops[delta.count];
		const DeltaOp *last = i > 0 ? op - 1 : NULL;
		size_t		   size;

		memset(op, 0, sizeof(*op));
		op->kind = (uint8_t) random_below(random, 4);
		op->units = 1 + random_below(random, 30);
		if (op->kind == DELTA_INSERT_EMBED)
		{
			op->units = 1;
			op->bytes = 2 + (random_chance(random, 10) ? 300 : random_below(random, 20));
			op->data = memset(arena_alloc(arena, op->bytes), '1', op->bytes);
		}
		else if (op->kind == DELTA_INSERT)
		{
			op->data = random_text(random, arena, false, (size_t) op->units, &size);
			op->bytes = (uint32_t) size;
			op->ascii = 1;
		}
		if (op->kind != DELTA_DELETE && (last == NULL || last->attrs.bytes == 0))
		{
			op->attrs.data = bold;
			op->attrs.bytes = sizeof(bold);
		}
		if (last != NULL && last->kind == DELTA_DELETE && op->kind != DELTA_RETAIN)
			continue;
		if (last != NULL && last->kind == op->kind && op->kind != DELTA_INSERT_EMBED &&
			last->attrs.bytes == op->attrs.bytes)
			continue;
		delta.count++;
	}
	return delta;
}

/* Where a position lies, by counting. */
static void
naive_find(const Delta *delta, OpSide side, int64_t position, bool behind, int64_t at[2])
{
	uint32_t i;

	at[0] = at[1] = 0;
	for (i = 0; i < delta->count; i++)
	{
		const int64_t *weight = optree_weight[delta->ops[i].kind];
		int64_t		   units = delta->ops[i].units;

		if (!behind && at[side] == position)
			return;
		if (at[side] + units * weight[side] > position)
		{
			units = position - at[side];
			at[0] += units * weight[0];
			at[1] += units * weight[1];
			return;
		}
		at[0] += units * weight[0];
		at[1] += units * weight[1];
	}
}

static void
test_places(void **state)
{
	Arena  arena;
	Random random;
	int	   round;

	(void) state;
	arena_init(&arena, collab_malloc_alloc);
	random_seed(&random, seed);
	for (round = 0; round < 40; round++)
	{
		Delta	 delta = mixed_change(&random, &arena, 1 + random_below(&random, round % 4 == 0 ? 3000 : 40));
		uint64_t held = 0;
		OpStore	 store;
		OpTree	 tree;
		int		 i;

		opstore_init(&store, collab_malloc_alloc, NULL, 0);
		assert_true(optree_load(&tree, &store, &delta, 0));
		assert_true(optree_valid(&tree, &held));
		for (i = 0; i < 300; i++)
		{
			OpSide	side = random_chance(&random, 50) ? OPTREE_BASE : OPTREE_NEW;
			bool	behind = random_chance(&random, 50);
			int64_t position = random_below(&random, (uint32_t) tree.sum[side] + 1);
			int64_t at[2];
			OpPlace found;
			OpPlace sought;

			naive_find(&delta, side, position, behind, at);
			optree_find(&tree, side, position, behind, &found);
			optree_seek(&tree, side, position, behind, &sought);
			assert_int_equal(found.at[0], at[0]);
			assert_int_equal(found.at[1], at[1]);
			assert_int_equal(sought.at[0], at[0]);
			assert_int_equal(sought.at[1], at[1]);
			assert_true(optree_valid(&tree, &held));
		}
		opstore_free(&store);
		arena_reset(&arena);
	}
	arena_free(&arena);
}

/* optree_memory_for is what a change reserves, so it must never be too little. */
static void
test_memory_bound(void **state)
{
	Arena	arena;
	Random	random;
	OpStore store;
	OpTree	tree;
	double	most = 0;
	int		i;

	(void) state;
	arena_init(&arena, collab_malloc_alloc);
	random_seed(&random, seed);
	opstore_init(&store, collab_malloc_alloc, NULL, 0);
	assert_true(optree_init(&tree, &store, 0, 0));
	for (i = 0; i < 6000; i++)
	{
		Delta			  delta = mixed_change(&random, &arena, 1 + random_below(&random, 20));
		int64_t			  base = random_below(&random, (uint32_t) tree.sum[OPTREE_NEW] + 1);
		size_t			  splits = 0;
		size_t			  bytes = 0;
		size_t			  far = 0;
		size_t			  need;
		const char		 *start;
		const ArenaBlock *block;
		uint32_t		  k;

		for (k = 0; k < delta.count; k++)
		{
			size_t cost = delta.ops[k].kind == DELTA_INSERT_EMBED ? optree_far_cost(&delta.ops[k]) : 0;

			splits += optree_splits_for(&delta.ops[k]);
			bytes += cost > 0 ? sizeof(OpFar) : delta.ops[k].bytes;
			far += cost;
		}
		need = optree_memory_for(&tree, splits, bytes) + far +
			   opstore_intern_cost(&store, delta.count, delta.count * 10u);
		assert_true(opstore_reserve(&store, need));
		start = store.arena.next;
		block = store.arena.blocks;
		for (k = 0; k < delta.count; k++)
		{
			OpPlace place;

			/*
			 * all in one place or each somewhere else; only inserts and retains, which keep the
			 * order whatever they stand at
			 */
			if (i % 2 == 0)
				base = random_below(&random, (uint32_t) tree.sum[OPTREE_NEW] + 1);
			optree_seek(&tree, OPTREE_NEW, base, false, &place);
			if (delta.ops[k].kind != DELTA_DELETE)
				assert_true(optree_put(&tree, &place, &delta.ops[k]));
		}
		assert_ptr_equal(store.arena.blocks, block);
		assert_true(store.arena.next <= start + need);
		if (need > 0 && (double) (store.arena.next - start) / (double) need > most)
			most = (double) (store.arena.next - start) / (double) need;
		if (i % 100 == 0)
		{
			uint64_t held = 0;

			assert_true(optree_valid(&tree, &held));
			assert_int_equal(held, opstore_holds(&store));
		}
		arena_reset(&arena);
	}
	assert_true(tree.height > 1);
	assert_true(most > 0.2);
	opstore_free(&store);
	arena_free(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_attribute_sets),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_memory_bound),
	};

	seed = test_seed("optree", 31);
	return cmocka_run_group_tests_name("optree", tests, NULL, NULL);
}

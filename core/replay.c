/* replay.c - composing many changes, each in place, with an editable op sequence. */
#include "replay.h"

#include <string.h>

#include "replay_plan.h"

/*
 * A change that might need much more memory than the content holds is composed as a whole instead.
 */
#define MEMORY_FACTOR 2
#define MEMORY_FREE ((size_t) 16 * 1024)

/* Scratch memory of a change that is kept for the next one. */
#define SCRATCH_KEPT ((size_t) 64 * 1024)

struct Replay
{
	CollabAlloc alloc;
	OpStore		stores[2]; /* the content's, and the one that a new content is built in */
	int			current;
	OpTree		content;
	Arena		scratch; /* of one change */
	bool		is_document;
	bool		pairs;	/* some text held a surrogate pair: cuts must be looked at */
	bool		broken; /* a reserve was too small: the content is not whole, never seen */
};

CollabStatus
replay_create(CollabAlloc alloc, bool is_document, Replay **out)
{
	Replay *replay = alloc.alloc(alloc.ctx, sizeof(Replay));

	if (replay == NULL)
		return COLLAB_NOMEM;
	memset(replay, 0, sizeof(*replay));
	replay->alloc = alloc;
	replay->is_document = is_document;
	opstore_init(&replay->stores[0], alloc, NULL, 0);
	opstore_init(&replay->stores[1], alloc, NULL, 0);
	arena_init(&replay->scratch, alloc);
	if (!optree_init(&replay->content, &replay->stores[0], 0, 0))
	{
		replay_free(replay);
		return COLLAB_NOMEM;
	}
	*out = replay;
	return COLLAB_OK;
}

void
replay_free(Replay *replay)
{
	if (replay == NULL)
		return;
	opstore_free(&replay->stores[0]);
	opstore_free(&replay->stores[1]);
	arena_free(&replay->scratch);
	replay->alloc.free(replay->alloc.ctx, replay);
}

static void
init_planner(const Replay *replay, const Delta *change, Arena *arena, Planner *planner, CollabError *err)
{
	planner->content = &replay->content;
	planner->change = change;
	planner->arena = arena;
	planner->is_document = replay->is_document;
	planner->pairs = replay->pairs;
	planner->err = err;
}

CollabStatus
replay_check(const Replay *replay, const Delta *change, CollabError *err)
{
	CollabStatus status;
	Planner		 planner;
	Arena		 arena;
	Plan		 plan;

	if (replay->broken)
		return delta_nomem(err);
	arena_init(&arena, replay->alloc);
	init_planner(replay, change, &arena, &planner, err);
	status = plan_change(&planner, &plan);
	arena_free(&arena);
	return status;
}

/* ---- composing in place ---- */

/* Inserts vanish, what was retained becomes a delete, and deletes that stand between go with it. */
static bool
delete_range(OpTree *content, int64_t position, int64_t units)
{
	int64_t deleted = 0;
	int64_t base;
	OpPlace place;

	optree_seek(content, OPTREE_NEW, position, false, &place);
	base = place.at[OPTREE_BASE];
	while (units > 0)
	{
		const OpItem *item;
		int64_t		  cut;

		if (place.index == place.leaf->node.count)
		{
			if (!optree_next_leaf(content, &place))
				break;
			continue;
		}
		item = optree_item(place.leaf, place.index);
		cut = item->units - place.offset;
		if (item->kind == DELTA_DELETE)
			deleted += cut;
		else
		{
			if (cut > units)
				cut = units;
			if (!optree_is_insert(item))
				deleted += cut;
			units -= cut;
		}
		optree_cut(content, &place, cut);
	}
	optree_settle(content, place.leaf);
	return deleted == 0 || optree_put_delete(content, base, deleted);
}

/* Retains with attributes, and embed changes: one step of the plan after the other. */
static bool
format_range(OpTree *content, int64_t position, int64_t units, const PlanStep **plan)
{
	const PlanStep *step = NULL;
	AttrSet		   *set = NULL;
	int64_t			left = 0; /* of the step */
	OpPlace			place;

	optree_seek(content, OPTREE_NEW, position, false, &place);
	while (units > 0)
	{
		const OpItem *item;
		int64_t		  part;

		if (place.index == place.leaf->node.count)
		{
			if (!optree_next_leaf(content, &place))
				break;
			continue;
		}
		item = optree_item(place.leaf, place.index);
		part = item->units - place.offset;
		if (item->kind == DELTA_DELETE)
		{
			optree_skip(&place, part);
			continue;
		}
		if (left == 0)
		{
			step = *plan;
			*plan = step->next;
			left = step->units;
			opstore_drop(content->store, set);
			if (!opstore_intern(content->store, step->attrs, &set))
				return false;
		}
		part = part < left ? part : left;
		if (set == item->attrs && step->embed == NULL)
		{
			/* the one before may have become like it */
			optree_join(content, &place);
			optree_skip(&place, part);
		}
		else
		{
			if (!optree_isolate(content, &place, &part))
				return false;
			if (step->embed != NULL && !optree_set_embed(content, &place, step->embed))
				return false;
			optree_set_attrs(content, &place, attrset_hold(set));
		}
		left -= part;
		units -= part;
	}
	opstore_drop(content->store, set);
	optree_join(content, &place);
	optree_settle(content, place.leaf);
	return true;
}

static bool
compose_in_place(OpTree *content, const Delta *change, const Plan *plan)
{
	const PlanStep *step = plan->first;
	int64_t			position = 0;
	OpPlace			place;
	bool			done = true;
	uint32_t		i;

	if (plan->base > content->sum[OPTREE_NEW])
	{
		optree_seek_end(content, &place);
		done = optree_put_units(content, &place, DELTA_RETAIN, plan->base - content->sum[OPTREE_NEW]);
	}
	for (i = 0; i < change->count && done; i++)
	{
		const DeltaOp *op = &change->ops[i];

		if (op->kind == DELTA_DELETE)
		{
			done = delete_range(content, position, op->units);
			continue;
		}
		if (delta_op_is_insert(op))
		{
			optree_seek(content, OPTREE_NEW, position, false, &place);
			done = optree_put(content, &place, op);
		}
		else if (!delta_op_is_plain_retain(op))
			done = format_range(content, position, op->units, &step);
		position += op->units;
	}
	if (content->sum[OPTREE_BASE] > 0)
		optree_chop(content);
	return done;
}

/*
 * The content is copied, composed and taken in anew, in a store of its own; the old one goes when
 * that has worked.
 */
static CollabStatus
compose_anew(Replay *replay, const Planner *planner)
{
	OpStore		*store = &replay->stores[!replay->current];
	Delta		 composed;
	OpTree		 tree;
	CollabStatus status = plan_compose(planner, &composed);

	if (status != COLLAB_OK)
		return status;
	/* what an earlier attempt that was jumped out of has left there goes now */
	opstore_free(store);
	opstore_init(store, replay->alloc, NULL, 0);
	if (!optree_load(&tree, store, &composed, 0))
		return delta_nomem(planner->err);
	replay->content = tree;
	opstore_free(&replay->stores[replay->current]);
	replay->current = !replay->current;
	return COLLAB_OK;
}

CollabStatus
replay_apply(Replay *replay, const Delta *change, CollabError *err)
{
	OpTree		*content = &replay->content;
	CollabStatus status;
	Planner		 planner;
	size_t		 memory;
	Plan		 plan;

	if (replay->broken)
		return delta_nomem(err);
	arena_reset(&replay->scratch);
	init_planner(replay, change, &replay->scratch, &planner, err);
	status = plan_change(&planner, &plan);
	if (status != COLLAB_OK)
		return status;
	memory = plan_memory(&plan, content);
	if (memory > MEMORY_FREE + MEMORY_FACTOR * OPTREE_PAGE * (size_t) content->leaves)
		status = compose_anew(replay, &planner);
	else if (!opstore_reserve(content->store, memory))
		status = delta_nomem(err);
	else if (!compose_in_place(content, change, &plan))
	{
		replay->broken = true;
		status = delta_nomem(err);
	}
	if (status == COLLAB_OK)
		replay->pairs = replay->pairs || plan.pairs;
	if (replay->scratch.used > SCRATCH_KEPT)
		arena_free(&replay->scratch);
	return status;
}

/* ---- results ---- */

int64_t
replay_length(const Replay *replay)
{
	return replay->content.sum[OPTREE_NEW];
}

size_t
replay_memory(const Replay *replay)
{
	return sizeof(*replay) + replay->stores[0].arena.used + replay->stores[1].arena.used +
		   replay->scratch.used;
}

size_t
replay_bytes(const Replay *replay)
{
	return replay->broken ? 0 : optree_bytes(&replay->content);
}

CollabStatus
replay_delta(const Replay *replay, Arena *arena, Delta *out)
{
	return replay->broken ? COLLAB_NOMEM : optree_delta(&replay->content, arena, out);
}

CollabStatus
replay_slice(const Replay *replay, int64_t from, int64_t to, Arena *arena, Delta *out)
{
	return replay->broken ? COLLAB_NOMEM : optree_slice(&replay->content, from, to, arena, out);
}

void
replay_encode(const Replay *replay, Buf *out)
{
	if (replay->broken)
		out->failed = true;
	else
		optree_encode(&replay->content, out);
}

void
replay_text(const Replay *replay, const char *embed, Buf *out)
{
	if (replay->broken)
		out->failed = true;
	else
		optree_text(&replay->content, embed, out);
}

bool
replay_valid(const Replay *replay)
{
	uint64_t held = 0;

	return !replay->broken && optree_valid(&replay->content, &held) &&
		   opstore_holds(replay->content.store) == held &&
		   (!replay->is_document || replay->content.sum[OPTREE_BASE] == 0);
}

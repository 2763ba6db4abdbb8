/* replay_plan.c - checks a change against the content, works out all that can fail. */
#include "replay_plan.h"

/* The op at a place of a walk that changes nothing; false at the end. */
static bool
current_op(OpPlace *place, DeltaOp *op)
{
	while (place->index == place->leaf->node.count)
	{
		if (place->leaf->next == NULL)
			return false;
		place->leaf = place->leaf->next;
		place->index = 0;
		place->text = 0;
		place->offset = 0;
	}
	optree_op(place->leaf, place->text, optree_item(place->leaf, place->index), op);
	return true;
}

static CollabStatus
check_cut(const Planner *planner, int64_t position)
{
	const OpItem *item;
	OpPlace		  place;
	uint32_t	  bytes;

	if (position >= planner->content->sum[OPTREE_NEW])
		return COLLAB_OK;
	optree_find(planner->content, OPTREE_NEW, position, false, &place);
	if (place.offset == 0)
		return COLLAB_OK;
	item = optree_item(place.leaf, place.index);
	if (optree_text_offset(place.leaf, place.text, item, place.offset, &bytes))
		return COLLAB_OK;
	return collab_fail(planner->err, COLLAB_SURROGATE, -1,
					   "the change cuts a surrogate pair at position %lld", (long long) position);
}

static void
count_embed(Plan *plan, const DeltaOp *embed)
{
	size_t far = optree_far_cost(embed);

	plan->far_bytes += far;
	plan->bytes += far > 0 ? sizeof(OpFar) : embed->bytes;
}

static CollabStatus
add_step(const Planner *planner, Plan *plan, int64_t units, DeltaAttrs attrs, const DeltaOp *embed)
{
	PlanStep *step = arena_alloc(planner->arena, sizeof(PlanStep));

	if (step == NULL)
		return delta_nomem(planner->err);
	step->next = NULL;
	step->units = units;
	step->attrs = attrs;
	step->embed = embed;
	if (plan->last != NULL)
		plan->last->next = step;
	else
		plan->first = step;
	plan->last = step;
	plan->sets++;
	plan->set_bytes += attrs.bytes;
	if (embed != NULL)
		count_embed(plan, embed);
	return COLLAB_OK;
}

/* What the embed change `op` makes of `current`. */
static CollabStatus
compose_embed(const Planner *planner, const DeltaOp *current, const DeltaOp *op, const DeltaOp **out)
{
	DeltaOp *value;

	*out = op;
	if (current == NULL || current->kind == DELTA_RETAIN)
		return COLLAB_OK;
	if (current->kind == DELTA_INSERT)
		return collab_fail(planner->err, COLLAB_MISMATCH, -1, "an embed change meets text");
	value = arena_alloc(planner->arena, sizeof(DeltaOp));
	if (value == NULL)
		return delta_nomem(planner->err);
	*value = *op;
	*out = value;
	return delta_embed_compose(planner->arena, current, op, value, planner->err);
}

/* A retain with attributes, or an embed change. */
static CollabStatus
plan_format(const Planner *planner, Plan *plan, int64_t position, const DeltaOp *op)
{
	DeltaOp		   current = {.kind = DELTA_DELETE};
	DeltaOp		   before;
	const DeltaOp *embed = NULL;
	PlanStep	  *step = NULL;
	int64_t		   units = op->units;
	CollabStatus   status = COLLAB_OK;
	OpPlace		   place;

	/* two leaves at the ends of the range, and one for the embed */
	plan->splits += 3;
	if (position < planner->content->sum[OPTREE_NEW])
	{
		optree_find(planner->content, OPTREE_NEW, position, true, &place);
		for (; units > 0 && current_op(&place, &current); optree_skip(&place, current.units - place.offset))
		{
			int64_t	   part = current.units - place.offset;
			DeltaAttrs attrs;

			if (current.kind == DELTA_DELETE)
				continue;
			part = part < units ? part : units;
			units -= part;
			if (step != NULL && before.attrs.data == current.attrs.data &&
				(before.kind == DELTA_RETAIN) == (current.kind == DELTA_RETAIN))
			{
				step->units += part;
				continue;
			}
			if (op->kind == DELTA_RETAIN_EMBED)
				status = compose_embed(planner, &current, op, &embed);
			if (status == COLLAB_OK)
				status = attrs_compose(planner->arena, current.attrs, op->attrs, current.kind == DELTA_RETAIN,
									   &attrs, planner->err);
			if (status == COLLAB_OK)
				status = add_step(planner, plan, part, attrs, embed);
			if (status != COLLAB_OK)
				return status;
			step = plan->last;
			before = current;
		}
	}
	if (units > 0)
		return add_step(planner, plan, units, op->attrs, op->kind == DELTA_RETAIN_EMBED ? op : NULL);
	return COLLAB_OK;
}

CollabStatus
plan_compose(const Planner *planner, Delta *out)
{
	Delta		 content;
	CollabStatus status = optree_delta(planner->content, planner->arena, &content);

	if (status != COLLAB_OK)
		return collab_fail(planner->err, status, -1, "the content is too large, or out of memory");
	return planner->is_document
			   ? delta_compose(planner->arena, &content, planner->change, out, planner->err)
			   : delta_compose_changes(planner->arena, &content, planner->change, out, planner->err);
}

/* What needs no look at the content; sets *look where one is needed. */
static CollabStatus
survey(const Planner *planner, Plan *plan, bool *look)
{
	const OpTree *content = planner->content;
	int64_t		  inserted = 0;
	uint32_t	  i;

	*look = planner->pairs;
	plan->splits = planner->is_document ? 0 : 1; /* what is missing at the end */
	for (i = 0; i < planner->change->count; i++)
	{
		const DeltaOp *op = &planner->change->ops[i];

		if (delta_op_is_insert(op))
		{
			inserted += op->units;
			plan->splits += optree_splits_for(op);
			plan->sets += op->attrs.bytes > 0;
			plan->set_bytes += op->attrs.bytes;
			plan->bytes += op->kind == DELTA_INSERT ? op->bytes : 0;
			if (op->kind == DELTA_INSERT_EMBED)
				count_embed(plan, op);
			else if (!op->ascii && !plan->pairs)
				plan->pairs = utf8_has_pair(op->data, op->bytes);
			continue;
		}
		plan->base += op->units;
		plan->splits += op->kind == DELTA_DELETE;
		*look = *look || op->kind == DELTA_RETAIN_EMBED || op->attrs.bytes > 0;
	}
	if (planner->is_document && plan->base > content->sum[OPTREE_NEW])
		return collab_fail(planner->err, COLLAB_RANGE, -1,
						   "the change needs %lld units, the document has %lld", (long long) plan->base,
						   (long long) content->sum[OPTREE_NEW]);
	/*
	 * what the content retains counts twice here, so this is never too small; only the whole result
	 * tells exactly
	 */
	if (content->sum[0] + content->sum[1] + plan->base + inserted > DELTA_MAX_UNITS)
	{
		Delta composed;

		return plan_compose(planner, &composed);
	}
	return COLLAB_OK;
}

CollabStatus
plan_change(const Planner *planner, Plan *plan)
{
	int64_t		 position = 0;
	CollabStatus status;
	bool		 look;
	uint32_t	 i;

	memset(plan, 0, sizeof(*plan));
	status = survey(planner, plan, &look);
	if (status != COLLAB_OK || !look)
		return status;
	for (i = 0; i < planner->change->count && status == COLLAB_OK; i++)
	{
		const DeltaOp *op = &planner->change->ops[i];

		if (planner->pairs)
			status = check_cut(planner, position);
		if (delta_op_is_insert(op))
			continue;
		if (status == COLLAB_OK && op->kind != DELTA_DELETE && !delta_op_is_plain_retain(op))
			status = plan_format(planner, plan, position, op);
		position += op->units;
	}
	if (planner->pairs && status == COLLAB_OK)
		status = check_cut(planner, position);
	return status;
}

size_t
plan_memory(const Plan *plan, const OpTree *content)
{
	return optree_memory_for(content, plan->splits, plan->bytes) + plan->far_bytes +
		   opstore_intern_cost(content->store, plan->sets, plan->set_bytes);
}

/* chunk_model.c - what the next event of a chunk is expected to be; packing and unpacking ask the same questions. */
#include "chunk_internal.h"

/*
 * Nothing here can be wrong, only unlikely: whatever is predicted, the difference is stored. So sums
 * wrap, and units from hostile bytes need no check.
 */

void
model_init(ChunkModel *model, uint32_t editors)
{
	memset(model, 0, sizeof(*model));
	model->cursors = editors < MODEL_CURSORS ? editors : MODEL_CURSORS;
}

/* One who was not seen before is expected where somebody was last. */
void
model_editor(ChunkModel *model, uint32_t editor)
{
	if (editor == model->seen)
	{
		model->cursor[editor % MODEL_CURSORS] = model->cursor[model->editor % MODEL_CURSORS];
		model->seen++;
	}
	model->editor = editor;
	model->added = 0;
	model->pairs = false;
}

/* The backspace key deletes what stands before the cursor. */
uint64_t
model_expect(const ChunkModel *model, uint64_t deleted)
{
	return model->cursor[model->editor % MODEL_CURSORS] - deleted;
}

void
model_begin(ChunkModel *model, uint64_t position)
{
	model->index = position;
}

static void
move_cursors(ChunkModel *model, uint8_t kind, uint64_t units)
{
	uint32_t i;

	for (i = 0; i < model->cursors; i++)
	{
		uint64_t cursor = model->cursor[i];

		if (cursor <= model->index)
			continue;
		if (kind != DELTA_DELETE)
			model->cursor[i] = cursor + units;
		else
			model->cursor[i] = cursor - model->index > units ? cursor - units : model->index;
	}
}

void
model_op(ChunkModel *model, uint8_t kind, uint64_t units)
{
	if (kind != DELTA_RETAIN && kind != DELTA_RETAIN_EMBED)
	{
		if (model->cursors > 1)
			move_cursors(model, kind, units);
		model->added += kind == DELTA_DELETE ? 0 - units : units;
	}
	if (kind != DELTA_DELETE)
		model->index += units;
}

void
model_end(ChunkModel *model)
{
	model->cursor[model->editor % MODEL_CURSORS] = model->index;
}

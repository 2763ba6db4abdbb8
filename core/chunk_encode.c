/* chunk_encode.c - events taken apart into the columns of a chunk. */
#include "chunk_dict.h"
#include "chunk_internal.h"

typedef struct Encoder
{
	const CollabEvent *events;
	uint32_t		   count;
	NumberWriter	   numbers[CHUNK_NUMBERS];
	Buf				   text;
	Buf				   rows;   /* the column of editors */
	Buf				   clocks; /* uint64_t per editor: of his last event */
	Buf				   again;  /* an op put together again */
	ChunkDict		   editors;
	ChunkDict		   blobs;
	Arena			   arena; /* of one event */
	ChunkModel		   model;
	uint64_t		   raw_bytes;
	uint8_t			   flags;
	uint64_t		   arena_buffer[256];
} Encoder;

static void
encoder_init(Encoder *encoder, CollabAlloc alloc, const CollabEvent *events, uint32_t count)
{
	int i;

	encoder->events = events;
	encoder->count = count;
	encoder->raw_bytes = 0;
	encoder->flags = 0;
	for (i = 0; i < CHUNK_NUMBERS; i++)
		number_writer_init(&encoder->numbers[i], alloc);
	buf_init(&encoder->text, alloc);
	buf_init(&encoder->rows, alloc);
	buf_init(&encoder->clocks, alloc);
	buf_init(&encoder->again, alloc);
	dict_init(&encoder->editors, alloc);
	dict_init(&encoder->blobs, alloc);
	arena_init_buffer(&encoder->arena, alloc, encoder->arena_buffer, sizeof(encoder->arena_buffer));
}

static void
encoder_free(Encoder *encoder)
{
	int i;

	for (i = 0; i < CHUNK_NUMBERS; i++)
		number_writer_free(&encoder->numbers[i]);
	buf_free(&encoder->text);
	buf_free(&encoder->rows);
	buf_free(&encoder->clocks);
	buf_free(&encoder->again);
	dict_free(&encoder->editors);
	dict_free(&encoder->blobs);
	arena_free(&encoder->arena);
}

/* ---- before the columns: what is the same for all of them ---- */

#define EDITOR_KEY_BYTES 16 /* author and site */

/* Clocks begin one below the editor's first, so that already that one is no surprise. */
static bool
editor_number(Encoder *encoder, const CollabEvent *event, uint32_t *number)
{
	uint64_t clock = (uint64_t) event->clock - 1;
	uint8_t	 row[CHUNK_EDITOR_BYTES];
	bool	 added;

	put_le(row, (uint64_t) event->author, 8);
	put_le(row + 8, (uint64_t) event->site, 8);
	put_le(row + EDITOR_KEY_BYTES, clock, 8);
	if (!dict_number(&encoder->editors, row, EDITOR_KEY_BYTES, number, &added))
		return false;
	if (!added)
		return true;
	buf_bytes(&encoder->rows, row, sizeof(row));
	buf_bytes(&encoder->clocks, &clock, sizeof(clock));
	return !encoder->rows.failed && !encoder->clocks.failed;
}

/* How many there are has to be known before the first event: so many cursors move. */
static bool
number_editors(Encoder *encoder)
{
	uint32_t i, number;

	for (i = 0; i < encoder->count; i++)
		if (!editor_number(encoder, &encoder->events[i], &number))
			return false;
	return true;
}

/* Chooses the unit of time and how base versions are predicted: by what changes less often. */
static void
choose_flags(Encoder *encoder)
{
	const CollabEvent *events = encoder->events;
	bool			   milliseconds = true;
	uint32_t		   lags = 0, follows = 0;
	uint64_t		   lag = 0, follow = 0;
	uint32_t		   i;

	for (i = 1; i < encoder->count; i++)
	{
		uint64_t gap = (uint64_t) events[i].created_at - (uint64_t) events[i - 1].created_at;
		uint64_t now_lag = (uint64_t) events[i].version - (uint64_t) events[i].base_version;
		uint64_t now_follow = (uint64_t) events[i].base_version - (uint64_t) events[i - 1].base_version;

		milliseconds &= events[i].created_at >= events[i - 1].created_at && gap % 1000 == 0;
		lags += now_lag != lag;
		follows += now_follow != follow;
		lag = now_lag;
		follow = now_follow;
	}
	if (milliseconds)
		encoder->flags |= CHUNK_MILLISECONDS;
	if (follows < lags)
		encoder->flags |= CHUNK_BASE_FOLLOWS;
}

static CollabStatus
check_events(Encoder *encoder, CollabError *err)
{
	const CollabEvent *events = encoder->events;
	uint32_t		   i;

	if (encoder->count == 0 || encoder->count > CHUNK_MAX_EVENTS)
		return collab_fail(err, COLLAB_LIMIT, -1, "a chunk holds 1 to %u events, not %u", CHUNK_MAX_EVENTS,
						   encoder->count);
	if (events[0].version < 1 || events[0].version > INT64_MAX - encoder->count)
		return collab_fail(err, COLLAB_INVALID, 0, "no event can have version %lld",
						   (long long) events[0].version);
	for (i = 0; i < encoder->count; i++)
	{
		if (events[i].doc != events[0].doc)
			return collab_fail(err, COLLAB_INVALID, i, "events of several documents in one chunk");
		if (events[i].version != events[0].version + i)
			return collab_fail(err, COLLAB_INVALID, i, "version %lld follows on version %lld",
							   (long long) events[i].version, (long long) events[0].version + i - 1);
		encoder->raw_bytes += events[i].op_bytes;
	}
	if (encoder->raw_bytes > CHUNK_MAX_RAW_BYTES)
		return collab_fail(err, COLLAB_LIMIT, -1, "ops of %llu bytes in one chunk",
						   (unsigned long long) encoder->raw_bytes);
	return COLLAB_OK;
}

/* ---- ops ---- */

static bool
put_blob(Encoder *encoder, const void *data, size_t size)
{
	uint32_t number;
	bool	 added;

	if (!dict_number(&encoder->blobs, data, size, &number, &added))
		return false;
	number_put(&encoder->numbers[COLUMN_BLOB], added ? 0 : (uint64_t) number + 1);
	if (added)
		number_put(&encoder->numbers[COLUMN_BLOB_SIZE], size);
	return true;
}

static void
put_shape(Encoder *encoder, uint32_t op, uint8_t shape)
{
	number_put(&encoder->numbers[COLUMN_SHAPE],
			   shape == model_expect_shape(&encoder->model, op) ? 0 : (uint64_t) shape + 1);
	model_shape(&encoder->model, op, shape);
}

static bool
put_op(Encoder *encoder, const DeltaOp *op)
{
	switch (op->kind)
	{
		case DELTA_DELETE:
			number_put(&encoder->numbers[COLUMN_DELETE], (uint64_t) op->units - 1);
			break;
		case DELTA_RETAIN:
			number_put(&encoder->numbers[COLUMN_RETAIN], (uint64_t) op->units - 1);
			break;
		case DELTA_INSERT:
			number_put(&encoder->numbers[COLUMN_INSERT], (uint64_t) op->bytes - 1);
			buf_bytes(&encoder->text, op->data, op->bytes);
			encoder->model.pairs |= !op->ascii && utf8_has_pair(op->data, op->bytes);
			break;
		default:
			if (!put_blob(encoder, op->data, op->bytes))
				return false;
	}
	if (op->attrs.bytes > 0 && !put_blob(encoder, op->attrs.data, op->attrs.bytes))
		return false;
	model_op(&encoder->model, op->kind, (uint64_t) op->units);
	return true;
}

static bool
put_change(Encoder *encoder, const Delta *change)
{
	uint64_t position = 0, deleted = 0;
	uint32_t first = 0;
	uint32_t i;

	if (change->count == 0)
	{
		put_shape(encoder, 0, SHAPE_EMPTY);
		return true;
	}
	if (delta_op_is_plain_retain(&change->ops[0]))
	{
		position = (uint64_t) change->ops[0].units;
		first = 1;
	}
	if (change->ops[first].kind == DELTA_DELETE)
		deleted = (uint64_t) change->ops[first].units;
	number_put(&encoder->numbers[COLUMN_POSITION], zigzag(position - model_expect(&encoder->model, deleted)));
	model_begin(&encoder->model, position);
	for (i = first; i < change->count; i++)
	{
		const DeltaOp *op = &change->ops[i];

		put_shape(encoder, i - first,
				  (uint8_t) (op->kind | (op->attrs.bytes > 0 ? SHAPE_ATTRIBUTES : 0) |
							 (i + 1 == change->count ? SHAPE_LAST : 0)));
		if (!put_op(encoder, op))
			return false;
	}
	model_end(&encoder->model);
	return true;
}

static bool
put_raw(Encoder *encoder, const CollabEvent *event)
{
	put_shape(encoder, 0, SHAPE_RAW);
	return put_blob(encoder, event->op, event->op_bytes);
}

/* Only what comes out of its parts as it went in is taken apart. */
static CollabStatus
encode_op(Encoder *encoder, const CollabEvent *event, CollabError *err)
{
	CollabStatus status;
	Delta		 change;
	bool		 fine;

	arena_reset(&encoder->arena);
	status = delta_decode(&encoder->arena, event->op, event->op_bytes, &change, NULL);
	if (status == COLLAB_NOMEM)
		return delta_nomem(err);
	if (status == COLLAB_OK)
	{
		buf_clear(&encoder->again);
		delta_encode(&change, &encoder->again);
		if (encoder->again.failed)
			return delta_nomem(err);
	}
	if (status == COLLAB_OK && change.count <= CHUNK_MAX_OPS && encoder->again.size == event->op_bytes &&
		memcmp(encoder->again.data, event->op, event->op_bytes) == 0)
		fine = put_change(encoder, &change);
	else
		fine = put_raw(encoder, event);
	return fine ? COLLAB_OK : delta_nomem(err);
}

/* ---- rows ---- */

static CollabStatus
encode_event(Encoder *encoder, uint32_t i, CollabError *err)
{
	const CollabEvent *event = &encoder->events[i];
	const CollabEvent *before = i > 0 ? event - 1 : NULL;
	ChunkModel		  *model = &encoder->model;
	NumberWriter	  *numbers = encoder->numbers;
	uint64_t		  *clock;
	uint32_t		   editor;
	CollabStatus	   status;

	if (before != NULL && before->author == event->author && before->site == event->site)
		editor = model->editor;
	else if (!editor_number(encoder, event, &editor))
		return delta_nomem(err);
	number_put(&numbers[COLUMN_EDITOR], editor == model->editor ? 0 : (uint64_t) editor + 1);
	model_editor(model, editor);

	clock = (uint64_t *) encoder->clocks.data + editor;
	number_put(&numbers[COLUMN_CLOCK], zigzag((uint64_t) event->clock - (*clock + 1)));
	*clock = (uint64_t) event->clock;

	if ((encoder->flags & CHUNK_BASE_FOLLOWS) == 0)
		number_put(&numbers[COLUMN_BASE], (uint64_t) event->version - 1 - (uint64_t) event->base_version);
	else
		number_put(&numbers[COLUMN_BASE],
				   zigzag((uint64_t) event->base_version -
						  (uint64_t) (before != NULL ? before->base_version : event->version - 1)));

	if (before != NULL)
		number_put(&numbers[COLUMN_TIME], ((uint64_t) event->created_at - (uint64_t) before->created_at) /
											  ((encoder->flags & CHUNK_MILLISECONDS) != 0 ? 1000 : 1));

	status = encode_op(encoder, event, err);
	if (status != COLLAB_OK)
		return status;
	number_put(&numbers[COLUMN_LENGTH], zigzag((uint64_t) event->length - (model->length + model->added)));
	model->length = (uint64_t) event->length;
	number_put(&numbers[COLUMN_ASTRAL], event->astral != (model->astral || model->pairs));
	model->astral = event->astral;
	return COLLAB_OK;
}

/* ---- putting it together ---- */

static void
put_header(const Encoder *encoder, uint8_t *header)
{
	const CollabEvent *first = &encoder->events[0];
	const CollabEvent *last = &encoder->events[encoder->count - 1];

	memcpy(header, "CCHK", 4);
	header[4] = CHUNK_FORMAT;
	header[5] = encoder->flags;
	header[6] = header[7] = 0;
	put_le(header + 16, (uint64_t) first->doc, 8);
	put_le(header + 24, (uint64_t) first->version, 8);
	put_le(header + 32, (uint64_t) first->created_at, 8);
	put_le(header + 40, (uint64_t) last->created_at, 8);
	put_le(header + 48, encoder->count, 4);
	put_le(header + 52, encoder->raw_bytes, 4);
}

/* What chunk_open will want of memory. */
static bool
can_be_opened(const Encoder *encoder)
{
	size_t memory = (size_t) encoder->raw_bytes + encoder->text.size + encoder->blobs.bytes.size +
					(size_t) encoder->count * sizeof(CollabEvent) + encoder->rows.size +
					(size_t) encoder->blobs.count * 16;
	int i;

	for (i = 0; i < CHUNK_NUMBERS; i++)
		memory += number_memory(&encoder->numbers[i]);
	return memory < CHUNK_MAX_MEMORY - 1024 * 1024;
}

static CollabStatus
pack_columns(Encoder *encoder, Buf *out, CollabError *err)
{
	const Buf	*columns[CHUNK_COLUMNS - CHUNK_NUMBERS] = {&encoder->rows, &encoder->blobs.bytes,
														   &encoder->text};
	uint8_t		 counts[CHUNK_COUNTS_BYTES];
	uint8_t		*at;
	uint64_t	 set = 0;
	CollabStatus status = COLLAB_OK;
	int			 i;

	for (i = 0; i < CHUNK_NUMBERS; i++)
		if (!number_is_empty(&encoder->numbers[i]))
			set |= (uint64_t) 1 << i;
	for (i = 0; i < CHUNK_COLUMNS - CHUNK_NUMBERS; i++)
		if (columns[i]->size > 0 || columns[i]->failed)
			set |= (uint64_t) 1 << (CHUNK_NUMBERS + i);
	at = varint_put(counts, set);
	at = varint_put(at, encoder->editors.count);
	at = varint_put(at, encoder->blobs.count);
	buf_bytes(out, counts, (size_t) (at - counts));
	for (i = 0; i < CHUNK_COLUMNS && status == COLLAB_OK; i++)
	{
		if ((set & (uint64_t) 1 << i) == 0)
			continue;
		status = i < CHUNK_NUMBERS ? number_pack(&encoder->numbers[i], out, err)
								   : bytes_pack(columns[i - CHUNK_NUMBERS], out, err);
	}
	return status;
}

static CollabStatus
write_chunk(Encoder *encoder, Buf *out, CollabError *err)
{
	size_t		 start = out->size;
	uint8_t		 header[CHUNK_HEADER_BYTES];
	uint8_t		*data;
	CollabStatus status;

	if (!can_be_opened(encoder))
		return collab_fail(err, COLLAB_LIMIT, -1, "%u events in one chunk are too large to be read again",
						   encoder->count);
	put_header(encoder, header);
	buf_bytes(out, header, sizeof(header));
	status = pack_columns(encoder, out, err);
	if (status == COLLAB_OK && out->failed)
		status = delta_nomem(err);
	if (status != COLLAB_OK)
	{
		out->size = start;
		return status;
	}
	data = (uint8_t *) out->data + start;
	put_le(data + 8, chunk_checksum(data, out->size - start), 8);
	return COLLAB_OK;
}

CollabStatus
chunk_encode(CollabAlloc alloc, const CollabEvent *events, uint32_t count, Buf *out, CollabError *err)
{
	Encoder		 encoder;
	CollabStatus status;
	uint32_t	 i;

	encoder_init(&encoder, alloc, events, count);
	status = check_events(&encoder, err);
	if (status == COLLAB_OK && !number_editors(&encoder))
		status = delta_nomem(err);
	if (status == COLLAB_OK)
	{
		choose_flags(&encoder);
		model_init(&encoder.model, encoder.editors.count);
	}
	for (i = 0; i < count && status == COLLAB_OK; i++)
		status = encode_event(&encoder, i, err);
	if (status == COLLAB_OK)
		status = write_chunk(&encoder, out, err);
	encoder_free(&encoder);
	return status;
}

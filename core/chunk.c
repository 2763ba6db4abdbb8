/* chunk.c - chunks described and unpacked: every event as it went in. */
#include "chunk_internal.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

struct ChunkReader
{
	CollabAlloc	 alloc;
	Arena		 arena; /* events and ops */
	ChunkInfo	 info;
	CollabEvent *events;
	uint32_t	 next;
};

typedef struct Editor
{
	uint64_t author;
	uint64_t site;
	uint64_t clock; /* of the last event */
} Editor;

typedef struct Blob
{
	const uint8_t *data;
	uint32_t	   bytes;
} Blob;

typedef struct Decoder
{
	Arena		 arena; /* columns: gone when the events are there */
	NumberReader numbers[CHUNK_NUMBERS];
	ByteReader	 bytes[CHUNK_COLUMNS - CHUNK_NUMBERS];
	Editor		*editors;
	Blob		*blobs;
	uint32_t	 editor_count;
	uint32_t	 blob_count; /* all; the first `blobs_seen` have been met */
	uint32_t	 blobs_seen;
	ChunkModel	 model;
	uint64_t	 unit; /* of time */
	bool		 base_follows;
	uint8_t		*at; /* where the next op goes */
	uint8_t		*end;
} Decoder;

static CollabStatus
corrupt_chunk(CollabError *err, const char *what)
{
	return collab_fail(err, COLLAB_CORRUPT, -1, "damaged chunk: %s", what);
}

/* ---- the fixed fields ---- */

uint64_t
chunk_checksum(const uint8_t *data, size_t bytes)
{
	return XXH64(data + CHUNK_CHECKED_FROM, bytes - CHUNK_CHECKED_FROM, get_le(data, 8));
}

CollabStatus
chunk_info(const uint8_t *data, size_t bytes, ChunkInfo *out, CollabError *err)
{
	uint64_t events, raw_bytes;

	if (bytes < CHUNK_HEADER_BYTES)
		return corrupt_chunk(err, "it is shorter than its header");
	if (memcmp(data, "CCHK", 4) != 0)
		return corrupt_chunk(err, "these bytes are no chunk");
	if (data[4] != CHUNK_FORMAT)
		return collab_fail(err, COLLAB_CORRUPT, 4, "unknown format %u of a chunk", data[4]);
	if ((data[5] & ~CHUNK_FLAGS) != 0 || data[6] != 0 || data[7] != 0)
		return corrupt_chunk(err, "unknown flags");
	out->checksum = as_signed(get_le(data + 8, 8));
	out->doc = as_signed(get_le(data + 16, 8));
	out->first_version = as_signed(get_le(data + 24, 8));
	out->created_first = as_signed(get_le(data + 32, 8));
	out->created_last = as_signed(get_le(data + 40, 8));
	events = get_le(data + 48, 4);
	raw_bytes = get_le(data + 52, 4);
	if (events == 0 || events > CHUNK_MAX_EVENTS)
		return corrupt_chunk(err, "invalid number of events");
	if (raw_bytes > CHUNK_MAX_RAW_BYTES)
		return corrupt_chunk(err, "invalid size");
	if (out->first_version < 1 || out->first_version > INT64_MAX - (int64_t) events)
		return corrupt_chunk(err, "invalid version");
	out->events = (uint32_t) events;
	out->raw_bytes = (uint32_t) raw_bytes;
	out->last_version = out->first_version + (int64_t) events - 1;
	return COLLAB_OK;
}

/* ---- columns ---- */

static CollabStatus
unpack_columns(Decoder *decoder, const uint8_t **at, const uint8_t *end, uint64_t set, CollabError *err)
{
	CollabStatus status = COLLAB_OK;
	int			 i;

	memset(decoder->numbers, 0, sizeof(decoder->numbers));
	memset(decoder->bytes, 0, sizeof(decoder->bytes));
	for (i = 0; i < CHUNK_COLUMNS && status == COLLAB_OK; i++)
	{
		if ((set & (uint64_t) 1 << i) == 0)
			continue;
		status = i < CHUNK_NUMBERS
					 ? number_unpack(&decoder->arena, at, end, &decoder->numbers[i], err)
					 : bytes_unpack(&decoder->arena, at, end, &decoder->bytes[i - CHUNK_NUMBERS], err);
	}
	if (status == COLLAB_OK && *at != end)
		return corrupt_chunk(err, "bytes behind its end");
	return status;
}

static ByteReader *
bytes_of(Decoder *decoder, ChunkColumn column)
{
	return &decoder->bytes[column - CHUNK_NUMBERS];
}

static uint64_t
number_of(Decoder *decoder, ChunkColumn column)
{
	return number_get(&decoder->numbers[column]);
}

static size_t
bytes_left(const ByteReader *reader)
{
	return reader->at == NULL ? 0 : (size_t) (reader->end - reader->at);
}

static CollabStatus
read_editors(Decoder *decoder, CollabError *err)
{
	ByteReader *rows = bytes_of(decoder, COLUMN_EDITORS);
	uint32_t	i;

	if (decoder->editor_count == 0 || bytes_left(rows) != (size_t) decoder->editor_count * CHUNK_EDITOR_BYTES)
		return corrupt_chunk(err, "invalid editors");
	decoder->editors = arena_array(&decoder->arena, decoder->editor_count, sizeof(Editor));
	if (decoder->editors == NULL)
		return delta_nomem(err);
	for (i = 0; i < decoder->editor_count; i++)
	{
		decoder->editors[i].author = get_le(rows->at, 8);
		decoder->editors[i].site = get_le(rows->at + 8, 8);
		decoder->editors[i].clock = get_le(rows->at + 16, 8);
		rows->at += CHUNK_EDITOR_BYTES;
	}
	return COLLAB_OK;
}

static CollabStatus
read_blobs(Decoder *decoder, CollabError *err)
{
	ByteReader *bytes = bytes_of(decoder, COLUMN_BLOBS);
	uint32_t	i;

	decoder->blobs = arena_array(&decoder->arena, decoder->blob_count, sizeof(Blob));
	if (decoder->blobs == NULL)
		return delta_nomem(err);
	for (i = 0; i < decoder->blob_count; i++)
	{
		uint64_t size = number_of(decoder, COLUMN_BLOB_SIZE);

		if (size > bytes_left(bytes))
			return corrupt_chunk(err, "invalid size of a blob");
		decoder->blobs[i].data = bytes->at;
		decoder->blobs[i].bytes = (uint32_t) size;
		if (size > 0)
			bytes->at += size;
	}
	return COLLAB_OK;
}

/* The columns, and what is in their dictionaries. */
static CollabStatus
open_columns(Decoder *decoder, const ChunkInfo *info, const uint8_t *data, size_t bytes, CollabError *err)
{
	const uint8_t *at = data + CHUNK_HEADER_BYTES;
	const uint8_t *end = data + bytes;
	uint64_t	   set, editors, blobs;
	CollabStatus   status;

	if (!varint_get(&at, end, &set) || !varint_get(&at, end, &editors) || !varint_get(&at, end, &blobs))
		return corrupt_chunk(err, "it ends too early");
	if (set >> CHUNK_COLUMNS != 0)
		return corrupt_chunk(err, "unknown columns");
	/* every one is met by an event, or in an op */
	if (editors > info->events || blobs > (uint64_t) info->events + info->raw_bytes)
		return corrupt_chunk(err, "invalid size of a dictionary");
	decoder->editor_count = (uint32_t) editors;
	decoder->blob_count = (uint32_t) blobs;
	status = unpack_columns(decoder, &at, end, set, err);
	if (status == COLLAB_OK)
		status = read_editors(decoder, err);
	return status == COLLAB_OK ? read_blobs(decoder, err) : status;
}

static bool
columns_done(const Decoder *decoder)
{
	int i;

	for (i = 0; i < CHUNK_NUMBERS; i++)
		if (!number_done(&decoder->numbers[i]))
			return false;
	for (i = 0; i < CHUNK_COLUMNS - CHUNK_NUMBERS; i++)
		if (bytes_left(&decoder->bytes[i]) != 0)
			return false;
	return decoder->blobs_seen == decoder->blob_count && decoder->model.seen == decoder->editor_count &&
		   decoder->at == decoder->end;
}

/* ---- ops ---- */

static const Blob *
get_blob(Decoder *decoder)
{
	uint64_t number = number_of(decoder, COLUMN_BLOB);

	if (number == 0)
		return decoder->blobs_seen < decoder->blob_count ? &decoder->blobs[decoder->blobs_seen++] : NULL;
	return number <= decoder->blobs_seen ? &decoder->blobs[number - 1] : NULL;
}

static bool
put_out(Decoder *decoder, const void *data, size_t bytes)
{
	if (bytes > (size_t) (decoder->end - decoder->at))
		return false;
	if (bytes > 0)
		memcpy(decoder->at, data, bytes);
	decoder->at += bytes;
	return true;
}

static bool
put_out_op(Decoder *decoder, const DeltaOp *op)
{
	uint8_t head[DELTA_HEAD_BYTES];

	return put_out(decoder, head, (size_t) (delta_put_head(head, op) - head)) &&
		   put_out(decoder, op->attrs.data, op->attrs.bytes) && put_out(decoder, op->data, op->bytes);
}

static bool
get_text(Decoder *decoder, DeltaOp *op)
{
	ByteReader *text = bytes_of(decoder, COLUMN_TEXT);
	uint64_t	bytes = number_of(decoder, COLUMN_INSERT);

	if (bytes >= bytes_left(text))
		return false;
	op->data = (const char *) text->at;
	op->bytes = (uint32_t) bytes + 1;
	text->at += op->bytes;
	if (op->bytes == 1 && (uint8_t) *op->data < 0x80 && *op->data != '\0')
		op->units = 1;
	else if (!utf8_check(op->data, op->bytes, &op->units))
		return false;
	decoder->model.pairs |= op->units < op->bytes && utf8_has_pair(op->data, op->bytes);
	return true;
}

static bool
get_units(Decoder *decoder, ChunkColumn column, DeltaOp *op)
{
	uint64_t units = number_of(decoder, column);

	if (units >= (uint64_t) DELTA_MAX_UNITS)
		return false;
	op->units = (int64_t) units + 1;
	return true;
}

static bool
get_op(Decoder *decoder, uint8_t shape, DeltaOp *op)
{
	const Blob *blob;
	bool		fine;

	memset(op, 0, sizeof(*op));
	op->kind = shape & 0x07;
	switch (op->kind)
	{
		case DELTA_DELETE:
			fine = get_units(decoder, COLUMN_DELETE, op);
			break;
		case DELTA_RETAIN:
			fine = get_units(decoder, COLUMN_RETAIN, op);
			break;
		case DELTA_INSERT:
			fine = get_text(decoder, op);
			break;
		default:
			blob = get_blob(decoder);
			fine = blob != NULL;
			if (fine)
			{
				op->data = (const char *) blob->data;
				op->bytes = blob->bytes;
				op->units = 1;
			}
	}
	if (fine && (shape & SHAPE_ATTRIBUTES) != 0)
	{
		blob = get_blob(decoder);
		fine = blob != NULL;
		if (fine)
		{
			op->attrs.data = blob->data;
			op->attrs.bytes = blob->bytes;
		}
	}
	return fine;
}

static bool
get_shape(Decoder *decoder, uint32_t op, uint8_t *shape)
{
	uint64_t number = number_of(decoder, COLUMN_SHAPE);

	if (number == 0)
		*shape = model_expect_shape(&decoder->model, op);
	else if (number <= (SHAPE_LAST | SHAPE_ATTRIBUTES | DELTA_RETAIN_EMBED) + 1)
		*shape = (uint8_t) (number - 1);
	else
		return false;
	model_shape(&decoder->model, op, *shape);
	if ((*shape & 0x07) <= DELTA_RETAIN_EMBED)
		return true;
	return op == 0 && (*shape == SHAPE_EMPTY || *shape == SHAPE_RAW);
}

static bool
put_position(Decoder *decoder, const DeltaOp *first)
{
	uint64_t expected =
		model_expect(&decoder->model, first->kind == DELTA_DELETE ? (uint64_t) first->units : 0);
	uint64_t position = expected + unzigzag(number_of(decoder, COLUMN_POSITION));
	DeltaOp	 retain = {.kind = DELTA_RETAIN, .units = (int64_t) position};

	if (position > (uint64_t) DELTA_MAX_UNITS)
		return false;
	model_begin(&decoder->model, position);
	return position == 0 || put_out_op(decoder, &retain);
}

static bool
decode_op(Decoder *decoder)
{
	const uint8_t version = DELTA_VERSION;
	uint8_t		  shape;
	uint32_t	  i;

	if (!get_shape(decoder, 0, &shape))
		return false;
	if (shape == SHAPE_RAW)
	{
		const Blob *blob = get_blob(decoder);

		return blob != NULL && put_out(decoder, blob->data, blob->bytes);
	}
	if (!put_out(decoder, &version, 1))
		return false;
	if (shape == SHAPE_EMPTY)
		return true;
	for (i = 0;; i++)
	{
		DeltaOp op;

		if (!get_op(decoder, shape, &op) || (i == 0 && !put_position(decoder, &op)) ||
			!put_out_op(decoder, &op))
			return false;
		model_op(&decoder->model, op.kind, (uint64_t) op.units);
		if ((shape & SHAPE_LAST) != 0)
			break;
		if (!get_shape(decoder, i + 1, &shape))
			return false;
	}
	model_end(&decoder->model);
	return true;
}

/* ---- rows ---- */

static bool
decode_editor(Decoder *decoder, CollabEvent *event)
{
	uint64_t number = number_of(decoder, COLUMN_EDITOR);
	Editor	*editor;

	if (number == 0)
		number = decoder->model.editor;
	else
		number--;
	if (number > decoder->model.seen || number >= decoder->editor_count)
		return false;
	model_editor(&decoder->model, (uint32_t) number);
	editor = &decoder->editors[number];
	editor->clock += 1 + unzigzag(number_of(decoder, COLUMN_CLOCK));
	event->author = as_signed(editor->author);
	event->site = as_signed(editor->site);
	event->clock = as_signed(editor->clock);
	return true;
}

/* `event` but its doc and version, which are there, as is the event before it. */
static bool
decode_event(Decoder *decoder, const ChunkInfo *info, CollabEvent *event, const CollabEvent *before)
{
	ChunkModel *model = &decoder->model;
	uint64_t	last = (uint64_t) event->version - 1;
	uint64_t	base;

	if (!decode_editor(decoder, event))
		return false;
	base = number_of(decoder, COLUMN_BASE);
	if (decoder->base_follows)
		base = (before != NULL ? (uint64_t) before->base_version : last) + unzigzag(base);
	else
		base = last - base;
	event->base_version = as_signed(base);
	if (before == NULL)
		event->created_at = info->created_first;
	else
		event->created_at =
			as_signed((uint64_t) before->created_at + number_of(decoder, COLUMN_TIME) * decoder->unit);

	event->op = decoder->at;
	if (!decode_op(decoder))
		return false;
	event->op_bytes = (uint32_t) (decoder->at - event->op);
	model->length += model->added + unzigzag(number_of(decoder, COLUMN_LENGTH));
	event->length = as_signed(model->length);
	model->astral = (model->astral || model->pairs) != (number_of(decoder, COLUMN_ASTRAL) != 0);
	event->astral = model->astral;
	return true;
}

static CollabStatus
decode_events(Decoder *decoder, ChunkReader *reader, CollabError *err)
{
	const ChunkInfo *info = &reader->info;
	CollabEvent		*events;
	uint32_t		 i;

	events = arena_array(&reader->arena, info->events, sizeof(CollabEvent));
	decoder->at = arena_alloc(&reader->arena, info->raw_bytes);
	if (events == NULL || decoder->at == NULL)
		return delta_nomem(err);
	decoder->end = decoder->at + info->raw_bytes;
	model_init(&decoder->model, decoder->editor_count);
	for (i = 0; i < info->events; i++)
	{
		events[i].doc = info->doc;
		events[i].version = info->first_version + i;
		if (!decode_event(decoder, info, &events[i], i > 0 ? &events[i - 1] : NULL))
			return collab_fail(err, COLLAB_CORRUPT, i, "damaged chunk: event of version %lld",
							   (long long) events[i].version);
	}
	if (!columns_done(decoder))
		return corrupt_chunk(err, "columns hold more than the events, or less");
	if (events[info->events - 1].created_at != info->created_last)
		return corrupt_chunk(err, "another end than its header says");
	reader->events = events;
	return COLLAB_OK;
}

/* ---- the reader ---- */

static CollabStatus
fill_reader(ChunkReader *reader, const uint8_t *data, size_t bytes, CollabError *err)
{
	Decoder		 decoder;
	CollabStatus status;

	memset(&decoder, 0, sizeof(decoder));
	arena_init(&decoder.arena, reader->alloc);
	decoder.arena.limit = CHUNK_MAX_MEMORY;
	decoder.unit = (data[5] & CHUNK_MILLISECONDS) != 0 ? 1000 : 1;
	decoder.base_follows = (data[5] & CHUNK_BASE_FOLLOWS) != 0;
	status = open_columns(&decoder, &reader->info, data, bytes, err);
	if (status == COLLAB_OK)
		status = decode_events(&decoder, reader, err);
	arena_free(&decoder.arena);
	return status;
}

CollabStatus
chunk_open(CollabAlloc alloc, const uint8_t *data, size_t bytes, ChunkReader **out, CollabError *err)
{
	ChunkReader *reader;
	ChunkInfo	 info;
	CollabStatus status = chunk_info(data, bytes, &info, err);

	*out = NULL;
	if (status != COLLAB_OK)
		return status;
	if (as_signed(chunk_checksum(data, bytes)) != info.checksum)
		return corrupt_chunk(err, "its checksum is another");
	reader = alloc.alloc(alloc.ctx, sizeof(*reader));
	if (reader == NULL)
		return delta_nomem(err);
	reader->alloc = alloc;
	arena_init(&reader->arena, alloc);
	reader->info = info;
	reader->events = NULL;
	reader->next = 0;
	status = fill_reader(reader, data, bytes, err);
	if (status != COLLAB_OK)
	{
		chunk_close(reader);
		return status;
	}
	*out = reader;
	return COLLAB_OK;
}

void
chunk_close(ChunkReader *reader)
{
	if (reader == NULL)
		return;
	arena_free(&reader->arena);
	reader->alloc.free(reader->alloc.ctx, reader);
}

const ChunkInfo *
chunk_reader_info(const ChunkReader *reader)
{
	return &reader->info;
}

bool
chunk_next(ChunkReader *reader, CollabEvent *out)
{
	if (reader->next == reader->info.events)
		return false;
	*out = reader->events[reader->next++];
	return true;
}

void
chunk_at(const ChunkReader *reader, uint32_t index, CollabEvent *out)
{
	*out = reader->events[index];
}

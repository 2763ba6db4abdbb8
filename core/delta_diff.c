/* delta_diff.c - diff: a small change that turns one document into another. */
#include "delta_script.h"
#include "delta_text.h"

/*
 * 1. The common beginning and end are found on the bytes. 2. What is left between them becomes two
 * sequences of symbols: code points, and a number for each different embed; attributes play no part. 3.
 * script_find says which symbols stay. 4. The change is written: deletes, inserts, and retains with the
 * difference of the attributes where symbols stay. Symbols are whole characters, so no surrogate pair is
 * cut.
 */
#define FIRST_EMBED 0x110000

static bool
same_embed(const DeltaOp *a, const DeltaOp *b)
{
	return a->kind == DELTA_INSERT_EMBED && b->kind == DELTA_INSERT_EMBED && a->bytes == b->bytes &&
		   memcmp(a->data, b->data, a->bytes) == 0;
}

static bool
is_continuation(char c)
{
	return ((unsigned char) c & 0xC0) == 0x80;
}

/* ---- 1. common ends ---- */

/* Units of whole characters that two texts have in common at their beginnings. */
static int64_t
text_prefix(const DeltaOp *a, const DeltaOp *b)
{
	uint32_t most = a->bytes < b->bytes ? a->bytes : b->bytes;
	uint32_t same = 0;

	while (most - same >= 64 && memcmp(a->data + same, b->data + same, 64) == 0)
		same += 64;
	while (same < most && a->data[same] == b->data[same])
		same++;
	while (same > 0 && same < a->bytes && is_continuation(a->data[same]))
		same--;
	while (same > 0 && same < b->bytes && is_continuation(b->data[same]))
		same--;
	return utf8_units(a->data, same);
}

static int64_t
common_prefix(const Delta *a, const Delta *b)
{
	int64_t	  total = 0;
	DeltaIter x;
	DeltaIter y;

	delta_iter_init(&x, a);
	delta_iter_init(&y, b);
	while (!delta_iter_done(&x) && !delta_iter_done(&y))
	{
		int64_t units = 0;
		bool	to_the_end;

		if (x.cur.kind == DELTA_INSERT && y.cur.kind == DELTA_INSERT)
			units = text_prefix(&x.cur, &y.cur);
		else if (same_embed(&x.cur, &y.cur))
			units = 1;
		if (units == 0)
			break;
		to_the_end = units == x.cur.units || units == y.cur.units;
		total += units;
		if (!delta_iter_skip(&x, units) || !delta_iter_skip(&y, units) || !to_the_end)
			break;
	}
	return total;
}

/* Bytes of whole characters that the first `a_bytes` of a and `b_bytes` of b have in common at their ends. */
static uint32_t
text_suffix(const DeltaOp *a, uint32_t a_bytes, const DeltaOp *b, uint32_t b_bytes)
{
	uint32_t most = a_bytes < b_bytes ? a_bytes : b_bytes;
	uint32_t same = 0;

	while (same < most && a->data[a_bytes - 1 - same] == b->data[b_bytes - 1 - same])
		same++;
	while (same > 0 && is_continuation(a->data[a_bytes - same]))
		same--;
	return same;
}

static int64_t
common_suffix(const Delta *a, const Delta *b)
{
	int64_t	 total = 0;
	uint32_t i = a->count;
	uint32_t j = b->count;
	uint32_t a_bytes = i > 0 ? a->ops[i - 1].bytes : 0; /* of op i - 1, not yet matched */
	uint32_t b_bytes = j > 0 ? b->ops[j - 1].bytes : 0;

	while (i > 0 && j > 0)
	{
		const DeltaOp *x = &a->ops[i - 1];
		const DeltaOp *y = &b->ops[j - 1];
		uint32_t	   same = 0;

		if (x->kind == DELTA_INSERT && y->kind == DELTA_INSERT)
		{
			same = text_suffix(x, a_bytes, y, b_bytes);
			total += utf8_units(x->data + a_bytes - same, same);
		}
		else if (same_embed(x, y))
		{
			same = x->bytes;
			total++;
		}
		if (same == 0)
			break;
		a_bytes -= same;
		b_bytes -= same;
		if (a_bytes > 0 && b_bytes > 0)
			break;
		if (a_bytes == 0 && --i > 0)
			a_bytes = a->ops[i - 1].bytes;
		if (b_bytes == 0 && --j > 0)
			b_bytes = b->ops[j - 1].bytes;
	}
	return total;
}

/* ---- 2. symbols ---- */

typedef struct Symbols
{
	uint32_t *codes;
	uint32_t  count;
} Symbols;

static bool
skip_units(DeltaIter *iter, int64_t units)
{
	while (units > 0 && !delta_iter_done(iter))
	{
		int64_t step = units < iter->cur.units ? units : iter->cur.units;

		if (!delta_iter_skip(iter, step))
			return false;
		units -= step;
	}
	return true;
}

/* Puts the embeds among the ops from `iter` on into the dictionary. */
static bool
note_embeds(JsonScratch *dictionary, DeltaIter iter)
{
	for (; !delta_iter_done(&iter); delta_iter_advance(&iter))
	{
		JsonString data = {iter.cur.data, iter.cur.bytes, false, false};

		if (iter.cur.kind == DELTA_INSERT_EMBED && json_scratch_add(dictionary, &data) == NULL)
			return false;
	}
	return true;
}

/* Where the sorted dictionary has this embed. */
static uint32_t
embed_number(const JsonScratch *dictionary, const DeltaOp *op)
{
	size_t low = 0;
	size_t high = dictionary->count;

	while (low < high)
	{
		size_t			  middle = low + (high - low) / 2;
		const JsonMember *member = &dictionary->members[middle];
		size_t			  common = member->key_bytes < op->bytes ? member->key_bytes : op->bytes;
		int				  order = memcmp(member->key, op->data, common);

		if (order < 0 || (order == 0 && member->key_bytes < op->bytes))
			low = middle + 1;
		else
			high = middle;
	}
	return FIRST_EMBED + (uint32_t) low;
}

static uint32_t *
put_text(uint32_t *to, const char *data, size_t bytes)
{
	const unsigned char *at = (const unsigned char *) data;
	const unsigned char *end = at + bytes;

	while (at < end)
	{
		switch (utf8_char_bytes(*at))
		{
			case 1:
				*to++ = at[0];
				at += 1;
				break;
			case 2:
				*to++ = (uint32_t) (at[0] & 0x1F) << 6 | (at[1] & 0x3F);
				at += 2;
				break;
			case 3:
				*to++ = (uint32_t) (at[0] & 0x0F) << 12 | (uint32_t) (at[1] & 0x3F) << 6 | (at[2] & 0x3F);
				at += 3;
				break;
			default:
				*to++ = (uint32_t) (at[0] & 0x07) << 18 | (uint32_t) (at[1] & 0x3F) << 12 |
						(uint32_t) (at[2] & 0x3F) << 6 | (at[3] & 0x3F);
				at += 4;
		}
	}
	return to;
}

static int64_t
symbol_units(uint32_t code)
{
	return code >= 0x10000 && code < FIRST_EMBED ? 2 : 1;
}

/* The next `units` of the document as symbols. They begin and end between characters. */
static CollabStatus
read_symbols(Arena *scratch, const JsonScratch *dictionary, DeltaIter iter, int64_t units, Symbols *out)
{
	uint32_t *at;

	if (units > UINT32_MAX)
		return COLLAB_LIMIT;
	out->codes = arena_array(scratch, (size_t) units, sizeof(uint32_t));
	if (out->codes == NULL)
		return COLLAB_NOMEM;
	at = out->codes;
	while (units > 0)
	{
		int64_t step = units < iter.cur.units ? units : iter.cur.units;
		DeltaOp op;

		if (!delta_iter_take(&iter, step, &op))
			return COLLAB_SURROGATE;
		if (op.kind == DELTA_INSERT)
			at = put_text(at, op.data, op.bytes);
		else
			*at++ = embed_number(dictionary, &op);
		units -= step;
	}
	out->count = (uint32_t) (at - out->codes);
	return COLLAB_OK;
}

/* ---- 4. the change ---- */

typedef struct DiffWriter
{
	DeltaBuilder builder;
	DeltaIter	 a;
	DeltaIter	 b;
	CollabError *err;
} DiffWriter;

static CollabStatus
write_delete(DiffWriter *w, int64_t units)
{
	if (units == 0)
		return COLLAB_OK;
	if (!delta_builder_grow(&w->builder))
		return delta_nomem(w->err);
	delta_builder_delete(&w->builder, units);
	return skip_units(&w->a, units) ? COLLAB_OK : COLLAB_SURROGATE;
}

static CollabStatus
write_insert(DiffWriter *w, int64_t units)
{
	while (units > 0)
	{
		int64_t step = units < w->b.cur.units ? units : w->b.cur.units;
		DeltaOp op;

		if (!delta_iter_take(&w->b, step, &op))
			return COLLAB_SURROGATE;
		if (!delta_builder_grow(&w->builder))
			return delta_nomem(w->err);
		delta_builder_push(&w->builder, &op);
		units -= step;
	}
	return COLLAB_OK;
}

/* The same text and embeds on both sides; attributes may differ. */
static CollabStatus
write_keep(DiffWriter *w, int64_t units)
{
	while (units > 0 && !delta_iter_done(&w->a) && !delta_iter_done(&w->b))
	{
		int64_t		 step = w->a.cur.units < w->b.cur.units ? w->a.cur.units : w->b.cur.units;
		DeltaAttrs	 attrs;
		bool		 exact;
		CollabStatus status;

		if (step > units)
			step = units;
		status = attrs_diff(w->builder.arena, w->a.cur.attrs, w->b.cur.attrs, &attrs, &exact, w->err);
		if (status != COLLAB_OK)
			return status;
		if (exact)
		{
			if (!delta_builder_grow(&w->builder))
				return delta_nomem(w->err);
			delta_builder_retain(&w->builder, step, attrs);
			if (!skip_units(&w->a, step) || !skip_units(&w->b, step))
				return COLLAB_SURROGATE;
		}
		else
		{
			/* an attribute that is null in b: only an insert can bring it */
			status = write_insert(w, step);
			if (status == COLLAB_OK)
				status = write_delete(w, step);
			if (status != COLLAB_OK)
				return status;
		}
		units -= step;
	}
	return COLLAB_OK;
}

static int64_t
range_units(const uint32_t *codes, uint32_t from, uint32_t to)
{
	int64_t units = 0;

	for (; from < to; from++)
		units += symbol_units(codes[from]);
	return units;
}

/* Writes prefix, hunks with what stays between them, and all that is left: the suffix. */
static CollabStatus
write_change(DiffWriter *w, int64_t prefix, const Symbols *a, const Symbols *b, const Script *script)
{
	CollabStatus status = write_keep(w, prefix);
	uint32_t	 at = 0;
	uint32_t	 i;

	for (i = 0; i < script->count && status == COLLAB_OK; i++)
	{
		const ScriptHunk *hunk = &script->hunks[i];

		status = write_keep(w, range_units(a->codes, at, hunk->a_from));
		if (status == COLLAB_OK)
			status = write_insert(w, range_units(b->codes, hunk->b_from, hunk->b_to));
		if (status == COLLAB_OK)
			status = write_delete(w, range_units(a->codes, hunk->a_from, hunk->a_to));
		at = hunk->a_to;
	}
	return status == COLLAB_OK ? write_keep(w, INT64_MAX) : status;
}

/* Steps 2 and 3 between the common ends. */
static CollabStatus
compare_middles(Arena *scratch, const Delta *a, const Delta *b, int64_t prefix, int64_t suffix,
				Symbols *symbols_a, Symbols *symbols_b, Script *script)
{
	JsonScratch	 dictionary;
	DeltaIter	 x;
	DeltaIter	 y;
	CollabStatus status;

	delta_iter_init(&x, a);
	delta_iter_init(&y, b);
	if (!skip_units(&x, prefix) || !skip_units(&y, prefix))
		return COLLAB_SURROGATE;
	json_scratch_init(&dictionary, scratch);
	if (!note_embeds(&dictionary, x) || !note_embeds(&dictionary, y) || !json_scratch_sort(&dictionary, 0))
		return COLLAB_NOMEM;
	status = read_symbols(scratch, &dictionary, x, delta_length(a) - prefix - suffix, symbols_a);
	if (status == COLLAB_OK)
		status = read_symbols(scratch, &dictionary, y, delta_length(b) - prefix - suffix, symbols_b);
	if (status == COLLAB_OK)
		status = script_find(scratch, symbols_a->codes, symbols_a->count, symbols_b->codes, symbols_b->count,
							 script);
	return status;
}

CollabStatus
delta_diff(Arena *arena, const Delta *a, const Delta *b, Delta *out, CollabError *err)
{
	Symbols		 symbols_a = {NULL, 0};
	Symbols		 symbols_b = {NULL, 0};
	Script		 script = {NULL, 0};
	DiffWriter	 writer;
	Arena		 scratch;
	int64_t		 shorter;
	int64_t		 prefix;
	int64_t		 suffix;
	CollabStatus status;

	if (!delta_is_document(a) || !delta_is_document(b))
		return collab_fail(err, COLLAB_MISMATCH, -1, "only documents can be compared");
	shorter = delta_length(a) < delta_length(b) ? delta_length(a) : delta_length(b);
	prefix = common_prefix(a, b);
	suffix = common_suffix(a, b);
	if (suffix >
		shorter -
			prefix) /* they overlap in the shorter one; there the suffix now begins where the prefix ends */
		suffix = shorter - prefix;

	arena_init(&scratch, arena->alloc);
	writer.err = err;
	status = compare_middles(&scratch, a, b, prefix, suffix, &symbols_a, &symbols_b, &script);
	if (status == COLLAB_OK)
		status = delta_builder_init(&writer.builder, arena, (uint64_t) script.count * 2 + 8, err);
	if (status == COLLAB_OK)
	{
		delta_iter_init(&writer.a, a);
		delta_iter_init(&writer.b, b);
		status = write_change(&writer, prefix, &symbols_a, &symbols_b, &script);
	}
	arena_free(&scratch);
	if (status != COLLAB_OK)
		return collab_fail(err, status, -1, "documents could not be compared: %s", collab_status_name(status));
	return delta_builder_finish(&writer.builder, out, err);
}

/* edit.c - edits for people in psql, made at the head: insert_text(), delete_text(), replace_text(). */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "errors.h"
#include "head_cache.h"
#include "pg_alloc.h"
#include "submit.h"

/* Edits are written as JSON and parsed like anybody's: one place knows what a valid change is. */
static void
parse_edit(Buf *json, Arena *arena, Delta *out)
{
	CollabError err = {0};

	if (json->failed)
		errors_raise(COLLAB_NOMEM, &err);
	errors_check(delta_parse(arena, json->data, json->size, &delta_limits_none, out, &err), &err);
	submit_check_limits(out);
}

static void
begin_at(Buf *json, int64 position)
{
	if (position < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("position must not be negative")));

	buf_init(json, pg_alloc(CurrentMemoryContext));
	buf_char(json, '[');
	if (position > 0)
	{
		buf_str(json, "{\"retain\":");
		buf_i64(json, position);
		buf_str(json, "},");
	}
}

static int64
apply_edit(text *doc_id, Buf *json)
{
	Arena arena;
	Delta change;
	Edit  edit;
	int64 version;

	pg_arena_init(&arena);
	parse_edit(json, &arena, &change);
	edit_begin(&edit, doc_id, -1);
	version = edit_submit(&edit, &change);
	edit_finish(&edit);
	return version;
}

/* insert_text(doc_id, position, content, attributes) */
PG_FUNCTION_INFO_V1(edit_insert_text);
Datum
edit_insert_text(PG_FUNCTION_ARGS)
{
	text *content;
	int64 version;
	Buf	  json;

	submit_enter("collab.insert_text()");
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("doc_id, position and content must not be null")));

	content = PG_GETARG_TEXT_PP(2);
	begin_at(&json, PG_GETARG_INT64(1));
	buf_str(&json, "{\"insert\":");
	buf_json_string(&json, VARDATA_ANY(content), VARSIZE_ANY_EXHDR(content));
	if (!PG_ARGISNULL(3))
	{
		Jsonb *attributes = PG_GETARG_JSONB_P(3);

		buf_str(&json, ",\"attributes\":");
		buf_str(&json, JsonbToCString(NULL, &attributes->root, VARSIZE(attributes)));
	}
	buf_str(&json, "}]");
	version = apply_edit(PG_GETARG_TEXT_PP(0), &json);
	submit_leave();
	PG_RETURN_INT64(version);
}

/* delete_text(doc_id, position, count) */
PG_FUNCTION_INFO_V1(edit_delete_text);
Datum
edit_delete_text(PG_FUNCTION_ARGS)
{
	int64 count = PG_GETARG_INT64(2);
	int64 version;
	Buf	  json;

	submit_enter("collab.delete_text()");
	if (count < 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("count must be positive")));

	begin_at(&json, PG_GETARG_INT64(1));
	buf_str(&json, "{\"delete\":");
	buf_i64(&json, count);
	buf_str(&json, "}]");
	version = apply_edit(PG_GETARG_TEXT_PP(0), &json);
	submit_leave();
	PG_RETURN_INT64(version);
}

/* ---- replace_text ---- */

/*
 * The document's text in one piece, with one byte that no UTF-8 holds in the place of every embed,
 * so that nothing is found across one. op_ends[i] is where the text of op i ends.
 */
#define EMBED_BYTE '\377'

static void
flatten(const Delta *content, StringInfo flat, int *op_ends)
{
	uint32 i;

	for (i = 0; i < content->count; i++)
	{
		const DeltaOp *op = &content->ops[i];

		if (op->kind == DELTA_INSERT)
			appendBinaryStringInfo(flat, op->data, op->bytes);
		else
			appendStringInfoChar(flat, EMBED_BYTE);
		op_ends[i] = flat->len;
	}
}

static int64
utf16_units(const char *data, size_t bytes)
{
	int64  units = 0;
	size_t i;

	/*
	 * An embed counts as one, as its byte does here; of a character's bytes only the first counts,
	 * twice where there are four.
	 */
	for (i = 0; i < bytes; i++)
	{
		unsigned char c = (unsigned char) data[i];

		if ((c & 0xC0) != 0x80)
			units += c >= 0xF0 && c != (unsigned char) EMBED_BYTE ? 2 : 1;
	}
	return units;
}

/* Where the text is found at or after an offset; -1: nowhere. */
static int
find(const StringInfoData *flat, int from, const char *search, int bytes)
{
	const char *found =
		from + bytes <= flat->len ? memmem(flat->data + from, flat->len - from, search, bytes) : NULL;

	return found != NULL ? (int) (found - flat->data) : -1;
}

typedef struct Replacement
{
	const Delta	  *content;
	StringInfoData flat;
	int			  *op_ends;
	const char	  *search;
	int			   search_bytes;
	const char	  *text;
	int			   text_bytes;
} Replacement;

/*
 * The change as ops that are not canonical yet (neighbouring matches). What is put in is formatted
 * like the first character of what it replaces.
 */
static uint32
collect_ops(const Replacement *r, DeltaOp **ops)
{
	int64  search_units = utf16_units(r->search, r->search_bytes);
	int64  text_units = utf16_units(r->text, r->text_bytes);
	uint32 count = 0;
	uint32 capacity = 64;
	uint32 op = 0;
	int	   done = 0;
	int	   at;

	*ops = palloc_array(DeltaOp, capacity);
	while ((at = find(&r->flat, done, r->search, r->search_bytes)) >= 0)
	{
		CHECK_FOR_INTERRUPTS();
		if (count + 3 > capacity)
		{
			capacity *= 2;
			*ops = repalloc_huge(*ops, capacity * sizeof(DeltaOp));
		}
		if (at > done)
			(*ops)[count++] =
				(DeltaOp){.kind = DELTA_RETAIN, .units = utf16_units(r->flat.data + done, at - done)};
		while (r->op_ends[op] <= at)
			op++;
		if (r->text_bytes > 0)
			(*ops)[count++] = (DeltaOp){.kind = DELTA_INSERT,
										.bytes = r->text_bytes,
										.units = text_units,
										.data = r->text,
										.ascii = text_units == r->text_bytes,
										.attrs = r->content->ops[op].attrs};
		(*ops)[count++] = (DeltaOp){.kind = DELTA_DELETE, .units = search_units};
		done = at + r->search_bytes;
	}
	return count;
}

/* replace_text(doc_id, search, replacement) */
PG_FUNCTION_INFO_V1(edit_replace_text);
Datum
edit_replace_text(PG_FUNCTION_ARGS)
{
	text	   *search = PG_GETARG_TEXT_PP(1);
	text	   *replacement = PG_GETARG_TEXT_PP(2);
	Replacement r = {0};
	Delta		content;
	Delta		change;
	Delta		raw;
	Arena		arena;
	Edit		edit;
	Buf			json;
	int64		version;

	submit_enter("collab.replace_text()");
	r.search = VARDATA_ANY(search);
	r.search_bytes = VARSIZE_ANY_EXHDR(search);
	r.text = VARDATA_ANY(replacement);
	r.text_bytes = VARSIZE_ANY_EXHDR(replacement);
	if (r.search_bytes == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("text to search for must not be empty")));

	/* What is replaced is what is there once the lock is held. */
	edit_begin(&edit, PG_GETARG_TEXT_PP(0), -1);
	version = edit.tail.version;
	pg_arena_init(&arena);
	head_content_delta(head_cache_get(&edit.tail), &arena, &content);
	r.content = &content;
	initStringInfo(&r.flat);
	r.op_ends = palloc_array(int, Max(content.count, 1));
	flatten(&content, &r.flat, r.op_ends);

	raw.count = collect_ops(&r, &raw.ops);
	if (raw.count > 0)
	{
		buf_init(&json, pg_alloc(CurrentMemoryContext));
		delta_print(&raw, &json);
		parse_edit(&json, &arena, &change);
		version = edit_submit(&edit, &change);
	}
	edit_finish(&edit);
	submit_leave();
	PG_RETURN_INT64(version);
}

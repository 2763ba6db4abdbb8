/* render_functions.c - documents as HTML and as Markdown: html, markdown, to_html, to_markdown. */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "delta_type.h"
#include "errors.h"
#include "html.h"
#include "markdown.h"
#include "pg_alloc.h"
#include "read.h"

/*
 * A line of two bytes may carry a link of two kilobytes, so what comes out is bounded by itself, not by what went in.
 */
#define RENDER_BYTES ((size_t) 256 * 1024 * 1024)

typedef CollabStatus (*Renderer)(Arena *scratch, const Delta *document, size_t limit, Buf *out,
								 CollabError *err);

static Datum
render(Datum value, Renderer renderer)
{
	CollabError	 err = {0};
	CollabStatus status;
	Arena		 arena;
	Delta		 document;
	Buf			 buf;

	pg_arena_init(&arena);
	delta_from_datum(value, &arena, &document);
	pg_buf_init(&buf);
	status = renderer(&arena, &document, RENDER_BYTES, &buf, &err);
	if (status == COLLAB_LIMIT)
		ereport(ERROR,
				(errcode(ERRCODE_COLLAB_DOCUMENT_SIZE), errmsg("the document is too large to be rendered"),
				 errdetail("It would take more than %zu bytes.", RENDER_BYTES),
				 errhint("Read it as a delta or as text, or render slices of it.")));
	errors_check(status, &err);
	return PointerGetDatum(pg_buf_finish(&buf));
}

PG_FUNCTION_INFO_V1(delta_to_html_sql);
Datum
delta_to_html_sql(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(render(PG_GETARG_DATUM(0), html_render));
}

PG_FUNCTION_INFO_V1(delta_to_markdown_sql);
Datum
delta_to_markdown_sql(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(render(PG_GETARG_DATUM(0), markdown_render));
}

/* (doc_id, version): not strict, because a NULL version means the head. */
static Datum
render_version(FunctionCallInfo fcinfo, Renderer renderer)
{
	Snapshot	snapshot = GetActiveSnapshot();
	ReadTarget	target = {.version = PG_INT64_MAX, .until = DT_NOEND};
	DocumentRow document;

	read_document_row(PG_GETARG_TEXT_PP(0), snapshot, &document);
	if (!PG_ARGISNULL(1))
	{
		target.version = PG_GETARG_INT64(1);
		read_check_version(&document, target.version, snapshot);
	}
	return render(read_content_datum(&document, &target, snapshot, false), renderer);
}

PG_FUNCTION_INFO_V1(read_html);
Datum
read_html(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(render_version(fcinfo, html_render));
}

PG_FUNCTION_INFO_V1(read_markdown);
Datum
read_markdown(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(render_version(fcinfo, markdown_render));
}

/* fuzz_render.c - any document in: its HTML is well-formed and holds only what it may, its Markdown no raw tag; both of bounded size. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/html.h"
#include "../../core/markdown.h"
#include "../core/random_delta.h"
#include "../core/render_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool good, const char *what, Arena *arena, const Delta *document, const Buf *out)
{
	if (good)
		return;
	fprintf(stderr, "fuzz_render: %s\n%s\n%.*s\n", what, show(arena, document), (int) out->size, out->data);
	abort();
}

/*
 * A unit costs its markup at most: the attributes of its op several times over, an entity of ten bytes, the tags of its line
 * and run, an indentation of some items.
 */
static size_t
most(const Delta *document)
{
	size_t	 bytes = 400;
	uint32_t i;

	for (i = 0; i < document->count; i++)
	{
		const DeltaOp *op = &document->ops[i];

		bytes += (size_t) op->units * (400 + 6 * op->attrs.bytes);
		if (op->kind == DELTA_INSERT_EMBED)
			bytes += 14 * (size_t) op->bytes;
	}
	return bytes;
}

/* Code is the only place where a tag may stand as it is: there, and nowhere else, lines are between fences. */
static bool
has_raw_tag(const Buf *markdown)
{
	size_t i;

	if (markdown->size > 0 && memchr(markdown->data, '`', markdown->size) != NULL)
		return false;
	for (i = 0; i < markdown->size; i++)
		if (markdown->data[i] == '<')
			return true;
	return false;
}

/* The first byte: a document made of decisions with Quill's formats, or any JSON that is a document. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Arena		arena;
	Delta		document;
	Buf			out;
	const char *fault;

	if (size < 2)
		return 0;
	arena_init(&arena, collab_malloc_alloc);
	buf_init(&out, collab_malloc_alloc);
	if (data[0] != '{' && data[0] != '[')
		document = render_random_document(&arena, data + 1, size - 1);
	else if (delta_parse(&arena, (const char *) data, size, &delta_limits_none, &document, NULL) != COLLAB_OK ||
			 !delta_is_document(&document))
	{
		arena_free(&arena);
		return 0;
	}
	require(html_render(&arena, &document, 0, &out, NULL) == COLLAB_OK, "no HTML", &arena, &document, &out);
	fault = render_html_fault(out.data, out.size);
	require(fault == NULL, fault, &arena, &document, &out);
	require(out.size <= most(&document), "HTML without bounds", &arena, &document, &out);
	buf_clear(&out);
	require(markdown_render(&arena, &document, 0, &out, NULL) == COLLAB_OK, "no Markdown", &arena, &document,
			&out);
	require(!has_raw_tag(&out), "a raw tag", &arena, &document, &out);
	require(out.size <= most(&document), "Markdown without bounds", &arena, &document, &out);
	buf_free(&out);
	arena_free(&arena);
	return 0;
}

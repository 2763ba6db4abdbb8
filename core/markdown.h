/* markdown.h - a document as Markdown whose text reads as it was typed. */
#ifndef COLLAB_MARKDOWN_H
#define COLLAB_MARKDOWN_H

#include "delta.h"

/*
 * Appends CommonMark, and of GitHub's extensions ~~strikethrough~~ and [x] task items. Text is escaped, so that what
 * looks like Markdown or HTML in it comes out of a parser as the text that it is. What Markdown cannot say (colours,
 * underlines, alignment, empty lines ...) is left out.
 *
 * COLLAB_MISMATCH where `document` is none, COLLAB_LIMIT beyond `limit` bytes (0: no limit). `scratch` holds what is
 * needed on the way; nothing of the result points into it.
 */
CollabStatus markdown_render(Arena *scratch, const Delta *document, size_t limit, Buf *out,
							 CollabError *err) COLLAB_MUST_CHECK;

#endif

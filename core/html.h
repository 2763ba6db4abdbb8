/* html.h - a document as HTML that is safe to show, whatever its users wrote into it. */
#ifndef COLLAB_HTML_H
#define COLLAB_HTML_H

#include "delta.h"

/*
 * Appends a fragment of well-formed HTML: one block per line of the document, without a root. Text and attributes
 * are escaped, an attribute that is not exactly what it should be is left out, and of addresses only those get
 * through that run nothing (render.h). What comes out holds no scripts, no event handlers, no frames.
 *
 * COLLAB_MISMATCH where `document` is none, COLLAB_LIMIT beyond `limit` bytes (0: no limit). `scratch` holds what is
 * needed on the way; nothing of the result points into it.
 */
CollabStatus html_render(Arena *scratch, const Delta *document, size_t limit, Buf *out,
						 CollabError *err) COLLAB_MUST_CHECK;

#endif

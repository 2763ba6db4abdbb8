/* markdown_text.h - one line of a document as inline Markdown. */
#ifndef COLLAB_MARKDOWN_TEXT_H
#define COLLAB_MARKDOWN_TEXT_H

#include "render.h"

/* A run as far as Markdown can tell it from the next. Text and addresses are spans, so that a line of any length is one array. */
typedef struct MarkdownPiece
{
	const DeltaOp *op;	 /* of an embed, NULL for text */
	const char	  *data; /* of text */
	uint32_t	   bytes;
	uint8_t		   marks;	   /* MARK_* */
	uint32_t	   link_bytes; /* 0: no link */
	size_t		   link;	   /* offset into MarkdownText.links */
} MarkdownPiece;

typedef struct MarkdownText
{
	Render *render;
	Buf	   *out;
	Buf		pieces; /* MarkdownPiece[] of the line */
	Buf		links;	/* their addresses */
} MarkdownText;

void markdown_text_init(MarkdownText *text, Render *render, Arena *scratch);
/* Reads a line; *empty: nothing of it will be written. */
CollabStatus markdown_text_read(MarkdownText *text, const RenderLine *line, bool *empty) COLLAB_MUST_CHECK;
/* Writes the line that was read last, so that it stands well at the start of a block and is its only line. */
CollabStatus markdown_text_write(MarkdownText *text) COLLAB_MUST_CHECK;
/* Text as it may stand in a code span or block: as it is, but for what no parser lets through. */
void markdown_text_raw(Buf *out, const char *data, size_t bytes);

#endif

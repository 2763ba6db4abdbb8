/* markdown.c - a document as Markdown: the blocks. One line of the document is one block, or one item of a list. */
#include "markdown.h"

#include <string.h>

#include "markdown_text.h"

/*
 * Blocks are separated by blank lines, items of a list are not. An empty line is nothing, as Markdown has no empty
 * paragraphs; in lists and code it counts.
 *
 * A list inside of an item stands as far to the right as the text of that item. A list that follows another one directly
 * takes other markers (* and 1) instead of - and 1.), or a parser would take both for one.
 */
#define MAX_LISTS (RENDER_MAX_INDENT + 1)
#define MIN_FENCE 3

typedef struct MarkdownList
{
	int		 indent; /* of the document's lines */
	bool	 ordered;
	uint32_t number;  /* of the item that is open */
	int		 column;  /* where its marker stands */
	int		 content; /* where its text stands */
	bool	 empty;	  /* nothing stands behind its marker */
} MarkdownList;

typedef struct Markdown
{
	Render			render;
	MarkdownText	text;
	Buf			   *out;
	size_t			begin; /* of the document in `out` */
	RenderBlockKind last;  /* of the line written last */
	MarkdownList	lists[MAX_LISTS];
	int				depth;
	bool			other; /* markers of the current list */
} Markdown;

static void
separate(Markdown *md)
{
	if (md->out->size > md->begin)
		buf_char(md->out, '\n');
}

/* ---- lists ---- */

static int
count_digits(uint32_t number)
{
	int digits = 1;

	for (; number >= 10; number /= 10)
		digits++;
	return digits;
}

/* Parsers take at most nine digits; longer lists repeat the last number, which nobody looks at but for the first. */
static void
next_item(MarkdownList *list)
{
	if (list->number < 999999999)
		list->number++;
	list->content = list->column + (list->ordered ? count_digits(list->number) + 2 : 2);
}

static void
open_list(Markdown *md, const RenderBlock *block)
{
	MarkdownList *list = &md->lists[md->depth];

	list->indent = block->indent;
	list->ordered = block->list == RENDER_ORDERED;
	list->number = 0;
	list->column = md->depth > 0 ? md->lists[md->depth - 1].content : 0;
	md->depth++;
	next_item(list);
}

/* Makes the innermost list the one that this line belongs to; *opened: it is new. */
static MarkdownList *
enter_list(Markdown *md, const RenderBlock *block, bool *opened)
{
	bool		  ordered = block->list == RENDER_ORDERED;
	MarkdownList *top;

	while (md->depth > 0 && md->lists[md->depth - 1].indent > block->indent)
		md->depth--;
	top = md->depth > 0 ? &md->lists[md->depth - 1] : NULL;
	*opened = top == NULL || top->indent != block->indent || top->ordered != ordered;
	if (!*opened)
	{
		next_item(top);
		return top;
	}
	if (top != NULL && top->indent == block->indent)
		md->depth--;
	open_list(md, block);
	return &md->lists[md->depth - 1];
}

static void
write_marker(Markdown *md, const MarkdownList *list, const RenderBlock *block)
{
	int i;

	for (i = 0; i < list->column; i++)
		buf_char(md->out, ' ');
	if (list->ordered)
	{
		buf_u64(md->out, list->number);
		buf_char(md->out, md->other ? ')' : '.');
	}
	else
		buf_char(md->out, md->other ? '*' : '-');
	if (block->list == RENDER_CHECKED)
		buf_str(md->out, " [x]");
	else if (block->list == RENDER_UNCHECKED)
		buf_str(md->out, " [ ]");
}

static CollabStatus
write_item(Markdown *md, const RenderLine *line)
{
	MarkdownList *list;
	CollabStatus  status;
	bool		  opened;
	bool		  empty;

	if (md->last != RENDER_LIST)
		md->depth = 0;
	list = enter_list(md, &line->block, &opened);
	if (md->depth == 1 && opened)
	{
		md->other = md->last == RENDER_LIST && !md->other;
		separate(md);
	}
	status = markdown_text_read(&md->text, line, &empty);
	if (status != COLLAB_OK)
		return status;
	list->empty = empty && line->block.list <= RENDER_ORDERED;
	/* directly below text, an empty marker would be taken for a part of it */
	if (list->empty && opened && md->depth > 1 && !md->lists[md->depth - 2].empty)
		buf_char(md->out, '\n');
	write_marker(md, list, &line->block);
	if (!empty)
	{
		buf_char(md->out, ' ');
		status = markdown_text_write(&md->text);
	}
	buf_char(md->out, '\n');
	return status;
}

/* ---- code ---- */

typedef struct CodeScan
{
	size_t longest; /* row of backticks */
	size_t row;
} CodeScan;

static void
scan_code(CodeScan *scan, const char *data, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i++)
	{
		scan->row = data[i] == '`' ? scan->row + 1 : 0;
		if (scan->row > scan->longest)
			scan->longest = scan->row;
	}
}

static bool
same_code(const RenderBlock *a, const RenderBlock *b)
{
	return b->kind == RENDER_CODE && a->language.bytes == b->language.bytes &&
		   (a->language.bytes == 0 || memcmp(a->language.data, b->language.data, a->language.bytes) == 0);
}

/* Visits the text of a line of code: to look at it, or to write it. */
static CollabStatus
walk_code(Markdown *md, const RenderLine *line, CodeScan *scan)
{
	RenderPlace at = line->start;
	RenderRun	run;

	while (render_next_run(&md->render, line, &at, &run))
	{
		CollabStatus status = render_check(&md->render);

		if (status != COLLAB_OK)
			return status;
		if (run.data == NULL)
			continue;
		if (scan != NULL)
			scan_code(scan, run.data, run.bytes);
		else
			markdown_text_raw(md->out, run.data, run.bytes);
	}
	if (scan != NULL)
		scan->row = 0;
	else
		buf_char(md->out, '\n');
	return COLLAB_OK;
}

static void
write_fence(Markdown *md, size_t backticks)
{
	size_t i;

	for (i = 0; i < backticks; i++)
		buf_char(md->out, '`');
}

/* All lines of one block of code, of which `line` is the first. The fence is longer than any row of backticks in them. */
static CollabStatus
write_code(Markdown *md, const RenderLine *line)
{
	RenderPlace	 start = md->render.at;
	RenderPlace	 behind = start;
	RenderLine	 each = *line;
	CodeScan	 scan = {MIN_FENCE - 1, 0};
	CollabStatus status;

	do
	{
		behind = md->render.at;
		status = walk_code(md, &each, &scan);
		if (status != COLLAB_OK)
			return status;
	} while (render_next_line(&md->render, &each) && same_code(&line->block, &each.block));
	separate(md);
	write_fence(md, scan.longest + 1);
	buf_bytes(md->out, line->block.language.data, line->block.language.bytes);
	buf_char(md->out, '\n');

	md->render.at = start;
	each = *line;
	for (;;)
	{
		status = walk_code(md, &each, NULL);
		if (status != COLLAB_OK)
			return status;
		if (md->render.at.op == behind.op && md->render.at.byte == behind.byte)
			break;
		(void) render_next_line(&md->render, &each);
	}
	write_fence(md, scan.longest + 1);
	buf_char(md->out, '\n');
	return COLLAB_OK;
}

/* ---- other blocks ---- */

static CollabStatus
write_simple(Markdown *md, const RenderLine *line)
{
	bool		 empty;
	int			 i;
	CollabStatus status = markdown_text_read(&md->text, line, &empty);

	if (status != COLLAB_OK)
		return status;
	if (empty && line->block.kind != RENDER_HEADING)
	{
		/* it is not seen, but a list ends here */
		md->depth = 0;
		return COLLAB_OK;
	}
	if (line->block.kind == RENDER_QUOTE && md->last == RENDER_QUOTE)
		buf_str(md->out, ">\n");
	else
		separate(md);
	if (line->block.kind == RENDER_QUOTE)
		buf_str(md->out, "> ");
	if (line->block.kind == RENDER_HEADING)
	{
		for (i = 0; i < line->block.level; i++)
			buf_char(md->out, '#');
		buf_str(md->out, empty ? "" : " ");
	}
	status = markdown_text_write(&md->text);
	buf_char(md->out, '\n');
	md->last = line->block.kind;
	return status;
}

static CollabStatus
write_line(Markdown *md, const RenderLine *line)
{
	CollabStatus status;

	switch (line->block.kind)
	{
		case RENDER_LIST:
			status = write_item(md, line);
			md->last = RENDER_LIST;
			return status;
		case RENDER_CODE:
			status = write_code(md, line);
			md->last = RENDER_CODE;
			return status;
		case RENDER_PARAGRAPH:
		case RENDER_HEADING:
		case RENDER_QUOTE:
			break;
	}
	return write_simple(md, line);
}

CollabStatus
markdown_render(Arena *scratch, const Delta *document, size_t limit, Buf *out, CollabError *err)
{
	Markdown	 md;
	RenderLine	 line;
	CollabStatus status = render_begin(&md.render, scratch, document, limit, out, err);

	if (status != COLLAB_OK)
		return status;
	markdown_text_init(&md.text, &md.render, scratch);
	md.out = out;
	md.begin = out->size;
	md.last = RENDER_PARAGRAPH;
	md.depth = 0;
	md.other = false;
	while (render_next_line(&md.render, &line))
	{
		status = write_line(&md, &line);
		if (status == COLLAB_OK)
			status = render_check(&md.render);
		if (status != COLLAB_OK)
			return status;
	}
	return render_check(&md.render);
}

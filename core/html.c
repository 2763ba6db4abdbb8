/* html.c - a document as HTML: every tag that is opened is closed in the same function, everything else is escaped. */
#include "html.h"

#include <string.h>

#include "render.h"

/*
 *	line			<p>, <h1> ... <h6>; neighbours go together into <ul>, <ol>, <blockquote> or <pre><code>
 *	run				<a><strong><em><u><s><sub><code><span style>, always in this order, around each run
 *	image			<img>
 *	other embeds	<a data-embed="video">, <span data-embed="formula">; unknown ones are an empty <span>
 *
 * Colours and the like are inline styles, so that the fragment needs no style sheet.
 */
#define MAX_LISTS (RENDER_MAX_INDENT + 1)

typedef struct OpenList
{
	int	 indent;
	bool ordered;
} OpenList;

typedef struct Html
{
	Render render;
	Buf	  *out;
	RenderBlockKind
		open; /* of what neighbouring lines share: RENDER_LIST, RENDER_QUOTE, RENDER_CODE, or none of these */
	RenderSpan language; /* of the open code */
	OpenList   lists[MAX_LISTS];
	int		   depth; /* of open lists; in each an item is open */
} Html;

/* ---- text ---- */

/* Only a carriage return needs more than the five: parsers take a raw one for a newline. */
static const char *
escape_of(char c)
{
	switch (c)
	{
		case '&':
			return "&amp;";
		case '<':
			return "&lt;";
		case '>':
			return "&gt;";
		case '"':
			return "&quot;";
		case '\'':
			return "&#39;";
		case '\r':
			return "&#13;";
	}
	return NULL;
}

static void
write_escaped(Buf *out, const char *text, size_t bytes)
{
	size_t from = 0;
	size_t i;

	for (i = 0; i < bytes; i++)
	{
		const char *escape;

		/* all that is escaped is at most '>' */
		if ((unsigned char) text[i] > '>' || (escape = escape_of(text[i])) == NULL)
			continue;
		buf_bytes(out, text + from, i - from);
		buf_str(out, escape);
		from = i + 1;
	}
	buf_bytes(out, text + from, bytes - from);
}

static void
write_span(Buf *out, RenderSpan span)
{
	write_escaped(out, span.data, span.bytes);
}

static void
write_attribute(Buf *out, const char *name, RenderSpan value)
{
	if (value.data == NULL)
		return;
	buf_char(out, ' ');
	buf_str(out, name);
	buf_str(out, "=\"");
	write_span(out, value);
	buf_char(out, '"');
}

/* ---- styles ---- */

static void
style_property(Buf *out, bool *any, const char *property, const char *value, size_t bytes)
{
	buf_str(out, *any ? ";" : " style=\"");
	*any = true;
	buf_str(out, property);
	buf_char(out, ':');
	write_escaped(out, value, bytes);
}

static void
style_span(Buf *out, bool *any, const char *property, RenderSpan value)
{
	if (value.data != NULL)
		style_property(out, any, property, value.data, value.bytes);
}

static void
style_end(Buf *out, bool any)
{
	if (any)
		buf_char(out, '"');
}

/* ---- runs ---- */

static bool
has_style(const RenderInline *format)
{
	return format->color.data != NULL || format->background.data != NULL || format->font.data != NULL ||
		   format->size.data != NULL;
}

static void
open_link(Buf *out, RenderSpan link)
{
	buf_str(out, "<a");
	write_attribute(out, "href", link);
	buf_str(out, " rel=\"noopener noreferrer nofollow\"");
}

static void
open_inline(Buf *out, const RenderInline *format, bool link)
{
	bool any = false;

	if (link)
	{
		open_link(out, format->link);
		buf_char(out, '>');
	}
	if (format->bold)
		buf_str(out, "<strong>");
	if (format->italic)
		buf_str(out, "<em>");
	if (format->underline)
		buf_str(out, "<u>");
	if (format->strike)
		buf_str(out, "<s>");
	if (format->script != RENDER_SCRIPT_NONE)
		buf_str(out, format->script == RENDER_SCRIPT_SUB ? "<sub>" : "<sup>");
	if (format->code)
		buf_str(out, "<code>");
	if (has_style(format))
	{
		buf_str(out, "<span");
		style_span(out, &any, "color", format->color);
		style_span(out, &any, "background-color", format->background);
		style_span(out, &any, "font-family", format->font);
		style_span(out, &any, "font-size", format->size);
		style_end(out, any);
		buf_char(out, '>');
	}
}

static void
close_inline(Buf *out, const RenderInline *format, bool link)
{
	if (has_style(format))
		buf_str(out, "</span>");
	if (format->code)
		buf_str(out, "</code>");
	if (format->script != RENDER_SCRIPT_NONE)
		buf_str(out, format->script == RENDER_SCRIPT_SUB ? "</sub>" : "</sup>");
	if (format->strike)
		buf_str(out, "</s>");
	if (format->underline)
		buf_str(out, "</u>");
	if (format->italic)
		buf_str(out, "</em>");
	if (format->bold)
		buf_str(out, "</strong>");
	if (link)
		buf_str(out, "</a>");
}

static void
write_image(Buf *out, const RenderEmbed *embed)
{
	static const RenderSpan none = {"", 0};

	buf_str(out, "<img");
	write_attribute(out, "src", embed->value);
	write_attribute(out, "alt", embed->alt.data != NULL ? embed->alt : none);
	write_attribute(out, "width", embed->width);
	write_attribute(out, "height", embed->height);
	buf_char(out, '>');
}

static void
write_embed(Buf *out, const RenderEmbed *embed)
{
	static const char *const names[] = {
		[RENDER_EMBED_IMAGE] = "image",
		[RENDER_EMBED_VIDEO] = "video",
		[RENDER_EMBED_FORMULA] = "formula",
		[RENDER_EMBED_OTHER] = "other",
	};

	if (embed->kind == RENDER_EMBED_IMAGE && embed->value.data != NULL)
		write_image(out, embed);
	else if (embed->kind == RENDER_EMBED_VIDEO && embed->value.data != NULL)
	{
		open_link(out, embed->value);
		buf_str(out, " data-embed=\"video\">");
		write_span(out, embed->value);
		buf_str(out, "</a>");
	}
	else
	{
		buf_str(out, "<span data-embed=\"");
		buf_str(out, names[embed->kind]);
		buf_str(out, "\">");
		if (embed->kind == RENDER_EMBED_FORMULA && embed->value.data != NULL)
			write_span(out, embed->value);
		buf_str(out, "</span>");
	}
}

static CollabStatus
write_runs(Html *html, const RenderLine *line)
{
	RenderPlace at = line->start;
	RenderRun	run;

	while (render_next_run(&html->render, line, &at, &run))
	{
		const RenderInline *format = render_inline(&html->render, &run);
		RenderEmbed			embed;
		bool				link = format->link.data != NULL;
		CollabStatus		status = render_check(&html->render);

		if (status != COLLAB_OK)
			return status;
		if (run.data == NULL)
		{
			render_embed(&html->render, &run, &embed);
			/* a link holds no link */
			link = link && embed.kind != RENDER_EMBED_VIDEO;
		}
		open_inline(html->out, format, link);
		if (run.data == NULL)
			write_embed(html->out, &embed);
		else
			write_escaped(html->out, run.data, run.bytes);
		close_inline(html->out, format, link);
	}
	return COLLAB_OK;
}

/* ---- lines ---- */

/* Browsers fold spaces: of a line where that would show, the style forbids it. */
static bool
has_wide_space(const Html *html, const RenderLine *line)
{
	RenderPlace at = line->start;
	RenderRun	run;
	bool		space = true;

	while (render_next_run(&html->render, line, &at, &run))
	{
		uint32_t i;

		if (run.data == NULL)
			space = false;
		for (i = 0; i < run.bytes; i++)
		{
			if (run.data[i] == '\t' || (space && run.data[i] == ' '))
				return true;
			space = run.data[i] == ' ';
		}
	}
	return space;
}

/* What stands in the tag of any line. The items of a list are indented by their lists. */
static void
write_line_attributes(Html *html, const RenderLine *line)
{
	static const char *const paddings[RENDER_MAX_INDENT + 1] = {"",		"3em",	"6em",	"9em", "12em",
																"15em", "18em", "21em", "24em"};
	const RenderBlock		*block = &line->block;
	bool					 any = false;

	if (block->rtl)
		buf_str(html->out, " dir=\"rtl\"");
	style_span(html->out, &any, "text-align", block->align);
	if (block->indent > 0 && block->kind != RENDER_LIST)
		style_property(html->out, &any, block->rtl ? "padding-right" : "padding-left",
					   paddings[block->indent], strlen(paddings[block->indent]));
	if (!line->empty && has_wide_space(html, line))
		style_property(html->out, &any, "white-space", "pre-wrap", 8);
	style_end(html->out, any);
}

static CollabStatus
write_block(Html *html, const RenderLine *line, const char *tag)
{
	CollabStatus status = COLLAB_OK;

	buf_char(html->out, '<');
	buf_str(html->out, tag);
	write_line_attributes(html, line);
	buf_char(html->out, '>');
	if (line->empty)
		buf_str(html->out, "<br>");
	else
		status = write_runs(html, line);
	buf_str(html->out, "</");
	buf_str(html->out, tag);
	buf_str(html->out, ">\n");
	return status;
}

/* Code is text alone. */
static CollabStatus
write_code(Html *html, const RenderLine *line)
{
	RenderPlace at = line->start;
	RenderRun	run;

	while (render_next_run(&html->render, line, &at, &run))
	{
		CollabStatus status = render_check(&html->render);

		if (status != COLLAB_OK)
			return status;
		if (run.data != NULL)
			write_escaped(html->out, run.data, run.bytes);
	}
	buf_char(html->out, '\n');
	return COLLAB_OK;
}

/* ---- lists ---- */

static void
close_list(Html *html)
{
	buf_str(html->out, "</li>\n");
	buf_str(html->out, html->lists[--html->depth].ordered ? "</ol>\n" : "</ul>\n");
}

/* Makes the innermost open list the one that an item of this line belongs to, and opens the item. */
static void
enter_list(Html *html, const RenderBlock *block)
{
	bool	  ordered = block->list == RENDER_ORDERED;
	OpenList *top;

	while (html->depth > 0 && html->lists[html->depth - 1].indent > block->indent)
		close_list(html);
	if (html->depth > 0 && html->lists[html->depth - 1].indent == block->indent &&
		html->lists[html->depth - 1].ordered != ordered)
		close_list(html);
	if (html->depth > 0 && html->lists[html->depth - 1].indent == block->indent)
	{
		buf_str(html->out, "</li>\n");
		return;
	}
	top = &html->lists[html->depth++];
	top->indent = block->indent;
	top->ordered = ordered;
	buf_str(html->out, ordered ? "<ol>\n" : "<ul>\n");
}

/* Leaves the item open: lists inside of it may follow. */
static CollabStatus
write_item(Html *html, const RenderLine *line)
{
	const RenderBlock *block = &line->block;

	enter_list(html, block);
	buf_str(html->out, "<li");
	write_line_attributes(html, line);
	buf_char(html->out, '>');
	if (block->list == RENDER_CHECKED)
		buf_str(html->out, "<input type=\"checkbox\" disabled checked>");
	else if (block->list == RENDER_UNCHECKED)
		buf_str(html->out, "<input type=\"checkbox\" disabled>");
	return write_runs(html, line);
}

/* ---- what neighbouring lines share ---- */

static void
close_shared(Html *html)
{
	while (html->depth > 0)
		close_list(html);
	if (html->open == RENDER_QUOTE)
		buf_str(html->out, "</blockquote>\n");
	else if (html->open == RENDER_CODE)
		buf_str(html->out, "</code></pre>\n");
	html->open = RENDER_PARAGRAPH;
}

static bool
same_span(RenderSpan a, RenderSpan b)
{
	return a.bytes == b.bytes && (a.bytes == 0 || memcmp(a.data, b.data, a.bytes) == 0);
}

static void
open_shared(Html *html, const RenderBlock *block)
{
	if (html->open == block->kind && (block->kind != RENDER_CODE || same_span(html->language, block->language)))
		return;
	close_shared(html);
	html->open = block->kind;
	if (block->kind == RENDER_QUOTE)
		buf_str(html->out, "<blockquote>\n");
	else if (block->kind == RENDER_CODE)
	{
		html->language = block->language;
		buf_str(html->out, "<pre><code");
		if (block->language.data != NULL)
		{
			buf_str(html->out, " class=\"language-");
			write_span(html->out, block->language);
			buf_char(html->out, '"');
		}
		buf_char(html->out, '>');
	}
}

static CollabStatus
write_line(Html *html, const RenderLine *line)
{
	char heading[] = "h1";

	open_shared(html, &line->block);
	switch (line->block.kind)
	{
		case RENDER_HEADING:
			heading[1] = (char) ('0' + line->block.level);
			return write_block(html, line, heading);
		case RENDER_LIST:
			return write_item(html, line);
		case RENDER_CODE:
			return write_code(html, line);
		case RENDER_QUOTE:
		case RENDER_PARAGRAPH:
			break;
	}
	return write_block(html, line, "p");
}

CollabStatus
html_render(Arena *scratch, const Delta *document, size_t limit, Buf *out, CollabError *err)
{
	Html		 html;
	RenderLine	 line;
	CollabStatus status = render_begin(&html.render, scratch, document, limit, out, err);

	html.out = out;
	html.open = RENDER_PARAGRAPH;
	html.depth = 0;
	while (status == COLLAB_OK && render_next_line(&html.render, &line))
	{
		status = write_line(&html, &line);
		if (status == COLLAB_OK)
			status = render_check(&html.render);
	}
	if (status != COLLAB_OK)
		return status;
	close_shared(&html);
	return render_check(&html.render);
}

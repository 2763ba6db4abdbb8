/* markdown_text.c - text, marks, links and embeds of a line, written so that a CommonMark parser reads them back. */
#include "markdown_text.h"

#include <string.h>

/*
 * Escaping. Characters that may begin something inside a line get a backslash, those of HTML become entities; what only
 * means something at the start or the end of a line is escaped there. Control characters, which parsers replace or
 * drop, become U+FFFD.
 *
 * Marks. ** ** (bold), ~~ ~~ (strike) and _ _ (italic) are nested in this order inside of [links](...). Whether a parser takes
 * such a delimiter for one depends on the characters on both sides of it ("left-flanking", "right-flanking"). Text cannot
 * be changed, but it can be written in another way: an entity begins with & and ends with ;, which are punctuation. So beside
 * delimiters
 *
 *	- a character inside that is neither a letter, a digit nor punctuation of ASCII is written as an entity: the inner
 *	  side of a delimiter must not be white space, and what all of Unicode's white space is, parsers disagree on;
 *	- a character outside that is neither white space nor punctuation of ASCII is written as an entity, too: then whatever
 *	  is inside will do. It is not needed for a single ** or ~~ beside a word, which is allowed to end inside of a word.
 *
 * Two delimiters of the same character never meet: there is always a bracket, or one of another kind, between them.
 */
#define MARK_BOLD 1
#define MARK_STRIKE 2
#define MARK_ITALIC 4
#define MARK_CODE 8 /* no delimiter: code is written as a whole */
#define MARKS_DELIMITED (MARK_BOLD | MARK_STRIKE | MARK_ITALIC)

#define REPLACEMENT "\xEF\xBF\xBD"

/* ---- characters ---- */

static uint32_t
read_char(const char *at, unsigned *bytes)
{
	const unsigned char *p = (const unsigned char *) at;

	if (p[0] < 0x80)
	{
		*bytes = 1;
		return p[0];
	}
	if (p[0] < 0xE0)
	{
		*bytes = 2;
		return (uint32_t) (p[0] & 0x1F) << 6 | (p[1] & 0x3F);
	}
	if (p[0] < 0xF0)
	{
		*bytes = 3;
		return (uint32_t) (p[0] & 0x0F) << 12 | (uint32_t) (p[1] & 0x3F) << 6 | (p[2] & 0x3F);
	}
	*bytes = 4;
	return (uint32_t) (p[0] & 0x07) << 18 | (uint32_t) (p[1] & 0x3F) << 12 | (uint32_t) (p[2] & 0x3F) << 6 |
		   (p[3] & 0x3F);
}

static uint32_t
last_char(const char *data, size_t bytes)
{
	const char *at = data + bytes - 1;
	unsigned	size;

	while (((unsigned char) *at & 0xC0) == 0x80)
		at--;
	return read_char(at, &size);
}

/* Control characters and what Unicode calls no characters. */
static bool
is_unprintable(uint32_t c)
{
	return (c < ' ' && c != '\t' && c != '\r') || (c >= 0x7F && c < 0xA0) || (c >= 0xFDD0 && c <= 0xFDEF) ||
		   (c & 0xFFFE) == 0xFFFE;
}

/* What some parser cuts off at the ends of a line. */
static bool
is_white(uint32_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
		   c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000 || c == 0xFEFF;
}

static bool
is_word(uint32_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_graphic(uint32_t c)
{
	return c > ' ' && c < 0x7F;
}

static void
write_entity(Buf *out, uint32_t c)
{
	buf_str(out, "&#");
	buf_u64(out, is_unprintable(c) ? 0xFFFD : c);
	buf_char(out, ';');
}

void
markdown_text_raw(Buf *out, const char *data, size_t bytes)
{
	size_t from = 0;
	size_t i = 0;

	while (i < bytes)
	{
		unsigned size;
		uint32_t c = read_char(data + i, &size);

		if (is_unprintable(c) || c == '\r')
		{
			buf_bytes(out, data + from, i - from);
			buf_str(out, REPLACEMENT);
			from = i + size;
		}
		i += size;
	}
	buf_bytes(out, data + from, bytes - from);
}

/* ---- text ---- */

/* Where a line's writing stands, for what means something only at its start. */
typedef enum LineStart
{
	LINE_EMPTY,
	LINE_DIGITS, /* nothing but one to nine digits so far */
	LINE_TEXT
} LineStart;

static const char *
escape_of(uint32_t c)
{
	switch (c)
	{
		case '\\':
			return "\\\\";
		case '`':
			return "\\`";
		case '*':
			return "\\*";
		case '_':
			return "\\_";
		case '[':
			return "\\[";
		case ']':
			return "\\]";
		case '~':
			return "\\~";
		case '&':
			return "&amp;";
		case '<':
			return "&lt;";
		case '>':
			return "&gt;";
		case '\r':
			return "&#13;";
	}
	return is_unprintable(c) ? REPLACEMENT : NULL;
}

static bool
begins_block(uint32_t c, LineStart start)
{
	if (start == LINE_EMPTY)
		return c == '#' || c == '+' || c == '-' || c == '=';
	return start == LINE_DIGITS && (c == '.' || c == ')');
}

typedef struct TextEnds
{
	bool entity_first; /* the first character has to be written as an entity */
	bool entity_last;
	bool line_last; /* the line ends behind it */
} TextEnds;

static LineStart
after_char(uint32_t c, LineStart start)
{
	return start != LINE_TEXT && c >= '0' && c <= '9' ? LINE_DIGITS : LINE_TEXT;
}

static void
write_text(Buf *out, const char *data, size_t bytes, TextEnds ends, LineStart *start)
{
	size_t from = 0;
	size_t i = 0;

	while (i < bytes)
	{
		unsigned	size;
		uint32_t	c = read_char(data + i, &size);
		bool		last = i + size == bytes;
		const char *escape = escape_of(c);
		bool		entity = (i == 0 && ends.entity_first) || (last && ends.entity_last);

		if (is_white(c) && (*start == LINE_EMPTY || (last && ends.line_last)))
			entity = true;
		if (entity || escape != NULL || begins_block(c, *start) || (c == '#' && last && ends.line_last))
		{
			buf_bytes(out, data + from, i - from);
			from = i + size;
			if (entity)
				write_entity(out, c);
			else if (escape != NULL)
				buf_str(out, escape);
			else
			{
				buf_char(out, '\\');
				from = i;
			}
			*start = LINE_TEXT;
		}
		else
			*start = after_char(c, *start);
		i += size;
	}
	buf_bytes(out, data + from, bytes - from);
}

/* ---- code ---- */

/* Of nothing but spaces parsers cut some off, and what some of them take for the end of a line ends the span. Such code is written as text. */
static bool
fits_code_span(const char *data, size_t bytes)
{
	bool   blank = true;
	size_t i;

	for (i = 0; i < bytes; i++)
	{
		if (data[i] == '\r' || (i + 2 < bytes && (memcmp(data + i, "\xE2\x80\xA8", 3) == 0 ||
												  memcmp(data + i, "\xE2\x80\xA9", 3) == 0)))
			return false;
		blank = blank && data[i] == ' ';
	}
	return !blank;
}

/* The fence is one backtick longer than the longest row inside; a space next to it where the content begins or ends like one. */
static void
write_code_span(Buf *out, const Buf *content)
{
	const char *data = content->data;
	size_t		bytes = content->size;
	size_t		longest = 0;
	size_t		row = 0;
	size_t		i;
	bool		pad;

	for (i = 0; i < bytes; i++)
	{
		row = data[i] == '`' ? row + 1 : 0;
		if (row > longest)
			longest = row;
	}
	pad = data[0] == '`' || data[bytes - 1] == '`' || (data[0] == ' ' && data[bytes - 1] == ' ');
	for (i = 0; i <= longest; i++)
		buf_char(out, '`');
	if (pad)
		buf_char(out, ' ');
	buf_bytes(out, data, bytes);
	if (pad)
		buf_char(out, ' ');
	for (i = 0; i <= longest; i++)
		buf_char(out, '`');
}

/* ---- embeds ---- */

static void
write_address(Buf *out, const char *url, size_t bytes)
{
	size_t from = 0;
	size_t i;

	buf_str(out, "](");
	for (i = 0; i < bytes; i++)
		if (url[i] == '&')
		{
			buf_bytes(out, url + from, i - from);
			buf_str(out, "&amp;");
			from = i + 1;
		}
	buf_bytes(out, url + from, bytes - from);
	buf_char(out, ')');
}

/* Text that stands between brackets or dollars: nothing about its ends matters, but newlines do. */
static void
write_label(Buf *out, RenderSpan label)
{
	TextEnds	ends = {false, false, false};
	LineStart	start = LINE_TEXT;
	const char *at = label.data;
	const char *end = label.data + label.bytes;

	while (at < end)
	{
		const char *newline = memchr(at, '\n', (size_t) (end - at));
		const char *stop = newline != NULL ? newline : end;

		write_text(out, at, (size_t) (stop - at), ends, &start);
		if (newline != NULL)
			buf_str(out, "&#10;");
		at = newline != NULL ? newline + 1 : end;
	}
}

static void
write_embed(Buf *out, const RenderEmbed *embed, bool in_link)
{
	switch (embed->kind)
	{
		case RENDER_EMBED_IMAGE:
			buf_str(out, "![");
			if (embed->alt.data != NULL)
				write_label(out, embed->alt);
			write_address(out, embed->value.data, embed->value.bytes);
			break;
		case RENDER_EMBED_VIDEO:
			if (!in_link)
				buf_char(out, '[');
			write_label(out, embed->value);
			if (!in_link)
				write_address(out, embed->value.data, embed->value.bytes);
			break;
		case RENDER_EMBED_FORMULA:
			buf_char(out, '$');
			write_label(out, embed->value);
			buf_char(out, '$');
			break;
		case RENDER_EMBED_OTHER:
			break;
	}
}

/* ---- pieces ---- */

void
markdown_text_init(MarkdownText *text, Render *render, Arena *scratch)
{
	text->render = render;
	text->out = render->out;
	buf_init(&text->pieces, arena_as_alloc(scratch));
	buf_init(&text->links, arena_as_alloc(scratch));
}

static uint8_t
marks_of(const RenderInline *format, const RenderRun *run)
{
	uint8_t marks = 0;

	if (format->bold)
		marks |= MARK_BOLD;
	if (format->strike)
		marks |= MARK_STRIKE;
	if (format->italic)
		marks |= MARK_ITALIC;
	if (format->code && run->data != NULL && fits_code_span(run->data, run->bytes))
		marks |= MARK_CODE;
	return marks;
}

/* An embed that Markdown has nothing for must not leave its delimiters behind. */
static bool
is_written(MarkdownText *text, const RenderRun *run)
{
	RenderEmbed embed;

	if (run->data != NULL)
		return true;
	render_embed(text->render, run, &embed);
	return embed.value.data != NULL;
}

static void
add_link(MarkdownText *text, RenderSpan link, MarkdownPiece *piece)
{
	const MarkdownPiece *before = (const MarkdownPiece *) text->pieces.data;
	size_t				 count = text->pieces.size / sizeof(MarkdownPiece);

	piece->link = text->links.size;
	piece->link_bytes = link.bytes;
	if (link.data == NULL)
		return;
	if (count > 0 && before[count - 1].link_bytes == link.bytes &&
		memcmp(text->links.data + before[count - 1].link, link.data, link.bytes) == 0)
		piece->link = before[count - 1].link;
	else
		buf_bytes(&text->links, link.data, link.bytes);
}

CollabStatus
markdown_text_read(MarkdownText *text, const RenderLine *line, bool *empty)
{
	RenderPlace at = line->start;
	RenderRun	run;

	buf_clear(&text->pieces);
	buf_clear(&text->links);
	while (render_next_run(text->render, line, &at, &run))
	{
		const RenderInline *format = render_inline(text->render, &run);
		MarkdownPiece		piece = {NULL, run.data, run.bytes, 0, 0, 0};
		CollabStatus		status = render_check(text->render);

		if (status != COLLAB_OK)
			return status;
		if (!is_written(text, &run))
			continue;
		piece.op = run.data == NULL ? run.op : NULL;
		piece.marks = marks_of(format, &run);
		add_link(text, format->link, &piece);
		buf_bytes(&text->pieces, &piece, sizeof(piece));
	}
	*empty = text->pieces.size == 0;
	if (text->pieces.failed || text->links.failed)
		return collab_fail(text->render->err, COLLAB_NOMEM, -1, "out of memory");
	return COLLAB_OK;
}

/* ---- between two pieces ---- */

/* What is closed and what is opened at one place of the line. Marks are nested in the order of their bits. */
typedef struct Boundary
{
	bool	close_link;
	bool	open_link;
	uint8_t close;
	uint8_t open;
} Boundary;

static Boundary
boundary_between(const MarkdownPiece *left, const MarkdownPiece *right)
{
	uint8_t	 before = left != NULL ? left->marks & MARKS_DELIMITED : 0;
	uint8_t	 after = right != NULL ? right->marks & MARKS_DELIMITED : 0;
	bool	 link_before = left != NULL && left->link_bytes > 0;
	bool	 link_after = right != NULL && right->link_bytes > 0;
	Boundary b = {false, false, 0, 0};
	uint8_t	 outermost;

	if (link_before != link_after || (link_before && left->link != right->link))
	{
		b.close_link = link_before;
		b.open_link = link_after;
		b.close = before;
		b.open = after;
		return b;
	}
	/* everything inside of the outermost mark that changes is closed and opened again */
	outermost = (uint8_t) ((before ^ after) & -(before ^ after));
	if (outermost != 0)
	{
		b.close = (uint8_t) (before & ~(outermost - 1));
		b.open = (uint8_t) (after & ~(outermost - 1));
	}
	return b;
}

/* Just one delimiter, of those that may stand inside of a word. */
static bool
splits_words(uint8_t marks)
{
	return marks == MARK_BOLD || marks == MARK_STRIKE;
}

static bool
is_text(const MarkdownPiece *piece)
{
	return piece != NULL && piece->op == NULL && (piece->marks & MARK_CODE) == 0;
}

/* A single character may be written as an entity for the sake of its other side. */
static bool
is_word_inside(const MarkdownPiece *piece, uint32_t c)
{
	return is_text(piece) && piece->bytes > 1 && is_word(c);
}

static bool
is_outside_safe(uint32_t c)
{
	return c == ' ' || c == '\t' || (is_graphic(c) && !is_word(c));
}

/* Must the last character of the left piece be an entity? */
static bool
entity_on_left(const MarkdownPiece *left, const MarkdownPiece *right, Boundary b)
{
	uint32_t c;
	unsigned size;

	if (!is_text(left))
		return false;
	c = last_char(left->data, left->bytes);
	if (b.close != 0)
		return !is_graphic(c);
	if (b.close_link || b.open == 0 || b.open_link)
		return (b.open_link || (right != NULL && right->op != NULL)) && c == '!';
	if (is_outside_safe(c))
		return false;
	return !(splits_words(b.open) && is_text(right) && is_word_inside(right, read_char(right->data, &size)));
}

/* Must the first character of the right piece be an entity? */
static bool
entity_on_right(const MarkdownPiece *left, const MarkdownPiece *right, Boundary b)
{
	uint32_t c;
	unsigned size;

	if (!is_text(right))
		return false;
	c = read_char(right->data, &size);
	if (b.open != 0)
		return !is_graphic(c);
	if (b.open_link || b.close == 0 || b.close_link)
		return false;
	if (is_outside_safe(c))
		return false;
	return !(splits_words(b.close) && is_text(left) &&
			 is_word_inside(left, last_char(left->data, left->bytes)));
}

static void
write_delimiters(Buf *out, uint8_t marks, bool inside_first)
{
	static const char *const texts[] = {"**", "~~", "_"};
	int						 i;

	for (i = 0; i < 3; i++)
	{
		int mark = inside_first ? 2 - i : i;

		if ((marks & 1 << mark) != 0)
			buf_str(out, texts[mark]);
	}
}

static void
write_boundary(MarkdownText *text, const MarkdownPiece *left, Boundary b)
{
	write_delimiters(text->out, b.close, true);
	if (b.close_link)
		write_address(text->out, text->links.data + left->link, left->link_bytes);
	if (b.open_link)
		buf_char(text->out, '[');
	write_delimiters(text->out, b.open, false);
}

/* ---- the line ---- */

/* Neighbouring pieces of code that nothing separates are one span. Returns the piece behind them. */
static size_t
write_code_pieces(MarkdownText *text, const MarkdownPiece *pieces, size_t i, size_t count)
{
	Buf *content = &text->render->work;

	buf_clear(content);
	do
		markdown_text_raw(content, pieces[i].data, pieces[i].bytes);
	while (++i < count && (pieces[i].marks & MARK_CODE) != 0 && pieces[i].marks == pieces[i - 1].marks &&
		   pieces[i].link_bytes == pieces[i - 1].link_bytes &&
		   (pieces[i].link_bytes == 0 || pieces[i].link == pieces[i - 1].link));
	if (!content->failed)
		write_code_span(text->out, content);
	return i;
}

static void
write_text_piece(MarkdownText *text, const MarkdownPiece *pieces, size_t i, size_t count, LineStart *start)
{
	const MarkdownPiece *before = i > 0 ? &pieces[i - 1] : NULL;
	const MarkdownPiece *behind = i + 1 < count ? &pieces[i + 1] : NULL;
	TextEnds			 ends;

	ends.entity_first = entity_on_right(before, &pieces[i], boundary_between(before, &pieces[i]));
	ends.entity_last = entity_on_left(&pieces[i], behind, boundary_between(&pieces[i], behind));
	ends.line_last = behind == NULL;
	write_text(text->out, pieces[i].data, pieces[i].bytes, ends, start);
}

static void
write_embed_piece(MarkdownText *text, const MarkdownPiece *piece)
{
	RenderRun	run = {piece->op, NULL, 0};
	RenderEmbed embed;

	render_embed(text->render, &run, &embed);
	if (embed.value.data != NULL)
		write_embed(text->out, &embed, piece->link_bytes > 0);
}

CollabStatus
markdown_text_write(MarkdownText *text)
{
	const MarkdownPiece *pieces = (const MarkdownPiece *) text->pieces.data;
	size_t				 count = text->pieces.size / sizeof(MarkdownPiece);
	const MarkdownPiece *before = NULL;
	LineStart			 start = LINE_EMPTY;
	size_t				 i = 0;

	while (i < count)
	{
		const MarkdownPiece *piece = &pieces[i];
		Boundary			 b = boundary_between(before, piece);
		CollabStatus		 status = render_check(text->render);

		if (status != COLLAB_OK)
			return status;
		write_boundary(text, before, b);
		if (b.open != 0 || b.open_link || !is_text(piece))
			start = LINE_TEXT;
		if (piece->op != NULL)
		{
			write_embed_piece(text, piece);
			i++;
		}
		else if ((piece->marks & MARK_CODE) != 0)
			i = write_code_pieces(text, pieces, i, count);
		else
			write_text_piece(text, pieces, i++, count, &start);
		before = &pieces[i - 1];
	}
	write_boundary(text, before, boundary_between(before, NULL));
	return COLLAB_OK;
}

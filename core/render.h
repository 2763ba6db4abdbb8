/* render.h - what the renderers of documents share: lines and runs, the formats of Quill, checked values. */
#ifndef COLLAB_RENDER_H
#define COLLAB_RENDER_H

#include "attrs.h"
#include "delta.h"

/*
 * A document is a sequence of lines. A line ends with a newline, whose attributes are the format of the whole line
 * (header, list ...); the last one may end without. What stands on it are runs: pieces of text that share their
 * attributes, and embeds.
 *
 * Attributes and embeds are anybody's JSON. A format counts only where its value is exactly one that Quill knows;
 * everything else is as if it were not there. Values are kept as spans of bytes that were checked, so that a writer
 * may put them between quotes as they are.
 */
typedef struct RenderSpan
{
	const char *data; /* NULL: none */
	uint32_t	bytes;
} RenderSpan;

typedef enum RenderScript
{
	RENDER_SCRIPT_NONE,
	RENDER_SCRIPT_SUB,
	RENDER_SCRIPT_SUPER
} RenderScript;

/* Format of a run. Addresses are as render_url leaves them; the other spans are letters, digits and a few marks. */
typedef struct RenderInline
{
	bool		 bold;
	bool		 italic;
	bool		 underline;
	bool		 strike;
	bool		 code;
	RenderScript script;
	RenderSpan	 link;
	RenderSpan	 color;
	RenderSpan	 background;
	RenderSpan	 font;
	RenderSpan	 size; /* a CSS length */
} RenderInline;

typedef enum RenderBlockKind
{
	RENDER_PARAGRAPH,
	RENDER_HEADING,
	RENDER_LIST,
	RENDER_QUOTE,
	RENDER_CODE
} RenderBlockKind;

typedef enum RenderList
{
	RENDER_BULLET,
	RENDER_ORDERED,
	RENDER_CHECKED,
	RENDER_UNCHECKED
} RenderList;

#define RENDER_MAX_INDENT 8

/* Format of a line. Where it claims to be several kinds at once, code wins, then list, heading, quote. */
typedef struct RenderBlock
{
	RenderBlockKind kind;
	RenderList		list;
	int				level;	  /* of a heading, 1 ... 6 */
	int				indent;	  /* 0 ... RENDER_MAX_INDENT */
	bool			rtl;	  /* direction */
	RenderSpan		align;	  /* right, center or justify */
	RenderSpan		language; /* of code */
} RenderBlock;

typedef struct RenderPlace
{
	uint32_t op;
	uint32_t byte; /* inside of its text */
} RenderPlace;

typedef struct RenderLine
{
	RenderPlace start;
	RenderPlace end; /* of its newline, or the end of the document */
	bool		empty;
	RenderBlock block;
} RenderLine;

typedef struct RenderRun
{
	const DeltaOp *op;
	const char	  *data; /* text; NULL: an embed */
	uint32_t	   bytes;
} RenderRun;

/* The embeds that Quill knows; any other is RENDER_EMBED_OTHER. */
typedef enum RenderEmbedKind
{
	RENDER_EMBED_IMAGE,
	RENDER_EMBED_VIDEO,
	RENDER_EMBED_FORMULA,
	RENDER_EMBED_OTHER
} RenderEmbedKind;

typedef struct RenderEmbed
{
	RenderEmbedKind kind;
	RenderSpan		value; /* image, video: an address; formula: its source, unescaped. None: not usable */
	RenderSpan		alt;   /* of an image, unescaped */
	RenderSpan		width; /* a number of pixels, or none */
	RenderSpan		height;
} RenderEmbed;

/* One rendering under way. */
typedef struct Render
{
	const Delta *document;
	Buf			*out;
	size_t		 limit;
	size_t		 asked; /* size of `out` when the allocator was last asked whether to go on */
	uint32_t	 runs;	/* since then */
	RenderPlace	 at;
	CollabError *err;
	/* what the attributes that were looked at last mean */
	DeltaAttrs	 inline_of;
	RenderInline inline_format;
	DeltaAttrs	 block_of;
	RenderBlock	 block_format;
	Buf			 link;	/* of inline_format */
	Buf			 value; /* of the embed read last */
	Buf			 alt;
	Buf			 work; /* for unescaping */
} Render;

CollabStatus render_begin(Render *render, Arena *scratch, const Delta *document, size_t limit, Buf *out,
						  CollabError *err) COLLAB_MUST_CHECK;
/* False at the end of the document. */
bool render_next_line(Render *render, RenderLine *line);
/* The runs of a line, from line->start on. False at its end. */
bool render_next_run(const Render *render, const RenderLine *line, RenderPlace *at, RenderRun *run);
/* Of a run; good until the next call. */
const RenderInline *render_inline(Render *render, const RenderRun *run);
/* Of a run that is an embed; its spans are good until the next call. */
void render_embed(Render *render, const RenderRun *run, RenderEmbed *embed);
/*
 * To be called once in a while: whether to go on. The work takes no memory but what it writes, so this asks the allocator
 * every now and then for a little, which is how a backend says that its query was cancelled.
 */
CollabStatus render_check(Render *render) COLLAB_MUST_CHECK;

/* ---- checked values (render_value.c) ---- */

/* JavaScript's idea of true, as Quill asks it of bold, italic ... */
bool render_is_true(const char *json, uint32_t bytes);
/* A JSON string that needs no unescaping, of 1 ... max bytes. */
bool render_plain_string(const char *json, uint32_t bytes, uint32_t max, RenderSpan *out);
bool render_is_string(const char *json, uint32_t bytes, const char *literal);
/* An integer that is written in at most five digits; a JSON number or a string of one. */
bool render_small_number(const char *json, uint32_t bytes, int *out, RenderSpan *digits);
bool render_color(const char *json, uint32_t bytes, RenderSpan *out);
bool render_font(const char *json, uint32_t bytes, RenderSpan *out);
bool render_size(const char *json, uint32_t bytes, RenderSpan *out);
bool render_language(const char *json, uint32_t bytes, RenderSpan *out);
/* Unescapes a JSON string. False where it is none or too long. */
bool render_string(const char *json, uint32_t bytes, uint32_t max, Buf *out);

typedef enum RenderUrlUse
{
	RENDER_URL_LINK, /* http, https, mailto */
	RENDER_URL_IMAGE /* http, https, data: of a raster image in base64 */
} RenderUrlUse;

/*
 * Writes an address that may be followed, or returns false. Control characters are dropped and outer spaces cut off, as browsers do
 * before they look at it; then it must begin with one of the schemes, in any case of letters, or be a path: /x, ./x, ../x,
 * #x, ?x, but not //host. Whatever is neither a letter, a digit nor one of -._~:/?#[]@!$&*+,;=% is written as %XX (other than
 * ASCII stays), so the result has no quotes, spaces, brackets of tags or parentheses; `&` is left to the writer. `work` is
 * where it is unescaped; if that fails for want of memory, work->failed says so.
 */
bool render_url(const char *json, uint32_t bytes, RenderUrlUse use, Buf *work, Buf *out);

#endif

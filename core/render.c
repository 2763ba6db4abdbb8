/* render.c - the lines and runs of a document, and what their attributes mean. */
#include "render.h"

#include <string.h>

/* How much may be written, or how many runs passed, until the allocator is asked again. */
#define ASK_BYTES (64 * 1024)
#define ASK_RUNS 1024

CollabStatus
render_begin(Render *render, Arena *scratch, const Delta *document, size_t limit, Buf *out, CollabError *err)
{
	CollabAlloc alloc = arena_as_alloc(scratch);

	if (!delta_is_document(document))
		return collab_fail(err, COLLAB_MISMATCH, -1, "not a document: it retains or deletes");
	memset(render, 0, sizeof(*render));
	render->document = document;
	render->out = out;
	render->limit = limit;
	render->asked = out->size;
	render->err = err;
	buf_init(&render->link, alloc);
	buf_init(&render->value, alloc);
	buf_init(&render->alt, alloc);
	buf_init(&render->work, alloc);
	return COLLAB_OK;
}

static CollabStatus
no_memory(Render *render)
{
	return collab_fail(render->err, COLLAB_NOMEM, -1, "out of memory");
}

CollabStatus
render_check(Render *render)
{
	Buf *out = render->out;

	if (out->failed || render->link.failed || render->value.failed || render->alt.failed ||
		render->work.failed)
		return no_memory(render);
	if (render->limit > 0 && out->size > render->limit)
		return collab_fail(render->err, COLLAB_LIMIT, -1, "the rendered document takes more than %zu bytes",
						   render->limit);
	if (out->size - render->asked > ASK_BYTES || ++render->runs > ASK_RUNS)
	{
		void *little = out->alloc.alloc(out->alloc.ctx, 1);

		if (little == NULL)
			return no_memory(render);
		out->alloc.free(out->alloc.ctx, little);
		render->asked = out->size;
		render->runs = 0;
	}
	return COLLAB_OK;
}

/* ---- formats ---- */

static bool
is_key(const AttrsEntry *entry, const char *name)
{
	return entry->key_bytes == strlen(name) && memcmp(entry->key, name, entry->key_bytes) == 0;
}

static void
read_inline(Render *render, const AttrsEntry *entry)
{
	RenderInline *format = &render->inline_format;
	const char	 *value = entry->value;
	uint32_t	  bytes = entry->value_bytes;

	if (is_key(entry, "bold"))
		format->bold = render_is_true(value, bytes);
	else if (is_key(entry, "italic"))
		format->italic = render_is_true(value, bytes);
	else if (is_key(entry, "underline"))
		format->underline = render_is_true(value, bytes);
	else if (is_key(entry, "strike"))
		format->strike = render_is_true(value, bytes);
	else if (is_key(entry, "code"))
		format->code = render_is_true(value, bytes);
	else if (is_key(entry, "script"))
		format->script = render_is_string(value, bytes, "sub")	   ? RENDER_SCRIPT_SUB
						 : render_is_string(value, bytes, "super") ? RENDER_SCRIPT_SUPER
																   : RENDER_SCRIPT_NONE;
	else if (is_key(entry, "color"))
		(void) render_color(value, bytes, &format->color);
	else if (is_key(entry, "background"))
		(void) render_color(value, bytes, &format->background);
	else if (is_key(entry, "font"))
		(void) render_font(value, bytes, &format->font);
	else if (is_key(entry, "size"))
		(void) render_size(value, bytes, &format->size);
	else if (is_key(entry, "link") && render_url(value, bytes, RENDER_URL_LINK, &render->work, &render->link))
	{
		format->link.data = render->link.data;
		format->link.bytes = (uint32_t) render->link.size;
	}
}

/* Ops of one document share attributes, and one op may be a thousand lines: looking once is enough. */
static inline bool
is_known(DeltaAttrs known, DeltaAttrs attrs)
{
	return known.data == attrs.data && known.bytes == attrs.bytes;
}

const RenderInline *
render_inline(Render *render, const RenderRun *run)
{
	DeltaAttrs	attrs = run->op->attrs;
	AttrsCursor cursor;
	AttrsEntry	entry;

	if (is_known(render->inline_of, attrs))
		return &render->inline_format;
	render->inline_of = attrs;
	memset(&render->inline_format, 0, sizeof(render->inline_format));
	buf_clear(&render->link);
	cursor = attrs_begin(attrs);
	while (attrs_next(&cursor, &entry))
		read_inline(render, &entry);
	return &render->inline_format;
}

static bool
read_list(const AttrsEntry *entry, RenderList *out)
{
	static const char *const names[] = {"bullet", "ordered", "checked", "unchecked"};
	int						 i;

	for (i = RENDER_BULLET; i <= RENDER_UNCHECKED; i++)
		if (render_is_string(entry->value, entry->value_bytes, names[i]))
		{
			*out = (RenderList) i;
			return true;
		}
	return false;
}

static void
claim(RenderBlock *block, RenderBlockKind kind)
{
	static const int rank[] = {
		[RENDER_PARAGRAPH] = 0, [RENDER_QUOTE] = 1, [RENDER_HEADING] = 2, [RENDER_LIST] = 3, [RENDER_CODE] = 4};

	if (rank[kind] > rank[block->kind])
		block->kind = kind;
}

static void
read_block(RenderBlock *block, const AttrsEntry *entry)
{
	const char *value = entry->value;
	uint32_t	bytes = entry->value_bytes;
	RenderSpan	digits;
	int			number;

	if (is_key(entry, "header") && render_small_number(value, bytes, &number, &digits) && number >= 1 &&
		number <= 6)
	{
		block->level = number;
		claim(block, RENDER_HEADING);
	}
	else if (is_key(entry, "list") && read_list(entry, &block->list))
		claim(block, RENDER_LIST);
	else if (is_key(entry, "blockquote") && render_is_true(value, bytes))
		claim(block, RENDER_QUOTE);
	else if (is_key(entry, "code-block") && render_is_true(value, bytes))
	{
		(void) render_language(value, bytes, &block->language);
		claim(block, RENDER_CODE);
	}
	else if (is_key(entry, "indent") && render_small_number(value, bytes, &number, &digits))
		block->indent = number < RENDER_MAX_INDENT ? number : RENDER_MAX_INDENT;
	else if (is_key(entry, "direction"))
		block->rtl = render_is_string(value, bytes, "rtl");
	else if (is_key(entry, "align") &&
			 (render_is_string(value, bytes, "right") || render_is_string(value, bytes, "center") ||
			  render_is_string(value, bytes, "justify")))
		(void) render_plain_string(value, bytes, 8, &block->align);
}

static const RenderBlock *
block_format(Render *render, DeltaAttrs attrs)
{
	AttrsCursor cursor;
	AttrsEntry	entry;

	if (!is_known(render->block_of, attrs))
	{
		render->block_of = attrs;
		memset(&render->block_format, 0, sizeof(render->block_format));
		cursor = attrs_begin(attrs);
		while (attrs_next(&cursor, &entry))
			read_block(&render->block_format, &entry);
	}
	return &render->block_format;
}

/* ---- embeds ---- */

static void
read_number(const DeltaOp *op, const char *name, RenderSpan *out)
{
	AttrsCursor cursor = attrs_begin(op->attrs);
	AttrsEntry	entry;
	int			number;

	while (attrs_next(&cursor, &entry))
		if (is_key(&entry, name))
			(void) render_small_number(entry.value, entry.value_bytes, &number, out);
}

static RenderSpan
span_of(const Buf *buf)
{
	RenderSpan span;

	span.data = buf->size > 0 ? buf->data : NULL;
	span.bytes = (uint32_t) buf->size;
	return span;
}

static void
read_image(Render *render, const DeltaOp *op, RenderEmbed *embed)
{
	AttrsCursor cursor = attrs_begin(op->attrs);
	AttrsEntry	entry;

	buf_clear(&render->alt);
	while (attrs_next(&cursor, &entry))
		if (is_key(&entry, "alt"))
			(void) render_string(entry.value, entry.value_bytes, UINT32_MAX, &render->alt);
	embed->alt = span_of(&render->alt);
	read_number(op, "width", &embed->width);
	read_number(op, "height", &embed->height);
}

/* An embed is {"type": value}; canonical JSON has no spaces and no other form. Where there are several keys, the first is its type. */
void
render_embed(Render *render, const RenderRun *run, RenderEmbed *embed)
{
	static const char *const heads[] = {
		[RENDER_EMBED_IMAGE] = "{\"image\":",
		[RENDER_EMBED_VIDEO] = "{\"video\":",
		[RENDER_EMBED_FORMULA] = "{\"formula\":",
	};
	const DeltaOp *op = run->op;
	const char	  *json = NULL;
	uint32_t	   bytes = 0;
	int			   kind;

	memset(embed, 0, sizeof(*embed));
	for (kind = RENDER_EMBED_IMAGE; kind < RENDER_EMBED_OTHER; kind++)
	{
		size_t head = strlen(heads[kind]);

		if (op->bytes > head && memcmp(op->data, heads[kind], head) == 0)
		{
			json = op->data + head;
			bytes = (uint32_t) (op->bytes - head - 1);
			break;
		}
	}
	embed->kind = (RenderEmbedKind) kind;
	if (json == NULL)
		return;
	buf_clear(&render->value);
	if (kind == RENDER_EMBED_FORMULA)
		(void) render_string(json, bytes, UINT32_MAX, &render->value);
	else
		(void) render_url(json, bytes, kind == RENDER_EMBED_IMAGE ? RENDER_URL_IMAGE : RENDER_URL_LINK,
						  &render->work, &render->value);
	embed->value = span_of(&render->value);
	if (kind == RENDER_EMBED_IMAGE)
		read_image(render, op, embed);
}

/* ---- lines and runs ---- */

bool
render_next_line(Render *render, RenderLine *line)
{
	static const DeltaAttrs none = {NULL, 0};
	const Delta			   *document = render->document;
	RenderPlace				at = render->at;

	if (at.op == document->count)
		return false;
	line->start = at;
	line->empty = true;
	for (; at.op < document->count; at.op++, at.byte = 0)
	{
		const DeltaOp *op = &document->ops[at.op];
		const char	  *from;
		const char	  *newline;

		if (op->kind != DELTA_INSERT)
		{
			line->empty = false;
			continue;
		}
		from = op->data + at.byte;
		newline = memchr(from, '\n', op->bytes - at.byte);
		if (newline == NULL)
		{
			line->empty = false;
			continue;
		}
		line->empty = line->empty && newline == from;
		line->end.op = at.op;
		line->end.byte = (uint32_t) (newline - op->data);
		line->block = *block_format(render, op->attrs);
		render->at = line->end;
		if (++render->at.byte == op->bytes)
		{
			render->at.op++;
			render->at.byte = 0;
		}
		return true;
	}
	line->end = render->at = at;
	line->block = *block_format(render, none);
	return true;
}

bool
render_next_run(const Render *render, const RenderLine *line, RenderPlace *at, RenderRun *run)
{
	uint32_t end;

	if (at->op == line->end.op && at->byte == line->end.byte)
		return false;
	run->op = &render->document->ops[at->op];
	if (run->op->kind != DELTA_INSERT)
	{
		run->data = NULL;
		run->bytes = 0;
		at->op++;
		return true;
	}
	run->data = run->op->data + at->byte;
	end = at->op == line->end.op ? line->end.byte : run->op->bytes;
	run->bytes = end - at->byte;
	if (at->op == line->end.op)
		at->byte = end;
	else
	{
		at->op++;
		at->byte = 0;
	}
	return true;
}

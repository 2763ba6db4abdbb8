/* oracle.c - the engine as a filter: one request per line in, one answer per line out. Driven by oracle.mjs. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/delta.h"
#include "../../core/html.h"
#include "../../core/markdown.h"

/*
 * Requests and answers are lines of fields separated by tabs; JSON holds neither raw. A field of an answer is JSON, a
 * number, or "!status message" where the engine refuses.
 *
 *	case doc a b c index	a, b: changes of doc, c: a change of (doc o a). Answers, in this order: doc, a, b and c as they
 *							were understood; doc o a; a o c (as changes); transform(a, b, true); transform(a, b, false);
 *							transform_position(a, index, true), (a, index, false); invert(a, doc); diff(doc, doc o b).
 *							If an input is refused by the parser: "!parse" and the input's name, status and message.
 *	parse x					x as it was understood
 *	encode x				the binary form, in hexadecimal
 *	render x				of a document: its text, its HTML, its Markdown, each as a JSON string
 */
#define MAX_FIELDS 8
#define INPUTS 4

static Arena arena;
static Buf	 out;

static void
answer_status(CollabStatus status, const CollabError *error)
{
	buf_char(&out, '!');
	buf_str(&out, collab_status_name(status));
	buf_char(&out, ' ');
	buf_str(&out, error->message);
}

static void
answer_delta(CollabStatus status, const Delta *delta, const CollabError *error)
{
	buf_char(&out, '\t');
	if (status == COLLAB_OK)
		delta_print(delta, &out);
	else
		answer_status(status, error);
}

static void
answer_number(int64_t number)
{
	buf_char(&out, '\t');
	buf_i64(&out, number);
}

static CollabStatus
parse(const char *json, Delta *delta, CollabError *error)
{
	memset(error, 0, sizeof(*error));
	return delta_parse(&arena, json, strlen(json), &delta_limits_none, delta, error);
}

static void
answer_case(char **fields)
{
	static const char *const names[INPUTS] = {"doc", "a", "b", "c"};
	Delta					 in[INPUTS];
	Delta					 result, target;
	CollabError				 error;
	CollabStatus			 status;
	int64_t					 index = strtoll(fields[INPUTS], NULL, 10);
	int						 i;

	for (i = 0; i < INPUTS; i++)
	{
		status = parse(fields[i], &in[i], &error);
		if (status != COLLAB_OK)
		{
			buf_str(&out, "!parse\t");
			buf_str(&out, names[i]);
			buf_char(&out, '\t');
			answer_status(status, &error);
			return;
		}
	}
	buf_str(&out, "case");
	for (i = 0; i < INPUTS; i++)
		answer_delta(COLLAB_OK, &in[i], NULL);
	status = delta_compose(&arena, &in[0], &in[1], &result, &error);
	answer_delta(status, &result, &error);
	status = delta_compose_changes(&arena, &in[1], &in[3], &result, &error);
	answer_delta(status, &result, &error);
	status = delta_transform(&arena, &in[1], &in[2], true, &result, &error);
	answer_delta(status, &result, &error);
	status = delta_transform(&arena, &in[1], &in[2], false, &result, &error);
	answer_delta(status, &result, &error);
	answer_number(delta_transform_position(&in[1], index, true));
	answer_number(delta_transform_position(&in[1], index, false));
	status = delta_invert(&arena, &in[1], &in[0], &result, &error);
	answer_delta(status, &result, &error);
	status = delta_compose(&arena, &in[0], &in[2], &target, &error);
	if (status == COLLAB_OK)
		status = delta_diff(&arena, &in[0], &target, &result, &error);
	answer_delta(status, &result, &error);
}

static void
answer_encode(const char *json)
{
	Delta		delta;
	CollabError error;
	Buf			bytes;
	char		digits[3];
	size_t		i;

	if (parse(json, &delta, &error) != COLLAB_OK)
		return;
	buf_init(&bytes, collab_malloc_alloc);
	delta_encode(&delta, &bytes);
	for (i = 0; i < bytes.size; i++)
	{
		snprintf(digits, sizeof(digits), "%02x", (unsigned char) bytes.data[i]);
		buf_bytes(&out, digits, 2);
	}
	buf_free(&bytes);
}

static void
answer_text(CollabStatus status, const Buf *text, const CollabError *error)
{
	buf_char(&out, '\t');
	if (status == COLLAB_OK)
		buf_json_string(&out, text->data, text->size);
	else
		answer_status(status, error);
}

static void
answer_render(const char *json)
{
	CollabError	 error;
	CollabStatus status;
	Delta		 document;
	Buf			 text;

	buf_str(&out, "render");
	status = parse(json, &document, &error);
	buf_init(&text, collab_malloc_alloc);
	if (status == COLLAB_OK)
		delta_text(&document, NULL, &text);
	answer_text(status, &text, &error);
	buf_clear(&text);
	if (status == COLLAB_OK)
		answer_text(html_render(&arena, &document, 0, &text, &error), &text, &error);
	buf_clear(&text);
	if (status == COLLAB_OK)
		answer_text(markdown_render(&arena, &document, 0, &text, &error), &text, &error);
	buf_free(&text);
}

static void
answer(char *line)
{
	char		*fields[MAX_FIELDS] = {""};
	int			 count = 0;
	Delta		 delta;
	CollabError	 error;
	CollabStatus status;

	while (count < MAX_FIELDS && line != NULL)
		fields[count++] = strsep(&line, "\t");
	if (strcmp(fields[0], "case") == 0 && count == INPUTS + 2)
		answer_case(fields + 1);
	else if (strcmp(fields[0], "parse") == 0 && count == 2)
	{
		status = parse(fields[1], &delta, &error);
		buf_str(&out, "parse");
		answer_delta(status, &delta, &error);
	}
	else if (strcmp(fields[0], "encode") == 0 && count == 2)
		answer_encode(fields[1]);
	else if (strcmp(fields[0], "render") == 0 && count == 2)
		answer_render(fields[1]);
	else
		buf_str(&out, "!unknown request");
	buf_char(&out, '\n');
}

int
main(void)
{
	char   *line = NULL;
	size_t	capacity = 0;
	ssize_t size;

	arena_init(&arena, collab_malloc_alloc);
	buf_init(&out, collab_malloc_alloc);
	while ((size = getline(&line, &capacity, stdin)) > 0)
	{
		if (line[size - 1] == '\n')
			line[size - 1] = '\0';
		/* An empty line asks for the answers so far. */
		if (line[0] == '\0')
		{
			fflush(stdout);
			continue;
		}
		answer(line);
		if (out.failed || fwrite(out.data, 1, out.size, stdout) != out.size)
		{
			fprintf(stderr, "oracle: out of memory, or nobody reads\n");
			return 1;
		}
		buf_clear(&out);
		arena_reset(&arena);
	}
	fflush(stdout);
	free(line);
	buf_free(&out);
	arena_free(&arena);
	return 0;
}

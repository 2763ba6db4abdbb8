/* inputs.c - files of Deltas read and written, time taken, figures printed. */
#include "inputs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *folder;

void
check(bool fine, const char *what)
{
	if (!fine)
	{
		fprintf(stderr, "engine: %s\n", what);
		exit(1);
	}
}

void
check_status(CollabStatus status, const CollabError *error)
{
	if (status != COLLAB_OK)
	{
		fprintf(stderr, "engine: %s: %s\n", collab_status_name(status), error->message);
		exit(1);
	}
}

/* ---- time ---- */

double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

void
report(const char *name, double value, const char *unit)
{
	printf("{\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\"}\n", name, value, unit);
	fflush(stdout);
}

/* ---- files ---- */

static char *
read_file(const char *name, size_t *size)
{
	char  path[4096];
	char *data;
	FILE *file;
	long  length;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "rb");
	if (file == NULL)
		return NULL;
	fseek(file, 0, SEEK_END);
	length = ftell(file);
	rewind(file);
	data = malloc((size_t) length + 1);
	check(data != NULL && fread(data, 1, (size_t) length, file) == (size_t) length, name);
	data[length] = '\0';
	fclose(file);
	*size = (size_t) length;
	return data;
}

void
write_file(const char *name, const Buf *buf)
{
	char  path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "wb");
	check(file != NULL && !buf->failed && fwrite(buf->data, 1, buf->size, file) == buf->size, path);
	fclose(file);
}

void
write_delta(const char *name, const Delta *delta)
{
	Buf buf;

	buf_init(&buf, collab_malloc_alloc);
	delta_print(delta, &buf);
	write_file(name, &buf);
	buf_free(&buf);
}

bool
load_input(Input *input, const char *name)
{
	CollabError error;
	uint32_t	capacity = 0;
	char	   *at;
	char	   *line;

	memset(input, 0, sizeof(*input));
	input->text = read_file(name, &input->text_bytes);
	if (input->text == NULL)
		return false;
	for (at = input->text; *at != '\0'; at++)
		capacity += *at == '\n';
	arena_init(&input->arena, collab_malloc_alloc);
	buf_init(&input->binary, collab_malloc_alloc);
	input->deltas = malloc((capacity + 1) * sizeof(Delta));
	input->offsets = malloc((capacity + 1) * sizeof(size_t));
	check(input->deltas != NULL && input->offsets != NULL, "out of memory");
	for (line = input->text; *line != '\0'; line = at + 1)
	{
		at = strchr(line, '\n');
		input->offsets[input->count] = input->binary.size;
		check_status(delta_parse(&input->arena, line, (size_t) (at - line), &delta_limits_none,
								 &input->deltas[input->count], &error),
					 &error);
		delta_encode(&input->deltas[input->count++], &input->binary);
	}
	input->offsets[input->count] = input->binary.size;
	return true;
}

void
free_input(Input *input)
{
	free(input->text);
	free(input->deltas);
	free(input->offsets);
	buf_free(&input->binary);
	arena_free(&input->arena);
}

const Delta *
get_delta(const Input *input, uint32_t i, Arena *arena, Delta *decoded)
{
	CollabError error;

	if (arena == NULL)
		return &input->deltas[i];
	arena_reset(arena);
	check_status(delta_decode(arena, (const uint8_t *) input->binary.data + input->offsets[i],
							  input->offsets[i + 1] - input->offsets[i], decoded, &error),
				 &error);
	return decoded;
}

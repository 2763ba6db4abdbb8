/* inputs.h - what the measurements share: files of Deltas, the clock, and where figures go. */
#ifndef BENCH_INPUTS_H
#define BENCH_INPUTS_H

#include "../../core/delta.h"

/* Other processes share the cores: the best of several rounds is the figure. */
#define ROUNDS 7

/*
 * A file of Deltas, one JSON text a line, parsed, and in the binary form as it comes out of a
 * table.
 */
typedef struct Input
{
	Arena	 arena;
	char	*text;
	size_t	 text_bytes;
	uint32_t count;
	Delta	*deltas;
	Buf		 binary;
	size_t	*offsets; /* count + 1 of them, into binary */
} Input;

/* Where files are read and written. */
extern const char *folder;

/* Both end the process, saying what is wrong. */
void check(bool fine, const char *what);
void check_status(CollabStatus status, const CollabError *error);

double now(void); /* seconds */
void   report(const char *name, double value, const char *unit);

void write_file(const char *name, const Buf *buf);
void write_delta(const char *name, const Delta *delta);
/* False: there is no such file. */
bool load_input(Input *input, const char *name);
void free_input(Input *input);
/* The i-th Delta, from its binary form if `arena` is given. */
const Delta *get_delta(const Input *input, uint32_t i, Arena *arena, Delta *decoded);

/* chunks.c */
void bench_chunks(const char *name);

#endif

/* random_delta.h - random documents and changes, shared by the property tests and the fuzzers. */
#ifndef COLLAB_TEST_RANDOM_DELTA_H
#define COLLAB_TEST_RANDOM_DELTA_H

#include "../../core/delta.h"

/*
 * Where the decisions come from: a generator with a seed (property tests: every seed is another case), or the bytes of a
 * fuzzer's input (then the fuzzer's coverage steers what is generated; when the bytes are used up every
 * decision is 0, which always means "the small thing", so generation ends).
 */
typedef struct Random
{
	uint64_t	   state;
	const uint8_t *bytes; /* NULL: use state */
	size_t		   left;
} Random;

void	 random_seed(Random *random, uint64_t seed);
void	 random_from_bytes(Random *random, const uint8_t *bytes, size_t size);
uint32_t random_below(Random *random, uint32_t bound); /* 0 .. bound - 1; bound > 0 */
bool	 random_chance(Random *random, uint32_t percent);

/* What may occur. The zero value is plain text of one-unit characters. */
typedef struct RandomProfile
{
	uint32_t max_ops;
	bool	 attributes;
	bool	 embeds; /* images, numbers, booleans and nested documents, with changes of the latter */
	bool	 pairs;	 /* characters outside of the basic plane, that is surrogate pairs */
} RandomProfile;

extern const RandomProfile random_plain;
extern const RandomProfile random_rich;
extern const RandomProfile
	random_large; /* rich, and hundreds of ops: what lives in pages or trees has several of them */

/* Canonical results in `arena`. Every change fits its document: nothing past the end, no pair cut, embed changes only on embeds. */
Delta random_document(Random *random, Arena *arena, const RandomProfile *profile);
Delta random_change(Random *random, Arena *arena, const RandomProfile *profile, const Delta *document);
/* A change of nothing in particular: may reach past any end; without embed changes. */
Delta random_loose_change(Random *random, Arena *arena, const RandomProfile *profile);
/* A position of the document that cuts no pair. */
int64_t random_position(Random *random, const Delta *document);

/* Parses JSON that the test itself wrote; ends the process with a message if it does not parse. */
Delta must_parse(Arena *arena, const char *json, size_t bytes);
/* Text form of a Delta in the arena, for messages. */
const char *show(Arena *arena, const Delta *delta);

#endif

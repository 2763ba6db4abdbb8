/* edits.h - random changes anywhere in large documents, for the tests of the editable sequences. */
#ifndef COLLAB_TEST_EDITS_H
#define COLLAB_TEST_EDITS_H

#include "random_delta.h"

/*
 * A change of any part of the document (random_change works near its start): a few small edits, or
 * a long text put in, or a long stretch deleted or formatted. Always fits the document, never cuts
 * a pair.
 */
Delta random_edit(Random *random, Arena *arena, const RandomProfile *profile, const Delta *document);
/* Some text of about that many bytes, plain or of characters of all sizes. */
const char *random_text(Random *random, Arena *arena, bool wide, size_t bytes, size_t *size);
/* document o change; ends the process with a message if that fails. */
Delta must_compose(Arena *arena, const Delta *document, const Delta *change);
/* A copy that shares nothing with the original. */
Delta copy_delta(Arena *arena, const Delta *delta);

/* FUZZ_SEED from the environment, else `otherwise`; printed under `name`. */
uint64_t test_seed(const char *name, uint64_t otherwise);

#endif

/* render_check.h - what every rendering has to be, whatever the document: for the unit tests and the fuzzer. */
#ifndef COLLAB_TEST_RENDER_CHECK_H
#define COLLAB_TEST_RENDER_CHECK_H

#include "../../core/delta.h"

/*
 * NULL, or what is wrong: a tag that is not one of ours, not closed in order, an attribute that is not one of ours or not
 * between double quotes, a character outside of tags that has to be escaped, an address that does more than to be followed.
 */
const char *render_html_fault(const char *html, size_t bytes);
/* A random document with Quill's formats, half of whose values are right. */
Delta render_random_document(Arena *arena, const uint8_t *bytes, size_t size);

#endif

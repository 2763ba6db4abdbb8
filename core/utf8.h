/* utf8.h - UTF-16 positions over UTF-8 text: the one place where the two are converted. */
#ifndef COLLAB_UTF8_H
#define COLLAB_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A character of 1, 2 or 3 bytes is one UTF-16 unit, one of 4 bytes is two (a surrogate pair). So a text
 * is ASCII exactly when bytes == units, and its positions are then its byte offsets. All functions but
 * utf8_check trust their input.
 */
#define UTF8_INSIDE_PAIR SIZE_MAX

/*
 * Hostile input: well-formed UTF-8 (no overlong forms, no surrogates, nothing above U+10FFFF) without
 * U+0000.
 */
bool	utf8_check(const char *data, size_t bytes, int64_t *units);
int64_t utf8_units(const char *data, size_t bytes);
/* Byte offset of the unit offset (0 ... units of the text), UTF8_INSIDE_PAIR between the halves of a pair. */
size_t utf8_offset(const char *data, size_t bytes, int64_t units);
bool   utf8_has_pair(const char *data, size_t bytes);
/* Bytes of the longest prefix of at most `bytes` bytes that ends between characters. */
size_t utf8_floor(const char *data, size_t bytes);

/* Bytes of a character, from its first byte. */
static inline unsigned
utf8_char_bytes(unsigned char lead)
{
	return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

#endif

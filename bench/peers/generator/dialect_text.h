/* dialect_text.h - reading JSON frames whose members come in a known order, without building anything. */
#ifndef BENCH_DIALECT_TEXT_H
#define BENCH_DIALECT_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Moves *at behind `key` and returns true if it occurs before `end`. */
static inline bool
text_seek(const char **at, const char *end, const char *key)
{
	const char *found = memmem(*at, (size_t) (end - *at), key, strlen(key));

	if (found == NULL)
		return false;
	*at = found + strlen(key);
	return true;
}

static inline int64_t
text_number(const char **at, const char *end)
{
	int64_t value = 0;

	while (*at < end && **at >= '0' && **at <= '9')
		value = value * 10 + (*(*at)++ - '0');
	return value;
}

/* The number behind `key`, or -1. */
static inline int64_t
text_number_of(const char **at, const char *end, const char *key)
{
	return text_seek(at, end, key) ? text_number(at, end) : -1;
}

static inline bool
text_starts(const char *at, const char *end, const char *with)
{
	size_t n = strlen(with);

	return (size_t) (end - at) >= n && memcmp(at, with, n) == 0;
}

#endif

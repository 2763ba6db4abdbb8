/* scan.h - picks members out of the server's frames, whose order docs/protocol.md shows. For load generators only. */
#ifndef BENCH_SCAN_H
#define BENCH_SCAN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Moves *at behind `key` and returns true if it occurs before `end`. */
static inline bool
scan_seek(const char **at, const char *end, const char *key)
{
	const char *found = memmem(*at, (size_t) (end - *at), key, strlen(key));

	if (found == NULL)
		return false;
	*at = found + strlen(key);
	return true;
}

static inline int64_t
scan_number(const char **at, const char *end)
{
	int64_t value = 0;

	while (*at < end && **at >= '0' && **at <= '9')
		value = value * 10 + (*(*at)++ - '0');
	return value;
}

/* The next version and the id of its event; what is absent stays as it is. */
static inline void
scan_position(const char **at, const char *end, int64_t *version, char event[17])
{
	if (!scan_seek(at, end, "\"version\":"))
		return;
	*version = scan_number(at, end);
	if (scan_seek(at, end, "\"event\":\"") && end - *at >= 16)
		memcpy(event, *at, 16);
}

#endif

/* status.c - names of statuses and the recording of failures. */
#include "status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

const char *
collab_status_name(CollabStatus status)
{
	switch (status)
	{
		case COLLAB_OK:
			return "ok";
		case COLLAB_NOMEM:
			return "nomem";
		case COLLAB_SYNTAX:
			return "syntax";
		case COLLAB_INVALID:
			return "invalid";
		case COLLAB_RANGE:
			return "range";
		case COLLAB_SURROGATE:
			return "surrogate";
		case COLLAB_LIMIT:
			return "limit";
		case COLLAB_CORRUPT:
			return "corrupt";
		case COLLAB_MISMATCH:
			return "mismatch";
	}
	return "unknown";
}

CollabStatus
collab_fail(CollabError *err, CollabStatus status, int64_t where, const char *fmt, ...)
{
	va_list args;
	size_t	size;

	if (err == NULL)
		return status;
	err->status = status;
	err->where = where;
	va_start(args, fmt);
	if (vsnprintf(err->message, sizeof(err->message), fmt, args) < 0)
		err->message[0] = '\0';
	va_end(args);

	/* a message that was cut off must not end inside a character */
	size = strlen(err->message);
	if (size == sizeof(err->message) - 1)
		err->message[utf8_floor(err->message, size)] = '\0';
	return status;
}

/* log.h - one line per event on stderr, logfmt or JSON. Never content, never credentials. */
#ifndef COLLAB_DAEMON_LOG_H
#define COLLAB_DAEMON_LOG_H

#include <stddef.h>

#include "util.h"

typedef enum LogLevel
{
	LOG_ERROR,
	LOG_WARNING,
	LOG_INFO,
	LOG_DEBUG
} LogLevel;

/* error, warning, info or debug; false: none of them. */
bool log_parse_level(const char *text, LogLevel *level) MUST_CHECK;
void log_set_level(LogLevel level);
bool log_enabled(LogLevel level);
/* A `key=value` pair that every line has from now on; the text must stay. */
void log_set_origin(const char *pair);

typedef enum LogFormat
{
	LOG_LOGFMT,
	LOG_JSON
} LogFormat;

/* logfmt or json; false: neither. */
bool log_parse_format(const char *text, LogFormat *format) MUST_CHECK;
void log_set_format(LogFormat format);

/*
 * msg is a fixed text; fmt (may be NULL) gives further `key=value` pairs. A value that comes from outside goes through
 * log_quote(), so that nobody can forge a line.
 */
void log_line(LogLevel level, const char *msg, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Quoted and escaped for logfmt, cut where the buffer ends. Returns buffer. */
const char *log_quote(char *buffer, size_t size, const char *text);

#endif

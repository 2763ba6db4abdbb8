/* log.c - one logfmt line per event on stderr. Never content, never credentials. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE_MAX 2048

static const char *const names[] = {"error", "warning", "info", "debug"};

static LogLevel current_level = LOG_INFO;

bool
log_parse_level(const char *text, LogLevel *level)
{
	for (int i = LOG_ERROR; i <= LOG_DEBUG; i++)
	{
		if (strcmp(names[i], text) == 0)
		{
			*level = (LogLevel) i;
			return true;
		}
	}
	return false;
}

void
log_set_level(LogLevel level)
{
	current_level = level;
}

bool
log_enabled(LogLevel level)
{
	return level <= current_level;
}

const char *
log_quote(char *buffer, size_t size, const char *text)
{
	size_t at = 0;

	buffer[at++] = '"';
	for (; *text != '\0' && at + 6 < size; text++)
	{
		unsigned char c = (unsigned char) *text;

		if (c == '"' || c == '\\')
		{
			buffer[at++] = '\\';
			buffer[at++] = (char) c;
		}
		else if (c == '\n' || c < 0x20 || c == 0x7f)
			buffer[at++] = ' ';
		else
			buffer[at++] = (char) c;
	}
	buffer[at++] = '"';
	buffer[at] = '\0';
	return buffer;
}

void
log_line(LogLevel level, const char *msg, const char *fmt, ...)
{
	char		   line[LOG_LINE_MAX];
	struct timeval now;
	struct tm	   utc;
	int			   at;
	ssize_t		   ignored;

	if (!log_enabled(level))
		return;
	gettimeofday(&now, NULL);
	gmtime_r(&now.tv_sec, &utc);
	at = (int) strftime(line, sizeof(line), "ts=%Y-%m-%dT%H:%M:%S", &utc);
	at += snprintf(line + at, sizeof(line) - (size_t) at, ".%03dZ level=%s msg=\"%s\"",
				   (int) (now.tv_usec / 1000), names[level], msg);
	if (fmt != NULL && at < LOG_LINE_MAX - 2)
	{
		va_list args;
		int		n;

		line[at++] = ' ';
		va_start(args, fmt);
		n = vsnprintf(line + at, sizeof(line) - (size_t) at - 1, fmt, args);
		va_end(args);
		if (n > 0)
			at += n;
	}
	if (at > LOG_LINE_MAX - 2)
		at = LOG_LINE_MAX - 2;
	line[at++] = '\n';
	/* one write per line: lines of several processes on one pipe do not mix */
	ignored = write(STDERR_FILENO, line, (size_t) at);
	(void) ignored;
}

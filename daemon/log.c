/* log.c - one line per event on stderr, logfmt or JSON. Never content, never credentials. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE_MAX 2048

static const char *const names[] = {"error", "warning", "info", "debug"};

static LogLevel	   current_level = LOG_INFO;
static LogFormat   current_format = LOG_LOGFMT;
static const char *origin;

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

void
log_set_origin(const char *pair)
{
	origin = pair;
}

bool
log_parse_format(const char *text, LogFormat *format)
{
	if (strcmp(text, "logfmt") != 0 && strcmp(text, "json") != 0)
		return false;
	*format = strcmp(text, "json") == 0 ? LOG_JSON : LOG_LOGFMT;
	return true;
}

void
log_set_format(LogFormat format)
{
	current_format = format;
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

/* ---- JSON out of logfmt, so that whoever logs need not care ---- */

typedef struct Output
{
	char  *data;
	size_t size;
	size_t capacity;
} Output;

static void
put(Output *out, char c)
{
	if (out->size < out->capacity)
		out->data[out->size++] = c;
}

static bool
is_number(const char *text, size_t bytes)
{
	size_t digits = strspn(text, "0123456789");

	return digits == bytes && bytes < 16 && (text[0] != '0' || bytes == 1);
}

/* A value in quotes has its escapes already, those of JSON. Returns what follows it. */
static const char *
put_value(Output *out, const char *text, bool valid)
{
	bool   quoted = *text == '"';
	size_t bytes = strcspn(text, " ");
	bool   bare = !quoted && is_number(text, bytes);

	if (quoted)
		text++;
	if (!bare)
		put(out, '"');
	for (; *text != '\0' && *text != (quoted ? '"' : ' '); text++)
	{
		if (*text == '\\' && text[1] != '\0')
			put(out, *text++);
		/* bytes that are no UTF-8 come from outside and are nobody's loss */
		put(out, !valid && (unsigned char) *text >= 0x80 ? '?' : *text);
	}
	if (!bare)
		put(out, '"');
	return *text == '"' ? text + 1 : text;
}

/* line: `key=value key="value" ...`. Returns the bytes written. */
static size_t
to_json(const char *line, char *json, size_t capacity)
{
	Output out = {json, 0, capacity};
	bool   valid = util_valid_utf8(line, strlen(line));

	put(&out, '{');
	while (*line != '\0')
	{
		if (out.size > 1)
			put(&out, ',');
		put(&out, '"');
		for (; *line != '\0' && *line != '='; line++)
			put(&out, *line);
		put(&out, '"');
		put(&out, ':');
		line = put_value(&out, *line == '=' ? line + 1 : line, valid);
		line += strspn(line, " ");
	}
	put(&out, '}');
	return out.size;
}

static void
write_line(const char *line, size_t bytes)
{
	/* one write per line: lines of several processes on one pipe do not mix */
	ssize_t ignored = write(STDERR_FILENO, line, bytes);

	(void) ignored;
}

void
log_line(LogLevel level, const char *msg, const char *fmt, ...)
{
	char		   line[LOG_LINE_MAX];
	struct timeval now;
	struct tm	   utc;
	int			   at;

	if (!log_enabled(level))
		return;
	gettimeofday(&now, NULL);
	gmtime_r(&now.tv_sec, &utc);
	at = (int) strftime(line, sizeof(line), "ts=%Y-%m-%dT%H:%M:%S", &utc);
	at += snprintf(line + at, sizeof(line) - (size_t) at, ".%03dZ level=%s msg=\"%s\"",
				   (int) (now.tv_usec / 1000), names[level], msg);
	if (origin != NULL)
		at += snprintf(line + at, sizeof(line) - (size_t) at, " %s", origin);
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
	if (current_format == LOG_JSON)
	{
		char   json[2 * LOG_LINE_MAX];
		size_t bytes;

		line[at] = '\0';
		bytes = to_json(line, json, sizeof(json) - 1);
		json[bytes++] = '\n';
		write_line(json, bytes);
		return;
	}
	line[at++] = '\n';
	write_line(line, (size_t) at);
}

/* util.c - small helpers without state: lists, memory that never fails, numbers as text, random bits. */
#include "util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static void
out_of_memory(void)
{
	static const char line[] = "level=error msg=\"out of memory\"\n";
	ssize_t			  ignored = write(STDERR_FILENO, line, sizeof(line) - 1);

	(void) ignored;
	_exit(70);
}

void *
util_alloc(size_t size)
{
	void *ptr = malloc(size > 0 ? size : 1);

	if (ptr == NULL)
		out_of_memory();
	return ptr;
}

void *
util_alloc_zero(size_t size)
{
	void *ptr = calloc(1, size > 0 ? size : 1);

	if (ptr == NULL)
		out_of_memory();
	return ptr;
}

void *
util_realloc(void *ptr, size_t size)
{
	ptr = realloc(ptr, size > 0 ? size : 1);
	if (ptr == NULL)
		out_of_memory();
	return ptr;
}

char *
util_strndup(const char *text, size_t bytes)
{
	char *copy = util_alloc(bytes + 1);

	memcpy(copy, text, bytes);
	copy[bytes] = '\0';
	return copy;
}

char *
util_strdup(const char *text)
{
	return util_strndup(text, strlen(text));
}

static void *
buffer_alloc(void *ctx, size_t size)
{
	(void) ctx;
	return util_alloc(size);
}

static void
buffer_free(void *ctx, void *ptr)
{
	(void) ctx;
	free(ptr);
}

const CollabAlloc util_buffer_alloc = {buffer_alloc, buffer_free, NULL};

uint64_t
util_random(void)
{
	uint64_t value;

	while (getrandom(&value, sizeof(value), 0) != (ssize_t) sizeof(value))
		;
	return value;
}

bool
util_parse_hex64(const char *text, size_t bytes, uint64_t *out)
{
	uint64_t value = 0;

	if (bytes != 16)
		return false;
	for (size_t i = 0; i < bytes; i++)
	{
		char c = text[i];

		if (c >= '0' && c <= '9')
			value = value << 4 | (uint64_t) (c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (uint64_t) (c - 'a' + 10);
		else
			return false;
	}
	*out = value;
	return true;
}

bool
util_parse_decimal(const char *text, size_t bytes, int64_t max, int64_t *out)
{
	int64_t value = 0;

	if (bytes == 0)
		return false;
	for (size_t i = 0; i < bytes; i++)
	{
		int digit = text[i] - '0';

		if (digit < 0 || digit > 9 || value > (max - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*out = value;
	return true;
}

bool
util_valid_utf8(const char *text, size_t bytes)
{
	const unsigned char *s = (const unsigned char *) text;
	size_t				 i = 0;

	while (i < bytes)
	{
		unsigned char c = s[i];
		size_t		  need;
		uint32_t	  code;
		uint32_t	  least;

		if (c < 0x80)
		{
			i++;
			continue;
		}
		if (c >= 0xc2 && c <= 0xdf)
			need = 1, code = c & 0x1f, least = 0x80;
		else if (c >= 0xe0 && c <= 0xef)
			need = 2, code = c & 0x0f, least = 0x800;
		else if (c >= 0xf0 && c <= 0xf4)
			need = 3, code = c & 0x07, least = 0x10000;
		else
			return false;
		if (bytes - i <= need)
			return false;
		for (size_t k = 1; k <= need; k++)
		{
			if ((s[i + k] & 0xc0) != 0x80)
				return false;
			code = code << 6 | (s[i + k] & 0x3f);
		}
		if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
			return false;
		i += need + 1;
	}
	return true;
}

bool
util_valid_doc_id(const char *text, size_t bytes)
{
	if (bytes < 1 || bytes > 128)
		return false;
	for (size_t i = 0; i < bytes; i++)
	{
		char c = text[i];
		bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

		if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '~' && c != '-')
			return false;
	}
	return !(text[0] == '.' && (bytes == 1 || (bytes == 2 && text[1] == '.')));
}

bool
util_valid_user(const char *text, size_t bytes)
{
	if (bytes < 1 || bytes > 128 || !util_valid_utf8(text, bytes))
		return false;
	for (size_t i = 0; i < bytes; i++)
	{
		unsigned char c = (unsigned char) text[i];

		/* C0, DEL, and C1 (which UTF-8 writes as c2 80 .. c2 9f) */
		if (c < 0x20 || c == 0x7f)
			return false;
		if (c == 0xc2 && (unsigned char) text[i + 1] < 0xa0)
			return false;
	}
	return true;
}

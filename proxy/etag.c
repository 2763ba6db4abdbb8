/* etag.c - entity tags: "VERSION-EVENT", and "VERSION-EVENT-FORMAT" for other formats than the Delta. */
#include "etag.h"

#include <stdio.h>
#include <string.h>

void
etag_format(char *out, int64_t version, uint64_t event, const char *format)
{
	snprintf(out, ETAG_MAX, "\"%lld-%016llx%s%s\"", (long long) version, (unsigned long long) event,
			 format != NULL ? "-" : "", format != NULL ? format : "");
}

/* One tag of a list: what stands between the quotes. */
typedef struct Tag
{
	bool		weak;
	const char *text;
	size_t		bytes;
} Tag;

/* The next of a comma-separated list; anything malformed ends it. */
static bool
next_tag(const char **at, Tag *out)
{
	const char *p = *at + strspn(*at, " \t,");
	const char *end;

	out->weak = strncmp(p, "W/", 2) == 0;
	if (out->weak)
		p += 2;
	if (*p != '"' || (end = strchr(p + 1, '"')) == NULL)
		return false;
	out->text = p + 1;
	out->bytes = (size_t) (end - p - 1);
	*at = end + 1;
	return true;
}

static bool
tag_is(const Tag *tag, const char *text)
{
	return tag->bytes == strlen(text) && memcmp(tag->text, text, tag->bytes) == 0;
}

/* "42" */
static bool
is_version(const Tag *tag, int64_t version)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long) version);
	return tag_is(tag, text);
}

bool
etag_is_any(const char *header)
{
	return strcmp(header, "*") == 0;
}

bool
etag_none_match(const char *header, int64_t version, uint64_t event, const char *format)
{
	char own[ETAG_MAX];
	Tag	 tag;

	if (etag_is_any(header))
		return true;
	etag_format(own, version, event, format);
	own[strlen(own) - 1] = '\0';
	while (next_tag(&header, &tag))
	{
		if (tag_is(&tag, own + 1) || is_version(&tag, version))
			return true;
	}
	return false;
}

bool
etag_match(const char *header, int64_t version, uint64_t event)
{
	char   own[ETAG_MAX];
	size_t bytes;
	Tag	   tag;

	if (etag_is_any(header))
		return true;
	etag_format(own, version, event, NULL);
	bytes = strlen(own) - 2;
	while (next_tag(&header, &tag))
	{
		if (tag.weak)
			continue;
		if (tag.bytes >= bytes && memcmp(tag.text, own + 1, bytes) == 0 &&
			(tag.bytes == bytes || tag.text[bytes] == '-'))
			return true;
		if (is_version(&tag, version))
			return true;
	}
	return false;
}

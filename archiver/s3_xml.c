/* s3_xml.c - the little of S3's XML that the archiver reads. */
#include "s3_xml.h"

#include <stdio.h>
#include <string.h>

/* The character that an entity stands for and the bytes that it takes; 0: it is none that we know. */
static size_t
entity(const char *text, char *out)
{
	static const struct
	{
		const char *text;
		char		character;
	} known[] = {{"&amp;", '&'},  {"&lt;", '<'},	{"&gt;", '>'},
				 {"&quot;", '"'}, {"&apos;", '\''}, {"&#34;", '"'}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
	{
		if (strncmp(text, known[i].text, strlen(known[i].text)) == 0)
		{
			*out = known[i].character;
			return strlen(known[i].text);
		}
	}
	return 0;
}

bool
s3_xml_next(const char **at, const char *name, char *out, size_t size)
{
	char		open[64];
	char		close[64];
	const char *text;
	const char *end;
	size_t		used = 0;

	snprintf(open, sizeof(open), "<%s>", name);
	snprintf(close, sizeof(close), "</%s>", name);
	text = strstr(*at, open);
	if (text == NULL)
		return false;
	text += strlen(open);
	end = strstr(text, close);
	if (end == NULL)
		return false;
	while (text < end && used + 1 < size)
	{
		size_t bytes = *text == '&' ? entity(text, &out[used]) : 0;

		if (bytes == 0)
		{
			out[used] = *text;
			bytes = 1;
		}
		text += bytes;
		used++;
	}
	out[used] = '\0';
	*at = end + strlen(close);
	return true;
}

bool
s3_xml_find(const char *xml, const char *name, char *out, size_t size)
{
	return s3_xml_next(&xml, name, out, size);
}

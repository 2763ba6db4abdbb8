/* percent.c - %XX in paths, queries and addresses. */
#include "percent.h"

#include "hex.h"

int64_t
percent_decode(const char *text, size_t bytes, bool spaces, char *out)
{
	int64_t used = 0;

	for (size_t i = 0; i < bytes; i++)
	{
		char c = text[i];

		if (c == '%')
		{
			int high = bytes - i > 2 ? hex_digit(text[i + 1]) : -1;
			int low = bytes - i > 2 ? hex_digit(text[i + 2]) : -1;

			if (high < 0 || low < 0)
				return -1;
			c = (char) (high << 4 | low);
			i += 2;
		}
		else if (c == '+' && spaces)
			c = ' ';
		if (c == '\0')
			return -1;
		out[used++] = c;
	}
	return used;
}

/* address.c - addresses of clients, and whose word about them counts. */
#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define MAPPED_BITS 96 /* of ::ffff:0:0/96 */

static Address
mapped(const struct in_addr *v4)
{
	Address address = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0}};

	memcpy(address.bytes + 12, v4, 4);
	return address;
}

Address
address_of_socket(const struct sockaddr_storage *from)
{
	Address address = {{0}};

	if (from->ss_family == AF_INET)
		return mapped(&((const struct sockaddr_in *) (const void *) from)->sin_addr);
	if (from->ss_family == AF_INET6)
		memcpy(address.bytes, &((const struct sockaddr_in6 *) (const void *) from)->sin6_addr, 16);
	return address;
}

/* Just an address. */
static bool
parse_plain(const char *text, size_t bytes, Address *out, bool *v4)
{
	char			buffer[INET6_ADDRSTRLEN];
	struct in_addr	in4;
	struct in6_addr in6;

	if (bytes >= sizeof(buffer))
		return false;
	memcpy(buffer, text, bytes);
	buffer[bytes] = '\0';
	*v4 = inet_pton(AF_INET, buffer, &in4) == 1;
	if (*v4)
		*out = mapped(&in4);
	else if (inet_pton(AF_INET6, buffer, &in6) == 1)
		memcpy(out->bytes, &in6, 16);
	else
		return false;
	return true;
}

bool
address_parse(const char *text, size_t bytes, Address *out)
{
	const char *end;
	bool		v4;

	if (bytes > 0 && text[0] == '[')
	{
		end = memchr(text, ']', bytes);
		return end != NULL && parse_plain(text + 1, (size_t) (end - text) - 1, out, &v4);
	}
	if (parse_plain(text, bytes, out, &v4))
		return true;
	end = memchr(text, ':', bytes);
	return end != NULL && parse_plain(text, (size_t) (end - text), out, &v4) && v4;
}

/* ---- sets ---- */

static bool
is_separator(char c)
{
	return c == ',' || c == ' ' || c == '\t';
}

static bool
parse_range(const char *text, size_t bytes, AddressRange *out)
{
	const char *slash = memchr(text, '/', bytes);
	size_t		address_bytes = slash != NULL ? (size_t) (slash - text) : bytes;
	int			bits = 0;
	bool		v4;

	if (!parse_plain(text, address_bytes, &out->address, &v4))
		return false;
	out->bits = 128;
	if (slash == NULL)
		return true;
	if (address_bytes + 1 == bytes || bytes - address_bytes > 4)
		return false;
	for (const char *c = slash + 1; c < text + bytes; c++)
	{
		if (*c < '0' || *c > '9')
			return false;
		bits = bits * 10 + (*c - '0');
	}
	out->bits = v4 ? bits + MAPPED_BITS : bits;
	return out->bits <= 128;
}

bool
address_set_parse(const char *text, AddressSet *out, const char **problem)
{
	out->count = 0;
	while (*text != '\0')
	{
		size_t bytes = 0;

		if (is_separator(*text))
		{
			text++;
			continue;
		}
		while (text[bytes] != '\0' && !is_separator(text[bytes]))
			bytes++;
		if (out->count == ADDRESS_RANGES)
		{
			*problem = "more than 64 ranges";
			return false;
		}
		if (!parse_range(text, bytes, &out->ranges[out->count]))
		{
			*problem =
				"expected numeric addresses or ranges such as 10.0.0.0/8, fd00::/8, separated by commas";
			return false;
		}
		out->count++;
		text += bytes;
	}
	return true;
}

static bool
within(const AddressRange *range, const Address *address)
{
	size_t whole = (size_t) range->bits / 8;
	int	   rest = range->bits % 8;

	if (memcmp(range->address.bytes, address->bytes, whole) != 0)
		return false;
	return rest == 0 || (range->address.bytes[whole] ^ address->bytes[whole]) >> (8 - rest) == 0;
}

bool
address_set_has(const AddressSet *set, const Address *address)
{
	for (int i = 0; i < set->count; i++)
	{
		if (within(&set->ranges[i], address))
			return true;
	}
	return false;
}

Address
address_forwarded(const AddressSet *trusted, const Address *peer, const char *header, size_t bytes)
{
	Address address = *peer;

	while (bytes > 0 && address_set_has(trusted, &address))
	{
		size_t start = bytes;
		size_t end;

		while (start > 0 && header[start - 1] != ',')
			start--;
		for (end = bytes; end > start && is_separator(header[end - 1]); end--)
			;
		bytes = start > 0 ? start - 1 : 0;
		while (start < end && is_separator(header[start]))
			start++;
		/* nonsense from somebody trusted: then it is the last one that is known */
		if (!address_parse(header + start, end - start, &address))
			break;
	}
	return address;
}

/* address.h - addresses of clients, and whose word about them counts. */
#ifndef COLLAB_PROXY_ADDRESS_H
#define COLLAB_PROXY_ADDRESS_H

#include <sys/socket.h>

#include "util.h"

#define ADDRESS_RANGES 64

/* An IPv6 address, or an IPv4 one mapped into them (::ffff:a.b.c.d). */
typedef struct Address
{
	unsigned char bytes[16];
} Address;

typedef struct AddressRange
{
	Address address;
	int		bits; /* of the mapped form */
} AddressRange;

/* Addresses and ranges in CIDR notation. */
typedef struct AddressSet
{
	int			 count;
	AddressRange ranges[ADDRESS_RANGES];
} AddressSet;

Address address_of_socket(const struct sockaddr_storage *from);
/* An element of X-Forwarded-For: an address, perhaps in brackets, perhaps with a port. */
bool address_parse(const char *text, size_t bytes, Address *out) MUST_CHECK;

/* Separated by commas or spaces. False: *problem says why, a static text. */
bool address_set_parse(const char *text, AddressSet *out, const char **problem) MUST_CHECK;
bool address_set_has(const AddressSet *set, const Address *address);

/*
 * Whose request it is that came from `peer` with this X-Forwarded-For: each proxy appends who it got the request from, so it
 * is read from its end as long as those who wrote it are trusted. What stands before is only what the client says.
 */
Address address_forwarded(const AddressSet *trusted, const Address *peer, const char *header, size_t bytes);

#endif

/* memory.c - libraries get their memory where we get ours: what cannot be had ends the process, in order. */
#include "memory.h"

#include <openssl/crypto.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "util.h"

static void *
allocate_zero(size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		return NULL;
	return util_alloc_zero(bytes);
}

static void *
crypto_allocate(size_t size, const char *file, int line)
{
	(void) file;
	(void) line;
	return size == 0 ? NULL : util_alloc(size);
}

static void *
crypto_resize(void *ptr, size_t size, const char *file, int line)
{
	(void) file;
	(void) line;
	if (size > 0)
		return util_realloc(ptr, size);
	free(ptr);
	return NULL;
}

static void
crypto_release(void *ptr, const char *file, int line)
{
	(void) file;
	(void) line;
	free(ptr);
}

void *
memory_for_websockets(void *ptr, size_t size, const char *reason)
{
	(void) reason;
	if (size > 0)
		return util_realloc(ptr, size);
	free(ptr);
	return NULL;
}

void
memory_adopt(void)
{
	/*
	 * libpq asks who we are. The C library reads /etc/nsswitch.conf for that, once, and aborts where it has no memory to do so: here,
	 * before anybody depends on us.
	 */
	(void) getpwuid(geteuid());
	uv_replace_allocator(util_alloc, util_realloc, allocate_zero, free);
	CRYPTO_set_mem_functions(crypto_allocate, crypto_resize, crypto_release);
}

/* sha256.c - SHA-256 of a buffer; the only file that knows OpenSSL. */
#include "sha256.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "log.h"

void
sha256(const void *data, size_t bytes, uint8_t out[SHA256_BYTES])
{
	unsigned int size = 0;

	/* without a hash nothing can be verified, and nothing may be deleted */
	if (EVP_Digest(data, bytes, out, &size, EVP_sha256(), NULL) != 1 || size != SHA256_BYTES)
	{
		log_line(LOG_ERROR, "this OpenSSL cannot compute SHA-256", NULL);
		abort();
	}
}

void
sha256_hex(const uint8_t hash[SHA256_BYTES], char out[SHA256_HEX_BYTES])
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < SHA256_BYTES; i++)
	{
		out[2 * i] = digits[hash[i] >> 4];
		out[2 * i + 1] = digits[hash[i] & 15];
	}
	out[2 * SHA256_BYTES] = '\0';
}

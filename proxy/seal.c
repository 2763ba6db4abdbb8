/* seal.c - what proxies of one database leave for each other, signed with HMAC-SHA-256. */
#include "seal.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

#define MAC_BYTES 32

struct Seal
{
	EVP_MAC_CTX *mac; /* NULL: no key */
};

Seal *
seal_create(void)
{
	return util_alloc_zero(sizeof(Seal));
}

void
seal_destroy(Seal *seal)
{
	EVP_MAC_CTX_free(seal->mac);
	free(seal);
}

void
seal_set_key(Seal *seal, const char *key, size_t bytes)
{
	char	   digest[] = "SHA256";
	OSSL_PARAM params[2] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
							OSSL_PARAM_construct_end()};
	EVP_MAC	  *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);

	EVP_MAC_CTX_free(seal->mac);
	seal->mac = hmac != NULL ? EVP_MAC_CTX_new(hmac) : NULL;
	EVP_MAC_free(hmac);
	if (seal->mac == NULL || EVP_MAC_init(seal->mac, (const unsigned char *) key, bytes, params) != 1)
	{
		log_line(LOG_ERROR, "this OpenSSL cannot compute HMAC-SHA-256: all goes on without Redis", NULL);
		EVP_MAC_CTX_free(seal->mac);
		seal->mac = NULL;
	}
}

bool
seal_has_key(const Seal *seal)
{
	return seal->mac != NULL;
}

bool
seal_sign(Seal *seal, char kind, const char *doc_id, const char *data, size_t bytes, char out[SEAL_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char	  mac[MAC_BYTES];
	size_t			  size = 0;

	/* with no key it begins again with the one it has */
	if (seal->mac == NULL || EVP_MAC_init(seal->mac, NULL, 0, NULL) != 1 ||
		EVP_MAC_update(seal->mac, (const unsigned char *) &kind, 1) != 1 ||
		EVP_MAC_update(seal->mac, (const unsigned char *) doc_id, strlen(doc_id) + 1) != 1 ||
		EVP_MAC_update(seal->mac, (const unsigned char *) data, bytes) != 1 ||
		EVP_MAC_final(seal->mac, mac, &size, sizeof(mac)) != 1 || size != MAC_BYTES)
		return false;
	for (int i = 0; i < SEAL_BYTES / 2; i++)
	{
		out[2 * i] = digits[mac[i] >> 4];
		out[2 * i + 1] = digits[mac[i] & 15];
	}
	return true;
}

bool
seal_is_good(Seal *seal, char kind, const char *doc_id, const char *data, size_t bytes, const char *signature)
{
	char expected[SEAL_BYTES];

	/* in constant time: how much of a guess was right is nobody's business */
	return seal_sign(seal, kind, doc_id, data, bytes, expected) &&
		   CRYPTO_memcmp(expected, signature, SEAL_BYTES) == 0;
}

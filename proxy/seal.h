/* seal.h - what proxies of one database leave for each other where others could write, too: signed with a key that the database gives. */
#ifndef COLLAB_PROXY_SEAL_H
#define COLLAB_PROXY_SEAL_H

#include "util.h"

#define SEAL_BYTES 32 /* HMAC-SHA-256, its first half, in hex */

typedef struct Seal Seal;

Seal *seal_create(void);
void  seal_destroy(Seal *seal);
/* Without a key nothing is signed and nothing is good. */
void seal_set_key(Seal *seal, const char *key, size_t bytes);
bool seal_has_key(const Seal *seal);
/*
 * The signature of data, said of the document and as `kind`: moved to another document or used as something else it is not
 * good. False: no key.
 */
bool seal_sign(Seal *seal, char kind, const char *doc_id, const char *data, size_t bytes,
			   char out[SEAL_BYTES]) MUST_CHECK;
bool seal_is_good(Seal *seal, char kind, const char *doc_id, const char *data, size_t bytes,
				  const char *signature) MUST_CHECK;

#endif

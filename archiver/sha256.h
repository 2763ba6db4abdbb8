/* sha256.h - SHA-256 of a buffer. */
#ifndef COLLAB_ARCHIVER_SHA256_H
#define COLLAB_ARCHIVER_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32
#define SHA256_HEX_BYTES 65 /* with the NUL */

void sha256(const void *data, size_t bytes, uint8_t out[SHA256_BYTES]);
void sha256_hex(const uint8_t hash[SHA256_BYTES], char out[SHA256_HEX_BYTES]);

#endif

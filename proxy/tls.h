/* tls.h - the certificate of a proxy that takes encrypted connections itself. */
#ifndef COLLAB_PROXY_TLS_H
#define COLLAB_PROXY_TLS_H

#include <openssl/ssl.h>

#include "util.h"

#define TLS_PROBLEM_BYTES 256

/* Whether both files can be read and belong together; if not, `problem` (TLS_PROBLEM_BYTES) says why. */
bool tls_check(const char *certificate, const char *key, char *problem) MUST_CHECK;

/* TLS 1.3 only, HTTP/1.1 only, with this certificate. */
bool tls_set_up(SSL_CTX *context, const char *certificate, const char *key, char *problem) MUST_CHECK;

/*
 * Takes the files as they are now: all of them or, where they are not valid, nothing. Connections that are open keep what they
 * have.
 */
bool tls_renew(SSL_CTX *context, const char *certificate, const char *key, char *problem) MUST_CHECK;

/* When the certificate ends to be valid: seconds since 1970. */
int64_t tls_valid_until(SSL_CTX *context);

#endif

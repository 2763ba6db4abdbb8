/* tls.c - the certificate of a proxy that takes encrypted connections itself. */
#include "tls.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>

/* What OpenSSL complains of, its oldest complaint: the later ones say only that something failed. */
static bool
complain(char *problem, const char *file)
{
	unsigned long code = ERR_get_error();
	const char	 *reason = ERR_reason_error_string(code);

	/* a file that cannot be opened is an error of the system, of which OpenSSL has no text */
	if (code != 0 && ERR_SYSTEM_ERROR(code))
		reason = strerror(ERR_GET_REASON(code));
	snprintf(problem, TLS_PROBLEM_BYTES, "%s: %s", file, reason != NULL ? reason : "not valid");
	ERR_clear_error();
	return false;
}

/* A key with a passphrase is refused: nobody is there to be asked. */
static int
no_passphrase(char *buffer, int size, int writing, void *context)
{
	(void) buffer;
	(void) size;
	(void) writing;
	(void) context;
	return -1;
}

/* Both files in a context of their own; NULL: complained. */
static SSL_CTX *
read_files(const char *certificate, const char *key, char *problem)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	bool	 good;

	ERR_clear_error();
	if (context == NULL)
	{
		complain(problem, "OpenSSL");
		return NULL;
	}
	SSL_CTX_set_default_passwd_cb(context, no_passphrase);
	if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
		good = complain(problem, certificate);
	else if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
		good = complain(problem, key);
	else
		good = true;
	if (good)
		return context;
	SSL_CTX_free(context);
	return NULL;
}

bool
tls_check(const char *certificate, const char *key, char *problem)
{
	SSL_CTX *context = read_files(certificate, key, problem);

	SSL_CTX_free(context);
	return context != NULL;
}

bool
tls_renew(SSL_CTX *context, const char *certificate, const char *key, char *problem)
{
	SSL_CTX *fresh = read_files(certificate, key, problem);
	STACK_OF(X509) *chain = NULL;
	bool good;

	if (fresh == NULL)
		return false;
	SSL_CTX_get0_chain_certs(fresh, &chain);
	good = SSL_CTX_use_cert_and_key(context, SSL_CTX_get0_certificate(fresh), SSL_CTX_get0_privatekey(fresh),
									chain, 1) == 1 ||
		   complain(problem, certificate);
	SSL_CTX_free(fresh);
	return good;
}

bool
tls_set_up(SSL_CTX *context, const char *certificate, const char *key, char *problem)
{
	ERR_clear_error();
	/* nobody resumes: that would keep memory, and keys, for connections that are gone */
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(context, 0);
	if (SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1)
		return complain(problem, "TLS 1.3");
	return tls_renew(context, certificate, key, problem);
}

int64_t
tls_valid_until(SSL_CTX *context)
{
	const X509 *certificate = SSL_CTX_get0_certificate(context);
	struct tm	end;

	if (certificate == NULL || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1)
		return 0;
	return (int64_t) timegm(&end);
}

/* http.h - one HTTP request at a time, signed with AWS Signature Version 4. */
#ifndef COLLAB_ARCHIVER_HTTP_H
#define COLLAB_ARCHIVER_HTTP_H

#include "buf.h"
#include "config.h"

typedef struct Http Http;

/* All of it comes from the environment or a file, is never logged and never shown to other processes. */
typedef struct HttpCredentials
{
	char *access_key_id;
	char *secret_access_key;
	char *session_token; /* NULL: none */
} HttpCredentials;

typedef struct HttpRequest
{
	const char *method; /* GET, PUT, DELETE */
	const char *url; /* what stands in path and query is signed as it is: encoded and sorted by the caller */
	const char *region;
	const char *payload_hash; /* SHA-256 of the body in hex */
	const void *body;
	size_t		bytes;
	size_t		max_response; /* more is refused: HTTP_TOO_LARGE */
} HttpRequest;

typedef enum HttpOutcome
{
	HTTP_ANSWERED, /* `status` and `body` are there */
	HTTP_TOO_LARGE,
	HTTP_BROKEN, /* timeouts, broken connections, half an answer: may work the next time */
	HTTP_STOPPED,
	HTTP_IMPOSSIBLE /* it will not work the next time either */
} HttpOutcome;

typedef struct HttpResponse
{
	long status;
	Buf *body;		   /* the caller's; what an error's body has beyond 16 kB is cut */
	char message[300]; /* of libcurl, where it is not HTTP_ANSWERED */
} HttpResponse;

/* Once per process, before any thread. */
bool http_start(void);
void http_end(void);

Http	   *http_create(const Config *config);
void		http_destroy(Http *http);
HttpOutcome http_send(Http *http, const HttpCredentials *credentials, const HttpRequest *request,
					  HttpResponse *response);

/* Percent-encoded for a query; the caller frees it. */
char *http_escape(Http *http, const char *text);

#endif

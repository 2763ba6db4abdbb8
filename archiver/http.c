/* http.c - one HTTP request at a time, signed with AWS Signature Version 4; the only file that knows libcurl. */
#include "http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stop.h"

#define ERROR_BODY_MAX 16384
/* A transfer that is slower than this for so long is broken. */
#define LOW_SPEED_BYTES 1024L
#define LOW_SPEED_SECONDS 20L

struct Http
{
	const Config *config;
	CURL		 *curl;
};

typedef struct Transfer
{
	CURL			  *curl;
	const HttpRequest *request;
	HttpResponse	  *response;
	size_t			   sent;
	bool			   too_large;
} Transfer;

bool
http_start(void)
{
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

void
http_end(void)
{
	curl_global_cleanup();
}

Http *
http_create(const Config *config)
{
	Http *http = util_alloc_zero(sizeof(Http));

	http->config = config;
	http->curl = curl_easy_init();
	if (http->curl == NULL)
	{
		free(http);
		return NULL;
	}
	return http;
}

void
http_destroy(Http *http)
{
	curl_easy_cleanup(http->curl);
	free(http);
}

char *
http_escape(Http *http, const char *text)
{
	char *escaped = curl_easy_escape(http->curl, text, 0);
	char *copy = util_strdup(escaped != NULL ? escaped : "");

	curl_free(escaped);
	return copy;
}

/* ---- what libcurl asks for while it works ---- */

static size_t
give_body(char *out, size_t size, size_t count, void *context)
{
	Transfer *transfer = context;
	size_t	  bytes = transfer->request->bytes - transfer->sent;

	if (bytes > size * count)
		bytes = size * count;
	if (bytes > 0)
		memcpy(out, (const char *) transfer->request->body + transfer->sent, bytes);
	transfer->sent += bytes;
	return bytes;
}

/* A connection that was kept and had died meanwhile: libcurl begins again on a new one. */
static int
seek_body(void *context, curl_off_t offset, int origin)
{
	Transfer *transfer = context;

	if (origin != SEEK_SET || offset < 0 || (size_t) offset > transfer->request->bytes)
		return CURL_SEEKFUNC_FAIL;
	transfer->sent = (size_t) offset;
	return CURL_SEEKFUNC_OK;
}

static size_t
take_body(char *data, size_t size, size_t count, void *context)
{
	Transfer *transfer = context;
	Buf		 *body = transfer->response->body;
	size_t	  bytes = size * count;
	long	  status = 0;

	curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 200 && status < 300)
	{
		if (bytes > transfer->request->max_response || body->size > transfer->request->max_response - bytes)
		{
			transfer->too_large = true;
			return 0;
		}
		buf_bytes(body, data, bytes);
	}
	else if (body->size < ERROR_BODY_MAX)
		buf_bytes(body, data, bytes < ERROR_BODY_MAX - body->size ? bytes : ERROR_BODY_MAX - body->size);
	return bytes;
}

static int
look_around(void *context, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
	(void) context;
	(void) down_total;
	(void) down;
	(void) up_total;
	(void) up;
	return stop_requested();
}

/* ---- one request ---- */

static bool
add_header(struct curl_slist **headers, const char *name, const char *value)
{
	size_t			   bytes = strlen(name) + strlen(value) + 3;
	char			  *line = util_alloc(bytes);
	struct curl_slist *longer;

	snprintf(line, bytes, "%s: %s", name, value);
	longer = curl_slist_append(*headers, line);
	explicit_bzero(line, bytes);
	free(line);
	if (longer != NULL)
		*headers = longer;
	return longer != NULL;
}

/* libcurl 7.88 signs every header that it is given, but hashes no body of an upload by itself. */
static bool
add_headers(struct curl_slist **headers, const HttpCredentials *credentials, const HttpRequest *request)
{
	return add_header(headers, "x-amz-content-sha256", request->payload_hash) &&
		   (request->body == NULL || add_header(headers, "Content-Type", "application/octet-stream")) &&
		   (credentials->session_token == NULL ||
			add_header(headers, "x-amz-security-token", credentials->session_token));
}

static void
set_limits(Http *http)
{
	CURL *curl = http->curl;

	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* not by a variable that happens to be set */
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long) http->config->connect_timeout_s);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long) http->config->store_timeout_s);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, LOW_SPEED_BYTES);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, LOW_SPEED_SECONDS);
	if (http->config->s3_ca_file[0] != '\0')
		curl_easy_setopt(curl, CURLOPT_CAINFO, http->config->s3_ca_file);
}

static void
set_request(Http *http, Transfer *transfer, const HttpCredentials *credentials)
{
	const HttpRequest *request = transfer->request;
	CURL			  *curl = http->curl;
	char			   provider[160];

	snprintf(provider, sizeof(provider), "aws:amz:%s:s3", request->region);
	curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, provider);
	curl_easy_setopt(curl, CURLOPT_USERNAME, credentials->access_key_id);
	curl_easy_setopt(curl, CURLOPT_PASSWORD, credentials->secret_access_key);
	curl_easy_setopt(curl, CURLOPT_URL, request->url);
	/* refused before a byte of it is read; the body of an error may be longer than what was asked for */
	curl_easy_setopt(
		curl, CURLOPT_MAXFILESIZE_LARGE,
		(curl_off_t) (request->max_response > ERROR_BODY_MAX ? request->max_response : ERROR_BODY_MAX));
	if (request->body != NULL)
	{
		curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t) request->bytes);
		curl_easy_setopt(curl, CURLOPT_READFUNCTION, give_body);
		curl_easy_setopt(curl, CURLOPT_READDATA, transfer);
		curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, seek_body);
		curl_easy_setopt(curl, CURLOPT_SEEKDATA, transfer);
	}
	else
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_around);
}

static HttpOutcome
outcome_of(CURLcode code, bool too_large)
{
	if (too_large || code == CURLE_FILESIZE_EXCEEDED)
		return HTTP_TOO_LARGE;
	switch (code)
	{
		case CURLE_OK:
			return HTTP_ANSWERED;
		case CURLE_ABORTED_BY_CALLBACK:
			return HTTP_STOPPED;
		case CURLE_COULDNT_RESOLVE_HOST:
		case CURLE_COULDNT_CONNECT:
		case CURLE_OPERATION_TIMEDOUT:
		case CURLE_GOT_NOTHING:
		case CURLE_SEND_ERROR:
		case CURLE_RECV_ERROR:
		case CURLE_PARTIAL_FILE:
		case CURLE_SSL_CONNECT_ERROR:
		case CURLE_WEIRD_SERVER_REPLY:
		case CURLE_HTTP2:
			return HTTP_BROKEN;
		default:
			return HTTP_IMPOSSIBLE;
	}
}

HttpOutcome
http_send(Http *http, const HttpCredentials *credentials, const HttpRequest *request, HttpResponse *response)
{
	Transfer		   transfer = {.curl = http->curl, .request = request, .response = response};
	struct curl_slist *headers = NULL;
	char			   detail[CURL_ERROR_SIZE] = "";
	CURLcode		   code = CURLE_OUT_OF_MEMORY;

	curl_easy_reset(http->curl); /* connections are kept */
	curl_easy_setopt(http->curl, CURLOPT_ERRORBUFFER, detail);
	set_limits(http);
	set_request(http, &transfer, credentials);
	if (add_headers(&headers, credentials, request))
	{
		curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, headers);
		code = curl_easy_perform(http->curl);
	}
	curl_easy_setopt(http->curl, CURLOPT_ERRORBUFFER, NULL);
	curl_slist_free_all(headers);
	curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &response->status);
	snprintf(response->message, sizeof(response->message), "%s",
			 detail[0] != '\0' ? detail : curl_easy_strerror(code));
	return outcome_of(code, transfer.too_large);
}

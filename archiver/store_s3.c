/* store_s3.c - a cold store that speaks S3: four requests, and what their answers mean. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "credentials.h"
#include "http.h"
#include "s3_xml.h"
#include "sha256.h"
#include "store.h"

#define ANSWER_MAX 4194304 /* a page of 1000 keys has less than 1 MB */
#define URL_BYTES 1024

typedef struct S3Store
{
	Store base;
	Http *http;
	Buf	  answer;
} S3Store;

static S3Store *
s3_store(Store *store)
{
	return container_of(store, S3Store, base);
}

/* ---- what an answer means ---- */

static StoreStatus
fail_transfer(StoreError *err, HttpOutcome outcome, const HttpResponse *response, const char *what,
			  const char *key)
{
	static const StoreStatus statuses[] = {
		[HTTP_ANSWERED] = STORE_FAILED, [HTTP_TOO_LARGE] = STORE_TOO_LARGE, [HTTP_BROKEN] = STORE_BUSY,
		[HTTP_STOPPED] = STORE_STOPPED, [HTTP_IMPOSSIBLE] = STORE_FAILED,
	};

	if (outcome == HTTP_TOO_LARGE)
		return store_fail(err, STORE_TOO_LARGE, "%s \"%s\": the object is larger than what was stored", what,
						  key);
	return store_fail(err, statuses[outcome], "%s \"%s\": %s", what, key, response->message);
}

static const char *
advice(long status, const char *code)
{
	if (strcmp(code, "SignatureDoesNotMatch") == 0)
		return ": the secret access key or the region is wrong";
	if (strcmp(code, "InvalidAccessKeyId") == 0)
		return ": the store does not know the access key id";
	if (strcmp(code, "RequestTimeTooSkewed") == 0)
		return ": this machine's clock and the store's differ too much";
	if (strcmp(code, "ExpiredToken") == 0)
		return ": the credentials have expired";
	if (strcmp(code, "NoSuchBucket") == 0)
		return ": s3_bucket is wrong";
	if (status == 301 || status == 302 || status == 307 || status == 308)
		return ": the bucket lies elsewhere; s3_endpoint and s3_region must be its own";
	if (status == 403)
		return ": the credentials do not allow it";
	return "";
}

static StoreStatus
status_of(long status, const char *code)
{
	if (status == 404)
		return STORE_MISSING;
	if (status == 401 || status == 403)
		return STORE_DENIED;
	if (status == 408 || status == 429 || status >= 500 || strcmp(code, "RequestTimeout") == 0 ||
		strcmp(code, "SlowDown") == 0)
		return STORE_BUSY;
	return STORE_FAILED;
}

static StoreStatus
fail_answer(StoreError *err, long status, Buf *answer, const char *what, const char *key)
{
	char code[64] = "";

	buf_char(answer, '\0');
	(void) s3_xml_find(answer->data, "Code", code, sizeof(code));
	/* it goes into a log: nothing but a name */
	code[strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")] = '\0';
	return store_fail(err, status_of(status, code), "%s \"%s\": HTTP %ld%s%s%s", what, key, status,
					  code[0] != '\0' ? " " : "", code, advice(status, code));
}

/* ---- one request ---- */

/* `query` may be NULL. The body of a good answer is in `answer`. */
static StoreStatus
request(S3Store *store, const char *method, const char *key, const char *query, const void *body,
		size_t bytes, size_t max_response, Buf *answer, StoreError *err)
{
	const Config   *config = store->base.config;
	const char	   *prefix = query == NULL ? config->s3_prefix : "";
	char			url[URL_BYTES];
	char			hash_text[SHA256_HEX_BYTES];
	uint8_t			hash[SHA256_BYTES];
	HttpCredentials credentials;
	HttpResponse	response = {.body = answer};
	HttpRequest		req = {.method = method,
						   .url = url,
						   .region = config->s3_region,
						   .payload_hash = hash_text,
						   .body = body,
						   .bytes = bytes,
						   .max_response = max_response};
	HttpOutcome		outcome;

	if (snprintf(url, sizeof(url), "%s/%s%s%s%s%s%s", config->s3_endpoint, config->s3_bucket,
				 query == NULL ? "/" : "", prefix, query == NULL ? key : "", query != NULL ? "?" : "",
				 query != NULL ? query : "") >= (int) sizeof(url))
		return store_fail(err, STORE_FAILED, "the address of \"%s\" is too long", key);
	/* each time: they may be replaced while we run */
	if (!credentials_load(config, &credentials, err->message, sizeof(err->message)))
		return err->status = STORE_DENIED;
	sha256(body != NULL ? body : "", bytes, hash);
	sha256_hex(hash, hash_text);
	buf_clear(answer);
	outcome = http_send(store->http, &credentials, &req, &response);
	credentials_free(&credentials);
	if (outcome != HTTP_ANSWERED)
		return fail_transfer(err, outcome, &response, method, key);
	if (response.status < 200 || response.status > 299)
		return fail_answer(err, response.status, answer, method, key);
	err->status = STORE_OK;
	return STORE_OK;
}

static StoreStatus
s3_put(Store *base, const char *key, const void *data, size_t bytes, StoreError *err)
{
	S3Store *store = s3_store(base);

	return request(store, "PUT", key, NULL, data, bytes, ANSWER_MAX, &store->answer, err);
}

static StoreStatus
s3_get(Store *base, const char *key, size_t max_bytes, Buf *out, StoreError *err)
{
	return request(s3_store(base), "GET", key, NULL, NULL, 0, max_bytes, out, err);
}

static StoreStatus
s3_remove(Store *base, const char *key, StoreError *err)
{
	S3Store	   *store = s3_store(base);
	StoreStatus status = request(store, "DELETE", key, NULL, NULL, 0, ANSWER_MAX, &store->answer, err);

	/* S3 says 204 for what is not there; others say 404. A missing bucket is no deleted object. */
	return status == STORE_MISSING && strstr(err->message, "NoSuchBucket") == NULL ? err->status = STORE_OK
																				   : status;
}

/* ---- listing ---- */

static StoreStatus
read_entries(S3Store *store, StorePage *out, StoreError *err)
{
	size_t		prefix = strlen(store->base.config->s3_prefix);
	const char *at;
	char		text[256];
	char		size[32];

	buf_char(&store->answer, '\0');
	at = store->answer.data;
	out->count = 0;
	out->more = s3_xml_find(at, "IsTruncated", text, sizeof(text)) && strcmp(text, "true") == 0;
	while (out->count < STORE_PAGE && s3_xml_next(&at, "Key", text, sizeof(text)))
	{
		StoreEntry *entry = &out->entries[out->count];

		if (strlen(text) < prefix || strncmp(text, store->base.config->s3_prefix, prefix) != 0)
			return store_fail(err, STORE_FAILED, "the list of objects holds a key that was not asked for");
		if (strlen(text) - prefix >= sizeof(entry->key))
			continue; /* none of ours */
		if (!s3_xml_next(&at, "Size", size, sizeof(size)) ||
			!util_parse_decimal(size, strlen(size), INT64_MAX, &entry->bytes))
			return store_fail(err, STORE_FAILED, "the list of objects holds no size");
		snprintf(entry->key, sizeof(entry->key), "%s", text + prefix);
		out->count++;
	}
	if (out->more && out->count == 0)
		return store_fail(err, STORE_FAILED, "the list of objects does not go on");
	return STORE_OK;
}

/* Page by page from the last key seen, which needs no token that could expire between two of them. */
static StoreStatus
s3_list(Store *base, const char *after, StorePage *out, StoreError *err)
{
	S3Store *store = s3_store(base);
	char	 start[URL_BYTES / 2];
	char	 query[URL_BYTES];
	char	*prefix;
	char	*escaped;

	/* what is signed is the query as it is: its parameters must be in order */
	snprintf(start, sizeof(start), "%sv1/", base->config->s3_prefix);
	prefix = http_escape(store->http, start);
	snprintf(start, sizeof(start), "%s%s", base->config->s3_prefix, after);
	escaped = http_escape(store->http, start);
	if (after[0] != '\0')
		snprintf(query, sizeof(query), "list-type=2&max-keys=%d&prefix=%s&start-after=%s", STORE_PAGE, prefix,
				 escaped);
	else
		snprintf(query, sizeof(query), "list-type=2&max-keys=%d&prefix=%s", STORE_PAGE, prefix);
	free(prefix);
	free(escaped);
	if (request(store, "GET", "list", query, NULL, 0, ANSWER_MAX, &store->answer, err) != STORE_OK)
		return err->status;
	return read_entries(store, out, err);
}

static void
s3_close(Store *base)
{
	S3Store *store = s3_store(base);

	buf_free(&store->answer);
	http_destroy(store->http);
	free(store);
}

Store *
store_s3_open(const Config *config, StoreError *err)
{
	static const StoreOps ops = {s3_put, s3_get, s3_remove, s3_list, s3_close};
	HttpCredentials		  credentials;
	S3Store				 *store;
	Http				 *http;

	/* said at the start rather than at the first request */
	if (!credentials_load(config, &credentials, err->message, sizeof(err->message)))
	{
		err->status = STORE_DENIED;
		return NULL;
	}
	credentials_free(&credentials);
	http = http_create(config);
	if (http == NULL)
	{
		store_fail(err, STORE_FAILED, "libcurl does not start");
		return NULL;
	}
	store = util_alloc_zero(sizeof(S3Store));
	store->base.ops = &ops;
	store->base.config = config;
	store->http = http;
	buf_init(&store->answer, util_buffer_alloc);
	return &store->base;
}

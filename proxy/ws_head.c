/* ws_head.c - the head of a WebSocket handshake: what libwebsockets lets through and we do not. Beside ws.c the only one that knows it. */
#include "ws_head.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <libwebsockets.h>

#define KEY_BYTES 24

/* Whether a field stands there at least n + 1 times, empty or not. */
static bool
has_field(struct lws *wsi, enum lws_token_indexes token, int n)
{
	char value[256];

	if (lws_hdr_fragment_length(wsi, token, n) > 0)
		return true;
	return lws_hdr_copy_fragment(wsi, value, sizeof(value), token, n) >= 0;
}

static bool
is_repeated(struct lws *wsi)
{
	static const enum lws_token_indexes tokens[] = {WSI_TOKEN_HOST, WSI_TOKEN_KEY, WSI_TOKEN_VERSION,
													WSI_TOKEN_HTTP_CONTENT_LENGTH};

	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
	{
		if (has_field(wsi, tokens[i], 1))
			return true;
	}
	return false;
}

/* "Name :" and lines that begin with a space are unknown fields to the library; others read them as the field, or as part of the line before. */
static bool
is_disguised(struct lws *wsi)
{
	static const char *const names[] = {"host :",
										" host:",
										"\thost:",
										"content-length :",
										" content-length:",
										"\tcontent-length:",
										"transfer-encoding :",
										" transfer-encoding:",
										"\ttransfer-encoding:",
										"upgrade :",
										"connection :"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		if (lws_hdr_custom_length(wsi, names[i], (int) strlen(names[i])) >= 0)
			return true;
	}
	return false;
}

static bool
is_base64(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

/* 16 bytes in base64. */
static bool
is_key(struct lws *wsi)
{
	char key[KEY_BYTES + 1];

	if (lws_hdr_copy(wsi, key, sizeof(key), WSI_TOKEN_KEY) != KEY_BYTES ||
		strcmp(key + KEY_BYTES - 2, "==") != 0)
		return false;
	for (int i = 0; i < KEY_BYTES - 2; i++)
	{
		if (!is_base64(key[i]))
			return false;
	}
	return true;
}

const char *
ws_head_fault(struct lws *wsi)
{
	char version[16];

	if (lws_hdr_copy(wsi, version, sizeof(version), WSI_TOKEN_HTTP) < 0 || strcmp(version, "HTTP/1.1") != 0)
		return "a WebSocket needs HTTP/1.1";
	if (has_field(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING, 0))
		return "a WebSocket handshake has no body";
	if (is_repeated(wsi) || is_disguised(wsi))
		return "a field of the handshake is repeated or disguised";
	if (lws_hdr_total_length(wsi, WSI_TOKEN_HOST) == 0 || !is_key(wsi))
		return "malformed WebSocket handshake";
	return NULL;
}

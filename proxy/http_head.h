/* http_head.h - the head of an HTTP/1.1 request: text to HttpCall. Knows no sockets. */
#ifndef COLLAB_PROXY_HTTP_HEAD_H
#define COLLAB_PROXY_HTTP_HEAD_H

#include "http_call.h"

#define HTTP_HEAD_MAX 16384 /* bytes of a head */

/* The length of the head that `text` begins with, its empty line included; 0: it is not all there. */
size_t http_head_length(const char *text, size_t bytes);

/*
 * Reads a head of that length into the call. Returns 0, or the status that says what is wrong with it; *reason then is a sentence. Strict:
 * what two readers could understand differently is refused, and nothing behind it is believed.
 */
int http_head_read(HttpCall *call, const char *text, size_t bytes, const char **reason) MUST_CHECK;

/*
 * Whether a request that begins so is for a WebSocket: by its path, which stands in the first line. 1: yes; 0: no; -1: that line is not all
 * there.
 */
int http_head_is_socket(const char *text, size_t bytes);

#endif

/* http.h - what a GET gets: the files of the demo page, /healthz and /readyz. Knows no sockets. */
#ifndef COLLAB_PROXY_HTTP_H
#define COLLAB_PROXY_HTTP_H

#include "buf.h"
#include "proxy.h"

typedef struct HttpReply
{
	int			status;
	const char *type;  /* Content-Type */
	const char *cache; /* Cache-Control */
	Buf			body;
} HttpReply;

/* path: decoded, starts with '/', no query. body is initialised here and belongs to the caller. */
void http_get(Proxy *proxy, const char *path, size_t bytes, HttpReply *reply);

/* /v1/docs/{doc_id}/ws: finds the id. */
bool http_parse_socket_path(const char *path, size_t bytes, const char **doc_id, size_t *doc_id_bytes);

#endif

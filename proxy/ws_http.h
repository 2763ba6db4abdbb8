/* ws_http.h - HTTP that libwebsockets has read: handshakes, and everything where connections are encrypted. */
#ifndef COLLAB_PROXY_WS_HTTP_H
#define COLLAB_PROXY_WS_HTTP_H

#include "ws.h"

struct lws;

/* ---- called by ws.c; non-zero: close the connection ---- */

/* A request that is no handshake. */
int ws_http_request(WsConn *conn);
int ws_http_body(WsConn *conn, const char *data, size_t bytes);
int ws_http_writable(WsConn *conn);
/* A short text answer, after which the connection is closed: what follows on it is not trusted to be understood. */
int ws_http_refuse(WsConn *conn, int status, const char *text, const char *name, const char *value);
/* Whether the request announces a body. Anything but a plain 0 counts, -5 as well. */
bool ws_http_has_body(struct lws *wsi);
/* Whose it is. False: over a limit. */
bool ws_http_identify(WsConn *conn);

/* ---- called by http_conn.c, for connections inside ---- */

void ws_http_wants_to_write(WsConn *conn);
void ws_http_hang_up(WsConn *conn);

#endif

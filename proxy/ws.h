/* ws.h - sockets: the listener, the HTTP and WebSocket connections on it. The only door to libwebsockets. */
#ifndef COLLAB_PROXY_WS_H
#define COLLAB_PROXY_WS_H

#include "proxy.h"

typedef struct WsConn WsConn;

/* Takes over the bound socket; it does not accept yet. NULL after a message in the log. */
Ws	*ws_create(Proxy *proxy, int listen_fd) MUST_CHECK;
void ws_listen(Ws *ws);
void ws_stop_listening(Ws *ws);
/* The loop has to run on until the handles are closed; ws_free() then releases the rest. */
void ws_shutdown(Ws *ws);
void ws_free(Ws *ws);

/* There is something to write: client_fill() is asked for it at the end of this turn of the loop; in a crowd, of one of the next. */
void ws_wake(WsConn *conn, bool crowd);
/* Writes what is there, then a close frame. reason: short ASCII. */
void ws_close(WsConn *conn, int code, const char *reason);
/*
 * Sends up to `count` more clients elsewhere, each with a random time up to spread_ms after which to come back; connections
 * that are no WebSocket are just closed.
 */
void ws_send_away(Ws *ws, int64_t count, int64_t spread_ms);
void ws_close_all(Ws *ws, int code, const char *reason);
/* Writes what was answered to HTTP requests, and begins those that wait behind. */
void ws_answer(Ws *ws);
/* Writes for the connections that were woken. Returns whether that was all. */
bool ws_turn_end(Ws *ws);

/* The settings about limits have changed. */
void ws_limits_changed(Ws *ws);
/* Reads the certificate's files again, for whoever connects from now on. */
void ws_certificate_changed(Ws *ws);
/* When that ends to be valid: seconds since 1970; 0: connections are not encrypted. */
int64_t ws_valid_until(const Ws *ws);

int64_t ws_connections(const Ws *ws);
/* Takes nobody in at present: max_connections is reached, or descriptors have run out. */
bool ws_full(const Ws *ws);

#endif

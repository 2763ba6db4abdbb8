/* http_conn.h - one TCP connection that speaks HTTP/1.1: requests are read one after the other, answers written in pieces. */
#ifndef COLLAB_PROXY_HTTP_CONN_H
#define COLLAB_PROXY_HTTP_CONN_H

#include "http_call.h"
#include "visitor.h"
#include "ws.h"

/*
 * WebSockets are libwebsockets' business, and begin as HTTP requests. Nothing of a request for one is read here: the first line is looked
 * at in the kernel's buffer, and the socket handed on as it is.
 */
typedef struct HttpDoor
{
	Proxy		*proxy;
	VisitorBook *book;
	List		 all;	/* HttpConn.all */
	List		 dirty; /* HttpConn.dirty: there is something to write */
	/* The next request on this socket is for a WebSocket: socket and visitor are yours now. */
	void (*upgrade)(void *ctx, int fd, const Visitor *visitor);
	/* conn->call is to be answered with a stream; it can take more of it; it has ended. */
	WsConn *(*follow)(void *ctx, HttpConn *conn, const HttpCall *call, int64_t version, uint64_t event);
	void (*writable)(WsConn *follower);
	void (*gone)(WsConn *follower);
	void *ctx;
} HttpDoor;

/* The functions and ctx are set by the owner. */
void http_door_init(HttpDoor *door, Proxy *proxy, VisitorBook *book);
/* Takes over a socket and its visitor. */
void http_conn_create(HttpDoor *door, int fd, const Visitor *visitor);
/* Writes what was answered in this turn of the loop, and begins what clients have sent behind it. */
void http_door_turn_end(HttpDoor *door);
/* Up to `count` connections end: at once, or with the answer to what they have asked. Returns how many were looked at. */
int64_t http_door_send_away(HttpDoor *door, int64_t count);
void	http_door_close_all(HttpDoor *door);

/*
 * The same where connections are encrypted: libwebsockets has the socket, `outer`, and reads and writes. One request, then the end. The
 * visitor stays outer's.
 */
HttpConn *http_conn_inside(HttpDoor *door, WsConn *outer, Visitor *visitor);
void	  http_conn_request(HttpConn *conn, const char *head, size_t bytes);
void	  http_conn_feed(HttpConn *conn, const char *data, size_t bytes);
/* The next part of the answer; *last: nothing comes behind it. */
size_t http_conn_fill(HttpConn *conn, char *out, size_t capacity, bool *last);
void   http_conn_gone(HttpConn *conn);

/*
 * conn->call is answered with a stream that ends with the connection: a client without a WebSocket that opens the document behind a
 * position (version -1: at the head). False: not over an encrypted connection.
 */
bool http_conn_follow(HttpConn *conn, int64_t version, uint64_t event);
/* For who fills the stream. Written as far as the socket takes it; the rest is kept, and nothing may follow while it is. */
void http_conn_stream(HttpConn *conn, const char *text, size_t bytes);
bool http_conn_stream_blocked(const HttpConn *conn);
/* Nothing follows: the connection ends when the rest is out, in so many ms at the latest. */
void http_conn_stream_end(HttpConn *conn);
void http_conn_stream_end_in(HttpConn *conn, uint64_t ms);

/* conn->call was answered. */
void http_conn_answer(HttpConn *conn);
/* Its deadline is over. */
void http_conn_timed_out(HttpCall *call);

/* Whether the next request on a socket is for a WebSocket, without reading it: 1 yes, 0 no, -1 not known yet, -2 the end. */
int http_conn_peek(int fd, int *bytes);

#endif

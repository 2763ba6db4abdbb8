/* ws_internal.h - what the files that know libwebsockets share: ws.c and ws_http.c. */
#ifndef COLLAB_PROXY_WS_INTERNAL_H
#define COLLAB_PROXY_WS_INTERNAL_H

#include <libwebsockets.h>

#include "accept.h"
#include "http_conn.h"
#include "outbox.h"
#include "sse.h"
#include "tls.h"
#include "ws.h"

#define TX_BYTES 65536 /* most that one write takes */

/* One TCP connection. */
struct WsConn
{
	Ws		   *ws;
	struct lws *wsi; /* NULL: not a WebSocket, but a stream */
	Visitor		visitor;
	Client	   *client; /* from the upgrade on */
	HttpConn *http; /* what it asks, where it is encrypted and no WebSocket; without wsi: the stream that it fills */
	Sse			sse; /* of that */
	List		all; /* in ws->all */
	OutboxEntry out; /* in ws->outbox */
	bool		established;
	bool		sent_away;
	bool		blocked;	/* the socket takes no more; the library says when it does */
	int			close_code; /* 0: it stays open */
	bool		close_sent;
	char		close_reason[48];
};

struct Ws
{
	Proxy			   *proxy;
	struct lws_context *context;
	struct lws_vhost   *vhost;
	Accept			   *accept;
	VisitorBook			book;
	HttpDoor			door;	/* connections that have not become WebSockets */
	List				all;	/* WsConn.all */
	Outbox				outbox; /* WsConn.out */
	SSL_CTX			   *tls;	/* NULL: connections are not encrypted */
	void			   *loops[1];
	unsigned char	   *out; /* LWS_PRE + TX_BYTES */
};

#endif

/* ws_head.h - the head of a WebSocket handshake: what libwebsockets lets through and we do not. */
#ifndef COLLAB_PROXY_WS_HEAD_H
#define COLLAB_PROXY_WS_HEAD_H

struct lws;

/* NULL, or what is wrong with it: what a balancer in front may have understood in another way. */
const char *ws_head_fault(struct lws *wsi);

#endif

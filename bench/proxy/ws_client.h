/* ws_client.h - a minimal WebSocket client connection for load generation: one socket, frames in, frames out. */
#ifndef BENCH_WS_CLIENT_H
#define BENCH_WS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/*
 * Written for benchmarks: it masks with a fixed key, expects unfragmented frames from the server, answers pings, and
 * treats everything unexpected as a fatal error of the run. Not a general client.
 */
typedef struct WsClient WsClient;

typedef struct WsHandlers
{
	void (*open)(WsClient *ws);
	/* A text or binary message; valid during the call only; bytes[size] may be read and is not NUL. */
	void (*message)(WsClient *ws, const char *bytes, size_t size);
	void (*close)(WsClient *ws, int code, const char *why);
} WsHandlers;

struct WsClient
{
	uv_tcp_t		  tcp;
	uv_connect_t	  connect;
	const WsHandlers *handlers;
	void			 *user;
	const char		 *path;
	const char		 *host;
	bool			  skip_fragmented; /* counted and read over, instead of an error */
	bool			  upgraded;
	bool			  closed;
	char			 *in;
	size_t			  in_size;
	size_t			  in_capacity;
	uint64_t		  bytes_in;
	uint64_t		  frames_in;
};

/* path and host must outlive the connection. Returns a negative libuv error, or 0. */
int ws_connect(WsClient *ws, uv_loop_t *loop, const struct sockaddr *addr, const char *host, const char *path,
			   const WsHandlers *handlers, void *user);
/* The same from an IPv4 address of this machine: each has its own ports. */
int ws_connect_from(WsClient *ws, uv_loop_t *loop, const struct sockaddr *source, const struct sockaddr *addr,
					const char *host, const char *path, const WsHandlers *handlers, void *user);
/* Sends one text frame; the text is copied. */
void ws_send(WsClient *ws, const char *text, size_t bytes);
void ws_send_binary(WsClient *ws, const void *payload, size_t bytes);
void ws_close(WsClient *ws);

#endif

/* client.h - one WebSocket: its handshake, what it sends, what it is sent. */
#ifndef COLLAB_PROXY_CLIENT_H
#define COLLAB_PROXY_CLIENT_H

#include "assembly.h"
#include "frame.h"
#include "proxy.h"
#include "ws.h"

typedef struct Message	   Message;
typedef struct OpenRequest OpenRequest;

#define CLIENT_GOODBYE "the server is going away"

typedef enum ClientState
{
	CLIENT_CONNECTED, /* `open` has to come */
	CLIENT_OPENING,	  /* the answer is on its way; `position` holds the ring of the room */
	CLIENT_LIVE,	  /* gets the stream */
	CLIENT_CLOSED	  /* says nothing and hears nothing any more; the socket is closing */
} ClientState;

struct Client
{
	Proxy	   *proxy;
	WsConn	   *conn;
	ClientState state;
	Room	   *room;	/* from `open` on */
	List		member; /* in room->members */
	const char *user;	/* these three stand in `texts` */
	const char *user_json;
	const char *doc_id;
	char	   *name_json;	/* or NULL */
	char	   *color_json; /* or NULL */
	uint64_t	session;
	int64_t		site;

	/* out: queue first, then the stream from `position` on, then what had to wait for the stream */
	FrameQueue queue;
	int64_t	   position;	  /* version that is queued on this socket; -1: none yet */
	Frame	  *late_error;	  /* refusal of an operation */
	int64_t	   late_after;	  /* not before this version is out */
	bool	   heartbeat_due; /* an answer to the client's heartbeat */
	bool	   behind;		  /* was dropped from the stream: `open` has to come again */
	bool	   leaving;		  /* was told to go elsewhere; closed as soon as nothing of it is in flight */

	Assembly *assembly; /* a message that is half here; NULL: none is */

	/* the operation in flight, and the clocks used */
	Message *in_flight;
	int64_t	 last_clock;
	int64_t	 committed; /* the last version that an operation of this connection became */

	OpenRequest *opening;

	/* presence */
	WireCursor cursor;
	bool	   greeted;	  /* has the list of everybody */
	bool	   announced; /* the others know it */
	bool	   fresh;	  /* or are about to be told */
	bool	   has_cursor;
	bool	   cursor_changed;

	/* life signs, in ms of the loop's clock */
	WheelTimer timer;
	uint64_t   last_received;
	uint64_t   last_sent;
	uint64_t   unopened_since; /* while in CLIENT_CONNECTED; when it is behind: since it took something */
	uint64_t   stalled_since;  /* when output began to wait; 0: it does not */

	char texts[];
};

/* ---- called by ws ---- */

Client *client_create(Proxy *proxy, WsConn *conn, const char *doc_id, const char *user, size_t user_bytes);
void	client_established(Client *client);
/* A piece of a text message. first/last: of the message; frame_end: of a frame; declared: bytes of the frame still to come. */
void client_receive(Client *client, const char *data, size_t bytes, bool frame_end, bool last,
					uint64_t declared);
void client_receive_binary(Client *client);
bool client_has_output(const Client *client);
/* Complete frames to write now, at most capacity bytes. */
size_t client_fill(Client *client, char *out, size_t capacity);
/* The socket took all of the last client_fill (or did not). */
void client_written(Client *client, bool all);
/* There is something new for it; answers: it also waits for that. */
void client_wake(Client *client, bool answers);
void client_destroy(Client *client);
/* Tells it to go elsewhere and come back after retry_ms; client_may_go() is asked after each write from now on. */
void client_leave(Client *client, int64_t retry_ms);
bool client_may_go(const Client *client);
/* Closes what is leaving (1001). What is queued still goes out. */
void client_go(Client *client);

/* ---- called by the rest ---- */

/* Queues the message in proxy->scratch. */
void client_send_scratch(Client *client, bool counted);
/* Takes over one reference. */
void client_send(Client *client, Frame *frame);
/* clock 0: about no operation. */
void client_error(Client *client, const char *code, const char *message, int64_t clock, int64_t retry_ms);
/* An error and then the close frame. */
void client_fail(Client *client, const char *code, const char *message, int close_code);
/* What is known of the database has changed: a heartbeat says so, at once. */
void client_tell_database(Client *client);
/* Stops everything at once: what is queued is dropped. */
void client_close(Client *client, int close_code, const char *reason);
/* It reads too slowly for what it is to be sent: instead of all that it gets one `resync`, and is out of the room until it opens again. */
void client_fall_behind(Client *client);
/* The opening was answered: from now on it gets the stream. */
void client_go_live(Client *client);
/* `open` failed but may be tried again. */
void client_open_failed(Client *client, const char *code, const char *message, int64_t retry_ms);
/*
 * The outcome of the operation in flight. after: the last version that it committed or 0; the refusal must not
 * overtake that. retry_ms 0: refused for good.
 */
void client_op_refused(Client *client, int64_t clock, int64_t after, const char *code, const char *message,
					   size_t message_bytes);
void client_op_retry(Client *client, const Message *message, const char *code, const char *text,
					 int64_t retry_ms);
/* committed: as above; its acknowledgement may have to wait for the events before it. */
void client_op_finished(Client *client, int64_t committed);
/* Its piece with this clock went out as `ack`: perhaps by another way than the answer to its batch, and earlier. */
void client_op_acknowledged(Client *client, int64_t clock);

#endif

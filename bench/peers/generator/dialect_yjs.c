/*
 * dialect_yjs.c - the protocols of y-websocket and Hocuspocus: Yjs updates, in the latter with the document's name in front.
 *
 * y-websocket has no acknowledgement. Its server relays an update to everybody, the sender included, when it has applied it; that
 * relay is taken for one here. Hocuspocus: the SyncStatus message, which makes its client's unsyncedChanges fall.
 */
#include <stdio.h>

#include "crowd.h"
#include "lib0.h"
#include "replica.h"

enum
{
	MESSAGE_SYNC = 0,
	MESSAGE_AUTH = 2,
	MESSAGE_SYNC_REPLY = 4,
	MESSAGE_SYNC_STATUS = 8,
	MESSAGE_PONG = 10,
	SYNC_STEP_1 = 0,
	SYNC_STEP_2 = 1,
	SYNC_UPDATE = 2,
};

typedef struct Yjs
{
	bool	 has_content;	   /* the server's state came */
	bool	 has_ours;		   /* and it knows that there is nothing of ours */
	uint64_t statuses_to_come; /* SyncStatus for messages that were no operations */
} Yjs;

static bool
is_hocuspocus(void)
{
	return crowd.dialect == &dialect_hocuspocus;
}

/* Client 0 stands for nobody in Yjs's own tests; typists count from 1. */
static uint64_t
client_of(const Typist *t)
{
	return (uint64_t) t->index + 1;
}

/* ---- sending ---- */

static void
send_message(Typist *t, int type, int step, const void *body, size_t size)
{
	uint8_t	 message[256];
	uint8_t *at = message;

	if (is_hocuspocus())
		at = lib0_write_bytes(at, t->doc_id, strlen(t->doc_id));
	at = lib0_write(at, (uint64_t) type);
	at = lib0_write(at, (uint64_t) step);
	at = lib0_write_bytes(at, body, size);
	ws_send_binary(&t->ws, message, (size_t) (at - message));
}

static void
yjs_open(Typist *t)
{
	if (is_hocuspocus())
		send_message(t, MESSAGE_AUTH, 0, "", 0);
	send_message(t, MESSAGE_SYNC, SYNC_STEP_1, "\0", 1); /* an empty state vector: I have nothing */
}

static void
yjs_insert(Typist *t)
{
	uint8_t update[REPLICA_INSERT_MAX];
	size_t	size = replica_insert(t->shared, crowd_random(1u << 30), (ReplicaId){client_of(t), t->number - 1},
								  (char) ('a' + t->index % 26), update);

	if (size == 0)
		crowd_anomaly("%s: the document %s is empty", crowd.dialect->name, t->doc_id);
	else
		send_message(t, MESSAGE_SYNC, SYNC_UPDATE, update, size);
}

/* ---- receiving ---- */

static void
told_of_character(void *user, uint64_t client, uint64_t clock)
{
	Typist *t = user;

	if (client != client_of(t))
		crowd_delivered(t, client > INT32_MAX ? -1 : (int) client - 1, clock + 1);
	else if (!is_hocuspocus())
		crowd_acked(t, clock + 1);
}

static void
check_synced(Typist *t)
{
	Yjs *y = t->state;

	if (y->has_content && y->has_ours && y->statuses_to_come == 0)
		crowd_synced(t);
}

static void
take_sync(Typist *t, Lib0Reader *in)
{
	Yjs			  *y = t->state;
	uint64_t	   step = lib0_read(in);
	size_t		   size;
	const uint8_t *body = lib0_read_bytes(in, &size);

	if (in->broken)
		crowd_anomaly("%s: a sync message was cut off", crowd.dialect->name);
	else if (step == SYNC_STEP_1)
	{
		send_message(t, MESSAGE_SYNC, SYNC_STEP_2, "\0\0", 2); /* the server asks what it lacks: nothing */
		y->has_ours = true;
		y->statuses_to_come += is_hocuspocus();
	}
	else if (!replica_apply(t->shared, body, size, told_of_character, t))
		crowd_anomaly("%s: an update of %zu bytes that does not fit", crowd.dialect->name, size);
	else if (step == SYNC_STEP_2)
		y->has_content = true;
	check_synced(t);
}

static void
take_status(Typist *t, Lib0Reader *in)
{
	Yjs *y = t->state;
	bool applied = lib0_read(in) == 1;

	if (y->statuses_to_come > 0)
	{
		y->statuses_to_come--;
		check_synced(t);
	}
	else if (applied)
		crowd_acked(t, t->number); /* in order, and one is in flight */
	else
		crowd_refused(t, "SyncStatus 0", 12);
}

static void
ywebsocket_message(Typist *t, const char *bytes, size_t size)
{
	Lib0Reader in = {(const uint8_t *) bytes, (const uint8_t *) bytes + size, false};

	if (lib0_read(&in) == MESSAGE_SYNC)
		take_sync(t, &in);
}

static void
hocuspocus_message(Typist *t, const char *bytes, size_t size)
{
	Lib0Reader	  in = {(const uint8_t *) bytes, (const uint8_t *) bytes + size, false};
	const uint8_t pong = MESSAGE_PONG;
	uint64_t	  type;
	size_t		  name_size;

	if (size == 1)
	{
		ws_send_binary(&t->ws, &pong, 1); /* a ping has no address */
		return;
	}
	lib0_read_bytes(&in, &name_size);
	type = lib0_read(&in);
	if (type == MESSAGE_SYNC || type == MESSAGE_SYNC_REPLY)
		take_sync(t, &in);
	else if (type == MESSAGE_SYNC_STATUS)
		take_status(t, &in);
	else if (type == MESSAGE_AUTH && lib0_read(&in) == 1)
		crowd_anomaly("hocuspocus: %s: permission denied", t->doc_id);
}

static void
ywebsocket_path(const Typist *t, char *out, size_t size)
{
	snprintf(out, size, "/%s", t->doc_id);
}

static void
hocuspocus_path(const Typist *t, char *out, size_t size)
{
	(void) t;
	snprintf(out, size, "/");
}

static void
yjs_print(const void *shared, FILE *file)
{
	replica_print(shared, file);
}

const Dialect dialect_ywebsocket = {
	.name = "y-websocket",
	.document_bytes = sizeof(Replica),
	.typist_bytes = sizeof(Yjs),
	.path = ywebsocket_path,
	.open = yjs_open,
	.message = ywebsocket_message,
	.insert = yjs_insert,
	.print = yjs_print,
};

const Dialect dialect_hocuspocus = {
	.name = "hocuspocus",
	.document_bytes = sizeof(Replica),
	.typist_bytes = sizeof(Yjs),
	.path = hocuspocus_path,
	.open = yjs_open,
	.message = hocuspocus_message,
	.insert = yjs_insert,
	.print = yjs_print,
};

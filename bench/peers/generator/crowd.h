/* crowd.h - typists on WebSocket connections, whatever protocol the server speaks: who types when, and what it took. */
#ifndef BENCH_CROWD_H
#define BENCH_CROWD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "../../proxy/ws_client.h"

typedef struct Typist Typist;

/*
 * What one server's protocol needs. All functions work on a typist whose socket is open; `document_bytes` and
 * `typist_bytes` of zeroed memory are there for each document and each typist.
 */
typedef struct Dialect
{
	const char *name;
	size_t		document_bytes, typist_bytes;
	int			keep_alive_ms; /* 0: the protocol needs none within a minute */
	void (*path)(const Typist *t, char *out, size_t size);
	void (*open)(Typist *t); /* the socket is there: say what opens the document; later crowd_synced() */
	void (*message)(Typist *t, const char *bytes, size_t size);
	void (*insert)(Typist *t); /* sends operation t->number: one character at a random place */
	void (*resend)(Typist *t); /* the same once more, after crowd_retry() */
	void (*keep_alive)(Typist *t);
	void (*print)(const void *shared, FILE *file); /* the text of a document, where the dialect knows it */
} Dialect;

extern const Dialect dialect_collab, dialect_sharedb, dialect_ywebsocket, dialect_hocuspocus;

struct Typist
{
	WsClient	ws;
	int			index;	  /* among all typists, from 0 */
	int			document; /* likewise */
	char		doc_id[64];
	void	   *state;
	void	   *shared; /* the document's state */
	uint64_t	number; /* of the newest operation, from 1; it is in flight or done */
	bool		synced, in_flight, due;
	uint64_t	due_at;
	uint64_t	sent_at[64]; /* by number; one is in flight, others may still be arriving elsewhere */
	uv_timer_t	retry;
	const char *path;
};

/* What a dialect reports. */
void crowd_synced(Typist *t);
void crowd_acked(Typist *t, uint64_t number);
/* An operation of another typist, applied for the first time. A sender outside the crowd is ignored. */
void crowd_delivered(Typist *t, int sender, uint64_t number);
/* The operation in flight was refused for good. */
void crowd_refused(Typist *t, const char *text, size_t bytes);
/* It was refused for now: resend() after so many milliseconds. */
void crowd_retry(Typist *t, int64_t ms);
/* The server left out something, and the client asks for it, as its protocol wants. */
void crowd_gap(void);
/* Something that the protocol does not promise; the first is printed, all are counted. */
void crowd_anomaly(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Below `bound`. */
uint64_t crowd_random(uint64_t bound);

typedef struct CrowdOptions
{
	const Dialect *dialect;
	const char	  *host, *prefix;
	int			   port, docs, editors, span;
	bool		   idle; /* nobody types */
	double		   seconds, warmup, rate;
	pid_t		   server, postmaster;
	const char	  *text_file; /* where the dialect's text of the first document goes, if it knows one */
} CrowdOptions;

extern CrowdOptions crowd;

/* Connects everybody, lets them type, prints one JSON object. */
void crowd_run(void);

#endif

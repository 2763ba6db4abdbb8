/* person.h - one member of the crowd: a connection that is opened, kept alive, used a little, lost and made again. */
#ifndef BENCH_PERSON_H
#define BENCH_PERSON_H

#include "samples.h"
#include "ws_client.h"

typedef enum PersonState
{
	PERSON_AWAY,	   /* wants nothing */
	PERSON_WAITING,	   /* for its turn to connect, or for the end of its time-out */
	PERSON_CONNECTING, /* until the answer to `open` is complete */
	PERSON_HERE
} PersonState;

typedef struct Crowd Crowd;

typedef struct Person
{
	Crowd	   *crowd;
	WsClient	ws;
	PersonState state;
	int			number;
	int			failures; /* in a row */
	uint64_t	lost_at;  /* nanoseconds; 0: it was not */
	uint64_t	again_at; /* while waiting: not before */
	char		path[96];
	int64_t		clock;
	int64_t		version;
	int64_t		target; /* of the welcome; -1: it has not come */
	char		event[17];
	bool		in_flight;
	uint64_t	sent_at;
	uint64_t	beat_at; /* of the heartbeat that was not answered yet; 0: none */
} Person;

/* What happened since the last `reset`. */
typedef struct Tally
{
	uint64_t opened, lost, refused, errors, retries;
	uint64_t beats, answered, missed;
	uint64_t acked, delivered, cursors, left;
	uint64_t full_at; /* when the last one came */
	Samples	 beat, ack, propagation, opening;
	Samples	 away; /* from the loss of a connection to the end of opening the next */
} Tally;

struct Crowd
{
	uv_loop_t		  *loop;
	struct sockaddr_in server;
	struct sockaddr_in sources[16];
	int				   source_count;
	const char		  *host;
	const char		  *prefix;
	int				   first, count, per_document;
	int				   window; /* so many handshakes at a time */
	int64_t			   sites;  /* below the first one's; drawn anew each time, as editors do */
	Person			  *people;
	int				   here, connecting, waiting; /* of that state */
	Tally			   tally;
};

uint64_t crowd_random(void);

void person_init(Person *person, Crowd *crowd, int index);
/* Connects now. */
void person_come(Person *person);
/* Drops its connection as a tab that is closed does; `back`: and wants another one, at once. */
void person_go(Person *person, bool back);
/* Before each round of heartbeats: one that the last round's was not answered for has missed it. */
void person_beat(Person *person);
/* One character somewhere; does nothing while one is in flight. */
void person_type(Person *person);
void person_point(Person *person);

#endif

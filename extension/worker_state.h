/* worker_state.h - what the worker of a database is doing, for people: kept in shared memory where there is some. */
#ifndef COLLAB_WORKER_STATE_H
#define COLLAB_WORKER_STATE_H

#include "postgres.h"

#include "datatype/timestamp.h"

#define WORKER_STATE_MESSAGE 256

typedef struct WorkerState
{
	TimestampTz started_at;		   /* of the worker that is there, or was there last */
	TimestampTz active_at;		   /* when it last did something */
	char		duty[NAMEDATALEN]; /* empty: it waits */
	int64		doc;			   /* the document that it is at; 0: none */
	int			backlog;		   /* documents that it has taken and not looked at */
	bool		looking;		   /* it looks at all documents */

	/* since the server started */
	int64 starts;
	int64 snapshots; /* written */
	int64 texts;	 /* written */
	int64 failures;

	TimestampTz failed_at;
	char		message[WORKER_STATE_MESSAGE]; /* of the last failure */
} WorkerState;

/* The worker's: without shared memory they do nothing. */
extern void worker_state_started(void);
extern void worker_state_duty(const char *duty, int64 doc);
extern void worker_state_backlog(int backlog, bool looking);
extern void worker_state_snapshot(void);
extern void worker_state_text(void);
extern void worker_state_failed(const char *message);

/* Of this database; backlog: of the worker and in front of it, -1: unknown. False: nobody can see it. */
extern bool worker_state_read(WorkerState *out, int *backlog);

#endif

/* result.h - what a run measured, as one JSON object. */
#ifndef BENCH_RESULT_H
#define BENCH_RESULT_H

#include <stdint.h>

#include "../../proxy/samples.h"

typedef struct Result
{
	/* between the start and the end of the measured time */
	uint64_t acked, delivered, skipped;
	Samples	 ack, propagation, late;			 /* late: the schedule's ticks, how far behind */
	uint64_t started, ended;					 /* ns */
	double	 cpu_server, cpu_postgres, cpu_self; /* s */
	double	 memory_server, memory_postgres;	 /* bytes, at the end */
	double	 oldest; /* s: the operation that waited longest for its answer at the end */
	/* from the first connection to the last */
	double	  memory_server_before, memory_postgres_before, opened_in; /* bytes; s */
	uint64_t  acked_ever, delivered_ever, errors, retries, gaps, closed, anomalies;
	int		  unanswered; /* operations in flight when it was given up waiting */
	uint64_t *acked_by_document;
	char	  first_error[512];
} Result;

extern Result result;

/* Adds to the processor times, with sign -1 at the start and 1 at the end. */
void result_clock(double sign);
void result_memory(double *server, double *postgres);
void result_error(const char *text, size_t bytes);
void result_print(void);

#endif

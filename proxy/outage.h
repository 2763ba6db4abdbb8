/* outage.h - whether the database takes edits, as clients are told. */
#ifndef COLLAB_PROXY_OUTAGE_H
#define COLLAB_PROXY_OUTAGE_H

#include <stdbool.h>

struct Proxy;

typedef struct Outage
{
	bool away;	/* told to every client, in its heartbeats */
	int	 looks; /* in a row that saw otherwise than we told */
} Outage;

/* Call it every quarter of a second. */
void outage_look(struct Proxy *proxy);

#endif

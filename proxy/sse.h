/* sse.h - what a socket would get, as server-sent events. */
#ifndef COLLAB_PROXY_SSE_H
#define COLLAB_PROXY_SSE_H

#include "buf.h"
#include "util.h"

/* What is known between two pieces of one stream. */
typedef struct Sse
{
	bool	in_message; /* its frames are not all here */
	int64_t version;	/* that the follower was given as its position last */
} Sse;

/*
 * Appends complete unmasked text frames as events: one message is one event, a heartbeat a comment. Events that say to which version they lead
 * have an id, "VERSION-EVENT": where a follower that lost the stream goes on.
 */
void sse_frames(Sse *sse, const char *frames, size_t bytes, Buf *out);
/* An id alone: the position was reached by other means. */
void sse_position(Sse *sse, int64_t version, uint64_t event, Buf *out);
/* The last event of a stream. */
void sse_close(int code, const char *reason, Buf *out);
/* Last-Event-ID. False: it is not one of ours. */
bool sse_parse_id(const char *text, int64_t *version, uint64_t *event) MUST_CHECK;

#endif

/* frame.h - a message serialised once for all sockets that it goes to, and the queue of one socket. */
#ifndef COLLAB_PROXY_FRAME_H
#define COLLAB_PROXY_FRAME_H

#include "buf.h"
#include "util.h"

typedef struct Frame
{
	int	 refs;
	bool counted; /* against the limit of a slow reader; the answer to `open` is not: it has to fit somehow */
	size_t bytes;
	char   data[];
} Frame;

/* Copies the buffer; refs starts at 1. */
Frame *frame_create(const Buf *text, bool counted);
Frame *frame_ref(Frame *frame);
void   frame_unref(Frame *frame); /* NULL is fine */
/* What all uncounted frames hold together, a shared one once. */
size_t frame_uncounted_bytes(void);
/* What is queued for all sockets, a shared frame once for each. */
size_t frame_queued_bytes(void);

typedef struct FrameQueue
{
	Frame  **frames; /* a ring */
	uint32_t first;
	uint32_t count;
	uint32_t capacity;
	size_t	 offset;  /* bytes of the first frame that were written */
	size_t	 bytes;	  /* of all frames */
	size_t	 counted; /* of the counted frames */
} FrameQueue;

void frame_queue_free(FrameQueue *queue);
void frame_queue_clear(FrameQueue *queue);
/* All but a message that was begun: its rest has to follow. */
void frame_queue_cut(FrameQueue *queue);
/* Takes over one reference. */
void frame_queue_push(FrameQueue *queue, Frame *frame);
/*
 * Writes complete WebSocket frames to `out`, as much as fits; returns the bytes used. A long message is sent as
 * several fragments, so that a control frame can go between them.
 */
size_t frame_queue_fill(FrameQueue *queue, char *out, size_t capacity);

#define FRAME_HEADER_MAX 10

/* The header of an unmasked text frame (first) or continuation in front of `bytes` bytes; returns its length. */
size_t frame_header(char *out, size_t bytes, bool first, bool final);

#endif

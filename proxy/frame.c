/* frame.c - a message serialised once for all sockets that it goes to, and the queue of one socket. */
#include "frame.h"

#include <stdlib.h>
#include <string.h>

#define FRAGMENT_MIN 1024 /* no fragment smaller than this unless it is the last */

/* One process, one number: of all frames that are not counted against a reader's limit. */
static size_t uncounted_bytes;

/* The same for all queues together. */
static size_t queued_bytes;

size_t
frame_uncounted_bytes(void)
{
	return uncounted_bytes;
}

size_t
frame_queued_bytes(void)
{
	return queued_bytes;
}

Frame *
frame_create(const Buf *text, bool counted)
{
	Frame *frame = util_alloc(sizeof(*frame) + text->size);

	frame->refs = 1;
	frame->counted = counted;
	frame->bytes = text->size;
	if (!counted)
		uncounted_bytes += frame->bytes;
	memcpy(frame->data, text->data, text->size);
	return frame;
}

Frame *
frame_ref(Frame *frame)
{
	frame->refs++;
	return frame;
}

void
frame_unref(Frame *frame)
{
	if (frame == NULL || --frame->refs > 0)
		return;
	if (!frame->counted)
		uncounted_bytes -= frame->bytes;
	free(frame);
}

static Frame *
pop(FrameQueue *queue)
{
	Frame *frame = queue->frames[queue->first];

	queue->first = (queue->first + 1) % queue->capacity;
	queue->count--;
	queue->offset = 0;
	queue->bytes -= frame->bytes;
	queued_bytes -= frame->bytes;
	if (frame->counted)
		queue->counted -= frame->bytes;
	return frame;
}

void
frame_queue_clear(FrameQueue *queue)
{
	while (queue->count > 0)
		frame_unref(pop(queue));
}

void
frame_queue_cut(FrameQueue *queue)
{
	size_t offset = queue->offset;
	Frame *begun = offset > 0 ? frame_ref(queue->frames[queue->first]) : NULL;

	frame_queue_clear(queue);
	if (begun == NULL)
		return;
	frame_queue_push(queue, begun);
	queue->offset = offset;
}

void
frame_queue_free(FrameQueue *queue)
{
	frame_queue_clear(queue);
	free(queue->frames);
	queue->frames = NULL;
	queue->capacity = 0;
}

void
frame_queue_push(FrameQueue *queue, Frame *frame)
{
	if (queue->count == queue->capacity)
	{
		uint32_t capacity = queue->capacity == 0 ? 4 : queue->capacity * 2;
		Frame  **frames = util_alloc(capacity * sizeof(*frames));

		for (uint32_t i = 0; i < queue->count; i++)
			frames[i] = queue->frames[(queue->first + i) % queue->capacity];
		free(queue->frames);
		queue->frames = frames;
		queue->first = 0;
		queue->capacity = capacity;
	}
	queue->frames[(queue->first + queue->count) % queue->capacity] = frame;
	queue->count++;
	queue->bytes += frame->bytes;
	queued_bytes += frame->bytes;
	if (frame->counted)
		queue->counted += frame->bytes;
}

size_t
frame_header(char *out, size_t bytes, bool first, bool final)
{
	unsigned char *p = (unsigned char *) out;

	p[0] = (unsigned char) ((final ? 0x80 : 0) | (first ? 1 : 0));
	if (bytes < 126)
	{
		p[1] = (unsigned char) bytes;
		return 2;
	}
	if (bytes < 65536)
	{
		p[1] = 126;
		p[2] = (unsigned char) (bytes >> 8);
		p[3] = (unsigned char) bytes;
		return 4;
	}
	p[1] = 127;
	for (int i = 0; i < 8; i++)
		p[2 + i] = (unsigned char) ((uint64_t) bytes >> (56 - 8 * i));
	return 10;
}

size_t
frame_queue_fill(FrameQueue *queue, char *out, size_t capacity)
{
	size_t used = 0;

	while (queue->count > 0)
	{
		Frame *frame = queue->frames[queue->first];
		size_t left = frame->bytes - queue->offset;
		size_t room = capacity - used;
		size_t part;

		if (room <= FRAME_HEADER_MAX)
			break;
		room -= FRAME_HEADER_MAX;
		part = left < room ? left : room;
		if (part < left && part < FRAGMENT_MIN)
			break;
		used += frame_header(out + used, part, queue->offset == 0, part == left);
		memcpy(out + used, frame->data + queue->offset, part);
		used += part;
		queue->offset += part;
		if (part == left)
			frame_unref(pop(queue));
	}
	/* most sockets wait for nothing most of the time */
	if (queue->count == 0)
		frame_queue_free(queue);
	return used;
}

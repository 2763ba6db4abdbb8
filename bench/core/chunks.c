/* chunks.c - what a recorded session takes as chunks, and how long packing and unpacking it takes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../core/chunk.h"
#include "../../core/hash.h"
#include "inputs.h"

/*
 * The two ways in which keystrokes arrive: an offline queue of 200 at once, one commit and one time for
 * all of them; or each on its own, with the gaps of somebody typing.
 */
typedef enum Arrival
{
	IN_LISTS,
	ONE_BY_ONE
} Arrival;

#define LIST 200

/* splitmix64 */
static uint64_t
draw(uint64_t *state)
{
	uint64_t value = *state += UINT64_C(0x9e3779b97f4a7c15);

	value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
	return value ^ value >> 31;
}

static double
uniform(uint64_t *state)
{
	return ((double) (draw(state) >> 11) + 0.5) / 9007199254740992.0;
}

/* Milliseconds to the next key: lognormal around 150; one in 25 is thinking, one in 4,000 a break. */
static int64_t
gap_of(uint64_t *state)
{
	double normal = sqrt(-2 * log(uniform(state))) * cos(6.283185307179586 * uniform(state));
	double kind = uniform(state);
	double median = kind < 1.0 / 4000 ? 1800000 : kind < 1.0 / 25 ? 2500 : 150;

	return (int64_t) (median * exp(0.55 * normal));
}

static CollabEvent *
make_events(const Input *input, Arrival arrival)
{
	CollabEvent *events = calloc(input->count, sizeof(CollabEvent));
	uint64_t	 state = 1;
	int64_t		 time = INT64_C(800000000000000);
	int64_t		 site = (int64_t) (draw(&state) >> 11);
	int64_t		 length = 0;
	uint32_t	 i;

	check(events != NULL, "out of memory");
	for (i = 0; i < input->count; i++)
	{
		CollabEvent *event = &events[i];

		if (arrival == ONE_BY_ONE || i % LIST == 0)
			time += gap_of(&state) * 1000;
		length += delta_length_change(&input->deltas[i]);
		event->doc = collab_doc_key("paper", 5);
		event->version = i + 1;
		event->author = collab_user_key("alice", 5);
		event->site = site;
		event->clock = i + 1;
		event->base_version = arrival == IN_LISTS ? i / LIST * LIST : i;
		event->length = length;
		event->created_at = time;
		event->op = (const uint8_t *) input->binary.data + input->offsets[i];
		event->op_bytes = (uint32_t) (input->offsets[i + 1] - input->offsets[i]);
	}
	return events;
}

static double
encode_all(const CollabEvent *events, uint32_t count, uint32_t per_chunk, Buf *out, Buf *offsets)
{
	CollabError error;
	uint32_t	i;
	double		started = now();

	buf_clear(out);
	buf_clear(offsets);
	for (i = 0; i < count; i += per_chunk)
	{
		buf_bytes(offsets, &out->size, sizeof(out->size));
		check_status(chunk_encode(collab_malloc_alloc, events + i,
								  count - i < per_chunk ? count - i : per_chunk, out, &error),
					 &error);
	}
	buf_bytes(offsets, &out->size, sizeof(out->size));
	return now() - started;
}

static double
decode_all(const CollabEvent *events, const Buf *chunks, const Buf *offsets)
{
	const size_t *offset = (const size_t *) offsets->data;
	size_t		  count = offsets->size / sizeof(size_t) - 1;
	CollabError	  error;
	ChunkReader	 *reader;
	CollabEvent	  event;
	uint32_t	  seen = 0;
	size_t		  i;
	double		  started = now();

	for (i = 0; i < count; i++)
	{
		check_status(chunk_open(collab_malloc_alloc, (const uint8_t *) chunks->data + offset[i],
								offset[i + 1] - offset[i], &reader, &error),
					 &error);
		for (; chunk_next(reader, &event); seen++)
			check(event.version == events[seen].version && event.length == events[seen].length &&
					  event.op_bytes == events[seen].op_bytes,
				  "another event came out");
		chunk_close(reader);
	}
	return now() - started;
}

static void
bench_arrival(const Input *input, const char *name, Arrival arrival, uint32_t per_chunk)
{
	const char	*how = arrival == IN_LISTS ? "lists of 200" : "keystrokes with gaps";
	CollabEvent *events = make_events(input, arrival);
	double		 encode = 1e9, decode = 1e9;
	char		 figure[200];
	Buf			 chunks, offsets;
	int			 round;

	buf_init(&chunks, collab_malloc_alloc);
	buf_init(&offsets, collab_malloc_alloc);
	for (round = 0; round < 3; round++)
	{
		double seconds = encode_all(events, input->count, per_chunk, &chunks, &offsets);

		encode = seconds < encode ? seconds : encode;
		seconds = decode_all(events, &chunks, &offsets);
		decode = seconds < decode ? seconds : decode;
	}
	snprintf(figure, sizeof(figure), "%s as %s in chunks of %u", name, how, per_chunk);
	report(figure, (double) chunks.size / input->count, "bytes/event");
	snprintf(figure, sizeof(figure), "%s as %s packed in chunks of %u", name, how, per_chunk);
	report(figure, input->count / encode / 1e6, "M/s");
	snprintf(figure, sizeof(figure), "%s as %s unpacked from chunks of %u", name, how, per_chunk);
	report(figure, input->count / decode / 1e6, "M/s");
	buf_free(&chunks);
	buf_free(&offsets);
	free(events);
}

void
bench_chunks(const char *name)
{
	static const uint32_t sizes[] = {1024, 4096, 16384};
	char				  file[256];
	Input				  input;
	size_t				  i;

	snprintf(file, sizeof(file), "%s.jsonl", name);
	if (!load_input(&input, file))
		return;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		bench_arrival(&input, name, IN_LISTS, sizes[i]);
		bench_arrival(&input, name, ONE_BY_ONE, sizes[i]);
	}
	free_input(&input);
}

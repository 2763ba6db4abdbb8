/* crowd.c - typists on WebSocket connections, whatever protocol the server speaks. */
#include "crowd.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "result.h"

/*
 * docs x editors connections; each has one operation in flight. Without a rate a typist sends the next operation as soon as the
 * last is acknowledged (saturation); with it, operations start on an even schedule over all typists, and one that is late (its
 * typist still waits, or the generator was held up) counts from when it was due.
 */
#define OPENING 64 /* connections that are being opened at once */
#define OPEN_SECONDS 90
#define SETTLE_MS 500
#define DRAIN_MS 8000 /* at most, for the answers to what is still in flight at the end */
#define TICK_LATE_NS 2000000
#define RECENT (sizeof((Typist *) 0)->sent_at / sizeof(uint64_t))

static uv_loop_t *loop;
static Typist	 *typists;
static void		 *states, *documents;
static char		 *paths;
static int		  typist_count, connected_count, synced_count;
static bool		  running, measuring;
static uint64_t	  random_state = 88172645463325252ull;
static uint64_t	  began, schedule_start, schedule_next, last_tick;
static uv_timer_t phase_timer, schedule_timer, keep_alive_timer;

uint64_t
crowd_random(uint64_t bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % bound;
}

/* ---- typing ---- */

static void
send_operation(Typist *t, uint64_t counted_from)
{
	t->number++;
	t->sent_at[t->number % RECENT] = counted_from;
	t->in_flight = true;
	t->due = false;
	crowd.dialect->insert(t);
}

static void
operation_done(Typist *t)
{
	t->in_flight = false;
	if (!running)
		return;
	if (crowd.rate <= 0)
		send_operation(t, uv_hrtime());
	else if (t->due)
		send_operation(t, t->due_at);
}

/* Every millisecond: start what the schedule asks for. An operation belongs to the tick that it falls into. */
static void
on_schedule(uv_timer_t *timer)
{
	uint64_t now = uv_hrtime();
	double	 step = 1e9 / crowd.rate;
	uint64_t due;
	Typist	*t;

	(void) timer;
	if (measuring && last_tick != 0)
		samples_add(&result.late, now - last_tick > 1000000 ? now - last_tick - 1000000 : 0);
	last_tick = now;
	while (running && (due = schedule_start + (uint64_t) (step * (double) schedule_next)) <= now)
	{
		t = &typists[schedule_next % (uint64_t) typist_count];
		schedule_next++;
		if (!t->in_flight)
			send_operation(t, now - due > TICK_LATE_NS ? due : now);
		else if (!t->due)
		{
			t->due = true;
			t->due_at = due;
		}
		else if (measuring)
			result.skipped++; /* this typist is two operations behind */
	}
}

static void
start_typing(void)
{
	int i;

	running = true;
	schedule_start = uv_hrtime();
	for (i = 0; crowd.rate <= 0 && i < typist_count; i++)
		send_operation(&typists[i], uv_hrtime());
	if (crowd.rate > 0)
		uv_timer_start(&schedule_timer, on_schedule, 1, 1);
}

/* ---- what dialects report ---- */

void
crowd_acked(Typist *t, uint64_t number)
{
	if (!t->in_flight || number != t->number)
	{
		crowd_anomaly("operation %llu acknowledged while %llu was awaited", (unsigned long long) number,
					  (unsigned long long) (t->in_flight ? t->number : 0));
		return;
	}
	result.acked_ever++;
	result.acked_by_document[t->document]++;
	if (measuring)
	{
		result.acked++;
		samples_add(&result.ack, uv_hrtime() - t->sent_at[number % RECENT]);
	}
	operation_done(t);
}

void
crowd_delivered(Typist *t, int sender, uint64_t number)
{
	(void) t;
	if (sender < 0 || sender >= typist_count)
		return;
	result.delivered_ever++;
	if (!measuring)
		return;
	result.delivered++;
	samples_add(&result.propagation, uv_hrtime() - typists[sender].sent_at[number % RECENT]);
}

void
crowd_refused(Typist *t, const char *text, size_t bytes)
{
	result.errors++;
	result_error(text, bytes);
	operation_done(t);
}

static void
on_retry(uv_timer_t *timer)
{
	crowd.dialect->resend(timer->data);
}

void
crowd_retry(Typist *t, int64_t ms)
{
	result.retries++;
	uv_timer_start(&t->retry, on_retry, (uint64_t) ms, 0);
}

void
crowd_gap(void)
{
	result.gaps++;
}

void
crowd_anomaly(const char *format, ...)
{
	char	text[256];
	va_list args;

	if (result.anomalies++ > 0)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	fprintf(stderr, "generator: %s\n", text);
	result_error(text, strlen(text));
}

/* ---- connections ---- */

static void connect_some(void);

static void
on_open(WsClient *ws)
{
	crowd.dialect->open(ws->user);
}

static void
on_message(WsClient *ws, const char *bytes, size_t size)
{
	crowd.dialect->message(ws->user, bytes, size);
}

static void
on_close(WsClient *ws, int code, const char *why)
{
	Typist *t = ws->user;
	char	text[192];

	if (result.closed++ > 0)
		return;
	snprintf(text, sizeof text, "a connection ended: %d %s", code, why);
	fprintf(stderr, "generator: %s (document %s)\n", text, t->doc_id);
	result_error(text, strlen(text));
}

static const WsHandlers handlers = {on_open, on_message, on_close};

void
crowd_synced(Typist *t)
{
	if (t->synced)
		return;
	t->synced = true;
	synced_count++;
	connect_some();
}

static void
prepare_typist(int i)
{
	Typist *t = &typists[i];

	t->index = i;
	t->document = i / crowd.editors;
	t->state = (char *) states + (size_t) i * crowd.dialect->typist_bytes;
	t->shared = (char *) documents + (size_t) t->document * crowd.dialect->document_bytes;
	snprintf(t->doc_id, sizeof t->doc_id, "%s-%d", crowd.prefix, t->document);
	t->path = paths + (size_t) i * 128;
	crowd.dialect->path(t, paths + (size_t) i * 128, 128);
	uv_timer_init(loop, &t->retry);
	t->retry.data = t;
}

static void
connect_some(void)
{
	struct sockaddr_in addr;
	int				   rc;

	uv_ip4_addr(crowd.host, crowd.port, &addr);
	while (connected_count < typist_count && connected_count - synced_count < OPENING)
	{
		Typist *t = &typists[connected_count++];

		rc = ws_connect(&t->ws, loop, (struct sockaddr *) &addr, crowd.host, t->path, &handlers, t);
		if (rc != 0)
		{
			fprintf(stderr, "generator: %s\n", uv_strerror(rc));
			exit(1);
		}
	}
}

static void
on_keep_alive(uv_timer_t *timer)
{
	int i;

	(void) timer;
	for (i = 0; i < typist_count; i++)
		if (typists[i].synced && !typists[i].ws.closed)
			crowd.dialect->keep_alive(&typists[i]);
}

/* ---- the phases ---- */

static int
in_flight(void)
{
	int count = 0;
	int i;

	for (i = 0; i < typist_count; i++)
		count += typists[i].in_flight && !typists[i].ws.closed;
	return count;
}

static void
begin_measuring(void)
{
	result_clock(-1);
	measuring = true;
	result.started = uv_hrtime();
}

static void
end_measuring(void)
{
	int i;

	measuring = running = false;
	result.ended = uv_hrtime();
	result_clock(1);
	result_memory(&result.memory_server, &result.memory_postgres);
	for (i = 0; i < typist_count; i++)
	{
		Typist	*t = &typists[i];
		uint64_t since = t->due ? t->due_at : t->sent_at[t->number % RECENT];
		double	 age = (double) (result.ended - since) / 1e9;

		if (t->in_flight && age > result.oldest)
			result.oldest = age;
	}
}

/* Everything acknowledged has reached everybody else who has the document open. */
static bool
all_delivered(void)
{
	return in_flight() == 0 && result.delivered_ever >= result.acked_ever * (uint64_t) (crowd.editors - 1);
}

static void
give_up_opening(void)
{
	char text[160];

	snprintf(text, sizeof text, "only %d of %d connections were open after %d s", synced_count, typist_count,
			 OPEN_SECONDS);
	fprintf(stderr, "generator: %s\n", text);
	exit(1);
}

static void
on_phase(uv_timer_t *timer)
{
	static enum { OPEN, SETTLE, WARM_UP, MEASURE, DRAIN } phase;
	static uint64_t drain_start;

	switch (phase)
	{
		case OPEN:
			if (synced_count < typist_count)
			{
				if (uv_hrtime() - began > OPEN_SECONDS * 1000000000ull)
					give_up_opening();
				uv_timer_start(timer, on_phase, 20, 0);
				return;
			}
			result.opened_in = (double) (uv_hrtime() - began) / 1e9;
			phase = SETTLE;
			uv_timer_start(timer, on_phase, SETTLE_MS, 0);
			return;
		case SETTLE:
			if (!crowd.idle)
				start_typing();
			phase = WARM_UP;
			uv_timer_start(timer, on_phase, (uint64_t) (crowd.warmup * 1000), 0);
			return;
		case WARM_UP:
			begin_measuring();
			phase = MEASURE;
			uv_timer_start(timer, on_phase, (uint64_t) (crowd.seconds * 1000), 0);
			return;
		case MEASURE:
			end_measuring();
			drain_start = uv_hrtime();
			phase = DRAIN;
			/* fall through */
		case DRAIN:
			if (uv_hrtime() - drain_start > DRAIN_MS * 1000000ull || all_delivered())
				uv_stop(loop);
			else
				uv_timer_start(timer, on_phase, 10, 0);
	}
}

static void *
zeroed(size_t count, size_t size)
{
	void *memory = calloc(count > 0 ? count : 1, size > 0 ? size : 1);

	if (memory == NULL)
		abort();
	return memory;
}

static void
print_text(void)
{
	FILE *file = crowd.dialect->print != NULL ? fopen(crowd.text_file, "w") : NULL;

	if (file == NULL)
		return;
	crowd.dialect->print(documents, file);
	fclose(file);
}

void
crowd_run(void)
{
	int i;

	loop = uv_default_loop();
	typist_count = crowd.docs * crowd.editors;
	typists = zeroed((size_t) typist_count, sizeof *typists);
	states = zeroed((size_t) typist_count, crowd.dialect->typist_bytes);
	documents = zeroed((size_t) crowd.docs, crowd.dialect->document_bytes);
	paths = zeroed((size_t) typist_count, 128);
	result.acked_by_document = zeroed((size_t) crowd.docs, sizeof *result.acked_by_document);
	for (i = 0; i < typist_count; i++)
		prepare_typist(i);
	result_memory(&result.memory_server_before, &result.memory_postgres_before);
	began = uv_hrtime();
	connect_some();
	uv_timer_init(loop, &schedule_timer);
	uv_timer_init(loop, &phase_timer);
	uv_timer_start(&phase_timer, on_phase, 20, 0);
	uv_timer_init(loop, &keep_alive_timer);
	if (crowd.dialect->keep_alive_ms > 0)
		uv_timer_start(&keep_alive_timer, on_keep_alive, (uint64_t) crowd.dialect->keep_alive_ms,
					   (uint64_t) crowd.dialect->keep_alive_ms);
	uv_run(loop, UV_RUN_DEFAULT);
	result.unanswered = in_flight();
	if (crowd.text_file != NULL)
		print_text();
	result_print();
}

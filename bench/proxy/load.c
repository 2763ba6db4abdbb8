/* load.c - typists over WebSocket: throughput, acknowledgement and propagation latency, server CPU per operation. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cpu.h"
#include "samples.h"
#include "scan.h"
#include "ws_client.h"

/*
 * docs x editors connections; each has one operation in flight: one character inserted at a random place of the first
 * `--span` units of its document. Without --rate a client sends the next operation as soon as the last is
 * acknowledged (saturation); with it, operations start on an even schedule and a late one counts from when it was due.
 * Latencies use this process's clock on both ends. Prints one JSON object.
 */
#define RECENT                                                                                               \
	64 /* send times kept per client, by clock; one is in flight, others may still be arriving elsewhere */

typedef struct Typist
{
	WsClient   ws;
	char	   path[192];
	int64_t	   site;
	int64_t	   clock;
	int64_t	   version;
	int64_t	   target; /* welcome.version */
	char	   event[17];
	bool	   synced;
	bool	   in_flight;
	bool	   due; /* an operation became due while one was in flight */
	uint64_t   due_at;
	uint64_t   sent_at[RECENT];
	char	   message[256]; /* the one in flight, for a resend */
	size_t	   message_bytes;
	uv_timer_t retry;
} Typist;

typedef struct Options
{
	const char *host;
	int			port;
	const char *prefix;
	int			docs, editors, span;
	double		seconds, warmup, rate;
	pid_t		proxy, postmaster;
} Options;

static Options	  opt = {"127.0.0.1", 8080, "bench", 1, 1, 1000, 5, 1, 0, 0, 0};
static uv_loop_t *loop;
static Typist	 *typists;
static int		  typist_count, synced_count;
static bool		  running, measuring;
static uint64_t	  random_state = 88172645463325252ull;
static uint64_t	  schedule_start, schedule_next;
static struct
{
	uint64_t acked, delivered, errors, retries, closed;
	Samples	 ack, propagation;
	uint64_t started, ended;
	double	 cpu_proxy, cpu_postgres, cpu_self;
} result;

static uint64_t
random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static double
cpu_self(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (double) ru.ru_utime.tv_sec + (double) ru.ru_stime.tv_sec +
		   (double) (ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

static void
take_position(Typist *t, const char **at, const char *end)
{
	scan_position(at, end, &t->version, t->event);
}

/* ---- sending ---- */

static void
send_operation(Typist *t, uint64_t counted_from)
{
	int64_t retain = (int64_t) (random_next() % (uint64_t) (opt.span + 1));
	char	skip[48] = "";

	t->clock++;
	if (retain > 0)
		snprintf(skip, sizeof skip, "{\"retain\":%lld},", (long long) retain);
	t->message_bytes =
		(size_t) snprintf(t->message, sizeof t->message,
						  "{\"type\":\"op\",\"clock\":%lld,\"base_version\":%lld,\"base_event\":\"%s\","
						  "\"op\":{\"ops\":[%s{\"insert\":\"x\"}]}}",
						  (long long) t->clock, (long long) t->version, t->event, skip);
	t->sent_at[t->clock % RECENT] = counted_from;
	t->in_flight = true;
	t->due = false;
	ws_send(&t->ws, t->message, t->message_bytes);
}

static void
on_retry(uv_timer_t *timer)
{
	Typist *t = timer->data;

	ws_send(&t->ws, t->message, t->message_bytes);
}

static void
operation_done(Typist *t)
{
	t->in_flight = false;
	if (!running)
		return;
	if (opt.rate <= 0)
		send_operation(t, uv_hrtime());
	else if (t->due)
		send_operation(t, t->due_at);
}

/* Every millisecond: start what the schedule asks for. */
static void
on_schedule(uv_timer_t *timer)
{
	uint64_t now = uv_hrtime();
	uint64_t step = (uint64_t) (1e9 / opt.rate);
	Typist	*t;

	(void) timer;
	while (running && schedule_start + schedule_next * step <= now)
	{
		t = &typists[schedule_next % (uint64_t) typist_count];
		if (!t->in_flight)
			send_operation(t, now);
		else if (!t->due)
		{
			t->due = true;
			t->due_at = schedule_start + schedule_next * step;
		}
		schedule_next++;
	}
}

/* ---- receiving ---- */

static void
start_typing(void)
{
	int i;

	running = true;
	schedule_start = uv_hrtime();
	for (i = 0; opt.rate <= 0 && i < typist_count; i++)
		send_operation(&typists[i], uv_hrtime());
}

static void
take_ack(Typist *t, const char *at, const char *end)
{
	int64_t clock = scan_seek(&at, end, "\"clock\":") ? scan_number(&at, end) : 0;

	take_position(t, &at, end);
	if (clock != t->clock)
		return;
	if (measuring)
	{
		result.acked++;
		samples_add(&result.ack, uv_hrtime() - t->sent_at[clock % RECENT]);
	}
	operation_done(t);
}

static void
take_events(Typist *t, const char *at, const char *end)
{
	uint64_t now = uv_hrtime();
	int64_t	 site, clock;

	while (scan_seek(&at, end, "{\"version\":"))
	{
		at -= strlen("\"version\":");
		take_position(t, &at, end);
		site = scan_seek(&at, end, "\"site\":") ? scan_number(&at, end) : 0;
		clock = scan_seek(&at, end, "\"clock\":") ? scan_number(&at, end) : 0;
		if (!measuring || site < 1 || site > typist_count)
			continue;
		result.delivered++;
		samples_add(&result.propagation, now - typists[site - 1].sent_at[clock % RECENT]);
	}
}

static void
take_error(Typist *t, const char *at, const char *end)
{
	const char *retry = at;

	if (scan_seek(&retry, end, "\"retry_ms\":"))
	{
		result.retries++;
		uv_timer_start(&t->retry, on_retry, (uint64_t) scan_number(&retry, end), 0);
		return;
	}
	if (result.errors++ == 0)
		fprintf(stderr, "load: %.*s\n", (int) (end - at), at);
	operation_done(t);
}

static void
on_text(WsClient *ws, const char *text, size_t bytes)
{
	Typist	   *t = ws->user;
	const char *end = text + bytes;
	const char *at = text;

	if (!scan_seek(&at, end, "\"type\":\""))
		return;
	if (memcmp(at, "ack", 3) == 0)
		take_ack(t, at, end);
	else if (memcmp(at, "events", 6) == 0)
		take_events(t, at, end);
	else if (memcmp(at, "error", 5) == 0)
		take_error(t, text, end);
	else if (memcmp(at, "welcome", 7) == 0 && scan_seek(&at, end, "\"version\":"))
		t->target = scan_number(&at, end);
	else if (memcmp(at, "snapshot", 8) == 0)
		take_position(t, &at, end);
	if (!t->synced && t->target >= 0 && t->version >= t->target)
	{
		t->synced = true;
		if (++synced_count == typist_count)
			start_typing();
	}
}

static void
on_open(WsClient *ws)
{
	Typist *t = ws->user;
	char	message[128];
	int		n = snprintf(message, sizeof message, "{\"type\":\"open\",\"site\":%lld,\"pending\":0}",
						 (long long) t->site);

	ws_send(ws, message, (size_t) n);
}

static void
on_close(WsClient *ws, int code, const char *why)
{
	(void) ws;
	if (result.closed++ == 0)
		fprintf(stderr, "load: a connection ended: %d %s\n", code, why);
}

static const WsHandlers handlers = {on_open, on_text, on_close};

static void
on_heartbeat(uv_timer_t *timer)
{
	static const char beat[] = "{\"type\":\"heartbeat\"}";
	int				  i;

	(void) timer;
	for (i = 0; i < typist_count; i++)
		if (typists[i].ws.upgraded)
			ws_send(&typists[i].ws, beat, sizeof beat - 1);
}

/* ---- the run ---- */

static void
measure(bool on)
{
	double sign = on ? -1 : 1;

	measuring = on;
	result.cpu_proxy += sign * cpu_process(opt.proxy);
	result.cpu_postgres += sign * cpu_family(opt.postmaster);
	result.cpu_self += sign * cpu_self();
	*(on ? &result.started : &result.ended) = uv_hrtime();
}

static void
on_phase(uv_timer_t *timer)
{
	static int phase;

	if (!running)
	{
		if (uv_hrtime() - schedule_start > 30000000000ull)
		{
			fprintf(stderr, "load: only %d of %d connections opened in 30 s\n", synced_count, typist_count);
			exit(1);
		}
		uv_timer_start(timer, on_phase, 50, 0);
		return;
	}
	switch (phase++)
	{
		case 0:
			uv_timer_start(timer, on_phase, (uint64_t) (opt.warmup * 1000), 0);
			break;
		case 1:
			measure(true);
			uv_timer_start(timer, on_phase, (uint64_t) (opt.seconds * 1000), 0);
			break;
		default:
			measure(false);
			running = false;
			uv_stop(loop);
	}
}

static void
print_result(void)
{
	double seconds = (double) (result.ended - result.started) / 1e9;
	double ops = result.acked > 0 ? (double) result.acked : 1;

	printf(
		"{\"docs\":%d,\"editors\":%d,\"rate\":%.0f,\"seconds\":%.2f,\"acked_per_s\":%.1f,\"delivered_per_s\":%.1f,"
		"\"ack_p50_ms\":%.3f,\"ack_p99_ms\":%.3f,\"propagation_p50_ms\":%.3f,\"propagation_p99_ms\":%.3f,"
		"\"cpu_proxy_us\":%.2f,\"cpu_postgres_us\":%.2f,\"cpu_load_us\":%.2f,\"errors\":%llu,\"retries\":%llu,"
		"\"closed\":%llu}\n",
		opt.docs, opt.editors, opt.rate, seconds, (double) result.acked / seconds,
		(double) result.delivered / seconds, samples_quantile_ms(&result.ack, 0.5),
		samples_quantile_ms(&result.ack, 0.99), samples_quantile_ms(&result.propagation, 0.5),
		samples_quantile_ms(&result.propagation, 0.99), result.cpu_proxy * 1e6 / ops,
		result.cpu_postgres * 1e6 / ops, result.cpu_self * 1e6 / ops, (unsigned long long) result.errors,
		(unsigned long long) result.retries, (unsigned long long) result.closed);
}

static void
parse_options(int argc, char **argv)
{
	static const struct option names[] = {
		{"host", 1, NULL, 'h'},	   {"port", 1, NULL, 'p'},		 {"prefix", 1, NULL, 'n'},
		{"docs", 1, NULL, 'd'},	   {"editors", 1, NULL, 'e'},	 {"span", 1, NULL, 's'},
		{"seconds", 1, NULL, 't'}, {"warmup", 1, NULL, 'w'},	 {"rate", 1, NULL, 'r'},
		{"proxy", 1, NULL, 'P'},   {"postmaster", 1, NULL, 'Q'}, {NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1)
		switch (c)
		{
			case 'h':
				opt.host = optarg;
				break;
			case 'p':
				opt.port = atoi(optarg);
				break;
			case 'n':
				opt.prefix = optarg;
				break;
			case 'd':
				opt.docs = atoi(optarg);
				break;
			case 'e':
				opt.editors = atoi(optarg);
				break;
			case 's':
				opt.span = atoi(optarg);
				break;
			case 't':
				opt.seconds = atof(optarg);
				break;
			case 'w':
				opt.warmup = atof(optarg);
				break;
			case 'r':
				opt.rate = atof(optarg);
				break;
			case 'P':
				opt.proxy = atoi(optarg);
				break;
			case 'Q':
				opt.postmaster = atoi(optarg);
				break;
			default:
				fprintf(stderr,
						"usage: load --port N --prefix NAME --docs N --editors N [--rate N] [--seconds N] "
						"[--warmup N] [--span UNITS] [--proxy PID] [--postmaster PID]\n"
						"documents NAME-0 ... NAME-(docs-1) must exist and be at least --span units long\n");
				exit(2);
		}
}

static void
connect_all(void)
{
	struct sockaddr_in addr;
	int				   i, rc;

	uv_ip4_addr(opt.host, opt.port, &addr);
	for (i = 0; i < typist_count; i++)
	{
		Typist *t = &typists[i];

		t->site = i + 1;
		t->target = -1;
		uv_timer_init(loop, &t->retry);
		t->retry.data = t;
		snprintf(t->path, sizeof t->path, "/v1/docs/%s-%d/ws?user=u%d", opt.prefix, i / opt.editors, i);
		rc = ws_connect(&t->ws, loop, (struct sockaddr *) &addr, opt.host, t->path, &handlers, t);
		if (rc != 0)
		{
			fprintf(stderr, "load: %s\n", uv_strerror(rc));
			exit(1);
		}
	}
}

int
main(int argc, char **argv)
{
	uv_timer_t phase, beat, schedule;

	parse_options(argc, argv);
	loop = uv_default_loop();
	typist_count = opt.docs * opt.editors;
	typists = calloc((size_t) typist_count, sizeof *typists);
	if (typists == NULL)
		return 1;
	schedule_start = uv_hrtime();
	connect_all();
	uv_timer_init(loop, &phase);
	uv_timer_start(&phase, on_phase, 50, 0);
	uv_timer_init(loop, &beat);
	uv_timer_start(&beat, on_heartbeat, 4000, 4000);
	uv_timer_init(loop, &schedule);
	if (opt.rate > 0)
		uv_timer_start(&schedule, on_schedule, 1, 1);
	uv_run(loop, UV_RUN_DEFAULT);
	print_result();
	samples_free(&result.ack);
	samples_free(&result.propagation);
	return result.errors > 0 || result.closed > 0 ? 1 : 0;
}

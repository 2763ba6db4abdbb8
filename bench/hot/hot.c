/* hot.c - one document that everybody has open: who types, who moves a cursor, who only reads, and who does not even do that. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "cpu.h"
#include "samples.h"
#include "scan.h"
#include "ws_client.h"

/*
 * `--connected` clients have document NAME-0 open, the first `--typing` of them type `--rate` characters a second together (0: each the next one as
 * soon as the last is acknowledged) and move their cursors `--cursors` times a second each; `--stalled` more open it and then never read.
 * `--beside` clients type `--beside-rate` characters a second into NAME-1 meanwhile: what the crowd costs them is the question.
 * All connect first and say `open` in the same moment. Propagation is measured at every 20th reader. Prints one JSON object.
 */
#define RECENT 64  /* send times kept per client, by clock */
#define SAMPLED 20 /* of so many readers one looks at what it is sent */
#define TICK_MS 10 /* of the cursors */
#define OPEN_LIMIT 60000000000ull

typedef enum Role
{
	TYPIST,
	READER,
	STALLED,
	BESIDE
} Role;

typedef struct Person
{
	WsClient   ws;
	Role	   role;
	char	   path[160];
	int64_t	   site, clock, version, target;
	char	   event[17];
	bool	   synced, in_flight, due;
	uint64_t   due_at;
	uint64_t   sent_at[RECENT];
	char	   message[256];
	size_t	   message_bytes;
	uv_timer_t retry;
	uint64_t   bytes_before, frames_before;
} Person;

typedef struct Schedule
{
	int		 first, count; /* of the people */
	double	 rate;
	uint64_t next;
} Schedule;

static struct
{
	int			port;
	const char *prefix;
	int			connected, typing, stalled, beside;
	double		rate, cursors, beside_rate, seconds, warmup;
	pid_t		proxy, postmaster;
} opt = {8080, "hot", 1000, 100, 0, 0, 200, 0, 0, 5, 1.5, 0, 0};

static uv_loop_t *loop;
static Person	 *people;
static int		  person_count, upgraded_count, synced_count;
static bool		  running, measuring;
static uint64_t	  start, opened_at;
static Schedule	  schedules[2];
static struct
{
	uint64_t acked, beside_acked, errors, retries, closed;
	uint64_t event_frames, events, presence_frames;
	Samples	 ack, propagation, beside_ack, open;
	uint64_t started, ended;
	double	 cpu_proxy, cpu_postgres, cpu_self;
} result;

static uint64_t
random_next(void)
{
	static uint64_t state = 88172645463325252ull;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static double
cpu_self(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (double) ru.ru_utime.tv_sec + (double) ru.ru_stime.tv_sec +
		   (double) (ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

/* ---- sending ---- */

static void
type(Person *p, uint64_t counted_from)
{
	int64_t retain = 1 + (int64_t) (random_next() % 999);

	p->clock++;
	p->message_bytes =
		(size_t) snprintf(p->message, sizeof p->message,
						  "{\"type\":\"op\",\"clock\":%lld,\"base_version\":%lld,\"base_event\":\"%s\","
						  "\"op\":{\"ops\":[{\"retain\":%lld},{\"insert\":\"x\"}]}}",
						  (long long) p->clock, (long long) p->version, p->event, (long long) retain);
	p->sent_at[p->clock % RECENT] = counted_from;
	p->in_flight = true;
	p->due = false;
	ws_send(&p->ws, p->message, p->message_bytes);
}

static void
on_retry(uv_timer_t *timer)
{
	Person *p = timer->data;

	ws_send(&p->ws, p->message, p->message_bytes);
}

static void
done(Person *p)
{
	p->in_flight = false;
	if (!running)
		return;
	if (schedules[p->role == BESIDE].rate <= 0)
		type(p, uv_hrtime());
	else if (p->due)
		type(p, p->due_at);
}

/* Every millisecond: start what the schedules ask for. */
static void
on_schedule(uv_timer_t *timer)
{
	uint64_t now = uv_hrtime();
	int		 i;

	(void) timer;
	for (i = 0; running && i < 2; i++)
	{
		Schedule *s = &schedules[i];

		while (s->count > 0 && s->rate > 0 && start + (uint64_t) ((double) s->next * 1e9 / s->rate) <= now)
		{
			Person *p = &people[s->first + (int) (s->next % (uint64_t) s->count)];

			if (!p->in_flight)
				type(p, now);
			else if (!p->due)
			{
				p->due = true;
				p->due_at = now;
			}
			s->next++;
		}
	}
}

/* Spread evenly: each tick a share of the typists. */
static void
on_cursors(uv_timer_t *timer)
{
	static double owed;
	static int	  next;
	char		  text[96];

	(void) timer;
	if (!running)
		return;
	for (owed += opt.cursors * opt.typing * TICK_MS / 1000.0; owed >= 1; owed--)
	{
		Person *p = &people[next++ % opt.typing];
		int		n = snprintf(text, sizeof text, "{\"type\":\"cursor\",\"version\":%lld,\"position\":%d}",
							 (long long) p->version, (int) (random_next() % 999));

		ws_send(&p->ws, text, (size_t) n);
	}
}

/* ---- receiving ---- */

static void
take_ack(Person *p, const char *at, const char *end)
{
	int64_t clock = scan_seek(&at, end, "\"clock\":") ? scan_number(&at, end) : 0;

	scan_position(&at, end, &p->version, p->event);
	if (clock != p->clock)
		return;
	if (measuring)
	{
		*(p->role == BESIDE ? &result.beside_acked : &result.acked) += 1;
		samples_add(p->role == BESIDE ? &result.beside_ack : &result.ack,
					uv_hrtime() - p->sent_at[clock % RECENT]);
	}
	done(p);
}

static void
take_events(Person *p, const char *at, const char *end)
{
	bool	 sampled = p->role == READER && p->site % SAMPLED == 0;
	uint64_t now = uv_hrtime();

	if (measuring && sampled)
		result.event_frames++;
	/* readers have no use for their position */
	if (p->role == READER && !sampled && p->synced)
		return;
	while (scan_seek(&at, end, "{\"version\":"))
	{
		int64_t site, clock;

		at -= strlen("\"version\":");
		scan_position(&at, end, &p->version, p->event);
		if (!sampled || !measuring)
			continue;
		site = scan_seek(&at, end, "\"site\":") ? scan_number(&at, end) : 0;
		clock = scan_seek(&at, end, "\"clock\":") ? scan_number(&at, end) : 0;
		result.events++;
		if (site >= 1 && site <= opt.typing)
			samples_add(&result.propagation, now - people[site - 1].sent_at[clock % RECENT]);
	}
}

static void
take_error(Person *p, const char *at, const char *end)
{
	const char *retry = at;

	if (scan_seek(&retry, end, "\"retry_ms\":"))
	{
		result.retries++;
		uv_timer_start(&p->retry, on_retry, (uint64_t) scan_number(&retry, end), 0);
		return;
	}
	if (result.errors++ == 0)
		fprintf(stderr, "hot: %.*s\n", (int) (end - at), at);
	done(p);
}

static void
begin(void)
{
	running = true;
	start = uv_hrtime();
	for (int i = 0; i < person_count; i++)
	{
		Role role = people[i].role;

		if ((role == TYPIST || role == BESIDE) && schedules[role == BESIDE].rate <= 0)
			type(&people[i], uv_hrtime());
	}
}

static void
synced(Person *p)
{
	int		   small = 4096;
	uv_os_fd_t fd;

	p->synced = true;
	samples_add(&result.open, uv_hrtime() - opened_at);
	if (p->role == STALLED && uv_fileno((uv_handle_t *) &p->ws.tcp, &fd) == 0)
	{
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
		uv_read_stop((uv_stream_t *) &p->ws.tcp);
	}
	if (++synced_count == person_count)
		begin();
}

static void
on_message(WsClient *ws, const char *text, size_t bytes)
{
	Person	   *p = ws->user;
	const char *end = text + bytes;
	const char *at = text;

	if (!scan_seek(&at, end, "\"type\":\""))
		return;
	if (memcmp(at, "ack", 3) == 0)
		take_ack(p, at, end);
	else if (memcmp(at, "events", 6) == 0)
		take_events(p, at, end);
	else if (memcmp(at, "presence", 8) == 0)
		result.presence_frames += measuring && p->role == READER && p->site % SAMPLED == 0;
	else if (memcmp(at, "error", 5) == 0)
		take_error(p, text, end);
	else if (memcmp(at, "welcome", 7) == 0 && scan_seek(&at, end, "\"version\":"))
		p->target = scan_number(&at, end);
	else if (memcmp(at, "snapshot", 8) == 0)
		scan_position(&at, end, &p->version, p->event);
	if (!p->synced && p->target >= 0 && p->version >= p->target)
		synced(p);
}

/* The last one gives the sign. */
static void
on_open(WsClient *ws)
{
	(void) ws;
	if (++upgraded_count < person_count)
		return;
	opened_at = uv_hrtime();
	for (int i = 0; i < person_count; i++)
	{
		char message[80];
		int	 n = snprintf(message, sizeof message, "{\"type\":\"open\",\"site\":%lld,\"pending\":0}",
						  (long long) people[i].site);

		ws_send(&people[i].ws, message, (size_t) n);
	}
}

static void
on_close(WsClient *ws, int code, const char *why)
{
	Person *p = ws->user;

	if (p->role != STALLED && result.closed++ == 0)
		fprintf(stderr, "hot: a connection ended: %d %s\n", code, why);
}

static const WsHandlers handlers = {on_open, on_message, on_close};

static void
on_heartbeat(uv_timer_t *timer)
{
	static const char beat[] = "{\"type\":\"heartbeat\"}";

	(void) timer;
	for (int i = 0; i < person_count; i++)
		if (people[i].ws.upgraded)
			ws_send(&people[i].ws, beat, sizeof beat - 1);
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
	for (int i = 0; on && i < person_count; i++)
	{
		people[i].bytes_before = people[i].ws.bytes_in;
		people[i].frames_before = people[i].ws.frames_in;
	}
}

static void
on_phase(uv_timer_t *timer)
{
	static int phase;

	if (!running)
	{
		if (uv_hrtime() - start > OPEN_LIMIT)
		{
			fprintf(stderr, "hot: %d of %d connected, %d opened\n", upgraded_count, person_count,
					synced_count);
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
	double bytes = 0, frames = 0;
	int	   readers = opt.connected - opt.typing;
	int	   sampled = 0;

	for (int i = 0; i < person_count; i++)
	{
		if (people[i].role != READER)
			continue;
		bytes += (double) (people[i].ws.bytes_in - people[i].bytes_before);
		frames += (double) (people[i].ws.frames_in - people[i].frames_before);
		sampled += people[i].site % SAMPLED == 0;
	}
	readers = readers > 0 ? readers : 1;
	sampled = sampled > 0 ? sampled : 1;
	printf(
		"{\"seconds\":%.2f,\"open_p50_ms\":%.1f,\"open_max_ms\":%.1f,\"acked_per_s\":%.1f,\"ack_p50_ms\":%.2f,"
		"\"ack_p99_ms\":%.2f,\"propagation_p50_ms\":%.2f,\"propagation_p99_ms\":%.2f,\"beside_per_s\":%.1f,"
		"\"beside_p50_ms\":%.2f,\"beside_p99_ms\":%.2f,",
		seconds, samples_quantile_ms(&result.open, 0.5), samples_quantile_ms(&result.open, 1),
		(double) result.acked / seconds, samples_quantile_ms(&result.ack, 0.5),
		samples_quantile_ms(&result.ack, 0.99), samples_quantile_ms(&result.propagation, 0.5),
		samples_quantile_ms(&result.propagation, 0.99), (double) result.beside_acked / seconds,
		samples_quantile_ms(&result.beside_ack, 0.5), samples_quantile_ms(&result.beside_ack, 0.99));
	printf("\"messages_per_reader\":%.1f,\"bytes_per_reader\":%.0f,\"events_frames\":%.1f,\"events\":%.1f,"
		   "\"presence_frames\":%.1f,\"cpu_proxy\":%.3f,\"cpu_postgres\":%.3f,\"cpu_load\":%.3f,\"errors\":%llu,"
		   "\"retries\":%llu,\"closed\":%llu}\n",
		   frames / readers / seconds, bytes / readers / seconds,
		   (double) result.event_frames / sampled / seconds, (double) result.events / sampled / seconds,
		   (double) result.presence_frames / sampled / seconds, result.cpu_proxy / seconds,
		   result.cpu_postgres / seconds, result.cpu_self / seconds, (unsigned long long) result.errors,
		   (unsigned long long) result.retries, (unsigned long long) result.closed);
}

static void
parse_options(int argc, char **argv)
{
	static const struct option names[] = {
		{"port", 1, NULL, 'p'},		  {"prefix", 1, NULL, 'n'},	 {"connected", 1, NULL, 'c'},
		{"typing", 1, NULL, 't'},	  {"stalled", 1, NULL, 's'}, {"beside", 1, NULL, 'b'},
		{"rate", 1, NULL, 'r'},		  {"cursors", 1, NULL, 'k'}, {"beside-rate", 1, NULL, 'B'},
		{"seconds", 1, NULL, 'S'},	  {"warmup", 1, NULL, 'w'},	 {"proxy", 1, NULL, 'P'},
		{"postmaster", 1, NULL, 'Q'}, {NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1)
	{
		int *const ints[] = {
			['p'] = &opt.port,	 ['c'] = &opt.connected, ['t'] = &opt.typing,	 ['s'] = &opt.stalled,
			['b'] = &opt.beside, ['P'] = &opt.proxy,	 ['Q'] = &opt.postmaster};
		double *const reals[] = {
			['r'] = &opt.rate, ['k'] = &opt.cursors, ['B'] = &opt.beside_rate, ['S'] = &opt.seconds, ['w'] = &opt.warmup};

		if (c == 'n')
			opt.prefix = optarg;
		else if ((size_t) c < sizeof ints / sizeof ints[0] && ints[c] != NULL)
			*ints[c] = atoi(optarg);
		else if ((size_t) c < sizeof reals / sizeof reals[0] && reals[c] != NULL)
			*reals[c] = atof(optarg);
		else
		{
			fprintf(
				stderr,
				"usage: hot --port N --prefix NAME --connected N --typing N [--rate N] [--cursors N] [--stalled N] "
				"[--beside N] [--beside-rate N] [--seconds N] [--warmup N] [--proxy PID] [--postmaster PID]\n"
				"documents NAME-0 and NAME-1 must exist and be 1,000 units long\n");
			exit(2);
		}
	}
}

static void
connect_all(void)
{
	struct sockaddr_in addr;

	uv_ip4_addr("127.0.0.1", opt.port, &addr);
	for (int i = 0; i < person_count; i++)
	{
		Person *p = &people[i];
		int		rc;

		p->role = i < opt.typing					? TYPIST
				  : i < opt.connected				? READER
				  : i < opt.connected + opt.stalled ? STALLED
													: BESIDE;
		p->site = i + 1;
		p->target = -1;
		uv_timer_init(loop, &p->retry);
		p->retry.data = p;
		snprintf(p->path, sizeof p->path, "/v1/docs/%s-%d/ws?user=u%d", opt.prefix, p->role == BESIDE, i);
		rc = ws_connect(&p->ws, loop, (struct sockaddr *) &addr, "127.0.0.1", p->path, &handlers, p);
		p->ws.skip_fragmented = true;
		if (rc != 0)
		{
			fprintf(stderr, "hot: %s\n", uv_strerror(rc));
			exit(1);
		}
	}
}

int
main(int argc, char **argv)
{
	uv_timer_t phase, beat, schedule, cursors;

	parse_options(argc, argv);
	signal(SIGPIPE, SIG_IGN); /* who never reads is closed in the end */
	loop = uv_default_loop();
	person_count = opt.connected + opt.stalled + opt.beside;
	schedules[0] = (Schedule){0, opt.typing, opt.rate, 0};
	schedules[1] = (Schedule){opt.connected + opt.stalled, opt.beside, opt.beside_rate, 0};
	people = calloc((size_t) person_count, sizeof *people);
	if (people == NULL || person_count == 0)
		return 1;
	start = uv_hrtime();
	connect_all();
	uv_timer_init(loop, &phase);
	uv_timer_start(&phase, on_phase, 50, 0);
	uv_timer_init(loop, &beat);
	uv_timer_start(&beat, on_heartbeat, 4000, 4000);
	uv_timer_init(loop, &schedule);
	uv_timer_start(&schedule, on_schedule, 1, 1);
	uv_timer_init(loop, &cursors);
	if (opt.cursors > 0)
		uv_timer_start(&cursors, on_cursors, TICK_MS, TICK_MS);
	uv_run(loop, UV_RUN_DEFAULT);
	print_result();
	return result.errors > 0 || result.closed > 0 ? 1 : 0;
}

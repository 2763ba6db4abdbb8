/* crowd.c - many connections that mostly do nothing, from one process: opens them, keeps them alive, says how they fare. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "person.h"

/*
 * Told what to do by lines on standard input, and prints one JSON object a second and after each of them:
 *
 *	come N		the first N people want to be connected; the others leave
 *	type N MS	N of them, one in each document, type one character every MS milliseconds
 *	use N		N small actions a second by anybody: mostly cursors, some characters, some leave and come back
 *	churn N		N people a second leave and come back
 *	reset		counts from here
 *	quit
 *
 * Everybody who is there sends a heartbeat in the interval of the protocol, evenly spread; one that is not answered when the
 * next is due was missed. Who is thrown out comes back by the rule of the project's own client.
 */
#define TICK_MS 10
#define SITES_MASK INT64_C(0xfffffff00000) /* room for a million behind each, all below 2^53 */

static Crowd	crowd = {.host = "127.0.0.1", .prefix = "crowd", .per_document = 5, .window = 200};
static int		beat_ms = 5000;
static int		wanted, typists, type_ms = 1000;
static double	use_rate, churn_rate, use_credit, churn_credit;
static uint64_t started, beat_index, type_index;
static int		scan_index;
static char		line[256];
static size_t	line_bytes;
static char		input[256];

static double
cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		   (double) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void
print_state(const char *after)
{
	Tally *tally = &crowd.tally;

	printf(
		"{\"seconds\":%.3f,\"after\":\"%s\",\"here\":%d,\"connecting\":%d,\"waiting\":%d,\"opened\":%llu,"
		"\"lost\":%llu,\"refused\":%llu,\"left\":%llu,\"errors\":%llu,\"retries\":%llu,\"beats\":%llu,"
		"\"answered\":%llu,\"missed\":%llu,\"beat_p50_ms\":%.3f,\"beat_p99_ms\":%.3f,\"acked\":%llu,"
		"\"ack_p50_ms\":%.3f,\"ack_p99_ms\":%.3f,\"delivered\":%llu,\"propagation_p50_ms\":%.3f,"
		"\"propagation_p99_ms\":%.3f,\"cursors\":%llu,\"opening_p50_ms\":%.3f,\"opening_p99_ms\":%.3f,"
		"\"away_p50_ms\":%.3f,\"away_p99_ms\":%.3f,\"away_last_ms\":%.3f,\"full_at\":%.3f,\"cpu_seconds\":%.3f}\n",
		(double) (uv_hrtime() - started) / 1e9, after, crowd.here, crowd.connecting, crowd.waiting,
		(unsigned long long) tally->opened, (unsigned long long) tally->lost,
		(unsigned long long) tally->refused, (unsigned long long) tally->left,
		(unsigned long long) tally->errors, (unsigned long long) tally->retries,
		(unsigned long long) tally->beats, (unsigned long long) tally->answered,
		(unsigned long long) tally->missed, samples_quantile_ms(&tally->beat, 0.5),
		samples_quantile_ms(&tally->beat, 0.99), (unsigned long long) tally->acked,
		samples_quantile_ms(&tally->ack, 0.5), samples_quantile_ms(&tally->ack, 0.99),
		(unsigned long long) tally->delivered, samples_quantile_ms(&tally->propagation, 0.5),
		samples_quantile_ms(&tally->propagation, 0.99), (unsigned long long) tally->cursors,
		samples_quantile_ms(&tally->opening, 0.5), samples_quantile_ms(&tally->opening, 0.99),
		samples_quantile_ms(&tally->away, 0.5), samples_quantile_ms(&tally->away, 0.99),
		samples_quantile_ms(&tally->away, 1),
		tally->full_at == 0 ? 0 : (double) (tally->full_at - started) / 1e9, cpu_seconds());
	fflush(stdout);
}

/* ---- commands ---- */

static void
reset(void)
{
	samples_free(&crowd.tally.beat);
	samples_free(&crowd.tally.ack);
	samples_free(&crowd.tally.propagation);
	samples_free(&crowd.tally.opening);
	samples_free(&crowd.tally.away);
	memset(&crowd.tally, 0, sizeof crowd.tally);
}

static void
come(int number)
{
	wanted = number < crowd.count ? number : crowd.count;
	for (int i = 0; i < crowd.count; i++)
	{
		bool away = crowd.people[i].state == PERSON_AWAY;

		if (i < wanted && away)
			person_go(&crowd.people[i], true);
		else if (i >= wanted && !away)
			person_go(&crowd.people[i], false);
	}
}

static void
command(const char *text)
{
	char word[16] = "";
	int	 number = 0, ms = type_ms;

	if (sscanf(text, "%15s %d %d", word, &number, &ms) < 1)
		return;
	if (strcmp(word, "come") == 0)
		come(number);
	else if (strcmp(word, "type") == 0)
	{
		typists = number;
		type_ms = ms > 0 ? ms : 1;
	}
	else if (strcmp(word, "use") == 0)
		use_rate = number;
	else if (strcmp(word, "churn") == 0)
		churn_rate = number;
	else if (strcmp(word, "reset") == 0)
		reset();
	else if (strcmp(word, "quit") == 0)
		exit(0);
	else
		fprintf(stderr, "crowd: cannot do \"%s\"\n", text);
	print_state(word);
}

static void
on_input_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	(void) handle;
	(void) suggested;
	*buf = uv_buf_init(input, sizeof input);
}

static void
on_input(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	(void) stream;
	if (n < 0)
		exit(0);
	for (ssize_t i = 0; i < n; i++)
	{
		if (buf->base[i] != '\n')
		{
			if (line_bytes < sizeof line - 1)
				line[line_bytes++] = buf->base[i];
			continue;
		}
		line[line_bytes] = '\0';
		line_bytes = 0;
		command(line);
	}
}

/* ---- what goes on by itself ---- */

/* Whoever waits and may, as long as not too many are on their way. */
static void
let_in(void)
{
	uint64_t now = uv_hrtime();

	for (int i = 0; i < crowd.count && crowd.waiting > 0 && crowd.connecting < crowd.window; i++)
	{
		Person *person = &crowd.people[scan_index];

		scan_index = (scan_index + 1) % crowd.count;
		if (person->state == PERSON_WAITING && person->again_at <= now)
			person_come(person);
	}
}

static void
beat_slice(double seconds)
{
	uint64_t due = (uint64_t) (seconds * 1000 / beat_ms * crowd.count);

	for (; beat_index < due; beat_index++)
		person_beat(&crowd.people[beat_index % (uint64_t) crowd.count]);
}

static void
type_slice(double seconds)
{
	uint64_t due = (uint64_t) (seconds * 1000 / type_ms * typists);

	if (type_index + (uint64_t) typists < due)
		type_index = due - (uint64_t) typists;
	for (; typists > 0 && type_index < due; type_index++)
	{
		int typist = (int) (type_index % (uint64_t) typists) * crowd.per_document;

		if (typist < crowd.count)
			person_type(&crowd.people[typist]);
	}
}

static void
use_slice(void)
{
	use_credit += use_rate * TICK_MS / 1000;
	for (; use_credit >= 1; use_credit--)
	{
		Person	*person = &crowd.people[crowd_random() % (uint64_t) crowd.count];
		uint64_t what = crowd_random() % 100;

		if (what < 60)
			person_point(person);
		else if (what < 95)
			person_type(person);
		else if (person->state == PERSON_HERE)
			person_go(person, true);
	}
	churn_credit += churn_rate * TICK_MS / 1000;
	for (; churn_credit >= 1; churn_credit--)
	{
		Person *person = &crowd.people[crowd_random() % (uint64_t) crowd.count];

		if (person->state == PERSON_HERE)
			person_go(person, true);
	}
}

static void
on_tick(uv_timer_t *timer)
{
	double seconds = (double) (uv_hrtime() - started) / 1e9;

	(void) timer;
	let_in();
	beat_slice(seconds);
	type_slice(seconds);
	use_slice();
}

static void
on_second(uv_timer_t *timer)
{
	(void) timer;
	print_state("");
}

/* ---- the start ---- */

static void
usage(void)
{
	fprintf(stderr,
			"usage: crowd --port N --connections N [--host ADDRESS] [--first N] [--prefix NAME] "
			"[--per-document N] [--source ADDRESS] [--sources N] [--window N] [--heartbeat MS]\n"
			"person K is in document NAME-(K / per-document), which must exist and be 200 units long\n");
	exit(2);
}

/* 127.0.0.2, 127.0.0.3, ... */
static void
choose_sources(const char *first, int count)
{
	struct sockaddr_in address;

	if (uv_ip4_addr(first, 0, &address) != 0 || count < 1 || count > 16)
		usage();
	crowd.source_count = count;
	for (int i = 0; i < count; i++)
	{
		crowd.sources[i] = address;
		crowd.sources[i].sin_addr.s_addr = htonl(ntohl(address.sin_addr.s_addr) + (uint32_t) i);
	}
}

static void
parse_options(int argc, char **argv)
{
	static const struct option names[] = {{"port", 1, NULL, 'p'},	{"connections", 1, NULL, 'n'},
										  {"host", 1, NULL, 'h'},	{"first", 1, NULL, 'f'},
										  {"prefix", 1, NULL, 'd'}, {"per-document", 1, NULL, 'e'},
										  {"source", 1, NULL, 's'}, {"sources", 1, NULL, 'c'},
										  {"window", 1, NULL, 'w'}, {"heartbeat", 1, NULL, 'b'},
										  {NULL, 0, NULL, 0}};
	const char				  *source = "127.0.0.2";
	int						   sources = 1, port = 0, c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1)
	{
		int number = c != '?' && optarg != NULL ? atoi(optarg) : 0;

		switch (c)
		{
			case 'p':
				port = number;
				break;
			case 'n':
				crowd.count = number;
				break;
			case 'h':
				crowd.host = optarg;
				break;
			case 'f':
				crowd.first = number;
				break;
			case 'd':
				crowd.prefix = optarg;
				break;
			case 'e':
				crowd.per_document = number;
				break;
			case 's':
				source = optarg;
				break;
			case 'c':
				sources = number;
				break;
			case 'w':
				crowd.window = number;
				break;
			case 'b':
				beat_ms = number;
				break;
			default:
				usage();
		}
	}
	if (port == 0 || crowd.count < 1 || crowd.per_document < 1 || crowd.window < 1 || beat_ms < 1)
		usage();
	choose_sources(source, sources);
	if (uv_ip4_addr(crowd.host, port, &crowd.server) != 0)
		usage();
}

static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < (rlim_t) crowd.count + 32)
	{
		fprintf(stderr, "crowd: %d connections are more than a process may open\n", crowd.count);
		exit(2);
	}
}

int
main(int argc, char **argv)
{
	uv_timer_t tick, second;
	uv_pipe_t  commands;

	parse_options(argc, argv);
	raise_descriptor_limit();
	crowd.loop = uv_default_loop();
	crowd.people = calloc((size_t) crowd.count, sizeof *crowd.people);
	if (crowd.people == NULL)
		return 1;
	for (int i = 0; i < crowd.count; i++)
		person_init(&crowd.people[i], &crowd, i);
	uv_random(NULL, NULL, &crowd.sites, sizeof crowd.sites, 0, NULL);
	crowd.sites &= SITES_MASK;
	started = uv_hrtime();
	uv_timer_init(crowd.loop, &tick);
	uv_timer_start(&tick, on_tick, TICK_MS, TICK_MS);
	uv_timer_init(crowd.loop, &second);
	uv_timer_start(&second, on_second, 1000, 1000);
	uv_pipe_init(crowd.loop, &commands, 0);
	uv_pipe_open(&commands, 0);
	uv_read_start((uv_stream_t *) &commands, on_input_buffer, on_input);
	return uv_run(crowd.loop, UV_RUN_DEFAULT);
}
